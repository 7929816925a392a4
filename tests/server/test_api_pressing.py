"""Actions of messages over HTTP: what a reader presses, its sender learns."""

from typing import Any

import pytest
from tests.native_server import Native

INBOX = "/api/v1/inbox"
CHOICE = [
    {"text": "Approve", "key": "deploy", "value": "yes"},
    {"text": "Reject", "key": "deploy", "value": "no"},
    {"text": "Read more", "url": "https://example.test/"},
]


async def ask(native: Native, token: str, actions: list[dict[str, str]]) -> tuple[int, Any]:
    body = {"to": "rita", "title": "Deploy v1.2?", "actions": actions}
    return await native.call("POST", "/api/v1/messages", token, body)


async def press(native: Native, token: str, seq: int = 1, **body: str) -> tuple[int, Any]:
    return await native.call("POST", f"{INBOX}/{seq}/press", token, body)


async def test_a_press_shows_to_the_reader_and_to_the_sender(native: Native) -> None:
    """The entry takes a new rev with the answer; the message's timeline says who answered what."""
    rita, sam = await native.sign_in("rita"), await native.sign_in("sam")
    _, sent = await ask(native, sam, CHOICE)
    status, moved = await press(native, rita, key="deploy", value="yes")
    assert (status, moved) == (200, {"rev": 2})

    _, page = await native.call("GET", f"{INBOX}?after=1", rita)
    _, timeline = await native.call("GET", f"/api/v1/messages/{sent['message_id']}", sam)
    _, people = await native.call("GET", "/api/v1/people", await native.sign_in("oscar"))
    assert [item["answers"] for item in page["items"]] == [{"deploy": "yes"}]
    pressed = timeline["events"][-1]
    assert (pressed["kind"], pressed["data"]) == ("pressed", {"key": "deploy", "value": "yes"})
    assert [one["uid"] for one in people["items"] if one["id"] == pressed["person"]] == ["rita"]


async def test_only_an_offered_answer_counts_and_only_once(native: Native) -> None:
    """Unknown keys and values, links, a second choice, and somebody else's entry are refused in the API's words."""
    rita, sam = await native.sign_in("rita"), await native.sign_in("sam")
    await ask(native, sam, CHOICE)

    for wrong in ({"key": "deploy", "value": "maybe"}, {"key": "other", "value": "yes"}, {"key": ""}):
        status, body = await press(native, rita, **wrong)
        assert (status, body["error"]["code"], body["error"]["field"]) == (422, "invalid", "key")
    assert (await press(native, sam, key="deploy", value="yes"))[0] == 404
    assert (await press(native, rita, key="deploy", value="no"))[0] == 200
    assert (await press(native, rita, key="deploy", value="no"))[1] == {"rev": 0}
    status, body = await press(native, rita, key="deploy", value="yes")
    assert (status, body["error"]["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    "action",
    [
        {"text": " ", "key": "k"},
        {"text": "nothing happens"},
        {"text": "both", "key": "k", "url": "https://example.test/"},
        {"text": "no web page", "url": "javascript:alert(1)"},
        {"text": "x" * 129, "key": "k"},
        {"text": "NUL", "key": "k\0"},
    ],
)
async def test_an_action_that_could_not_be_pressed_is_refused(native: Native, action: dict[str, str]) -> None:
    """An action has a text, and either an address of the web or a key."""
    status, body = await ask(native, await native.sign_in("sam"), [action])

    assert (status, body["error"]["field"]) == (422, "actions")


async def test_a_token_for_reading_presses_nothing(native: Native) -> None:
    """Pressing tells somebody else: a person's token needs more than the scope read."""
    await ask(native, await native.sign_in("sam"), CHOICE)
    alice = await native.sign_in("alice")
    _, made = await native.call("POST", "/api/v1/tokens", alice, {"name": "r", "scope": "read", "person": "rita"})

    assert (await press(native, made["token"], key="deploy", value="yes"))[0] == 403
