"""The store as the core sees it: the verbs in groups, one attribute each."""

from dataclasses import dataclass

from onebell.store.engine import Database
from onebell.store.ums import UmsStore


@dataclass(frozen=True, kw_only=True)
class Store:
    """Verb groups over one database. Each is a class of its own file that takes the database."""

    db: Database
    ums: UmsStore


def build_store(db: Database) -> Store:
    """All verb groups over one database."""
    return Store(db=db, ums=UmsStore(db))
