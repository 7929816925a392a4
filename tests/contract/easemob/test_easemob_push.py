"""Easemob: for whom a message rings, and the settings over REST (sheet easemob §6)."""

import json
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.contract.easemob.support import send, token_of
from tests.service import Said, Service

from onebell.clock import utc
from onebell.core.presence import Session
from onebell.dialects.easemob.disturb import NOTIFICATION
from onebell.dialects.easemob.notifications import CONVERSATIONS
from onebell.dialects.easemob.push_text import BODY, TITLE
from onebell.store import schema

USER = "/acme/demo/users/user2"
TEMPLATE = "/acme/demo/notification/template"


async def pushed(service: Service) -> list[tuple[str, str]]:
    """Title and body of what the newest message's deliveries say."""
    row = max(await service.rows(schema.message), key=lambda row: row["id"])
    contents = [part["content"] for part in json.loads(row["parts"])]
    found = [one["part"] for one in await service.rows(schema.delivery) if one["message_id"] == row["id"]]
    return [(contents[part].get("title", ""), contents[part].get("body", "")) for part in found]


async def put(service: Service, path: str, body: Any, method: str = "PUT", status: int = 200) -> Any:
    """A call that changes something; its answer."""
    said = await service.ask(method, path, body)
    assert said.status == status, said.body
    return said.json


async def test_who_rings(easemob: Service) -> None:
    """Only accounts with routes; the default style says nothing of the message."""
    await send(easemob, ["user2", "user1", "ghost"])
    assert await pushed(easemob) == [(TITLE, BODY)]
    await put(easemob, USER, {"notification_display_style": "1"})
    await put(easemob, "/acme/demo/users/user1", {"nickname": "Uno"})
    await send(easemob, ["user2"])
    assert await pushed(easemob) == [(TITLE, "Uno: hi")]


async def test_the_inbox_shows_the_message(easemob: Service) -> None:
    """What rings elsewhere is a part of its own; the entry is the message."""
    await send(easemob, ["user2"])
    row = (await easemob.rows(schema.message))[-1]
    first, push = json.loads(row["parts"])
    assert (first["carriers"], first["content"]["body"]) == (["inbox"], "hi")
    assert (push["carriers"], push["only"]) == (["site-mail"], [await easemob.person("user2")])


@pytest.mark.parametrize(
    "fields",
    [
        {"ext": {"em_ignore_notification": True}}, {"routetype": "ROUTE_ONLINE"},
        {"type": "cmd", "body": {"action": "a"}},
        {"ext": {"em_push_filter": {"ignore_notifier_name": ["site-mail"]}}},
        {"ext": {"em_push_filter": {"accept_notifier_name": ["other"]}}},
    ],
)  # fmt: skip
async def test_what_does_not_ring(easemob: Service, fields: dict[str, Any]) -> None:
    """Silent and passing messages, commands, and channels that the message leaves out."""
    await send(easemob, ["user2"], **fields)
    assert await pushed(easemob) == []


async def test_filters_that_let_through(easemob: Service) -> None:
    """A channel that is accepted, or not ignored."""
    for wanted in ({"accept_notifier_name": ["site-mail"]}, {"ignore_notifier_name": ["x"]}, {}, "nonsense"):
        await send(easemob, ["user2"], ext={"em_push_filter": wanted})
        assert await pushed(easemob) == [(TITLE, BODY)]


async def test_who_is_online_is_not_rung(easemob: Service) -> None:
    """A live connection to the inbox, or a client of this app, is enough; a client of another app is not."""
    store, now = easemob.context.store, easemob.context.clock.now_ms()
    person = await easemob.person("user2")
    for number, (kind, info, rings) in enumerate(
        [("msync", {"realm": "acme/other"}, True), ("sign_in", {}, True), ("msync", {"realm": "acme/demo"}, False)]
    ):
        session = Session(
            space=easemob.space, id=number + 1, kind=kind, mailbox=person, node=1, lease_until=now + 60_000, info=info,
            created_at=now,
        )  # fmt: skip
        await store.sessions.open_all([session])
        await send(easemob, ["user2"])
        assert bool(await pushed(easemob)) is rings, kind


async def test_do_not_disturb_and_force(easemob: Service) -> None:
    """Quiet is quiet, unless the message forces its way."""
    said = await put(easemob, f"{USER}/notification/user/user1", {"type": "NONE", "ignoreDuration": 1000})
    assert said["data"]["type"] == "NONE"
    assert said["data"]["ignoreDuration"] > 1_700_000_000_000
    await send(easemob, ["user2"])
    assert await pushed(easemob) == []
    await send(easemob, ["user2"], ext={"em_force_notification": True})
    assert await pushed(easemob) == [(TITLE, BODY)]
    await send(easemob, ["user2"], **{"from": "stranger"})
    assert await pushed(easemob) == [(TITLE, BODY)]


@pytest.mark.parametrize("name", ["\0", "a/b", "x" * 65, 5])
async def test_a_template_that_none_can_be(easemob: Service, name: object) -> None:
    """What a message names may be anything: it rings as if it named none."""
    assert (await send(easemob, ["user2"], ext={"em_push_template": {"name": name}})).status == 200
    assert await pushed(easemob) == [(TITLE, BODY)]


async def test_hours_are_those_of_who_is_rung(easemob: Service) -> None:
    """His own clock where he has one, else the space's (UTC here)."""
    here = utc(easemob.context.clock.now_ms()).astimezone(ZoneInfo("Asia/Kathmandu"))
    hour = f"{here - timedelta(minutes=30):%H:%M}-{here + timedelta(minutes=30):%H:%M}"
    await put(easemob, f"{USER}/notification/user/user2", {"ignoreInterval": hour})
    await send(easemob, ["user2"])
    assert await pushed(easemob) == [(TITLE, BODY)]
    person = await easemob.person("user2")
    await easemob.context.store.people.set_language(easemob.space, person, "en", "Asia/Kathmandu")
    await send(easemob, ["user2"])
    assert await pushed(easemob) == []


async def test_settings_come_back(easemob: Service) -> None:
    """What is not named again stays; answers echo all of it."""
    path = f"{USER}/notification/user/user2"
    await put(easemob, path, {"type": "AT", "ignoreInterval": "21:30-08:00"})
    said = await put(easemob, path, {"ignoreDuration": 0})
    assert said["data"] == {"type": "AT", "ignoreInterval": "21:30-08:00", "ignoreDuration": 0}
    assert (await easemob.ask("GET", path)).json["data"] == said["data"]
    assert (await easemob.ask("GET", f"{USER}/notification/chatgroup/1")).json["data"] == {}


async def test_settings_are_not_for_everybody_there_could_be(easemob: Service) -> None:
    """An account has them for so many conversations; those that are there still change."""
    many = {f"user/u{number}": {"type": "NONE"} for number in range(CONVERSATIONS)}
    await easemob.context.store.accounts.change_settings(
        easemob.space, "acme/demo", "user2", lambda kept: {**kept, NOTIFICATION: many}
    )
    said = await easemob.ask("PUT", f"{USER}/notification/user/another", {"type": "NONE"})
    assert (said.status, said.text) == (400, "the settings exceed maximum limit, maximum limit is 500")
    assert (await put(easemob, f"{USER}/notification/user/u7", {"type": "ALL"}))["data"] == {"type": "ALL"}


@pytest.mark.parametrize(
    "body",
    [{"type": "SOME"}, {"type": 1}, {"ignoreInterval": "24:00-08:00"}, {"ignoreInterval": "8:00-9:00"},
     {"ignoreInterval": 1}, {"ignoreDuration": -1}, {"ignoreDuration": 604800001}, {"ignoreDuration": "1"},
     {"ignoreDuration": True}],
)  # fmt: skip
async def test_settings_that_are_refused(easemob: Service, body: dict[str, Any]) -> None:
    """A value that means nothing changes nothing."""
    said = await easemob.ask("PUT", f"{USER}/notification/user/user1", body)
    assert (said.status, said.text) == (400, f"parameters is invalid : {next(iter(body))}")


async def test_templates(easemob: Service) -> None:
    """Made, shown, changed, used by name, by choice and by default, removed."""
    made = await put(easemob, TEMPLATE, {"name": "hx", "title_pattern": "T {0}", "content_pattern": "{$msg}"}, "POST")
    assert {"name", "createAt", "updateAt", "title_pattern", "content_pattern"} == set(made["data"])
    assert (made["action"], made["path"]) == ("post", "/notification/template")
    assert (await easemob.ask("GET", f"{TEMPLATE}/hx")).json["data"] == made["data"]
    await put(easemob, f"{TEMPLATE}/hx", {"title_pattern": "Changed {0}"})
    await send(easemob, ["user2"], ext={"em_push_template": {"name": "hx", "title_args": ["!"]}})
    assert await pushed(easemob) == [("Changed !", "hi")]

    assert (await put(easemob, f"{USER}/notification/template", {"templateName": "hx"}))["data"] == {
        "templateName": "hx"
    }
    assert (await easemob.ask("GET", f"{USER}/notification/template")).json["data"] == {"templateName": "hx"}
    await send(easemob, ["user2"])
    assert await pushed(easemob) == [("Changed ", "hi")]

    assert (await put(easemob, f"{TEMPLATE}/hx", None, "DELETE"))["data"]["name"] == "hx"
    await put(
        easemob, TEMPLATE, {"name": "default", "title_pattern": "D", "content_pattern": "{$fromNickname}"}, "POST"
    )
    await send(easemob, ["user2"])
    assert await pushed(easemob) == [("D", "User One")]


async def test_templates_that_are_refused(easemob: Service) -> None:
    """Names of 64 letters and digits; both patterns; one of a name; another app has its own."""
    good = {"name": "hx", "title_pattern": "T", "content_pattern": "C"}
    await put(easemob, TEMPLATE, good, "POST")
    for body in (
        {**good, "name": "a b"},
        {**good, "name": "x" * 65},
        {**good, "title_pattern": ""},
        {"name": "y"},
        good,
    ):
        await put(easemob, TEMPLATE, body, "POST", 400)
    for method in ("GET", "PUT", "DELETE"):
        said = await easemob.ask(method, f"{TEMPLATE}/gone", {})
        assert (said.status, said.text) == (400, "gone template is not exist")


async def test_push_addresses(easemob: Service) -> None:
    """One per device and notifier, kept sealed, given back in clear; an empty token or notifier unbinds."""
    path = f"{USER}/push/binding"

    async def bind(device: str, token: str, notifier: str) -> Any:
        body = {"device_id": device, "device_token": token, "notifier_name": notifier}
        return (await put(easemob, path, body))["entities"]

    assert await bind("d1", "t1", "n1") == [{"device_id": "d1", "device_token": "t1", "notifier_name": "n1"}]
    assert [one["device_token"] for one in await bind("d1", "t2", "n2")] == ["t1", "t2"]
    assert [one["device_token"] for one in await bind("d1", "t3", "n1")] == ["t2", "t3"]
    assert len((await easemob.ask("GET", path)).json["entities"]) == 2
    await bind("d2", "t9", "n1")
    assert [one["notifier_name"] for one in await bind("d1", "", "n1")] == ["n2"]
    assert await bind("d1", "", "") == []
    (row,) = [one for one in await easemob.rows(schema.account) if one["name"] == "user2"]
    assert b"d2" in row["settings"]
    assert b"t9" not in row["settings"]
    (kept,) = (await easemob.ask("GET", path)).json["entities"]
    assert kept["device_token"] == "t9"


async def test_whose_settings(easemob: Service) -> None:
    """A user's token opens his own settings, and no one else's; templates are the app's."""
    grant = {"grant_type": "password", "username": "user1", "password": "user1-password"}
    mine = {"Authorization": f"Bearer {await token_of(easemob, grant)}"}

    async def ask(path: str) -> Said:
        return await easemob.ask("GET", path, headers=mine)

    assert (await ask("/acme/demo/users/user1/push/binding")).status == 200
    assert (await ask(f"{USER}/push/binding")).status == 401
    assert (await ask(f"{USER}/notification/user/user1")).status == 401
    assert (await ask(f"{TEMPLATE}/hx")).status == 401
    assert (await easemob.ask("GET", "/acme/demo/users/nobody/push/binding")).status == 404
