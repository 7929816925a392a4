"""Clients of others, unmodified, over the wire: apprise, onepush, push-all-in-one.

They know one host. Either its name is changed (an attribute), or they are led here as users would lead them: by a
hosts entry and an own certificate, or by ``http_proxy``.
"""

import asyncio
import json
import os
import shutil
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import apprise
import onepush
import pytest
import pytest_asyncio
from tests.engines import missing
from tests.fakes.certificates import make_tls
from tests.wire.pushplus.support import FB, UT, eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # What the clients do themselves: apprise loads a deprecated module, onepush leaves its session to the collector.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
CLIENTS = Path(__file__).parents[2] / "clients"
HOST = "www.pushplus.plus"


async def newest(client, uid: str = "alice") -> dict[str, Any]:
    """What a person got last."""
    return (await client.inbox(uid))[-1]


# ---------------------------------------------------------------- apprise


def apprised(url: str, base: str) -> apprise.NotifyBase:
    """An apprise service by its own URL, its host changed, and its 4 s of patience: a busy machine may stall."""
    service = apprise.Apprise.instantiate(f"{url}{'&' if '?' in url else '?'}cto=30&rto=30")
    service.notify_url, service.batch_url = f"{base}/send", f"{base}/batchSend"
    return service


async def told(service: apprise.NotifyBase, **message: Any) -> bool:
    """Whether apprise takes it as sent."""
    return await asyncio.to_thread(service.notify, **message)


async def test_apprise_sends_to_oneself_a_topic_and_a_friend(client):
    """Its three targets, and its formats as templates."""
    base = client.server.url
    assert await told(apprised(f"pushplus://{UT}?format=markdown", base), title="自己", body="# 正文")
    mine = await newest(client)
    assert await told(apprised(f"pushplus://{UT}/ops", base), title="群组", body="正文")
    topical = await newest(client, "bob")
    assert await told(apprised(f"pushplus://{UT}/@{FB}", base), title="好友", body="正文")
    friendly = await newest(client, "bob")

    assert (mine["title"], mine["body"], mine["format"]) == ("自己", "# 正文", "markdown")
    assert (topical["title"], friendly["title"]) == ("群组", "好友")


async def test_apprise_sends_over_several_channels(client, sink):
    """Its batch: one code per channel, by position."""
    url = f"pushplus://{UT}?channel=wechat,webhook&option=,wecom"

    assert await told(apprised(url, client.server.url), title="成批", body="apprise batch")
    assert (await newest(client))["title"] == "成批"
    assert await eventually(lambda: sink.about("成批", "/cgi-bin/webhook"))


@pytest.mark.parametrize("url", ["pushplus://" + "0" * 32, f"pushplus://{UT}/nope", f"pushplus://{UT}?channel=voice"])
async def test_apprise_hears_a_refusal(client, url):
    """It takes our codes as failures."""
    assert not await told(apprised(url, client.server.url), title="t", body="c")


# ---------------------------------------------------------------- onepush


async def test_onepush_sends(client):
    """It sends null for every field it does not use."""
    notifier = onepush.get_notifier("pushplus")
    notifier.base_url = f"{client.server.url}/send"
    fields = {"token": UT, "title": "onepush", "content": "**c**", "markdown": True, "topic": "ops"}
    answer = await asyncio.to_thread(notifier.notify, **fields)

    assert (answer.status_code, answer.json()["code"]) == (200, 200)
    assert (await client.entry("bob", answer.json()["data"]))["format"] == "markdown"


async def test_onepush_through_http_proxy(client, monkeypatch):
    """A client that speaks http to its one host: ``http_proxy`` is enough, absolute-form targets are understood."""
    monkeypatch.setenv("http_proxy", client.server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    notifier = onepush.get_notifier("pushplus")
    notifier.base_url = f"http://{HOST}/send"
    answer = await asyncio.to_thread(notifier.notify, token=UT, content="through a proxy")

    assert await client.has("alice", answer.json()["data"])


# ---------------------------------------------------------------- hosts entry and own certificate


@pytest_asyncio.fixture(loop_scope="module")
async def hosts_entry(client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The service's name leads to a TLS terminator in front of onebell, whose certificate the clients trust."""
    tls = make_tls(tmp_path, HOST)
    behind = urlsplit(client.server.url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(behind.hostname, behind.port)
        await asyncio.gather(_pour(reader, inner_writer), _pour(inner_reader, writer))

    terminator = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls.server)
    port = terminator.sockets[0].getsockname()[1]
    look_up = socket.getaddrinfo

    def led_here(host: str, *arguments: Any, **options: Any) -> Any:
        place = ("127.0.0.1", port, *arguments[1:]) if host == HOST else (host, *arguments)
        return look_up(*place, **options)

    monkeypatch.setattr(socket, "getaddrinfo", led_here)
    authorities = tmp_path / "authorities.pem"
    authorities.write_text("".join(ssl.DER_cert_to_PEM_cert(der) for der in tls.client.get_ca_certs(binary_form=True)))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authorities))
    yield
    terminator.close()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    writer.close()


async def test_apprise_as_it_is(client, hosts_entry):
    """Nothing of it is changed: it asks https://www.pushplus.plus and finds onebell."""
    service = apprise.Apprise.instantiate(f"pushplus://{UT}")

    assert service.notify_url == f"https://{HOST}/send"
    assert await told(service, title="原样 apprise", body="c")
    assert (await newest(client))["title"] == "原样 apprise"


async def test_onepush_as_it_is(client, hosts_entry):
    """So does onepush."""
    answer = await asyncio.to_thread(onepush.notify, "pushplus", token=UT, title="原样 onepush", content="c")

    assert answer.url == f"https://{HOST}/send"
    assert (await client.entry("alice", answer.json()["data"]))["title"] == "原样 onepush"


# ---------------------------------------------------------------- push-all-in-one


def _node() -> str:
    found = shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None or not (CLIENTS / "node_modules" / "push-all-in-one").is_dir():
        missing("Node.js and tests/clients/node_modules are not there (make test installs them)")
    return found


async def all_in_one(client, token: str, title: str, content: str, **options: str) -> dict[str, Any]:
    """What push-all-in-one got for an answer; it asks http://www.pushplus.plus, a hosts entry leads it here."""
    place = urlsplit(client.server.url)
    process = await asyncio.create_subprocess_exec(
        _node(), "-r", "./hosts.cjs", "push-all-in-one.cjs", token, title, content, json.dumps(options),
        cwd=CLIENTS,
        env={"ONEBELL_AT": f"{place.hostname}:{place.port}", "PATH": os.environ["PATH"], "NO_PROXY": "true"},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    return json.loads(said)


async def test_push_all_in_one(client, sink):
    """To oneself as markdown, and through a webhook."""
    answer = await all_in_one(client, UT, "全能", "# 标题", template="markdown")
    other = await all_in_one(client, UT, "全能二", "正文", channel="webhook", webhook="wecom")

    assert (answer["status"], answer["data"]["code"]) == (200, 200)
    assert (await client.entry("alice", answer["data"]["data"]))["format"] == "markdown"
    assert await eventually(lambda: sink.about(other["data"]["data"], "/cgi-bin/webhook"))
    assert (await all_in_one(client, "0" * 32, "t", "c"))["data"]["code"] == 903
