"""Words `key=value` of a command line. The type of what the key sets decides how the value is read: a text is the word
as typed, so that paths and names may be `2024`, `true`, `it's` or `run(1)`; all else is read by Hydra's grammar.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence as AnySequence
from dataclasses import dataclass, is_dataclass
from types import UnionType
from typing import Annotated, Any, Sequence, Union, get_args, get_origin

from robot.description.record import declared
from robot.errors import InputError

_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
_NAME = re.compile(r"[\w./:+%@~-]+")
"""A word that stands for one of several in `key=a,b`; a text with other characters may have commas of its own."""
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True)
class Override:
    """One `key=value`.

    Args:
        key: dotted.
        text: what follows the first `=`, as typed.
    """

    key: str
    text: str

    @property
    def line(self) -> str:
        return f"{self.key}={self.text}"


def parse_overrides(words: Sequence[str]) -> list[Override]:
    """Keys with what was typed for them.

    Raises:
        InputError: a word is not `key=value`.
    """
    overrides = []
    for word in words:
        key, equals, text = word.partition("=")
        key = key.strip().removeprefix("+").removeprefix("+")  # Hydra's marks of keys that are new; all may be new here
        if word.startswith("~"):
            raise InputError(f"'{word}'", expected="key=value", way_out="Set the key to null to do without it")
        if word.startswith("-") or not equals or not key:
            raise InputError(f"'{word}'", expected="an override such as key=value", way_out="See --help")
        overrides.append(Override(key, text))
    return overrides


def hint_of(kind: Any, parts: Sequence[str]) -> Any:
    """The type of what dotted `parts` name in a dataclass; Any where it has none of its own."""
    kind = without_none(kind)
    if is_dataclass(kind):
        field = declared(kind).get(parts[0], Any)  # type: ignore[arg-type]
        return hint_of(field, parts[1:]) if parts[1:] else field
    if is_mapping(kind):
        entry = get_args(kind)[1] if len(get_args(kind)) == 2 else Any
        inside = is_dataclass(entry) and len(parts) > 1 and parts[-1] in declared(entry)  # type: ignore[arg-type]
        return declared(entry)[parts[-1]] if inside else entry  # type: ignore[arg-type]
    return Any


def is_optional_word(hint: Any) -> bool:
    """Whether a type is text or None: for it, an empty text would mean None unseen."""
    return set(_alternatives(hint)) == {str, type(None)}


def value_of(hint: Any, text: str) -> Any:
    """What a word is, as plain values: for `robot.description.record` to check."""
    hints = _alternatives(hint)
    if text == "null" and type(None) in hints:
        return None
    bare = text.strip()
    lists = [each for each in hints if get_origin(each) in (tuple, AnySequence)]
    is_list = bare[:1] == "[" and bare[-1:] == "]"
    if str in hints and not (is_list and lists):
        return unquoted(text)
    if is_list:
        items = next((get_args(each) for each in lists), ())
        kinds = [each for each in items if each is not Ellipsis] or [Any]
        return [value_of(kinds[min(index, len(kinds) - 1)], item) for index, item in enumerate(split(bare[1:-1]))]
    if bare[:1] == "{" and bare[-1:] == "}":
        inside = next((each for each in hints if is_dataclass(each) or is_mapping(each)), Any)
        return {name: value_of(hint_of(inside, [name]), item) for name, item in map(_entry, split(bare[1:-1]))}
    read = _hydra(text)
    return unquoted(text) if read is None else read.value()


def several(hint: Any, text: str) -> list[str]:
    """The words that a sweep takes in turn; none where there is one value only.

    Args:
        hint: type of what is set.
        text: after the `=`.
    """
    pieces, read = split(text), _hydra(text)
    if read is not None and read.is_sweep_override():
        simple = str in _alternatives(hint) and len(pieces) > 1
        return pieces if simple else list(dict.fromkeys(read.sweep_string_iterator()))
    return pieces if read is None and len(pieces) > 1 else []


def looks_like_several(hint: Any, text: str) -> bool:
    """Whether one value was to be given and this is a list of them, for a sweep."""
    if str in _alternatives(hint):
        pieces = split(text)
        return len(pieces) > 1 and all(_NAME.fullmatch(piece) or _QUOTED.fullmatch(piece) for piece in pieces)
    read = _hydra(text)
    return read is not None and read.is_sweep_override()


def word_of(key: str, text: str) -> str:
    """The word that sets a key to a text, whatever characters it has."""
    is_list = text.strip()[:1] == "[" and text.strip()[-1:] == "]"
    plain = unquoted(text) == text and text != "null" and not is_list and not looks_like_several(str, text)
    return f"{key}={text if plain else quoted(text)}"


def quoted(text: str) -> str:
    """A text in quotes, as Hydra writes it: a backslash matters before a quote only."""
    return '"' + re.sub(r'(\\*)("|$)', lambda found: found[1] * 2 + (r"\"" if found[2] else ""), text) + '"'


def unquoted(text: str) -> str:
    """A text without the quotes that are around the whole of it; as it is where there are none."""
    bare = text.strip()
    if not _QUOTED.fullmatch(bare):
        return text
    return re.sub(rf"(\\*)({bare[0]}|$)", lambda found: found[1][: len(found[1]) // 2] + found[2], bare[1:-1])


def split(text: str) -> list[str]:
    """The parts between the commas that are in no quotes and no brackets; no part of an empty text."""
    parts, start, depth, index = [], 0, 0, 0
    while index < len(text):
        quotes = None if text[start:index].strip() else _QUOTED.match(text, index)
        if quotes:
            index = quotes.end()
            continue
        if text[index] in _OPENING:
            depth += 1
        elif text[index] in _CLOSING:
            depth -= 1
        elif text[index] == "," and depth <= 0:
            parts.append(text[start:index].strip())
            start = index + 1
        index += 1
    last = text[start:].strip()
    return [*parts, last] if parts or last else []


def _entry(text: str) -> tuple[str, str]:
    """Name and value of an item of a mapping, `name: value`."""
    quotes = _QUOTED.match(text)
    name, _, value = (
        (text[: quotes.end()], ":", text[quotes.end() :].strip().removeprefix(":")) if quotes else text.partition(":")
    )
    return unquoted(name.strip()), value.strip()


def _hydra(text: str) -> Any:
    """A value as Hydra reads it; None where its grammar has no such word."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(f"key={text}")
    except HydraException:
        return None


def _alternatives(hint: Any) -> tuple[Any, ...]:
    """The types that a value may be of, without ranges."""
    if get_origin(hint) is Annotated:
        return _alternatives(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return tuple(alternative for each in get_args(hint) for alternative in _alternatives(each))
    return (hint,)


def without_none(hint: Any) -> Any:
    kinds = [each for each in _alternatives(hint) if each is not type(None)]
    return kinds[0] if len(kinds) == 1 else hint


def is_mapping(hint: Any) -> bool:
    origin = get_origin(hint)
    return isinstance(origin, type) and issubclass(origin, AnyMapping)
