"""Standard Webhooks 1.0.0 signatures."""

import base64
import hashlib
import hmac

import pytest

from onebell.core import signing
from onebell.errors import InvalidInput

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_published_vector() -> None:
    """The reference libraries' own example: this secret, id, time and body give this signature."""
    headers = signing.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', (SECRET,))

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_receiver_can_check_it() -> None:
    """The signed text is ``id.timestamp.body``, the key the secret's bytes."""
    secret = signing.new_secret()
    body = "消息".encode()

    signature = signing.headers("cb_1", 1_800_000_000, body, (secret,))["webhook-signature"]

    key = base64.b64decode(secret.removeprefix("whsec_"))
    assert 24 <= len(key) <= 64
    expected = hmac.new(key, b"cb_1.1800000000." + body, hashlib.sha256).digest()
    assert signature == f"v1,{base64.b64encode(expected).decode()}"


@pytest.mark.parametrize("change", ["id", "time", "body", "key"])
def test_one_altered_byte_shows(change: str) -> None:
    """Id, time, body and key are all under the signature."""
    values = {"id": "cb_1", "time": 1, "body": b"x", "key": SECRET}
    altered = {**values, change: {"id": "cb_2", "time": 2, "body": b"y", "key": signing.new_secret()}[change]}

    def signature(of: dict) -> str:
        return signing.headers(of["id"], of["time"], of["body"], (of["key"],))["webhook-signature"]

    assert signature(values) != signature(altered)


def test_two_keys_sign_side_by_side() -> None:
    """While a secret is replaced both signatures stand in the header, divided by a space."""
    other = signing.new_secret()

    both = signing.headers("cb_1", 1, b"x", (SECRET, other))["webhook-signature"].split(" ")

    assert both == [signing.headers("cb_1", 1, b"x", (one,))["webhook-signature"] for one in (SECRET, other)]


def test_a_secret_that_is_none_is_refused() -> None:
    """A key must be base64."""
    with pytest.raises(InvalidInput):
        signing.headers("cb_1", 1, b"x", ("whsec_not base64!",))
