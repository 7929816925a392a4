"""What must be true of a message's fields, and in which order it is said (sheet pushgo §1.1, §1.2, §1.3)."""

from typing import Any

import pytest

from onebell.core.model import Severity
from onebell.dialects.pushgo.answer import Rejected
from onebell.dialects.pushgo.check import TTL_CAP_MS, Addressed, Details, addressed, details
from onebell.dialects.pushgo.parse import Intent

CHANNEL = "06J0FZG1Y8XGG14VTQ4Y3G10MR"
NOW = 1_763_690_000_000


def intent(**fields: Any) -> Intent:
    return Intent(**({"channel_id": CHANNEL, "password": "channel-password", "title": "t"} | fields))


def first(**fields: Any) -> Addressed:
    return addressed(intent(**fields))


def then(**fields: Any) -> Details:
    return details(intent(**fields), NOW)


FIRST = [
    ({"thing_id": ""}, None, "thing_id must not be empty"),
    ({"thing_id": " "}, None, "thing_id must not be empty"),
    ({"thing_id": "x" * 65}, None, "thing_id is too long"),
    ({"thing_id": "a b"}, None, "thing_id format is invalid"),
    ({"channel_id": " "}, "channel_id_required", "channel id must not be empty"),
    ({"password": "short"}, None, "channel password length must be between 8 and 128"),
    ({"password": " 1234567 "}, None, "channel password length must be between 8 and 128"),
    ({"password": "x" * 129}, None, "channel password length must be between 8 and 128"),
    ({"password": "中" * 43}, None, "channel password length must be between 8 and 128"),
    ({"op_id": "x" * 129}, None, "op_id is too long"),
    ({"op_id": "a b"}, None, "op_id format is invalid"),
    ({"op_id": "操作"}, None, "op_id format is invalid"),
    ({"op_id": "a\nb"}, None, "op_id format is invalid"),
    ({"title": " \n"}, "title_required", "title must not be empty"),
    ({"metadata": {"k" * 65: 1}}, "metadata_key_too_long", "metadata key is too long"),
    ({"metadata": {"k": "v" * 513}}, "metadata_value_too_long", "metadata value is too long"),
    ({"channel_id": "nope"}, None, "invalid channel id"),
]


@pytest.mark.parametrize(("fields", "code", "error"), FIRST)
def test_before_the_channel(fields: dict[str, Any], code: str | None, error: str) -> None:
    """Each rule of steps 6 to 12 has its own text, and its code where upstream sends one."""
    with pytest.raises(Rejected) as caught:
        first(**fields)
    assert (caught.value.failure.status, caught.value.failure.code, caught.value.failure.error) == (400, code, error)


@pytest.mark.parametrize("number", range(len(FIRST) - 1))
def test_the_first_broken_rule_is_told(number: int) -> None:
    """Of two broken rules the earlier one of the sheet's order is answered."""
    fields, _, error = FIRST[number]
    later = next(other for other, _, other_error in FIRST[number:] if not other.keys() & fields.keys())
    with pytest.raises(Rejected) as caught:
        first(**(later | fields))
    assert caught.value.failure.error == error


THEN = [
    ({"thing_id": "x"}, "occurred_at is required when message is scoped to thing_id"),
    ({"images": ["a"] * 33}, "images exceeds max length"),
    ({"images": ["a", " "]}, "images contains empty url"),
    ({"images": ["x" * 2049]}, "images contains oversized url"),
    ({"tags": ["a"] * 33}, "tags exceeds max length"),
    ({"tags": [""]}, "tags contains empty tag"),
    ({"tags": ["中" * 65]}, "tags contains oversized tag"),
]


@pytest.mark.parametrize(("fields", "error"), THEN)
def test_after_the_password(fields: dict[str, Any], error: str) -> None:
    """Rules about lists and things are judged after the channel, images before tags."""
    first(**fields)
    with pytest.raises(Rejected) as caught:
        then(**fields)
    assert (caught.value.failure.status, caught.value.failure.error) == (400, error)


def test_limits_themselves_are_allowed() -> None:
    """The longest values pass: characters for lists and metadata, bytes for the password."""
    got = first(password="p" * 128, op_id="o" * 128, thing_id="t" * 64, metadata={"k" * 64: "中" * 512})
    assert (len(got.password), len(got.op_id), len(got.thing_id or "")) == (128, 128, 64)
    told = then(images=["i" * 2048], tags=["中" * 64], occurred_at=1)
    assert (len(told.images[0]), len(told.tags[0])) == (2048, 64)


def test_texts_are_trimmed() -> None:
    """Titles, passwords and ids are taken without the blanks around them; blank optional texts are absent."""
    got = first(title=" t ", password=" channel-password ", op_id=" op:1 ", thing_id=" x ", channel_id=f" {CHANNEL} ")
    assert got == Addressed(channel=CHANNEL, password="channel-password", title="t", op_id="op:1", thing_id="x")
    told = then(body=" b\n", url="  ", ciphertext=" c ")
    assert (told.body, told.url, told.ciphertext) == ("b", "", "c")


def test_a_blank_op_id_is_none() -> None:
    """A blank op_id is generated later, like an absent one (case 9)."""
    assert first(op_id="  ").op_id == ""


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        (" CRITICAL ", Severity.CRITICAL),
        ("high", Severity.HIGH),
        ("Low", Severity.LOW),
        ("urgent", Severity.NORMAL),
        ("", Severity.NORMAL),
        (None, Severity.NORMAL),
    ],
)
def test_unknown_severities_are_normal(word: str | None, severity: Severity) -> None:
    """Four words are known, whatever their case; all else is normal (case 27)."""
    assert then(severity=word).severity is severity


def test_tags_lose_their_doubles() -> None:
    """Doubles after trimming go, the order stays; the limit of 32 counts before that (cases 29, 30)."""
    assert then(tags=[" nas ", "nas", "disk"]).tags == ("nas", "disk")
    assert then(images=["b", "a", "b"]).images == ("b", "a")


def test_metadata_is_sorted() -> None:
    """Devices get metadata with sorted keys (case 32)."""
    assert list(then(metadata={"b": 1, "a": True, "c": "x"}).metadata) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("ttl", "expires"),
    [
        (None, 0),
        (3_600_000, 3_600_000),
        (0, 1),
        (-5000, 1),
        (NOW + 1, NOW + 1),
        (NOW + TTL_CAP_MS + 1, NOW + TTL_CAP_MS),
        (2**62, NOW + TTL_CAP_MS),
    ],
)
def test_ttl_is_an_instant_within_28_days(ttl: int | None, expires: int) -> None:
    """A ttl is capped to 28 days; a past one is kept and means "expired", never "no expiry" (cases 36, 37)."""
    assert then(ttl=ttl).expires_at == expires


def test_now_is_when_it_occurred() -> None:
    """Without occurred_at the message occurred now; 0 is an instant like any other."""
    assert then().occurred_at == NOW
    assert then(occurred_at=0).occurred_at == 0
