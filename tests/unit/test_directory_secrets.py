"""Objects of the directory show no secret when they are printed (RELIABILITY S8)."""

from onebell.core.directory import Account, CarrierAccount, Credential, Person, Record
from onebell.core.wanted import WantedCarrier, WantedCredential, WantedPerson, WantedRecord
from onebell.store.carrier_accounts import NewCarrierAccount
from onebell.store.credentials import NewCredential
from onebell.store.records import NewRecord

CANARY = "canary-d41d8cd98f00b204"
FIELDS = {"password": CANARY}


def test_nothing_prints_a_secret():
    """Neither what the store gives out nor what a file wants nor what is about to be stored."""
    objects = [
        Person(
            id=1, space=1, uid="a", name="A", role="reader", language="", timezone="", quiet_hours=None, email="",
            phone="", password_hash=CANARY, origin="api", created_at=0,
        ),
        Credential(
            id=1, space=1, dialect="d", kind="k", name="n", owner=0, value=CANARY, password_hash=CANARY,
            settings={}, enabled=True, expires_at=0, created_at=0,
        ),
        CarrierAccount(
            id=1, space=1, code="c", kind="k", name="", fields=FIELDS, allow_networks=(), owner=0, enabled=True,
            stopped_why="",
        ),
        Record(
            id=1, space=1, dialect="d", kind="k", key="x", owner=0, data={}, secrets=FIELDS, created_at=0, updated_at=0,
        ),
        Account(
            app="a/b", name="n", space=1, person=1, uuid="u", password_hash=CANARY, nickname="", active=True,
            settings={}, created_at=0, updated_at=0,
        ),
        WantedPerson(uid="a", password=CANARY),
        WantedCarrier(code="c", kind="k", fields=FIELDS),
        WantedCredential(dialect="d", kind="k", value=CANARY, password=CANARY),
        WantedRecord(dialect="d", kind="k", key="x", secrets=FIELDS),
        NewCredential(id=1, dialect="d", kind="k", value=CANARY, password_hash=CANARY),
        NewRecord(id=1, dialect="d", kind="k", key="x", secrets=FIELDS),
        NewCarrierAccount(id=1, code="c", kind="k", secrets=FIELDS),
    ]  # fmt: skip
    assert CANARY not in repr(objects)
    assert CANARY not in str(objects)
