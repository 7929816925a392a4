"""Takes the pictures of ``docs/images``: a real server, messages by the five APIs, a real browser.

``PYTHONPATH=src:. python -m tools.screenshots`` after ``make web``.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright
from tests.browser.desk import PHONE, Desk
from tests.browser.quiet import quiet_directory
from tests.running import running

from onebell import directory
from onebell.app import SECTIONS, Application
from onebell.clock import SHANGHAI, SystemClock
from onebell.settings import Settings
from tools.chromium import CHROMIUM, SWITCHES
from tools.screenshot_words import LANGUAGES, Words

IMAGES = Path(__file__).parent.parent / "docs/images"
NOW = datetime(2026, 3, 18, 10, 42, tzinfo=SHANGHAI)
DESKTOP = {"width": 1280, "height": 800}


class PastClock(SystemClock):
    """The day of the pictures; a message can be sent some minutes ago."""

    def __init__(self) -> None:
        self._behind_ms = super().now_ms() - round(NOW.timestamp() * 1000)
        self.minutes_ago = 0

    def now_ms(self) -> int:
        return super().now_ms() - self._behind_ms - self.minutes_ago * 60_000


def _story(words: Words) -> Sequence[tuple[int, Callable[[Desk], Awaitable[object]]]]:
    """Minutes ago, and what is sent then."""
    return (
        (1_640, lambda desk: desk.pushgo(title=words.backup_title, body=words.backup)),
        (1_385, lambda desk: desk.ums("alice", words.order)),
        (1_210, lambda desk: desk.pushplus(title=words.invoice_title, content=words.invoice)),
        (95, lambda desk: desk.wecom("text", content=words.standup)),
        (62, lambda desk: desk.pushplus(title=words.weather_title, content=words.weather, template="markdown")),
        (
            48,
            lambda desk: desk.pushgo(
                title=words.disk_title, body=words.disk, severity="critical", tags=["disk", "raid"]
            ),
        ),
        (31, lambda desk: desk.wecom("markdown", content=words.deploy)),
        (17, lambda desk: desk.wecom("text", content=words.look, mentioned_list=["alice"])),
        (12, lambda desk: desk.ums("alice", words.parcel)),
        (
            9,
            lambda desk: desk.pushplus(
                title=words.report_title, content=words.report, topic="ops", template="markdown"
            ),
        ),
        (3, lambda desk: _rest(desk, "bob", "alice", "txt", msg=words.lunch)),
    )


async def _rest(desk: Desk, sender: str, to: str, kind: str, **body: object) -> None:
    message = {"from": sender, "to": [to], "type": kind, "body": body, "sync_device": True}
    await desk.post(
        "/acme/demo/messages/users", message, headers={"Authorization": f"Bearer {await desk.easemob_token()}"}
    )


async def _talk(desk: Desk, page: Page, words: Words) -> None:
    """Bob and Alice, both by the REST API; the page shows what it would show had they typed."""
    await _rest(desk, "alice", "bob", "txt", msg=words.answer)
    await _rest(desk, "bob", "alice", "loc", addr=words.place, lat=words.latitude, lng=words.longitude)
    await _rest(desk, "bob", "alice", "txt", msg=words.table)
    await _rest(desk, "alice", "bob", "txt", msg=words.coming)
    await page.locator("li.item", has_text=words.coming).first.click()
    await page.locator("section.talk li.line", has_text=words.coming).wait_for()
    read = page.locator("button.feed", has_text=words.names["Bob"]).filter(has_not=page.locator(".count"))
    await read.wait_for()
    await page.mouse.move(0, 0)


async def _settings(place: str, clock: PastClock, words: Words) -> Settings:
    settings = Settings(data=place, port=0)
    text = quiet_directory()
    for old, new in words.names.items():
        text = text.replace(f'name = "{old}"', f'name = "{new}"')
    async with Application(settings, clock) as application:
        await directory.apply(application.context.store, SECTIONS, text, dry_run=False)
    return settings


async def _page(desk: Desk, words: Words, **options: object) -> Page:
    context = await desk.context(locale=words.locale, timezone_id="Asia/Shanghai", **options)
    await context.clock.set_fixed_time(NOW)
    return (await desk.inbox(context=context)).page


async def _take(browser: Browser, words: Words) -> None:
    clock = PastClock()
    with tempfile.TemporaryDirectory() as place:
        settings = await _settings(place, clock, words)
        async with running(settings, clock) as server:
            desk = Desk(browser, server)
            for clock.minutes_ago, send in _story(words):
                await send(desk)
            clock.minutes_ago = 0
            await desk.post("/api/v1/inbox/read", {"up_to": 4}, headers=await desk.bearer(("alice", "alice-password")))
            page = await _page(desk, words, viewport=DESKTOP)
            await page.locator("li.item", has_text=words.report_title).click()
            await page.frame_locator("article iframe").locator("table").wait_for()
            await page.mouse.move(0, 0)
            await page.screenshot(path=IMAGES / f"inbox{words.suffix}.png")
            phone = await _page(desk, words, **{**PHONE, "device_scale_factor": 2}, color_scheme="dark")
            await phone.screenshot(path=IMAGES / f"phone{words.suffix}.png")
            await _talk(desk, page, words)
            await page.screenshot(path=IMAGES / f"conversation{words.suffix}.png")
            await desk.close()


async def main() -> None:
    """Write every picture."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        for words in LANGUAGES:
            await _take(browser, words)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
