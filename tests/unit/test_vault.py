"""Secrets: the server key, sealing, digests and passwords."""

import asyncio
import stat
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onebell.errors import InvalidInput, TooManyFailures
from onebell.settings import Settings
from onebell.vault import Argon2, ServerVault, Throttle, Unreadable, read_key, server_keys

CHEAP = Argon2(memory_kib=64, passes=1)
KEY = bytes(range(32))
OTHER = bytes(reversed(range(32)))


class StillClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now_ms(self) -> int:
        return int(self.at * 1000)

    def monotonic(self) -> float:
        return self.at


def vault(*keys: bytes, clock: StillClock | None = None, failures: int = 3) -> ServerVault:
    return ServerVault(keys or (KEY,), clock or StillClock(), CHEAP, Throttle(failures=failures, window_s=60))


# ---------------------------------------------------------------- the server key


def test_the_key_is_made_once_and_only_the_owner_reads_it(tmp_path: Path):
    """The first start makes DATA/server.key with mode 0600; later starts read the same key."""
    settings = Settings(data=str(tmp_path / "data"))
    first = server_keys(settings)
    assert server_keys(settings) == first
    assert len(first[0]) == 32
    assert stat.S_IMODE((tmp_path / "data/server.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["server.key"]


def test_settings_win_over_the_key_file(tmp_path: Path):
    """A key from the settings is taken and no file is made."""
    settings = Settings(data=str(tmp_path), secret_key=KEY.hex())
    assert server_keys(settings) == (KEY,)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        KEY.hex(),
        KEY.hex().upper(),
        f" {KEY.hex()}\n",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    ],
)
def test_a_key_is_hex_or_base64(text: str):
    """All usual spellings of 32 bytes are read."""
    assert read_key(text) == KEY


@pytest.mark.parametrize("text", ["", "short", "zz" * 32, "AAECAwQF", "密钥"])
def test_a_malformed_key_is_refused_without_being_shown(text: str):
    """An unusable key stops the start, and the error does not repeat it."""
    with pytest.raises(InvalidInput) as caught:
        read_key(text)
    assert text == "" or text not in str(caught.value)


def test_an_empty_key_file_stops_the_start(tmp_path: Path):
    """An emptied key file is an error: a new key would make every sealed value unreadable in silence."""
    (tmp_path / "server.key").write_text("\n")
    (tmp_path / "server.key").chmod(0o600)
    with pytest.raises(InvalidInput):
        server_keys(Settings(data=str(tmp_path)))


# ---------------------------------------------------------------- sealing and digests


@given(st.text())
def test_sealed_text_comes_back(text: str):
    """What is sealed is read again, whatever characters it has."""
    box = vault()
    assert box.unseal(box.seal(text)) == text


def test_sealing_twice_gives_different_bytes():
    """A sealed value does not tell that it equals another one."""
    box = vault()
    assert box.seal("same") != box.seal("same")


def test_lone_surrogates_survive():
    """JSON may carry lone surrogates; sealing and digests take them."""
    box = vault()
    assert box.unseal(box.seal("\ud800")) == "\ud800"
    assert box.digest("x", "y", "\ud800") != box.digest("x", "y", "\ud801")


@pytest.mark.parametrize("at", [0, 1, 12, 13, -1])
def test_an_altered_value_is_refused(at: int):
    """One flipped bit anywhere, the key id and nonce included, makes a sealed value unreadable."""
    box = vault()
    sealed = bytearray(box.seal("secret"))
    sealed[at] ^= 1
    with pytest.raises(Unreadable):
        box.unseal(bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"x", b"x" * 13])
def test_garbage_is_unreadable(sealed: bytes):
    """Bytes that were never sealed raise Unreadable, nothing else."""
    with pytest.raises(Unreadable):
        vault().unseal(sealed)


def test_rotation_keeps_old_values_readable_and_tokens_good():
    """After a new key is put in front, old sealed values open, new ones use the new key, digests stay."""
    old, new = vault(OTHER), vault(KEY, OTHER)
    assert new.unseal(old.seal("kept")) == "kept"
    assert new.digest("pushplus", "token", "t") == old.digest("pushplus", "token", "t")
    with pytest.raises(Unreadable):
        old.unseal(new.seal("newer"))


def test_a_digest_depends_on_dialect_and_kind():
    """The same value under another dialect, kind or server key has another digest."""
    box = vault()
    digests = {
        box.digest("a", "k", "v"),
        box.digest("b", "k", "v"),
        box.digest("a", "l", "v"),
        box.digest("a", "k", "w"),
        box.digest("ak", "", "v"),
        vault(OTHER).digest("a", "k", "v"),
    }
    assert len(digests) == 6
    assert {len(digest) for digest in digests} == {32}


# ---------------------------------------------------------------- passwords


async def test_a_password_is_compared():
    """The right password passes, others do not; the hash is argon2id and does not hold the password."""
    box = vault()
    stored = await box.hash_password("correct horse")
    assert stored.startswith("$argon2id$")
    assert "correct" not in stored
    assert await box.check_password(stored, "correct horse")
    assert not await box.check_password(stored, "Correct horse")
    box.close()


def test_the_default_cost_is_the_designs():
    """19 MiB, two passes, one lane, two at once (DESIGN §5)."""
    assert Argon2() == Argon2(memory_kib=19456, passes=2, lanes=1, at_once=2)


async def test_nobody_signs_in_without_a_hash():
    """A person without a password cannot sign in, not even with an empty one or the decoy."""
    box = vault()
    assert not await box.check_password("", "")
    assert not await box.check_password("", "anything")
    box.close()


async def test_a_broken_hash_is_a_wrong_password():
    """A hash that is not argon2 refuses everybody instead of raising."""
    box = vault()
    assert not await box.check_password("not a hash", "x")
    box.close()


async def test_failures_are_throttled_before_hashing():
    """After the allowed failures the asker is refused at once, others are not, and the window ends."""
    clock = StillClock()
    box = vault(clock=clock)
    stored = await box.hash_password("right")
    for _ in range(3):
        assert not await box.check_password(stored, "wrong", "10.0.0.1")
    with pytest.raises(TooManyFailures) as caught:
        await box.check_password(stored, "wrong", "10.0.0.1")
    assert 0 < caught.value.wait_s <= 60
    assert await box.check_password(stored, "right", "10.0.0.2")
    clock.at += 61
    assert await box.check_password(stored, "right", "10.0.0.1")
    box.close()


async def test_long_names_fill_no_memory():
    """A failure is remembered in a few bytes, whoever was asked for: names come from strangers (RELIABILITY S7)."""
    box = vault()
    tracemalloc.start()
    for number in range(5):
        assert not await box.check_password("", "wrong", f"{'x' * 1_000_000}{number}")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kept < 1_000_000
    box.close()


async def test_guesses_sent_at_once_are_counted():
    """Parallel guesses cannot slip past the throttle: at most the allowed number is hashed."""
    box = vault()
    stored = await box.hash_password("right")
    answers = await asyncio.gather(
        *(box.check_password(stored, f"guess {n}", "one") for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(answer, TooManyFailures) for answer in answers) == 17
    box.close()


async def test_the_right_password_many_times_at_once_is_one_check():
    """A back end that starts asks for many tokens at once: all get theirs, also those beyond the allowed failures."""
    box = vault()
    stored = await box.hash_password("right")
    answers = await asyncio.gather(*(box.check_password(stored, "right", "one") for _ in range(20)))
    assert answers == [True] * 20
    box.close()


async def test_who_goes_away_ends_nobody_elses_check():
    """The first of several callers with one password hangs up: the others are answered all the same."""
    box = vault()
    stored = await box.hash_password("right")
    first, second = (asyncio.create_task(box.check_password(stored, "right", "one")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second
    box.close()


async def test_a_success_is_remembered_past_the_throttle():
    """Whoever signed in lately still does while somebody else guesses; after 10 minutes it is hashed again."""
    clock = StillClock()
    box = vault(clock=clock)
    stored = await box.hash_password("right")
    assert await box.check_password(stored, "right", "shared")
    for _ in range(3):
        await box.check_password(stored, "wrong", "shared")
    assert await box.check_password(stored, "right", "shared")
    with pytest.raises(TooManyFailures):
        await box.check_password(stored, "wrong", "shared")
    clock.at += 601
    assert await box.check_password(stored, "right", "shared")
    box.close()


async def test_only_what_was_right_lately_is_known_without_hashing():
    """Nothing is known of a password that was never right, of another hash, or of one that was right long ago."""
    clock = StillClock()
    box = vault(clock=clock)
    stored, another = await box.hash_password("right"), await box.hash_password("right")
    assert not box.remembers(stored, "right")
    await box.check_password(stored, "wrong")
    await box.check_password(stored, "right")

    known = [box.remembers(stored, "right"), box.remembers(stored, "wrong"), box.remembers(another, "right")]
    clock.at += 601

    assert known == [True, False, False]
    assert not box.remembers(stored, "right")
    box.close()


async def test_a_success_clears_the_failures():
    """A success ends the count of failures."""
    box = vault()
    stored = await box.hash_password("right")
    for _ in range(3):
        await box.check_password(stored, "wrong", "me")
        await box.check_password(stored, "right", "me")
        box._passwords._good.drop(box._passwords._proof(stored, "right"))
    assert await box.check_password(stored, "right", "me")
    box.close()


async def test_nothing_shows_a_secret():
    """Keys and passwords appear in no repr."""
    box = vault()
    stored = await box.hash_password("hunter2")
    await box.check_password(stored, "hunter2", "x")
    shown = repr(box) + repr(vars(box)) + repr(vars(box._passwords))
    assert KEY.hex() not in shown
    assert repr(KEY) not in shown
    assert "hunter2" not in shown
    box.close()
