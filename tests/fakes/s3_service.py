"""An S3 service on loopback that believes nobody: every signature is made again, by botocore."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCESS_KEY, SECRET_KEY, REGION, BUCKET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-test-1", "bell"
_SIGNED = ("host", "x-amz-content-sha256", "x-amz-date")


@dataclass
class S3Service:
    """One bucket, and what was asked of it."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    """Method, key and status of every request."""
    failures: list[int] = field(default_factory=list)
    """Statuses that the next requests get instead; -1 = the connection is closed without an answer."""
    cuts: int = 0
    """Bytes that are missing at the end of what is read."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Check and do."""
        body = await request.read()
        answer = self._failure(request) or self._refusal(request, body) or self._done(request, body)
        self.asked.append((request.method, request.match_info["key"], answer.status))
        return answer

    def _failure(self, request: web.Request) -> web.Response | None:
        status = self.failures.pop(0) if self.failures else 0
        if status < 0:
            assert request.transport is not None
            request.transport.close()
            return web.Response(status=599)
        return _error(status, "SlowDown") if status else None

    def _refusal(self, request: web.Request, body: bytes) -> web.Response | None:
        if request.method == "PUT" and request.headers.get("Transfer-Encoding"):
            return _error(411, "MissingContentLength")
        if request.headers.get("x-amz-content-sha256") != hashlib.sha256(body).hexdigest():
            return _error(400, "XAmzContentSHA256Mismatch")
        if request.headers.get("Authorization") != _authorization(request):
            return _error(403, "SignatureDoesNotMatch")
        return None if request.match_info["bucket"] == BUCKET else _error(404, "NoSuchBucket")

    def _done(self, request: web.Request, body: bytes) -> web.Response:
        key = request.match_info["key"]
        if request.method == "PUT":
            self.objects[key] = body
            return web.Response(status=200)
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return web.Response(status=204)
        if key not in self.objects:
            return _error(404, "NoSuchKey")
        span = request.http_range
        found = self.objects[key][span]
        return web.Response(status=206, body=found[: len(found) - self.cuts])


def _error(status: int, code: str) -> web.Response:
    return web.Response(status=status, text=f"<Error><Code>{code}</Code></Error>", content_type="application/xml")


def _authorization(request: web.Request) -> str:
    """What botocore would have written for these very bytes."""
    signer = S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", REGION)
    shown = {name: request.headers.get(name, "") for name in _SIGNED}
    again = AWSRequest(method=request.method, url=f"http://{request.host}{request.raw_path}", headers=shown)
    again.context["timestamp"] = shown["x-amz-date"]
    text = signer.string_to_sign(again, signer.canonical_request(again))
    signed = signer.signed_headers(signer.headers_to_sign(again))
    signature = signer.signature(text, again)
    return f"AWS4-HMAC-SHA256 Credential={signer.scope(again)}, SignedHeaders={signed}, Signature={signature}"


@asynccontextmanager
async def s3_service() -> AsyncIterator[S3Service]:
    """The service on a free port; buckets stand in the path."""
    service = S3Service()
    application = web.Application(client_max_size=64 << 20)
    application.router.add_route("*", "/{bucket}/{key:.*}", service.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    service.url = f"http://{host}:{port}"
    try:
        yield service
    finally:
        await runner.cleanup()
