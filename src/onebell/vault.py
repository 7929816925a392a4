"""Secrets in three classes (DESIGN §5): issued ones are found by HMAC, sent-on ones encrypted, chosen ones hashed.

Nothing here puts a secret into a ``repr``, a log line or an error text.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from onebell.bounded import Bounded
from onebell.clock import Clock
from onebell.errors import InvalidInput, OnebellError, TooManyFailures
from onebell.settings import Settings

log = structlog.get_logger()

KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_FILE = "server.key"
T = TypeVar("T")


class Unreadable(OnebellError):
    """A sealed value was not sealed under any of this server's keys, or was altered."""


@dataclass(frozen=True)
class Argon2:
    """Cost of a password hash (DESIGN §5): the smallest that OWASP names for argon2id."""

    memory_kib: int = 19 * 1024
    passes: int = 2
    lanes: int = 1
    at_once: int = 2  # each takes 19 MiB and a core


@dataclass(frozen=True)
class Throttle:
    """How often a password may be guessed."""

    failures: int = 10
    window_s: float = 300
    remembered: int = 20_000  # askers; the oldest are forgotten, which only helps who is not asking
    success_s: float = 600
    successes: int = 10_000


# ---------------------------------------------------------------- the server key


def read_key(text: str) -> bytes:
    """A key of 32 bytes from 64 hex digits or base64 (also URL-safe, padding may be missing).

    Raises:
        InvalidInput: it is neither.
    """
    text = text.strip()
    try:
        if len(text) == 2 * KEY_BYTES:
            return bytes.fromhex(text)
        padded = text.replace("-", "+").replace("_", "/").rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
        key = base64.b64decode(padded, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidInput("the server key must be 32 bytes as hex or base64", "secret_key")
    return key


def server_keys(settings: Settings) -> tuple[bytes, ...]:
    """The server's keys, newest first: ``secret_key``, else the lines of ``DATA/server.key`` (made when missing).

    Several keys are separated by commas in ``secret_key``. New values are sealed under the first; values are found
    under the last, so that tokens issued before a rotation stay good.

    Raises:
        InvalidInput: a key is malformed.
    """
    if settings.secret_key:
        return tuple(read_key(part) for part in settings.secret_key.split(","))
    path = Path(settings.data) / _KEY_FILE
    if not path.exists():
        _make_key_file(path)
    if path.stat().st_mode & 0o077:
        log.warning("server_key_readable_by_others", path=str(path))
    lines = path.read_text().split()
    if not lines:
        raise InvalidInput(f"{path} is empty", "secret_key")
    return tuple(read_key(line) for line in lines)


def _make_key_file(path: Path) -> None:
    # Written under another name and linked: a crash or a second process never leaves half a key.
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_hex(KEY_BYTES) + "\n")
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make names in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _derived(key: bytes, use: bytes) -> bytes:
    return hmac.digest(key, b"onebell/" + use, "sha256")


# ---------------------------------------------------------------- the vault


class ServerVault:
    """``core.context.Vault`` under the server's keys, newest first."""

    def __init__(
        self,
        keys: Sequence[bytes],
        clock: Clock,
        cost: Argon2 | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self._clock = clock
        self._digest_key = _derived(keys[-1], b"digest")
        self._boxes = [(_derived(key, b"key id")[:1], AESGCM(_derived(key, b"seal"))) for key in keys]
        self._passwords = _Passwords(clock, cost or Argon2(), throttle or Throttle())

    def digest(self, dialect: str, kind: str, value: str) -> bytes:
        text = f"{dialect}\0{kind}\0{value}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._digest_key, text, "sha256")

    def seal(self, text: str) -> bytes:
        key_id, box = self._boxes[0]
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return key_id + nonce + box.encrypt(nonce, text.encode("utf-8", "surrogatepass"), None)

    def unseal(self, sealed: bytes) -> str:
        """Raises: Unreadable."""
        for key_id, box in self._boxes:
            if sealed[:1] != key_id:
                continue
            try:
                opened = box.decrypt(sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :], None)
            except (InvalidTag, ValueError):
                continue
            return opened.decode("utf-8", "surrogatepass")
        raise Unreadable("a sealed value cannot be read: was the server key changed?")

    async def hash_password(self, password: str) -> str:
        return await self._passwords.hash(password)

    def remembers(self, password_hash: str, password: str) -> bool:
        return self._passwords.remembers(password_hash, password)

    async def check_password(self, password_hash: str, password: str, throttle: str = "") -> bool:
        return await self._passwords.check(password_hash, password, throttle)

    def close(self) -> None:
        """Stop the hashing threads."""
        self._passwords.close()


class _Passwords:
    """argon2id in a pool of its own, so that guesses never take a thread that other work waits for."""

    def __init__(self, clock: Clock, cost: Argon2, throttle: Throttle) -> None:
        self._clock = clock
        self._throttle = throttle
        self._hasher = PasswordHasher(time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes)
        self._pool = ThreadPoolExecutor(cost.at_once, "argon2")
        self._memory_key = secrets.token_bytes(KEY_BYTES)
        self._good: Bounded[bytes, float] = Bounded(throttle.successes)
        self._failures: Bounded[bytes, tuple[int, float]] = Bounded(throttle.remembered)
        self._checking: dict[tuple[bytes, bytes], asyncio.Task[bool]] = {}
        self._decoy = ""

    async def hash(self, password: str) -> str:
        return await self._run(self._hash, password)

    def _hash(self, password: str) -> str:
        return self._hasher.hash(password.encode("utf-8", "surrogatepass"))

    async def check(self, password_hash: str, password: str, throttle: str) -> bool:
        # A remembered success comes before the throttle: whoever guesses cannot lock the owner out.
        if self.remembers(password_hash, password):
            return True
        # A back end that starts sends many requests with its password at once: one check, charged once, for them all.
        # Whoever is asked for may have a name of a megabyte: a digest of it is what is remembered.
        asked = hashlib.blake2b(throttle.encode("utf-8", "surrogatepass"), digest_size=16).digest() if throttle else b""
        key = asked, self._proof(password_hash, password)
        if (checking := self._checking.get(key)) is None:
            if asked:
                self._charge(asked)
            checking = self._checking[key] = asyncio.create_task(self._check(password_hash, password, asked))
            checking.add_done_callback(lambda _: self._checking.pop(key))
        return await asyncio.shield(checking)

    async def _check(self, password_hash: str, password: str, asked: bytes) -> bool:
        # Without a hash the same time is spent, so that nobody learns who exists (RELIABILITY S6).
        if await self._run(self._verify, password_hash or await self._decoy_hash(), password) and password_hash:
            self._good.put(self._proof(password_hash, password), self._clock.monotonic() + self._throttle.success_s)
            self._failures.drop(asked)
            return True
        return False

    def remembers(self, password_hash: str, password: str) -> bool:
        """Whether this password was right within the last ten minutes."""
        return self._good.get(self._proof(password_hash, password), 0.0) > self._clock.monotonic()

    def _proof(self, password_hash: str, password: str) -> bytes:
        # BLAKE2b's own keyed mode is a MAC as good as HMAC (RFC 7693 §2.5) and takes a third of its time; every
        # request with a password pays it.
        text = f"{password_hash}\0{password}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._memory_key).digest()

    def _charge(self, asked: bytes) -> None:
        # Charged before hashing, so that guesses sent at once count as well.
        now = self._clock.monotonic()
        count, until = self._failures.get(asked, (0, 0.0))
        if now >= until:
            count, until = 0, now + self._throttle.window_s
        if count >= self._throttle.failures:
            raise TooManyFailures(until - now)
        self._failures.put(asked, (count + 1, until))

    async def _decoy_hash(self) -> str:
        if not self._decoy:
            self._decoy = await self.hash(secrets.token_hex(8))
        return self._decoy

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[..., T], *given: str) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *given)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
