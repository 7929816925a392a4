"""Parts that cannot be made into what a carrier sends: for good, or for now."""

import pytest
from tests.fakes.carriers import FakeCarrier, FakeCarriers
from tests.fakes.node import HeardBell, context_of
from tests.rows import Rows

from onebell.carriers.rendering import AttachmentLost, AttachmentOutOfReach
from onebell.core.carriage import Rendered
from onebell.core.directory import CarrierAccount
from onebell.core.dispatch import Dispatcher
from onebell.core.verdict import Judge
from onebell.core.work import MessageFacts
from onebell.errors import OnebellError
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.engine import Database


@pytest.mark.parametrize(
    ("error", "state", "outcome", "why"),
    [
        (AttachmentLost("an attachment is no longer stored"), "failed", "permanent",
         "cannot be sent: an attachment is no longer stored"),
        (AttachmentOutOfReach("an attachment cannot be fetched: HTTP 503"), "due", "temporary",
         "cannot be sent: an attachment cannot be fetched: HTTP 503"),
    ],
)  # fmt: skip
async def test_what_cannot_be_rendered(
    store: Store, database: Database, error: OnebellError, state: str, outcome: str, why: str
) -> None:
    """A lost file fails the message at the first try, with the reason; one out of reach is tried again."""
    rows, bell, carrier = Rows(database), HeardBell(), FakeCarrier()
    await rows.space()
    account = await rows.account("main")
    delivery = await rows.delivery(await rows.message(), account, await rows.target(account, "a"))

    async def render(message: MessageFacts, part: int, to: CarrierAccount) -> Rendered:
        raise error

    context = context_of(store, rows, bell, workers=16)
    dispatcher = Dispatcher(context, FakeCarriers(by_code={"main": carrier}), render, Judge(jitter=lambda: 0.5))
    await dispatcher.turn()
    await dispatcher.idle()

    row = await rows.one(schema.delivery, id=delivery)
    assert (row.state, row.why) == (state, why)
    assert [(one.outcome, one.why) for one in await rows.all(schema.attempt)] == [(outcome, why)]
    assert carrier.batches == []
