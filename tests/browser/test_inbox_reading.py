"""What an opened message looks like: HTML, Markdown, text, pictures, files, links, marks."""

import asyncio
import base64

import pytest
from playwright.async_api import BrowserContext, Route, expect
from tests.browser.desk import SOON_MS, Desk, Inbox
from tests.running import ALICE

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


async def foreign_requests(context: BrowserContext, own: str) -> list[str]:
    """The addresses on other hosts that the browser asks for, from now on; each gets a pixel."""
    asked: list[str] = []

    async def answer(route: Route) -> None:
        asked.append(route.request.url)
        await route.fulfill(body=PIXEL, content_type="image/gif")

    await context.route(lambda url: not url.startswith(own), answer)
    return asked


async def opened(desk: Desk, text: str, **options: object) -> Inbox:
    inbox = await desk.inbox(**options)  # type: ignore[arg-type]
    await inbox.open(text)
    return inbox


async def test_html_is_shown_in_the_sandboxed_frame(desk: Desk) -> None:
    """HTML keeps its shape inside a frame that may neither run scripts nor share the page's origin."""
    await desk.pushplus(title="Report", content='<h2>Sales</h2><table><tr><td bgcolor="#ff0000">41</td></tr></table>')
    inbox = await opened(desk, "Report")

    await expect(inbox.frame.get_by_role("heading", name="Sales")).to_be_visible()
    await expect(inbox.frame.get_by_role("cell", name="41")).to_have_css("background-color", "rgb(255, 0, 0)")
    frame = inbox.reader.locator("iframe")
    assert await frame.get_attribute("sandbox") == "allow-popups allow-popups-to-escape-sandbox"
    assert "default-src 'none'" in (await frame.get_attribute("srcdoc") or "")
    assert await inbox.page.evaluate("document.querySelector('article iframe').contentDocument") is None


async def test_markdown_is_rendered(desk: Desk) -> None:
    """Markdown of PushPlus, PushGo and WeCom's subset becomes headings, lists, tables and links; the list names a link
    by its text."""
    await desk.pushplus(
        title="Notes", content="## Plan\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |", template="markdown"
    )
    await desk.wecom(
        "markdown", content='# Deploy\n><font color="warning">slow</font> **bold** [log](https://example.com/log)'
    )
    inbox = await opened(desk, "Notes")

    await expect(inbox.frame.get_by_role("heading", name="Plan")).to_be_visible()
    await expect(inbox.frame.get_by_role("listitem")).to_have_text(["one", "two"])
    await expect(inbox.frame.get_by_role("cell", name="2")).to_be_visible()

    await expect(inbox.row("slow bold log")).not_to_contain_text("https")
    await inbox.open("Deploy")
    await expect(inbox.frame.get_by_role("heading", name="Deploy")).to_be_visible()
    link = inbox.frame.get_by_role("link", name="log")
    assert await link.get_attribute("href") == "https://example.com/log"
    assert await link.get_attribute("target") == "_blank"
    assert "noopener" in (await link.get_attribute("rel") or "")


async def test_text_is_shown_as_it_was_written(desk: Desk) -> None:
    """Plain text keeps its tags, line breaks and blanks; a web address becomes a link, nothing else does."""
    text = "<b>not bold</b> & *not* italic\n  two blanks\njavascript:alert(1) https://example.com/a?b=1&c=2."
    await desk.pushplus(title="Plain", content=text, template="txt")
    inbox = await opened(desk, "Plain")

    words = inbox.reader.locator(".plain-text")
    assert await words.text_content() == text
    assert await words.locator("b").count() == 0
    assert await words.evaluate("p => getComputedStyle(p).whiteSpace") == "pre-wrap"
    links = words.locator("a")
    await expect(links).to_have_count(1)
    assert await links.get_attribute("href") == "https://example.com/a?b=1&c=2"


async def test_pictures_wait_for_a_click(desk: Desk) -> None:
    """Opening a message asks no other host for anything; one click shows its pictures, without a referrer."""
    context = await desk.context()
    asked = await foreign_requests(context, desk.server.url)
    await desk.pushgo(
        title="Camera", body="![door](https://cam.example.com/door.gif)", images=["https://cam.example.com/2.gif"]
    )
    inbox = await opened(desk, "Camera", context=context)
    await expect(inbox.frame.get_by_text("door")).to_be_visible()
    assert asked == []

    await inbox.reader.get_by_role("button", name="Show pictures").click()

    await expect(inbox.frame.get_by_role("img", name="door")).to_be_visible(timeout=SOON_MS)
    await expect(inbox.reader.get_by_role("img", name="Picture 1")).to_be_visible()
    assert sorted(asked) == ["https://cam.example.com/2.gif", "https://cam.example.com/door.gif"]
    await expect(inbox.reader.get_by_role("button", name="Show pictures")).to_have_count(0)


async def test_the_marks_of_a_message(desk: Desk) -> None:
    """Severity, tags, link, sender and time are there; a link that is no web address is not."""
    await desk.pushgo(
        title="Disk full", body="97 %", severity="critical", tags=["disk", "nas"], url="https://nas.example.com/"
    )
    inbox = await opened(desk, "Disk full")

    for text in ("Critical", "disk", "nas", "NAS · PushGo"):
        await expect(inbox.reader.get_by_text(text, exact=True)).to_be_visible()
    await expect(inbox.reader.locator("time")).to_have_count(1)
    link = inbox.reader.get_by_role("link", name="Open link")
    assert await link.get_attribute("href") == "https://nas.example.com/"
    assert "noopener" in (await link.get_attribute("rel") or "")
    await expect(inbox.row("Disk full").get_by_text("Critical")).to_be_visible()


async def test_a_mention_is_marked(desk: Desk) -> None:
    """Who is named in a group message sees it in the list and in the reader."""
    await desk.wecom("text", content="please look", mentioned_list=["alice"])
    inbox = await opened(desk, "please look")

    await expect(inbox.row("please look").locator(".mention")).to_be_visible()
    await expect(inbox.reader.get_by_text("Mentions you")).to_be_visible()


async def test_a_message_without_a_title_says_its_text_once(desk: Desk) -> None:
    """No "(no title)", no text doubled as a title."""
    await desk.pushplus(content="only these words and a few more of them")
    await desk.easemob(await desk.easemob_token(), "alice", "hello from carol")
    inbox = await opened(desk, "only these words")

    assert (await inbox.row("only these words").text_content() or "").count("only these words") == 1
    assert (await inbox.reader.text_content() or "").count("only these words") == 0
    await expect(inbox.frame.get_by_text("only these words and a few more of them")).to_be_visible()
    await inbox.row("hello from carol").click()
    await expect(inbox.page.locator("section.talk").get_by_role("heading", level=1)).to_have_text("Carol")


async def test_actions_with_an_address_are_links(desk: Desk) -> None:
    """Buttons that open a page are there; an address that is no web page cannot be pressed."""
    actions = [{"text": "Approve", "url": "https://example.com/ok"}]
    await desk.native("Release", "Ready?", to="alice", actions=actions)
    inbox = await opened(desk, "Release")

    assert await inbox.reader.get_by_role("link", name="Approve").get_attribute("href") == "https://example.com/ok"


CHOICE = [
    {"text": "Approve", "key": "deploy", "value": "yes"},
    {"text": "Reject", "key": "deploy", "value": "no"},
]


async def test_a_choice_is_made_once_on_every_page(desk: Desk) -> None:
    """Actions with one key are buttons for the keyboard too; what was pressed shows, and nothing else can be, also on
    another open page and after a reload; focus stays where it was."""
    await desk.native("Release", "Ready?", to="alice", actions=CHOICE)
    inbox = await opened(desk, "Release")
    other = await opened(desk, "Release")
    approve, reject = (inbox.reader.get_by_role("button", name=name) for name in ("Approve", "Reject"))
    await expect(inbox.reader.get_by_text("The sender sees which button you press.")).to_be_visible()

    await reject.focus()
    await inbox.page.keyboard.press("Shift+Tab")
    await expect(approve).to_be_focused()
    await inbox.page.keyboard.press("Enter")

    for page in (inbox, other):
        chosen = page.reader.get_by_role("button", name="Approve", pressed=True)
        await expect(chosen).to_be_visible(timeout=SOON_MS)
        await expect(page.reader.get_by_role("button", name="Reject")).to_be_disabled()
        await expect(page.reader.get_by_text("The sender sees")).to_have_count(0)
    await expect(approve).to_be_focused()
    await inbox.page.reload()
    await expect(inbox.reader.get_by_role("button", name="Approve", pressed=True)).to_be_visible(timeout=SOON_MS)


async def test_an_answer_that_cannot_be_given_can_be_tried_again(desk: Desk) -> None:
    """Without a connection the button says so in the reader's language, and stays."""
    await desk.native("发布", "可以吗？", to="alice", actions=CHOICE)
    inbox = await desk.inbox(ALICE, locale="zh-CN")
    await inbox.open("发布")
    approve = inbox.reader.get_by_role("button", name="Approve")
    await expect(inbox.reader.get_by_text("发送者会看到您按下的按钮。")).to_be_visible()

    await inbox.page.context.set_offline(True)
    await approve.click()
    await expect(inbox.page.get_by_text("无法连接服务器。")).to_be_visible(timeout=SOON_MS)
    await inbox.page.context.set_offline(False)
    await approve.click()
    await expect(inbox.reader.get_by_role("button", name="Approve", pressed=True)).to_be_visible(timeout=SOON_MS)


async def test_a_button_of_wecom_changes_its_label(desk: Desk) -> None:
    """After the press it reads what its sender has given as ``replace_text`` (sheet wecom, case 48)."""
    action = {"type": "button", "name": "ok", "text": "Take it", "value": "1", "replace_text": "Taken"}
    await desk.wecom("markdown", content="**Ticket 7**", attachments=[{"callback_id": "t", "actions": [action]}])
    inbox = await opened(desk, "Ticket 7")

    await inbox.reader.get_by_role("button", name="Take it").click()
    await expect(inbox.reader.get_by_role("button", name="Taken", pressed=True)).to_be_visible(timeout=SOON_MS)


async def test_a_long_message_is_whole(desk: Desk) -> None:
    """Beyond 16 KiB a row holds the beginning only; the reader shows the end as well."""
    await desk.pushplus(title="Long", content="<p>line of words</p>" * 2000 + "<h2>The end</h2>")
    inbox = await opened(desk, "Long")

    await expect(inbox.frame.get_by_role("heading", name="The end")).to_be_attached(timeout=SOON_MS)
    await expect(inbox.frame.locator("p")).to_have_count(2000)


@pytest.mark.parametrize(("key", "steps"), [("j", ["three", "two", "one", "one"]), ("ArrowDown", ["three", "two"])])
async def test_keys_walk_the_list(desk: Desk, key: str, steps: list[str]) -> None:
    """J and the arrows open message after message, K goes back, Escape closes and leaves one at its row, slash
    searches."""
    for title in ("one", "two", "three"):
        await desk.pushplus(title=f"Title {title}", content="x")
    inbox = await desk.inbox(ALICE)
    await expect(inbox.rows).to_have_count(3)
    heading = inbox.reader.get_by_role("heading", level=1)

    for title in steps:
        await inbox.page.keyboard.press(key)
        await expect(heading).to_have_text(f"Title {title}")
    await inbox.page.keyboard.press("k")
    await expect(heading).to_have_text("Title two" if len(steps) == 4 else "Title three")
    await inbox.page.keyboard.press("Escape")
    await expect(inbox.reader).to_have_count(0)
    await expect(inbox.row("Title two" if len(steps) == 4 else "Title three").get_by_role("button")).to_be_focused()
    await inbox.page.keyboard.press("/")
    await expect(inbox.page.get_by_role("textbox", name="Search")).to_be_focused()
    await inbox.page.keyboard.type("jk")
    await expect(inbox.reader).to_have_count(0)


async def test_search_finds_old_and_new(desk: Desk) -> None:
    """A search shows what the server finds, and what comes in meanwhile if it matches; Escape ends it."""
    await desk.pushplus(title="Needle 0", content="x")
    await asyncio.gather(*(desk.pushplus(title=f"Hay {number}", content="x") for number in range(60)))
    inbox = await desk.inbox()
    field = inbox.page.get_by_role("textbox", name="Search")

    await field.fill("needle")
    await field.press("Enter")
    await expect(inbox.rows).to_have_count(1, timeout=SOON_MS)
    await desk.pushplus(title="Another NEEDLE", content="x")
    await desk.pushplus(title="Hay again", content="x")
    await expect(inbox.rows).to_have_count(2, timeout=SOON_MS)
    await expect(inbox.page.get_by_role("heading", name="Results for “needle”")).to_be_visible()

    await field.fill("nothing like this")
    await field.press("Enter")
    await expect(inbox.page.get_by_text("No message matches")).to_be_visible(timeout=SOON_MS)
    await field.press("Escape")
    await expect(inbox.row("Hay again")).to_be_visible()


async def test_a_link_opens_its_message(desk: Desk) -> None:
    """An address that names a message opens it, also one far down the list; a wrong one says so."""
    await desk.pushplus(title="Number 0", content="x")
    await asyncio.gather(*(desk.pushplus(title=f"Number {number}", content="x") for number in range(1, 56)))
    context = (await desk.inbox()).page.context
    page = await context.new_page()

    await page.goto("/#m1")
    await expect(page.get_by_role("heading", level=1, name="Number 0")).to_be_visible(timeout=SOON_MS)
    wrong = await context.new_page()
    await wrong.goto("/#m4711")
    await expect(wrong.get_by_text("This message is not there any more.")).to_be_visible(timeout=SOON_MS)
