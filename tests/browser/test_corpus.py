"""Corpus B in real Chromium: whatever strangers send, by every template and dialect, shown on every surface.

Executions 0, requests to other hosts 0 without a click, navigations 0 (RELIABILITY S4).
"""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, expect
from tests.browser.desk import SOON_MS, Desk
from tests.browser.payloads import EVERYTHING, HTML, MARKDOWN, NAMES, TEXT, WECOM, in_turn, turns
from tests.browser.watch import Watch
from tests.running import ALICE

AT_ONCE = 32
TITLE_CHARS = 100
TABS = 3

# Opens every message of the list by the key J and upwards by K, for as long as there and back has shown something new:
# a conversation's lines and what is older in the list come later. Waits until a frame is loaded, and looks at what has
# become of the page around it: foreign elements outside the frame would be an escape.
_WALK = """async total => {
    const visited = new Set();
    const foreign = [];
    const frame = () => document.querySelector('article iframe');
    const active = () => document.querySelector('li.item.active [data-seq]')?.dataset.seq;
    const settled = node => new Promise(done => node.addEventListener('load', done, {once: true}));
    let loaded = Promise.resolve();
    new MutationObserver(changes => {
        for (const change of changes) for (const node of change.addedNodes) {
            const found = node.nodeType === 1 && (node.tagName === 'IFRAME' ? node : node.querySelector('iframe'));
            if (found) loaded = settled(found);
        }
    }).observe(document.body, {childList: true, subtree: true});
    const step = async key => {
        const before = active();
        document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
        // At either end of the list it stays as it is.
        for (let tries = 0; tries < 50 && active() === before; tries++) await new Promise(done => setTimeout(done, 5));
        if (frame()) await loaded;
        const article = document.querySelector('article, section.talk ol');
        if (article === null) return;
        const open = article.matches('article') ? [article] : article.querySelectorAll('li.line');
        for (const one of open) visited.add(one.dataset.seq);
        const escaped = article.querySelectorAll('script, style, object, embed, form, input, base, meta, link, video');
        const web = /^(https?:\\/\\/|\\/f\\/)/;
        const led = [...article.querySelectorAll('a')].filter(a => !web.test(a.getAttribute('href')));
        for (const one of [...escaped, ...led]) foreign.push(one.outerHTML.slice(0, 200));
    };
    for (let before = -1; visited.size < total && visited.size > before;) {
        before = visited.size;
        for (const key of 'jk') for (let left = total; left > 0 && visited.size < total; left--) await step(key);
    }
    return {visited: visited.size, foreign};
}"""
# What the sanitiser must leave of a frame or a share page, looked at in the parsed document.
_REMAINS = """() => [...document.querySelectorAll('*')].flatMap(one => {
    const address = /^(href|src|xlink:href|background)$/i;
    const code = /^\\s*(javascript|vbscript|data|file|blob):/i;
    const bad = [...one.attributes].filter(({name, value}) => /^on|^srcdoc$|^formaction$|^ping$/i.test(name)
        || (address.test(name) && code.test(value)));
    const tag = /^(script|iframe|object|embed|form|input|button|svg|math|template|audio|video|frameset|portal)$/i;
    return bad.length || tag.test(one.tagName) ? [one.outerHTML.slice(0, 200)] : [];
})"""


async def all_of(calls: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Run many calls, some at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(call: Coroutine[Any, Any, Any]) -> Any:
        async with gate:
            return await call

    return await asyncio.gather(*map(one, calls))


def title_of(payload: str) -> str:
    return payload[:TITLE_CHARS]


async def watched(desk: Desk, **options: Any) -> tuple[BrowserContext, Watch]:
    context = await desk.context(**options)
    return context, await Watch.over(context, desk.server.url)


async def walk(desk: Desk, total: int) -> tuple[Watch, dict[str, Any], Page]:
    """Open every message of alice, in the reader or as a conversation."""
    await desk.post("/api/v1/inbox/read", {"up_to": 1 << 40}, headers=await desk.bearer(ALICE))
    context, watch = await watched(desk)
    inbox = await desk.inbox(context=context)
    watch.page(inbox.page)
    await expect(inbox.rows.first).to_be_visible(timeout=SOON_MS)
    return watch, await inbox.page.evaluate(_WALK, total), inbox.page


async def count(desk: Desk) -> int:
    async with desk.server.session.get(
        f"{desk.server.url}/api/v1/inbox/feeds", headers=await desk.bearer(ALICE)
    ) as answer:
        return sum(feed["entries"] for feed in (await answer.json())["items"])


async def test_the_watch_sees_what_it_must(desk: Desk) -> None:
    """The instrument itself: a page without protection is caught at everything it does."""
    context, watch = await watched(desk)
    page = await context.new_page()
    await page.goto("/healthz")
    watch.page(page)

    await page.set_content(
        "<script>alert(1)</script><img src=https://evil.test/pixel.gif>"
        "<iframe srcdoc='<script>alert(2)</script>'></iframe><iframe src=https://evil.test/frame></iframe>"
    )
    await page.evaluate("new WebSocket('wss://evil.test/socket')")
    await page.evaluate("delete window.alert; setTimeout(() => { location = 'https://evil.test/away' })")
    await page.wait_for_event("requestfailed", lambda request: request.url.endswith("away"), timeout=SOON_MS)

    assert sorted(one.split(" in ")[0] for one in watch.ran) == ["alert(1)", "alert(2)"]
    assert {url.rsplit("/", 1)[1] for url in watch.foreign} == {"pixel.gif", "frame", "socket", "away"}


@pytest.mark.parametrize("turn", turns(0))
async def test_html_from_strangers_stays_in_its_frame(desk: Desk, turn: int) -> None:
    """PushPlus html and markdown, title and content: 0 executions, 0 requests, 0 navigations in list and reader."""
    payloads = [("html", text) for text in in_turn(EVERYTHING, turn)]
    payloads += [("markdown", text) for text in in_turn([*MARKDOWN, *HTML[::2]], turn + 1)]
    await all_of([desk.pushplus(template=template, title=title_of(text), content=text) for template, text in payloads])
    total = await count(desk)

    watch, result, page = await walk(desk, total)

    assert total == len(payloads)
    assert result == {"visited": total, "foreign": []}
    assert watch.seen == {}
    assert await page.locator("html").get_attribute("lang") == "en"


@pytest.mark.parametrize("turn", turns(2))
async def test_text_from_strangers_is_text(desk: Desk, turn: int) -> None:
    """PushPlus txt and json, UMS and Easemob: the same, and nothing of it becomes an element."""
    token = await desk.easemob_token()
    texts = in_turn([*HTML[::4], *MARKDOWN[::4], *NAMES, *TEXT], turn)
    await all_of(
        [
            *(desk.pushplus(template="txt", title=title_of(text), content=text) for text in texts),
            *(desk.pushplus(template="json", title="x", content=json.dumps({text: text})) for text in texts),
            *(desk.ums("alice", text) for text in texts),
            # Of two, so that no conversation has lines that only scrolling loads.
            *(desk.easemob(token, "alice", text, ("bob", "carol")[place % 2]) for place, text in enumerate(texts)),
        ]
    )
    total = await count(desk)

    watch, result, _ = await walk(desk, total)

    assert total == 4 * len(texts)
    assert result == {"visited": total, "foreign": []}
    assert watch.seen == {}


@pytest.mark.parametrize("turn", turns(3))
async def test_markdown_from_strangers_stays_in_its_frame(desk: Desk, turn: int) -> None:
    """WeCom markdown and PushGo title and body."""
    texts = in_turn(list(dict.fromkeys([*WECOM, *MARKDOWN, *HTML[::3]])), turn)
    await all_of(
        [
            *(desk.wecom("markdown", content=text) for text in texts),
            *(desk.pushgo(title=title_of(text), body=text) for text in [*texts, *in_turn(NAMES, turn)]),
        ]
    )
    total = await count(desk)

    watch, result, _ = await walk(desk, total)

    assert total >= 2 * len(texts)
    assert result == {"visited": total, "foreign": []}
    assert watch.seen == {}


@pytest.mark.parametrize("turn", turns(1))
async def test_the_share_page_runs_and_loads_nothing(desk: Desk, turn: int) -> None:
    """``/shortMessage/{code}``: a page of its own that any link may open, without a sign-in."""
    codes = await all_of(
        [desk.pushplus(template="html", title=title_of(text), content=text) for text in in_turn(EVERYTHING, turn)]
        + [desk.pushplus(template="markdown", content=text) for text in in_turn(MARKDOWN, turn + 1)]
    )
    context, watch = await watched(desk)

    async def show(part: Sequence[str]) -> list[str]:
        page = await context.new_page()
        watch.page(page)
        remains: list[str] = []
        for code in part:
            await page.goto(f"/shortMessage/{code}", wait_until="domcontentloaded")
            remains += await page.evaluate(_REMAINS)
        return remains

    found = await asyncio.gather(*(show(codes[tab::TABS]) for tab in range(TABS)))

    assert [one for part in found for one in part] == []
    assert watch.seen == {}


async def test_what_the_frame_is_given_is_clean(desk: Desk) -> None:
    """Looked at with a parser: no element or attribute that could run is left in what the frame is given."""
    texts = [*HTML, *MARKDOWN]
    await all_of([desk.pushplus(template="markdown", title="x", content=text) for text in texts])
    context, watch = await watched(desk)
    page = await context.new_page()
    await page.goto("/healthz")
    items = await desk.server.inbox(ALICE)
    items += await desk.server.inbox(ALICE, after=max(item["seq"] for item in items))

    remains = await page.evaluate(
        f"""htmls => htmls.flatMap(html => {{
            const document = new DOMParser().parseFromString(html, 'text/html');
            return ({_REMAINS.replace("() =>", "document =>", 1)})(document);
        }})""",
        [item["html"] for item in items],
    )

    assert len(items) == len(texts)
    assert remains == []
    assert watch.seen == {}
