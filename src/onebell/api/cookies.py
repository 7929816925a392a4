"""The session cookie, and whether a request that carries it was made by our own pages (RELIABILITY S9)."""

from urllib.parse import urlsplit

from onebell.http.exchange import Request

NAME = "onebell_session"
_WRITES_NOT = frozenset({"GET", "HEAD", "OPTIONS"})


def token_of(request: Request) -> str:
    """What the cookie holds; empty when there is none."""
    for part in request.text_header(b"cookie").split(";"):
        name, _, value = part.strip().partition("=")
        if name == NAME:
            return value
    return ""


def set_cookie(request: Request, token: str, max_age_s: int) -> tuple[bytes, bytes]:
    """The header that gives a browser its session."""
    secure = "; Secure" if request.scheme in {"https", "wss"} else ""
    text = f"{NAME}={token}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}"
    return b"set-cookie", text.encode()


def clear_cookie(request: Request) -> tuple[bytes, bytes]:
    """The header that takes it away."""
    return set_cookie(request, "", 0)


def is_write(request: Request) -> bool:
    """Whether a request may change something."""
    return request.method not in _WRITES_NOT


def is_own_page(request: Request, public_url: str) -> bool:
    """Whether a request comes from a page of this server: by ``Origin``, else by ``Sec-Fetch-Site``.

    A browser sends one of them with every request that another site could cause to be made with our cookie.
    """
    origin = request.text_header(b"origin")
    if origin:
        scheme = {"ws": "http", "wss": "https"}.get(request.scheme, request.scheme)
        own = {f"{scheme}://{request.text_header(b'host')}", _origin_of(public_url)}
        return origin.lower() in {one.lower() for one in own if one}
    return request.text_header(b"sec-fetch-site") in {"same-origin", "none"}


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
