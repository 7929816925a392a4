"""The page that lists the native API's operations and tries them, in a real browser."""

from playwright.async_api import Locator, Page, expect
from tests.browser.desk import DESKTOP, SOON_MS, Desk
from tests.running import ALICE


async def docs(desk: Desk) -> Page:
    """The page with Alice's token in it."""
    page = await (await desk.browser.new_context(**DESKTOP)).new_page()
    await page.goto(f"{desk.server.url}/api/docs")
    await page.locator("#token").fill(await desk.token(ALICE))
    return page


async def opened(page: Page, method: str, path: str) -> Locator:
    """One operation, unfolded."""
    head = page.locator("summary").filter(has=page.get_by_text(method, exact=True))
    head = head.filter(has=page.get_by_text(path, exact=True))
    await head.click(timeout=SOON_MS)
    return page.locator("details[open]").filter(has=page.get_by_text(path, exact=True))


async def test_every_operation_is_listed(desk: Desk) -> None:
    """Also those that take no JSON: each row of the table is on the page."""
    page = await docs(desk)

    await expect(page.locator("details")).to_have_count(len(desk.server.application.native.operations), timeout=SOON_MS)
    await page.context.close()


async def test_json_and_files_are_tried(desk: Desk) -> None:
    """What is written into the page goes out as the operation takes it, and the answer is shown."""
    page = await docs(desk)
    sending = await opened(page, "POST", "/api/v1/messages")
    await sending.locator("textarea").fill('{"to": "alice", "title": "from the docs"}')
    await sending.get_by_role("button", name="Try it").click()
    await expect(sending.locator("pre")).to_contain_text("201", timeout=SOON_MS)
    uploading = await opened(page, "POST", "/api/v1/files")
    await uploading.locator("input[type=file]").set_input_files({"name": "a.txt", "mimeType": "", "buffer": b"hello"})
    await uploading.get_by_role("button", name="Try it").click()
    await expect(uploading.locator("pre")).to_contain_text('"size": 5', timeout=SOON_MS)
    await page.context.close()
