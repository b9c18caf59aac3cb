"""Whether stores go together, and where their arrays go: differences side by side, or a schema and maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from data.edit.copying.mapping import FieldMap, SourceMap
from data.edit.merging.constants import constant
from data.edit.merging.options import Mapped
from data.edit.merging.robots import robot_rows
from data.edit.merging.units import KNOWN, factors
from data.edit.merging.view import Named, View
from data.store.images.encoding import AS_IT_CAME, JPEG, PNG, Encoding
from data.store.schema import ACTION, Schema
from robot.description import ActionSpec, ObservationField, ObservationSpec
from robot.description.comparison import Row, table
from robot.errors import InputError

_PARTS = {"observation": "observation", "column": "columns", "fact": "facts", "stream": "streams"}
_FILLED = ("column", "fact", "stream")
EMPTY = "empty"  # what a stream is filled with


@dataclass
class Comparison:
    """What one store has different from those before it, and the ways out."""

    rows: list[Row] = field(default_factory=list)
    hints: dict[str, None] = field(default_factory=dict)

    def differ(self, what: str, first: Any, other: Any, hint: str = "") -> None:
        """Note a difference."""
        self.rows.append((what, str(first), str(other)))
        if hint:
            self.hints[hint] = None


@dataclass(frozen=True)
class Alignment:
    """How stores become one.

    Args:
        schema: of the new store.
        maps: for each store, where its arrays go.
        constants: for each store, facts that it lacks.
        renamed: for each store, fact of the new store -> its name there.
        notes: what a person should know.
    """

    schema: Schema
    maps: tuple[SourceMap, ...]
    constants: tuple[Mapping[str, Any], ...]
    renamed: tuple[Mapping[str, str], ...]
    notes: tuple[str, ...]


def align(views: Sequence[View], options: Mapped) -> Alignment:
    """Put the fields of stores side by side; the first one says how they are called, ordered and measured.

    Raises:
        InputError: a store differs in what no option maps: all differences side by side, and the ways out.
    """
    first = views[0]
    fields: dict[str, dict[str, Any]] = {
        what: {name: named.field for name, named in getattr(first, part).items()} for what, part in _PARTS.items()
    }
    encodings = dict(first.encodings)
    for other in views[1:]:
        compared = Comparison()
        if not options.other_contracts:
            for row in robot_rows(first.origin, other.origin):
                compared.differ(*row, "other_contracts=true merges other robots, and the new store names no contract")
        _compare_actions(compared, first, other, options)
        for what, part in _PARTS.items():
            _compare_fields(compared, what, fields[what], getattr(other, part), options)
        _compare_encodings(compared, encodings, other)
        if compared.rows:
            lines = table(compared.rows, first.origin.name, other.origin.name)
            ways = "".join(f"\n  {hint}" for hint in compared.hints)
            raise InputError(
                f"'{first.origin.name}' and '{other.origin.name}' do not go together:\n{lines}\n"
                + (f"Ways out:{ways}" if ways else "Nothing maps that: merge them apart")
            )
    spec = first.origin.schema
    schema = Schema(
        ObservationSpec(tuple(fields["observation"].values())),
        ActionSpec(first.action, spec.action.period_s),
        spec.period_s,
        tuple(fields["fact"].values()),
        tuple(fields["stream"].values()),
        tuple(fields["column"].values()),
        spec.action_dtype,
        {name: each for name, each in encodings.items() if each.of_images},
    )
    maps = tuple(_map(each, schema, options) for each in views)
    missing = [[name for name in schema.meta_fields if name not in each.facts] for each in views]
    constants = tuple(
        {name: constant(schema.meta_fields[name], options.fill[name]) for name in names} for names in missing
    )
    renamed = tuple({name: named.old for name, named in each.facts.items()} for each in views)
    return Alignment(schema, maps, constants, renamed, _notes(views, encodings))


def _compare_actions(compared: Comparison, first: View, other: View, options: Mapped) -> None:
    ours, theirs = first.origin.schema, other.origin.schema
    if abs(ours.period_s - theirs.period_s) > 1e-6 * ours.period_s:
        hint = f"tiller data resample {other.origin.name} TARGET period_s={ours.period_s:g}"
        compared.differ("control period", f"{ours.period_s:g} s", f"{theirs.period_s:g} s", hint)
    if ours.action_dtype != theirs.action_dtype:
        compared.differ("action type", ours.action_dtype, theirs.action_dtype)
    names = [each.name for each in first.action]
    if sorted(names) != sorted(each.name for each in other.action):
        for index in range(max(len(first.action), len(other.action))):
            sides = [_shown(side.action[index]) if index < len(side.action) else "-" for side in (first, other)]
            if sides[0] != sides[1]:
                compared.differ(
                    f"action field {index}", sides[0], sides[1], "rename.OLD=NEW gives a field another name"
                )
        return
    if names != [each.name for each in other.action] and not options.reorder:
        compared.differ(
            "order of action",
            ", ".join(names),
            ", ".join(each.name for each in other.action),
            "reorder=true puts the fields of the action in the first one's order",
        )
    by_name = {each.name: each for each in other.action}
    for each in first.action:
        same = by_name[each.name]
        if (each.size, each.kind) != (same.size, same.kind):
            compared.differ(f"action {each.name}", _shown(each), _shown(same))
        elif each.unit != same.unit:
            _compare_units(compared, f"action {each.name}", each, same, each.size, theirs.action_dtype, options)


def _compare_fields(
    compared: Comparison, what: str, fields: dict[str, Any], others: Mapping[str, Named[Any]], options: Mapped
) -> None:
    """Compare fields of one sort; those that only the other store has, and that are filled, are added."""
    for name in dict.fromkeys((*fields, *others)):
        label = f"{what} {name}"
        if name not in fields or name not in others:
            if what in _FILLED and name in options.fill:
                fields.setdefault(name, others[name].field if name in others else None)
                continue
            hint = f"without=[{name}] leaves it out"
            if what in _FILLED:
                hint += f", fill.{name}={EMPTY if what == 'stream' else 'VALUE'} fills it"
            sides = [_shown(each) if each else "-" for each in (fields.get(name), _field(others, name))]
            compared.differ(label, sides[0], sides[1], hint)
            continue
        ours, theirs = fields[name], others[name].field
        if _kind(ours) != _kind(theirs):
            compared.differ(label, _shown(ours), _shown(theirs), f"without=[{name}] leaves it out")
        elif ours.unit != theirs.unit:
            size = theirs.shape[-1] if getattr(theirs, "shape", ()) else 1
            _compare_units(compared, label, ours, theirs, size, theirs.dtype, options, fact=what == "fact")


def _compare_units(
    compared: Comparison,
    label: str,
    ours: Any,
    theirs: Any,
    size: int,
    dtype: str,
    options: Mapped,
    fact: bool = False,
) -> None:
    known = factors(theirs.unit, ours.unit, size)
    if known is None:
        hint = f"units that convert are made of {', '.join(KNOWN)}, such as mm/s"
    elif all(each == 1.0 for each in known):
        return  # written otherwise, and the same
    elif fact or np.dtype(dtype).kind != "f":
        hint = "only rows and samples of real numbers are converted"
    elif options.convert_units:
        return
    else:
        hint = "convert_units=true converts them"
    compared.differ(label, f"[{ours.unit}]", f"[{theirs.unit}]", hint)


def _compare_encodings(compared: Comparison, encodings: dict[str, Encoding], other: View) -> None:
    """Encodings whose bytes can lie together become one: of JPEG that which says nothing of its quality."""
    for name, theirs in other.encodings.items():
        ours = encodings.setdefault(name, theirs)
        if ours == theirs or ours.kind == theirs.kind == PNG:
            continue
        if {ours.kind, theirs.kind} <= {JPEG, AS_IT_CAME}:
            encodings[name] = Encoding(AS_IT_CAME)
            continue
        kind = JPEG if ours.kind == AS_IT_CAME else ours.kind  # lies beside what came as JPEG
        hint = f"tiller data recode {other.origin.name} TARGET encodings.{name}={kind}"
        compared.differ(f"encoding of {name}", ours.kind, theirs.kind, hint)


def _map(view: View, schema: Schema, options: Mapped) -> SourceMap:
    rows: dict[str, FieldMap] = {}
    for name in schema.row_fields:
        if name == ACTION:
            rows[name] = _action_map(view, schema)
            continue
        named = view.observation.get(name) or view.columns.get(name)
        if named is None:
            rows[name] = FieldMap(None, constant(schema.row_fields[name], options.fill[name]))
        else:
            rows[name] = _converted(named, schema.row_fields[name].unit, named.field.shape)
    streams = {}
    for name, stream in schema.stream_fields.items():
        if name in view.streams:
            streams[name] = _converted(view.streams[name], stream.unit, stream.shape)
        else:
            if options.fill[name] != EMPTY:
                raise InputError(f"fill.{name}", expected=f"'{EMPTY}', as it is a stream", got=str(options.fill[name]))
            streams[name] = FieldMap(None)
    return SourceMap(rows, streams)


def _converted(named: Named[Any], unit: str, shape: tuple[int, ...]) -> FieldMap:
    if named.field.unit == unit:
        return FieldMap(named.old)
    return FieldMap(named.old, factor=_factor(factors(named.field.unit, unit, shape[-1] if shape else 1)))


def _action_map(view: View, schema: Schema) -> FieldMap:
    order: list[int] = []
    scale: list[float] = []
    slices = ActionSpec(view.action, 1.0).slices
    by_name = {each.name: each for each in view.action}
    for each in schema.action.fields:
        part = slices[each.name]
        order += range(part.start, part.stop)
        scale += factors(by_name[each.name].unit, each.unit, each.size) or [1.0] * each.size
    same = order == list(range(len(order)))
    return FieldMap(ACTION, order=None if same else tuple(order), factor=_factor(scale))


def _factor(scale: Sequence[float] | None) -> np.ndarray | None:
    if scale is None or all(each == 1.0 for each in scale):
        return None
    return np.array(scale) if len(scale) > 1 else np.float64(scale[0])  # type: ignore[return-value]


def _notes(views: Sequence[View], encodings: Mapping[str, Encoding]) -> tuple[str, ...]:
    return tuple(
        f"{name}: JPEGs of several qualities, so that the new store calls them {AS_IT_CAME}"
        for name, encoding in encodings.items()
        if encoding.kind == AS_IT_CAME and any(each.encodings.get(name, encoding).kind == JPEG for each in views)
    )


def _field(others: Mapping[str, Named[Any]], name: str) -> Any:
    return others[name].field if name in others else None


def _kind(field: Any) -> Any:
    """What must be the same of a field: all but its name and unit, and the history that a policy may choose."""
    if isinstance(field, ObservationField):
        return field.shape, np.dtype(field.dtype), field.kind
    return replace(field, name="x", unit="1")


def _shown(field: Any) -> str:
    size = getattr(field, "shape", getattr(field, "size", None))
    parts = [None if size is None else str(size), getattr(field, "dtype", None), getattr(field, "kind", None)]
    return " ".join([*(part for part in parts if part), f"[{field.unit}]"] if size is not None else [field.dtype]) + (
        f" {field.name}" if hasattr(field, "size") and not hasattr(field, "shape") else ""
    )
