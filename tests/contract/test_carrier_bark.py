"""The carrier bark against a server that answers like bark-server (sheet wecom §6.6, case 54)."""

import base64
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7
from tests.fakes.carrier_account import batch, exchange, rendered
from tests.fakes.http_service import answer

from onebell.carriers.bark import cipher
from onebell.carriers.bark.carrier import PAYLOAD_BYTES
from onebell.carriers.base import Address, Rendered
from onebell.core.model import Format, Severity
from onebell.core.outcomes import Outcome, Permanent, Sent, Temporary, Unauthorized

KEY = "F5u42Bd3HyW8KxkUqo2gRA"
OK = answer(200, {"code": 200, "message": "success", "timestamp": 1708331409})
WHOM = {"device_key": KEY, "id": "dlv_100"}
AES_KEY = "1234567890123456"


async def body(part: Rendered, *, severity: Severity = Severity.NORMAL, **fields: str) -> bytes:
    """The body that goes out for a part."""
    sent = batch(part, severity=severity)
    outcome, (got,) = await exchange(OK, "bark", sent, base_url="{at}", device_key=KEY, **fields)
    assert outcome == Sent(detail="success")
    assert (got.method, got.target, got.headers["content-type"]) == ("POST", "/push", "application/json")
    return got.body


async def json(part: Rendered, *, severity: Severity = Severity.NORMAL, **fields: str) -> Any:
    return msgspec.json.decode(await body(part, severity=severity, **fields))


async def outcome(message: str, status: int, code: int | None = None) -> Outcome:
    said = {"code": code or status, "message": message, "timestamp": 1708331409}
    return (await exchange(answer(status, said), "bark", base_url="{at}", device_key=KEY))[0]


async def test_an_official_sample_passes_unchanged() -> None:
    """A payload that a dialect brought goes out with the account's key and the delivery's id; its own id counts."""
    sample = {
        "body": "Test Bark Server", "title": "bleem", "badge": 1, "category": "myNotificationCategory",
        "sound": "minuet.caf", "icon": "https://day.app/assets/images/avatar.jpg", "group": "test",
        "url": "https://mritd.com",
    }  # fmt: skip

    assert await json(rendered("t", "b", native=sample), sound="bell") == WHOM | sample
    assert (await json(rendered(native=sample | {"id": "build-7"})))["id"] == "build-7"


@pytest.mark.parametrize("long", ["x" * 5000, "<" * 1000])
async def test_a_native_payload_fits_too(long: str) -> None:
    """What is too long for Apple is cut, title first; all else stays."""
    told = await body(rendered(native={"title": long, "body": long, "sound": "bell"}))
    shown = msgspec.json.decode(told)
    assert len(told) + 5 * told.count(b"<") <= PAYLOAD_BYTES
    assert shown["sound"] == "bell"
    assert 400 < len(shown["title"]) <= 512
    assert len(shown["body"]) < len(long)


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        (Severity.MIN, "passive"),
        (Severity.LOW, "passive"),
        (Severity.NORMAL, "active"),
        (Severity.HIGH, "timeSensitive"),
        (Severity.CRITICAL, "critical"),
    ],
)
async def test_text(severity: Severity, level: str) -> None:
    """Plain text, with the severity as its level; what there is not is not sent."""
    assert await json(rendered("标题", "a\nb"), severity=severity) == WHOM | {
        "title": "标题",
        "level": level,
        "body": "a\nb",
    }


async def test_everything_the_message_and_the_account_say() -> None:
    """Link, icon and first image are the message's; group and sound the account's, and an icon where it has none."""
    own = {"group": "home", "sound": "minuet", "icon": "https://x.test/own.png"}
    part = rendered("", "b", url="https://x.test", icon="https://x.test/i.png", images=("https://x.test/a.png",))

    assert await json(part, **own) == WHOM | {
        "level": "active", "url": "https://x.test", "icon": "https://x.test/i.png", "image": "https://x.test/a.png",
        "group": "home", "sound": "minuet", "body": "b",
    }  # fmt: skip
    assert (await json(rendered(), **own))["icon"] == "https://x.test/own.png"


async def test_html_is_reduced_to_text() -> None:
    """Bark shows no HTML."""
    part = rendered("T", "<p>a <b>b</b></p><script>alert(1)</script>", Format.HTML)

    assert (await json(part))["body"] == "a b"


@pytest.mark.parametrize(
    ("written_in", "source", "shown", "preview"),
    [
        (Format.MARKDOWN, "# a\n**b**", "# a\n**b**", "a\n\nb"),
        (Format.WECOM_MARKDOWN, '<font color="info">ok</font>', "ok", "ok"),
    ],
)
async def test_markdown(written_in: Format, source: str, shown: str, preview: str) -> None:
    """Markdown is shown as such; an app too old for it shows the beginning of its words."""
    told = await json(rendered("T", source, written_in))

    assert (told["markdown"], told["body"]) == (shown, preview)


@pytest.mark.parametrize("written_in", Format)
@pytest.mark.parametrize("long", ["中" * 3000, "<&>" * 2000, '"\n' * 3000])
@pytest.mark.parametrize("key", ["", AES_KEY])
async def test_apples_limit_is_kept(written_in: Format, long: str, key: str) -> None:
    """The server's JSON for Apple writes three characters longer than ours and adds its own words."""
    got = await body(rendered("题" * 100, long, written_in), group="g" * 64, encryption_key=key)
    for_apple = len(got) + sum(5 * got.count(sign) for sign in (b"<", b">", b"&"))

    assert for_apple + 512 <= 4096


async def test_a_repeat_has_the_same_id() -> None:
    """The id belongs to the delivery, not to the try: a second notification replaces the first."""
    ids = []
    for attempt in (1, 2):
        again = batch(addresses=(Address(delivery=5, value="code", attempt=attempt),))
        _, (got,) = await exchange(OK, "bark", again, base_url="{at}", device_key=KEY)
        ids.append(got.json["id"])

    assert ids == ["dlv_5", "dlv_5"]


async def test_a_server_with_a_password() -> None:
    """A bark-server of one's own may ask for one; with neither nothing is shown."""
    own = {"base_url": "{at}/bark/", "device_key": KEY}
    _, (got,) = await exchange(OK, "bark", username="u", password="p", **own)
    assert (got.target, got.headers["authorization"]) == ("/bark/push", "Basic dTpw")

    _, (got,) = await exchange(OK, "bark", **own)
    assert "authorization" not in got.headers


# ---------------------------------------------------------------- encryption


@pytest.mark.parametrize(
    ("mode", "sealed"),
    [
        (
            "CBC",
            {
                "ciphertext": "+aPt5cwN9GbTLLSFri60l3h1X00u/9j1FENfWiTxhNHVLGU+XoJ15JJG5W/d/yf0",
                "iv": "1234567890123456",
            },
        ),
        ("ECB", {"ciphertext": "nyEyuyYwoV+3IkEm9QUUzAOy8Je44anatLeIjsP2cnKV7j1c3K4CXoWCF2gES5SK"}),
    ],
)
def test_the_vectors_of_the_document(mode: str, sealed: dict[str, str]) -> None:
    """Bark's own example, in both modes that it prints."""
    iv = sealed.get("iv", "")

    assert cipher.seal(b'{"body": "test", "sound": "birdsong"}', AES_KEY, mode, iv) == sealed


def decrypted(told: dict[str, str], key: str, mode: str) -> Any:
    """What the app reads."""
    sealed, iv = base64.b64decode(told["ciphertext"]), told.get("iv", "").encode()
    if mode == "GCM":
        return msgspec.json.decode(AESGCM(key.encode()).decrypt(iv, sealed, None))
    chosen: Any = modes.CBC(iv) if mode == "CBC" else modes.ECB()
    decryptor, unpadder = Cipher(algorithms.AES(key.encode()), chosen).decryptor(), PKCS7(128).unpadder()
    plain = unpadder.update(decryptor.update(sealed) + decryptor.finalize()) + unpadder.finalize()
    return msgspec.json.decode(plain)


@pytest.mark.parametrize("key", ["k" * 16, "k" * 24, "k" * 32])
@pytest.mark.parametrize(("mode", "iv_chars"), [("CBC", 16), ("GCM", 12), ("ECB", 0)])
async def test_nobody_on_the_way_reads_it(key: str, mode: str, iv_chars: int) -> None:
    """Beside the device key only the ciphertext and a fresh iv leave; the app finds every parameter inside."""
    fields = {"encryption_key": key, "encryption": mode}
    first, second = [await json(rendered("标题", "b"), **fields) for _ in range(2)]

    assert first.keys() == {"device_key", "ciphertext"} | ({"iv"} if iv_chars else set())
    assert len(first.get("iv", "")) == iv_chars
    assert (first == second) == (mode == "ECB")
    assert decrypted(first, key, mode) == {"id": "dlv_100", "title": "标题", "level": "active", "body": "b"}


async def test_a_native_payload_is_encrypted_too() -> None:
    """CBC is the app's own choice when nobody chose."""
    told = await json(rendered(native={"body": "test"}), encryption_key=AES_KEY)

    assert decrypted(told, AES_KEY, "CBC") == {"id": "dlv_100", "body": "test"}


# ---------------------------------------------------------------- answers

GONE = [
    (400, "device key is empty"),
    (400, "failed to get device token: failed to get [x] device token from database"),
    (500, "push failed: APNS push failed: BadDeviceToken"),
    (500, "push failed: Unregistered"),
    (500, "push failed: APNS push failed: DeviceTokenNotForTopic"),
]


@pytest.mark.parametrize(("status", "message"), GONE)
async def test_a_device_that_is_gone(status: int, message: str) -> None:
    """Never tried again, and nothing goes there any more."""
    assert await outcome(message, status) == Permanent(why=f"{status} {message}", drop_target=True, code=status)


async def test_the_key_that_the_server_repeats_is_not_told() -> None:
    """bark-server names the key it does not know."""
    said = await outcome(f"failed to get device token: failed to get [{KEY}] device token from database", 400)

    assert isinstance(said, Permanent)
    assert KEY not in said.why
    assert "[…]" in said.why


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (400, "request bind failed: x", Permanent(why="400 request bind failed: x", code=400)),
        (500, "push failed: APNS push failed: PayloadTooLarge",
         Permanent(why="500 push failed: APNS push failed: PayloadTooLarge", code=500)),
        (401, "m", Unauthorized(why="HTTP 401")),
    ],
)  # fmt: skip
async def test_what_is_final(status: int, message: str, expected: Outcome) -> None:
    """A message that is wrong, and a server that wants another password."""
    assert await outcome(message, status) == expected


async def test_a_teapot_wants_a_password() -> None:
    """bark-server's word for a missing one."""
    said, _ = await exchange(answer(418, b"I'm a teapot"), "bark", base_url="{at}", device_key=KEY)

    assert said == Unauthorized(why="HTTP 418")


@pytest.mark.parametrize("message", ["push failed: APNS push failed: ExpiredProviderToken", "push failed: EOF"])
async def test_other_failures_are_tried_again(message: str) -> None:
    """The server's or Apple's trouble."""
    assert isinstance(await outcome(message, 500), Temporary)


async def test_a_code_in_a_good_answer_counts() -> None:
    """HTTP 200 is success only with code 200."""
    assert await outcome("m", 200, 400) == Permanent(why="400 m", code=400)
    assert await outcome("m", 200, 500) == Temporary(why="500 m", not_before_s=5)
