"""Settings: what the file and the environment say, and how a mistake is told."""

from pathlib import Path

import pytest

from onebell.errors import InvalidInput
from onebell.settings import load


def test_the_strongest_comes_last(tmp_path: Path) -> None:
    """The environment wins over the file, the command line over both; a list is written with commas."""
    file = tmp_path / "onebell.toml"
    file.write_text('port = 1\nworkers = 2\nlog_level = "debug"\n')
    environment = {"ONEBELL_PORT": "3", "ONEBELL_TRUSTED_PROXIES": "10.0.0.0/8,::1", "ONEBELL_WORKERS": "4"}

    settings = load(file, environment, {"port": 5, "host": None})

    assert (settings.port, settings.workers, settings.log_level) == (5, 4, "debug")
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1")
    assert settings.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("port", "99999", "setting port: expected `int` <= 65535"),
        ("port", "http", "setting port: expected `int`, got `str`"),
        ("workers", "0", "setting workers: expected `int` >= 1"),
        ("poll_s", "0", "setting poll_s: expected `float` > 0.0"),
        ("log_level", "loud", "setting log_level: must be one of debug, info, warning, error"),
        ("database_url", "mysql://u:secret@h/x", "setting database_url: must begin with postgresql://"),
        ("nats_url", "nats:4222", "setting nats_url: must begin with nats://"),
        ("trusted_proxies", "proxy", "setting trusted_proxies: 'proxy' does not appear to be an IPv4 or IPv6 network"),
    ],
)
def test_what_cannot_be_meant_is_told_by_its_name(name: str, value: str, words: str) -> None:
    """Nothing starts on a port or level that nobody asked for; what may hold a password is not repeated."""
    with pytest.raises(InvalidInput) as told:
        load(None, {f"ONEBELL_{name.upper()}": value})

    assert str(told.value) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"prot = 1", "there is no setting prot"),
        (b"port = ", "onebell.toml: Invalid value (at end of document)"),
        (b"\xff", "onebell.toml: 'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_a_file_with_a_mistake_is_told(tmp_path: Path, text: bytes, words: str) -> None:
    """An unknown key, no TOML, no text, no file."""
    (tmp_path / "onebell.toml").write_bytes(text)

    with pytest.raises(InvalidInput) as told:
        load(tmp_path / "onebell.toml", {})
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        load(tmp_path / "other.toml", {})

    assert words in str(told.value)
