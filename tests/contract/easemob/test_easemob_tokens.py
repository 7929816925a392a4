"""Easemob: tokens, limits and settings of an app. Numbers in names are the sheet's acceptance cases."""

import base64
import dataclasses
import hashlib
import json

import pytest
from tests.contract.easemob.support import CLIENT, TOKEN, dialect, directory, send, token_of
from tests.fakes.clock import MovedClock
from tests.service import Service

from onebell.store import schema

# ---------------------------------------------------------------- tokens


async def test_tokens_are_two_and_both_work(easemob: Service) -> None:
    """A new app token keeps the old ones until they expire."""
    first, second = [await token_of(easemob, CLIENT) for _ in range(2)]
    assert first != second
    for one in (first, second):
        easemob.headers["Authorization"] = f"Bearer {one}"
        assert (await send(easemob, ["user2"])).status == 200


async def test_token_value_is_nowhere(easemob: Service) -> None:
    """A token is found by its HMAC; what is stored does not hold it."""
    token = easemob.headers["Authorization"].removeprefix("Bearer ")
    assert len(token) == (4 + 116)
    assert token not in repr([*await easemob.rows(schema.credential), *await easemob.rows(schema.credential_lookup)])


async def test_expired_token(easemob: Service) -> None:
    """Past its life: 401 in its own words."""
    now = easemob.context.clock.now_ms()
    token = await token_of(easemob, {**CLIENT, "ttl": 10})
    easemob.headers["Authorization"] = f"Bearer {token}"
    easemob.dialect = dialect(dataclasses.replace(easemob.context, clock=MovedClock(now + 60_000)))
    said = await send(easemob, ["user2"])
    assert (
        said.status, said.json["error"], said.text,
    ) == (401, "unauthorized", "Unable to authenticate due to expired access token")  # fmt: skip


async def test_case_37_token_of_another_app(easemob: Service) -> None:
    """Two apps with the same secret still have two credentials, and a token is one app's."""
    other = await token_of(easemob, {**CLIENT, "client_id": "cid2"}, "/acme/other/token")
    easemob.headers["Authorization"] = f"Bearer {other}"
    said = await send(easemob, ["user2"])
    assert (
        said.status, said.json["error"], said.text,
    ) == (401, "auth_bad_access_token", "Unable to authenticate due to corrupt access token")  # fmt: skip
    said = await easemob.ask("POST", "/acme/other/token", CLIENT)
    assert said.text == "client_id does not match"


async def test_case_5_user_tokens(easemob: Service) -> None:
    """Name in any case, the person's password; the token is the user's and not the app's."""
    grant = {"grant_type": "password", "username": "USER2", "password": "user2-password", "timestamp": 1}
    said = await easemob.ask("POST", TOKEN, grant)
    assert (said.json["user"]["username"], said.json["user"]["activated"]) == ("user2", True)
    assert {"uuid", "type", "created", "modified", "username", "activated"} == set(said.json["user"])
    easemob.headers["Authorization"] = f"Bearer {said.json['access_token']}"
    refused = await send(easemob, ["user1"])
    assert refused.json["exception"] == "org.apache.shiro.authz.UnauthorizedException"


async def test_banned_user(easemob: Service) -> None:
    """A deactivated account gets no token, by password or by name."""
    await easemob.context.store.accounts.deactivate(easemob.space, "acme/demo", "user2")
    password = {"grant_type": "password", "username": "user2", "password": "user2-password"}
    for grant in (password, {"grant_type": "inherit", "username": "user2"}):
        said = await easemob.ask("POST", TOKEN, grant)
        assert (said.status, said.text) == (400, "user not activated")


async def test_guessing_is_throttled(easemob: Service) -> None:
    """Failures are counted before hashing; then nothing is looked at for a while."""
    grant = {"grant_type": "password", "username": "user2", "password": "wrong"}
    said = [await easemob.ask("POST", TOKEN, grant) for _ in range(12)]
    assert (said[0].text, said[-1].status, said[-1].json["error"]) == ("invalid password", 429, "reach_limit")


async def test_app_that_makes_no_people(easemob: Service) -> None:
    """With ``create_people = false`` only people who are there get an account."""
    other = await token_of(easemob, {**CLIENT, "client_id": "cid2"}, "/acme/other/token")
    easemob.headers["Authorization"] = f"Bearer {other}"
    for name, status in (("outsider", 200), ("newu", 404)):
        grant = {"grant_type": "inherit", "username": name, "autoCreateUser": True}
        assert status == (await easemob.ask("POST", "/acme/other/token", grant)).status
    assert await easemob.context.lookups.person_by_uid(easemob.space, "newu") is None


async def test_without_auto_create_nobody_is_made(easemob: Service) -> None:
    """Only ``true`` creates."""
    for given in (..., False, "true", 1):
        grant = {"grant_type": "inherit", "username": "newu", "autoCreateUser": given}
        said = await easemob.ask("POST", TOKEN, {key: value for key, value in grant.items() if value is not ...})
        assert (said.status, said.text) == (404, "User null not found")


def dynamic(user: str, at_s: int, ttl: int, secret: str = "csecret", appkey: str = "acme#demo") -> str:
    """A dynamic user token, made without the server (§3.1)."""
    signature = hashlib.sha256(f"cid{appkey}{user}{at_s}{ttl}{secret}".encode()).hexdigest()
    fields = {"signature": signature, "appkey": appkey, "userId": user, "curTime": at_s, "ttl": ttl}
    return base64.urlsafe_b64encode(b"dt-" + json.dumps(fields).encode()).decode()


@pytest.mark.parametrize(
    ("user", "age_s", "secret", "appkey", "text"),
    [
        ("user1", 0, "csecret", "acme#demo", "Subject does not have permission"),
        ("user1", 7200, "csecret", "acme#demo", "Unable to authenticate due to expired access token"),
        ("user1", -60, "csecret", "acme#demo", "Unable to authenticate due to expired access token"),
        ("user1", 0, "wrong", "acme#demo", "Unable to authenticate"),
        ("nobody", 0, "csecret", "acme#demo", "Unable to authenticate"),
        ("user1\0", 0, "csecret", "acme#demo", "Unable to authenticate"),
        ("user1", 0, "csecret", "acme#other", "Unable to authenticate due to corrupt access token"),
    ],
)
async def test_dynamic_user_tokens(
    easemob: Service, user: str, age_s: int, secret: str, appkey: str, text: str
) -> None:
    """Usable wherever a user token is: signed with the client secret, valid from curTime for ttl seconds."""
    now_s = easemob.context.clock.now_ms() // 1000
    token = dynamic(user, now_s - age_s, 3600, secret, appkey)
    for form in (token, token.rstrip("=")):
        easemob.headers["Authorization"] = f"Bearer {form}"
        said = await send(easemob, ["user2"])
        assert said.status == 401
        assert said.text.startswith(text)


# ---------------------------------------------------------------- limits and settings


async def test_case_41_calls_per_second(easemob: Service) -> None:
    """Over the rate: 429; whatever was accepted is stored."""
    await easemob.apply(directory("calls_per_second = 3"))
    said = [await send(easemob, ["user2"]) for _ in range(5)]
    refused = [one for one in said if one.status == 429]
    assert refused[0].text == "This request has reached api limit"
    assert 5 - len(refused) == len(await easemob.rows(schema.message))


async def test_case_42_messages_per_minute(easemob: Service) -> None:
    """Every receiver counts; a call that would pass the limit is refused whole."""
    await easemob.apply(directory("messages_per_minute = 5"))
    said = [await send(easemob, to) for to in (["a", "b", "c"], ["d", "e", "f"], ["d", "e"], ["f"])]
    assert [one.status for one in said] == [200, 403, 200, 403]
    assert (said[1].json["error"], said[1].text) == ("message_send_error", "message send reach limit")
    assert len(await easemob.rows(schema.message)) == 2


async def test_limits_may_be_off(easemob: Service) -> None:
    """0 = off."""
    await easemob.apply(directory("calls_per_second = 0\nmessages_per_minute = 0"))
    assert {200} == {(await send(easemob, ["user2"])).status for _ in range(110)}


async def test_lenient_app(easemob: Service) -> None:
    """``lenient_body``: what only the seed requires may be missing (D1)."""
    await easemob.apply(directory("lenient_body = true\nmessage_bytes = 5120"))
    said = await send(easemob, ["user2"], type="img", body={"url": "http://x/f", "filename": "f" * 4000})
    assert said.status == 200


async def test_case_60_legacy_twin(easemob: Service) -> None:
    """``success``, or the id where it is asked for; both are stored alike."""
    body = {"target_type": "users", "target": ["user2"], "msg": {"type": "txt", "msg": "x"}, "from": "user1"}
    said = await easemob.ask("POST", "/acme/demo/messages", body)
    with_id = await easemob.ask("POST", "/acme/demo/messages?useMsgId=true", body)
    ids = [str(row["public_id"]) for row in await easemob.rows(schema.entry)]
    assert (said.json["data"], said.json["path"]) == ({"user2": "success"}, "/messages")
    assert with_id.json["data"]["user2"] in ids


async def test_app_keeps_its_id(easemob: Service) -> None:
    """The app's id is the same after every apply, and another one for every app."""
    first = (await easemob.ask("POST", TOKEN, CLIENT)).json["application"]
    await easemob.apply(directory("open_registration = true"))
    assert first == (await easemob.ask("POST", TOKEN, CLIENT)).json["application"]
    other = await easemob.ask("POST", "/acme/other/token", {**CLIENT, "client_id": "cid2"})
    assert first != other.json["application"]


async def test_removed_app_is_gone(easemob: Service) -> None:
    """An app that the file no longer names does not exist; its tokens are nobody's."""
    text = directory()
    await easemob.apply(text[: text.index("[[easemob.apps]]")])
    said = await send(easemob, ["user2"])
    assert (said.status, said.json["error"]) == (404, "organization_application_not_found")
