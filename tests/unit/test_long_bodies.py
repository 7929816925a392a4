"""Bodies of which the row holds only the beginning: readers and carriers get all of them."""

from typing import Any, cast

import msgspec
import pytest
from tests.fakes.files import Shelf

from onebell.api.items import CACHE_BYTES, ItemEncoder
from onebell.core import bodies
from onebell.core.bell import StoredMessage
from onebell.core.bodies import whole
from onebell.core.context import Files
from onebell.core.inbox import Entry
from onebell.core.mailbox import EntryRow
from onebell.core.model import Content, Format, Part

LONG = "<p>" + "x" * 100_000 + "</p><script>alert(1)</script><p>end</p>"


def shelf(**found: str) -> Shelf:
    """``f7="…"`` is stored file 7."""
    return Shelf({int(name[1:]): body.encode() for name, body in found.items()})


def content(body: str = "<p>begin", file: int = 7) -> Content:
    return Content(title="t", body=body, format=Format.HTML, body_file=file)


def entry(number: int, said: Content, **changed: Any) -> Entry:
    """The entry of message ``number``."""
    row = EntryRow(
        mailbox=1, seq=number, rev=number, message=number, feed=1, direction=0, public_id=0, mentioned=0,
        expires_at=0, read_at=0, recalled_at=0, deleted_at=0, dialect="pushplus", message_id=f"m{number}",
        sender_kind="person", sender_name="alice", severity=3, parts=msgspec.json.encode((Part(content=said),)),
        created_at=0, message_expires_at=0, feed_kind="", feed_name="", feed_code="", space=1,
    )  # fmt: skip
    return Entry(row=msgspec.structs.replace(row, **changed), read_at=0)


def encoder(files: Shelf) -> ItemEncoder:
    return ItemEncoder(lambda space, file: f"/f/{file}", cast(Files, files))


async def shown(items: ItemEncoder, *entries: Entry) -> list[dict[str, Any]]:
    """The entries as a reader gets them."""
    await items.prepare(entries)
    found: list[dict[str, Any]] = msgspec.json.decode(items.page(entries, 9, gap=False, more=False).body)["items"]
    return found


# ---------------------------------------------------------------- the whole of a content


async def test_a_body_in_its_row_asks_for_no_file() -> None:
    """The way of almost every message reads no file."""
    files, said = shelf(), Content(body="short")

    assert await whole(cast(Files, files), 1, said) is said
    assert files.looked_for == []


async def test_a_body_in_a_file_is_read() -> None:
    """All of it, and nothing asks for the file again."""
    got = await whole(cast(Files, shelf(f7=LONG)), 1, content())

    assert (got.body, got.body_file, got.title) == (LONG, 0, "t")


async def test_a_body_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody reads is not loaded; the cut is never inside a character."""
    monkeypatch.setattr(bodies, "BODY_BYTES", 10)

    assert (await whole(cast(Files, shelf(f7="中" * 9)), 1, content())).body == "中中中"


async def test_a_body_whose_file_is_gone() -> None:
    """The beginning is better than nothing."""
    assert (await whole(cast(Files, shelf()), 1, content())).body == "<p>begin"


# ---------------------------------------------------------------- readers


async def test_a_reader_gets_the_whole_body_sanitised() -> None:
    """As written in ``body``, clean in ``html``, its words in ``text``; no reference to the file is told."""
    (item,) = await shown(encoder(shelf(f7=LONG)), entry(1, content()))

    assert item["body"] == LONG
    assert item["html"] == "<p>" + "x" * 100_000 + "</p><p>end</p>"
    assert item["text"].endswith("end")
    assert "body_file" not in item
    assert item["attachments"] == []


async def test_the_file_is_read_once_for_all_readers() -> None:
    """The encoded message is kept, as every other."""
    files = shelf(f7=LONG)
    items = encoder(files)
    for seq in range(3):
        await shown(items, entry(1, content(), seq=seq))

    assert files.looked_for == [7]


async def test_short_messages_ask_for_no_file() -> None:
    """Only what says that its body is elsewhere is looked for, also when words only read so."""
    files = shelf()

    (item,) = await shown(encoder(files), entry(1, Content(body='"body_file":7')))

    assert item["body"] == '"body_file":7'
    assert files.looked_for == []


async def test_a_recalled_message_has_no_body() -> None:
    """Neither its beginning nor the file."""
    files = shelf(f7=LONG)

    (item,) = await shown(encoder(files), entry(1, content(), recalled_at=5))

    assert (item["body"], files.looked_for) == ("", [])


async def test_a_page_larger_than_the_cache_is_whole() -> None:
    """Every item of a page is complete, however little of it can be kept."""
    size = 500_000
    count = CACHE_BYTES // size
    files = Shelf(dict.fromkeys(range(1, count + 1), b"y" * size))
    entries = [entry(number, content("y", number)) for number in range(1, count + 1)]

    found = await shown(encoder(files), *entries)

    assert {len(item["body"]) for item in found} == {size}


async def test_a_file_that_cannot_be_read_now() -> None:
    """Its message shows its beginning, the others all of theirs, and the next reader gets it whole."""
    files = shelf(f7=LONG)
    items = encoder(files)
    files.is_broken = True
    first, other = await shown(items, entry(1, content()), entry(2, Content(body="b")))
    files.is_broken = False
    (again,) = await shown(items, entry(1, content()))

    assert (first["body"], other["body"]) == ("<p>begin", "b")
    assert again["body"] == LONG


async def test_a_live_message_with_a_file_comes_from_the_store() -> None:
    """The bell's own copy holds the beginning only: readers are caught up instead."""
    stored = StoredMessage(
        id=1, space=1, dialect="d", public_id="m", sender=1, sender_kind="person", sender_name="a", parent=0,
        severity=3, parts=(Part(content=content()),), created_ms=0, expires_ms=0,
    )  # fmt: skip

    assert encoder(shelf(f7=LONG)).message(stored) is None
