"""Golden requests and answers of PushPlus, over real HTTP."""

import io
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.wire.pushplus.support import FORM, JSON, OK, Client, filled, refusal

pytestmark = pytest.mark.asyncio(loop_scope="module")
BATCH = re.compile(
    r'\{"code":200,"msg":"执行成功","data":\[\{"shortCode":"[0-9a-f]{32}",'
    r'"message":"请求成功，请用流水号查询最终发送结果","code":200,"channel":"wechat"\}\]\}'
)
SHAPES = {"OK": OK, "BATCH": BATCH}
CASES = tomllib.loads((Path(__file__).parent / "golden.toml").read_text())["cases"]


async def _answered(client: Client, case: dict[str, Any]):
    method, target = filled(case["request"]).split(" ", 1)
    if "json" in case:
        return await client.raw(method, target, JSON, filled(case["json"]))
    if "form" in case:
        return await client.raw(method, target, FORM, filled(case["form"]))
    return await client.raw(method, target)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
async def test_golden(client, case):
    """Each request gets exactly its answer: HTTP 200, the code in the body, open to browsers."""
    answer = await _answered(client, case)

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json;charset=UTF-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    row = case.get("answer", "OK")
    if row in SHAPES:
        assert SHAPES[row].fullmatch(answer.body.decode()), answer.body.decode()
    else:
        assert answer.body.decode() == refusal(row, case.get("insert", 200))


@pytest.mark.parametrize("path", ["/send", "/send/", "/send/x", "/batchSend", "/batchSend/x/"])
@pytest.mark.parametrize("method", ["PATCH", "TRACE", "HEAD"])
async def test_another_method_is_405(client, method, path):
    """Four methods send; HEAD must not, for link checkers use it."""
    answer = await client.raw(method, path)

    assert answer.status == 405
    assert answer.headers["allow"] == "GET,POST,PUT,DELETE"


@pytest.mark.parametrize("path", ["/send", "/send/x", "/batchSend", "/api/open/user/token", "/shortMessage/x"])
async def test_a_preflight_is_answered(client, path):
    """Browsers ask first."""
    answer = await client.raw("OPTIONS", path, (("Origin", "https://a.example"),))

    assert answer.status == 200
    assert answer.headers["access-control-allow-methods"] == "GET,POST,PUT,DELETE,OPTIONS"
    assert "access-key" in answer.headers["access-control-allow-headers"]


@pytest.mark.parametrize("path", ["/sendx", "/send/a/b", "/api/common/x", "/batchSender"])
async def test_an_unknown_path_of_the_area_is_404(client, path):
    """In the shape that clients read."""
    answer = await client.raw("POST", path)

    assert answer.status == 404
    assert answer.body.decode() == '{"code":999,"msg":"接口不存在","data":null}'


async def test_a_body_beyond_all_limits_is_too_long_a_content(client):
    """The service's own words in the form of either API, not a bare 413."""
    said = []
    for path in ("/send", "/api/open/pre/add"):
        body = io.BytesIO(b" " * (2 * 1024 * 1024 + 1))
        async with client.server.session.post(client.server.url + path, data=body) as answer:
            assert answer.status == 200
            said.append(await answer.text())

    assert said == [refusal("E8", 100_000), '{"code":999,"msg":"服务端验证错误","data":"请求内容过长"}']


async def test_a_content_at_the_limit_is_accepted_and_one_more_is_not(client):
    """100,000 characters, Chinese ones too."""
    await client.accepted(content="文" * 100_000)
    answer = await client.post(content="文" * 100_001)

    assert answer.body.decode() == refusal("E8", 100_000)
