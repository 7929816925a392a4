"""Sending, following, recalling; tokens' and people's own messages; retries and parked callbacks."""

import asyncio
import io
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.native_server import Native

from onebell.core.bell import Changed, Due
from onebell.store import schema

MESSAGES = "/api/v1/messages"


async def inbox(native: Native, uid: str) -> list[dict[str, Any]]:
    token = await native.token("read", "t", await native.person(uid))
    _, body = await native.call("GET", "/api/v1/inbox?after=0", token)
    return body["items"]


async def until(native: Native, uid: str, count: int) -> list[str]:
    """Titles in somebody's inbox once there are so many: tags are expanded after the answer."""
    async with asyncio.timeout(20):
        while len(items := await inbox(native, uid)) < count:
            await asyncio.sleep(0.01)
    return [item["title"] for item in items]


async def send(native: Native, token: str, headers: dict[str, str] | None = None, **body: Any) -> tuple[int, Any]:
    return await native.call("POST", MESSAGES, token, body, headers=headers or {})


async def test_a_message_reaches_people_feeds_and_tags(native: Native) -> None:
    """Receivers are named by uid, by feed, by tag, or by several of them; each gets the message once per feed."""
    token = await native.token("send")
    ops = await native.context.lookups.feed_by_code(native.space, "native", "topic", "ops")

    assert (await send(native, token, to=["RITA", "sam"], title="by uid"))[0] == 201
    assert (await send(native, token, feeds=[str(ops.id)], title="by feed"))[0] == 201
    assert (await send(native, token, tags=["staff"], title="by tag"))[0] == 201
    assert (await send(native, token, tags=["staff"], title="by tag again"))[0] == 201

    assert await until(native, "rita", 4) == ["by uid", "by feed", "by tag", "by tag again"]
    assert await until(native, "alice", 3) == ["by feed", "by tag", "by tag again"]
    assert await until(native, "sam", 3) == ["by uid", "by tag", "by tag again"]
    feeds = {item["title"]: item["feed"] for item in await inbox(native, "rita")}
    assert feeds["by tag"] == feeds["by tag again"]
    assert feeds["by tag"]["name"] == "ci"
    assert feeds["by feed"]["code"] == "ops"


async def test_a_person_writes_as_himself(native: Native) -> None:
    """A message from a session shows the person; one from a token shows the token's name."""
    sam = await native.sign_in("sam")

    assert (await send(native, sam, to="rita", title="hi"))[0] == 201
    assert (await send(native, sam, to="sam", title="note to self"))[0] == 201

    assert (await inbox(native, "rita"))[0]["sender"] == {"name": "Sam", "kind": "person"}
    assert [item["title"] for item in await inbox(native, "sam")] == ["note to self"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": "t"}, "to"),
        ({"to": [], "title": "t"}, "to"),
        ({"to": "nobody", "title": "t"}, "to"),
        ({"to": ["rita", "nobody"], "title": "t"}, "to"),
        ({"to": ["rita"] * 1001, "title": "t"}, "to"),
        ({"to": "rita"}, "body"),
        ({"to": "rita", "title": "t" * 501}, "title"),
        ({"to": "rita", "body": "b" * 65_537}, "body"),
        ({"to": "rita", "title": 7}, "title"),
        ({"to": "rita", "title": "t", "format": "rtf"}, "format"),
        ({"to": "rita", "title": "t", "severity": "loud"}, "severity"),
        ({"to": "rita", "title": "t", "url": "javascript:alert(1)"}, "url"),
        ({"to": "rita", "title": "t", "images": ["data:image/png;base64,x"]}, "images"),
        ({"to": "rita", "title": "t", "images": ["https://a.test"] * 51}, "images"),
        ({"to": "rita", "title": "t", "carriers": ["nothing"]}, "carriers"),
        ({"feeds": ["1"], "title": "t"}, "feeds"),
        ({"feeds": ["x"], "title": "t"}, "feeds"),
        ({"feeds": ["9" * 30], "title": "t"}, "feeds"),
        ({"tags": ["staff", "a\0"], "title": "t"}, "tags"),
        ({"to": "rita", "title": "t", "actions": [{"url": "https://a.test"}]}, "actions[0]"),
        ({"to": "rita", "title": "t", "colour": "red"}, None),
    ],
)
async def test_a_message_that_breaks_a_rule_is_not_stored(
    native: Native, body: dict[str, Any], field: str | None
) -> None:
    """The field is named, and nothing is stored, not even for the receivers that exist."""
    status, answer = await native.call(
        "POST", MESSAGES, await native.token("send"), data=io.BytesIO(msgspec.json.encode(body))
    )

    assert (status, answer["error"]["code"], answer["error"].get("field")) == (422, "invalid", field)
    assert await inbox(native, "rita") == []


# ---------------------------------------------------------------- idempotency


async def test_a_repeated_key_stores_nothing(native: Native) -> None:
    """All repeats, also those that come at the same time, get the first answer; there is one message."""
    token = await native.token("send")
    key = {"Idempotency-Key": "deploy-17"}

    answers = await asyncio.gather(*(send(native, token, key, to="rita", title="once") for _ in range(20)))

    assert {status for status, _ in answers} == {201}
    assert len({body["message_id"] for _, body in answers}) == 1
    assert len(await inbox(native, "rita")) == 1


async def test_a_key_with_another_message_is_refused(native: Native) -> None:
    """The same key with another payload is a mistake of the caller; written differently it is the same payload."""
    token = await native.token("send")
    key = {"Idempotency-Key": "k"}
    await send(native, token, key, to="rita", title="once")

    status, answer = await send(native, token, key, to="rita", title="other")
    assert (status, answer["error"]["code"]) == (422, "key_reused")
    same = b'{ "title": "on\\u0063e",  "to": "rita" }'
    assert (await native.call("POST", MESSAGES, token, data=same, headers=key))[0] == 201
    assert len(await inbox(native, "rita")) == 1


async def test_a_key_belongs_to_its_caller(native: Native) -> None:
    """Two callers may use the same key; so may one caller after 24 hours, or no key at all."""
    key = {"Idempotency-Key": "k"}
    first, second = await native.token("send", "one"), await native.token("send", "two")
    await send(native, first, key, to="rita", title="a")
    await send(native, second, key, to="rita", title="b")
    await send(native, await native.sign_in("sam"), key, to="rita", title="c")
    await send(native, first, to="rita", title="a")
    await send(native, first, to="rita", title="a")
    native.clock.ahead_s = 86_401
    assert (await send(native, first, key, to="rita", title="d"))[0] == 201

    assert sorted(item["title"] for item in await inbox(native, "rita")) == ["a", "a", "a", "b", "c", "d"]


async def test_a_bad_key_is_refused(native: Native) -> None:
    """A key has at most 255 printable characters."""
    token = await native.token("send")
    status, answer = await send(native, token, {"Idempotency-Key": "k" * 256}, to="rita", title="t")

    assert (status, answer["error"]["code"]) == (400, "bad_request")


# ---------------------------------------------------------------- following


async def test_a_timeline_tells_everything(native: Native) -> None:
    """A message's page has its content, what mailboxes did with it, its deliveries with attempts, and its events."""
    message = await native.send("rita", "deployed", body="v1")
    owner = await native.sign_in("alice")
    rita = await native.sign_in("rita")
    await native.call("POST", "/api/v1/inbox/1/read", rita)
    delivery = await _delivery(native, message, state="failed")

    status, found = await native.call("GET", f"{MESSAGES}/{message}", owner)

    assert status == 200
    assert (found["message"]["message_id"], found["message"]["title"], found["body"]) == (message, "deployed", "v1")
    assert found["inbox"] == {"entries": 1, "taken": 1, "read": 1, "recalled": 0}
    shown = found["deliveries"][0]
    assert (shown["id"], shown["carrier"], shown["kind"]) == (str(delivery), "desk", "mail_desk")
    assert (shown["address"], shown["uid"], shown["state"], shown["why"]) == ("r@mail.test", "rita", "failed", "550 no")
    assert [(attempt["no"], attempt["outcome"]) for attempt in found["attempts"]] == [(1, "permanent")]
    assert [(event["kind"], event["data"]) for event in found["events"]] == [("failed", {"code": 550})]
    assert not found["more"]


async def _delivery(native: Native, public_id: str, state: str) -> int:
    """A delivery of a message with one attempt and one event, as the dispatcher leaves them."""
    found = await native.context.store.timelines.find(native.space, public_id, ["native"])
    account = await native.context.lookups.carrier(native.space, "desk")
    person = await native.person("rita")
    target = (await native.context.lookups.targets(native.space, account.id, ["r@mail.test"]))["r@mail.test"]
    number = native.context.mint.mint()
    here = {"space_id": native.space, "message_id": found.id}

    def work(conn: sa.Connection) -> None:
        conn.execute(
            schema.delivery.insert(),
            [
                {**here, "id": number, "account_id": account.id, "target_id": target, "person_id": person}
                | {"state": state, "attempts": 1, "why": "550 no", "created_at": 1, "closed_at": 2}
            ],
        )
        conn.execute(
            schema.attempt.insert(),
            [{"space_id": native.space, "delivery_id": number, "no": 1, "started_at": 1, "outcome": "permanent"}],
        )
        conn.execute(
            schema.event.insert(),
            [{**here, "id": number, "dialect": "native", "kind": "failed", "data": b'{"code":550}', "created_at": 2}],
        )

    await native.database.write(work)
    return number


async def test_a_failed_delivery_can_be_tried_again(native: Native) -> None:
    """A retry makes it due and rings; one that is open, or does not exist, cannot be retried."""
    operator = await native.sign_in("oscar")
    message = await native.send("rita")
    delivery = await _delivery(native, message, state="failed")
    rung: list[Due] = []
    native.context.bell.listen(Due, rung.append)

    assert (await native.call("POST", f"/api/v1/deliveries/{delivery}/retry", operator))[0] == 204

    assert [due.queue for due in rung] == ["deliveries"]
    _, found = await native.call("GET", f"{MESSAGES}/{message}", operator)
    assert found["deliveries"][0]["state"] == "due"
    assert (await native.call("POST", f"/api/v1/deliveries/{delivery}/retry", operator))[0] == 404
    assert (await native.call("POST", "/api/v1/deliveries/1/retry", operator))[0] == 404


async def test_lists_show_ones_own_messages(native: Native) -> None:
    """Without the right to view, a caller sees what he sent; with it, everything, page by page, newest first."""
    sam, owner = await native.sign_in("sam"), await native.sign_in("alice")
    one, other = await native.token("send", "ci"), await native.token("send", "ci")
    for token, title in ((sam, "sam's"), (one, "one's"), (other, "other's")):
        await send(native, token, to="rita", title=title)

    async def titles(token: str, query: str = "") -> list[str]:
        _, body = await native.call("GET", f"{MESSAGES}{query}", token)
        return [item["title"] for item in body["items"]]

    assert await titles(sam) == ["sam's"]
    assert await titles(one) == ["one's"]
    assert await titles(other) == ["other's"]
    assert await titles(owner) == ["other's", "one's", "sam's"]
    assert await titles(owner, "?dialect=wecom") == []
    assert await titles(owner, "?dialect=native&state=finished") == ["other's", "one's", "sam's"]
    _, first = await native.call("GET", f"{MESSAGES}?limit=2", owner)
    assert await titles(owner, f"?limit=2&before={first['next']}") == ["sam's"]


async def test_a_message_is_recalled_everywhere(native: Native) -> None:
    """A recall reaches every mailbox and rings; its sender or an operator may, nobody else; twice does nothing."""
    token = await native.token("send")
    _, sent = await send(native, token, to=["rita", "sam"], title="oops")
    path = f"{MESSAGES}/{sent['message_id']}/recall"
    rung: list[Changed] = []
    native.context.bell.listen(Changed, rung.append)

    assert (await native.call("POST", path, await native.token("send")))[0] == 404
    assert await native.call("POST", path, token) == (200, {"recalled": True})
    assert await native.call("POST", path, await native.sign_in("oscar")) == (200, {"recalled": False})

    people = {await native.person("rita"), await native.person("sam")}
    assert {box for note in rung for box in note.mailboxes} == people
    for uid in ("rita", "sam"):
        (item,) = await inbox(native, uid)
        assert item["recalled_at"]
        assert item["title"] == ""
    _, found = await native.call("GET", f"{MESSAGES}/{sent['message_id']}", token)
    assert (found["message"]["state"], found["inbox"]["recalled"]) == ("recalled", 2)
    assert [event["kind"] for event in found["events"]] == ["recalled"]


async def test_the_same_id_in_two_dialects(native: Native) -> None:
    """Ids are unique per dialect: the caller may say which one he means."""
    message = await native.send("rita")
    owner = await native.sign_in("alice")

    assert (await native.call("GET", f"{MESSAGES}/{message}?dialect=native", owner))[0] == 200
    assert (await native.call("GET", f"{MESSAGES}/{message}?dialect=pushgo", owner))[0] == 404


# ---------------------------------------------------------------- the space


async def test_parked_callbacks_can_be_seen_and_replayed(native: Native) -> None:
    """A callback that nobody took is listed with the receiver's last words, and can be sent again once."""
    operator = await native.sign_in("oscar")
    row = {
        "space_id": native.space, "id": 77, "dialect": "ums", "kind": "receipt", "url": "https://a.test/cb",
        "state": "parked", "attempts": 9, "last_status": 500, "last_reply": "oops", "created_at": 1, "closed_at": 2,
    }  # fmt: skip
    await native.database.write(lambda conn: conn.execute(schema.callback.insert(), [row]))
    rung: list[Due] = []
    native.context.bell.listen(Due, rung.append)

    _, listed = await native.call("GET", "/api/v1/callbacks", operator)
    assert [(item["id"], item["last_reply"], item["attempts"]) for item in listed["items"]] == [("77", "oops", 9)]
    assert (await native.call("POST", "/api/v1/callbacks/77/replay", operator))[0] == 204

    assert [due.queue for due in rung] == ["callbacks"]
    assert (await native.call("POST", "/api/v1/callbacks/77/replay", operator))[0] == 404
    _, due = await native.call("GET", "/api/v1/callbacks?state=due", operator)
    assert [(item["id"], item["attempts"]) for item in due["items"]] == [("77", 0)]


async def test_carriers_are_shown_without_secrets_and_checked(native: Native) -> None:
    """Secret fields never leave; a check tells what the provider said, at most 512 bytes of it."""
    operator = await native.sign_in("oscar")

    _, listed = await native.call("GET", "/api/v1/carriers", operator)
    assert {item["code"]: item["fields"] for item in listed["items"]} == {
        "desk": {"host": "mail.test"},
        "bad-desk": {"host": "mail.test"},
    }
    assert listed["kinds"] == [{"kind": "mail_desk"}]
    _, good = await native.call("POST", "/api/v1/carriers/desk/check", operator)
    _, bad = await native.call("POST", "/api/v1/carriers/bad-desk/check", operator)
    assert good == {"ok": True, "outcome": "sent", "why": "250 ready"}
    assert (bad["ok"], bad["outcome"], len(bad["why"])) == (False, "unauthorized", 512)
    assert (await native.call("POST", "/api/v1/carriers/none/check", operator))[0] == 404


async def test_people_are_listed_in_pages(native: Native) -> None:
    """People come in pages, without their passwords."""
    operator = await native.sign_in("oscar")
    _, first = await native.call("GET", "/api/v1/people?limit=3", operator)
    _, rest = await native.call("GET", f"/api/v1/people?limit=3&after={first['next']}", operator)

    assert [item["uid"] for item in first["items"] + rest["items"]] == ["alice", "oscar", "sam", "rita"]
    assert rest["next"] is None
    assert all(item["can_sign_in"] for item in first["items"])
    assert "argon2" not in str(first)


async def test_a_token_needs_a_name_a_scope_and_a_person_that_exists(native: Native) -> None:
    """What a token is asked for is checked."""
    owner = await native.sign_in("alice")
    for body, field in (
        ({"name": ""}, "name"),
        ({"name": "n" * 101}, "name"),
        ({"name": "n", "scope": "everything"}, "scope"),
        ({"name": "n", "person": "nobody"}, "person"),
        ({"scope": "send"}, None),
    ):
        status, answer = await native.call("POST", "/api/v1/tokens", owner, body)
        assert (status, answer["error"].get("field")) == (422, field)
