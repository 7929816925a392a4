"""Easemob from a request to the rows it leaves, on both engines. Numbers in names are the sheet's acceptance cases."""

import asyncio
import base64
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from tests.engines import settings_for
from tests.fakes.clock import MovedClock
from tests.service import ENGINES, Said, Service, context_over

from onebell.dialects.easemob.directory import Section, wanted
from onebell.dialects.easemob.routes import Easemob
from onebell.ids import EASEMOB_ID
from onebell.settings import Settings
from onebell.store import schema
from onebell.store.base import Store
from onebell.store.lookups import CachedLookups

USERS = "/acme/demo/messages/users"
TOKEN = "/acme/demo/token"
CLIENT = {"grant_type": "client_credentials", "client_id": "cid", "client_secret": "csecret"}
DIRECTORY = """
[space]
name = "main"
timezone = "UTC"
language = "en"
public_url = "http://127.0.0.1:8080"

[[people]]
uid = "user1"
name = "User One"
password = "user1-password"

[[people]]
uid = "User2"
password = "user2-password"
email = "u2@x.cn"

[[people]]
uid = "outsider"
password = "outsider-password"

[[carriers]]
code = "site-mail"
kind = "smtp"
host = "127.0.0.1"
port = 2525
security = "none"
from = "onebell <onebell@example.test>"

[[routes]]
person = "User2"
carriers = ["site-mail"]

[[easemob.apps]]
org = "acme"
app = "demo"
client_id = "cid"
client_secret = "csecret"
users = ["user1", "User2"]
SETTING

[[easemob.apps]]
org = "acme"
app = "other"
client_id = "cid2"
client_secret = "csecret"
create_people = false

RULE
"""
RULE = """
[[easemob.callbacks]]
app = "acme/demo"
name = "audit"
kind = "post"
url = "http://127.0.0.1:9099/easemob"
secret = "s"
events = ["chat", "chat_offline"]
"""


def directory(setting: str = "", rule: str = "") -> str:
    """The directory above with a setting of the first app and a callback rule."""
    return DIRECTORY.replace("SETTING", setting).replace("RULE", rule)


@pytest.fixture(params=ENGINES)
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A fresh store."""
    return settings_for(request.param, request, tmp_path)


@pytest.fixture
async def easemob(store: Store, store_settings: Settings, lookups: CachedLookups) -> Service:
    """Easemob over a store with the directory above; requests carry an app token."""
    context = context_over(store, store_settings, lookups)
    service = Service(context, Easemob(context), (Section, wanted))
    await service.apply(directory())
    await sign_in(service)
    return service


async def token_of(easemob: Service, grant: dict[str, Any], path: str = TOKEN) -> str:
    """A fresh token."""
    said = await easemob.ask("POST", path, grant)
    assert said.status == 200, said.body
    return str(said.json["access_token"])


async def sign_in(easemob: Service) -> None:
    """Send an app token from now on."""
    easemob.headers["Authorization"] = f"Bearer {await token_of(easemob, CLIENT)}"


async def send(easemob: Service, to: list[str], **fields: Any) -> Said:
    """A text message, with fields changed."""
    body = {"from": "user1", "to": to, "type": "txt", "body": {"msg": "hi"}, **fields}
    return await easemob.ask("POST", USERS, {key: value for key, value in body.items() if value is not ...})


async def parts(easemob: Service) -> dict[str, Any]:
    """The newest message's only part."""
    row = max(await easemob.rows(schema.message), key=lambda row: row["id"])
    (part,) = json.loads(row["parts"])
    found: dict[str, Any] = part
    return found


# ---------------------------------------------------------------- who gets it


async def test_case_8_an_id_per_receiver(easemob: Service) -> None:
    """The id of the answer is the receiver's entry's own; names are found without case and answered as sent."""
    said = await send(easemob, ["user1", "USER2"])
    ids = said.json["data"]
    entries = {str(row["public_id"]): row["mailbox_id"] for row in await easemob.rows(schema.entry)}

    assert {
        "path",
        "uri",
        "timestamp",
        "organization",
        "application",
        "action",
        "data",
        "duration",
        "applicationName",
    } == set(said.json)
    assert {"user1", "USER2"} == set(ids)
    assert all(EASEMOB_ID.match(one) for one in ids.values())
    assert await easemob.person("user1") == entries[ids["user1"]]
    assert await easemob.person("user2") == entries[ids["USER2"]]


async def test_ids_increase_in_a_mailbox(easemob: Service) -> None:
    """Clients use ids as a cursor: within a mailbox they strictly increase, at any speed."""
    said = await asyncio.gather(*(send(easemob, ["user2"]) for _ in range(50)))
    ids = [int(one.json["data"]["user2"]) for one in said]
    rows = await easemob.rows(schema.entry)
    in_order = [row["public_id"] for row in sorted(rows, key=lambda row: row["seq"])]

    assert len(set(ids)) == 50
    assert sorted(ids) == in_order


async def test_both_directions_are_one_conversation(easemob: Service) -> None:
    """A pair of parties has one direct feed, whoever writes."""
    await send(easemob, ["user2"])
    await send(easemob, ["user1"], **{"from": "user2"})
    assert len({row["feed_id"] for row in await easemob.rows(schema.entry)}) == 1


async def test_case_21_six_hundred_receivers(easemob: Service) -> None:
    """Six hundred distinct ids; names that nobody has yet get a mailbox of their own."""
    said = await send(easemob, [f"r{number:03}" for number in range(1, 599)] + ["user1", "user2"])
    assert len(set(said.json["data"].values())) == 600
    assert len(await easemob.rows(schema.entry)) == 600


async def test_case_22_one_more_stores_nothing(easemob: Service) -> None:
    """601 are refused whole."""
    said = await send(easemob, [f"r{number}" for number in range(601)])
    assert said.text == "params to's size can't exceed limit 600"
    assert await easemob.rows(schema.message) == []


async def test_case_35_unknown_name_keeps_its_messages(easemob: Service) -> None:
    """A message to a name is kept, and given to the person who appears under it (D9)."""
    said = await send(easemob, ["ghost"])
    grant = {"grant_type": "inherit", "username": "Ghost", "autoCreateUser": True}
    user = (await easemob.ask("POST", TOKEN, grant)).json["user"]
    (entry,) = await easemob.rows(schema.entry)

    assert (user["username"], user["type"], user["activated"]) == ("ghost", "user", True)
    assert await easemob.person("ghost") == entry["mailbox_id"]
    assert said.json["data"]["ghost"] == str(entry["public_id"])


async def test_name_of_a_person_without_an_account(easemob: Service) -> None:
    """A person who has no account in this app is nobody here: his inbox gets nothing."""
    await send(easemob, ["outsider"])
    (entry,) = await easemob.rows(schema.entry)
    assert await easemob.person("outsider") != entry["mailbox_id"]


async def test_names_nobody_can_have(easemob: Service) -> None:
    """They get an id and leave no mailbox; the message itself is stored before the answer."""
    before = len(await easemob.rows(schema.party))
    said = await send(easemob, ["a b", "张三", "x" * 65, "\0"], **{"from": "\0 nobody"})
    assert len(set(said.json["data"].values())) == 4
    assert len(await easemob.rows(schema.message)) == 1
    assert await easemob.rows(schema.entry) == []
    assert before + 1 == len(await easemob.rows(schema.party))


async def test_whatever_is_written_as_from_makes_no_rows(easemob: Service) -> None:
    """Names that nobody can ever have share one party."""
    before = len(await easemob.rows(schema.party))
    for number in range(3):
        assert (await send(easemob, ["user2"], **{"from": f"nobody {number}"})).status == 200
    assert before + 1 == len(await easemob.rows(schema.party))


async def test_case_18_default_sender(easemob: Service) -> None:
    """Without ``from`` the administrator of the app writes."""
    await send(easemob, ["user2"], **{"from": ...})
    (message,) = await easemob.rows(schema.message)
    assert (message["sender_kind"], message["sender_name"]) == ("system", "admin")
    assert (await parts(easemob))["content"]["data"]["from"] == "admin"


async def test_sender_is_the_accounts_person(easemob: Service) -> None:
    """A registered sender is shown by his account; an unregistered one by the name as written."""
    await send(easemob, ["user2"], **{"from": "USER1"})
    await send(easemob, ["user2"], **{"from": "Stranger"})
    first, second = await easemob.rows(schema.message)
    assert ("person", await easemob.person("user1")) == (first["sender_kind"], first["sender"])
    assert (second["sender_kind"], second["sender_name"]) == ("name", "Stranger")


async def test_sync_device_copies_to_the_sender(easemob: Service) -> None:
    """An outgoing entry with the same id in the sender's mailbox; none for the administrator."""
    said = await send(easemob, ["user2"], sync_device=True)
    entries = {row["mailbox_id"]: row for row in await easemob.rows(schema.entry)}
    mine, his = entries[await easemob.person("user1")], entries[await easemob.person("user2")]
    assert (mine["direction"], his["direction"]) == (1, 0)
    assert {int(said.json["data"]["user2"])} == {mine["public_id"], his["public_id"]}
    assert (await send(easemob, ["user2"], sync_device=True, **{"from": ...})).status == 200
    assert len(await easemob.rows(schema.entry)) == 3


async def test_message_to_oneself(easemob: Service) -> None:
    """Allowed, also with a copy."""
    for sync in (False, True):
        assert (await send(easemob, ["user1"], sync_device=sync)).status == 200


async def test_case_9_online_only(easemob: Service) -> None:
    """ROUTE_ONLINE to somebody who is offline: an id, a durable row, no entry, no carrier."""
    said = await send(easemob, ["user2", "ghost"], routetype="ROUTE_ONLINE")
    (message,) = await easemob.rows(schema.message)
    assert len(set(said.json["data"].values())) == 2
    assert message["keep"] == "while_online"
    assert await easemob.rows(schema.entry) == []
    assert await easemob.rows(schema.delivery) == []


async def test_routes_and_silence(easemob: Service) -> None:
    """A message goes over the receiver's routes too, unless ``em_ignore_notification`` says that nothing may ring."""
    await send(easemob, ["user2"])
    assert await easemob.addresses() == ["u2@x.cn"]
    await send(easemob, ["user2"], ext={"em_ignore_notification": True})
    assert await easemob.addresses() == []


async def test_commands_are_pushed_nowhere(easemob: Service) -> None:
    """cmd messages are delivered and stored, never shown or pushed."""
    await send(easemob, ["user2"], type="cmd", body={"action": "a"})
    part = await parts(easemob)
    assert await easemob.addresses() == []
    assert len(await easemob.rows(schema.entry)) == 1
    assert (part["carriers"], part["content"]["data"]["type"]) == (["inbox"], "cmd")
    assert "body" not in part["content"]


async def test_push_texts(easemob: Service) -> None:
    """Title and text for notifications come from em_apns_ext, else em_push_ext; the message itself stays."""
    ext = {"em_apns_ext": {"em_push_title": "T"}, "em_push_ext": {"title": "x", "content": "C"}}
    await send(easemob, ["user2"], ext=ext)
    content = (await parts(easemob))["content"]
    assert (content["title"], content["summary"], content["body"]) == ("T", "C", "hi")
    assert ext == content["data"]["ext"]


async def test_cases_10_to_16_what_clients_get(easemob: Service) -> None:
    """The canonical body, the extension and both names travel with the message; a person reads a label."""
    body = {"filename": "a.jpg", "url": "http://x/f", "size": {"width": 1, "height": 2}}
    await send(easemob, ["user2"], type="img", body=body, ext={"k": [1]})
    content = (await parts(easemob))["content"]
    stored = {**body, "secret": "", "file_length": 0, "type": "img"}
    assert {"type": "img", "body": stored, "ext": {"k": [1]}, "from": "user1", "to": ["user2"]} == content["data"]
    assert (content["body"], content["url"]) == ("[图片]", "http://x/f")


# ---------------------------------------------------------------- callbacks


async def test_watched_only_where_a_rule_asks(easemob: Service) -> None:
    """Without a post-send rule a message has no events to pack."""
    await send(easemob, ["user2"])
    assert [row["watched"] for row in await easemob.rows(schema.message)] == [0]


async def test_case_57_events_of_a_watched_message(easemob: Service) -> None:
    """One event per receiver, with his id and whether he was offline; the body is kept for the callback."""
    await easemob.apply(directory(rule=RULE))
    said = await send(easemob, ["user2", "ghost"], env="default")
    events = await easemob.events("stored")
    extra = json.loads((await easemob.rows(schema.message))[0]["extra"])

    assert set(said.json["data"].values()) == {one["public_id"] for one in events}
    assert {True} == {one["offline"] for one in events}
    assert {str(one["person"]) for one in events} == set(extra["to"])
    assert {"user2", "ghost"} == set(extra["to"].values())
    assert (extra["app"], extra["env"], extra["body"]) == ("acme/demo", "default", {"msg": "hi", "type": "txt"})


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
    easemob.dialect = Easemob(dataclasses.replace(easemob.context, clock=MovedClock(now + 60_000)))
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
