"""What the Easemob contract tests share: a directory, tokens, messages."""

import json
from typing import Any

from tests.service import Said, Service

from onebell.carriers.file_client import FileClient
from onebell.carriers.outbound import Outbound
from onebell.core.context import Context
from onebell.dialects.easemob.routes import Easemob
from onebell.store import schema

OUT = FileClient(Outbound())
USERS = "/acme/demo/messages/users"
TOKEN = "/acme/demo/token"
CLIENT = {"grant_type": "client_credentials", "client_id": "cid", "client_secret": "csecret"}
DIRECTORY = """
[space]
name = "main"
timezone = "UTC"
language = "en"
public_url = "http://127.0.0.1:8080"

[[people]]
uid = "user1"
name = "User One"
password = "user1-password"

[[people]]
uid = "User2"
password = "user2-password"
email = "u2@x.cn"

[[people]]
uid = "outsider"
password = "outsider-password"

[[carriers]]
code = "site-mail"
kind = "smtp"
host = "127.0.0.1"
port = 2525
security = "none"
from = "onebell <onebell@example.test>"

[[routes]]
person = "User2"
carriers = ["site-mail"]

[[easemob.apps]]
org = "acme"
app = "demo"
client_id = "cid"
client_secret = "csecret"
users = ["user1", "User2"]
SETTING

[[easemob.apps]]
org = "acme"
app = "other"
client_id = "cid2"
client_secret = "csecret"
create_people = false

RULE
"""
RULE = """
[[easemob.callbacks]]
app = "acme/demo"
name = "audit"
kind = "post"
url = "http://127.0.0.1:9099/easemob"
secret = "s"
events = ["chat", "chat_offline"]
"""


def directory(setting: str = "", rule: str = "") -> str:
    """The directory above with a setting of the first app and a callback rule."""
    return DIRECTORY.replace("SETTING", setting).replace("RULE", rule)


async def token_of(easemob: Service, grant: dict[str, Any], path: str = TOKEN) -> str:
    """A fresh token."""
    said = await easemob.ask("POST", path, grant)
    assert said.status == 200, said.body
    return str(said.json["access_token"])


async def sign_in(easemob: Service) -> None:
    """Send an app token from now on."""
    easemob.headers["Authorization"] = f"Bearer {await token_of(easemob, CLIENT)}"


async def send(easemob: Service, to: list[str], **fields: Any) -> Said:
    """A text message, with fields changed."""
    body = {"from": "user1", "to": to, "type": "txt", "body": {"msg": "hi"}, **fields}
    return await easemob.ask("POST", USERS, {key: value for key, value in body.items() if value is not ...})


async def parts(easemob: Service) -> dict[str, Any]:
    """The newest message's part for the inbox, which is its first."""
    row = max(await easemob.rows(schema.message), key=lambda row: row["id"])
    part, *_ = json.loads(row["parts"])
    found: dict[str, Any] = part
    return found


def dialect(context: Context) -> Easemob:
    """The dialect, which may fetch what imports name."""
    return Easemob(context, OUT)
