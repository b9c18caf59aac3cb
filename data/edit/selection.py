"""Which episodes an edit is about, and facts that a person types."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any, Mapping, Sequence

from data.edit.copying.origin import Origin
from data.store.schema import MetaField
from robot.errors import InputError, nearest, shortened

_RANGE = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?")
_FLAGS = {"true": True, "false": False}
_INTEGERS = 1 << 63


def episodes_of(origin: Origin, listed: str | Sequence[str | int], option: str = "episodes") -> tuple[int, ...]:
    """Numbers of episodes that a person lists, in that order.

    Args:
        origin: the store.
        listed: numbers and ranges with both ends, such as `0,3,7-9`.
        option: their name, for messages.

    Raises:
        InputError: what is none, an episode that is not there, or one twice.
    """
    words = listed.split(",") if isinstance(listed, str) else [str(each) for each in listed]
    numbers: list[int] = []
    for word in words:
        match = _RANGE.fullmatch(word.strip())
        if not match:
            raise InputError(option, expected="numbers and ranges, such as [0,3,7-9]", got=shortened(word))
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < len(origin):
            raise InputError(
                f"'{origin.name}': {option}",
                expected=f"episodes 0 to {len(origin) - 1}",
                got=word.strip(),
                way_out=f"'tiller data info {origin.name}' says how many there are",
            )
        numbers += range(first, last + 1)
        if len(numbers) > len(origin):
            break
    if len(set(numbers)) < len(numbers):
        twice = next(number for number, times in Counter(numbers).items() if times > 1)
        raise InputError(f"'{origin.name}': {option}", expected="each episode once", got=f"episode {twice} twice")
    return tuple(numbers)


def chosen(
    origin: Origin, listed: str | Sequence[str | int], where: Mapping[str, str], *, default_all: bool
) -> tuple[int, ...]:
    """The episodes that are listed and have these facts.

    Args:
        origin: the store.
        listed: as `episodes_of` takes them; empty for all of them.
        where: fact -> value that they have, as typed.
        default_all: whether no list and no fact means all of them.

    Raises:
        InputError: as `episodes_of`, a fact that the store does not have, or none where that is not allowed.
    """
    if not listed and not where and not default_all:
        raise InputError(
            f"'{origin.name}'",
            expected="which episodes: episodes= or where.FACT=",
            got="neither",
            way_out="For example episodes=[0,3,7-9] or where.success=false",
        )
    numbers = episodes_of(origin, listed) if listed else tuple(range(len(origin)))
    for name, text in where.items():
        value = fact_value(require_fact(origin, name), text, f"where.{name}")
        numbers = tuple(number for number in numbers if origin.all_facts[name][number] == value)
    if not numbers:
        facts = ", ".join(f"{name}={value}" for name, value in where.items())
        raise InputError(f"'{origin.name}'", expected=f"episodes with {facts}", got="none")
    return numbers


def require_fact(origin: Origin, name: str) -> MetaField:
    """A fact of a store.

    Raises:
        InputError: it has none of that name.
    """
    facts = origin.schema.meta_fields
    if name not in facts:
        raise InputError(
            f"'{origin.name}': fact {shortened(name)}", expected="a fact of this store", way_out=nearest(name, facts)
        )
    return facts[name]


def fact_value(fact: MetaField, given: Any, option: str) -> Any:
    """The value of a fact: words as they are typed, or a plain value of its type.

    Args:
        fact: whose it is.
        given: text, or a bool, a number.
        option: its name, for messages.

    Raises:
        InputError: it is none of that type.
    """
    text = str(given).strip()
    if fact.dtype == "string":
        return str(given)
    if fact.dtype == "bool":
        if text.lower() in _FLAGS:
            return _FLAGS[text.lower()]
        raise InputError(option, expected="true or false", got=shortened(text))
    try:
        value = int(text) if fact.dtype == "int64" else float(text)
    except ValueError:
        raise InputError(option, expected=f"a number of type {fact.dtype}", got=shortened(text)) from None
    good = -_INTEGERS <= value < _INTEGERS if fact.dtype == "int64" else math.isfinite(value)
    if not good:
        raise InputError(option, expected=f"a number that {fact.dtype} holds", got=shortened(text))
    return value
