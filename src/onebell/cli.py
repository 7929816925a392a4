"""The command line (DESIGN §8): ``serve`` runs a node; every other command goes through it when it runs."""

import asyncio
import gc
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
import uvloop

from onebell import __version__, control, log
from onebell.backup import DATABASE
from onebell.backup import restore as restore_backup
from onebell.control import Call, Reply
from onebell.directory_file import environment_names
from onebell.errors import InvalidInput, NotFound, OnebellError
from onebell.lock import AlreadyRunning, DataLock
from onebell.settings import Settings, load

cli = typer.Typer(add_completion=False, no_args_is_help=True)
token = typer.Typer(no_args_is_help=True, help="API tokens of the native API.")
person = typer.Typer(no_args_is_help=True, help="People: who receives.")
cli.add_typer(token, name="token")
cli.add_typer(person, name="person")

_BEGINNINGS = frozenset({"apply"})
"""Commands that may be the first ones; others would make an empty store where somebody mistyped its place."""
_COMMAND_LOG = "error"
"""A command's output is its result: it must be fit for ``$(…)``."""

YOUNG_OBJECTS = 20_000
"""New objects before the collector looks for cycles among them. Python's 700 are what seven requests make: it then
walks through what those under way hold, again and again (measured: 5 to 10 us of an accept's 60), and through all
modules while they are imported (a quarter of a start)."""

Data = Annotated[Path | None, typer.Option("--data", help="Data directory (default ./data).")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings file, onebell.toml.")]
Space = Annotated[str, typer.Option("--space", help="Name of the space.")]
Uid = Annotated[str, typer.Argument(help="Who he is to the APIs: a user name.")]


def main() -> None:
    """Entry point: errors that onebell raises on purpose end in one line and status 1."""
    gc.set_threshold(YOUNG_OBJECTS)
    try:
        cli()
    except OnebellError as error:
        _complain(str(error))
        raise SystemExit(1) from error


def _complain(text: str) -> None:
    print("onebell:", text, sep="\n" if "\n" in text else " ", file=sys.stderr)


def _node() -> ModuleType:
    """What a node is made of: nine tenths of all imports, which a command that a running server does needs not."""
    from onebell import serving  # noqa: PLC0415

    return serving


def _settings(data: Path | None, config: Path | None, **overrides: object) -> Settings:
    return load(config, overrides={**overrides, "data": None if data is None else str(data)})


def _run(settings: Settings, call: Call) -> Reply:
    """Run a command here when nobody holds the data directory, else in the server that does."""
    log.configure(_COMMAND_LOG)
    reply = asyncio.run(_here_or_there(settings, call))
    if reply.failed:
        _complain("\n".join(reply.lines))
        raise typer.Exit(1)
    for line in reply.lines:
        print(line)
    return reply


async def _here_or_there(settings: Settings, call: Call) -> Reply:
    data = Path(settings.data)
    if call.command not in _BEGINNINGS and not settings.database_url and not (data / DATABASE).exists():
        raise NotFound(f"there is no {DATABASE} in {data}; name the server's own directory with --data")
    try:
        with DataLock(data):
            reply: Reply = await _node().run(settings, call)
            return reply
    except AlreadyRunning:
        return await control.call(data, call)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"onebell {__version__}")
        raise typer.Exit


@cli.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """onebell: one bell for every push API."""


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (default 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (default 8080).")] = None,
    data: Data = None,
    config: Config = None,
    demo: Annotated[bool, typer.Option("--demo", help="Apply the demo directory first and print curl lines.")] = False,
) -> None:
    """Run a node until SIGTERM; a second signal stops it at once."""
    settings = _settings(data, config, host=host, port=port)
    log.configure(settings.log_level)
    with DataLock(Path(settings.data)):
        uvloop.run(_node().serve(settings, demo_space=demo))


@cli.command()
def apply(
    file: Annotated[Path, typer.Argument(help="Directory file (TOML).", exists=True, dir_okay=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Bring the space to what a directory file says."""
    text = _text_of(file)
    # The variables of whoever calls: a server that is asked over its socket has others.
    known = {name: os.environ[name] for name in environment_names(text) if name in os.environ}
    arguments = {"text": text, "base": str(file.resolve().parent), "dry_run": dry_run, "environment": known}
    _run(_settings(data, config), Call(command="apply", arguments=arguments))


def _text_of(file: Path) -> str:
    """Raises ``InvalidInput``."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file} is no UTF-8 text") from error


@cli.command()
def send(
    body: Annotated[str, typer.Argument(help="The message.")],
    to: Annotated[list[str], typer.Option(help="uid of a receiver; may be given several times.")],
    title: Annotated[str, typer.Option(help="Its title.")] = "",
    space: Space = "main",
    data: Data = None,
    config: Config = None,
) -> None:
    """Send a message to people."""
    arguments = {"space": space, "to": to, "title": title, "body": body}
    _run(_settings(data, config), Call(command="send", arguments=arguments))


@token.command("create")
def token_create(
    name: Annotated[str, typer.Option(help="What the token is for.")],
    scope: Annotated[str, typer.Option(help="admin, send or read.")] = "send",
    space: Space = "main",
    data: Data = None,
    config: Config = None,
) -> None:
    """Make a token of the native API and print it, once."""
    arguments = {"space": space, "name": name, "scope": scope}
    _run(_settings(data, config), Call(command="token_create", arguments=arguments))


@person.command("add")
def person_add(
    uid: Uid,
    name: Annotated[str, typer.Option(help="Name as shown.")] = "",
    role: Annotated[str, typer.Option(help="owner, operator, sender or reader.")] = "reader",
    email: Annotated[str, typer.Option(help="Where mail to him goes.")] = "",
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, help="Inbox password.")] = "",
    space: Space = "main",
    data: Data = None,
    config: Config = None,
) -> None:
    """Add a person."""
    arguments = {"space": space, "uid": uid, "name": name, "role": role, "email": email, "password": password}
    _run(_settings(data, config), Call(command="person_add", arguments=arguments))


@person.command("list")
def person_list(space: Space = "main", data: Data = None, config: Config = None) -> None:
    """List the people of a space."""
    _run(_settings(data, config), Call(command="person_list", arguments={"space": space}))


@person.command("remove")
def person_remove(uid: Uid, space: Space = "main", data: Data = None, config: Config = None) -> None:
    """Remove a person and his mailbox."""
    _run(_settings(data, config), Call(command="person_remove", arguments={"space": space, "uid": uid}))


@cli.command()
def doctor(data: Data = None, config: Config = None) -> None:
    """Check the store, the bell and every carrier account; status 1 when something is bad."""
    reply = _run(_settings(data, config), Call(command="doctor"))
    if any(line.startswith("bad") for line in reply.lines):
        raise typer.Exit(1)


@cli.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The archive, .tar.gz.")], data: Data = None, config: Config = None
) -> None:
    """Write database, server key and files into one archive, while the server runs."""
    _run(_settings(data, config), Call(command="backup", arguments={"file": str(file.resolve())}))


@cli.command()
def restore(
    file: Annotated[Path, typer.Argument(help="An archive of onebell backup.", exists=True, dir_okay=False)],
    data: Data = None,
) -> None:
    """Unpack a backup into an empty data directory."""
    print(restore_backup(file, Path(_settings(data, None).data)))


@cli.command()
def migrate(data: Data = None, config: Config = None) -> None:
    """Bring the database to this version's tables (serve does it by itself)."""
    settings = _settings(data, config)
    log.configure(_COMMAND_LOG)
    with DataLock(Path(settings.data)):
        print(asyncio.run(_node().migrate(settings)))
