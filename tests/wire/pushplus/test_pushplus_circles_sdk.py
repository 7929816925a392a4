"""The official Python SDK makes topics and friends here, and reads our callbacks (sheet pushplus §2, §3)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio
from perk_pushplus import PushPlusClient, TopicAddRequest, TopicEditRequest
from perk_pushplus.callback_parser import parse
from perk_pushplus.exceptions import PushPlusError
from perk_pushplus.models import TopicListQuery, TopicUserListQuery
from tests.wire.pushplus.circles import TOKENS, Circle, circle, directory_text, path_of
from tests.wire.pushplus.conftest import Sink
from tests.wire.pushplus.support import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(tmp_path_factory, sink: Sink):
    """Four people of a server without limits."""
    async with circle(tmp_path_factory.mktemp("sdk"), directory_text(sink.base)) as caller:
        yield caller


class Sdk:
    """The SDK as one of them uses it; it is synchronous, so each call runs in a thread."""

    def __init__(self, people: Circle, uid: str) -> None:
        builder = PushPlusClient.builder().token(TOKENS[uid]).secret_key(f"{uid}-secret")
        self._client = builder.base_url(people.server.url).build()

    async def __call__(self, call: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """One call, given as a function of the client."""
        return await asyncio.to_thread(lambda: call(self._client)(*given, **named))


async def test_the_sdk_makes_a_topic(people: Circle, sink: Sink):
    """Added, listed, shown, edited, joined by its code, its member listed, noted, black-listed and let back."""
    sdk = Sdk(people, "olga")
    new = TopicAddRequest(topicCode="sdk", topicName="SDK", contact="c", introduction="i", topicType=0)
    no = await sdk(lambda client: client.topic.add, new)
    with pytest.raises(PushPlusError, match="编码已存在"):
        await sdk(lambda client: client.topic.add, new)
    assert (await sdk(lambda client: client.topic.detail, no)).topicCode == "sdk"
    await sdk(lambda client: client.topic.edit, TopicEditRequest(topic=no, topicCode="sdk", topicName="Neu"))
    assert [one.topicName for one in (await sdk(lambda client: client.topic.list, TopicListQuery.of())).list] == ["Neu"]

    code = await sdk(lambda client: client.topic.qr_code, no, second=600, scan_count=2)
    await people.join("bob", path_of(code.qrCodeImgUrl))
    (told,) = await eventually(lambda: sink.about("add_topic_user", "/olga"))
    info = parse(told.body.decode()).topicUserInfo
    assert (info.topicId, info.topicCode, info.nickName) == (no, "sdk", "Bob")
    query = TopicUserListQuery.of(1, 20, no)
    (member,) = (await sdk(lambda client: client.topic_user.subscriber_list, query)).list
    assert (member.id, member.openId) == (info.id, info.openId)
    await sdk(lambda client: client.topic_user.edit_remark, member.id, "备注")
    await sdk(lambda client: client.topic_user.add_blacklist, member.id)
    (listed,) = (await sdk(lambda client: client.topic_user.blacklist_list, query)).list
    await sdk(lambda client: client.topic_user.remove_blacklist, listed.id)

    assert await sdk(lambda client: client.topic.delete, no) == "群组删除成功"
    with pytest.raises(PushPlusError, match="群组不存在"):
        await sdk(lambda client: client.topic.detail, no)


async def test_the_sdk_makes_friends(people: Circle, sink: Sink):
    """The code's content comes back with the friend; he is listed, noted, black-listed, let back and deleted."""
    sdk = Sdk(people, "olga")
    code = await sdk(lambda client: client.friend.get_qr_code, content="渠道")
    await people.join("bob", path_of(code.qrCodeImgUrl))
    (told,) = await eventually(lambda: sink.about("add_friend", "/olga"))
    said = parse(told.body.decode())
    (bob,) = (await sdk(lambda client: client.friend.list)).list

    assert (said.qrCode, said.friendInfo.token, said.friendInfo.friendId) == ("渠道", bob.token, bob.friendId)
    await sdk(lambda client: client.friend.edit_remark, bob.id, "老朋友")
    assert [one.remark for one in (await sdk(lambda client: client.friend.list)).list] == ["老朋友"]
    await sdk(lambda client: client.friend.add_blacklist, bob.friendId)
    (listed,) = (await sdk(lambda client: client.friend.blacklist_list)).list
    await sdk(lambda client: client.friend.remove_blacklist, listed.id)
    await people.befriend("olga", "bob")
    await sdk(lambda client: client.friend.delete, bob.friendId)
    assert (await sdk(lambda client: client.friend.list)).list == []
