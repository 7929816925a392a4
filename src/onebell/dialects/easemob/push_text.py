"""What an offline push says (sheet easemob §6): from the display style up to the template that the message names."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from onebell.dialects.easemob.userdata import DISPLAY_STYLE

TITLE, BODY = "您有一条新消息", "请点击查看"
DEFAULT_TEMPLATE = "default"
TEMPLATE_NAME = re.compile(r"[a-zA-Z0-9]{1,64}")
_PLACE = re.compile(r"\{(\$fromNickname|\$dynamicFrom|\$msg|\d{1,2})\}")


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A stored template."""

    title_pattern: str
    content_pattern: str


MESSAGE = "\ufdd0"
"""Stands for the message's text in words that are to be filled: no character, so nobody writes it."""


class Words(msgspec.Struct, frozen=True):
    """A push's two texts; both may hold ``MESSAGE``."""

    title: str
    body: str

    def saying(self, text: str) -> "Words":
        """The same with the message's text."""
        return Words(self.title.replace(MESSAGE, text), self.body.replace(MESSAGE, text))


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What every receiver's push is made of."""

    ext: dict[str, Any]
    sender: str  # nickname, else name
    templates: Mapping[str, Template]

    def words(self, settings: Mapping[str, Any], chosen: str) -> Words:
        """For one receiver: his settings, and the template he has chosen."""
        words = Words(TITLE, f"{self.sender}: {MESSAGE}" if settings.get(DISPLAY_STYLE) == 1 else BODY)
        words = self._filled(DEFAULT_TEMPLATE) or words
        words = Words(
            pushed(self.ext, "em_push_title", "title") or words.title,
            pushed(self.ext, "em_push_content", "content") or words.body,
        )
        words = self._filled(chosen) or words
        return self._filled(named_template(self.ext)) or words

    def _filled(self, name: str) -> Words | None:
        template = self.templates.get(name)
        if template is None:
            return None
        args = self.ext.get("em_push_template")
        args = args if isinstance(args, dict) else {}
        return Words(
            self._fill(template.title_pattern, args.get("title_args")),
            self._fill(template.content_pattern, args.get("content_args")),
        )

    def _fill(self, pattern: str, args: object) -> str:
        given: Sequence[object] = args if isinstance(args, list) else ()
        known = {"$fromNickname": self.sender, "$dynamicFrom": self.sender, "$msg": MESSAGE}

        def value(place: re.Match[str]) -> str:
            name = place[1]
            if name in known:
                return known[name]
            return str(given[int(name)]) if int(name) < len(given) else ""

        return _PLACE.sub(value, pattern)


def named_template(ext: Mapping[str, Any]) -> str:
    """The template that the message asks for; empty = none."""
    asked = ext.get("em_push_template")
    name = asked.get("name") if isinstance(asked, dict) else None
    return name if isinstance(name, str) else ""


def pushed(ext: Mapping[str, Any], apple: str, general: str) -> str:
    """A push text of the message's ext; ``em_apns_ext`` is used for Android too (sheet §6)."""
    for outer, inner in (("em_apns_ext", apple), ("em_push_ext", general)):
        texts = ext.get(outer)
        if isinstance(texts, dict) and isinstance(value := texts.get(inner), str) and value:
            return value
    return ""


_BARK = (("em_alert_subTitle", "subtitle", str), ("em_push_sound", "sound", str), ("em_push_badge", "badge", int))


def native(ext: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """What a Bark device shows besides title and body, where the message says so."""
    apple = ext.get("em_apns_ext")
    if not isinstance(apple, dict):
        return {}
    # By the type itself: ``true`` is no number of a badge.
    more = {name: apple[key] for key, name, kind in _BARK if type(apple.get(key)) is kind and apple[key]}
    return {"bark": {"title": words.title, "body": words.body, **more}} if more else {}
