"""Topics, their members, and the links into them (sheet pushplus §2, §3, A50)."""

import io
import json

import pytest
import pytest_asyncio
import segno
from tests.wire.pushplus.circles import PUBLIC, TOKENS, Circle, circle, directory_text, without_times
from tests.wire.pushplus.conftest import Sink
from tests.wire.pushplus.support import code_of, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROW = (
    '{{"icon":"","topicId":{no},"topicCode":"{code}","topicName":"Topic {code}","nickName":"main",'
    '"createTime":"<time>","topicUserCount":{members},"topicType":0,"isApproved":1,"firstIsApproved":1,'
    '"approveReason":"","isOpen":1}}'
)
NO_TOPIC = '{"code":999,"msg":"服务端验证错误","data":"群组不存在"}'
NOT_YOURS = '{"code":805,"msg":"无权查看","data":null}'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(tmp_path_factory, sink: Sink):
    """Four people of a server without limits."""
    async with circle(tmp_path_factory.mktemp("circles"), directory_text(sink.base)) as caller:
        yield caller


def refused(reason: str) -> str:
    """A validation error of the open API."""
    return f'{{"code":999,"msg":"服务端验证错误","data":"{reason}"}}'


async def test_a50_from_a_new_topic_to_its_first_member(people: Circle, sink: Sink):
    """A50: add, detail, qrCode, another opens the link and presses; callback and list tell of him."""
    new = {"topicCode": "a50", "topicName": "Topic a50", "contact": "联系方式", "introduction": "群组简介"}
    added = await people.open("olga", "POST", "topic/add", {**new, "receiptMessage": "关注后回复"})
    no = json.loads(added)["data"]
    assert added == f'{{"code":200,"msg":"执行成功","data":{no}}}'
    assert isinstance(no, int)

    detail = await people.data("olga", "GET", f"topic/detail?topicId={no}")
    assert list(detail)[12:] == [
        "qrCodeImgUrl", "contact", "introduction", "receiptMessage", "appId", "price", "topicDescribe", "userNickName"
    ]  # fmt: skip
    assert (detail["topicCode"], detail["contact"], detail["introduction"]) == ("a50", "联系方式", "群组简介")
    assert (detail["receiptMessage"], detail["userNickName"], detail["topicUserCount"]) == ("关注后回复", "Olga", 0)
    code = await people.data("olga", "GET", f"topic/qrCode?topicId={no}")
    assert list(code) == ["qrCodeImgUrl", "forever"]
    assert code["forever"] == 0
    assert code["qrCodeImgUrl"] != detail["qrCodeImgUrl"]

    link = await people.link("olga", no)
    await people.join("bob", link)

    (told,) = await eventually(lambda: sink.about('"topicCode":"a50"', "/olga"))
    (member,) = (await people.data("olga", "POST", "topicUser/subscriberList", {"params": {"topicId": no}}))["list"]
    assert told.headers["content-type"] == "application/json;charset=UTF-8"
    assert told.body.decode() == (
        f'{{"event":"add_topic_user","topicUserInfo":{{"id":{member["id"]},"openId":"{member["openId"]}",'
        f'"topicId":{no},"userSex":0,"isFollow":1,"nickName":"Bob","havePhone":0,"topicCode":"a50",'
        f'"topicName":"Topic a50","headImgUrl":"","emailStatus":0}}}}'
    )
    assert without_times(json.dumps(member, ensure_ascii=False, separators=(",", ":"))) == (
        f'{{"id":{member["id"]},"nickName":"Bob","openId":"{member["openId"]}","headImgUrl":"","userSex":0,'
        f'"havePhone":0,"isFollow":1,"emailStatus":0,"followTime":"<time>","remark":""}}'
    )
    sent = await people.accepted(token=TOKENS["olga"], content="c", topic="a50")
    assert await people.has("bob", sent)
    assert not await people.has("olga", sent)


async def test_each_coming_is_told_once(people: Circle, sink: Sink):
    """§3: one callback for each who comes, none for a second press, one more for who comes back."""
    no = await people.topic("olga", "once")
    link = await people.link("olga", no)
    await people.join("bob", link)
    again = await people.press("bob", link)
    await people.data("bob", "GET", f"topic/exitTopic?topicId={no}")
    await people.join("bob", link)
    await people.join("carol", link)

    async def both() -> list[str] | None:
        told = [one.json["topicUserInfo"]["nickName"] for one in await sink.about('"topicCode":"once"', "/olga")]
        return told if "Carol" in told and len(told) > 2 else None

    assert again.status == 200
    assert sorted(await eventually(both)) == ["Bob", "Bob", "Carol"]


async def test_lists_of_topics(people: Circle):
    """Those one made by default, those one joined on request; newest first, in pages; sparse bodies are legal."""
    numbers = {code: await people.topic("carol", code) for code in ("l1", "l2", "l3")}
    for code in ("l1", "l3"):
        await people.join("dave", await people.link("carol", numbers[code]))

    def row(code: str, members: int) -> str:
        return ROW.format(no=numbers[code], code=code, members=members)

    own = without_times(await people.open("carol", "POST", "topic/list", {"current": 0, "pageSize": 2, "params": {}}))
    assert own == (
        '{"code":200,"msg":"请求成功","data":{"pageNum":1,"pageSize":2,"total":3,"pages":2,"list":['
        f"{row('l3', 1)},{row('l2', 0)}]}}}}"
    )
    rest = await people.data("carol", "POST", "topic/list", {"current": "2", "pageSize": "2"})
    assert [one["topicCode"] for one in rest["list"]] == ["l1"]
    beyond = await people.data("carol", "POST", "topic/list", {"current": 10**18 - 1, "pageSize": 50})
    assert (beyond["total"], beyond["list"]) == (3, [])
    everything = await people.data("carol", "POST", "topic/list", {})
    assert (everything["pageSize"], len(everything["list"])) == (20, 3)
    joined = await people.data("dave", "POST", "topic/list", {"params": {"topicType": "1"}})
    assert [one["topicCode"] for one in joined["list"]] == ["l3", "l1"]
    assert (await people.data("dave", "POST", "topic/list", {}))["list"] == []


async def test_a_joined_topic_in_detail(people: Circle):
    """Thirteen keys for a member; 805 for who is none, 999 for a topic that nobody has."""
    no = await people.topic("olga", "joined", icon="https://example.com/i.png", topicType=2, price="12.5")
    await people.join("bob", await people.link("olga", no))
    path = f"topic/joinTopicDetail?topicId={no}"

    assert without_times(await people.open("bob", "GET", path)) == (
        '{"code":200,"msg":"请求成功","data":{"topicName":"Topic joined","topicCode":"joined",'
        f'"topicId":{no},"contact":"c","introduction":"i","nickName":"main","createTime":"<time>",'
        '"icon":"https://example.com/i.png","topicUserCount":1,"topicType":2,"price":12.5,"topicDescribe":"",'
        '"userNickName":"Olga"}}'
    )
    assert await people.open("carol", "GET", path) == NOT_YOURS
    assert await people.open("bob", "GET", "topic/joinTopicDetail?topicId=999999") == NO_TOPIC


async def test_what_a_topic_must_have(people: Circle):
    """Four fields are required, codes are unique per owner, points are nobody's here, texts have an end."""
    new = {"topicCode": "must", "topicName": "n", "contact": "c", "introduction": "i"}
    for name in new:
        without = {**new, name: " "}
        assert await people.open("bob", "POST", "topic/add", without) == refused(f"{name}不能为空")
    assert await people.open("bob", "POST", "topic/add", {**new, "topicType": 1}) == refused("暂不支持")
    assert await people.open("bob", "POST", "topic/add", {**new, "topicType": "x"}) == refused("topicType格式不正确")
    assert await people.open("bob", "POST", "topic/add", {**new, "price": "free"}) == refused("price格式不正确")
    assert await people.open("bob", "POST", "topic/add", {**new, "contact": "c" * 101}) == refused("contact过长")
    assert (await people.data("bob", "POST", "topic/list", {}))["total"] == 0

    await people.data("bob", "POST", "topic/add", new)
    assert await people.open("bob", "POST", "topic/add", new) == refused("编码已存在")
    await people.data("carol", "POST", "topic/add", new)


async def test_a_topic_is_edited(people: Circle):
    """Code and name are written, the rest only where it is given; a taken code is refused; sending follows."""
    no, other = await people.topic("dave", "e1"), await people.topic("dave", "e2")
    change = {"topic": str(no), "topicCode": "e3", "topicName": "Neu", "introduction": "", "receiptMessage": "r"}

    assert await people.open("dave", "POST", "topic/editTopic", change) == (
        '{"code":200,"msg":"执行成功","data":"修改成功"}'
    )
    detail = await people.data("dave", "GET", f"topic/detail?topicId={no}")
    assert (detail["topicCode"], detail["topicName"], detail["contact"]) == ("e3", "Neu", "c")
    assert (detail["introduction"], detail["receiptMessage"]) == ("", "r")
    assert await people.open("dave", "POST", "topic/editTopic", {**change, "topicCode": "e2"}) == refused("编码已存在")
    assert await people.open("dave", "POST", "topic/editTopic", {**change, "topic": other, "topicName": ""}) == (
        refused("topicName不能为空")
    )
    assert await people.open("bob", "POST", "topic/editTopic", change) == NOT_YOURS
    code_of(await people.post(token=TOKENS["dave"], content="c", topic="e3"))


async def test_leaving_and_deleting(people: Circle):
    """A member leaves once; only who made a topic deletes it, and then its links lead nowhere."""
    no = await people.topic("olga", "gone")
    link = await people.link("olga", no)
    await people.join("bob", link)

    assert await people.open("bob", "GET", f"topic/exitTopic?topicId={no}") == (
        '{"code":200,"msg":"请求成功","data":"退订成功"}'
    )
    assert await people.open("bob", "GET", f"topic/exitTopic?topicId={no}") == refused("未加入该群组")
    assert await people.open("bob", "GET", f"topic/delete?topicId={no}") == NOT_YOURS
    assert await people.open("olga", "GET", f"topic/delete?topicId={no}") == (
        '{"code":200,"msg":"请求成功","data":"群组删除成功"}'
    )
    assert await people.open("olga", "GET", f"topic/delete?topicId={no}") == NO_TOPIC
    assert (await people.look(link, "bob")).status == 404
    assert (await people.press("bob", link)).status == 404


async def test_members_are_looked_after(people: Circle):
    """Remark, removal, black list: each by the number of the list, each only by the topic's maker."""
    no = await people.topic("olga", "care")
    link = await people.link("olga", no)
    for uid in ("bob", "carol"):
        await people.join(uid, link)
    page = {"params": {"topicId": str(no)}}
    carol, bob = [one["id"] for one in (await people.data("olga", "POST", "topicUser/subscriberList", page))["list"]]

    assert await people.open("olga", "POST", "topicUser/editRemark", {"id": bob, "remark": "买家"}) == (
        '{"code":200,"msg":"执行成功","data":null}'
    )
    too_long = {"id": bob, "remark": "一" * 21}
    assert await people.open("olga", "POST", "topicUser/editRemark", too_long) == refused("备注不能超过20个字")
    first = (await people.data("olga", "POST", "topicUser/subscriberList", {**page, "current": 2, "pageSize": 1}))[
        "list"
    ]
    assert [(one["id"], one["remark"]) for one in first] == [(bob, "买家")]

    assert await people.open("olga", "POST", f"topicUser/deleteTopicUser?topicRelationId={carol}") == (
        '{"code":200,"msg":"请求成功","data":"删除成功"}'
    )
    assert await people.open("olga", "POST", f"topicUser/deleteTopicUser?topicRelationId={carol}") == (
        refused("群组用户不存在")
    )
    for call in (f"deleteTopicUser?topicRelationId={bob}", f"addBlacklist?topicRelationId={bob}", "subscriberList"):
        assert await people.open("carol", "POST", f"topicUser/{call}", page) == NOT_YOURS
    assert await people.open("olga", "POST", "topicUser/subscriberList", {}) == refused("topicId不能为空")
    assert await people.open("olga", "POST", "topicUser/deleteTopicUser?topicRelationId=x") == (
        refused("topicRelationId格式不正确")
    )


async def test_a_black_list_of_a_topic(people: Circle):
    """Listed: out and not back in. Lifted: he may come again, and is not in by that. Nobody lists himself."""
    no = await people.topic("olga", "black")
    link = await people.link("olga", no)
    for uid in ("bob", "olga"):
        await people.join(uid, link)
    page = {"params": {"topicId": no}}
    myself, bob = (await people.data("olga", "POST", "topicUser/subscriberList", page))["list"]

    assert await people.open("olga", "POST", f"topicUser/addBlacklist?topicRelationId={myself['id']}") == (
        refused("不能将自己加入黑名单")
    )
    assert await people.open("olga", "POST", f"topicUser/addBlacklist?topicRelationId={bob['id']}") == (
        '{"code":200,"msg":"执行成功","data":null}'
    )
    (entry,) = (await people.data("olga", "POST", "topicUser/blacklistList", page))["list"]
    assert list(entry) == ["id", "userId", "nickName", "openId", "headImgUrl", "createTime"]
    assert (entry["nickName"], entry["openId"]) == ("Bob", bob["openId"])
    listed = (await people.data("olga", "POST", "topicUser/subscriberList", page))["list"]
    assert [one["id"] for one in listed] == [myself["id"]]
    assert (await people.press("bob", link)).status == 403

    assert await people.open("bob", "POST", f"topicUser/removeBlacklist?id={entry['id']}") == NOT_YOURS
    assert await people.open("olga", "POST", f"topicUser/removeBlacklist?id={entry['id']}") == (
        '{"code":200,"msg":"执行成功","data":null}'
    )
    assert await people.open("olga", "POST", f"topicUser/removeBlacklist?id={entry['id']}") == (
        refused("黑名单记录不存在")
    )
    assert (await people.data("olga", "POST", "topicUser/subscriberList", page))["total"] == 1
    await people.join("bob", link)


async def test_a_qr_code_is_a_picture_of_the_link(people: Circle):
    """PNG, for everybody, to be kept by caches; 404 for a code that nobody gave out."""
    link = await people.link("olga", await people.topic("olga", "picture"))
    shown = await people.raw("GET", f"{link}/qr.png")
    drawn = io.BytesIO()
    segno.make_qr(f"{PUBLIC}{link}").save(drawn, kind="png", scale=8)

    assert (shown.status, shown.headers["content-type"]) == (200, "image/png")
    assert shown.headers["cache-control"] == "public, max-age=86400"
    assert shown.body == drawn.getvalue()
    assert (await people.raw("GET", f"/j/{'0' * 32}/qr.png")).status == 404


async def test_how_long_a_link_lives(people: Circle):
    """A week by default, 30 days at most, as often as asked; nonsense is named."""
    no = await people.topic("olga", "life")
    for asked, reason in (("second=x", "second"), ("scanCount=0", "scanCount"), ("scanCount=1000", "scanCount")):
        assert await people.open("olga", "GET", f"topic/qrCode?topicId={no}&{asked}") == refused(f"{reason}格式不正确")
    lives = {}
    for asked in (None, 60, 2_592_000, 99_999_999, 0):
        link = await people.link("olga", no, **({} if asked is None else {"second": asked}))
        lookups = people.server.application.context.lookups
        found = await lookups.credential("pushplus", "join", link.removeprefix("/j/"))
        lives[asked] = round((found.expires_at - found.created_at) / 1000)
    assert lives == {None: 604_800, 60: 60, 2_592_000: 2_592_000, 99_999_999: 2_592_000, 0: 604_800}

    once = await people.link("olga", no, scanCount=1)
    await people.join("bob", once)
    assert (await people.press("carol", once)).status == 410
    assert (await people.press("bob", once)).status == 200
    lasting = await people.data("olga", "GET", f"topic/detail?topicId={no}")
    assert lasting == await people.data("olga", "GET", f"topic/detail?topicId={no}") | {"topicUserCount": 1}


async def test_others_topics_are_out_of_reach(people: Circle):
    """Every call that names a topic asks whose it is."""
    no = await people.topic("olga", "mine")
    for path in ("detail", "qrCode", "delete"):
        assert await people.open("bob", "GET", f"topic/{path}?topicId={no}") == NOT_YOURS
        assert await people.open("bob", "GET", f"topic/{path}?topicId=0") == NO_TOPIC
        assert await people.open("bob", "GET", f"topic/{path}") == refused("topicId不能为空")
    assert await people.open("bob", "POST", "topic/isOpen", {"topic": no, "isOpen": 1}) == refused("暂不支持")


async def test_the_strict_profiles_numbers(tmp_path, sink: Sink):
    """§6, verified user: five topics of one person, a hundred members of one topic."""
    async with circle(tmp_path, directory_text(sink.base, limits="strict")) as strict:
        numbers = [await strict.topic("olga", f"t{no}") for no in range(5)]
        body = {"topicCode": "t5", "topicName": "n", "contact": "c", "introduction": "i"}
        assert await strict.open("olga", "POST", "topic/add", body) == refused("群组数量不能超过5个")
        await strict.topic("bob", "t0")

        link = await strict.link("olga", numbers[0])
        context = strict.server.application.context
        (space,) = await context.lookups.spaces()
        topic = int(await context.store.numbers.meant(space.id, "topic", numbers[0]))
        await context.store.feeds.join(space.id, topic, range(1, 100))
        await strict.join("bob", link)
        assert (await strict.press("carol", link)).status == 409
