"""Frozen dataclasses to plain JSON values and back, strictly: an unknown or missing key is an error, and so is a number
outside the range that its field declares.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence as AnySequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Callable, Hashable, Mapping, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from robot.description.ranges import Range
from robot.errors import InputError, nearest

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Plain JSON values (dict, list, str, numbers, None) of a dataclass, its tuples, mappings and arrays.

    Anything else is returned as it is.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_json(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return value


def from_json(kind: type[T], value: Mapping[str, Any], *, where: str | None = None) -> T:
    """Rebuild a dataclass from what `to_json` gave.

    Args:
        kind: the dataclass to build.
        value: its plain values; every field without a default must be there.
        where: how to name the value in an error; empty names its keys alone.

    Returns:
        The dataclass; lists are tuples in it, and whole numbers floats where its fields say so.

    Raises:
        InputError: a key is unknown or missing, a value is of another shape, or a number outside its range.
    """
    name = kind.__name__ if where is None else where
    prefix = f"{name}." if name else ""
    if not isinstance(value, Mapping):
        raise InputError(name, expected=f"the fields of {kind.__name__}", got=repr(value))
    hints = declared(kind)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    for key in value:
        if key not in known:
            raise InputError(f"{prefix}{key}", expected="a known key", got=f"'{key}'", way_out=nearest(key, known))
    missing = [
        key
        for key, field in known.items()
        if key not in value and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        raise InputError(name, expected=f"the keys {', '.join(known)}", got=f"nothing for {', '.join(missing)}")
    return kind(**{key: read_value(hints[key], item, f"{prefix}{key}") for key, item in value.items()})


def declared(kind: Callable[..., Any]) -> dict[str, Any]:
    """The types of a dataclass's fields, or of a function's arguments, with their ranges."""
    return _declared(kind)


@cache
def _declared(kind: Hashable) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def require_ranges(value: Any, where: str = "") -> None:
    """Refuse a dataclass with a number outside the range that its field declares. What `from_json` builds has none.

    Args:
        value: the dataclass; those within it look after themselves.
        where: how to name it in an error; empty names its fields alone.
    """
    for key, hint in declared(type(value)).items():
        if _has_range(hint):
            read_value(hint, getattr(value, key), f"{where}.{key}" if where else key)


def read_value(hint: Any, value: Any, where: str) -> Any:
    """A plain value as the type that `hint` declares.

    Raises:
        InputError: it is none, or a number outside the declared range.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        kind, *marks = arguments
        ranges = [mark for mark in marks if isinstance(mark, Range)]
        return ranges[0].read(kind, value, where) if ranges else read_value(kind, value, where)
    if origin in (Union, UnionType):
        return _read_one_of(arguments, value, where)
    if is_dataclass(hint):
        return from_json(hint, value, where=where)  # type: ignore[arg-type]
    if origin in (tuple, AnySequence):
        if not isinstance(value, (list, tuple)):
            raise InputError(where, expected="a list", got=repr(value))
        return tuple(
            read_value(item_hint, item, f"{where}[{index}]")
            for index, (item_hint, item) in enumerate(zip(_item_hints(arguments, value, where), value))
        )
    if origin is not None and isinstance(origin, type) and issubclass(origin, AnyMapping):
        item_hint = arguments[1] if len(arguments) == 2 else Any
        if not isinstance(value, Mapping):
            raise InputError(where, expected="names with their values", got=repr(value))
        wrong = [key for key in value if not isinstance(key, str)] if arguments and arguments[0] is str else []
        if wrong:
            raise InputError(where, expected="names", got=repr(wrong[0]), way_out=f"Quote it: '{wrong[0]}'")
        return {key: read_value(item_hint, item, f"{where}.{key}") for key, item in dict(value).items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, str, bool) and not isinstance(value, hint):
        raise InputError(where, expected=f"a value of type {hint.__name__}", got=repr(value))
    return value


def _has_range(hint: Any) -> bool:
    if get_origin(hint) is Annotated:
        return any(isinstance(mark, Range) for mark in hint.__metadata__)
    return any(map(_has_range, get_args(hint)))


def _read_one_of(hints: tuple[Any, ...], value: Any, where: str) -> Any:
    """The value as the first of several types that it is of."""
    if value is None and type(None) in hints:
        return None
    refused: list[InputError] = []
    for hint in hints:
        if hint is not type(None):
            try:
                return read_value(hint, value, where)
            except InputError as error:
                refused.append(error)
    inside = [error for error in refused if error.thing != where]  # of the right shape, with a wrong part
    if inside or len(refused) == 1:
        raise (inside or refused)[-1]
    raise InputError(
        where, expected="; or ".join(dict.fromkeys(str(error.expected) for error in refused)), got=repr(value)
    )


def _item_hints(arguments: tuple[Any, ...], value: Any, where: str) -> list[Any]:
    """The type of each item of a list, whose length may be fixed."""
    if not arguments or arguments[-1] is Ellipsis or len(arguments) == 1:
        return [arguments[0] if arguments else Any] * len(value)
    if len(value) != len(arguments):
        raise InputError(where, expected=f"a list of {len(arguments)}", got=repr(value))
    return list(arguments)


def fingerprint(value: Any) -> str:
    """SHA-256, as 16 hexadecimal digits, of the canonical JSON of a dataclass or of plain values.

    Raises:
        TypeError: JSON has no form for a value in it.
    """
    text = json.dumps(to_json(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
