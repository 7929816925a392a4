"""Receiving over MSYNC: notices, pulls, acknowledgements, what waits (sheet easemob-msync §6)."""

import asyncio
from typing import Any

from tests.msync_client import APP_GRANT, body_of, connected, text_body, texts, token_of
from tests.running import ALICE, RunningServer

from onebell.dialects.easemob.msync.msync_pb2 import CommNotice, Logout, MessageBody, MSync
from onebell.dialects.easemob.parse import Message
from onebell.dialects.easemob.send import send
from onebell.dialects.easemob.visit import app_named


async def app_headers(server: RunningServer) -> dict[str, str]:
    """An app token."""
    async with server.session.post(f"{server.url}/acme/demo/token", json=APP_GRANT) as answer:
        return {"Authorization": f"Bearer {(await answer.json())['access_token']}"}


async def rest(server: RunningServer, headers: dict[str, str], to: str, text: str, **more: Any) -> str:
    """A text over REST → its id."""
    body = {"from": "bob", "to": [to], "type": "txt", "body": {"msg": text}, **more}
    async with server.session.post(f"{server.url}/acme/demo/messages/users", json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["data"][to])


async def test_what_waited_comes_in_batches(server: RunningServer) -> None:
    """60 messages: 50, then 10, then the end; what is acknowledged is never sent again, to no socket of the device."""
    headers = await app_headers(server)
    ids = [await rest(server, headers, "alice", f"m{number}") for number in range(60)]
    token = await token_of(server.session, server.url, "alice")
    async with connected(server.session, server.url, "alice") as client:
        await client.provision(token)
        assert await client.unread() == {"bob": 60}
        first = await client.pull("bob")
        again = await client.pull("bob")
        second = await client.pull("bob", first.next_key)
    async with connected(server.session, server.url, "alice") as client:
        await client.provision(token)
        assert await client.unread() == {"bob": 10}
        rest_of_it = await client.drain("bob")
        assert await client.unread() == {}

    assert [str(one.id) for one in (*first.metas, *second.metas)] == ids
    assert list(first.metas) == list(again.metas)
    assert list(second.metas) == rest_of_it
    assert first.next_key == first.metas[-1].id
    assert not first.HasField("is_last")


async def test_a_batch_that_may_come_again_has_another_key(server: RunningServer) -> None:
    """On each new socket of a device the first batch has a key that it never saw, which acknowledges it like an id."""
    headers = await app_headers(server)
    number = await rest(server, headers, "alice", "x")
    token = await token_of(server.session, server.url, "alice")
    keys = []
    for _ in range(3):
        async with connected(server.session, server.url, "alice") as client:
            await client.provision(token)
            answer = await client.pull("bob")
            keys.append(answer.next_key)
            assert texts(list(answer.metas)) == ["x"]
    async with connected(server.session, server.url, "alice") as client:
        await client.provision(token)
        assert not (await client.pull("bob", keys[1])).is_last  # of another socket: nothing is acknowledged by it
        assert len(await client.drain("bob")) == 1
        assert await client.unread() == {}

    assert keys[0] == int(number)
    assert len(set(keys)) == len(keys)


async def test_the_first_of_two_answers_is_acknowledged(server: RunningServer) -> None:
    """Back again, the SDK asks twice before it acknowledges the first answer: that acknowledgement counts."""
    headers = await app_headers(server)
    await rest(server, headers, "alice", "x")
    token = await token_of(server.session, server.url, "alice")
    async with connected(server.session, server.url, "alice") as client:
        await client.provision(token)
    async with connected(server.session, server.url, "alice") as client:
        await client.provision(token)
        first, second = [await client.pull("bob") for _ in range(2)]
        assert first.next_key != second.next_key
        assert (await client.pull("bob", first.next_key)).is_last
        assert await client.unread() == {}


async def test_a_key_beyond_all_ids(server: RunningServer) -> None:
    """The wire's integers are larger than a store's: everything is acknowledged, and the socket stays."""
    headers = await app_headers(server)
    await rest(server, headers, "alice", "x")
    token = await token_of(server.session, server.url, "alice")
    async with connected(server.session, server.url, "alice") as client:
        await client.provision(token)
        assert (await client.pull("bob", 2**64 - 1)).is_last
        assert await client.unread() == {}


async def test_one_notice_until_the_end_was_seen(server: RunningServer) -> None:
    """Messages that come while the client pulls are in its pull; it is noticed again only after the empty end."""
    headers = await app_headers(server)
    token = await token_of(server.session, server.url, "alice")
    async with connected(server.session, server.url, "alice") as client:
        await client.provision(token)
        await client.unread()
        await rest(server, headers, "alice", "one")
        notice = await client.hear()
        assert isinstance(notice, CommNotice)
        await rest(server, headers, "alice", "two")
        assert texts(await client.drain(notice.queue.name)) == ["one", "two"]
        await rest(server, headers, "alice", "three")
        assert texts(await client.news()) == ["three"]


async def test_nothing_is_sent_that_could_come_again_too_late(server: RunningServer) -> None:
    """The oldest 50 of all conversations first: what lies behind them comes when they are acknowledged, told anew.

    The SDK pulls one conversation after another. Sent at once, and sent again after a cut, those could be more than
    its memory of 100 ids behind what comes between: shown twice.
    """
    headers = await app_headers(server)
    token = await token_of(server.session, server.url, "alice")
    async with connected(server.session, server.url, "alice") as client:
        await client.provision(token)
        await client.unread()
        await rest(server, headers, "alice", "first")
        waiting = [await rest(server, headers, "alice", "w", **{"from": "carol"}) for _ in range(60)]
        await rest(server, headers, "alice", "last")
        assert texts(await client.drain("bob")) == ["first"]
        first = await client.pull("carol")
        await client.ask("carol", first.next_key)
        notice, second = [await client.hear() for _ in range(2)]
        assert (await client.pull("carol", second.next_key)).is_last
        assert texts(await client.drain("bob")) == ["last"]
        assert await client.unread() == {}

    assert isinstance(notice, CommNotice)
    assert notice.queue.name == "bob"
    assert [str(one.id) for one in (*first.metas, *second.metas)] == waiting


async def test_an_older_key_moves_no_window(server: RunningServer) -> None:
    """What a repeated acknowledgement stands for is not known: no more than 50 are on their way after it, as before."""
    headers = await app_headers(server)
    for sender, count in (("bob", 1), ("erin", 1), ("carol", 26), ("dave", 26)):
        for _ in range(count):
            await rest(server, headers, "alice", sender, **{"from": sender})
    token = await token_of(server.session, server.url, "alice")
    async with connected(server.session, server.url, "alice") as client:
        await client.provision(token)
    async with connected(server.session, server.url, "alice") as client:
        await client.provision(token)
        await client.unread()
        keys = [(await client.pull("bob")).next_key for _ in range(2)]
        for key in keys:
            assert (await client.pull("bob", key)).is_last
        assert texts(await client.drain("erin")) == ["erin"]
        answers = [await client.pull(name) for name in ("carol", "dave")]

    assert [len(answer.metas) for answer in answers] == [26, 24]


async def test_whoever_comes_back_hears_an_end(server: RunningServer) -> None:
    """Cut off before the end of a pull, the SDK waits for it and pulls nothing: with nothing to pull, it is told one.

    Whoever has something to pull hears its end, and a device that comes for the first time waits for none.
    """
    token = await token_of(server.session, server.url, "alice")
    async with connected(server.session, server.url, "alice") as client:
        await client.provision(token)
        assert await client.unread() == {}
        assert await client.unread() == {}
        await rest(server, await app_headers(server), "alice", "x")
        assert isinstance(await client.hear(), CommNotice)
        first = await client.pull("bob")
        await client.ask("bob", first.next_key)
        assert (await client.hear()).is_last
    async with connected(server.session, server.url, "alice") as client:
        await client.provision(token)
        assert await client.unread() == {}
        end = await client.hear()
        assert (end.is_last, end.queue.name, len(end.metas)) == (True, "alice", 0)
        await client.unread()
        await client.say(MSync.LOGOUT)
        assert isinstance(await client.hear(), Logout)


async def test_conversations_and_their_names(server: RunningServer) -> None:
    """A queue is called by the other side, also one who is no user; unknown ones are empty."""
    headers = await app_headers(server)
    for sender in ("bob", "carol", "ghost", "admin", "Not A Name"):
        await rest(server, headers, "alice", f"from {sender}", **{"from": sender})
    token = await token_of(server.session, server.url, "alice")
    async with connected(server.session, server.url, "alice") as client:
        await client.provision(token)
        waiting = await client.unread()
        found = [meta for name in waiting for meta in await client.drain(name)]
        nothing = await client.pull("nobody")

    assert list(waiting) == ["bob", "carol", "ghost", "admin", "?"]
    assert texts(found) == ["from bob", "from carol", "from ghost", "from admin", "from Not A Name"]
    assert [body_of(one).sender.name for one in found] == ["bob", "carol", "ghost", "admin", "Not A Name"]
    assert {body_of(one).to.name for one in found} == {"alice"}
    assert (nothing.is_last, nothing.queue.name, len(nothing.metas)) == (True, "nobody", 0)


async def test_what_a_deleted_user_wrote_still_comes(server: RunningServer) -> None:
    """Under the name that he had; whoever has that name after him goes on in what is one conversation to the client."""
    headers = await app_headers(server)
    token = await token_of(server.session, server.url, "alice")
    async with connected(server.session, server.url, "alice") as client:
        await client.provision(token)
        await token_of(server.session, server.url, "gone")
        await client.text("gone", "are you there?")
        await rest(server, headers, "alice", "the last word", **{"from": "gone"})
        async with server.session.delete(f"{server.url}/acme/demo/users/gone", headers=headers) as answer:
            assert answer.status == 200
        page = {"Authorization": f"Bearer {await server.sign_in(*ALICE)}"}
        # Her own clients hear that she has read it: the newest of the conversation is from herself then.
        async with server.session.post(f"{server.url}/api/v1/inbox/read", json={"up_to": 2}, headers=page) as answer:
            assert answer.status == 200
        async with server.session.get(f"{server.url}/api/v1/inbox/feeds", headers=page) as answer:
            assert [feed["name"] for feed in (await answer.json())["items"]] == ["gone"]
        await token_of(server.session, server.url, "gone")
        await rest(server, headers, "alice", "another one", **{"from": "gone"})

        assert await client.unread() == {"gone": 3}
        found = await client.drain("gone")
        kinds = [body_of(one).type for one in found]
        assert kinds == [MessageBody.CHAT, MessageBody.READ_ACK, MessageBody.CHAT]
        assert texts([found[0], found[2]]) == ["the last word", "another one"]
        assert await client.unread() == {}


async def test_only_who_is_online_gets_what_is_for_them(server: RunningServer) -> None:
    """ROUTE_ONLINE reaches a signed-in device and nobody afterwards; the sender's copy has the same id."""
    headers = await app_headers(server)
    await rest(server, headers, "alice", "lost", routetype="ROUTE_ONLINE")
    tokens = {who: await token_of(server.session, server.url, who) for who in ("alice", "bob")}
    async with (
        connected(server.session, server.url, "alice") as alice,
        connected(server.session, server.url, "bob") as bob,
    ):
        await alice.provision(tokens["alice"])
        await bob.provision(tokens["bob"])
        assert await alice.unread() == {}
        number = await rest(server, headers, "alice", "now", routetype="ROUTE_ONLINE", sync_device=True)
        (got,) = await alice.news()
        (copy,) = await bob.news()

    assert (str(got.id), str(copy.id)) == (number, number)
    assert (body_of(copy).sender.name, body_of(copy).to.name) == ("bob", "alice")


async def test_newest_500_wait(server: RunningServer) -> None:
    """Of 501 messages to somebody who is away the first is gone (sheet easemob, case 51)."""
    found = await app_named(server.application.context, "acme", "demo")
    assert found is not None
    message = Message(sender="bob", receivers=("alice",), kind="txt", body={"msg": "x", "type": "txt"}, ext={},
                      online_only=False, sync_device=False)  # fmt: skip
    # Past the door, where calls are counted.
    sent = await asyncio.gather(*(send(server.application.context, *found, message) for _ in range(501)))
    ids = sorted((answer["alice"] for answer in sent), key=int)
    token = await token_of(server.session, server.url, "alice")
    async with connected(server.session, server.url, "alice") as client:
        await client.provision(token)
        assert await client.unread() == {"bob": 500}
        assert [str(meta.id) for meta in await client.drain("bob")] == ids[1:]


async def test_a_large_batch_comes_in_parts(server: RunningServer) -> None:
    """50 messages may be more than one frame should hold; none is lost, and the order stays."""
    headers = await app_headers(server)
    long = "x" * 2900
    for number in range(50):
        await rest(server, headers, "alice", f"{number}:{long}")
    token = await token_of(server.session, server.url, "alice")
    async with connected(server.session, server.url, "alice") as client:
        await client.provision(token)
        await client.unread()
        first = await client.pull("bob")
        found = [*first.metas]
        answer = await client.pull("bob", first.next_key)
        while not answer.is_last:
            found += answer.metas
            answer = await client.pull("bob", answer.next_key)

    assert len(first.metas) < 50
    assert [text.partition(":")[0] for text in texts(found)] == [str(number) for number in range(50)]


async def test_a_message_of_no_use_is_refused_whole(server: RunningServer) -> None:
    """The statistics that the SDK sends after every heartbeat are answered; groups are not there."""
    token = await token_of(server.session, server.url, "alice")
    async with connected(server.session, server.url, "alice") as client:
        await client.provision(token)
        answer = await client.send("bob", text_body("alice", "bob", ""), ns=0, number=77)
        await client.say(MSync.UNREAD)

    assert (answer.status.error_code, answer.meta_id) == (0, 77)
    assert answer.server_id > 0
