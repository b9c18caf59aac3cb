"""Values outside the limits that a contract on record, or a person, declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping

import numpy as np

from data.checks.blame import Judgement
from data.checks.rules.spans import Spans
from data.store import layout
from data.store.contents import Contents
from data.store.schema import ACTION
from robot.contract.loading import contract_names, load_contract, operational_hash
from robot.description.loading import RobotDescription, load_robot, robot_names
from robot.description.record import to_json
from robot.errors import InputError, nearest

_EXACT = 1e-6  # of the range: what single precision makes of a limit
_MEASURED = 0.05  # of the range: a robot overshoots its targets, and its joints yield at their stops


@dataclass(frozen=True, eq=False)
class Bounds:
    """Limits of some components of an array.

    Args:
        path: of the array.
        name: of what is limited, for messages.
        components: which, as a slice of a flattened row.
        low, high: (n,) or (1,).
        source: who says so.
        slack: share of the range by which values may be outside.
    """

    path: str
    name: str
    components: slice
    low: np.ndarray
    high: np.ndarray
    source: str
    slack: float = 0.0


class Outside:
    """Looks at the rows of an array for values outside of bounds.

    Attributes:
        worst: position of an episode -> (rows outside, first row, component, value) of its first row outside.
    """

    def __init__(self, bounds: Bounds, spans: Spans) -> None:
        self.bounds, self._spans = bounds, spans
        self.worst: dict[int, tuple[int, int, int, float]] = {}

    def add(self, first: int, entries: np.ndarray | list[bytes]) -> None:
        """Look at the rows from `first` on."""
        assert isinstance(entries, np.ndarray)
        rows = entries.reshape(len(entries), -1)[:, self.bounds.components].astype(np.float64)
        room = self.bounds.slack * (self.bounds.high - self.bounds.low)
        outside = (rows < self.bounds.low - room) | (rows > self.bounds.high + room)  # NaN is neither
        if not outside.any():
            return
        for at, start, end in self._spans.within(first, first + len(rows)):
            bad = np.argwhere(outside[start - first : end - first])
            if len(bad):
                row, component = (int(each) for each in bad[0])
                count = len(np.unique(bad[:, 0]))
                before = self.worst.get(at, (0, start + row, component, float(rows[start - first + row, component])))
                self.worst[at] = (before[0] + count, *before[1:])


def judge_bounds(judgement: Judgement, outside: Outside) -> None:
    """Judge values outside of declared bounds."""
    bounds = outside.bounds
    low, high = (
        np.broadcast_to(each, (bounds.components.stop - bounds.components.start,)) for each in (bounds.low, bounds.high)
    )
    for at, (count, row, component, value) in sorted(outside.worst.items()):
        judgement.suspect(
            "limit",
            bounds.path,
            f"'{bounds.name}' is {value:.4g} in component {component} in row {row}, outside of {low[component]:.4g} to "
            f"{high[component]:.4g} ({bounds.source})" + (f", as are {count - 1} more rows" if count > 1 else ""),
            episode=int(judgement.spans.episodes[at]),
            row=row,
        )


def declared_bounds(judgement: Judgement) -> list[Bounds]:
    """The limits that hold for a store: those of the thresholds, and those of the contract on record.

    Raises:
        InputError: a limit of the thresholds is of what the store does not have.
    """
    contents, given = judgement.contents, judgement.thresholds
    bounds = []
    for name, (low, high) in (given.limits if given is not None else {}).items():
        ends = np.array([float(low)]), np.array([float(high)])
        bounds += [Bounds(path, name, where, *ends, "limits=", _EXACT) for path, where in _places(contents, name)]
    try:
        bounds += _of_contract(contents, _EXACT if given is None else given.slack)
    except (InputError, TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        judgement.remark("note", "attributes", f"the limits of the contract on record cannot be read: {error}")
    return bounds


def _places(contents: Contents, name: str) -> list[tuple[str, slice]]:
    """Where the values of an array, and of a field of the action or one of its components, are.

    Raises:
        InputError: there is none of that name.
    """
    schema = contents.schema
    fields = {} if schema is None else dict(schema.action.slices)
    names = () if schema is None else schema.action.component_names
    fields |= {each: slice(at, at + 1) for at, each in enumerate(names) if each not in fields}
    path = layout.row_path(name)
    size = int(np.prod(contents.array(path).shape[1:])) if name in contents.keys else 0
    places = [(path, slice(0, size))] if size else []
    places += [(layout.row_path(ACTION), fields[name])] if name in fields else []
    if not places:
        raise InputError(
            f"limits.{name}",
            expected="an array, a field or a component of the action",
            got=f"'{name}'",
            way_out=nearest(name, [*contents.keys, *fields]),
        )
    return places


def _of_contract(contents: Contents, slack: float) -> Iterator[Bounds]:
    """The bounds in the contract that a store's attributes hold, or name with the hash of one that is shipped."""
    record, schema = contents.attributes.get("contract"), contents.schema
    if not isinstance(record, Mapping) or schema is None:
        return
    name, limits, robot = record.get("name"), None, None
    if isinstance(record.get("operational"), Mapping) and isinstance(record.get("semantic"), Mapping):
        limits, robot = record["operational"].get("limits"), record["semantic"].get("robot")
    elif name in contract_names():
        contract = load_contract(name)
        if operational_hash(contract) == record.get("operational_hash"):
            limits, robot = to_json(contract.limits), contract.robot
    if not isinstance(limits, Mapping):
        return
    source = f"contract {name}"
    yield from _workspace(contents, limits, source, slack)
    if robot in robot_names():
        margin = float((limits.get("joints") or {}).get("margin") or 0)
        yield from _joints(contents, load_robot(robot), margin, source, slack)


def _workspace(contents: Contents, limits: Mapping[str, Any], source: str, slack: float) -> Iterator[Bounds]:
    assert contents.schema is not None
    box = (limits.get("tcp") or {}).get("workspace")
    if not box:
        return
    low, high = (np.array([float(each) for each in box[end]]) for end in ("low", "high"))
    for field in contents.schema.action.fields:
        if field.kind == "pose" and field.size == 3 and field.unit == "m" and low.shape == high.shape == (3,):
            where = contents.schema.action.slices[field.name]
            yield Bounds(layout.row_path(ACTION), field.name, where, low, high, source, slack)


def _joints(contents: Contents, robot: RobotDescription, margin: float, source: str, slack: float) -> Iterator[Bounds]:
    """Positions of joints, of targets with the contract's margin and of what was measured."""
    schema = contents.schema
    assert schema is not None
    ranges = {name: ends for group in robot.spec.groups for name, ends in zip(group.names, group.position)}
    for vector in robot.vectors:
        ends = vector.scale * np.array([ranges[joint] for joint in vector.joints]) + vector.offset  # (n, 2)
        low, high = ends.min(axis=1), ends.max(axis=1)
        inner = margin if vector.of_arm else 0.0
        if vector.field in schema.action.slices:
            where = schema.action.slices[vector.field]
            if where.stop - where.start == len(low):
                path = layout.row_path(ACTION)
                yield Bounds(path, vector.field, where, low + inner, high - inner, source, slack)
        if vector.field in schema.observation and schema.observation[vector.field].shape == (len(low),):
            path = layout.row_path(vector.field)
            yield Bounds(path, vector.field, slice(0, len(low)), low, high, source, max(slack, _MEASURED))
