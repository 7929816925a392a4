"""Settings: one frozen struct, read from ``onebell.toml`` and ``ONEBELL_*``. Each field's comment is its documentation.

The environment wins over the file; ``ONEBELL_DATABASE_URL`` sets ``database_url``. A list is written with commas.
"""

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from onebell.errors import InvalidInput

_PREFIX = "ONEBELL_"
LEVELS = ("debug", "info", "warning", "error")
SCHEMES = {"database_url": ("postgresql", "postgres"), "nats_url": ("nats", "tls", "ws", "wss")}
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_WRONG = re.compile(r"(?P<what>.*) - at `\$\.(?P<name>\w+)[^`]*`", re.DOTALL)
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one node runs. What belongs to a space lives in the space."""

    host: str = "127.0.0.1"  # address the main listener binds to
    port: Port = 8080  # port of the main listener; 0 takes a free one
    data: str = "./data"  # directory for the database, the server key, files, the lock and the control socket
    database_url: str = ""  # postgresql://… for PostgreSQL; empty = SQLite in the data directory
    nats_url: str = ""  # nats://… wakes other nodes at once; empty = they find work by polling
    secret_key: str = ""  # server key, 32 bytes as hex or base64; empty = DATA/server.key, made at the first start
    node_name: str = ""  # how this node is called in logs and the node table; empty = host name and process id
    trusted_proxies: tuple[str, ...] = ()  # networks whose X-Forwarded-* headers are believed
    log_level: str = "info"  # debug | info | warning | error
    workers: Positive = 64  # deliveries in flight on this node at once
    poll_s: Annotated[float, msgspec.Meta(gt=0)] = 5.0  # how often due work is looked for when no bell rings, seconds
    drain_s: Seconds = 15.0  # how long a graceful stop may take, work in flight included, seconds
    retention_days: Count = 90  # messages older than this are removed; 0 = never
    push_base: str = "https://open.work.weixin.qq.com/devtool/query?e="  # "more info" link of WeCom errors
    s3_bucket: str = ""  # files go to this bucket of an S3-compatible service; empty = on disk, or in PostgreSQL
    s3_endpoint: str = "https://s3.amazonaws.com"  # where the service answers, with its port if it has one
    s3_region: str = "us-east-1"  # region that requests are signed for; most services besides AWS take any
    s3_access_key: str = ""  # access key id
    s3_secret_key: str = ""  # secret access key
    s3_path_style: bool = True  # true = the bucket stands in the path; false = before the host name
    s3_prefix: str = ""  # what the names of all objects begin with
    store_latency_ms: Seconds = 0.0  # added to every commit; for benches and fault tests only


def load(
    config: Path | None, environment: Mapping[str, str] | None = None, overrides: Mapping[str, object] | None = None
) -> Settings:
    """Settings from a TOML file, the environment and explicit overrides (strongest last).

    Raises:
        InvalidInput: an unknown key or a value that cannot be meant, with the key's name.
    """
    raw: dict[str, object] = {}
    if config is not None:
        try:
            raw.update(tomllib.loads(config.read_text(encoding="utf-8")))
        except OSError as error:
            raise InvalidInput(f"{config} cannot be read: {error.strerror}") from error
        except ValueError as error:  # no TOML, or not even text
            raise InvalidInput(f"{config}: {error}") from error
    source = os.environ if environment is None else environment
    names = {field.name for field in msgspec.structs.fields(Settings)}
    for name in names:
        value = source.get(_PREFIX + name.upper())
        if value is not None:
            raw[name] = value.split(",") if name == "trusted_proxies" else value
    raw.update({name: value for name, value in (overrides or {}).items() if value is not None})
    try:
        settings = msgspec.convert(raw, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(_words(str(error))) from error
    _check(settings)
    return settings


def _words(message: str) -> str:
    """What msgspec says, by the setting's name."""
    if unknown := _UNKNOWN.match(message):
        return f"there is no setting {unknown[1]}"
    if wrong := _WRONG.fullmatch(message):
        return f"setting {wrong['name']}: {wrong['what'][:1].lower()}{wrong['what'][1:]}"
    return message


def _check(settings: Settings) -> None:
    """What a type cannot say. Values are not repeated: URLs have passwords in them."""
    if settings.log_level.lower() not in LEVELS:
        raise InvalidInput(f"setting log_level: must be one of {', '.join(LEVELS)}")
    for name, schemes in SCHEMES.items():
        url = getattr(settings, name)
        if url and not url.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise InvalidInput(f"setting {name}: must begin with {schemes[0]}://")
    for network in settings.trusted_proxies:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise InvalidInput(f"setting trusted_proxies: {error}") from error
