"""The table of operations, its OpenAPI document and the reference page tell the same."""

import inspect
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from onebell.api.account import AccountApi
from onebell.api.errors import STATUS, ApiError, ErrorBody, explained
from onebell.api.feeds import FeedsApi
from onebell.api.inbox import InboxApi
from onebell.api.messages import MessagesApi
from onebell.api.openapi import document, rights_table
from onebell.api.operations import PUBLIC, ROLES, SCOPES, SIGNED_IN, Operation, Right
from onebell.api.space import SpaceApi
from onebell.api.streams import Streams
from onebell.api.talks import TalksApi
from onebell.api.timelines import TimelinesApi
from onebell.api.tokens import TokensApi
from onebell.api.uploads import UploadsApi
from onebell.errors import (
    Busy,
    Conflict,
    InvalidInput,
    NotFound,
    OnebellError,
    Reason,
    Refused,
    StoreUnavailable,
    TooManyFailures,
)

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "api.md").read_text()


def operations() -> list[Operation]:
    """Every row of the table; none of them is called."""
    parts = (
        AccountApi, FeedsApi, InboxApi, TalksApi, UploadsApi, Streams, MessagesApi, TimelinesApi, TokensApi, SpaceApi,
    )  # fmt: skip
    made = []
    for part in parts:
        needs = len(inspect.signature(part).parameters)
        made += part(*[None] * needs).operations()
    return made


TABLE = operations()
DOCUMENT = document(TABLE, "1.2.3")


def refs(value: Any) -> set[str]:
    """Every ``$ref`` in a document."""
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*map(refs, value.values()))
    return set().union(*map(refs, value)) if isinstance(value, list) else set()


def test_every_operation_is_described_once() -> None:
    """The document has each row of the table, and nothing else; operation ids are unique."""
    described = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    ids = [one["operationId"] for methods in DOCUMENT["paths"].values() for one in methods.values()]

    assert described == {(method, path) for method, path, _ in rights_table(TABLE)}
    assert len(set(ids)) == len(ids) == len(TABLE)


def test_the_document_is_whole() -> None:
    """It is JSON, of OpenAPI 3.1, and every reference in it leads somewhere."""
    encoded = msgspec.json.decode(msgspec.json.encode(DOCUMENT))

    assert encoded["openapi"].startswith("3.1")
    assert {ref.rsplit("/", 1)[1] for ref in refs(encoded)} <= set(encoded["components"]["schemas"])


def test_path_parameters_are_named() -> None:
    """Every place in a path has a name, and is declared as a parameter."""
    for path, methods in DOCUMENT["paths"].items():
        for one in methods.values():
            declared = [parameter["name"] for parameter in one["parameters"] if parameter["in"] == "path"]
            assert re.findall(r"\{(\w+)\}", path) == declared


def test_only_what_is_public_needs_no_credential() -> None:
    """Signing in is the only operation that is open; every other names rights and ways to show a credential."""
    open_ones = [operation.path for operation in TABLE if operation.rights == PUBLIC]

    assert open_ones == ["/login"]
    for methods in DOCUMENT["paths"].values():
        for one in methods.values():
            assert bool(one["security"]) == (one["operationId"] != "account_login")


def test_roles_grow() -> None:
    """Each role may do all that the one below it may; the owner may do everything."""
    ladder = [ROLES[name] for name in ("reader", "sender", "operator", "owner")]

    assert all(lower < higher for lower, higher in pairwise(ladder))
    assert ladder[-1] == SCOPES["admin"] == frozenset(Right)
    assert SCOPES["send"] == {Right.SEND}


def test_the_reference_names_every_operation_with_its_rights() -> None:
    """docs/reference/api.md has a row for each operation, with the rights of the table."""
    for method, path, rights in rights_table(TABLE):
        row = re.search(rf"^\| `{method} {re.escape(path)}` \| ([^|]+) \|", REFERENCE, re.MULTILINE)
        assert row is not None, f"{method} {path} is not in docs/reference/api.md"
        if set(rights) == {right.value for right in SIGNED_IN}:
            expected = "any credential"
        else:
            expected = " or ".join(rights) or "open"
        assert row.group(1).strip() == expected


def test_the_reference_names_every_error() -> None:
    """docs/reference/api.md has a row for each error code, with its status."""
    for code, status in STATUS.items():
        assert re.search(rf"^\| `{code}` \| {status} \|", REFERENCE, re.MULTILINE), code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("a rule", "uid"), "invalid"),
        (NotFound("it"), "not_found"),
        (Conflict("it"), "conflict"),
        (Refused(Reason.VETOED, "no"), "refused"),
        (TooManyFailures(7.0), "too_many"),
        (Busy(), "unavailable"),
        (StoreUnavailable("disk full at /secret/path"), "unavailable"),
        (OnebellError("anything"), "internal"),
        (ValueError("a defect with a secret"), "internal"),
        (ApiError("forbidden", "no"), "forbidden"),
    ],
)
def test_every_error_of_the_core_has_an_answer(error: Exception, code: str) -> None:
    """An error becomes a code, a status and a body of one shape; what is our own affair is not told."""
    answer = explained(error).answer()
    body = msgspec.json.decode(answer.body, type=ErrorBody)

    assert (body.error.code, answer.status) == (code, STATUS[code])
    assert "secret" not in body.error.message
    if code in {"too_many", "unavailable"}:
        assert int(dict(answer.headers)[b"retry-after"]) >= 1
    if isinstance(error, InvalidInput):
        assert body.error.field == "uid"
