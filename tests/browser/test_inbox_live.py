"""The inbox page while things happen: arrivals, reading on two pages, connections that break."""

import asyncio
import time

import msgspec
from playwright.async_api import Route, expect
from tests.browser.desk import SOON_MS, Desk, Inbox
from tests.running import ALICE, BOB, RunningServer, running

from onebell.settings import Settings

MISSED = 60


async def send_many(server: RunningServer, first: int, last: int) -> None:
    """Numbered messages to alice, in order."""
    token = "0123456789abcdef0123456789abcdef"
    for number in range(first, last):
        params = {"token": token, "title": f"number {number:03d}", "content": "x"}
        async with server.session.get(f"{server.url}/send", params=params) as answer:
            assert (await answer.json())["code"] == 200


async def numbers(inbox: Inbox) -> list[str]:
    """What the list shows, newest first."""
    return await inbox.page.locator("li.item .title").all_text_contents()


def expected(count: int) -> list[str]:
    return [f"number {number:03d}" for number in reversed(range(count))]


async def test_a_message_appears_by_itself(desk: Desk) -> None:
    """What a caller sends over HTTP is in the open page without a reload; how soon is printed."""
    inbox = await desk.inbox()
    await expect(inbox.page.get_by_text("Nothing here yet")).to_be_visible()
    await inbox.page.evaluate("window.stays = true")

    async def arrives(number: int) -> float:
        began = time.monotonic()
        await desk.pushplus(title=f"Backup {number} finished", content="42 GB in 3 minutes")
        await expect(inbox.row(f"Backup {number} finished")).to_be_visible(timeout=SOON_MS)
        return time.monotonic() - began

    print("shown after s:", [round(await arrives(number), 2) for number in range(3)])
    await expect(inbox.row("42 GB in 3 minutes")).to_have_count(3)
    await expect(inbox.page).to_have_title("(3) onebell", timeout=SOON_MS)
    assert await inbox.page.evaluate("window.stays")


async def test_every_dialect_appears(desk: Desk) -> None:
    """A message by each of the five APIs is in the list, under a name that a person can read."""
    inbox = await desk.inbox()

    await desk.pushplus(title="by PushPlus", content="x")
    await desk.wecom("text", content="by WeCom")
    await desk.pushgo(title="by PushGo")
    await desk.ums("alice", "by UMS")
    await desk.easemob(await desk.easemob_token(), "alice", "by Easemob")

    for text, name in (
        ("by PushPlus", "PushPlus"),
        ("by WeCom", "Ops room · deploy bot"),
        ("by PushGo", "NAS"),
        ("by UMS", "JPush UMS"),
        ("by Easemob", "Carol"),
    ):
        await expect(inbox.row(text).locator(".from")).to_have_text(name, timeout=SOON_MS)
    feeds = inbox.page.locator("nav [data-feed] .name")
    names = ["All messages", "Carol", "JPush UMS", "NAS", "Ops room", "PushPlus"]
    await expect(feeds).to_have_text(names, timeout=SOON_MS)


async def test_reading_is_seen_on_the_other_page(desk: Desk) -> None:
    """Two pages of one person: what is opened on one is read on the other; how soon is printed."""
    await send_many(desk.server, 0, 3)
    one = await desk.inbox()
    other = await desk.inbox()
    await expect(other.page.locator("li.item .dot")).to_have_count(3)

    async def is_seen(number: int) -> float:
        began = time.monotonic()
        await one.row(f"number {number:03d}").click()
        await expect(other.row(f"number {number:03d}").locator(".dot")).to_have_count(0, timeout=SOON_MS)
        return time.monotonic() - began

    print("seen on the other page after s:", [round(await is_seen(number), 2) for number in range(3)])
    await expect(other.page).to_have_title("onebell", timeout=SOON_MS)
    await expect(other.page.locator('nav [data-feed=""] .count')).to_have_count(0)


async def test_all_is_marked_read_everywhere(desk: Desk) -> None:
    """One button moves the marker; the other page follows."""
    await send_many(desk.server, 0, 3)
    one = await desk.inbox()
    other = await desk.inbox()
    await expect(other.page.locator("li.item .dot")).to_have_count(3)

    await one.page.get_by_role("button", name="Mark all as read").click()

    for inbox in (one, other):
        await expect(inbox.page.locator("li.item .dot")).to_have_count(0, timeout=SOON_MS)
        await expect(inbox.page).to_have_title("onebell", timeout=SOON_MS)


async def test_one_feed_is_marked_read_alone(desk: Desk) -> None:
    """Within a feed the button reads this feed and nothing else, also what was not loaded yet."""
    await send_many(desk.server, 0, 55)
    await desk.pushgo(title="Disk is full")
    inbox = await desk.inbox()

    await inbox.page.locator("nav").get_by_role("button", name="PushPlus").click()
    await expect(inbox.page.get_by_role("heading", name="PushPlus")).to_be_visible()
    await inbox.page.get_by_role("button", name="Mark all as read").click()

    await expect(inbox.page).to_have_title("(1) onebell", timeout=SOON_MS)
    await expect(inbox.page.locator("li.item .dot")).to_have_count(0)


async def test_deleting_is_seen_on_the_other_page(desk: Desk) -> None:
    """A deleted message is gone on both pages, and a page that has it open closes it; the question before it is of
    that message: keys move nothing behind it, and Escape ends it and leaves the message open."""
    await desk.pushplus(title="Keep me", content="x")
    await desk.pushplus(title="Delete me", content="x")
    one = await desk.inbox()
    other = await desk.inbox()
    await other.open("Delete me")
    await one.open("Delete me")

    await one.reader.get_by_role("button", name="Delete").click()
    question = one.page.get_by_role("dialog")
    await expect(question).to_contain_text("Delete me")
    await one.page.keyboard.press("j")
    await one.page.keyboard.press("Escape")
    await expect(question).to_have_count(0)
    await expect(one.reader.get_by_role("heading", level=1)).to_have_text("Delete me")
    await one.reader.get_by_role("button", name="Delete").click()
    await question.get_by_role("button", name="Delete").click()

    for inbox in (one, other):
        await expect(inbox.rows).to_have_count(1, timeout=SOON_MS)
        await expect(inbox.reader).to_have_count(0)


async def test_a_recalled_message_says_so(desk: Desk) -> None:
    """A recalled message keeps its row and loses its words, in the list and in the reader."""
    headers = await desk.bearer(ALICE)
    body = {"to": "alice", "title": "Wrong number", "body": "secret words"}
    sent = await desk.post("/api/v1/messages", body, headers=headers)
    inbox = await desk.inbox()
    await inbox.open("Wrong number")

    await desk.post(f"/api/v1/messages/{sent['message_id']}/recall", {}, headers=headers)

    await expect(inbox.row("This message was recalled.")).to_be_visible(timeout=SOON_MS)
    await expect(inbox.reader.get_by_text("This message was recalled.")).to_be_visible()
    assert "secret words" not in await inbox.page.content()


async def test_a_page_that_was_offline_catches_up(desk: Desk) -> None:
    """What came while the page had no network is there once and in order: no gap, no double."""
    await send_many(desk.server, 0, 5)
    inbox = await desk.inbox()
    await expect(inbox.rows).to_have_count(5)

    await inbox.page.context.set_offline(True)
    await expect(inbox.page.get_by_text("No connection.")).to_be_visible(timeout=SOON_MS)
    await send_many(desk.server, 5, 5 + MISSED)
    assert await numbers(inbox) == expected(5)
    await inbox.page.context.set_offline(False)

    await expect(inbox.rows).to_have_count(5 + MISSED, timeout=SOON_MS)
    assert await numbers(inbox) == expected(5 + MISSED)
    await expect(inbox.page).to_have_title(f"({5 + MISSED}) onebell", timeout=SOON_MS)


async def test_a_search_without_a_connection_comes_with_it(desk: Desk) -> None:
    """What could not be loaded says so, and is loaded when the server is there again."""
    await send_many(desk.server, 0, 2)
    inbox = await desk.inbox()
    field = inbox.page.get_by_role("textbox", name="Search")

    await inbox.page.context.set_offline(True)
    await field.fill("number 001")
    await field.press("Enter")
    await expect(inbox.page.get_by_text("Messages could not be loaded.")).to_be_visible(timeout=SOON_MS)
    await expect(inbox.page.get_by_text("No connection.")).to_be_visible(timeout=SOON_MS)
    await inbox.page.context.set_offline(False)

    await expect(inbox.rows).to_have_count(1, timeout=SOON_MS)


async def test_what_is_read_without_a_connection_is_told_later(desk: Desk) -> None:
    """A message that was opened offline is read on the other page once the connection is back."""
    await send_many(desk.server, 0, 2)
    inbox, other = await desk.inbox(), await desk.inbox()

    await inbox.page.context.set_offline(True)
    await expect(inbox.page.get_by_text("No connection.")).to_be_visible(timeout=SOON_MS)
    await inbox.open("number 001")
    await expect(inbox.page.locator("li.item .dot")).to_have_count(1)
    await expect(other.page.locator("li.item .dot")).to_have_count(2)
    await inbox.page.context.set_offline(False)

    await expect(other.page.locator("li.item .dot")).to_have_count(1, timeout=SOON_MS)


async def test_a_slow_server_is_waited_for_visibly(desk: Desk) -> None:
    """Until the server has said who is there, the page is not blank."""
    inbox = await desk.inbox()
    answer = asyncio.Event()

    async def late(route: Route) -> None:
        await answer.wait()
        await route.continue_()

    await inbox.page.route("**/api/v1/me", late)
    await inbox.page.reload()
    await expect(inbox.page.get_by_role("status").get_by_label("Connecting…")).to_be_visible(timeout=SOON_MS)
    answer.set()

    await inbox.is_live()


async def test_a_page_opened_without_a_server_goes_on_by_itself(desk: Desk) -> None:
    """The browser's own network was never gone, so that nothing but asking again tells."""
    await send_many(desk.server, 0, 1)
    inbox = await desk.inbox()

    await inbox.page.route("**/api/v1/me", lambda route: route.abort())
    await inbox.page.reload()
    await expect(inbox.page.get_by_text("The server cannot be reached.")).to_be_visible(timeout=SOON_MS)
    await inbox.page.unroute("**/api/v1/me")

    await expect(inbox.rows).to_have_count(1, timeout=SOON_MS)


async def test_a_page_outlives_a_restart(chromium, settings: Settings) -> None:
    """The server goes and comes back on its port: the open page has every message of both lives once."""
    async with running(settings) as first:
        desk = Desk(chromium, first)
        inbox = await desk.inbox()
        await send_many(first, 0, 20)
        await expect(inbox.rows).to_have_count(20, timeout=SOON_MS)
        port = int(first.url.rsplit(":", 1)[1])
        await send_many(first, 20, 30)
    await expect(inbox.link).to_have_attribute("data-link", "waiting", timeout=SOON_MS)

    async with running(msgspec.structs.replace(settings, port=port)) as second:
        await send_many(second, 30, 30 + MISSED)
        await expect(inbox.link).to_have_attribute("data-link", "live", timeout=4 * SOON_MS)
        await expect(inbox.rows).to_have_count(30 + MISSED, timeout=SOON_MS)
        await send_many(second, 30 + MISSED, 32 + MISSED)
        await expect(inbox.rows).to_have_count(32 + MISSED, timeout=SOON_MS)
        assert await numbers(inbox) == expected(32 + MISSED)
        await desk.close()


async def test_older_messages_come_on_scrolling(desk: Desk) -> None:
    """The list loads its past in pages, without a hole, while new messages come in at the top."""
    total = 130
    await send_many(desk.server, 0, total)
    inbox = await desk.inbox()
    await expect(inbox.rows).to_have_count(50)

    for loaded in (100, total):
        await inbox.page.locator(".list").evaluate("list => list.scrollTo(0, list.scrollHeight)")
        await expect(inbox.rows).to_have_count(loaded, timeout=SOON_MS)
    await send_many(desk.server, total, total + 1)

    await expect(inbox.rows).to_have_count(total + 1, timeout=SOON_MS)
    assert await numbers(inbox) == expected(total + 1)


async def test_signing_out_elsewhere_ends_the_page(desk: Desk) -> None:
    """A session that is ended by the server leaves no messages on the screen."""
    await desk.pushplus("bob", title="Private", content="x")
    inbox = await desk.inbox(BOB)
    await expect(inbox.row("Private")).to_be_visible()

    other = await inbox.page.context.new_page()
    await other.goto("/")
    await other.evaluate("fetch('/api/v1/logout', {method: 'POST'})")

    await expect(inbox.page.get_by_role("button", name="Sign in")).to_be_visible(timeout=SOON_MS)
    assert "Private" not in await inbox.page.content()
