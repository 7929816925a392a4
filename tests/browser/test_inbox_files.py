"""Files in conversations of the inbox page: by button and by paste, with what each side sees of them."""

import base64
import io
import wave

from playwright.async_api import expect
from tests.browser.desk import PHONE, SOON_MS, Desk
from tests.browser.test_inbox_talks import TalkPage, talk_with
from tests.running import ALICE, BOB

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_PASTE = """(box, bytes) => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(bytes)], 'pasted.png', {type: 'image/png'}));
    box.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}));
}"""


def recording(seconds: int) -> bytes:
    """Silence."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x80" * 8000 * seconds)
    return made.getvalue()


async def test_files_go_over_and_are_shown(desk: Desk) -> None:
    """A picture opens large, a recording tells its length, any other file is offered by name and size; one that is too
    large is refused in words; a place goes where the browser tells it."""
    context = await desk.context(geolocation={"latitude": 31.2304, "longitude": 121.4737}, permissions=["geolocation"])
    alice = await talk_with(await desk.inbox(ALICE, context), "bob")
    bob = await talk_with(await desk.inbox(BOB, **PHONE), "alice")
    chooser = alice.talk.locator("input[type=file]")
    await alice.field.evaluate(_PASTE, list(PICTURE))
    await expect(bob.lines).to_have_count(1, timeout=SOON_MS)
    await chooser.set_input_files({"name": "word.wav", "mimeType": "audio/wav", "buffer": recording(2)})
    await expect(bob.lines).to_have_count(2, timeout=SOON_MS)
    await chooser.set_input_files({"name": "plan.txt", "mimeType": "text/plain", "buffer": b"x" * 2048})
    await expect(bob.lines).to_have_count(3, timeout=SOON_MS)
    await alice.talk.get_by_role("button", name="Send where you are").click()
    await alice.page.get_by_label("Description of the place").fill("At the river")
    await alice.page.locator(".n-dialog").get_by_role("button", name="Send").click()

    for talk in (alice, bob):
        await expect(talk.lines).to_have_count(4, timeout=SOON_MS)
        await _is_shown(talk)
    await expect(alice.talk.locator(".waiting")).to_have_count(0)
    async with alice.page.expect_download() as download:
        await alice.line("plan.txt").get_by_role("link").click()
    assert (await (await download.value).path()).read_bytes() == b"x" * 2048

    await chooser.set_input_files({"name": "film.bin", "mimeType": "", "buffer": b"x" * 10_000_001})
    await expect(alice.talk.get_by_role("alert")).to_contain_text("larger than 10 MB", timeout=SOON_MS)
    await expect(alice.talk.get_by_role("button", name="Try again")).to_have_count(0)
    await alice.talk.get_by_role("button", name="Discard").click()
    await expect(alice.lines).to_have_count(4)


async def _is_shown(talk: TalkPage) -> None:
    picture = talk.lines.nth(0).get_by_role("button", name="Open picture pasted.png")
    await expect(picture.locator("img")).to_have_js_property("naturalWidth", 1, timeout=SOON_MS)
    await picture.click()
    large = talk.page.get_by_role("dialog", name="pasted.png")
    await expect(large).to_be_visible()
    # Where it comes to rest: on its way it grows out of the small one.
    assert abs(await large.evaluate("it => it.offsetLeft + it.offsetWidth / 2 - innerWidth / 2")) < 2
    await talk.page.keyboard.press("Escape")
    await expect(talk.lines.nth(1).locator("audio")).to_have_count(1)
    await expect(talk.lines.nth(1).locator(".length")).to_have_text("0:02")
    await expect(talk.lines.nth(2).get_by_role("link")).to_contain_text("plan.txt")
    await expect(talk.lines.nth(2).get_by_role("link")).to_contain_text("2.0 KB")
    await expect(talk.lines.nth(3).get_by_role("link")).to_contain_text("At the river")
    await expect(talk.lines.nth(3).get_by_role("link")).to_contain_text("31.23040, 121.47370")
