"""Frozen dataclasses to plain JSON values and back, strictly: an unknown or missing key is an error."""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, Mapping, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from robot.errors import InputError, nearest

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Plain JSON values (dict, list, str, numbers, None) of a dataclass, its tuples, mappings and arrays."""
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

    Raises:
        InputError: a key is unknown or missing, or a value is of another shape.
    """
    name = kind.__name__ if where is None else where
    prefix = f"{name}." if name else ""
    if not isinstance(value, Mapping):
        raise InputError(name, expected=f"the fields of {kind.__name__}", got=repr(value))
    hints = get_type_hints(kind)
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
    return kind(**{key: _build(hints[key], item, f"{prefix}{key}") for key, item in value.items()})


def _build(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is None:
            return None
        return _build(next(item for item in arguments if item is not type(None)), value, where)
    if is_dataclass(hint):
        return from_json(hint, value, where=where)  # type: ignore[arg-type]
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise InputError(where, expected="a list", got=repr(value))
        item_hint = arguments[0] if arguments else Any
        return tuple(_build(item_hint, item, f"{where}[{index}]") for index, item in enumerate(value))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        item_hint = arguments[1] if len(arguments) == 2 else Any
        if not isinstance(value, Mapping):
            raise InputError(where, expected="names with their values", got=repr(value))
        wrong = [key for key in value if not isinstance(key, str)] if arguments and arguments[0] is str else []
        if wrong:
            raise InputError(where, expected="names", got=repr(wrong[0]), way_out=f"Quote it: '{wrong[0]}'")
        return {key: _build(item_hint, item, f"{where}.{key}") for key, item in dict(value).items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, str, bool) and not isinstance(value, hint):
        raise InputError(where, expected=f"a value of type {hint.__name__}", got=repr(value))
    return value


def fingerprint(value: Any) -> str:
    """SHA-256, as 16 hexadecimal digits, of the canonical JSON of a dataclass or of plain values."""
    text = json.dumps(to_json(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
