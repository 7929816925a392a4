"""Contents of more than 16 KiB, which lie beside their row, on every way out (sheet pushplus §6)."""

import msgspec
import pytest
from tests.wire.pushplus.support import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

# 100,000 characters, the longest content there is (sheet §6).
_FRAME = "<p>开头</p><script>alert(1)</script><p>{}</p><p onclick=x>末尾</p>"
CONTENT = _FRAME.format("长" * (100_000 - len(_FRAME) + 2))
SHOWN = CONTENT.replace("<script>alert(1)</script>", "").replace(" onclick=x", "")


async def test_a_long_content_is_whole_in_the_mail(client, mailbox):
    """All of it, sanitised, and no attachment of what its sender wrote."""
    await client.accepted(title="长邮件", content=CONTENT, channel="mail")
    mail = await eventually(lambda: mailbox.titled("长邮件"))

    assert len(CONTENT) == 100_000
    assert SHOWN in mail.part("text/html")
    assert "alert" not in mail.part("text/html")
    assert list(mail.message.iter_attachments()) == []


@pytest.mark.parametrize(("code", "path", "key"), [("flow", "/flow", "content"), ("ift", "/trigger", "value2")])
async def test_a_long_content_is_whole_in_a_flow(client, sink, code, path, key):
    """As it was sent, and no second time in the message's row (DESIGN §4: never more than 16 KiB)."""
    short_code = await client.accepted(title="长流程", content=CONTENT, channel="webhook", webhook=code, template="txt")
    (request,) = await eventually(lambda: sink.about(short_code, path))
    stored = await client.server.application.context.store.pushplus.message(short_code)

    assert request.json[key] == CONTENT
    assert len(msgspec.json.encode(stored.parts)) < 2 * 16_384


async def test_a_long_content_is_whole_in_the_inbox(client):
    """The item holds it as written and as it may be shown."""
    code = await client.accepted(title="长内容", content=CONTENT)
    item = await client.entry("alice", code)

    assert item["body"] == CONTENT
    assert item["html"] == SHOWN
    assert item["text"].startswith("开头")
    assert item["text"].endswith("末尾")
    assert item["attachments"] == []


async def test_a_long_content_is_whole_on_its_page(client):
    """Sanitised there too."""
    page = await client.page(await client.accepted(content=CONTENT))

    assert "长" * 99_000 in page
    assert "末尾" in page
    assert "alert" not in page
