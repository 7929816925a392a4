"""AWS Signature Version 4 for S3 (AWS General Reference, "Create a signed request"): what every S3 service checks."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote, urlsplit

import msgspec

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "s3"
EMPTY = hashlib.sha256(b"").hexdigest()
"""Hash of no body."""


class Signer(msgspec.Struct, frozen=True):
    """Signs requests with one pair of keys."""

    access_key: str
    secret_key: str
    region: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Signer({self.access_key}, {self.region})"

    def headers(self, method: str, url: str, payload_hash: str, now: datetime) -> Mapping[str, str]:
        """The headers that sign a request without a query; ``now`` is in UTC."""
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        parts = urlsplit(url)
        signed = {"host": parts.netloc, "x-amz-content-sha256": payload_hash, "x-amz-date": stamp}
        names = ";".join(signed)
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        # S3 alone encodes a path once only.
        canonical = f"{method}\n{parts.path or '/'}\n\n{lines}\n{names}\n{payload_hash}"
        scope = f"{stamp[:8]}/{self.region}/{SERVICE}/aws4_request"
        text = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(self._key(stamp[:8]), text.encode(), hashlib.sha256).hexdigest()
        credential = f"{self.access_key}/{scope}"
        return {
            "x-amz-content-sha256": payload_hash,
            "x-amz-date": stamp,
            "Authorization": f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}",
        }

    def _key(self, day: str) -> bytes:
        key = f"AWS4{self.secret_key}".encode()
        for part in (day, self.region, SERVICE, "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key


def object_url(endpoint: str, bucket: str, key: str, *, path_style: bool) -> str:
    """Where an object is."""
    parts = urlsplit(endpoint)
    base = parts.path.rstrip("/")
    if path_style:
        return f"{parts.scheme}://{parts.netloc}{base}/{quote(bucket)}/{quote(key)}"
    return f"{parts.scheme}://{bucket}.{parts.netloc}{base}/{quote(key)}"
