"""What the robots of chat groups share: signatures, the keyword that lets a message in, marked-up bodies."""

import base64
import hashlib
import hmac

from onebell.carriers.base import Rendered
from onebell.core.model import Format

MARKED_UP = frozenset((Format.MARKDOWN, Format.WECOM_MARKDOWN))


def signature(key: str, message: str) -> str:
    """HMAC-SHA256 in base64."""
    return base64.b64encode(hmac.new(key.encode(), message.encode(), hashlib.sha256).digest()).decode()


def titled(rendered: Rendered, keyword: str) -> str:
    """The title, which carries the keyword: the body may lose it where it is cut."""
    if not keyword or keyword in rendered.title:
        return rendered.title
    return f"{rendered.title} · {keyword}" if rendered.title else keyword


def joined(*lines: str) -> str:
    """The lines that are not empty."""
    return "\n".join(filter(None, lines))


def paragraphs(*blocks: str) -> str:
    """Markdown blocks, those that are not empty, with a blank line between."""
    return "\n\n".join(filter(None, blocks))


def linked(url: str) -> str:
    """A Markdown link that shows itself; empty for none."""
    return f"[{url}]({url})" if url else ""
