"""A mail from a rendered part: HTML with a text alternative, attachments, headers nobody can write into."""

import hashlib
import re
from collections.abc import Iterator
from email import policy
from email.headerregistry import Address as MailAddress
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from html import escape

import idna
import msgspec

from onebell.carriers.base import Address, Batch
from onebell.carriers.fields import is_mail_address
from onebell.clock import utc
from onebell.core.fit import cut
from onebell.core.model import Severity
from onebell.core.sanitize import mail, one_line

SUBJECT_BYTES = 200
"""Of a subject made of a message without a title."""

# 7 bits and folded lines: any server can carry it, and no body line can look like SMTP.
_POLICY = policy.SMTP.clone(cte_type="7bit")
_MEDIA_TYPE = re.compile(r"([a-zA-Z0-9][\w.+-]{0,60})/([a-zA-Z0-9][\w.+-]{0,60})", re.ASCII)
_URGENT = frozenset((Severity.HIGH, Severity.CRITICAL))


class Mailbox(msgspec.Struct, frozen=True, kw_only=True):
    """An address with a name, ready for a header and for the envelope."""

    name: str
    user: str
    domain: str  # ASCII

    @property
    def address(self) -> str:
        """``user@domain``."""
        return f"{self.user}@{self.domain}"


def mailbox(text: str) -> Mailbox | None:
    """Read ``Name <user@host>`` or ``user@host``; None when it is none that every server takes."""
    name, address = parseaddr(text) if text.isprintable() else ("", "")
    found = bare_mailbox(address)
    return found and msgspec.structs.replace(found, name=_header_text(name))


def bare_mailbox(address: str) -> Mailbox | None:
    """Read ``user@host`` and nothing else; None when it is none that every server takes."""
    if not is_mail_address(address):
        return None
    user, _, domain = address.rpartition("@")
    try:
        ascii_domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return None
    return Mailbox(name="", user=user, domain=ascii_domain) if user.isascii() else None


def letter(batch: Batch, address: Address, sender: Mailbox, receiver: Mailbox) -> bytes:
    """One receiver's mail. The same delivery has the same Message-ID on every try."""
    message = EmailMessage(policy=_POLICY)
    message["Subject"] = _subject(batch)
    message["From"] = MailAddress(sender.name or _header_text(batch.sender), sender.user, sender.domain)
    message["To"] = MailAddress("", receiver.user, receiver.domain)
    message["Date"] = format_datetime(utc(batch.created_ms))
    message["Message-ID"] = message_id(batch, address, sender)
    message["Auto-Submitted"] = "auto-generated"
    if batch.severity in _URGENT:
        message["Importance"] = "high"
    message.set_content("\n".join(_text(batch)))
    message.add_alternative("".join(_html(batch)), subtype="html")
    _attach(message, batch)
    return message.as_bytes()


def message_id(batch: Batch, address: Address, sender: Mailbox) -> str:
    """From message and delivery, so that a repeat can be recognised (sheet jpush-ums §6.5)."""
    seed = f"{batch.dialect}\n{batch.message}\n{address.delivery}\n{address.value}"
    return f"<{hashlib.sha256(seed.encode()).hexdigest()[:40]}@{sender.domain}>"


def _subject(batch: Batch) -> str:
    rendered = batch.rendered
    begins = cut(one_line(rendered.text[:1000]), SUBJECT_BYTES)
    return _header_text(rendered.title or begins or batch.sender)


def _header_text(text: str) -> str:
    # Python's header parser decodes encoded words in what it is given: "=?utf-8?q?=0D=0ABcc:…?=" became a header.
    return one_line(text).replace("=?", "= ?")


def _links(batch: Batch) -> Iterator[tuple[str, str]]:
    """(label, address) of what can be opened."""
    content = batch.rendered.content
    if content.url:
        yield content.url, content.url
    for button in content.buttons:
        if button.url:
            yield button.text, button.url


def _text(batch: Batch) -> Iterator[str]:
    content = batch.rendered.content
    yield batch.rendered.text
    for label, url in _links(batch):
        yield url if label == url else f"{label}: {url}"
    yield from content.images


def _html(batch: Batch) -> Iterator[str]:
    content = batch.rendered.content
    yield '<!DOCTYPE html><html><head><meta charset="utf-8"></head><body>'
    yield batch.rendered.html
    # Addresses come from strangers as well: they pass the same allow-list as the body.
    for label, url in _links(batch):
        yield mail(f'<p><a href="{escape(url)}">{escape(label)}</a></p>')
    for url in content.images:
        yield mail(f'<p><img src="{escape(url)}" alt=""></p>')
    yield "</body></html>\n"


def _attach(message: EmailMessage, batch: Batch) -> None:
    for attachment, body in batch.rendered.attachments:
        found = _MEDIA_TYPE.fullmatch(attachment.type)
        main, sub = (found[1], found[2]) if found else ("application", "octet-stream")
        if main.lower() in {"multipart", "message"}:
            main, sub = "application", "octet-stream"
        name = _header_text(attachment.name).replace("/", "_").replace("\\", "_") or "attachment"
        message.add_attachment(body, maintype=main, subtype=sub, filename=name)
