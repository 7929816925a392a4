"""Conversations in the inbox page: two people in two browsers, one at a desk and one on a phone."""

import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from playwright.async_api import Locator, Route, expect
from tests.browser.desk import PHONE, SOON_MS, Desk, Inbox
from tests.browser.watch import Watch
from tests.running import ALICE, BOB

from onebell.store.schema import message


class TalkPage:
    """An open conversation, by what a person sees of it."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.page = inbox.page
        self.talk = self.page.locator("section.talk")
        self.lines = self.talk.locator("li.line")
        self.field = self.talk.locator("textarea").first

    def line(self, text: str) -> Locator:
        """The bubble that shows this."""
        return self.lines.filter(has_text=text)

    async def write(self, text: str) -> None:
        """Type and press Enter."""
        await self.field.fill(text)
        await self.field.press("Enter")

    async def says(self, texts: Sequence[str]) -> None:
        """Wait until the words of the conversation are these."""
        await expect(self.lines.locator(".words")).to_have_text(list(texts), timeout=SOON_MS)

    async def marked(self, text: str, mark: str) -> None:
        """Wait for a mark of an own message."""
        await expect(self.line(text).locator(".mark")).to_have_attribute("data-mark", mark, timeout=SOON_MS)

    async def open_menu(self, text: str) -> None:
        """The menu of a message."""
        await self.line(text).hover()
        await self.line(text).get_by_role("button", name="More").click()

    async def offers(self, text: str) -> list[str]:
        """What the menu of a message holds."""
        await self.open_menu(text)
        options = self.page.locator(".n-dropdown-option")
        await expect(options.last).to_have_text("Delete")
        found = [one.strip() for one in await options.all_inner_texts()]
        await self.page.keyboard.press("Escape")
        await expect(options).to_have_count(0)
        return found

    async def choose(self, text: str, what: str) -> None:
        """Something from the menu of a message."""
        await self.open_menu(text)
        await self.page.locator(".n-dropdown-option").filter(has_text=what).click()


async def talk_with(inbox: Inbox, uid: str) -> TalkPage:
    """Begin a conversation by a person's name."""
    if await inbox.page.get_by_role("button", name="Open menu").is_visible():
        await inbox.page.get_by_role("button", name="Open menu").click()
    await inbox.page.get_by_role("button", name="New conversation").click()
    await inbox.page.get_by_label("The user name of the person").fill(uid)
    await inbox.page.get_by_role("button", name="Start").click()
    talk = TalkPage(inbox)
    await expect(talk.talk).to_be_visible(timeout=SOON_MS)
    return talk


class Bob:
    """Writes to alice by the REST API of the app."""

    def __init__(self, desk: Desk, token: str) -> None:
        self.desk = desk
        self.headers = {"Authorization": f"Bearer {token}"}

    async def sends(self, kind: str, **body: Any) -> None:
        """A message of any type."""
        message = {"from": "bob", "to": ["alice"], "type": kind, "body": body}
        await self.desk.post("/acme/demo/messages/users", message, headers=self.headers)

    async def says(self, text: str) -> None:
        """A text."""
        await self.sends("txt", msg=text)


async def rest(desk: Desk) -> Bob:
    """Bob, without a page."""
    return Bob(desk, await desk.easemob_token())


async def test_two_people_talk(desk: Desk) -> None:
    """Begun by name, and written to at once; each sees the other's words, then that they were seen; one is recalled."""
    desk_page = await desk.inbox(ALICE)
    await desk_page.page.get_by_role("button", name="New conversation").click()
    await desk_page.page.get_by_label("The user name of the person").fill("nobody")
    await desk_page.page.get_by_role("button", name="Start").click()
    await expect(desk_page.page.get_by_role("alert")).to_contain_text("nobody called “nobody”")
    await desk_page.page.keyboard.press("Escape")
    alice = await talk_with(desk_page, "bob")
    await expect(alice.talk.locator(".presence")).to_have_text("Offline")

    await expect(alice.field).to_be_focused()
    await alice.page.keyboard.type("Hello Bob\n")
    await alice.field.fill("two")
    await alice.field.press("Shift+Enter")
    await alice.page.keyboard.type("lines https://example.com/x.")
    await alice.field.press("Enter")
    words = ["Hello Bob", "two\nlines https://example.com/x."]
    await alice.says(words)
    await alice.marked("Hello Bob", "sent")
    link = alice.line("two").get_by_role("link")
    await expect(link).to_have_attribute("href", "https://example.com/x")
    await expect(link).to_have_attribute("rel", "noopener noreferrer")

    phone = await desk.inbox(BOB, **PHONE)
    await expect(phone.page).to_have_title("(2) onebell", timeout=SOON_MS)
    await phone.page.get_by_role("button", name="Open menu").click()
    await expect(phone.page.locator("nav [data-feed] .count").last).to_have_text("2")
    await phone.page.locator("nav").get_by_role("button", name="Alice").click()
    bob = TalkPage(phone)
    await bob.says(words)
    await expect(phone.page).to_have_title("onebell", timeout=SOON_MS)
    await alice.marked("two", "seen")
    await alice.marked("Hello Bob", "seen")

    took = []
    for number in range(3):
        began = time.monotonic()
        await bob.write(f"answer {number}")
        await expect(alice.line(f"answer {number}")).to_be_visible(timeout=SOON_MS)
        took.append(time.monotonic() - began)
    print("shown to the other after s:", [round(one, 2) for one in took])
    await bob.marked("answer 2", "seen")

    menu = alice.line("Hello Bob").get_by_role("button", name="More")
    await menu.focus()
    await menu.press("Enter")
    await expect(menu).to_have_attribute("aria-expanded", "true")
    await menu.press("ArrowDown")  # the menu's own, not a step to another message
    await expect(alice.page.locator("li.item .active")).to_have_count(0)
    await menu.press("Escape")
    await expect(alice.talk).to_be_visible()
    await alice.choose("Hello Bob", "Recall")
    await expect(alice.lines.first).to_have_text("You recalled a message.", timeout=SOON_MS)
    await expect(bob.lines.first).to_have_text("Alice recalled a message.", timeout=SOON_MS)
    await phone.page.get_by_role("button", name="Back").click()
    await expect(bob.talk).to_have_count(0)
    await expect(phone.rows.first).to_contain_text("answer 2")


async def test_every_kind_is_shown_as_what_it_is(desk: Desk) -> None:
    """Pictures, recordings, films, files, places and custom messages; nothing foreign is loaded by itself."""
    page, bob = (await desk.inbox()).page, await rest(desk)
    await bob.says("<b>no html</b>")
    await bob.sends("loc", lat="31.2304", lng="121.4737", addr="The Bund, Shanghai")
    await bob.sends("custom", customEvent="order", customExts={"number": "42", "state": "paid"})
    await bob.sends("cmd", action="typing")
    await bob.sends(
        "img", filename="sea.png", secret="", url="https://files.invalid/sea.png", size={"width": 9, "height": 9}
    )
    await bob.sends("audio", filename="hi.amr", length=65, secret="", url="https://files.invalid/hi.amr")
    await bob.sends("file", filename="plan.pdf", secret="", url="https://files.invalid/plan.pdf")
    await expect(page.locator("li.item .text")).to_have_text(
        [
            "[File] plan.pdf", "[Voice] 1:05", "[Picture]", "[Custom] order", "[Place] The Bund, Shanghai",
            "<b>no html</b>",
        ],
        timeout=SOON_MS,
    )  # fmt: skip
    watch = await Watch.over(page.context, desk.server.url)
    await page.locator("nav").get_by_role("button", name="Bob").click()
    talk = TalkPage(Inbox(page))
    await expect(talk.lines).to_have_count(6, timeout=SOON_MS)
    await expect(talk.line("<b>no html</b>")).to_be_visible()
    place = talk.line("The Bund, Shanghai").get_by_role("link")
    await expect(place).to_contain_text("31.23040, 121.47370")
    await expect(place).to_have_attribute("rel", "noopener noreferrer")
    await expect(place).to_have_attribute("target", "_blank")
    await expect(talk.line("order").locator("dl > div")).to_have_text(["number42", "statepaid"])
    await expect(talk.line("plan.pdf").get_by_role("link")).to_have_attribute("href", "https://files.invalid/plan.pdf")
    await expect(talk.lines.locator("img, audio, video")).to_have_count(0)
    assert watch.seen == {}

    await talk.talk.get_by_role("button", name="Picture · Load").click()
    await expect(talk.line("sea.png").get_by_role("link")).to_be_visible(timeout=SOON_MS)
    assert watch.foreign == ["https://files.invalid/sea.png"]


async def test_pages_agree_and_a_lost_connection_loses_and_doubles_nothing(desk: Desk) -> None:
    """What was written without a connection is sent once when there is one, also where it is not looked at any more;
    what came meanwhile is there, once; a second page of the same person shows the same."""
    one = await talk_with(await desk.inbox(), "bob")
    other = await talk_with(await desk.inbox(), "bob")
    bob = await rest(desk)
    await one.write("before")
    await other.says(["before"])

    await one.page.context.set_offline(True)
    await expect(one.inbox.link).to_have_attribute("data-link", "waiting", timeout=SOON_MS)
    await one.write("without a connection")
    await expect(one.talk.get_by_role("alert")).to_contain_text("No connection", timeout=SOON_MS)
    await expect(one.talk.locator(".presence")).to_contain_text("No connection")
    await one.field.press("Escape")
    await expect(one.talk).to_have_count(0)
    await other.write("from the other page")
    for number in range(3):
        await bob.says(f"meanwhile {number}")
    meanwhile = [f"meanwhile {number}" for number in range(3)]
    await other.says(["before", "from the other page", *meanwhile])
    await one.page.context.set_offline(False)

    everything = ["before", "from the other page", *meanwhile, "without a connection"]
    await other.says(everything)
    await one.page.locator("nav").get_by_role("button", name="Bob").click()
    await one.says(everything)
    for number in range(8):
        await one.field.fill(f"quick {number}")
        await one.field.press("Enter")
    for talk in (one, other):
        await talk.says([*everything, *(f"quick {number}" for number in range(8))])
    await expect(one.talk.locator(".waiting")).to_have_count(0)


async def test_an_answer_that_is_lost_is_no_second_message(desk: Desk) -> None:
    """The message was stored, its answer cut: the page shows it once, and trying again stores nothing new."""
    talk = await talk_with(await desk.inbox(), "bob")

    async def cut(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await talk.page.route("**/feeds/*/messages", cut, times=1)
    await talk.write("once")
    await talk.says(["once"])
    await talk.marked("once", "sent")
    await talk.page.route("**/feeds/*/messages", lambda route: route.abort(), times=1)
    await talk.write("again")
    await talk.talk.get_by_role("button", name="Try again").click()
    await talk.marked("again", "sent")
    await talk.says(["once", "again"])


async def test_older_messages_come_when_scrolled_up(desk: Desk) -> None:
    """The newest is in view first; above it older ones load and the view stays; what arrives does not pull it down."""
    bob = await rest(desk)
    for number in range(120):
        await bob.says(f"number {number:03d}")
    inbox = await desk.inbox(**PHONE)
    await expect(inbox.page).to_have_title("(120) onebell", timeout=SOON_MS)
    await inbox.page.get_by_role("button", name="Open menu").click()
    await inbox.page.locator("nav").get_by_role("button", name="Bob").click()
    talk = TalkPage(inbox)
    await expect(talk.line("number 119")).to_be_in_viewport(timeout=SOON_MS)
    scroll = talk.talk.locator(".scroll")

    await scroll.evaluate("box => box.scrollTop = 300")
    watched = talk.line("number 075")
    at = (await watched.bounding_box() or {})["y"]
    await expect(talk.line("number 020")).to_have_count(1, timeout=SOON_MS)
    assert abs((await watched.bounding_box() or {})["y"] - at) < 2
    await bob.says("while reading above")
    await expect(talk.talk.get_by_role("button", name="To the newest message")).to_contain_text(
        "1 new message", timeout=SOON_MS
    )
    await expect(inbox.page).to_have_title("(1) onebell", timeout=SOON_MS)
    await talk.talk.get_by_role("button", name="To the newest message").click()
    await expect(talk.line("while reading above")).to_be_in_viewport()
    await expect(inbox.page).to_have_title("onebell", timeout=SOON_MS)
    await scroll.evaluate("box => box.scrollTop = 0")
    await expect(talk.line("number 000")).to_have_count(1, timeout=SOON_MS)
    assert len(await talk.lines.all()) == 121


async def test_nothing_is_written_where_nobody_takes_it(desk: Desk) -> None:
    """Somebody who has blocked the writer: the message fails in words, and there is no place to write until one has
    gone through."""
    talk = await talk_with(await desk.inbox(), "bob")
    bob = await rest(desk)
    await desk.post("/acme/demo/users/bob/blocks/users", {"usernames": ["alice"]}, headers=bob.headers)
    await talk.write("hello?")
    await expect(talk.talk.get_by_role("alert")).to_contain_text("does not take messages", timeout=SOON_MS)
    await expect(talk.talk.get_by_role("status")).to_have_text("Bob does not take messages from you.")
    await expect(talk.field).to_have_count(0)
    unblock = f"{desk.server.url}/acme/demo/users/bob/blocks/users/alice"
    async with desk.server.session.delete(unblock, headers=bob.headers) as answer:
        assert answer.status == 200
    await talk.talk.get_by_role("button", name="Try again").click()
    await talk.marked("hello?", "sent")

    await talk.write("x" * 6000)
    await expect(talk.talk.get_by_role("alert")).to_contain_text("too long", timeout=SOON_MS)
    await expect(talk.talk.get_by_role("button", name="Try again")).to_have_count(0)
    await talk.talk.get_by_role("button", name="Edit").click()
    await expect(talk.field).to_have_value("x" * 6000)


async def test_what_is_too_old_is_not_offered_to_be_recalled(desk: Desk) -> None:
    """The menu of an own message knows how long it can be taken back, by the server's clock and not the browser's."""
    headers = await desk.bearer(ALICE)
    feed = (await desk.post("/api/v1/inbox/conversations", {"uid": "bob"}, headers=headers))["feed"]
    await desk.post(f"/api/v1/inbox/feeds/{feed['id']}/messages", {"text": "long ago"}, headers=headers)
    earlier = message.c.created_at - (feed["recall_s"] + 1) * 1000
    change = sa.update(message).where(message.c.feed_id == int(feed["id"])).values(created_at=earlier)
    await desk.server.application.context.store.db.write(lambda connection: connection.execute(change))

    inbox = await desk.inbox(ALICE)
    await inbox.page.clock.set_system_time(time.time() - 86_400)
    alice = await talk_with(inbox, "bob")
    await alice.write("just now")
    await alice.marked("just now", "sent")
    assert await alice.offers("just now") == ["Copy text", "Recall", "Delete"]
    assert await alice.offers("long ago") == ["Copy text", "Delete"]
