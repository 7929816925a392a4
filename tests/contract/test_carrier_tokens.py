"""Provider tokens: one refresh for all that want it, over tasks and nodes, on both engines (RELIABILITY R11)."""

import asyncio

import msgspec
import pytest
import sqlalchemy as sa
from tests.fakes.carrier_account import account
from tests.fakes.clock import MovedClock

from onebell.carriers import credentials
from onebell.carriers.credentials import Credentials, FreshToken, TokenUnavailable
from onebell.core.directory import CarrierAccount
from onebell.core.tokens import StoredToken
from onebell.store.carrier_tokens import CarrierTokens
from onebell.store.engine import Database
from onebell.store.schema import carrier_token


class Seal:
    """Turns the text around, so that a test sees what was sealed."""

    def seal(self, text: str) -> bytes:
        return text[::-1].encode()

    def unseal(self, sealed: bytes) -> str:
        return sealed.decode()[::-1]


class Provider:
    """Hands out tokens t1, t2 …; counts; fails when told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.fails: Exception | None = None
        self.was_asked = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def fetch(self) -> FreshToken:
        self.asked += 1
        number = self.asked
        self.was_asked.set()
        await self.go_on.wait()
        if self.fails is not None:
            raise self.fails
        return FreshToken(value=f"t{number}", lives_s=7200)


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def tokens(database: Database) -> CarrierTokens:
    return CarrierTokens(database, Seal())


@pytest.fixture
def one() -> CarrierAccount:
    return account("wecom_app")


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "LOOK_S", 0.01)


async def test_fifty_sends_make_one_refresh(tokens: CarrierTokens, clock: MovedClock, one: CarrierAccount) -> None:
    """Fifty parallel sends without a token ask the provider once and all get its answer."""
    provider, shared = Provider(), Credentials(tokens, clock)

    got = await asyncio.gather(*(shared.token(one, "access", provider.fetch) for _ in range(50)))

    assert (provider.asked, set(got)) == (1, {"t1"})


async def test_a_refused_token_is_replaced_once(tokens: CarrierTokens, clock: MovedClock, one: CarrierAccount) -> None:
    """Fifty sends whose token the provider refuses make one refresh; a late one takes what is there already."""
    provider, shared = Provider(), Credentials(tokens, clock)
    old = await shared.token(one, "access", provider.fetch)

    got = await asyncio.gather(*(shared.token(one, "access", provider.fetch, refused=old) for _ in range(50)))

    assert (provider.asked, set(got)) == (2, {"t2"})
    assert await shared.token(one, "access", provider.fetch, refused=old) == "t2"
    assert provider.asked == 2


async def test_two_nodes_make_one_refresh(tokens: CarrierTokens, clock: MovedClock, one: CarrierAccount) -> None:
    """The row's lease is the lock between nodes: the second waits and takes the first one's token."""
    provider = Provider()
    provider.go_on.clear()
    nodes = [Credentials(tokens, clock) for _ in range(4)]
    waiting = [asyncio.create_task(node.token(one, "access", provider.fetch)) for node in nodes]
    await provider.was_asked.wait()
    provider.go_on.set()

    assert set(await asyncio.gather(*waiting)) == {"t1"}
    assert provider.asked == 1


async def test_a_token_is_used_until_it_expires(tokens: CarrierTokens, clock: MovedClock, one: CarrierAccount) -> None:
    """A valid token is read, also by a node that just started; an expired one is fetched again."""
    provider = Provider()
    await Credentials(tokens, clock).token(one, "access", provider.fetch)
    clock.move(7199)
    assert await Credentials(tokens, clock).token(one, "access", provider.fetch) == "t1"
    clock.move(2)

    assert await Credentials(tokens, clock).token(one, "access", provider.fetch) == "t2"


async def test_a_failed_refresh_gives_the_lock_back(
    tokens: CarrierTokens, clock: MovedClock, one: CarrierAccount
) -> None:
    """What the provider's refusal raises reaches the send, and the next one may try at once."""
    provider, shared = Provider(), Credentials(tokens, clock)
    provider.fails = ConnectionError("down")
    with pytest.raises(ConnectionError):
        await shared.token(one, "access", provider.fetch)
    provider.fails = None

    assert await shared.token(one, "access", provider.fetch) == "t2"


async def test_a_cancelled_refresh_gives_the_lock_back(
    tokens: CarrierTokens, clock: MovedClock, one: CarrierAccount
) -> None:
    """A send that is stopped in the middle does not lock the others out."""
    provider, shared = Provider(), Credentials(tokens, clock)
    provider.go_on.clear()
    task = asyncio.create_task(shared.token(one, "access", provider.fetch))
    await provider.was_asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    provider.go_on.set()

    assert await shared.token(one, "access", provider.fetch) == "t2"


async def test_a_dead_nodes_lease_ends(tokens: CarrierTokens, clock: MovedClock, one: CarrierAccount) -> None:
    """A node that died while refreshing costs its lease, then another node refreshes."""
    now = clock.now_ms()
    assert await tokens.lease(one.space, one.id, "access", now, now + 1000)
    assert not await tokens.lease(one.space, one.id, "access", now, now + 1000)
    clock.move(1.001)

    assert await Credentials(tokens, clock).token(one, "access", Provider().fetch) == "t1"


async def test_a_lease_that_does_not_end_is_not_waited_for(
    tokens: CarrierTokens, clock: MovedClock, one: CarrierAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A send waits for another node's refresh only so long, then it is tried again later."""
    monkeypatch.setattr(credentials, "LEASE_S", 0.05)
    now = clock.now_ms()
    await tokens.lease(one.space, one.id, "access", now, now + 60_000)

    with pytest.raises(TokenUnavailable):
        await Credentials(tokens, clock).token(one, "access", Provider().fetch)


async def test_tokens_are_kept_apart(tokens: CarrierTokens, clock: MovedClock, one: CarrierAccount) -> None:
    """Account and name are the key; one account's token is never another's."""
    shared = Credentials(tokens, clock)
    other = msgspec.structs.replace(one, id=8)
    provider = Provider()

    got = [
        await shared.token(one, "access", provider.fetch),
        await shared.token(one, "ticket", provider.fetch),
        await shared.token(other, "access", provider.fetch),
    ]

    assert got == ["t1", "t2", "t3"]
    assert await shared.token(one, "access", provider.fetch) == "t1"


async def test_a_token_lies_encrypted(tokens: CarrierTokens, database: Database, clock: MovedClock) -> None:
    """The row holds what the vault made of it, and no ``repr`` shows a token."""
    await tokens.write(1, 7, "access", StoredToken(value="secret-token", expires_at=5))

    stored = await database.read(lambda connection: connection.execute(sa.select(carrier_token.c.value)).scalar_one())
    assert stored == b"nekot-terces"
    found = await tokens.read(1, 7, "access")
    assert found is not None
    assert (found.value, found.expires_at) == ("secret-token", 5)
    assert "secret-token" not in repr((found, FreshToken(value="secret-token", lives_s=1)))
    assert await tokens.read(2, 7, "access") is None
