"""Small pages that run no script, drawn like the web app's sign-in card: the set-up link and the join links."""

from collections.abc import Mapping
from html import escape

from onebell.console.pages import SECURITY
from onebell.http.exchange import Answer, Request
from onebell.passwords import LEAST_CHARACTERS, LENGTH, MOST_CHARACTERS, is_allowed

_HTML = """<!doctype html><html lang="{lang}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<style>:root{{color-scheme:light dark;--line:light-dark(#e6e8eb,#2a2f37);--soft:light-dark(#626a76,#9aa3af);
--ember:light-dark(#c2410c,#ff922b)}}
*{{box-sizing:border-box}}body{{margin:0;min-height:100dvh;display:grid;place-items:center;padding:16px;
font:16px/1.5 Inter,system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;
color:light-dark(#1c1f23,#e7e9ec);background:light-dark(#f6f7f9,#0f1114);overflow-wrap:anywhere}}
main{{width:min(24rem,100%);padding:32px 28px;border:1px solid var(--line);border-radius:18px;
background:light-dark(#fff,#16191e)}}img{{display:block;margin:0 auto}}
h1{{margin:12px 0 0;font-size:22px;text-align:center}}h2{{margin:4px 0;font-size:20px;text-align:center}}
p{{margin:4px 0 20px;color:var(--soft);text-align:center}}p.words{{color:inherit;white-space:pre-line}}
label{{display:block;margin:14px 0}}
input,button,.button{{font:inherit;width:100%;padding:10px 12px;border-radius:9px;border:1px solid var(--line)}}
input{{margin-top:4px;background:light-dark(#fff,#1f242b);color:inherit}}
button,.button{{display:block;margin-top:8px;border:0;font-weight:600;text-align:center;text-decoration:none;
color:#fff;background:#c2410c;cursor:pointer}}a{{color:var(--ember)}}
details{{margin-top:20px;border-top:1px solid var(--line);padding-top:14px}}
summary{{cursor:pointer;text-align:center;color:var(--ember)}}
:focus-visible{{outline:2px solid #e8590c;outline-offset:1px}}p.error{{color:light-dark(#c92a2a,#ff8787)}}
</style><main><img src="/assets/icon.svg" alt="" width="56" height="56"><h1>{title}</h1>{inner}</main></html>"""
_NEW_PASSWORD = """<label>{password}<input name="password" type="password" minlength="{least}"
 maxlength="{most}" autocomplete="new-password" required></label>
<label>{again}<input name="again" type="password" minlength="{least}" maxlength="{most}"
 autocomplete="new-password" required></label>"""
_WORDS = {
    "en": {
        "password": "Password",
        "again": "Password, again",
        "length": f"A password has {LENGTH}.",
        "differ": "The two passwords differ.",
    },
    "zh": {
        "password": "密码",
        "again": "再次输入密码",
        "length": f"密码长度为 {LEAST_CHARACTERS} 到 {MOST_CHARACTERS} 个字符。",
        "differ": "两次输入的密码不一致。",
    },
}


class BadPassword(Exception):
    """A chosen password breaks a rule; the text says which, in the reader's language."""


def language(request: Request, preferred: str = "") -> str:
    """``zh`` or ``en``: what a person prefers, else what his browser says."""
    wanted = preferred or request.text_header(b"accept-language")
    return "zh" if wanted.lower().startswith("zh") else "en"


def page(lang: str, status: int, title: str, inner: str) -> Answer:
    """A page; ``title`` is text, ``inner`` HTML."""
    text = _HTML.format(lang="zh-CN" if lang == "zh" else lang, title=escape(title), inner=inner)
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-robots-tag", b"noindex"),
        *SECURITY.items(),
    ]
    return Answer(status, text.encode("utf-8", "replace"), headers)


def problem(text: str) -> str:
    """A paragraph that says what went wrong; nothing for no text."""
    return f'<p class="error" role="alert">{escape(text)}</p>' if text else ""


def password_fields(lang: str) -> str:
    """The two fields of a new password, as :func:`chosen_password` reads them."""
    return _NEW_PASSWORD.format(**_WORDS[lang], least=LEAST_CHARACTERS, most=MOST_CHARACTERS)


def chosen_password(given: Mapping[str, str], lang: str) -> str:
    """The password of a form.

    Raises:
        BadPassword
    """
    password = given.get("password", "")
    if not is_allowed(password):
        raise BadPassword(_WORDS[lang]["length"])
    if password != given.get("again"):
        raise BadPassword(_WORDS[lang]["differ"])
    return password
