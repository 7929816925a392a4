"""Access keys and what they open (sheet pushplus §2, A44 to A47)."""

import json
import re

import pytest
from tests.wire.pushplus.support import JSON, UT, UTB

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a44_access_keys(client):
    """A44: 32 characters for 7200 s; a message token gets 903, a wrong secret 401."""
    path = "/api/common/openApi/getAccessKey"
    answers = [
        await client.raw("POST", path, JSON, json.dumps({"token": token, "secretKey": secret}))
        for token, secret in (
            (UT, "alice-secret"),
            ("a11ce000000000000000000000000002", "alice-secret"),
            (UT, "wrong"),
            (UTB, ""),
        )
    ]

    assert re.fullmatch(
        r'\{"code":200,"msg":"请求成功","data":\{"accessKey":"[0-9a-f]{32}","expiresIn":7200\}\}',
        answers[0].body.decode(),
    )
    assert [json.loads(answer.body)["code"] for answer in answers] == [200, 903, 401, 401]
    assert {answer.status for answer in answers} == {200}


async def test_a45_the_access_key_rule(client):
    """A45: HTTP 200 and code 401 without a key; with it the user token. What is not built says so."""
    without = await client.raw("GET", "/api/open/user/token")
    headers = (("access-key", await client.access_key()),)
    with_key = await client.raw("GET", "/api/open/user/token", headers)
    later = await client.raw("POST", "/api/open/topic/isOpen", headers, b"{}")

    assert (without.status, without.body.decode()) == (200, '{"code":401,"msg":"请求未授权","data":null}')
    assert json.loads(with_key.body)["data"] == UT
    assert later.body.decode() == '{"code":999,"msg":"服务端验证错误","data":"暂不支持"}'


async def test_a46_a_replaced_key_still_works(client):
    """A46: a new key replaces the old one; both work for five more minutes."""
    keys = [await client.access_key(), await client.access_key()]
    codes = [
        json.loads((await client.raw("GET", "/api/open/user/token", (("access-key", key),))).body)["code"]
        for key in keys
    ]

    assert keys[0] != keys[1]
    assert codes == [200, 200]


async def test_a47_send_message_result(client):
    """A47: status 2 and no error; an unknown code is a validation error with its reason in data."""
    result = await client.result(await client.accepted(content="c"))
    headers = (("access-key", await client.access_key()),)
    unknown = await client.raw("GET", f"/api/open/message/sendMessageResult?shortCode={'0' * 32}", headers)

    assert (result["status"], result["errorMessage"]) == (2, "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", result["updateTime"])
    body = json.loads(unknown.body)
    assert (body["code"], body["msg"], type(body["data"])) == (999, "服务端验证错误", str)


async def test_a47_another_ones_message_is_not_shown(client):
    """Someone else's object is 805."""
    code = await client.accepted(token=UTB, content="c")
    headers = (("access-key", await client.access_key()),)
    answer = await client.raw("GET", f"/api/open/message/sendMessageResult?shortCode={code}", headers)

    assert answer.body.decode() == '{"code":805,"msg":"无权查看","data":null}'
