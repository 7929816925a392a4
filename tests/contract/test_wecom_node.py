"""Whom a WeCom message reaches and what is stored of it (sheet wecom §2.2–§2.4, §3.3), on both engines."""

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.dialect_node import DialectNode, Got, Said, dialect_node

from onebell.core.model import Format
from onebell.dialects.wecom.directory import Section, wanted
from onebell.ids import WECOM_ID
from onebell.store.engine import Database

K1, K2, K3 = (f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
SECTION = {
    "groups": [
        {"chatid": "wrG1", "name": "one", "members": ["zhangsan", "lisi"]},
        {"chatid": "wrG2", "name": "two", "members": ["wangwu"]},
        {"chatid": "wrG3", "name": "three", "members": ["zhangsan"]},
    ],
    "blackboards": [
        {"chatid": "wbP1", "name": "board", "members": ["zhangsan", "lisi", "wangwu"]},
        {"chatid": "wbP2", "name": "other board", "members": ["zhangsan"]},
    ],
    "bots": [
        {
            "key": K1,
            "name": "B1",
            "groups": ["wrG1", "wrG2"],
            "blackboards": ["wbP1"],
            "subscription_scope": ["ZhangSan"],
        },
        {"key": K2, "name": "B2", "groups": ["wrG3"], "blackboards": ["wbP2"]},
        {"key": K3, "name": "B3"},
    ],
}
PEOPLE = {"zhangsan": {"name": "张三"}, "lisi": {"name": "李四", "phone": "13800001111"}, "wangwu": {"name": "王五"}}
EVERYBODY = tuple(PEOPLE)
OK = b'{"errcode":0,"errmsg":"ok"}'
PNG = b"\x89PNG\r\n\x1a\n" + bytes(30_000)


@pytest.fixture
async def node(database: Database, tmp_path: Path) -> AsyncIterator[DialectNode]:
    async with dialect_node(database, tmp_path) as opened:
        await apply(opened)
        yield opened


async def apply(node: DialectNode, **changes: Any) -> None:
    await node.apply("main", wanted(msgspec.convert(SECTION | changes, Section)), PEOPLE)


async def send(node: DialectNode, key: str = K1, query: str = "", **body: Any) -> Said:
    return await node.call("POST", f"/cgi-bin/webhook/send?key={key}{query}", json.dumps(body).encode())


async def text(node: DialectNode, content: str = "hi", key: str = K1, **body: Any) -> Said:
    return await send(node, key, msgtype="text", text={"content": content}, **body)


def is_error(said: Said, code: int, message: str) -> bool:
    tail = (
        rf", hint: \[\d{{25}}\], from ip: \S+, more info at https://open\.work\.weixin\.qq\.com/devtool/query\?e={code}"
    )
    errmsg = said.json["errmsg"]
    return (
        said.status == 200
        and said.json["errcode"] == code
        and re.fullmatch(re.escape(message) + tail, errmsg) is not None
        and (said.headers["error-code"], said.headers["error-msg"]) == (str(code), errmsg)
    )


async def reached(node: DialectNode) -> dict[str, list[str]]:
    """Codes of the feeds in which each person has something; a single chat is ``single``."""
    found: dict[str, list[str]] = {}
    for uid in EVERYBODY:
        codes = ["single" if got.feed_kind == "direct" else got.feed for got in await node.inbox(uid)]
        if codes:
            found[uid] = codes
    return found


async def only(node: DialectNode, uid: str) -> Got:
    (got,) = await node.inbox(uid)
    return got


async def test_case_1_no_chatid_means_all_groups(node: DialectNode) -> None:
    """Without chatid every group of the bot gets it, no blackboard."""
    assert (await text(node, "hello world")).body == OK
    assert await reached(node) == {"zhangsan": ["wrG1"], "lisi": ["wrG1"], "wangwu": ["wrG2"]}
    got = await only(node, "wangwu")
    assert (got.content.title, got.content.body, got.content.format) == ("B1", "hello world", Format.TEXT)
    assert got.part.native == {"wecom_bot": {"msgtype": "text", "text": {"content": "hello world"}}}


async def test_case_2_nothing_is_stored_for_an_unknown_key(node: DialectNode) -> None:
    """A wrong key stores nothing."""
    assert is_error(await text(node, key="00000000-0000-0000-0000-000000000000"), 93000, "invalid webhook url")
    assert await node.messages() == 0


async def test_case_6_a_mention_only_text(node: DialectNode) -> None:
    """``@all`` without content tells everybody, and everybody is mentioned."""
    assert (await send(node, msgtype="text", text={"content": "", "mentioned_list": ["@all"]})).body == OK
    for uid in EVERYBODY:
        got = await only(node, uid)
        assert (got.mentioned, got.content.body) == (True, "@all")


async def test_case_14_mentions(node: DialectNode) -> None:
    """People are found in the text, by userid and by phone; nobody is found for a ghost."""
    lists = {"mentioned_list": ["wangwu", "ghost", "a\0b"], "mentioned_mobile_list": ["13800001111", "\0", "1" * 99]}
    assert (await send(node, msgtype="text", text={"content": "<@zhangsan>hi"} | lists)).body == OK
    assert [(await only(node, uid)).mentioned for uid in EVERYBODY] == [True, True, True]
    assert (await only(node, "lisi")).content.body == "@张三hi"


async def test_mentions_are_for_those_who_are_named(node: DialectNode) -> None:
    """Whoever is not named is not mentioned."""
    assert (await text(node, "<@LISI>")).body == OK
    assert [(await only(node, uid)).mentioned for uid in EVERYBODY] == [False, True, False]


async def test_mentioned_lists_do_nothing_on_blackboards(node: DialectNode) -> None:
    """On blackboards only the text mentions (seed)."""
    body = {"content": "<@lisi>", "mentioned_list": ["zhangsan", "@all"]}
    assert (await send(node, msgtype="text", chatid="wbP1", text=body)).body == OK
    assert [(await only(node, uid)).mentioned for uid in EVERYBODY] == [False, True, False]


@pytest.mark.parametrize(
    ("chatid", "who"),
    [
        ("wrG1", {"zhangsan": ["wrG1"], "lisi": ["wrG1"]}),
        ("wrG2|zhangsan", {"wangwu": ["wrG2"], "zhangsan": ["single"]}),
        ("wrG1|nosuch", {"zhangsan": ["wrG1"], "lisi": ["wrG1"]}),
        ("ZHANGSAN", {"zhangsan": ["single"]}),
        ("wrG1|zhangsan|wrG1|zhangsan", {"zhangsan": ["wrG1", "single"], "lisi": ["wrG1"]}),
        (" wrG2 | ", {"wangwu": ["wrG2"]}),
        ("@all_group", {"zhangsan": ["wrG1"], "lisi": ["wrG1"], "wangwu": ["wrG2"]}),
        ("@all_blackboard", {"zhangsan": ["wbP1"], "lisi": ["wbP1"], "wangwu": ["wbP1"]}),
        ("@all", {"zhangsan": ["wrG1", "wbP1"], "lisi": ["wrG1", "wbP1"], "wangwu": ["wrG2", "wbP1"]}),
    ],
    ids=["15", "16", "19", "single", "double", "blanks", "20 groups", "20 blackboards", "20 all"],
)
async def test_cases_15_to_20_who_gets_it(node: DialectNode, chatid: str, who: dict[str, list[str]]) -> None:
    """Groups, blackboards and people get it each in their own feed; a person in two feeds gets two entries."""
    assert (await text(node, chatid=chatid)).body == OK
    found = await reached(node)
    assert {uid: sorted(codes) for uid, codes in found.items()} == {uid: sorted(codes) for uid, codes in who.items()}
    assert await node.messages() == 1


async def test_case_19_a_bad_target_is_named(node: DialectNode) -> None:
    """The stored message names the targets that got nothing."""
    assert (await text(node, chatid="wrG2|nosuch|lisi")).body == OK
    assert (await only(node, "wangwu")).extra["refused"] == [
        {"target": "nosuch", "code": 40050},
        {"target": "lisi", "code": 93005},
    ]


async def test_a_long_bad_target_is_named_shortly(node: DialectNode) -> None:
    """No id is so long: what is remembered of it has room in the message's row."""
    assert (await text(node, chatid="wrG2|" + "x" * 100_000)).body == OK
    assert (await only(node, "wangwu")).extra["refused"] == [{"target": "x" * 64, "code": 40050}]


@pytest.mark.parametrize(
    ("chatid", "code", "message"),
    [
        ("lisi", 93005, "not allowed to send single chat message"),
        ("nosuch", 40050, "invalid chatid"),
        ("nosuch|lisi", 40050, "invalid chatid"),
        ("lisi|nosuch", 93005, "not allowed to send single chat message"),
        ("wrG3", 93008, "robot not in chat"),
        ("wbP2", 93008, "robot not in chat"),
        ("@all|wrG1x", 40050, "invalid chatid"),
        ("a\0b", 40050, "invalid chatid"),
        ("名字", 40050, "invalid chatid"),
        (
            "|".join(f"u{number}" for number in range(101)),
            40058,
            "chatid exceed max size 100. invalid Request Parameter",
        ),
    ],
)
async def test_cases_17_and_18_nobody_is_left(node: DialectNode, chatid: str, code: int, message: str) -> None:
    """When no target is good the first one's error is answered and nothing is stored."""
    assert is_error(await text(node, chatid=chatid), code, message)
    assert await node.messages() == 0


async def test_a_hundred_ids_are_taken(node: DialectNode) -> None:
    """A hundred different ids are the most; doubles count once."""
    chatid = "|".join(["wrG2", "wrG2", *(f"u{number}" for number in range(99))])
    assert (await text(node, chatid=chatid)).body == OK


async def test_case_20_types_that_blackboards_do_not_take(node: DialectNode) -> None:
    """Such a message to all goes to the groups only."""
    article = {"title": "t", "url": "https://example.test"}
    assert (await send(node, msgtype="news", chatid="@all", news={"articles": [article]})).body == OK
    assert await reached(node) == {"zhangsan": ["wrG1"], "lisi": ["wrG1"], "wangwu": ["wrG2"]}


async def test_case_23_and_a_group_beside_the_blackboard(node: DialectNode) -> None:
    """A blackboard that cannot take the type is a bad target like any other."""
    v2 = {"msgtype": "markdown_v2", "markdown_v2": {"content": "# t"}}
    error = "msgtype not support blackboard. invalid Request Parameter"
    assert is_error(await send(node, chatid="wbP1", **v2), 40058, error)
    assert (await send(node, chatid="wbP1|wrG2", **v2)).body == OK
    assert await reached(node) == {"wangwu": ["wrG2"]}


async def test_case_21_visible_to_user(node: DialectNode) -> None:
    """One group: only those named see it. Two groups: the field is ignored."""
    assert (await text(node, "one", chatid="wrG1", visible_to_user="LiSi|nobody")).body == OK
    assert await reached(node) == {"lisi": ["wrG1"]}
    assert (await text(node, "two", chatid="wrG1|wrG2", visible_to_user="lisi")).body == OK
    assert await reached(node) == {"zhangsan": ["wrG1"], "lisi": ["wrG1", "wrG1"], "wangwu": ["wrG2"]}


@pytest.mark.parametrize("visible", ["nobody", "wangwu", "a\0b", "|nobody|"])
async def test_visible_to_nobody_of_the_group(node: DialectNode, visible: str) -> None:
    """Named people who are not in the group, or do not exist, do not make it visible to all."""
    assert (await text(node, chatid="wrG1", visible_to_user=visible)).body == OK
    assert await reached(node) == {}


async def test_case_22_replies_to_posts(node: DialectNode) -> None:
    """post_id makes a reply on its own blackboard; elsewhere, or unknown, it is ignored."""
    assert (await text(node, "post", chatid="wbP1")).body == OK
    post = await only(node, "lisi")
    assert WECOM_ID.fullmatch(post.public_id)
    assert post.public_id.startswith("bp")
    for chatid, post_id in (
        ("wbP1", post.public_id),
        ("wrG1", post.public_id),
        ("wbP1", "bp" + "x" * 30),
        ("wbP1", "\0"),
    ):
        assert (await text(node, "later", chatid=chatid, post_id=post_id)).body == OK
    assert [got.parent for got in await node.inbox("lisi")] == [0, post.message, 0, 0, 0]


async def test_a_post_of_another_blackboard_is_a_new_post(node: DialectNode) -> None:
    """post_id of another blackboard is ignored."""
    assert (await text(node, "post", key=K2, chatid="wbP2")).body == OK
    post = await only(node, "zhangsan")
    assert (await text(node, "reply", chatid="wbP1", post_id=post.public_id)).body == OK
    assert (await only(node, "lisi")).parent == 0


async def test_case_24_an_image_is_downloadable(node: DialectNode) -> None:
    """The same bytes come out again; what is long is not in the message row."""
    image = {"base64": base64.b64encode(PNG).decode(), "md5": hashlib.md5(PNG).hexdigest().upper()}
    assert (await send(node, msgtype="image", chatid="wrG2", image=image)).body == OK
    got = await only(node, "wangwu")
    (picture,) = got.content.attachments
    assert got.part.native["wecom_bot"]["image"]["base64"] == {"$file": picture.file}
    space = (await node.context.lookups.spaces())[0].id
    stored = await node.context.files.find(space, picture.file)
    assert stored is not None
    assert b"".join([piece async for piece in node.context.files.read(stored)]) == PNG
    assert (picture.type, picture.size, got.content.title) == ("image/png", len(PNG), "[图片]")


async def test_case_28_news_is_stored_as_cut(node: DialectNode) -> None:
    """The stored title and description are the cut ones; the original is kept for a WeCom carrier."""
    article = {"title": "中" * 43, "description": "a" * 513, "url": "https://example.test"}
    assert (await send(node, msgtype="news", chatid="wrG2", news={"articles": [article]})).body == OK
    got = await only(node, "wangwu")
    assert got.content.title == "中" * 42
    assert got.content.data["articles"][0]["description"] == "a" * 512
    assert got.part.native["wecom_bot"]["news"]["articles"] == [article]


async def test_case_11_the_newline_is_stored(node: DialectNode) -> None:
    """A raw newline inside a string is kept."""
    body = b'{"msgtype":"text","chatid":"wrG2","text":{"content":"a\nb"}}'
    said = await node.call("POST", f"/cgi-bin/webhook/send?key={K1}", body)
    assert said.body == b'{"errcode":0,"errmsg":"ok. Warning: wrong json format. "}'
    assert (await only(node, "wangwu")).content.body == "a\nb"


async def test_nul_is_stored_or_dropped_but_never_fails(node: DialectNode) -> None:
    """NUL in a text is no failure of ours, on either engine."""
    assert (await text(node, "a\0b", chatid="wrG2")).body == OK
    assert len(await node.inbox("wangwu")) == 1


async def test_a_long_original_does_not_enter_the_row(node: DialectNode) -> None:
    """Unknown fields of any length are ignored; such an original is rendered instead of passed through."""
    assert (await text(node, chatid="wrG2", padding="x" * 20_000)).body == OK
    assert (await only(node, "wangwu")).part.native == {}


async def test_a_bot_without_chats(node: DialectNode) -> None:
    """It has nobody to tell."""
    assert is_error(await text(node, key=K3), 93008, "robot not in chat")


async def test_case_40_a_hundred_a_minute_to_each_group(node: DialectNode) -> None:
    """The 101st to one group is refused, another group and the next minute are free."""
    for number in range(100):
        assert (await text(node, str(number), chatid="wrG1")).body == OK
    assert is_error(await text(node, "101", chatid="wrG1"), 45009, "api freq out of limit")
    assert (await text(node, "101", chatid="wrG2")).body == OK
    assert (await text(node, "102", chatid="wrG1|wrG2")).body == OK
    assert len(await node.inbox("lisi")) == 100
    assert len(await node.inbox("wangwu")) == 2
    node.clock.move(61)
    assert (await text(node, "103", chatid="wrG1")).body == OK


async def test_the_rates_of_broadcasts_and_single_chats(node: DialectNode) -> None:
    """Broadcasts answer 45009 beyond their rate, single chats 93005."""
    for number in range(100):
        assert (await text(node, str(number), chatid="@all")).body == OK
        assert (await text(node, str(number), chatid="zhangsan")).body == OK
    assert is_error(await text(node), 45009, "api freq out of limit")
    error = "not allowed to send single chat message"
    assert is_error(await text(node, chatid="zhangsan"), 93005, error)


async def test_calls_are_counted_with_their_errors(node: DialectNode) -> None:
    """Every call with a valid key counts for the calls a minute; debug=1 allows five."""
    await apply(node, rates={"calls": 7})
    for _ in range(5):
        assert (await send(node, query="&debug=1", msgtype="foo")).json["errcode"] == 40008
    assert is_error(await send(node, query="&debug=1", msgtype="foo"), 45009, "api freq out of limit")
    assert (await text(node)).body == OK
    assert is_error(await text(node), 45009, "api freq out of limit")
    assert (await text(node, key=K2)).body == OK


async def test_the_public_profile(node: DialectNode) -> None:
    """Twenty messages a minute altogether, nothing else."""
    await apply(node, profile="public")
    for number in range(20):
        assert (await text(node, str(number), chatid=("wrG1", "wrG2")[number % 2])).body == OK
    assert is_error(await text(node), 45009, "api freq out of limit")


async def test_case_41_the_same_body_twice_at_once(node: DialectNode) -> None:
    """While a body is being stored the same body is refused; one after the other both are taken."""
    assert (await text(node, "before", chatid="wrG2")).body == OK  # or they wait for what the key opens, each its time
    said = await asyncio.gather(*(text(node, "same", chatid="wrG2") for _ in range(5)))
    refused = [one for one in said if one.body != OK]
    assert len(refused) == 4
    assert all(is_error(one, 45033, "api concurrent out of limit") for one in refused)
    assert (await text(node, "same", chatid="wrG2")).body == OK
    assert len(await node.inbox("wangwu")) == 3


async def test_case_42_a_deleted_bot(node: DialectNode) -> None:
    """A bot that the file no longer names is gone."""
    await apply(node, bots=SECTION["bots"][1:])
    assert is_error(await text(node), 93000, "invalid webhook url")
    assert (await text(node, key=K2)).body == OK


async def test_case_42_a_disabled_bot(node: DialectNode) -> None:
    """A bot that is switched off says so."""
    credential = await node.context.lookups.credential("wecom", "bot", K1)
    assert credential is not None
    await node.context.store.credentials.disable(credential.space, credential.id)
    assert is_error(await text(node), 93004, "robot is disabled")


async def test_what_a_key_opened_is_forgotten_with_a_change(node: DialectNode) -> None:
    """A bot that has just sent loses its chats, and then its switch, before its next message."""
    assert (await text(node, chatid="wrG1")).body == OK
    assert (await text(node, chatid="wrG1")).body == OK

    await apply(node, bots=[{"key": K1, "name": "B1", "groups": ["wrG2"]}])
    assert is_error(await text(node, chatid="wrG1"), 93008, "robot not in chat")
    assert (await text(node)).body == OK
    credential = await node.context.lookups.credential("wecom", "bot", K1)
    assert credential is not None
    await node.context.store.credentials.disable(credential.space, credential.id)
    assert is_error(await text(node), 93004, "robot is disabled")

    assert await reached(node) == {"zhangsan": ["wrG1"] * 2, "lisi": ["wrG1"] * 2, "wangwu": ["wrG2"]}


async def test_debug_calls_are_no_others(node: DialectNode) -> None:
    """A call with ``debug=1`` counts as one, however often the same key called without."""
    for number in range(7):
        assert (await text(node, f"plain {number}")).body == OK
    answers = [await send(node, K1, "&debug=1", msgtype="text", text={"content": f"{n}"}) for n in range(6)]

    assert [answer.json["errcode"] for answer in answers] == [0] * 5 + [45009]


async def test_case_7_length_is_a_setting(node: DialectNode) -> None:
    """Texts of 2048 bytes are taken, longer ones where the server is set so."""
    assert (await text(node, "中" * 682 + "ab")).body == OK
    error = "text.content exceed max length 2048. invalid Request Parameter"
    assert is_error(await text(node, "中" * 683), 40058, error)
    await apply(node, text_bytes=5120)
    assert (await text(node, "中" * 683)).body == OK


async def test_a_body_beyond_4_mib(node: DialectNode) -> None:
    """It is not read to the end."""
    said = await node.call("POST", f"/cgi-bin/webhook/send?key={K1}", b" " * (4 * 1024 * 1024 + 1))
    assert is_error(said, 45002, "content size out of limit")
