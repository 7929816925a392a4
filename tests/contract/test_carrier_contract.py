"""What every carrier keeps to: those in folders, and the fakes that the core is tested with."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import structlog
from tests.fakes import carriers as fakes
from tests.fakes.carrier_account import account, batch, rendered, tools
from tests.fakes.clock import MovedClock
from tests.fakes.dns import FakeResolver
from tests.fakes.http_service import answer, drop, hang, http_service, raw
from tests.fakes.smtp_service import smtp_service

from onebell.carriers import registry
from onebell.carriers.accounts import IDLE_S, RETIRED_S, Accounts
from onebell.carriers.base import Carrier, Checks, HearsReceipts, Polls, Recalls, Updates
from onebell.carriers.manifest import Ability, Exempt
from onebell.carriers.outbound import Outbound
from onebell.core.carriage import Carriers
from onebell.core.directory import CarrierAccount
from onebell.core.fit import Limits
from onebell.core.outcomes import Outcome, Permanent, Sent, Split, Temporary, Throttled, Unauthorized
from onebell.errors import InvalidInput, NotFound
from onebell.http.exchange import Request

FOLDER = Path(registry.__file__).parent
CANARY = "canary-7f3a"
OK = answer(200, {"errcode": 0, "errmsg": "ok", "access_token": "t1", "expires_in": 7200})
# The words of success of those who know it by others.
OKS = {
    "bark": answer(200, {"code": 200, "message": "success", "timestamp": 1708331409}),
    "feishu_bot": answer(200, {"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"}),
    "gotify": answer(200, {"id": 25, "appid": 5, "message": "b", "title": "t", "priority": 2}),
    "ifttt": answer(200, b"Congratulations! You've fired the e event"),
    "jijyun": answer(200, {"Code": 200}),
    "serverchan": answer(200, {"code": 0, "message": "", "data": {"pushid": "1", "readkey": "k", "errno": 0}}),
    "wxpusher": answer(200, {"code": 1000, "success": True}),
}
OUTCOMES = (Sent, Temporary, Permanent, Throttled, Unauthorized, Split)
PROTOCOLS = {
    Ability.CHECK: Checks,
    Ability.POLL: Polls,
    Ability.RECEIPT: HearsReceipts,
    Ability.RECALL: Recalls,
    Ability.UPDATE: Updates,
}


def fields_of(kind: str, port: int) -> dict[str, Any]:
    """An account of each kind that points to loopback, with a canary in each secret."""
    at = f"http://127.0.0.1:{port}"
    return {
        "hiflow": {"url": f"{at}/{CANARY}"},
        "http_template": {"url": f"{at}/{CANARY}", "headers": f"X-Key: {CANARY}", "body": "{title}"},
        "ifttt": {"url": f"{at}/trigger/e/with/key/{CANARY}"},
        "jijyun": {"url": f"{at}/v1/accept/data/webhook_accept_first?apikey={CANARY}"},
        "sms": {"url": f"{at}/{CANARY}", "headers": f"X-Key: {CANARY}", "body": f"{CANARY} {{phone}}"},
        "bark": {"base_url": at, "device_key": CANARY, "password": CANARY, "encryption_key": f"{CANARY}-key-16"[:16]},
        "dingtalk_bot": {"url": f"{at}/robot/send?access_token={CANARY}", "secret": CANARY},
        "feishu_bot": {"url": f"{at}/open-apis/bot/v2/hook/{CANARY}", "secret": CANARY},
        "gotify": {"base_url": at, "token": CANARY},
        "serverchan": {"base_url": at, "sendkey": CANARY},
        "smtp": {"host": "127.0.0.1", "port": port, "security": "none", "from": "bell <a@b.test>", "username": "u",
                 "password": CANARY},
        "webhook": {"url": f"{at}/{CANARY}", "secret": "whsec_Y2FuYXJ5LTdmM2FjYW5hcnktN2YzYWNhbmFyeS03ZjNh"},
        "wecom_app": {"base_url": at, "corp_id": "ww1", "agent_id": 1, "secret": CANARY},
        "wecom_bot": {"url": f"{at}/cgi-bin/webhook/send?key={CANARY}"},
        "wxpusher": {"url": f"{at}/api/send/message/?appToken={CANARY}"},
    }[kind]  # fmt: skip


def addresses(kind: str, count: int) -> list[str]:
    return [f"u{number}@x.test" for number in range(count)] if kind == "smtp" else ["code"] * count


@pytest.fixture
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where silence is met (an HTTP service never greets a mail client) nobody needs to wait long to see that."""
    monkeypatch.setattr("onebell.carriers.http_answers.TIMEOUT_S", 0.3)
    monkeypatch.setattr("onebell.carriers.smtp.carrier.COMMAND_S", 0.3)


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    client = Outbound(resolver=FakeResolver())
    yield client
    await client.close()


async def send(kind: str, port: int, outbound: Outbound, count: int = 1) -> Sequence[Outcome]:
    """Build, open, send, close."""
    carrier = registry.build(account(kind, **fields_of(kind, port)), tools(outbound, MovedClock()))
    await carrier.open()
    try:
        return await carrier.send(batch(rendered("t", "b"), *addresses(kind, count)))
    finally:
        await carrier.close()


@pytest.mark.parametrize("kind", registry.kinds())
def test_a_folder_is_complete(kind: str) -> None:
    """Manifest, carrier and README; the README names the credential, the limits, the answers, and an example."""
    folder = FOLDER / kind
    page = (folder / "README.md").read_text()

    assert {"manifest.toml", "carrier.py", "README.md", "__init__.py"} <= {path.name for path in folder.iterdir()}
    assert page.startswith(f"# {kind}\n")
    for needed in (f'kind = "{kind}"', "**Credential.**", "**Limits.**", "**Answers.**"):
        assert needed in page
    assert 20 <= len((folder / "carrier.py").read_text().splitlines()) <= 200


@pytest.mark.parametrize("kind", registry.kinds())
async def test_abilities_are_what_the_carrier_can_do(kind: str, outbound: Outbound) -> None:
    """The manifest claims exactly the protocols that the object speaks, and the rules agree with it."""
    manifest = registry.manifest(kind)
    carrier = registry.build(account(kind, **fields_of(kind, 9)), tools(outbound, MovedClock()))

    for ability, protocol in PROTOCOLS.items():
        assert isinstance(carrier, protocol) == (ability in manifest.abilities)
    for rule, ability in (
        ("check-before-save", Ability.CHECK), ("update", Ability.UPDATE), ("recall", Ability.RECALL),
    ):  # fmt: skip
        assert isinstance(manifest.rules[rule], Exempt) == (ability not in manifest.abilities)


@pytest.mark.usefixtures("short_times")
@pytest.mark.parametrize("kind", registry.kinds())
async def test_one_outcome_for_each_address(kind: str, outbound: Outbound) -> None:
    """A full batch gets as many outcomes as addresses, whatever the provider does."""
    count = registry.manifest(kind).limits.batch
    for script in (OKS.get(kind, OK), answer(500), answer(404), raw("garbage"), drop()):
        async with http_service(script) as service:
            outcomes = await send(kind, service.port, outbound, count)

            assert len(outcomes) == count
            assert all(isinstance(one, OUTCOMES) for one in outcomes)


@pytest.mark.parametrize("kind", registry.kinds())
async def test_a_provider_that_is_down_costs_no_message(kind: str, outbound: Outbound) -> None:
    """Nobody listens: every address is Temporary."""
    async with http_service() as gone:
        port = gone.port

    assert {type(one) for one in await send(kind, port, outbound)} == {Temporary}


@pytest.mark.usefixtures("short_times")
@pytest.mark.parametrize("kind", registry.kinds())
async def test_a_provider_that_hangs_is_given_up(kind: str, outbound: Outbound) -> None:
    """Silence ends with the carrier's own time limit, which lies below the core's 30 s."""
    async with http_service(hang()) as service:
        outcomes = await send(kind, service.port, outbound)

    assert {type(one) for one in outcomes} == {Temporary}


@pytest.mark.parametrize("kind", registry.kinds())
async def test_the_address_gate_is_never_bypassed(kind: str, outbound: Outbound) -> None:
    """Without ``allow_networks`` no carrier reaches a private address."""
    async with http_service() as service:
        closed = account(kind, allow=(), **fields_of(kind, service.port))
        carrier = registry.build(closed, tools(outbound, MovedClock()))
        outcomes = await carrier.send(batch(None, *addresses(kind, 1)))

    assert {type(one) for one in outcomes} == {Permanent}
    assert service.connections == 0


@pytest.mark.parametrize("kind", registry.kinds())
@pytest.mark.parametrize(
    "script",
    [
        answer(200, {"errcode": 0}),
        answer(401, f"no {CANARY}".encode()),
        answer(400, {"code": 400, "message": f"failed to get [{CANARY}] device token"}),
        answer(200, {"errcode": 93000, "code": 7, "errmsg": CANARY, "msg": CANARY, "message": CANARY}),
        drop(),
    ],
)
async def test_secrets_are_never_shown(kind: str, outbound: Outbound, script: Any, caplog: Any) -> None:
    """No outcome, log line or ``repr`` holds a key or password (RELIABILITY S8)."""
    with structlog.testing.capture_logs() as logged:
        async with http_service(script) as service, smtp_service(u="other") as mail:
            port = mail.port if kind == "smtp" else service.port
            outcomes = await send(kind, port, outbound)
            carrier = registry.build(account(kind, **fields_of(kind, port)), tools(outbound, MovedClock()))

    for shown in (repr(outcomes), repr(carrier), repr(logged), caplog.text):
        assert CANARY not in shown
        assert "whsec_" not in shown


@pytest.mark.parametrize("kind", registry.kinds())
def test_fields_are_checked_before_building(kind: str, outbound: Outbound) -> None:
    """An account whose fields do not fit is refused with the field's name."""
    with pytest.raises(InvalidInput) as caught:
        registry.build(account(kind, nonsense="x"), tools(outbound, MovedClock()))

    assert caught.value.field == "nonsense"


@pytest.mark.parametrize("kind", ["bark", "dingtalk_bot", "feishu_bot", "gotify", "serverchan", "wecom_bot"])
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (answer(200, b"<html>"), Temporary(why="the answer is not the service's JSON")),
        (answer(200, b"[]"), Temporary(why="the answer is not the service's JSON")),
        (answer(200, {"said": "nothing"}), Temporary(why="the answer is not the service's JSON")),
        (answer(200, {"errcode": 10**30, "code": -(10**12)}), Temporary(why="the answer is not the service's JSON")),
        (answer(502), Temporary(why="HTTP 502")),
        (answer(503, retry_after="120"), Throttled(why="HTTP 503", wait_s=120)),
        (answer(429, retry_after="9"), Throttled(why="HTTP 429", wait_s=9)),
        (answer(429), Throttled(why="HTTP 429", wait_s=60)),
        (answer(302, location="/"), Permanent(why="HTTP 302", code=302)),
    ],
)
async def test_what_a_proxy_says_is_judged_by_its_status(
    kind: str, outbound: Outbound, script: Any, expected: Outcome
) -> None:
    """An answer that is not the service's own JSON is a proxy's, or an outage's."""
    async with http_service(script) as service:
        assert await send(kind, service.port, outbound) == [expected]


async def test_accounts_open_a_carrier_once(outbound: Outbound) -> None:
    """However many sends want it at once; a changed configuration opens a new one and later closes the old."""
    clock = MovedClock()
    built: list[fakes.FakeCarrier] = []

    def build(_: CarrierAccount, __: object) -> Carrier:
        built.append(fakes.FakeCarrier())
        return built[-1]

    accounts = Accounts(tools(outbound, clock), build)
    one = account("webhook", url="http://a.test")
    carriers = await asyncio.gather(*(accounts.open(one) for _ in range(20)))
    assert len(built) == 1
    assert {id(carrier) for carrier in carriers} == {id(built[0])}
    assert built[0].is_open

    changed = account("webhook", url="http://b.test")
    assert await accounts.open(changed) is built[1]
    assert built[0].is_open
    clock.move(RETIRED_S + 1)
    await accounts.open(account("webhook", url="http://c.test"))
    assert [carrier.is_open for carrier in built] == [False, True, True]

    await accounts.close()
    assert [carrier.is_open for carrier in built] == [False, False, False]


async def test_carriers_of_accounts_that_nobody_uses_are_closed(outbound: Outbound) -> None:
    """An account may have been deleted: its carrier goes after an hour, and the one that is used stays."""
    clock = MovedClock()
    built: dict[int, fakes.FakeCarrier] = {}

    def build(which: CarrierAccount, __: object) -> Carrier:
        built[which.id] = fakes.FakeCarrier()
        return built[which.id]

    accounts = Accounts(tools(outbound, clock), build)
    gone, used, new = (
        msgspec.structs.replace(account("webhook", url="http://a.test"), id=number) for number in (1, 2, 3)
    )
    await accounts.open(gone)
    await accounts.open(used)
    clock.move(IDLE_S - 1)
    await accounts.open(used)
    clock.move(2)
    await accounts.open(new)
    clock.move(RETIRED_S + 1)
    await accounts.open(msgspec.structs.replace(new, fields={"url": "http://b.test"}))

    assert [built[number].is_open for number in (1, 2)] == [False, True]
    again = await accounts.open(gone)
    assert again is built[1]
    assert built[1].is_open
    await accounts.close()


async def test_accounts_tell_the_core_what_manifests_say(outbound: Outbound) -> None:
    """Limits, age and address kind come from the manifest; an unknown kind has defaults and cannot be opened."""
    accounts: Carriers = Accounts(tools(outbound, MovedClock()))

    assert accounts.limits("wecom_bot").per_minute == 20
    assert accounts.max_age_s("smtp") == 172_800
    assert [accounts.address_from(kind) for kind in ("smtp", "webhook", "pigeon")] == ["email", "account", ""]
    assert accounts.limits("pigeon") == Limits()
    assert accounts.max_age_s("pigeon") > 0
    with pytest.raises(NotFound):
        await accounts.open(account("pigeon"))


FAKES = [
    fakes.FakeCarrier,
    fakes.PollingCarrier,
    fakes.CallingCarrier,
    fakes.RecallingCarrier,
]


@pytest.mark.parametrize("fake", FAKES)
async def test_the_fakes_are_carriers_too(fake: type[fakes.FakeCarrier]) -> None:
    """What the core is tested with keeps the same contract: opened, one outcome for each address, scripted or not."""
    carrier: Carrier = fake()
    await carrier.open()
    cast(fakes.FakeCarrier, carrier).script("b", Permanent(why="no"))

    outcomes = await carrier.send(batch(None, "a", "b", "c"))
    await carrier.close()

    assert [type(one) for one in outcomes] == [Sent, Permanent, Sent]
    assert isinstance(carrier, Polls) == (fake is fakes.PollingCarrier)
    assert isinstance(carrier, HearsReceipts) == (fake is fakes.CallingCarrier)
    assert isinstance(carrier, Recalls) == (fake is fakes.RecallingCarrier)


async def test_a_polling_carrier_answers_for_each_ref() -> None:
    """One receipt for each reference that was asked for, in its provider's state."""
    carrier = fakes.PollingCarrier(states={"r1": "delivered"})

    receipts = await carrier.poll(["r1", "r2"])

    assert [(one.provider_ref, one.state) for one in receipts] == [("r1", "delivered"), ("r2", "pending")]


@pytest.mark.parametrize(("key", "status", "count"), [(b"good", 200, 1), (b"bad", 401, 0)])
async def test_a_calling_carrier_authenticates_its_provider(key: bytes, status: int, count: int) -> None:
    """Receipts that come in by HTTP count only with the provider's key."""
    scope = {"method": "POST", "query_string": b"", "headers": [(b"x-key", key)], "type": "http"}
    body = json.dumps({"ref": "r1", "state": "delivered"}).encode()

    told, receipts = await fakes.CallingCarrier().receipt(Request(scope, b"/r/code", body))

    assert (told.status, len(receipts)) == (status, count)


async def test_a_good_provider_takes_the_message(outbound: Outbound) -> None:
    """The sunny day for each folder: Sent."""
    for kind in registry.kinds():
        async with http_service(OKS.get(kind, OK)) as service, smtp_service(u=CANARY) as mail:
            port = mail.port if kind == "smtp" else service.port
            assert [type(one) for one in await send(kind, port, outbound)] == [Sent]
            assert len(mail.mails if kind == "smtp" else service.received) >= 1
