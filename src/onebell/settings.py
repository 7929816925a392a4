"""Settings: one frozen struct, read from ``onebell.toml`` and ``ONEBELL_*``. Each field's comment is its documentation.

The environment wins over the file; ``ONEBELL_DATABASE_URL`` sets ``database_url``. A list is written with commas.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from onebell.errors import InvalidInput

_PREFIX = "ONEBELL_"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one node runs. What belongs to a space lives in the space."""

    host: str = "127.0.0.1"  # address the main listener binds to
    port: int = 8080  # port of the main listener; 0 takes a free one
    data: str = "./data"  # directory for the database, the server key, files, the lock and the control socket
    database_url: str = ""  # postgresql://… for PostgreSQL; empty = SQLite in the data directory
    nats_url: str = ""  # nats://… wakes other nodes at once; empty = they find work by polling
    secret_key: str = ""  # server key, 32 bytes as hex or base64; empty = DATA/server.key, made at the first start
    node_name: str = ""  # how this node is called in logs and the node table; empty = host name and process id
    trusted_proxies: tuple[str, ...] = ()  # networks whose X-Forwarded-* headers are believed
    log_level: str = "info"  # debug | info | warning | error
    workers: int = 64  # deliveries in flight on this node at once
    poll_s: float = 5.0  # how often due work is looked for when no bell rings, seconds
    drain_s: float = 15.0  # how long a graceful stop may take, work in flight included, seconds
    retention_days: int = 90  # messages older than this are removed; 0 = never
    push_base: str = "https://open.work.weixin.qq.com/devtool/query?e="  # "more info" link of WeCom errors
    s3_bucket: str = ""  # files go to this bucket of an S3-compatible service; empty = on disk, or in PostgreSQL
    s3_endpoint: str = "https://s3.amazonaws.com"  # where the service answers, with its port if it has one
    s3_region: str = "us-east-1"  # region that requests are signed for; most services besides AWS take any
    s3_access_key: str = ""  # access key id
    s3_secret_key: str = ""  # secret access key
    s3_path_style: bool = True  # true = the bucket stands in the path; false = before the host name
    s3_prefix: str = ""  # what the names of all objects begin with
    store_latency_ms: float = 0.0  # added to every commit; for benches and fault tests only


def load(
    config: Path | None, environment: Mapping[str, str] | None = None, overrides: Mapping[str, object] | None = None
) -> Settings:
    """Settings from a TOML file, the environment and explicit overrides (strongest last).

    Raises:
        InvalidInput: an unknown key or a value of the wrong type, with the key's name.
    """
    raw: dict[str, object] = {}
    if config is not None:
        try:
            raw.update(tomllib.loads(config.read_text()))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise InvalidInput(f"{config}: {error}") from error
    source = os.environ if environment is None else environment
    names = {field.name for field in msgspec.structs.fields(Settings)}
    for name in names:
        value = source.get(_PREFIX + name.upper())
        if value is not None:
            raw[name] = value.split(",") if name == "trusted_proxies" else value
    raw.update({name: value for name, value in (overrides or {}).items() if value is not None})
    try:
        return msgspec.convert(raw, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error)) from error
