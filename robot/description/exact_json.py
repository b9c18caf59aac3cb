"""Values of the gate as plain JSON and back, to the bit: dataclasses, arrays, enumerations and tuples.

Beside `robot.description.record`, which writes what people read: here an array is its bytes, and a number that is not
finite comes back as it was.
"""

from __future__ import annotations

import base64
from binascii import b2a_base64
from collections import abc
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Callable, Mapping, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from robot.errors import InputError

T = TypeVar("T")

_PLAIN = frozenset((type(None), bool, int, float, str))
_ARRAYS = {np.dtype("<f8"): "<f8", np.dtype("<i8"): "<i8"}


def to_plain(value: Any) -> Any:
    """Plain values (dict, list, str, numbers, None) of a value.

    Raises:
        InputError: it is none of those that a record holds.
    """
    kind: type = type(value)
    # Most of a record's values are these: what a gate writes while it runs must cost it little.
    if kind in _PLAIN:
        return value
    if kind is np.ndarray:
        return _plain_array(value)
    return _writer(kind)(value)


def _plain_array(value: np.ndarray) -> list[Any]:
    name = _ARRAYS.get(value.dtype)
    if name is None:
        raise InputError("array", expected="float64 or int64", got=str(value.dtype))
    return [name, list(value.shape), b2a_base64(value.tobytes(), newline=False).decode("ascii")]


@cache
def _writer(kind: type) -> Callable[[Any], Any]:
    """What makes plain values of values of a type."""
    if issubclass(kind, np.ndarray):
        return _plain_array
    if issubclass(kind, Enum):
        return lambda value: value.value
    if is_dataclass(kind):
        names = tuple(field.name for field in fields(kind))
        return lambda value: {name: to_plain(getattr(value, name)) for name in names}
    if issubclass(kind, abc.Mapping):
        return lambda value: {str(to_plain(key)): to_plain(item) for key, item in value.items()}
    if issubclass(kind, (tuple, list)):
        return lambda value: [to_plain(item) for item in value]
    if issubclass(kind, (np.integer, np.floating)):
        return lambda value: value.item()
    raise InputError("a recorded value", expected="plain values, arrays and dataclasses", got=kind.__name__)


def from_plain(kind: type[T], plain: Any) -> T:
    """Rebuild a value of a type from what `to_plain` gave.

    Raises:
        InputError: it is not what such a value looks like.
    """
    try:
        return _build(kind, plain)  # type: ignore[no-any-return]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(kind.__name__, expected="as it was written", got=str(error)) from error


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _build(hint: Any, plain: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if plain is None:
            return None
        return _build(next(each for each in arguments if each is not type(None)), plain)
    if hint is np.ndarray:
        kind, shape, content = plain
        if kind not in ("<f8", "<i8"):
            raise ValueError(f"an array of {kind!r}")
        return np.frombuffer(base64.b64decode(content), dtype=kind).reshape(shape).copy()
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(plain)
    if is_dataclass(hint):
        hints = _hints(hint)  # type: ignore[arg-type]
        # What an older version knew besides, a newer one does without: its records can still be read.
        known = {name: _build(hints[name], item) for name, item in plain.items() if name in hints}
        return hint(**known)  # type: ignore[operator]
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_build(arguments[0], item) for item in plain)
        return tuple(_build(each, item) for each, item in zip(arguments, plain, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {_build(arguments[0], key): _build(arguments[1], item) for key, item in plain.items()}
    if hint is float and isinstance(plain, (int, float)):
        return float(plain)
    if hint in (int, str, bool) and not isinstance(plain, hint):
        raise TypeError(f"{hint.__name__}, got {plain!r}")
    return plain
