"""One episode in memory, and whether it fits a schema."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Sequence

import numpy as np

from data.store.images.encoding import AS_IT_CAME, Encoding, require_encoded
from data.store.names import TIME, meaning, without_meaning
from data.store.schema import ACTION, ColumnField, MetaField, Schema
from robot.errors import InputError, nearest

_META_TYPES: Mapping[str, Any] = {
    "string": (str,),
    "bool": (bool, np.bool_),
    "int64": (int, np.integer),
    "float64": (float, int, np.floating, np.integer),
}


@dataclass(frozen=True, eq=False)
class Episode:
    """What one attempt at a task recorded; `check_episode` says whether it fits a schema.

    Args:
        data: name -> (T, ...) rows: observations, `action` and the schema's further columns, in the units of the
            schema.
        meta: name -> one fact about the episode.
        streams: name -> (value (N, ...), time_ns (N,)) for what runs faster than rows.
    """

    data: Mapping[str, np.ndarray]
    meta: Mapping[str, Any] = field(default_factory=dict)
    streams: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of rows, T."""
        return len(self.data[ACTION])

    def digest(self) -> str:
        """Hash of every name, type, shape, number and word in the episode: equal for equal content only.

        Returns:
            32 hexadecimal digits.
        """
        state = hashlib.blake2b(digest_size=16)
        for name in sorted(self.data):
            _feed(state, f"data/{name}", self.data[name])
        for name in sorted(self.streams):
            for part, array in zip(("value", "time_ns"), self.streams[name]):
                _feed(state, f"streams/{name}/{part}", array)
        plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in self.meta.items()}
        state.update(json.dumps(plain, sort_keys=True).encode())
        return state.hexdigest()


def check_episode(schema: Schema, episode: Episode, number: int) -> None:
    """Refuse an episode that does not fit.

    Args:
        schema: what the store holds.
        episode: what is to be appended.
        number: index it would get, for the message.

    Raises:
        InputError: names the episode, the key and, for a bad number, the row and component.
    """
    where = f"episode {number}"
    _check_names(f"{where}: data", episode.data, schema.row_fields, "Declare further columns in Schema.columns")
    check_facts(schema, episode.meta, where)
    _check_names(f"{where}: streams", episode.streams, schema.stream_fields, "Declare streams in Schema.streams")
    if np.shape(episode.data[ACTION])[:1] in ((), (0,)):
        raise InputError(where, expected="at least one row", got="none")
    check_rows(schema, episode.data, where)
    for name, (value, time_ns) in episode.streams.items():
        check_samples(schema, name, value, time_ns, where)


def check_rows(schema: Schema, data: Mapping[str, Any], where: str, first: int = 0, after_ns: int | None = None) -> int:
    """Refuse rows that do not fit.

    Args:
        schema: what the store holds.
        data: name -> rows (k, ...), of a field of encoded images also the bytes of each.
        where: names the episode, for the message.
        first: number of the first of these rows within the episode.
        after_ns: stamp of the row before; None for none.

    Returns:
        The number of rows, k.

    Raises:
        InputError: names the episode, the key and, for a bad number, the row and component.
    """
    _check_names(f"{where}: data", data, schema.row_fields, "Declare further columns in Schema.columns")
    rows = np.shape(data[ACTION])[:1]
    for name, column in schema.row_fields.items():
        encoding, values = schema.encoding(name), data[name]
        if encoding.kind == AS_IT_CAME or (encoding.of_images and not isinstance(values, np.ndarray)):
            _check_encoded(f"{where}: '{name}'", values, encoding, column, rows, first)
        else:
            _check_array(f"{where}: '{name}'", values, (*rows, *column.shape), column.dtype)
    _check_finite(f"{where}: action", data[ACTION], schema.action.component_names, first)
    for column in schema.columns:
        _check_meaning(f"{where}: '{column.name}'", column, data[column.name], first)
    if TIME.name in schema.row_fields:
        _check_times(f"{where}: '{TIME.name}'", data[TIME.name], first, after_ns, strictly=True)
    return int(rows[0]) if rows else 0


def check_samples(
    schema: Schema, name: str, value: Any, time_ns: Any, where: str, first: int = 0, after_ns: int | None = None
) -> None:
    """Refuse samples of a stream that do not fit.

    Args:
        schema: what the store holds.
        name: of the stream.
        value, time_ns: (k, ...) and (k,).
        where: names the episode, for the message.
        first: number of the first of these samples within the episode.
        after_ns: stamp of the sample before; None for none.

    Raises:
        InputError: names the episode and the stream.
    """
    if name not in schema.stream_fields:
        raise InputError(
            f"{where}: streams",
            expected=f"one of {', '.join(schema.stream_fields) or 'none'}",
            got=f"'{name}'",
            way_out=f"{nearest(name, schema.stream_fields)} Declare streams in Schema.streams",
        )
    stream, samples = schema.stream_fields[name], np.shape(time_ns)[:1]
    _check_array(f"{where}: stream '{name}' time_ns", time_ns, samples or (0,), "int64")
    _check_array(f"{where}: stream '{name}' value", value, (*samples, *stream.shape), stream.dtype)
    _check_times(f"{where}: stream '{name}' time_ns", time_ns, first, after_ns, strictly=False)


def check_facts(schema: Schema, facts: Mapping[str, Any], where: str) -> None:
    """Refuse facts of an episode that do not fit.

    Raises:
        InputError: names the episode and the fact.
    """
    _check_names(f"{where}: meta", facts, schema.meta_fields, "Declare facts an episode in Schema.meta")
    for name, fact in schema.meta_fields.items():
        _check_meta(f"{where}: meta '{name}'", facts[name], fact)


def _check_names(where: str, given: Iterable[str], known: Mapping[str, Any], declare: str) -> None:
    given = list(given)
    for name in given:
        if name not in known:
            raise InputError(
                where,
                expected=f"only {', '.join(known) or 'nothing'}",
                got=f"'{name}'",
                way_out=f"{nearest(name, known)} {declare}",
            )
    missing = [name for name in known if name not in given]
    if missing:
        raise InputError(where, expected=", ".join(known), got=f"nothing for {', '.join(missing)}")


def _check_array(where: str, array: np.ndarray, shape: tuple[int, ...], dtype: str) -> None:
    if not isinstance(array, np.ndarray):
        raise InputError(where, expected=f"an array {shape} of {dtype}", got=type(array).__name__)
    if array.shape != shape:
        raise InputError(where, expected=f"shape {shape}", got=str(array.shape))
    if array.dtype != np.dtype(dtype):
        raise InputError(where, expected=dtype, got=str(array.dtype), way_out=f'Convert it with .astype("{dtype}")')


def _check_encoded(
    where: str, values: Any, encoding: Encoding, column: ColumnField, rows: tuple[int, ...], first: int
) -> None:
    if isinstance(values, (str, bytes, np.ndarray)) or not isinstance(values, Sequence):
        raise InputError(where, expected="a list of encoded images, one a row", got=type(values).__name__)
    if (len(values),) != rows:
        raise InputError(where, expected=f"{rows[0] if rows else 0} images", got=str(len(values)))
    for number, stored in enumerate(values, first):
        require_encoded(f"{where}, row {number}", encoding, stored, column.shape, column.dtype)


def _check_finite(where: str, values: np.ndarray, components: tuple[str, ...], first: int) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        more = f" ({len(bad)} such numbers)" if len(bad) > 1 else ""
        raise InputError(
            f"{where}, row {first + row}, component '{components[column]}'",
            expected="a finite number",
            got=f"{values[row, column]}{more}",
            way_out="Leave the episode out, or repair its actions",
        )


def _check_meaning(where: str, column: ColumnField, values: np.ndarray, first: int) -> None:
    bad = np.flatnonzero(without_meaning(column, values))
    if len(bad):
        raise InputError(f"{where}, row {first + bad[0]}", expected=meaning(column), got=str(values[bad[0]]))


def _check_times(where: str, time_ns: np.ndarray, first: int, after_ns: int | None, *, strictly: bool) -> None:
    known = time_ns if after_ns is None else np.concatenate([np.array([after_ns], np.int64), time_ns])
    before, after = known[:-1], known[1:]  # compared, as their difference may not fit into 64 bits
    bad = np.flatnonzero(after <= before if strictly else after < before)
    if len(bad):
        row = int(bad[0]) + 1
        raise InputError(
            f"{where}, row {first + row - (after_ns is not None)}",
            expected="a later stamp than the row before" if strictly else "no earlier stamp than before",
            got=f"{known[row]} after {known[row - 1]}",
        )


def _check_meta(where: str, value: Any, fact: MetaField) -> None:
    is_bool = isinstance(value, (bool, np.bool_))
    if not isinstance(value, _META_TYPES[fact.dtype]) or is_bool != (fact.dtype == "bool"):
        raise InputError(where, expected=f"a {fact.dtype}", got=repr(value))
    try:
        if fact.dtype == "string":
            str.encode(value)
        else:
            np.dtype(fact.dtype).type(value)
    except (UnicodeEncodeError, OverflowError) as error:
        raise InputError(where, expected=f"a {fact.dtype} that can be stored", got=f"{value!r} ({error})") from error


def _feed(state: Any, name: str, array: np.ndarray) -> None:
    state.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
    state.update(np.ascontiguousarray(array).data)
