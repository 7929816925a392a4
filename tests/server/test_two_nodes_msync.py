"""One user's devices at two nodes of one store: messages, places, kicks (sheet easemob-msync §4, §6)."""

from pathlib import Path

import pytest
from tests.engines import Cluster
from tests.msync_client import connected, kick_of, signal, texts, token_of
from tests.running import DemoStore
from tests.two_nodes import running_pair

from onebell.dialects.easemob.msync.msync_pb2 import CommSyncDL, MessageBody

pytestmark = pytest.mark.postgres


@pytest.mark.all
async def test_two_nodes_are_one(demo_store: DemoStore, cluster: Cluster, tmp_path: Path) -> None:
    """A message, its ack and the sender's copy cross over; a device that moves goes on where it was, and the older
    socket hears why it ends; who is at either node is online."""
    async with running_pair(demo_store, tmp_path, cluster, nats=False) as pair:
        session = pair.a.session
        tokens = {who: await token_of(session, pair.a.url, who) for who in ("alice", "bob")}
        async with (
            connected(session, pair.a.url, "alice") as alice,
            connected(session, pair.b.url, "alice") as phone,
            connected(session, pair.b.url, "bob") as bob,
        ):
            for client, resource in ((alice, "web"), (phone, "phone"), (bob, "web")):
                await client.provision(tokens[client.user], resource)
                await client.unread()
            sent = await alice.text("bob", "over there")
            (got,) = await bob.news()
            (copy,) = await phone.news()
            await bob.send("alice", signal(MessageBody.READ_ACK, "bob", "alice", sent.server_id))
            (ack,) = await alice.news()
            assert sent.server_id == got.id == copy.id == MessageBody.FromString(ack.payload).ack_message_id

            async with connected(session, pair.a.url, "bob") as moved:
                await moved.provision(tokens["bob"], "web")
                assert kick_of(await bob.hear_a(CommSyncDL)) == 2
                assert await bob.hear() is None
                assert await moved.unread() == {}
                await phone.text("bob", "after the move")
                assert texts(await moved.news()) == ["after the move"]
