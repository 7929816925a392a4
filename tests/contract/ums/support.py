"""What the UMS contract tests share: a directory and calls."""

from typing import Any

from tests.service import Service

K = "7d431e42dfa6a6d693ac2d04:5e987ac6d2e04d95a9d8f0d1"
K2 = "aaaa00000000000000000002:bbbb00000000000000000002"
KEY = K.split(":", maxsplit=1)[0]
APP = {"platform": "all", "notification": {"alert": "hi"}}
MAIL = {"subject": "s", "text": "t"}
DIRECTORY = f"""
[space]
name = "main"
timezone = "UTC"
language = "en"
public_url = "http://127.0.0.1:8080"

[[people]]
uid = "user1"
email = "u1@x.cn"

[[people]]
uid = "user2"
email = "u2@x.cn"
tags = ["vip"]

[[people]]
uid = "user3"
tags = ["sz", "ops"]

[[tags]]
person = "user1"
tag = "vip"
scope = "{KEY}"

[[addresses]]
person = "user2"
carrier = "site-mail"
value = "k2@x.cn"
scope = "{KEY}"

[[carriers]]
code = "site-mail"
kind = "smtp"
host = "127.0.0.1"
port = 2525
security = "none"
from = "onebell <onebell@example.test>"

[[carriers]]  # a kind that is not built: the file names it, the store has no account
code = "corp-wecom"
kind = "fax"

[ums]
access_key = "3f9a1b82cde476f5a8b913d2"
access_secret = "8e2d47a5fcb301d69c74e8f1"

[[ums.channel_groups]]
channel_key = "{KEY}"
master_secret = "{K.split(":")[1]}"
callback_urls = ["http://127.0.0.1:9099/ums"]
carriers = [
  {{ type = "email", carrier = "site-mail" }},
  {{ type = "app", channel_code = "app123", carrier = "inbox" }},
  {{ type = "wechatwk", carrier = "corp-wecom" }},
]
GROUP

[[ums.channel_groups]]
channel_key = "{K2.split(":", maxsplit=1)[0]}"
master_secret = "{K2.split(":")[1]}"
carriers = [{{ type = "email", carrier = "site-mail" }}, {{ type = "app", carrier = "inbox" }}]

[[ums.segments]]
id = "1000"
any_tags = ["ops"]

[[ums.lists]]
id = 1234
kind = "black"
people = ["USER2"]

[[ums.lists]]
id = 1234
kind = "white"
people = ["user3"]

[[ums.strategies]]
id = 1001
channel_key = "{KEY}"
steps = [{{ carriers = ["app"] }}]

[[ums.strategies]]
id = 1002
channel_key = "{KEY}"
steps = [{{ carriers = ["app"], wait = "60s" }}, {{ carriers = ["email"] }}]

[[ums.strategies]]
id = 1003
channel_key = "{KEY}"
enabled = false
steps = [{{ carriers = ["app"] }}]
"""


async def sent(ums: Service, path: str = "/v1/sent", headers: dict[str, str] | None = None, **body: Any) -> int:
    """The code of a call."""
    return (await ums.ask("POST", path, body, headers)).code
