"""The carrier smtp against a real SMTP server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.carrier_account import account, batch, rendered, tools
from tests.fakes.certificates import make_tls
from tests.fakes.clock import MovedClock
from tests.fakes.dns import FakeResolver
from tests.fakes.smtp_service import SmtpService, smtp_service

from onebell.carriers.base import Address
from onebell.carriers.outbound import Outbound
from onebell.carriers.smtp.carrier import Smtp
from onebell.carriers.smtp.letter import letter, mailbox
from onebell.core.model import Attachment, Button, Format, Severity
from onebell.core.outcomes import Permanent, Sent, Temporary, Unauthorized
from onebell.errors import InvalidInput


@asynccontextmanager
async def carrier(service: SmtpService, outbound: Outbound | None = None, **fields: Any) -> AsyncIterator[Smtp]:
    """An account on this server."""
    client = outbound or Outbound(resolver=FakeResolver())
    given = {"host": "127.0.0.1", "port": service.port, "security": "none", "from": "onebell <onebell@example.test>"}
    opened = Smtp(account("smtp", **(given | fields)), tools(client, MovedClock()))
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()
        await client.close()


async def test_a_mail_has_html_text_and_headers() -> None:
    """HTML with a text alternative; subject, sender, receiver, date and id in the headers; one envelope."""
    part = rendered("发布 完成", "<h1>你好</h1><p>a <b>b</b></p>", Format.HTML)
    async with smtp_service() as service, carrier(service) as smtp:
        outcomes = await smtp.send(batch(part, "alice@example.test"))

    assert outcomes == [Sent(detail="queued as 1")]
    mail = service.mails[0]
    assert (mail.sender, mail.receivers) == ("onebell@example.test", ("alice@example.test",))
    message = mail.message
    assert message["Subject"] == "发布 完成"
    assert message["From"] == "onebell <onebell@example.test>"
    assert message["To"] == "alice@example.test"
    assert message["Date"] == "Tue, 14 Nov 2023 22:13:20 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    assert "<h1>你好</h1><p>a <b>b</b></p>" in mail.part("text/html")
    assert mail.part("text/plain").split() == ["你好", "a", "b"]
    assert mail.raw.isascii()


async def test_the_sample_of_rfc_5322_as_a_part() -> None:
    """RFC 5322 appendix A.1.1, sent as a message: the same fields arrive."""
    part = rendered("Saying Hello", 'This is a message just to say hello.\nSo, "Hello".')
    async with smtp_service() as service, carrier(service, **{"from": "John Doe <jdoe@machine.example>"}) as smtp:
        await smtp.send(batch(part, "mary@example.net", created_ms=880_127_706_000))

    message = service.mails[0].message
    assert (message["From"], message["To"]) == ("John Doe <jdoe@machine.example>", "mary@example.net")
    assert (message["Subject"], message["Date"]) == ("Saying Hello", "Fri, 21 Nov 1997 15:55:06 +0000")
    assert service.mails[0].part("text/plain") == 'This is a message just to say hello.\r\nSo, "Hello".\r\n'


async def test_each_receiver_gets_his_own_mail() -> None:
    """A batch is a list of envelopes over one connection; nobody sees the others."""
    async with smtp_service() as service, carrier(service) as smtp:
        outcomes = await smtp.send(batch(None, "a@x.test", "b@x.test", "c@x.test"))

    assert [type(one) for one in outcomes] == [Sent] * 3
    assert [mail.receivers for mail in service.mails] == [("a@x.test",), ("b@x.test",), ("c@x.test",)]
    assert all("b@x.test" not in str(mail.message["To"]) for mail in (service.mails[0], service.mails[2]))
    assert len({mail.message["Message-ID"] for mail in service.mails}) == 3
    assert service.connections == 1


async def test_a_repeat_has_the_same_message_id() -> None:
    """Every try of a delivery carries the id of the first, over new connections and carriers too."""
    async with smtp_service() as service:
        for attempt in (1, 2):
            async with carrier(service) as smtp:
                again = batch(addresses=(Address(delivery=5, value="a@x.test", attempt=attempt),))
                await smtp.send(again)
                await smtp.send(batch(message="other", addresses=again.addresses))

    ids = [mail.message["Message-ID"] for mail in service.mails]
    assert ids[0] == ids[2] != ids[1] == ids[3]
    assert ids[0].endswith("@example.test>")


async def test_a_connection_is_used_again_and_replaced_when_it_died() -> None:
    """Sends one after the other share a connection; one that the server cut meanwhile is replaced unnoticed."""
    async with smtp_service() as service, carrier(service) as smtp:
        await smtp.send(batch(None, "a@x.test"))
        await smtp.send(batch(None, "a@x.test"))
        assert service.connections == 1

        service.drop_all()
        outcomes = await smtp.send(batch(None, "a@x.test"))

    assert isinstance(outcomes[0], Sent)
    assert (service.connections, len(service.mails)) == (2, 3)


async def test_batches_at_once_share_few_connections() -> None:
    """However many batches are sent at once, the server sees at most four connections."""
    async with smtp_service() as service, carrier(service) as smtp:
        outcomes = await asyncio.gather(*(smtp.send(batch(None, f"u{number}@x.test")) for number in range(20)))

    assert all(isinstance(one[0], Sent) for one in outcomes)
    assert len(service.mails) == 20
    assert service.connections <= 4


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("550 no such user", Permanent(why="550 no such user", drop_target=True, code=550)),
        ("551 moved", Permanent(why="551 moved", drop_target=True, code=551)),
        ("553 bad name", Permanent(why="553 bad name", drop_target=True, code=553)),
        ("554 no", Permanent(why="554 no", drop_target=True, code=554)),
        ("552 full", Permanent(why="552 full", code=552)),
        ("450 busy", Temporary(why="450 busy")),
        ("451 later", Temporary(why="451 later")),
        ("452 full", Temporary(why="452 full")),
        ("530 log in", Unauthorized(why="530 log in")),
    ],
)
async def test_answers_to_rcpt(answer: str, expected: object) -> None:
    """Sheet jpush-ums §6.5: 4xx again, 550 551 553 554 dead, other 5xx final; the other receivers get their mail."""
    async with smtp_service() as service, carrier(service) as smtp:
        service.rcpt.extend(["", answer, ""])
        outcomes = await smtp.send(batch(None, "a@x.test", "b@x.test", "c@x.test"))

    assert [type(outcomes[0]), outcomes[1], type(outcomes[2])] == [Sent, expected, Sent]
    assert [mail.receivers for mail in service.mails] == [("a@x.test",), ("c@x.test",)]


@pytest.mark.parametrize("command", ["mail", "data"])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("550 spam", Permanent(why="550 spam", code=550)),
        ("554 refused", Permanent(why="554 refused", code=554)),
        ("451 later", Temporary(why="451 later")),
        ("535 who are you", Unauthorized(why="535 who are you")),
    ],
)
async def test_answers_to_mail_and_data(command: str, answer: str, expected: object) -> None:
    """A refusal of the sender or the content is no word about the receiver: his address stays alive."""
    async with smtp_service() as service, carrier(service) as smtp:
        getattr(service, command).append(answer)

        assert await smtp.send(batch(None, "a@x.test")) == [expected]
        assert isinstance((await smtp.send(batch(None, "a@x.test")))[0], Sent)


@pytest.mark.parametrize("command", ["mail", "rcpt", "data"])
async def test_a_lost_connection_is_tried_again(command: str) -> None:
    """What was sent before stays sent; the mail at hand and the rest are Temporary."""
    async with smtp_service() as service, carrier(service) as smtp:
        getattr(service, command).extend(["", "drop"])
        outcomes = await smtp.send(batch(None, "a@x.test", "b@x.test", "c@x.test"))

    assert [type(one) for one in outcomes] == [Sent, Temporary, Temporary]


async def test_a_server_that_closes_ends_the_batch() -> None:
    """421 comes with the end of the connection: the rest is tried again later."""
    async with smtp_service() as service, carrier(service) as smtp:
        service.rcpt.extend(["", "421 closing"])
        outcomes = await smtp.send(batch(None, "a@x.test", "b@x.test", "c@x.test"))

    assert type(outcomes[0]) is Sent
    assert type(outcomes[1]) is Temporary


async def test_login() -> None:
    """User and password log in before the first mail."""
    async with smtp_service(onebell="pass-word") as service:
        async with carrier(service, username="onebell", password="pass-word") as smtp:
            assert isinstance((await smtp.send(batch(None, "a@x.test")))[0], Sent)
            assert isinstance(await smtp.check(), Sent)

        assert service.mails[0].user == "onebell"


async def test_a_refused_login_stops_the_account() -> None:
    """535 is Unauthorized for the whole batch, and the password is in nobody's words."""
    async with smtp_service(onebell="right") as service, carrier(service, username="onebell", password="wrong") as smtp:
        outcomes = await smtp.send(batch(None, "a@x.test", "b@x.test"))
        checked = await smtp.check()

    assert [type(one) for one in (*outcomes, checked)] == [Unauthorized] * 3
    assert "wrong" not in repr((outcomes, checked))
    assert service.mails == []


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_encryption_checks_the_certificate(security: str, tmp_path: Path) -> None:
    """TLS from the start and STARTTLS carry the mail, and only to a server whose name the certificate holds."""
    tls = make_tls(tmp_path, "mail.test")
    offered = {"tls": tls.server} if security == "tls" else {"starttls": tls.server}
    resolver = FakeResolver()
    resolver.says("mail.test", ["127.0.0.1"])
    resolver.says("other.test", ["127.0.0.1"])
    async with smtp_service(**offered) as service:
        client = Outbound(resolver=resolver, tls=tls.client)
        async with carrier(service, client, host="mail.test", security=security) as smtp:
            assert isinstance((await smtp.send(batch(None, "a@x.test")))[0], Sent)
        async with carrier(service, client, host="other.test", security=security) as smtp:
            assert isinstance((await smtp.send(batch(None, "a@x.test")))[0], Temporary)

    assert [mail.encrypted for mail in service.mails] == [True]


async def test_encryption_is_never_skipped() -> None:
    """A server without STARTTLS gets neither mail nor password from an account that asks for it."""
    fields = {"security": "starttls", "username": "onebell", "password": "right"}
    async with smtp_service(onebell="right") as service, carrier(service, **fields) as smtp:
        outcomes = await smtp.send(batch(None, "a@x.test"))

    assert isinstance(outcomes[0], Unauthorized)
    assert service.mails == []


async def test_the_address_gate_holds_for_mail_too() -> None:
    """A server on a private address needs the operator's word."""
    async with smtp_service() as service:
        opened = Smtp(
            account("smtp", allow=(), host="127.0.0.1", port=service.port, security="none", **{"from": "a@b.test"}),
            tools(client := Outbound(resolver=FakeResolver()), MovedClock()),
        )
        outcomes = await opened.send(batch(None, "a@x.test"))
        await client.close()

    assert outcomes == [Permanent(why="address refused: address is not public")]
    assert service.connections == 0


async def test_nobody_there_is_temporary() -> None:
    """A refused connection and an unknown name are tried again."""
    async with smtp_service() as service:
        pass
    async with carrier(service) as smtp:
        assert isinstance((await smtp.send(batch(None, "a@x.test")))[0], Temporary)
    async with carrier(service, host="nothing.test") as smtp:
        assert isinstance((await smtp.send(batch(None, "a@x.test")))[0], Temporary)


INJECTIONS = [
    "x\r\nBcc: victim@evil.test",
    "x\nBcc: victim@evil.test",
    "x\rBcc: victim@evil.test",
    "x\r\n\r\n<script>",
    "x\u2028Bcc: v@evil.test",
    "x\r\n.\r\nMAIL FROM:<a@evil.test>",
    "x\0\r\nBcc: v@evil.test",
    "x\x0bBcc: v@evil.test",
    "x\x85Bcc: v@evil.test",
    "=?utf-8?q?x=0D=0ABcc:_v@evil.test?=",
    "=?=?utf-8?q?x=0D=0ABcc:_v@evil.test?=",
    "=?utf-8?b?eA0KQmNjOiB2QGV2aWwudGVzdA==?=",
    "=\u200b?utf-8?q?x=0D=0ABcc:_v@evil.test?=",
]


@pytest.mark.parametrize("text", INJECTIONS)
async def test_no_header_or_mail_can_be_smuggled_in(text: str) -> None:
    """CR LF in title, sender, body, receiver or file name makes neither a header nor a second mail."""
    part = rendered(text, text, files=((Attachment(name=text, type=f"text/x{text}"), b"x\r\n.\r\nQUIT\r\n"),))
    async with smtp_service() as service, carrier(service, **{"from": "a@b.test"}) as smtp:
        outcomes = await smtp.send(batch(part, "a@x.test", text, f"a@x.test{text}", f"<a@x.test> {text}", sender=text))
        await smtp.send(batch(None, "last@x.test"))

    assert [type(one) for one in outcomes] == [Sent, Permanent, Permanent, Permanent]
    assert [mail.receivers for mail in service.mails] == [("a@x.test",), ("last@x.test",)]
    message = service.mails[0].message
    assert set(message.keys()) == {
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
    }  # fmt: skip
    attached = next(message.iter_attachments())
    assert attached.get_content_type() == "application/octet-stream"
    assert attached.get_content() == b"x\r\n.\r\nQUIT\r\n"


BODIES = ["\r\n.\r\nQUIT\r\n", "\n.\n", "\r.\r", ".", "..", "\n.\r\nMAIL FROM:<x@y>", "a\n" + "x" * 5000 + "\n."]


@pytest.mark.parametrize("body", BODIES)
async def test_the_body_is_never_smtp(body: str) -> None:
    """A lone dot, a bare CR or LF and endless lines arrive as text (SMTP smuggling)."""
    async with smtp_service() as service, carrier(service) as smtp:
        await smtp.send(batch(rendered("t", body), "a@x.test"))
        await smtp.send(batch(rendered("t2", "b"), "a@x.test"))

    assert [mail.message["Subject"] for mail in service.mails] == ["t", "t2"]
    arrived = service.mails[0].part("text/plain")
    assert arrived.replace("\r", "\n").split() == body.replace("\r", "\n").split()
    assert all(len(line) <= 998 for line in service.mails[0].raw.split(b"\r\n"))


async def test_attachments_arrive_byte_by_byte() -> None:
    """Files come with their name and type, whatever the name says, and nothing of a path."""
    files = (
        (Attachment(name="报告 1.pdf", type="application/pdf"), bytes(range(256)) * 100),
        (Attachment(name="../../etc/passwd", type="text/plain"), b"a\nb\r\n"),
        (Attachment(name='x";y="z.html', type="multipart/mixed"), b"<b>"),
        (Attachment(), b""),
    )
    async with smtp_service() as service, carrier(service) as smtp:
        await smtp.send(batch(rendered(files=files), "a@x.test"))

    attached = list(service.mails[0].message.iter_attachments())
    assert [one.get_filename() for one in attached] == ["报告 1.pdf", ".._.._etc_passwd", 'x";y="z.html', "attachment"]
    assert [one.get_content_type() for one in attached] == [
        "application/pdf", "text/plain", "application/octet-stream", "application/octet-stream",
    ]  # fmt: skip
    assert [one.get_payload(decode=True) for one in attached] == [body for _, body in files]
    assert all(one.get_content_disposition() == "attachment" for one in attached)


async def test_links_pictures_and_buttons_come_along() -> None:
    """What the neutral form has besides its body stands below it, by the same allow-list."""
    part = rendered(
        url="https://a.test/?a=1&b=2",
        images=("https://a.test/i.png", "http://169.254.169.254/x"),
        buttons=(Button(text="<Ja>", url="javascript:alert(1)"), Button(text="press", key="k")),
    )
    async with smtp_service() as service, carrier(service) as smtp:
        await smtp.send(batch(part, "a@x.test", severity=Severity.CRITICAL))

    mail = service.mails[0]
    html = mail.part("text/html")
    assert 'href="https://a.test/?a=1&amp;b=2"' in html
    assert 'src="https://a.test/i.png"' in html
    assert "&lt;Ja&gt;" in html
    assert "javascript" not in html
    assert "169.254" not in html
    assert "https://a.test/?a=1&b=2" in mail.part("text/plain")
    assert mail.message["Importance"] == "high"


async def test_a_message_without_title_gets_its_first_words_as_subject() -> None:
    """The subject is never empty: the text's beginning, else the sender."""
    async with smtp_service() as service, carrier(service) as smtp:
        await smtp.send(batch(rendered("", "第一行\n第二行"), "a@x.test"))
        await smtp.send(batch(rendered("", ""), "a@x.test"))

    assert [mail.message["Subject"] for mail in service.mails] == ["第一行 第二行", "alice"]


async def test_the_sender_shows_the_messages_sender_when_the_account_has_no_name() -> None:
    """A nameless account shows who wrote the message."""
    async with smtp_service() as service, carrier(service, **{"from": "onebell@example.test"}) as smtp:
        await smtp.send(batch(None, "a@x.test", sender="运维, <Team>"))

    sender = service.mails[0].message["From"].addresses[0]
    assert (sender.display_name, sender.addr_spec) == ("运维, <Team>", "onebell@example.test")


async def test_international_domains_are_written_in_ascii() -> None:
    """``user@例え.テスト`` goes to its ASCII spelling; other letters before the @ are refused."""
    async with smtp_service() as service, carrier(service) as smtp:
        outcomes = await smtp.send(batch(None, "user@例え.テスト", "用户@x.test", "no address"))

    assert [type(one) for one in outcomes] == [Sent, Permanent, Permanent]
    assert service.mails[0].receivers == ("user@xn--r8jz45g.xn--zckzah",)


def test_a_sender_that_is_no_address_is_refused() -> None:
    """``from`` must be an address that every server takes."""
    with pytest.raises(InvalidInput) as caught:
        Smtp(account("smtp", host="h", **{"from": "用户@x.test"}), tools(Outbound.__new__(Outbound), MovedClock()))

    assert caught.value.field == "from"


HEADERS = {
    b"Subject", b"From", b"To", b"Date", b"Message-ID", b"Auto-Submitted", b"MIME-Version", b"Content-Type",
}  # fmt: skip
TEXT = st.text(max_size=300) | st.text(alphabet='=?utf8qbB_:0DA\r\n @.<>"', max_size=80)


@given(title=TEXT, body=TEXT, sender=TEXT, name=TEXT)
def test_any_text_makes_a_mail(title: str, body: str, sender: str, name: str) -> None:
    """Whatever a message holds, the mail is seven-bit, its lines are short and its headers are ours."""
    part = rendered(title, body, files=((Attachment(name=name, type=name), b"x"),))
    one = batch(part, "a@x.test", sender=sender)
    ours, theirs = mailbox("a@b.test"), mailbox("a@x.test")
    assert ours is not None
    assert theirs is not None

    raw = letter(one, one.addresses[0], ours, theirs)

    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    head = raw.partition(b"\r\n\r\n")[0]
    names = {line.split(b":")[0] for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))}
    assert names == HEADERS
