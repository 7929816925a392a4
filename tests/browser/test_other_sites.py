"""What another site can do to somebody who is signed in here: nothing (RELIABILITY S9)."""

from playwright.async_api import Page, Route, expect
from tests.browser.desk import SOON_MS, Desk

EVIL = "http://evil.test/"


async def evil_page(desk: Desk, html: str) -> Page:
    """A page of another site, in a browser that is signed in here and has one unread message."""
    await desk.pushplus(title="Unread", content="x")
    inbox = await desk.inbox()
    context = inbox.page.context

    async def answer(route: Route) -> None:
        await route.fulfill(body=html.replace("OWN", desk.server.url), content_type="text/html")

    await context.route(f"{EVIL}**", answer)
    page = await context.new_page()
    await page.goto(EVIL)
    return page


async def test_the_inbox_cannot_be_framed(desk: Desk) -> None:
    """Clickjacking: the page refuses to be shown inside another site's frame."""
    page = await evil_page(desk, "<iframe src='OWN/'></iframe>")

    frame = page.frames[1]
    await frame.wait_for_url("chrome-error://**", timeout=SOON_MS)
    assert await frame.locator("#app").count() == 0


async def test_another_site_changes_nothing(desk: Desk) -> None:
    """Forms and scripts of another site act without the session, and read no answer."""
    page = await evil_page(
        desk, "<form method=post enctype=text/plain action='OWN/api/v1/inbox/read'><input name=x></form>"
    )
    said = await page.evaluate(
        """async own => {
            const call = (path, method, body) => fetch(own + path, {method, body, credentials: 'include'})
                .then(answer => answer.status, () => 'refused');
            const socket = new WebSocket(own.replace('http', 'ws') + '/api/v1/inbox/ws?after=0');
            const told = new Promise(done => {
                socket.onmessage = () => done('told');
                socket.onclose = () => done('refused');
            });
            return [
                await call('/api/v1/inbox', 'GET'),
                await call('/api/v1/inbox/read', 'POST', '{"up_to":9}'),
                await call('/api/v1/logout', 'POST'),
                await told,
            ];
        }""",
        desk.server.url,
    )
    assert said == ["refused"] * 4
    await page.evaluate("document.querySelector('form').submit()")
    await page.wait_for_url(f"{desk.server.url}/api/v1/inbox/read", timeout=SOON_MS)
    assert "unauthorized" in await page.content() or "forbidden" in await page.content()

    inbox = page.context.pages[0]
    await expect(inbox.locator("li.item .dot")).to_have_count(1)
