"""Manifests: what a carrier folder must say, and how an account's fields are held to it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from onebell.carriers import registry
from onebell.carriers.fields import checked_fields, is_mail_address
from onebell.carriers.manifest import RULES, Ability, AddressKind, Exempt, read_manifest
from onebell.carriers.reference import reference
from onebell.core.fit import Limits
from onebell.errors import InvalidInput, NotFound
from onebell.store.routing import Addressed

ROOT = Path(__file__).parents[2]
CARRIERS = ROOT / "src/onebell/carriers"
GOOD = (CARRIERS / "wecom_bot/manifest.toml").read_text()


def write(directory: Path, text: str, kind: str = "wecom_bot") -> Path:
    folder = directory / kind
    folder.mkdir()
    path = folder / "manifest.toml"
    path.write_text(text)
    return path


def test_every_folder_is_a_carrier() -> None:
    """Adding a folder with a manifest adds a carrier: no list names them."""
    folders = {path.parent.name for path in CARRIERS.glob("*/manifest.toml")}

    assert set(registry.kinds()) == folders >= {"smtp", "webhook", "wecom_bot"}


def test_an_unknown_kind_is_not_found() -> None:
    """Asking for a carrier that is not built in says so."""
    with pytest.raises(NotFound):
        registry.manifest("pigeon")


@pytest.mark.parametrize("kind", registry.kinds())
def test_every_manifest_keeps_the_rules(kind: str) -> None:
    """Each quality rule is done, or exempt with a reason; both languages have words; docs and owner are named."""
    manifest = registry.manifest(kind)

    assert tuple(sorted(manifest.rules)) == tuple(sorted(RULES))
    reasons = [state.exempt for state in manifest.rules.values() if isinstance(state, Exempt)]
    assert all(len(reason) > 20 for reason in reasons)
    words = [manifest.name, manifest.about, *(word for field in manifest.fields for word in (field.label, field.help))]
    assert all(word.en and word.zh for word in words)
    assert manifest.docs
    assert manifest.owner
    assert manifest.max_age_s >= 3600
    assert manifest.limits.batch >= 1


@pytest.mark.parametrize("kind", registry.kinds())
def test_every_field_has_a_sound_default(kind: str) -> None:
    """A field's default fits its own rule, and what is secret has none."""
    manifest = registry.manifest(kind)
    for field in manifest.fields:
        assert not (field.secret and field.default is not None)
        assert not (field.required and field.default is not None)
        assert bool(field.choices) == (field.type.value == "choice")
    with pytest.raises(InvalidInput) as caught:
        checked_fields(manifest, {})
    assert caught.value.field in {field.name for field in manifest.fields if field.required}


def test_address_kinds_are_those_the_store_routes_by() -> None:
    """The manifest and the store use the same words."""
    assert {kind.value for kind in AddressKind} == {kind.value for kind in Addressed}


def test_the_reference_page_is_made_of_the_manifests() -> None:
    """``python -m onebell.carriers.reference docs/reference/carriers.md`` changes nothing."""
    page = (ROOT / "docs/reference/carriers.md").read_text()

    assert page == reference()
    for kind in registry.kinds():
        assert all(f"| `{field.name}` |" in page for field in registry.manifest(kind).fields)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('kind = "wecom_bot"', 'kind = "other"', "folder's name"),
        ("max_age_s = 86400", 'max_age_s = "long"', "max_age_s"),
        ('owner = "onebell"', 'owner = "onebell"\ncolour = "red"', "colour"),
        ('receipt = { exempt = "The service reports nothing after it took a message." }\n', "", "rules"),
        ('answers-mapped = "done"', 'answers-mapped = "todo"', "exempt with a reason"),
        ('abilities = ["markdown", "native"]', 'abilities = ["flying"]', "flying"),
        ("title_bytes = 512", "title_bites = 512", "title_bites"),
        ('kind = "wecom_bot"', "kind = ", "manifest.toml"),
    ],
)
def test_a_broken_manifest_is_refused(tmp_path: Path, old: str, new: str, named: str) -> None:
    """An unknown key, a wrong type, or a rule left open names itself."""
    path = write(tmp_path, GOOD)
    assert read_manifest(path).kind == "wecom_bot"
    path.write_text(GOOD.replace(old, new))

    with pytest.raises(InvalidInput, match=named):
        read_manifest(path)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("smtp", {"host": "127.0.0.1", "port": 2525, "security": "none", "from": "onebell <onebell@example.test>"}),
        ("smtp", {"host": "smtp.例え.テスト", "from": "a@b.c", "username": "u", "password": "p"}),
        ("webhook", {"url": "http://127.0.0.1:9099/sink"}),
        ("webhook", {"url": "https://a.test/", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqrTw=="}),
        ("sms", {"url": "https://a.test/{phone}", "headers": "A: b\r\n\tC: d\n", "body": "[\n]", "ok": "^0$"}),
        ("wecom_bot", {"url": "http://127.0.0.1:9099/cgi-bin/webhook/send?key=00000000-0000-4000-8000-000000000001"}),
    ],
)
def test_the_fields_of_the_example_file_pass(kind: str, fields: dict[str, Any]) -> None:
    """What the directory file's contract shows is accepted, and defaults are filled in."""
    checked = checked_fields(registry.manifest(kind), fields)

    assert fields.items() <= checked.items()
    if kind == "smtp":
        assert {"port", "security"} <= checked.keys()


SMTP = {"host": "mail.test", "from": "a@b.test"}


@pytest.mark.parametrize(
    ("kind", "fields", "field"),
    [
        ("smtp", SMTP | {"colour": "red"}, "colour"),
        ("smtp", {"from": "a@b.test"}, "host"),
        ("smtp", SMTP | {"host": ""}, "host"),
        ("smtp", SMTP | {"host": "a b"}, "host"),
        ("smtp", SMTP | {"host": "127.1"}, "host"),
        ("smtp", SMTP | {"host": 5}, "host"),
        ("smtp", SMTP | {"port": 0}, "port"),
        ("smtp", SMTP | {"port": 65536}, "port"),
        ("smtp", SMTP | {"port": "25"}, "port"),
        ("smtp", SMTP | {"port": True}, "port"),
        ("smtp", SMTP | {"security": "ssl"}, "security"),
        ("smtp", SMTP | {"security": ["tls"]}, "security"),
        ("smtp", SMTP | {"username": "a\nb"}, "username"),
        ("smtp", SMTP | {"password": 5}, "password"),
        ("smtp", SMTP | {"from": "nobody"}, "from"),
        ("smtp", SMTP | {"from": "a@b.test\r\nBcc: c@d.test"}, "from"),
        ("smtp", SMTP | {"from": "a@b@c"}, "from"),
        ("webhook", {}, "url"),
        ("webhook", {"url": "ftp://a.test"}, "url"),
        ("webhook", {"url": "http://u:p@a.test"}, "url"),
        ("webhook", {"url": 5}, "url"),
        ("webhook", {"url": "http://a.test", "secret": "whsec_short"}, "secret"),
        ("sms", {"url": "http://a.test", "body": "a\x00b"}, "body"),
        ("sms", {"url": "http://a.test", "body": 5}, "body"),
        ("sms", {"url": "http://a.test", "ok": "("}, "ok"),
        ("sms", {"url": "http://a.test", "ok": "a\nb"}, "ok"),
        ("webhook", {"url": "http://a.test", "secret": "no-prefix-MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "secret"),
    ],
)
def test_a_bad_field_is_named(kind: str, fields: dict[str, Any], field: str) -> None:
    """An unknown, missing or wrong field raises InvalidInput with its name, and never shows a secret's value."""
    with pytest.raises(InvalidInput) as caught:
        checked_fields(registry.manifest(kind), fields)

    assert caught.value.field == field
    assert "whsec_short" not in str(caught.value)


@pytest.mark.parametrize("address", ["a@b.test", "a.b+c@d.example", "用户@例え.テスト"])
def test_mail_addresses(address: str) -> None:
    """One @, nothing that a header or a command reads as more."""
    assert is_mail_address(address)


@pytest.mark.parametrize(
    "address", ["", "a", "@", "a@", "@b", "a@b@c", "a b@c", "<a@b>", "a@b\n", "a,b@c", '"a"@b', "=?x@b"]
)
def test_no_mail_addresses(address: str) -> None:
    """Anything else is none."""
    assert not is_mail_address(address)


def test_limits_stand_in_the_manifest() -> None:
    """What the sheets say about a carrier is data that others read."""
    assert registry.manifest("wecom_bot").limits == Limits(
        title_bytes=512, body_bytes=2048, markdown_bytes=4096, per_minute=20
    )
    assert registry.manifest("smtp").address is AddressKind.EMAIL
    assert registry.manifest("smtp").secret_fields == {"password"}
    assert Ability.NATIVE in registry.manifest("wecom_bot").abilities


def test_the_struct_refuses_unknown_limits() -> None:
    """A misspelt limit would otherwise mean none."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.toml.decode(b"bach = 3", type=Limits)
