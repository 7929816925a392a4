"""A part as one account sends it: names, limits, native payloads and files."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest
from tests.fakes.carrier_account import account
from tests.fakes.dns import FakeResolver
from tests.fakes.files import Shelf
from tests.fakes.http_service import answer, drop, endless, http_service, redirect

from onebell.carriers.base import Rendered
from onebell.carriers.outbound import Outbound
from onebell.carriers.rendering import AttachmentLost, AttachmentOutOfReach, PartRenderer
from onebell.core.context import Context
from onebell.core.directory import Person, Space
from onebell.core.model import Attachment, Content, Format, Part, Severity
from onebell.core.work import MessageFacts
from onebell.errors import NotFound

MIB = 1 << 20


@dataclass
class Directory:
    """One person, and what the space allows."""

    allow_callbacks: tuple[str, ...] = ()

    async def people_by_uid(self, space: int, uids: Sequence[str]) -> dict[str, Person]:
        known = {"zhangsan": "张三"}
        found = {uid.lower() for uid in uids} & known.keys()
        return {uid: cast(Person, _Named(uid, known[uid])) for uid in found}

    async def space(self, space: int) -> Space:
        return Space(
            id=space, name="main", timezone="UTC", language="en", public_url="", allow_callbacks=self.allow_callbacks,
            config_version=1,
        )  # fmt: skip


@dataclass
class _Named:
    uid: str
    name: str


async def render_for(
    kind: str, content: Content, native: Any = None, directory: Directory | None = None, **files: bytes
) -> Rendered:
    """One part, rendered for an account of a kind; ``f1=b"…"`` is stored file 1."""
    part = Part(content=content, native={} if native is None else {kind: native})
    facts = MessageFacts(
        id=1, space=1, dialect="native", public_id="m", state="", sender_name="", severity=Severity.NORMAL,
        parts=(part,), watched=False, created_at=0, expires_at=0,
    )  # fmt: skip
    shelf = Shelf({int(name[1:]): body for name, body in files.items()})
    context = cast(Context, _Doors(directory or Directory(), shelf))
    outbound = Outbound(resolver=FakeResolver())
    try:
        return await PartRenderer(context, outbound)(facts, 0, account(kind))
    finally:
        await outbound.close()


@dataclass
class _Doors:
    lookups: Directory
    files: Shelf


async def test_forms_are_cut_to_the_manifest() -> None:
    """What the carrier gets is within its limits; the neutral form stays whole."""
    content = Content(title="题" * 1000, body="<p>" + "字" * 5000 + "</p>", format=Format.HTML)

    rendered = await render_for("wecom_bot", content)

    assert (len(rendered.title.encode()), len(rendered.text.encode())) == (510, 2046)
    assert rendered.content == content


async def test_html_for_carriers_is_sanitised() -> None:
    """The mail profile: nothing of a stranger's script survives."""
    rendered = await render_for("smtp", Content(body="<b>x</b><script>1</script><a href=//e>y</a>", format=Format.HTML))

    assert rendered.html == '<b>x</b><a rel="noopener noreferrer nofollow">y</a>'


async def test_a_long_body_is_sent_whole() -> None:
    """What lies in a file because it is long is read, sanitised and sent like any other."""
    stored = ("<p>" + "x" * 100_000 + "</p><script>1</script><p>end</p>").encode()

    rendered = await render_for("smtp", Content(body="<p>xx", format=Format.HTML, body_file=1), f1=stored)

    assert rendered.html == "<p>" + "x" * 100_000 + "</p><p>end</p>"
    assert rendered.content.body.encode() == stored
    assert rendered.attachments == ()


async def test_mentions_are_named() -> None:
    """``<@id>`` shows the person's name; an id that nobody has shows itself."""
    content = Content(body="<@ZhangSan> <@ghost>", format=Format.WECOM_MARKDOWN)

    rendered = await render_for("webhook", content)

    assert rendered.text == "@张三 @ghost"


async def test_native_goes_to_its_own_kind_only() -> None:
    """A payload is for the kind it names; a kind that takes none gets the rendered form."""
    assert (await render_for("wecom_bot", Content(body="x"), {"msgtype": "text"})).native == {"msgtype": "text"}
    assert (await render_for("wecom_bot", Content(body="x"))).native is None
    assert (await render_for("smtp", Content(body="x"), {"a": 1})).native is None


async def test_files_in_a_native_payload_come_back_as_base64() -> None:
    """``{"$file": id}`` stands for bytes that were too large for the row (sheet wecom §2.4)."""
    picture = bytes(range(256)) * 100
    native = {"msgtype": "image", "image": {"base64": {"$file": 1}, "md5": "x"}, "list": [{"$file": 1, "other": 2}]}

    rendered = await render_for("wecom_bot", Content(), native, f1=picture)

    assert rendered.native["image"] == {"base64": base64.b64encode(picture).decode(), "md5": "x"}
    assert rendered.native["list"] == [{"$file": 1, "other": 2}]


async def test_stored_attachments_are_read() -> None:
    """Files that lie here go along, byte by byte; carriers that send none do not read them."""
    content = Content(attachments=(Attachment(name="a", file=1), Attachment(name="b", file=2)))

    rendered = await render_for("smtp", content, f1=b"hello world", f2=b"")

    assert [(one.name, body) for one, body in rendered.attachments] == [("a", b"hello world"), ("b", b"")]
    assert (await render_for("webhook", content)).attachments == ()


async def test_attachments_at_urls_are_fetched_under_the_strict_gate() -> None:
    """A URL from a request reaches public addresses and what the space allows, whatever the account may reach."""
    async with http_service(answer(200, b"file")) as service:
        content = Content(attachments=(Attachment(name="a", url=f"{service.base}/a"),))
        with pytest.raises(AttachmentLost, match="not public"):
            await render_for("smtp", content)
        assert service.connections == 0

        rendered = await render_for("smtp", content, directory=Directory((service.base,)))

    assert [body for _, body in rendered.attachments] == [b"file"]


@pytest.mark.parametrize("script", [answer(404), redirect(302, "/x"), endless(b"x" * MIB)])
async def test_a_lost_attachment_loses_the_message(script: Any) -> None:
    """Nobody gets the message without its file: missing, moved or too large (sheet jpush-ums §6.5)."""
    async with http_service(script) as service:
        content = Content(attachments=(Attachment(name="a", url=f"{service.base}/a?key=secret"),))
        with pytest.raises(AttachmentLost) as caught:
            await render_for("smtp", content, directory=Directory((service.base,)))

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("script", [answer(503), answer(429), answer(408), drop()])
async def test_an_attachment_out_of_reach_may_come_back(script: Any) -> None:
    """A server that is down or busy is asked again at the next try."""
    async with http_service(script) as service:
        content = Content(attachments=(Attachment(name="a", url=f"{service.base}/a?key=secret"),))
        with pytest.raises(AttachmentOutOfReach) as caught:
            await render_for("smtp", content, directory=Directory((service.base,)))

    assert "secret" not in str(caught.value)


async def test_attachments_have_limits() -> None:
    """10 MiB each and 25 MiB together for mail; a file that is gone is an error."""
    with pytest.raises(AttachmentLost, match="larger"):
        await render_for("smtp", Content(attachments=(Attachment(file=1),)), f1=b"x" * (10 * MIB + 1))
    three = Content(attachments=tuple(Attachment(file=number) for number in (1, 2, 3)))
    whole = b"x" * (9 * MIB)
    with pytest.raises(AttachmentLost, match="together"):
        await render_for("smtp", three, f1=whole, f2=whole, f3=whole)
    with pytest.raises(AttachmentLost, match="no longer stored"):
        await render_for("smtp", three)


async def test_an_unknown_kind_is_not_rendered() -> None:
    """An account of a carrier that is not built in cannot send."""
    with pytest.raises(NotFound):
        await render_for("pigeon", Content(body="x"))
