"""UMS: what a channel group may, its limits and its strategies. Numbers in names are the sheet's acceptance cases."""

import dataclasses

import pytest
from tests.contract.ums.support import APP, DIRECTORY, K2, KEY, MAIL, sent
from tests.fakes.clock import MovedClock
from tests.service import Service, basic

from onebell.dialects.ums.routes import Ums
from onebell.store import schema

# ---------------------------------------------------------------- the channel group


@pytest.mark.parametrize(
    ("setting", "code", "status"),
    [
        ("enabled = false", 1015005, 400),
        ("expires = 2026-01-01T00:00:00", 1015025, 400),
        ("expires = 2099-01-01T00:00:00", 0, 200),
        ('sensitive_words = ["bad", "hi"]', 1015034, 400),
        ('sensitive_words = ["bad"]', 0, 200),
        ('do_not_disturb = { from = "00:00", to = "23:59" }', 1015038, 400),
        ('do_not_disturb = { from = "03:00", to = "03:00" }', 0, 200),
        ("black_lists = false", 1015074, 400),
    ],
)
async def test_case_5_group_settings(ums: Service, setting: str, code: int, status: int) -> None:
    """Closed, expired, filtered, at night, without lists: each its own code."""
    await ums.apply(DIRECTORY.replace("GROUP", setting))
    moved = MovedClock(1_798_700_000_000)  # 2026-12-31 14:53 in Shanghai
    ums.dialect = Ums(dataclasses.replace(ums.context, clock=moved))
    said = await ums.ask("POST", "/v1/sent", {"aud_userid": ["user1"], "msg_app": [APP], "option": {"black_id": 1234}})
    assert (code, status) == (said.code, said.status)


async def test_a_group_whose_credential_is_switched_off(ums: Service) -> None:
    """Whoever switches the pair off closes the group, as ``enabled = false`` in the file does."""
    credential = await ums.context.lookups.credential_named(ums.space, "ums", "channel_group", KEY)
    assert credential is not None
    await ums.context.store.credentials.disable(ums.space, credential.id)

    assert await sent(ums, aud_userid=["user1"], msg_app=[APP]) == 1015005


async def test_white_lists_may_be_off(ums: Service) -> None:
    """The feature's own code."""
    await ums.apply(DIRECTORY.replace("GROUP", "white_lists = false"))
    assert await sent(ums, aud_userid=["user1"], msg_app=[APP], option={"white_id": 1234}) == 1015075


@pytest.mark.parametrize(("rule", "code"), [(1001, 0), (0, 0), (1003, 1015026), (9, 1015026)])
async def test_case_25_strategies(ums: Service, rule: int, code: int) -> None:
    """One step is sent at once; a disabled strategy and an unknown one are gone."""
    assert code == await sent(ums, aud_userid=["user1"], msg_app=[APP], rule_id=rule)


async def test_strategy_of_several_steps_is_not_sent_at_once(ums: Service) -> None:
    """What cannot be followed is refused; its carriers are compared before that (case 26)."""
    assert await sent(ums, aud_userid=["user1"], msg_app=[APP], rule_id=1002) == 4004
    assert await sent(ums, aud_userid=["user1"], msg_app=[APP], msg_email=[MAIL], rule_id=1002) == 1015026
    assert await ums.rows(schema.message) == []
    assert await sent(ums, aud_app=[{"data": ["user1"]}], msg_app=[APP], rule_id=1002) == 0


async def test_strategy_of_another_group(ums: Service) -> None:
    """A strategy belongs to one channel group."""
    assert await sent(ums, headers=basic(K2), aud_userid=["user1"], msg_app=[APP], rule_id=1001) == 1015026


async def test_rate_of_calls(ums: Service) -> None:
    """Over the limit: 429, its own code, and headers that say so; the window slides."""
    await ums.apply(DIRECTORY.replace("GROUP", "calls_per_minute = 2"))
    body = {"aud_userid": ["user1"], "msg_app": [APP]}
    said = [await ums.ask("POST", "/v1/sent", body) for _ in range(3)]
    assert [(one.status, one.headers["x-rate-limit-remaining"]) for one in said] == [(200, "1"), (200, "0"), (429, "0")]
    assert (
        said[2].code, said[2].headers["x-rate-limit-limit"], said[2].headers["x-rate-limit-reset"],
    ) == (1015030, "2", "60")  # fmt: skip
    assert len(await ums.rows(schema.message)) == 2


async def test_rate_may_be_off(ums: Service) -> None:
    """0 = off: no limit, and none announced."""
    await ums.apply(DIRECTORY.replace("GROUP", "calls_per_minute = 0"))
    said = await ums.ask("POST", "/v1/sent", {"aud_userid": ["user1"], "msg_app": [APP]})
    assert "x-rate-limit-limit" not in said.headers


async def test_case_36_broadcast_quota(ums: Service) -> None:
    """The quota of a day in Shanghai; charged on success only; the next day it is whole again."""
    await ums.apply(DIRECTORY.replace("GROUP", "broadcasts_per_day = 2"))
    moved = MovedClock(1_798_732_799_000)  # one second before midnight in Shanghai
    ums.dialect = Ums(dataclasses.replace(ums.context, clock=moved))
    assert await sent(ums, "/v1/broadcast") == 4004
    codes = [await sent(ums, "/v1/broadcast", msg_app=[APP]) for _ in range(3)]
    assert codes == [0, 0, 1015029]
    assert await sent(ums, aud_userid=["user1"], msg_app=[APP]) == 0
    moved.move(1)
    assert await sent(ums, "/v1/broadcast", msg_app=[APP]) == 0


async def test_removed_group_is_unknown(ums: Service) -> None:
    """A group that the file no longer names has no credential."""
    text = DIRECTORY.replace("GROUP", "")
    await ums.apply(text[: text.index("[ums]")] + "[ums]\n")
    assert await sent(ums, aud_userid=["user1"], msg_app=[APP]) == 4005
