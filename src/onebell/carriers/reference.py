"""``docs/reference/carriers.md``, made of the manifests: ``python -m onebell.carriers.reference PATH``."""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from onebell.carriers import registry
from onebell.carriers.manifest import AddressKind, Field, Manifest

_ADDRESSES = {
    AddressKind.EMAIL: "the person's e-mail address, or one he has for the account",
    AddressKind.PHONE: "the person's phone number, or one he has for the account",
    AddressKind.ACCOUNT: "the account itself: it has one target",
    AddressKind.OWN: "an address that the person has for the account",
}


def reference() -> str:
    """The whole page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Carriers"
    yield ""
    yield "The ways out that are built in."
    yield "This page is made of their manifests by `python -m onebell.carriers.reference`."
    yield "The inbox needs no account: every person has one."
    for kind in registry.kinds():
        yield ""
        yield from _carrier(registry.manifest(kind))


def _carrier(manifest: Manifest) -> Iterator[str]:
    yield f"## {manifest.kind}: {manifest.name.en}"
    yield ""
    yield manifest.about.en
    yield ""
    yield f"- Address: {_ADDRESSES[manifest.address]}."
    yield f"- Can do: {', '.join(sorted(ability.value for ability in manifest.abilities))}."
    yield f"- Tried for: {manifest.max_age_s // 3600} h."
    yield f"- Limits: {', '.join(_limits(manifest))}."
    yield f"- See: {', '.join(f'<{page}>' for page in manifest.docs)}."
    yield ""
    yield "| field | type | required | default | secret | meaning |"
    yield "|---|---|---|---|---|---|"
    yield from map(_field, manifest.fields)


def _limits(manifest: Manifest) -> Iterator[str]:
    limits = msgspec.structs.asdict(manifest.limits)
    yield from (f"`{name}` {value}" for name, value in limits.items() if value)


def _field(field: Field) -> str:
    kind = f"{field.type.value}: {', '.join(field.choices)}" if field.choices else field.type.value
    default = "" if field.default is None else f"`{field.default}`"
    cells = (
        f"`{field.name}`",
        kind,
        _yes(field.required),
        default,
        _yes(field.secret),
        field.help.en.replace("<", "&lt;"),
    )
    return f"| {' | '.join(cells)} |"


def _yes(state: bool) -> str:
    return "yes" if state else "no"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference())
