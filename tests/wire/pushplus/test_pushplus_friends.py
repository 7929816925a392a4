"""Friends, black lists of people, and what their join pages say (sheet pushplus §2, §3)."""

import json
import re

import pytest
import pytest_asyncio
from tests.wire.pushplus.circles import TOKENS, Circle, circle, directory_text, without_times
from tests.wire.pushplus.conftest import Sink
from tests.wire.pushplus.support import FORM, eventually

from onebell import directory
from onebell.app import SECTIONS
from onebell.store.schema import credential

pytestmark = pytest.mark.asyncio(loop_scope="module")

DONE = '{"code":200,"msg":"执行成功","data":null}'
NOT_YOURS = '{"code":805,"msg":"无权查看","data":null}'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(tmp_path_factory, sink: Sink):
    """Four people of a server without limits."""
    async with circle(tmp_path_factory.mktemp("friends"), directory_text(sink.base)) as caller:
        yield caller


@pytest_asyncio.fixture(loop_scope="module")
async def closed(tmp_path, sink: Sink):
    """The same people where nobody new may come in."""
    async with circle(tmp_path, directory_text(sink.base, open_join="false")) as caller:
        yield caller


def refused(reason: str) -> str:
    """A validation error of the open API."""
    return f'{{"code":999,"msg":"服务端验证错误","data":"{reason}"}}'


async def friends(people: Circle, uid: str) -> dict[str, dict]:
    """A person's friends by name."""
    return {one["nickName"]: one for one in (await people.data(uid, "POST", "friend/list", {}))["list"]}


async def test_a_code_makes_both_friends(people: Circle, sink: Sink):
    """Each gets a token for the other; the code's maker is told once, with what the code said."""
    given = await people.open("olga", "GET", "friend/getQrCode?appId=wx1&content=%E8%87%AA%E5%AE%9A%E4%B9%89")
    assert re.fullmatch(
        r'\{"code":200,"msg":"执行成功","data":\{"qrCodeImgUrl":"http://onebell.example/j/[0-9a-f]{32}/qr.png"\}\}',
        given,
    )
    link = await people.link("olga", content="自定义")
    await people.join("bob", link)
    assert (await people.press("bob", link)).status == 200

    bob, olga = (await friends(people, "olga"))["Bob"], (await friends(people, "bob"))["Olga"]
    assert without_times(json.dumps(bob, ensure_ascii=False, separators=(",", ":"))) == (
        f'{{"id":{bob["id"]},"friendId":{bob["friendId"]},"token":"{bob["token"]}","headImgUrl":"","nickName":"Bob",'
        '"emailStatus":0,"havePhone":0,"isFollow":1,"remark":"","createTime":"<time>"}'
    )
    (told,) = await eventually(lambda: sink.about('"add_friend"', "/olga"))
    assert without_times(told.body.decode()) == (
        f'{{"event":"add_friend","qrCode":"自定义","friendInfo":{{"token":"{bob["token"]}",'
        f'"friendId":{bob["friendId"]},"isFollow":1,"nickName":"Bob","havePhone":0,"createTime":"<time>",'
        '"emailStatus":0}}'
    )
    for sender, receiver, token in (("olga", "bob", bob["token"]), ("bob", "olga", olga["token"])):
        code = await people.accepted(token=TOKENS[sender], content="c", to=token)
        assert await people.has(receiver, code)
        assert "好友消息" in await people.page(code)
    stolen = await people.accepted(token=TOKENS["carol"], content="c", to=bob["token"])
    assert not await people.has("bob", stolen)


async def test_a_code_without_content_says_an_empty_one(people: Circle, sink: Sink):
    """§3: ``qrCode`` is ``""`` when the code carried nothing."""
    await people.befriend("carol", "dave")

    (told,) = await eventually(lambda: sink.about('"add_friend"', "/carol"))
    assert told.json["qrCode"] == ""
    assert await sink.about('"add_friend"', "/dave") == []


async def test_friends_end_for_both(people: Circle):
    """Deleted by one, gone for the other; the tokens reach nobody any more."""
    await people.befriend("bob", "dave")
    dave = (await friends(people, "bob"))["Dave"]

    assert await people.open("carol", "GET", f"friend/deleteFriend?friendId={dave['friendId'] + 99}") == (
        refused("好友不存在")
    )
    assert await people.open("bob", "GET", f"friend/deleteFriend?friendId={dave['friendId']}") == DONE
    assert await people.open("bob", "GET", f"friend/deleteFriend?friendId={dave['friendId']}") == refused("好友不存在")
    assert "Bob" not in await friends(people, "dave")
    result = await people.accepted(token=TOKENS["bob"], content="c", to=dave["token"])
    assert not await people.has("dave", result)


async def test_a_remark_is_ones_own(people: Circle):
    """It stands in the list of who wrote it and in no other."""
    await people.befriend("dave", "olga")
    olga = (await friends(people, "dave"))["Olga"]

    assert await people.open("dave", "POST", "friend/editRemark", {"id": str(olga["id"]), "remark": "备注"}) == DONE
    assert (await friends(people, "dave"))["Olga"]["remark"] == "备注"
    assert (await friends(people, "olga"))["Dave"]["remark"] == ""
    assert await people.open("olga", "POST", "friend/editRemark", {"id": olga["id"], "remark": "x"}) == NOT_YOURS
    assert await people.open("dave", "POST", "friend/editRemark", {"id": 999_999, "remark": "x"}) == (
        refused("好友不存在")
    )
    too_long = {"id": olga["id"], "remark": "x" * 21}
    assert await people.open("dave", "POST", "friend/editRemark", too_long) == refused("备注不能超过20个字")


async def test_a_black_list_of_a_person(people: Circle):
    """Listed: no friends any more, and neither's code makes them so; lifted: the code does again."""
    await people.befriend("carol", "bob")
    bob = (await friends(people, "carol"))["Bob"]
    to_carol, to_bob = await people.link("carol"), await people.link("bob")

    assert await people.open("carol", "POST", f"friend/addBlacklist?friendId={bob['friendId']}") == DONE
    assert "Carol" not in await friends(people, "bob")
    listed = await people.data("carol", "POST", "friend/blacklistList", {})
    (entry,) = listed["list"]
    assert list(entry) == ["id", "friendId", "nickName", "headImgUrl", "createTime"]
    assert (entry["friendId"], entry["nickName"], listed["total"]) == (bob["friendId"], "Bob", 1)
    assert ((await people.press("bob", to_carol)).status, (await people.press("carol", to_bob)).status) == (403, 409)

    assert await people.open("bob", "POST", f"friend/removeBlacklist?id={entry['id']}") == NOT_YOURS
    assert await people.open("carol", "POST", f"friend/removeBlacklist?id={entry['id']}") == DONE
    assert await people.open("carol", "POST", f"friend/removeBlacklist?id={entry['id']}") == refused("黑名单记录不存在")
    assert "Bob" not in await friends(people, "carol")
    await people.join("bob", to_carol)


# ---------------------------------------------------------------- the pages


async def test_a_look_changes_nothing(people: Circle):
    """GET of a link shows who and what, in the reader's language, to be kept by nobody; HEAD too."""
    topic = await people.topic("olga", "look", introduction="<b>夜间</b>", receiptMessage="欢迎")
    link = await people.link("olga", topic)
    english, chinese = await people.look(link, "bob"), await people.look(link, "bob", "zh-CN,zh;q=0.9")

    for said in (b"Olga invites you to the topic", b"Topic look", "&lt;b&gt;夜间&lt;/b&gt;".encode(), b"Contact: c"):
        assert said in english.body
    for said in ("Olga 邀请你加入群组", "联系方式：c", "当前登录：Bob", "加入群组</button>"):
        assert said in chinese.body.decode()
    assert english.headers["cache-control"] == "no-store"
    assert "script-src 'self'" in english.headers["content-security-policy"]
    assert (await people.data("olga", "GET", f"topic/detail?topicId={topic}"))["topicUserCount"] == 0

    await people.join("bob", link)
    assert "加入成功" in (await people.look(f"{link}?done", "bob", "zh")).body.decode()
    assert "欢迎" in (await people.look(f"{link}?done", "bob", "zh")).body.decode()
    assert "你已经在该群组中。" in (await people.look(link, "bob", "zh")).body.decode()


async def test_another_site_cannot_press(people: Circle):
    """S9: a form of another origin joins nobody, signs nobody in and makes nobody, whatever cookie it brings."""
    topic = await people.topic("olga", "foreign")
    link = await people.link("olga", topic)
    forms = [
        await people.press("bob", link, origin="http://evil.example"),
        await people.raw("POST", link, (*FORM, ("Cookie", await people.cookie("bob")))),
        await people.send_form(f"{link}/sign-in", origin="http://evil.example", uid="bob", password="bob-password"),
        await people.send_form(
            f"{link}/register", origin="null", uid="eve", name="Eve", password="eve-password", again="eve-password"
        ),
    ]

    assert [answer.status for answer in forms] == [403] * 4
    assert all("set-cookie" not in answer.headers for answer in forms)
    assert (await people.data("olga", "GET", f"topic/detail?topicId={topic}"))["topicUserCount"] == 0
    nobody = await people.raw("POST", link, (*FORM, ("Origin", "http://onebell.example")))
    assert (nobody.status, b"Sign in to join." in nobody.body) == (401, True)


async def test_each_hindrance_has_its_words(people: Circle):
    """Own code, ended, used up, black-listed, already in, unknown: told apart in both languages."""
    own = await people.link("olga")
    topic = await people.topic("olga", "words")
    into_own, once = await people.link("olga", topic), await people.link("olga", topic, scanCount=1)
    brief = await people.link("olga", topic, second=1)
    await people.join("bob", once)
    context = people.server.application.context
    found = await context.lookups.credential("pushplus", "join", brief.removeprefix("/j/"))
    await context.store.changes.write(found.space, lambda connection: ended(connection, found.id))

    for link, uid, status, chinese, english in (
        (own, "olga", 200, "这是你自己的二维码", "This is your own code."),
        (into_own, "olga", 200, "这是你创建的群组", "This is your own topic."),
        (brief, "carol", 410, "此二维码已过期", "This code has expired."),
        (brief, "", 410, "此二维码已过期", "This code has expired."),
        (once, "carol", 410, "可用次数已用完", "used as often as it may be"),
        (once, "bob", 200, "你已经在该群组中", "You are in this topic already."),
        (f"/j/{'0' * 32}", "bob", 404, "此链接不存在", "This link does not exist"),
        ("/j/nonsense", "", 404, "此链接不存在", "This link does not exist"),
    ):
        pages = [await people.look(link, uid, language) for language in ("zh-CN", "en-GB")]
        assert [page.status for page in pages] == [status] * 2
        assert chinese in pages[0].body.decode()
        assert english in pages[1].body.decode()


def ended(connection, which: int) -> None:
    """Let a link have ended a second ago."""
    connection.execute(credential.update().where(credential.c.id == which).values(expires_at=1))


async def test_sign_in_and_come_back(people: Circle):
    """The right password leads back to the link with a session, a wrong one says so and forgets nothing else."""
    link = await people.link("olga", await people.topic("olga", "back"))
    wrong = await people.send_form(f"{link}/sign-in", uid="carol", password="no")
    right = await people.send_form(f"{link}/sign-in", uid="Carol", password="carol-password")

    assert (wrong.status, b"The user or the password is wrong." in wrong.body) == (401, True)
    assert b'value="carol"' in wrong.body
    assert (right.status, right.headers["location"]) == (303, link)
    cookie = right.headers["set-cookie"].partition(";")[0]
    assert "HttpOnly; SameSite=Lax" in right.headers["set-cookie"]
    page = await people.raw("GET", link, (("Cookie", cookie), ("Accept-Language", "en")))
    assert b"Signed in as Carol" in page.body


async def test_somebody_new_registers_and_is_in(people: Circle, sink: Sink):
    """One form makes the account, signs in and joins; what is wrong with it comes back beside what it held."""
    topic = await people.topic("olga", "new")
    link = await people.link("olga", topic)
    good = {"uid": "nina", "name": "Nina <3", "password": "nina-password", "again": "nina-password"}
    for change, status, words in (
        ({"uid": "olga"}, 409, "This user name is taken."),
        ({"uid": "no blanks"}, 422, "A user name has 1 to 64"),
        ({"password": "short", "again": "short"}, 422, "A password has 8 to 200 characters."),
        ({"again": "another-password"}, 422, "The two passwords differ."),
    ):
        answer = await people.send_form(f"{link}/register", **{**good, **change})
        assert (answer.status, words in answer.body.decode()) == (status, True)
        assert "<details open>" in answer.body.decode()
        assert "Nina &lt;3" in answer.body.decode()

    answer = await people.send_form(f"{link}/register", **good)
    assert (answer.status, answer.headers["location"]) == (303, f"{link}?done")
    page = await people.raw("GET", f"{link}?done", (("Cookie", answer.headers["set-cookie"].partition(";")[0]),))
    assert b"You have joined." in page.body
    (told,) = await eventually(lambda: sink.about('"topicCode":"new"', "/olga"))
    assert told.json["topicUserInfo"]["nickName"] == "Nina <3"
    code = await people.accepted(token=TOKENS["olga"], content="c", topic="new")
    assert await people.has("nina", code)


@pytest.mark.parametrize("form", ["sign-in", "register"])
async def test_odd_forms_are_refused(people: Circle, form: str):
    """Bytes that are no form, names that nobody can have, endless fields: told on the page, never a failure of ours."""
    link = await people.link("olga")
    headers = (*FORM, ("Origin", "http://onebell.example"))
    odd = "uid={0}&name={0}&password={0}password&again={0}password"
    bodies = [b"", b"\xff\xfe\x00", b"&&==&;", b"uid=%", b"{}", *(odd.format(one).encode() for one in ODD)]
    for body in bodies:
        answer = await people.raw("POST", f"{link}/{form}", headers, body)
        assert answer.status in (401, 422, 429), (answer.status, body[:60])
        assert b"Olga" in answer.body


ODD = ("%00", "%ED%A0%80", "%EF%BF%BE", "%F0%9F%98%80", "a" * 100_000, "%0D%0ASet-Cookie:x=y", "<b>", "%7B0%7D")


async def test_a_link_that_refuses_makes_nobody(people: Circle):
    """An ended link leaves no account behind."""
    once = await people.link("olga", scanCount=1)
    await people.join("carol", once)
    form = {"uid": "late", "name": "L", "password": "late-password", "again": "late-password"}

    assert (await people.send_form(f"{once}/register", **form)).status == 410
    context = people.server.application.context
    (space,) = await context.lookups.spaces()
    assert await context.lookups.person_by_uid(space.id, "late") is None


async def test_where_nobody_new_may_come_in(closed: Circle):
    """``open_join = false``: no form for it, and none is taken; who is of the space joins as ever."""
    link = await closed.link("olga")
    form = {"uid": "nina", "name": "N", "password": "nina-password", "again": "nina-password"}
    answer = await closed.send_form(f"{link}/register", **form)

    assert b"/register" not in (await closed.look(link)).body
    assert (answer.status, b"New accounts cannot be made here." in answer.body) == (403, True)
    await closed.join("bob", link)


async def test_a_file_leaves_who_came_by_a_link(closed: Circle, sink: Sink):
    """Members, friends and new people are not the file's: another apply finds all as it is and takes nobody away."""
    text = directory_text(sink.base)
    context = closed.server.application.context
    await directory.apply(context.store, SECTIONS, text, dry_run=False)
    into = await closed.link("olga", await closed.topic("olga", "t"))
    await closed.join("bob", into)
    await closed.befriend("olga", "bob")
    form = {"uid": "nina", "name": "N", "password": "nina-password", "again": "nina-password"}
    assert (await closed.send_form(f"{into}/register", **form)).status == 303

    report = await directory.apply(context.store, SECTIONS, text, dry_run=False)

    assert not report.changed
    topic = (await closed.data("olga", "POST", "topic/list", {}))["list"][0]
    assert topic["topicUserCount"] == 2
    assert list(await friends(closed, "olga")) == ["Bob"]
    fewer = text[: text.rindex("[[people]]")]
    gone = await directory.apply(context.store, SECTIONS, fewer, dry_run=False)
    assert {line.split()[2] for line in gone.lines if line.startswith("- person")} == {"dave"}


async def test_accounts_from_one_address_have_a_limit(closed: Circle, people: Circle):
    """Ten an hour; the eleventh waits, whichever link it comes by."""
    form = {"name": "N", "password": "some-password", "again": "some-password"}
    links = [await people.link(uid) for uid in ("olga", "bob")]
    statuses = [
        (await people.send_form(f"{links[no % 2]}/register", uid=f"mass{no}", **form)).status for no in range(11)
    ]

    assert statuses[-1] == 429
    assert set(statuses[:-1]) <= {303, 429}
