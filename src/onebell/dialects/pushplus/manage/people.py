"""How the open API and its callbacks show people (sheet pushplus §2, §3)."""

from onebell.core.context import Context
from onebell.core.directory import Person
from onebell.dialects.pushplus.senders import NAME


def open_id(context: Context, person: Person) -> str:
    """An opaque id that stays the same and tells nothing: 28 characters, as WeChat's."""
    return context.vault.digest(NAME, "open_id", f"{person.space}/{person.id}").hex()[:28]


def name_of(person: Person) -> str:
    """As others see him."""
    return person.name or person.uid


def email_status(person: Person) -> int:
    """0 none, 2 verified: an address that onebell keeps for a person is one that it may write to."""
    return 2 if person.email else 0
