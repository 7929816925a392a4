"""The carrier wecom_app against a service that answers like WeCom (sheet wecom §6.2)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.fakes.carrier_account import TokensInMemory, account, batch, rendered
from tests.fakes.clock import MovedClock
from tests.fakes.dns import FakeResolver
from tests.fakes.http_service import HttpService, Received, answer, drop, http_service

from onebell.carriers.base import Address
from onebell.carriers.credentials import Credentials
from onebell.carriers.outbound import Outbound
from onebell.carriers.tools import CarrierTools
from onebell.carriers.wecom_app.carrier import WecomApp
from onebell.core.model import Format
from onebell.core.outcomes import Outcome, Permanent, Sent, Split, Temporary, Throttled, Unauthorized

SECRET = "corp-secret"
MSGID = "xxxx"
OK = {"errcode": 0, "errmsg": "ok", "invaliduser": "", "invalidparty": "", "invalidtag": "", "msgid": MSGID}


class FakeWecom:
    """Gives tokens t1, t2 …, and answers the other calls from a list, whose last one stays."""

    def __init__(self, *answers: Any, token: Any = None) -> None:
        self.answers = list(answers) or [OK]
        self.token = token
        self.tokens = 0
        self.calls: list[Received] = []

    async def __call__(self, request: Received, writer: asyncio.StreamWriter) -> None:
        await self._script(request)(request, writer)

    def _script(self, request: Received) -> Any:
        if request.target.startswith("/cgi-bin/gettoken?"):
            assert (request.method, request.body) == ("GET", b"")
            assert request.target == f"/cgi-bin/gettoken?corpid=ww1&corpsecret={SECRET}"
            self.tokens += 1
            given = {"errcode": 0, "errmsg": "ok", "access_token": f"t{self.tokens}", "expires_in": 7200}
            return _scripted(self.token or given)
        assert request.method == "POST"
        assert request.headers["content-type"] == "application/json"
        self.calls.append(request)
        return _scripted(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])

    @property
    def bodies(self) -> list[Any]:
        return [call.json for call in self.calls]

    @property
    def targets(self) -> list[str]:
        return [call.target for call in self.calls]


def _scripted(value: Any) -> Any:
    return answer(200, value) if isinstance(value, dict) else value


class App:
    """An account of the fake service, with its clock and carrier."""

    def __init__(self, service: HttpService, outbound: Outbound, **fields: Any) -> None:
        self.clock = MovedClock()
        self._tools = CarrierTools(
            outbound=outbound, credentials=Credentials(TokensInMemory(), self.clock), clock=self.clock
        )
        known = {"base_url": service.base, "corp_id": "ww1", "agent_id": 1000002, "secret": SECRET}
        self.carrier = WecomApp(account("wecom_app", **(known | fields)), self._tools)

    async def send(self, part: Any = None, *addresses: str) -> list[Outcome]:
        return list(await self.carrier.send(batch(part, *(addresses or ("zhangsan",)))))


@asynccontextmanager
async def app(fake: FakeWecom, **fields: Any) -> AsyncIterator[App]:
    outbound = Outbound(resolver=FakeResolver())
    async with http_service(fake) as service:
        opened = App(service, outbound, **fields)
        await opened.carrier.open()
        try:
            yield opened
        finally:
            await opened.carrier.close()
            await outbound.close()


async def body_of(part: Any, *addresses: str, **fields: Any) -> Any:
    """What goes out for a part."""
    fake = FakeWecom()
    async with app(fake, **fields) as one:
        outcomes = await one.send(part, *addresses)
    assert set(outcomes) == {Sent(provider_ref=MSGID, detail="ok")}
    assert fake.targets == ["/cgi-bin/message/send?access_token=t1"]
    return fake.bodies[0]


async def outcome(*answers: Any, token: Any = None) -> Outcome:
    async with app(FakeWecom(*answers, token=token)) as one:
        return (await one.send())[0]


# ---------------------------------------------------------------- the token


async def test_acceptance_case_53() -> None:
    """42001 costs one new token and one repeat; lisi fails for good, the others get it; the token lasts two hours."""
    fake = FakeWecom({"errcode": 42001, "errmsg": "access_token expired"}, OK | {"invaliduser": "lisi"})
    async with app(fake) as one:
        outcomes = await one.send(None, "zhangsan", "LiSi", "wangwu")
        assert outcomes == [
            Sent(provider_ref=MSGID, detail="ok"),
            Permanent(why="invaliduser: ok", drop_target=True),
            Sent(provider_ref=MSGID, detail="ok"),
        ]
        assert fake.tokens == 2
        assert fake.targets == [f"/cgi-bin/message/send?access_token={token}" for token in ("t1", "t2")]
        assert fake.calls[0].body == fake.calls[1].body

        one.clock.move(6899)
        await one.send(None, "zhangsan")
        assert fake.tokens == 2
        one.clock.move(2)
        await one.send(None, "zhangsan")
        assert fake.tokens == 3


@pytest.mark.parametrize("code", [40014, 42001, 41001, 40001])
async def test_a_token_that_is_refused_twice_stops_the_account(code: int) -> None:
    """One refresh, one repeat, then the operator is told."""
    fake = FakeWecom({"errcode": code, "errmsg": "m"})
    async with app(fake) as one:
        assert await one.send() == [Unauthorized(why=f"{code} m")]
    assert (fake.tokens, len(fake.calls)) == (2, 2)


async def test_fifty_sends_fetch_one_token() -> None:
    """Parallel sends share one gettoken, which the service limits by itself."""
    fake = FakeWecom()
    async with app(fake) as one:
        await asyncio.gather(*(one.send(None, f"u{number}") for number in range(50)))
    assert (fake.tokens, len(fake.calls)) == (1, 50)


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ({"errcode": 40001, "errmsg": "invalid credential"}, Unauthorized(why="40001 invalid credential")),
        ({"errcode": 40013, "errmsg": "m"}, Unauthorized(why="40013 m")),
        ({"errcode": 40091, "errmsg": "m"}, Unauthorized(why="40091 m")),
        ({"errcode": 60020, "errmsg": "not allow to access from your ip"},
         Unauthorized(why="60020 not allow to access from your ip")),
        ({"errcode": 45009, "errmsg": "m"}, Throttled(why="45009 m", wait_s=60)),
        ({"errcode": -1, "errmsg": "m"}, Temporary(why="-1 m", not_before_s=5)),
        ({"errcode": 0, "errmsg": "ok"}, Temporary(why="the service's answer holds no token")),
        ({"errcode": 0, "access_token": "x" * 513, "expires_in": 7200},
         Temporary(why="the service's answer holds no token")),
        ({"errcode": 0, "access_token": "x", "expires_in": "7200"},
         Temporary(why="the service's answer holds no token")),
        (answer(502), Temporary(why="HTTP 502")),
    ],
)  # fmt: skip
async def test_no_token(token: Any, expected: Outcome) -> None:
    """What gettoken says decides; nothing is sent without a token, and the check before saving says the same."""
    fake = FakeWecom(token=token)
    async with app(fake) as one:
        assert await one.send() == [expected]
        assert await one.carrier.check() == expected
    assert fake.calls == []
    assert SECRET not in repr(expected)


async def test_check() -> None:
    """The check asks for a token and sends nothing."""
    fake = FakeWecom()
    async with app(fake) as one:
        assert await one.carrier.check() == Sent()
    assert (fake.tokens, fake.calls) == (1, [])


# ---------------------------------------------------------------- what goes out

SAMPLES = [
    {
        "msgtype": "text",
        "text": {
            "content": "你的快递已到，请携带工卡前往邮件中心领取。\n出发前可查看"
            '<a href="http://work.weixin.qq.com">邮件中心视频实况</a>，聪明避开排队。'
        },
        "safe": 0,
        "enable_id_trans": 0,
        "enable_duplicate_check": 0,
        "duplicate_check_interval": 1800,
    },
    {
        "msgtype": "textcard",
        "textcard": {
            "title": "领奖通知",
            "description": '<div class="gray">2016年9月26日</div> <div class="normal">恭喜你抽中iPhone 7一台</div>',
            "url": "URL",
            "btntxt": "更多",
        },
        "enable_id_trans": 0,
    },
    {"msgtype": "image", "image": {"media_id": "MEDIA_ID"}, "safe": 0},
]


@pytest.mark.parametrize("sample", SAMPLES)
async def test_an_official_sample_passes_with_our_receivers(sample: dict[str, Any]) -> None:
    """A native payload goes out as it is; who gets it and from which application is ours to say."""
    native = {"touser": "everybody", "toparty": "1", "totag": "2", "agentid": 1, **sample}

    assert await body_of(rendered("t", "b", native=native), "a", "b") == {
        "touser": "a|b",
        "agentid": 1000002,
        **sample,
    }


async def test_text_bytes() -> None:
    """Plain text goes as text, title first, link last: byte for byte."""
    fake = FakeWecom()
    async with app(fake) as one:
        await one.send(rendered("标题", "正文"), "zhangsan", "lisi")

    assert fake.calls[0].body == (
        '{"touser":"zhangsan|lisi","agentid":1000002,"msgtype":"text","text":{"content":"标题\\n正文"}}'.encode()
    )


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (rendered("", "a", url="https://x.test"), {"msgtype": "text", "text": {"content": "a\nhttps://x.test"}}),
        (rendered("T", "<p>a <b>b</b></p>", Format.HTML), {"msgtype": "text", "text": {"content": "T\na b"}}),
        (rendered("T", "d", url="https://x.test"),
         {"msgtype": "textcard", "textcard": {"title": "T", "description": "d", "url": "https://x.test"}}),
        (rendered("T", "d" * 513, url="https://x.test"),
         {"msgtype": "text", "text": {"content": "T\n" + "d" * 513 + "\nhttps://x.test"}}),
        (rendered("T", "d", url="https://x.test", images=("https://x.test/i.png", "https://x.test/j.png")),
         {"msgtype": "news", "news": {"articles": [
             {"title": "T", "description": "d", "url": "https://x.test", "picurl": "https://x.test/i.png"}]}}),
        (rendered("T", "d", images=("https://x.test/i.png",)),
         {"msgtype": "news", "news": {"articles": [
             {"title": "T", "description": "d", "url": "http://bell.test/app/m/1",
              "picurl": "https://x.test/i.png"}]}}),
        (rendered("T", "**b**", Format.MARKDOWN, url="https://x.test"),
         {"msgtype": "markdown", "markdown": {"content": "**T**\n**b**\n[https://x.test](https://x.test)"}}),
        (rendered("", '<font color="info">ok</font>', Format.WECOM_MARKDOWN),
         {"msgtype": "markdown", "markdown": {"content": '<font color="info">ok</font>'}}),
    ],
)  # fmt: skip
async def test_the_type_follows_the_content(part: Any, expected: dict[str, Any]) -> None:
    """Markdown, pictures, a titled short text with a link, and everything else."""
    assert await body_of(part) == {"touser": "zhangsan", "agentid": 1000002, **expected}


@pytest.mark.parametrize(("written_in", "kind"), [(Format.TEXT, "text"), (Format.MARKDOWN, "markdown")])
async def test_limits_are_bytes(written_in: Format, kind: str) -> None:
    """2048 bytes of UTF-8 in all, on a character boundary; the link at the end stays whole."""
    body = await body_of(rendered("题" * 10, "中" * 3000, written_in, url="https://x.test/y"))

    content = body[kind]["content"]
    assert 2045 < len(content.encode()) <= 2048
    assert "中…\n" in content
    assert "https://x.test/y" in content.splitlines()[-1]


async def test_a_card_is_cut_to_its_own_limits() -> None:
    """Title 128 and description 512 bytes; a link that is too long is no card's."""
    body = await body_of(rendered("题" * 60, "d", url="https://x.test"))
    assert body["textcard"]["title"] == "题" * 41 + "…"
    body = await body_of(rendered("t", "中" * 300, images=("https://x.test/i.png",), url="https://x.test"))
    assert body["news"]["articles"][0]["description"] == "中" * 169 + "…"
    long = "https://x.test/" + "y" * 2048
    assert (await body_of(rendered("t", "d", url=long)))["msgtype"] == "text"


# ---------------------------------------------------------------- to whom


async def test_a_thousand_members_are_one_call() -> None:
    """Up to 1000 joined by ``|``; the next one begins another call, and each answer counts for its own call."""
    fake = FakeWecom(OK, OK | {"invaliduser": "u1000"})
    people = [f"u{number}" for number in range(1001)]
    async with app(fake) as one:
        outcomes = await one.send(None, *people)
    assert [body["touser"] for body in fake.bodies] == ["|".join(people[:1000]), "u1000"]
    assert {type(one) for one in outcomes[:1000]} == {Sent}
    assert outcomes[1000] == Permanent(why="invaliduser: ok", drop_target=True)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"touser": "@all"}),
        ({"touser": "a|b"}, {"touser": "a|b"}),
        ({"toparty": "1|2", "totag": "3"}, {"toparty": "1|2", "totag": "3"}),
    ],
)
async def test_an_empty_address_means_the_accounts_own_receivers(fields: dict[str, str], expected: Any) -> None:
    """What names nobody goes to the configured members, departments and tags; to all where there are none."""
    fake = FakeWecom()
    async with app(fake, **fields) as one:
        got = await one.carrier.send(to_values(""))
    assert [type(each) for each in got] == [Sent]
    assert {name: value for name, value in fake.bodies[0].items() if name.startswith("to")} == expected


def to_values(*values: str) -> Any:
    return batch(None, addresses=tuple(Address(delivery=n, value=value, attempt=1) for n, value in enumerate(values)))


async def test_all_is_never_joined_with_others() -> None:
    """``@all`` has a call of its own, whatever else stands in its address."""
    fake = FakeWecom()
    async with app(fake) as one:
        await one.send(None, "a", "@all", "b|c", "d|@all")
    assert sorted(body["touser"] for body in fake.bodies) == ["@all", "@all", "a|b|c"]


async def test_an_address_of_several_is_dead_only_as_a_whole() -> None:
    """``a|b`` is one address: it fails when none of its members is left."""
    fake = FakeWecom(OK | {"invaliduser": "a|c", "unlicenseduser": "d"})
    async with app(fake) as one:
        got = await one.send(None, "a|b", "c|D")
    assert got == [Sent(provider_ref=MSGID, detail="ok"), Permanent(why="invaliduser: ok", drop_target=True)]


async def test_too_many_members_in_one_address() -> None:
    """What could never go out in one call fails without one."""
    fake = FakeWecom()
    async with app(fake) as one:
        got = await one.send(None, "|".join(map(str, range(1001))))
    assert got == [Permanent(why="more than 1000 members in one address")]
    assert fake.calls == []


async def test_the_bounds_for_one_member_are_kept() -> None:
    """WeCom drops the 31st message of a minute in silence: it waits here, for that member only."""
    fake = FakeWecom()
    async with app(fake) as one:
        for _ in range(30):
            await one.send(None, "a")
        one.clock.move(20)
        held, free, shared = await one.send(None, "A", "b", "b|a")
        assert (
            held == Throttled(why="the service drops what is more for one member", wait_s=40, scope="target") == shared
        )
        assert isinstance(free, Sent)
        one.clock.move(40)
        assert isinstance((await one.send(None, "a"))[0], Sent)
    assert [body["touser"] for body in fake.bodies[30:]] == ["b", "a"]


async def test_the_hours_bound_for_one_member() -> None:
    """The 1001st message within an hour waits for the hour's end."""
    fake = FakeWecom()
    async with app(fake) as one:
        for _ in range(1000):
            one.clock.move(2.5)
            await one.send(None, "a")
        one.clock.move(60)
        (held,) = await one.send(None, "a")
    assert isinstance(held, Throttled)
    assert held.wait_s == pytest.approx(3600 - 999 * 2.5 - 60)


# ---------------------------------------------------------------- what answers mean


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (-1, Temporary(why="-1 m", not_before_s=5)),
        (6000, Temporary(why="6000 m", not_before_s=5)),
        (45009, Throttled(why="45009 m", wait_s=60)),
        (45033, Throttled(why="45033 m", wait_s=60)),
        (60020, Unauthorized(why="60020 m")),
        (48002, Unauthorized(why="48002 m")),
        (50003, Unauthorized(why="50003 m")),
        (301002, Unauthorized(why="301002 m")),
        (40056, Unauthorized(why="40056 m")),
        (41011, Unauthorized(why="41011 m")),
        (81013, Permanent(why="81013 m", drop_target=True, code=81013)),
        (82001, Permanent(why="82001 m", drop_target=True, code=82001)),
        (60111, Permanent(why="60111 m", drop_target=True, code=60111)),
        (40003, Permanent(why="40003 m", drop_target=True, code=40003)),
        (40007, Permanent(why="40007 m", code=40007)),
        (40008, Permanent(why="40008 m", code=40008)),
        (40058, Permanent(why="40058 m", code=40058)),
        (41016, Permanent(why="41016 m", code=41016)),
        (44004, Permanent(why="44004 m", code=44004)),
        (45002, Permanent(why="45002 m", code=45002)),
        (99999, Temporary(why="99999 m", not_before_s=5)),
    ],
)
async def test_error_codes(code: int, expected: Outcome) -> None:
    """HTTP 200 is not success; each code of the sheet has its decision, an unknown one may heal."""
    assert await outcome({"errcode": code, "errmsg": "m"}) == expected


@pytest.mark.parametrize("code", [60111, 40003])
async def test_one_bad_member_is_searched_for(code: int) -> None:
    """In a call to several the service does not say who it is: the halves are sent."""
    async with app(FakeWecom({"errcode": code, "errmsg": "m"})) as one:
        assert await one.send(None, "a", "b") == [Split(why=f"{code} m")] * 2


@pytest.mark.parametrize("address", ["@all", "a|@all"])
async def test_everybody_is_never_dead(address: str) -> None:
    """Nobody in sight of the application now may be somebody tomorrow: the message fails, the address stays."""
    async with app(FakeWecom({"errcode": 81013, "errmsg": "m"})) as one:
        assert await one.send(None, address) == [Permanent(why="81013 m", code=81013)]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (answer(200, b"<html>"), Temporary(why="the answer is not the service's JSON")),
        (answer(200, {"errmsg": "ok"}), Temporary(why="the answer is not the service's JSON")),
        (answer(429, retry_after="9"), Throttled(why="HTTP 429", wait_s=9)),
        (answer(302, location="/"), Permanent(why="HTTP 302", code=302)),
    ],
)
async def test_answers_that_are_not_the_services(script: Any, expected: Outcome) -> None:
    """What a proxy or an outage says is judged by its status."""
    assert await outcome(script) == expected


async def test_a_lost_answer_shows_neither_token_nor_secret() -> None:
    """A lost connection is tried again, and its words hold nothing that opens a door."""
    lost = await outcome(drop())

    assert isinstance(lost, Temporary)
    assert "t1" not in lost.why
    assert SECRET not in lost.why


# ---------------------------------------------------------------- recall


async def test_recall() -> None:
    """By ``msgid``, once for all who got it with the same call; a refused token is renewed as for sending."""
    fake = FakeWecom({"errcode": 40014, "errmsg": "m"}, {"errcode": 0, "errmsg": "ok"})
    async with app(fake) as one:
        assert [await one.carrier.recall(MSGID) for _ in range(3)] == [Sent(detail="ok")] * 3
    assert fake.targets == [f"/cgi-bin/message/recall?access_token={token}" for token in ("t1", "t2")]
    assert [json.loads(call.body) for call in fake.calls] == [{"msgid": MSGID}] * 2


async def test_a_recall_that_fails() -> None:
    """What may heal is asked again; what cannot is remembered for the others of that call."""
    fake = FakeWecom({"errcode": -1, "errmsg": "m"}, {"errcode": 40008, "errmsg": "m"})
    async with app(fake) as one:
        got = [await one.carrier.recall(MSGID) for _ in range(3)]
    assert got == [Temporary(why="-1 m", not_before_s=5), *[Permanent(why="40008 m", code=40008)] * 2]
    assert len(fake.calls) == 2
