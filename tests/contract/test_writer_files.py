"""Files that a submission names belong to its message, on both engines."""

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.fakes.clock import MovedClock
from tests.writing import SPACE, Node, key, make_mailboxes

from onebell.core.files import files_named
from onebell.core.model import Attachment, Content, Keep, Part, PartyKind, Sender, Submission
from onebell.store.engine import Database
from onebell.store.schema import file


@pytest.fixture
async def node(database: Database) -> Node:
    """A writer on a store with a mailbox and three files."""
    made = Node(database, clock=MovedClock())
    await database.write(make_mailboxes(11))
    rows = [{"space_id": SPACE, "id": number, "store": "disk"} for number in (1, 2, 3)]
    rows.append({"space_id": SPACE + 1, "id": 4, "store": "disk"})
    await database.write(lambda connection: connection.execute(sa.insert(file), rows) and None)
    return made


async def owners(node: Node) -> dict[int, int]:
    """Which message each file belongs to."""
    rows = await node.database.read(lambda connection: connection.execute(sa.select(file)).all())
    return {row.id: row.message_id for row in rows}


async def test_named_files_belong_to_the_message(node: Node) -> None:
    """In the accepting transaction; files of another space, and such as there are not, are nobody's."""
    item = node.item(11, files=frozenset((1, 3, 4, 99)))

    receipt = await node.writer.accept(item)

    assert await owners(node) == {1: receipt.message, 2: 0, 3: receipt.message, 4: 0}


async def test_the_newest_message_has_the_file(node: Node) -> None:
    """Messages go in order of age: the file goes with the last one that names it."""
    first = await node.writer.accept(node.item(11, files=frozenset((1, 2))))
    second = await node.writer.accept(node.item(11, files=frozenset((2,))))

    assert await owners(node) == {1: first.message, 2: second.message, 3: 0, 4: 0}


async def test_a_repeat_names_nothing(node: Node) -> None:
    """The first message has the file: the repeat stores none."""
    first = await node.writer.accept(node.item(11, files=frozenset((1,)), idempotency=key("k")))
    again = await node.writer.accept(node.item(11, files=frozenset((1, 2)), idempotency=key("k")))

    assert again.repeated
    assert await owners(node) == {1: first.message, 2: 0, 3: 0, 4: 0}


def submission(part: Part, extra: dict[str, Any]) -> Submission:
    return Submission(
        space=1, dialect="d", public_id="p", sender=Sender(party=1, kind=PartyKind.PERSON), audience=(),
        parts=(part,), keep=Keep.STORED, extra=extra,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "native", "extra", "expected"),
    [
        ({}, {}, {}, set()),
        ({"body_file": 1}, {}, {}, {1}),
        ({"attachments": (Attachment(file=2), Attachment(url="https://x.test"))}, {}, {}, {2}),
        ({}, {"wecom_bot": {"image": {"base64": {"$file": 3}, "md5": "x"}}}, {}, {3}),
        ({}, {"x": [[{"$file": 4}], {"$file": "5"}]}, {"content": {"$file": 6}}, {4, 6}),
        ({"body": '{"$file":7}'}, {}, {"title": '"$file":8'}, set()),
    ],
)
def test_where_a_submission_names_files(content: Any, native: Any, extra: Any, expected: set[int]) -> None:
    """Attachments, long bodies, native payloads and the dialect's memory; words that read so name nothing."""
    one = submission(Part(content=Content(**content), native=native), extra)
    packed = msgspec.json.encode(one.parts), msgspec.json.encode(extra)

    assert files_named(one, *packed) == expected
