"""The state of Python objects that keep theirs in attributes: numbers, texts, arrays, random generators."""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Iterator, Mapping

import numpy as np

from robot.errors import InputError
from sim.state.packed import SavedState
from sim.state.random import generator_state, set_generator_state

_NOTHING = object()
_GENERATOR, _TUPLE, _DEQUE = "generator", "tuple", "deque"
_STEP = "/"  # between the names of a path


class AttributeState:
    """Saves and restores the attributes of an object and of those that it holds.

    Plain values, lists of them and arrays are kept. Arrays are written in place, so that views and second names of them
    stay what they are; memory of others, such as MuJoCo's, is left out.

    Args:
        root: the object.
        enters: whether the state of an object that is held by another is a part of it.
        leaves_out: names of attributes that are no state.
    """

    def __init__(
        self, root: object, enters: Callable[[object], bool] = lambda held: False, leaves_out: tuple[str, ...] = ()
    ) -> None:
        self._root, self._enters, self._leaves_out = root, enters, frozenset(leaves_out)

    def save(self) -> SavedState:
        """The present state."""
        arrays: dict[str, np.ndarray] = {}
        plain: dict[str, Any] = {}
        for where, holder in self._holders():
            for key, value in self._state_of(holder):
                if isinstance(value, np.random.Generator):
                    plain[f"{where}{key}"] = {_GENERATOR: generator_state(value)}
                elif isinstance(value, np.ndarray):
                    arrays[f"{where}{key}"] = value.copy()
                else:
                    plain[f"{where}{key}"] = _encoded(value)
        return SavedState(arrays, plain)

    def restore(self, state: SavedState) -> None:
        """Put a state back.

        Raises:
            InputError: it is the state of an object that is made otherwise.
        """
        holders = dict(self._holders())
        keys = {where: {str(key): key for key, _ in _entries(holder)} for where, holder in holders.items()}
        for path, value in (*state.arrays.items(), *state.plain.items()):
            where, _, name = path.rpartition(_STEP)
            where += _STEP if where or path.startswith(_STEP) else ""
            if where not in holders:
                raise InputError("saved state", expected=f"attributes of {type(self._root).__name__}", got=path)
            self._put(holders[where], keys[where].get(name, name), value)

    @staticmethod
    def _put(holder: Any, key: Any, value: Any) -> None:
        own = dict(_entries(holder)).get(key)
        if isinstance(own, np.random.Generator):
            if not isinstance(value, dict) or _GENERATOR not in value:
                raise InputError(f"saved state: '{key}'", expected="a random generator", got=type(value).__name__)
            set_generator_state(own, value[_GENERATOR])
        elif not isinstance(value, np.ndarray):
            _set(holder, key, _decoded(value))
        elif isinstance(own, np.ndarray) and own.shape == value.shape and own.dtype == value.dtype:
            own[...] = value
        else:
            _set(holder, key, value)

    def _holders(self) -> Iterator[tuple[str, Any]]:
        """Path and object of each that holds state, the root first."""
        seen: set[int] = set()
        waiting: deque[tuple[str, Any]] = deque([("", self._root)])
        while waiting:
            where, holder = waiting.popleft()
            if id(holder) in seen:
                continue
            seen.add(id(holder))
            yield where, holder
            for key, value in _entries(holder):
                if key in self._leaves_out or isinstance(value, (np.ndarray, np.random.Generator)):
                    continue
                if (isinstance(value, (list, dict, tuple)) and _encoded(value) is _NOTHING) or self._enters(value):
                    waiting.append((f"{where}{key}{_STEP}", value))

    def _state_of(self, holder: Any) -> Iterator[tuple[Any, Any]]:
        """The attributes of one object that are state."""
        for key, value in _entries(holder):
            if key in self._leaves_out:
                continue
            if isinstance(value, np.ndarray):
                if value.dtype.kind in "biuf" and _owned(value) and value.flags.writeable:
                    yield key, value
                continue
            is_plain = not isinstance(holder, tuple) and _encoded(value) is not _NOTHING
            if is_plain or isinstance(value, np.random.Generator):
                yield key, value


def _entries(holder: Any) -> list[tuple[Any, Any]]:
    if isinstance(holder, Mapping):
        return [(key, value) for key, value in holder.items() if isinstance(key, (str, int))]
    if isinstance(holder, tuple) and hasattr(holder, "_fields"):
        return list(zip(holder._fields, holder))
    if isinstance(holder, (list, tuple)):
        return list(enumerate(holder))
    return list(vars(holder).items())


def _set(holder: Any, key: Any, value: Any) -> None:
    if isinstance(holder, (dict, list)):
        holder[key] = value
    else:
        object.__setattr__(holder, key, value)


def _owned(array: np.ndarray) -> bool:
    """Whether an array's memory is numpy's own, and not that of another library."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.base is None


def _encoded(value: Any) -> Any:
    """A plain value as JSON holds it; `_NOTHING` for anything else."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return {"number": [value.dtype.str, value.item()]}
    if isinstance(value, (list, tuple, deque)) and type(value) in (list, tuple, deque):
        items = [_encoded(item) for item in value]
        if any(item is _NOTHING for item in items):
            return _NOTHING
        name = _TUPLE if isinstance(value, tuple) else _DEQUE if isinstance(value, deque) else ""
        return {name: items, "most": value.maxlen if isinstance(value, deque) else None} if name else items
    return _NOTHING


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if isinstance(value, dict):
        if "number" in value:
            kind, item = value["number"]
            return np.dtype(kind).type(item)
        if _DEQUE in value:
            return deque(map(_decoded, value[_DEQUE]), value["most"])
        return tuple(map(_decoded, value[_TUPLE]))
    return value
