"""OpenAPI 3.1 of the native API, made of the same table that makes the routes."""

from collections.abc import Sequence
from typing import Any

import msgspec

from onebell.api.errors import STATUS, ErrorBody
from onebell.api.operations import SIGNED_IN, Operation, Right

_REF = "#/components/schemas/{name}"
_ABOUT = (
    "Send messages to people, read an inbox live, and see what became of every message. "
    "Show a token as `Authorization: Bearer …` (`onebell token create --name N --scope send`)."
)


def document(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """The whole document."""
    types = [kind for operation in operations for kind in (operation.body, operation.answer) if kind is not None]
    schemas, components = msgspec.json.schema_components([*types, ErrorBody], ref_template=_REF)
    by_type = dict(zip(map(id, [*types, ErrorBody]), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = _path(operation)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, by_type)
    return {
        "openapi": "3.1.0",
        "info": {"title": "onebell", "version": version, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "onebell_session"},
                "ticket": {"type": "apiKey", "in": "query", "name": "ticket"},
            },
        },
    }


def _path(operation: Operation) -> str:
    pattern = operation.pattern
    for name in operation.names:
        pattern = pattern.replace("{}", f"{{{name}}}", 1)
    return pattern


def _operation(operation: Operation, by_type: dict[int, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": f"{operation.do.__qualname__.split('.')[0].removesuffix('Api').lower()}_{operation.do.__name__}",
        "summary": operation.about,
        "description": _needs(operation),
        "tags": [operation.tag],
        "parameters": _parameters(operation),
        "responses": _responses(operation, by_type),
        "security": _security(operation),
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _json(by_type[id(operation.body)])}
    if operation.upload:
        field = {"type": "string", "format": "binary"}
        form = {"type": "object", "required": [operation.upload], "properties": {operation.upload: field}}
        described["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": form}}}
    return described


def _needs(operation: Operation) -> str:
    if not operation.rights:
        return "Open to everybody."
    if operation.rights == SIGNED_IN:
        return "Needs any good credential."
    return f"Needs the right: {' or '.join(sorted(right.value for right in operation.rights))}."


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    if not operation.rights:
        return []
    ways: list[dict[str, list[str]]] = [{"token": []}, {"session": []}]
    return [*ways, {"ticket": []}] if operation.takes_ticket else ways


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    in_path = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in operation.names]
    others = [
        {
            "name": parameter.name,
            "in": parameter.place,
            "required": False,
            "description": parameter.about,
            "schema": {"type": "integer" if parameter.is_number else "string"},
        }
        for parameter in operation.parameters
    ]
    return in_path + others


def _responses(operation: Operation, by_type: dict[int, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done"}
    if operation.answer is not None:
        good["content"] = _json(by_type[id(operation.answer)])
    codes = sorted({STATUS[code] for code in _errors(operation)})
    bad = {str(code): {"description": "Error", "content": _json(by_type[id(ErrorBody)])} for code in codes}
    return {str(operation.status): good, **bad}


def _errors(operation: Operation) -> list[str]:
    codes = ["unavailable"]
    if operation.rights:
        codes += ["unauthorized", "forbidden"]
    if operation.names:
        codes.append("not_found")
    if operation.body is not None:
        codes += ["bad_request", "too_large", "invalid"]
    if operation.upload:
        codes += ["bad_request", "too_large", "too_many"]
    if operation.parameters:
        codes.append("invalid")
    if operation.path == "/login":
        codes += ["unauthorized", "too_many"]
    return codes


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def rights_table(operations: Sequence[Operation]) -> list[tuple[str, str, tuple[str, ...]]]:
    """(method, path, rights) of every operation, for the reference page."""
    order = list(Right)
    return [
        (operation.method, _path(operation), tuple(right.value for right in order if right in operation.rights))
        for operation in operations
    ]
