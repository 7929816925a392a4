"""The page that tries the native API: everything that the API can do is there and works from there."""

import base64

from playwright.async_api import Locator, Page, expect
from tests.browser.desk import SOON_MS, Desk

PICTURE = {
    "name": "dot.gif",
    "mimeType": "image/gif",
    "buffer": base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"),
}


async def opened(page: Page, method: str, path: str) -> Locator:
    """An operation of the page, unfolded."""
    heads = page.locator("summary").filter(has_text=method).filter(has=page.get_by_text(path, exact=True))
    await heads.click()
    return page.locator("details").filter(has=heads)


async def test_every_operation_is_shown_and_can_be_tried(desk: Desk) -> None:
    """As many operations as the document names; a message and a file go out with the browser's own session."""
    inbox = await desk.inbox()
    page = await inbox.page.context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto("/api/docs")
    await page.locator("details").first.wait_for(timeout=SOON_MS)
    async with desk.server.session.get(f"{desk.server.url}/api/v1/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    assert await page.locator("details").count() == sum(len(methods) for methods in paths.values())

    send = await opened(page, "POST", "/api/v1/messages")
    await send.locator("textarea").fill('{"to": "alice", "title": "from the page"}')
    await send.get_by_role("button", name="Try it").click()
    await expect(send.locator("pre")).to_contain_text("201", timeout=SOON_MS)
    await expect(inbox.row("from the page")).to_be_visible(timeout=SOON_MS)

    upload = await opened(page, "POST", "/api/v1/files")
    await upload.locator("input[type=file]").set_input_files(PICTURE)  # type: ignore[arg-type]
    await upload.get_by_role("button", name="Try it").click()
    await expect(upload.locator("pre")).to_contain_text("dot.gif", timeout=SOON_MS)
    assert errors == []
