"""Reading a directory file: every rule, every finding with its line, what is left out and why."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from onebell.core.directory import QuietHours
from onebell.core.wanted import Problem, Wanted, WantedCarrier, WantedPerson, WantedRecord, WantedSpace
from onebell.directory_file import Document, Kind, environment_names, read
from onebell.directory_findings import BadDirectory


class Item(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One thing of the made-up dialect."""

    code: str
    owner: str = ""
    carrier: str = ""
    members: tuple[str, ...] = ()
    uses: tuple["Use", ...] = ()
    secret: str = ""


class Use(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Something inside a thing."""

    type: str
    carrier: str = ""


class Section(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A made-up dialect's table."""

    default_mail: str = ""
    items: tuple[Item, ...] = ()


def wanted(section: Section) -> list[Wanted]:
    for number, item in enumerate(section.items):
        if item.code == "forbidden":
            raise Problem(f"wecom.items[{number}].code", "is forbidden")
    site = WantedRecord(dialect="wecom", kind="site", key="site", data={"default_mail": section.default_mail})
    return [
        site,
        *(
            WantedRecord(dialect="wecom", kind="item", key=item.code, owner=item.owner, data=msgspec.to_builtins(item))
            for item in section.items
        ),
    ]


class Smtp:
    """A kind of carrier with two fields."""

    secret = frozenset({"password"})

    def check(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        for name in fields:
            if name not in ("host", "password", "port"):
                raise Problem(name, "smtp has no such field")
        if "host" not in fields:
            raise Problem("host", "is required")
        return {"port": 25, **fields}


def kind_of(name: str) -> Kind | None:
    return Smtp() if name == "smtp" else None


def parse(text: str, environment: Mapping[str, str] | None = None, base: Path | None = None) -> Document:
    return read(text, {"wecom": (Section, wanted)}, kind_of, environment or {}, base or Path("/nonexistent"))


def refusals(text: str, **given: Any) -> list[str]:
    with pytest.raises(BadDirectory) as caught:
        parse(text, **given)
    assert str(caught.value) == "\n".join(str(finding) for finding in caught.value.findings)
    return [str(finding) for finding in caught.value.findings]


ALICE = '[[people]]\nuid = "alice"\n'
MAIL = '[[carriers]]\ncode = "mail"\nkind = "smtp"\nhost = "h"\n'
CORP = '[[carriers]]\ncode = "corp"\nkind = "pigeon"\nanything = true\n'

# ---------------------------------------------------------------- what is read


def test_an_empty_file_is_the_main_space():
    """A file need not say anything; it then speaks of the space main and leaves it as it is."""
    document = parse("")
    assert document.space == WantedSpace(name="main")
    assert document.wanted == ()


def test_every_key_of_the_general_tables():
    """Each key of the general tables arrives where it belongs."""
    document = parse(
        """
        [space]
        name = "home"
        timezone = "Asia/Shanghai"
        language = "zh-CN"
        public_url = "https://push.example.test/"
        allow_callbacks = ["http://127.0.0.1:9099/"]

        [[people]]
        uid = "Alice"
        name = "A"
        password = "p-password"
        email = "a@example.test"
        phone = "138"
        tags = ["vip", "ops", "vip"]
        role = "owner"
        language = "en"
        timezone = "Europe/Paris"
        attributes = { city = "Paris" }
        quiet_hours = { from = "23:00", to = "07:00", timezone = "Asia/Shanghai", through = "high" }

        [[tags]]
        person = "alice"
        tag = "beta"
        scope = "key"

        [[addresses]]
        person = "ALICE"
        carrier = "mail"
        value = "x"
        scope = "key"

        [[addresses]]
        person = "alice"
        carrier = "email"
        value = "key@example.test"
        scope = "key"

        [[carriers]]
        code = "mail"
        kind = "smtp"
        name = "Mail"
        owner = "alice"
        host = "h"
        password = "s"
        allow_networks = ["127.0.0.0/8"]

        [[routes]]
        person = "alice"
        carriers = ["mail", "inbox", "mail"]
        """
    )
    assert document.space == WantedSpace(
        name="home",
        timezone="Asia/Shanghai",
        language="zh-CN",
        public_url="https://push.example.test",
        allow_callbacks=("http://127.0.0.1:9099",),
    )
    person, carrier = document.wanted
    assert person == WantedPerson(
        uid="Alice",
        name="A",
        password="p-password",
        email="a@example.test",
        phone="138",
        role="owner",
        language="en",
        timezone="Europe/Paris",
        tags=(("vip", "all"), ("ops", "all"), ("beta", "key")),
        addresses=(("mail", "x", "key"), ("email", "key@example.test", "key")),
        routes=("mail", "inbox"),
        attributes={"city": "Paris"},
        quiet_hours={"from": "23:00", "to": "07:00", "timezone": "Asia/Shanghai", "through": "high"},
    )
    quiet = msgspec.convert(person.quiet_hours, QuietHours)
    assert (quiet.start, quiet.to, quiet.through) == ("23:00", "07:00", "high")
    assert carrier == WantedCarrier(
        code="mail",
        kind="smtp",
        name="Mail",
        owner="alice",
        fields={"host": "h", "password": "s", "port": 25},
        secret=frozenset({"password"}),
        allow_networks=("127.0.0.0/8",),
    )


def test_secrets_come_from_the_environment_and_from_files(tmp_path: Path):
    """ "env:NAME" and "file:PATH" stand for their values, anywhere; a final line end is not part of a secret."""
    (tmp_path / "secret").write_text("from file\n")
    document = parse(
        ALICE
        + 'password = "env:PW"\n'
        + MAIL
        + 'password = "file:secret"\n[[wecom.items]]\ncode = "x"\nsecret = "env:S"',
        environment={"PW": "from env", "S": "inner"},
        base=tmp_path,
    )
    person, carrier, _, item = document.wanted
    assert (person.password, carrier.fields["password"], item.data["secret"]) == ("from env", "from file", "inner")


def test_the_variables_a_file_names():
    """A command line that hands a file to a running server knows which variables go with it."""
    text = 'a = "env:ONE"\n[[b]]\nc = ["env:TWO", "x env:NO", "file:THREE"]'
    assert environment_names(text) == {"ONE", "TWO"}
    assert environment_names("not [toml") == frozenset()


def test_secrets_that_are_not_there(tmp_path: Path):
    """A missing variable and an unreadable file are findings with their lines, and nothing more is said of them."""
    secrets = 'password = "env:GONE"\nname = "file:gone"\nemail = "env:GONE_TOO"\ntimezone = "env:GONE_AS_WELL"'
    assert refusals(ALICE + secrets, base=tmp_path) == [
        "line 3: people[0].password: the environment has no GONE",
        "line 4: people[0].name: gone cannot be read: FileNotFoundError",
        "line 5: people[0].email: the environment has no GONE_TOO",
        "line 6: people[0].timezone: the environment has no GONE_AS_WELL",
    ]


# ---------------------------------------------------------------- what is refused

BAD = {
    "not TOML": ("[space]\nname = \n", "line 2: Invalid value"),
    "end of text": ('[space]\nname = "x', "line 2: Unterminated string"),
    "unknown table": ("[nonsense]\n", "line 1: nonsense: unknown key"),
    "unknown key of the space": ('[space]\n\nnom = "x"', "line 3: space.nom: unknown key"),
    "unknown key of a person": (
        ALICE + ALICE.replace("alice", "bob") + "age = 3",
        "line 5: people[1].age: unknown key",
    ),
    "unknown key inside": (
        ALICE + 'quiet_hours = { from = "23:00", to = "07:00", til = "x" }',
        "line 3: people[0].quiet_hours.til: unknown key",
    ),
    "unknown key of a section": (
        '[wecom]\n[[wecom.items]]\ncode = "a"\n[[wecom.items]]\ncode = "b"\ncoed = "c"',
        "line 6: wecom.items[1].coed: unknown key",
    ),
    "missing key": ('[[people]]\nname = "x"', "line 1: people[0]: the key uid is missing"),
    "wrong type": ("[[people]]\nuid = 5", "line 2: people[0].uid: expected `str`, got `int`"),
    "wrong type inside": (ALICE + "attributes = { a = 1 }", "line 3: people[0].attributes: expected `str`, got `int`"),
    "table instead of array": ('[people]\nuid = "x"', "line 1: people: must be an array of tables: [[people]]"),
    "section is no table": ("wecom = 3", "line 1: wecom: expected `object`, got `int`"),
    "uid": ('[[people]]\nuid = "a b"', "line 2: people[0].uid: must be 1 to 64 of"),
    "uid with line end": ('[[people]]\nuid = "a\\n"', "line 2: people[0].uid: must be 1 to 64 of"),
    "uid twice": (ALICE + ALICE.replace("alice", "Alice"), "line 4: people[1].uid: Alice is there twice"),
    "role": (ALICE + 'role = "king"', "line 3: people[0].role: must be one of operator, owner, reader, sender"),
    "zone": (ALICE + 'timezone = "Mars/Base"', "line 3: people[0].timezone: is no time zone"),
    "zone of the space": ('[space]\ntimezone = "../etc"', "line 2: space.timezone: is no time zone"),
    "language": ('[space]\nlanguage = "zh_CN!"', "line 2: space.language: must be a language tag"),
    "space name": ('[space]\nname = "a/b"', "line 2: space.name: must be 1 to 64"),
    "public url": ('[space]\npublic_url = "ftp://x"', "line 2: space.public_url: must start with"),
    "origin": ('[space]\nallow_callbacks = ["http://x/path"]', "line 2: space.allow_callbacks[0]: must be an origin"),
    "origin with user": ('[space]\nallow_callbacks = ["http://a@x"]', "line 2: space.allow_callbacks[0]: must be"),
    "e-mail": (ALICE + 'email = "alice"', "line 3: people[0].email: is no e-mail address"),
    "e-mail with line end": (ALICE + 'email = "a@b\\nBcc: c@d"', "line 3: people[0].email: is no e-mail address"),
    "short password": (ALICE + 'password = "1234567"', "line 3: people[0].password: must have 8 to 200 characters"),
    "long password": (ALICE + f'password = "{"x" * 201}"', "line 3: people[0].password: must have 8 to 200 characters"),
    "empty tag": (ALICE + 'tags = ["a", " "]', "line 3: people[0].tags[1]: must not be empty"),
    "quiet from": (
        ALICE + 'quiet_hours = { from = "23", to = "07:00" }',
        "line 3: people[0].quiet_hours.from: must be HH:MM",
    ),
    "quiet through": (
        ALICE + 'quiet_hours = { from = "23:00", to = "07:00", through = "loud" }',
        "line 3: people[0].quiet_hours.through: must be one of min, low, normal, high, critical",
    ),
    "tag of nobody": ('[[tags]]\nperson = "bob"\ntag = "x"', "line 2: tags[0].person: bob is not among [[people]]"),
    "address of nobody": (
        '[[addresses]]\nperson = "bob"\ncarrier = "email"\nvalue = "x"',
        "line 2: addresses[0].person: bob is not among [[people]]",
    ),
    "carrier code": ('[[carriers]]\ncode = "a b"\nkind = "smtp"', "line 2: carriers[0].code: must be 1 to 64"),
    "carrier named inbox": ('[[carriers]]\ncode = "inbox"\nkind = "smtp"', "line 2: carriers[0].code: inbox has"),
    "carrier twice": (MAIL + MAIL, "line 6: carriers[1].code: mail is there twice"),
    "carrier field": (MAIL + "colour = 3", "line 5: carriers[0].colour: smtp has no such field"),
    "carrier without a field": (
        '[[carriers]]\ncode = "m"\nkind = "smtp"',
        "line 1: carriers[0].host: is required",
    ),
    "network": (MAIL + 'allow_networks = ["10.0.0.1/8"]', "line 5: carriers[0].allow_networks[0]: must be a network"),
    "age": (MAIL + "max_age_s = -1", "line 5: carriers[0].max_age_s: must be a number of seconds"),
    "a section's own rule": ('[[wecom.items]]\ncode = "forbidden"', "line 2: wecom.items[0].code: is forbidden"),
}


@pytest.mark.parametrize(("text", "finding"), BAD.values(), ids=BAD.keys())
def test_what_is_refused(text: str, finding: str):
    """A broken rule is named with line, place and reason."""
    assert any(line.startswith(finding) for line in refusals(text)), refusals(text)


def test_all_findings_come_at_once_in_order():
    """A file with several mistakes is corrected in one go."""
    found = refusals('[space]\nnom = 1\n[[people]]\nuid = "a b"\n[[people]]\nuid = "c"\nage = 1\n[nonsense]\n')
    assert [line.split(":")[0] for line in found] == ["line 2", "line 4", "line 7", "line 8"]


def test_a_secret_is_in_no_finding(tmp_path: Path):
    """Findings name places, never values that may be secret."""
    (tmp_path / "s").write_text("hunter2")
    for text in (
        MAIL + 'port = "x"\npassword = "hunter2"\ncolour = 1',
        ALICE + 'password = "file:s"\nage = 1',
        ALICE + 'password = "file:s"',  # too short
        '[[wecom.items]]\ncode = "forbidden"\nsecret = "file:s"',
    ):
        assert "hunter2" not in "".join(refusals(text, base=tmp_path))


# ---------------------------------------------------------------- what the file refers to


def test_references_to_others_are_told_with_their_places():
    """Uids and codes that the file does not name are left for the store to know, with their places."""
    document = parse(
        ALICE
        + """
        [[routes]]
        person = "alice"
        carriers = ["elsewhere", "inbox"]
        [wecom]
        default_mail = "far-mail"
        [[wecom.items]]
        code = "x"
        owner = "Bob"
        members = ["alice", "carol"]
        carrier = "mail-9"
        """
    )
    assert document.people == {"bob": "wecom.items[0].owner", "carol": "wecom.items[0].members[1]"}
    assert document.carriers == {
        "elsewhere": "routes[0].carriers[0]",
        "far-mail": "wecom.default_mail",
        "mail-9": "wecom.items[0].carrier",
    }


def test_the_owner_of_a_carrier_is_a_reference():
    """A carrier may belong to a person."""
    assert parse(MAIL + 'owner = "bob"').people == {"bob": "carriers[0].owner"}


# ---------------------------------------------------------------- what is left out


def test_a_dialect_that_is_not_built_is_left_out_aloud():
    """Its section is skipped whatever it holds, with a warning that has its line."""
    document = parse('[space]\n\n[ntfy]\nwhatever = 1\n[[easemob.apps]]\norg = "x"')
    assert [str(warning) for warning in document.warnings] == [
        "line 3: ntfy: this dialect is not built yet; its section is skipped",
        "line 5: easemob: this dialect is not built yet; its section is skipped",
    ]
    assert document.wanted == ()


def test_a_kind_that_is_not_built_takes_along_what_refers_to_it():
    """A carrier of an unknown kind is skipped, and with it each address, route and table that names it."""
    document = parse(
        ALICE
        + CORP
        + MAIL
        + """
[[addresses]]
person = "alice"
carrier = "corp"
value = "x"
[[routes]]
person = "alice"
carriers = ["corp", "mail"]
[wecom]
default_mail = "corp"
[[wecom.items]]
code = "gone"
carrier = "corp"
[[wecom.items]]
code = "stays"
carrier = "mail"
uses = [{ type = "a", carrier = "corp" }, { type = "b", carrier = "mail" }]
"""
    )
    assert [(warning.line, warning.where) for warning in document.warnings] == [
        (5, "carriers[0].kind"),
        (14, "addresses[0].carrier"),
        (18, "routes[0].carriers[0]"),
        (20, "wecom.default_mail"),
        (23, "wecom.items[0].carrier"),
        (27, "wecom.items[1].uses[0].carrier"),
    ]
    person, carrier, site, item = document.wanted
    assert (person.addresses, person.routes, carrier.code) == ((), ("mail",), "mail")
    assert site.data == {"default_mail": ""}
    assert item.key == "stays"
    assert list(item.data["uses"]) == [{"type": "b", "carrier": "mail"}]
    assert document.carriers == {}


def test_lines_stay_right_after_something_was_left_out():
    """A finding behind a table that was left out still has its own line and place."""
    items = [
        '[[wecom.items]]\ncode = "gone"\ncarrier = "corp"\n',
        '[[wecom.items]]\ncode = "ok"\nuses = [\n{ type = "a", carrier = "corp" },\n{ type = "b" } ]\n',
        '[[wecom.items]]\ncode = "bad"\nsurprise = 1\n',
    ]
    assert refusals(CORP + "".join(items)) == ["line 15: wecom.items[2].surprise: unknown key"]
    inner = items[1].replace('type = "b"', 'typ = "b"')
    assert refusals(CORP + items[0] + inner) == ["line 10: wecom.items[1].uses[1].typ: unknown key"]
    forbidden = items[2].replace("bad", "forbidden").replace("surprise = 1\n", "")
    assert refusals(CORP + items[0] + forbidden) == ["line 9: wecom.items[1].code: is forbidden"]
    assert parse(CORP + items[0] + items[1] + 'owner = "zoe"').people == {"zoe": "wecom.items[1].owner"}
