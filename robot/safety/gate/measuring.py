"""The measured state in the layout of a command, and the robot's distance from its command."""

from __future__ import annotations

import math
from typing import Iterable

import numpy as np

from robot.errors import InputError
from robot.safety.gate.inputs import StateSample
from robot.safety.gate.limits import GROUP, limits_of, write_distances
from robot.safety.gate.plausibility import Plausibility, apart_of
from robot.safety.gate.settings import GateSettings

DISPLACED_SHARE = 0.05  # of a tool's range, within which it stays at its first command


class Measuring:
    """Writes measured values into the columns of a command.

    Args:
        settings: of the gate.

    Attributes:
        joints_apart: whether the capsules use joints that no compared group has.
        compared: names of the groups that are compared with their command outside of a run, each with a value that
            measures it.
        plausibility: whether a measured state can be that of a robot.
        unchecked: (groups,) bool, which have no limit of their tracking error though they are compared.
    """

    def __init__(self, settings: GateSettings) -> None:
        self.settings = settings
        self.limits = limits_of(settings)
        self.dim = settings.spec.dim
        slices = settings.spec.slices
        # Per group: the columns of its fields, and the names that measure them.
        self._indices = [
            (
                [column for part in group.parts for column in range(self.dim)[slices[part.field]]],
                group.measured,
            )
            for group in settings.groups
        ]
        self._latency_shift = [
            (int(column), group.ahead_s)
            for (columns, _), group in zip(self._indices, settings.groups)
            if group.ahead_s and not settings.lock_step
            for column in columns
        ]
        allowed = {
            part.field: limit
            for group in settings.groups
            if group.tracking
            for part, limit in zip(group.parts, group.tracking)
        }
        self._allowed = [
            (number, int(self.limits.part[number, GROUP]), float(allowed[field.name]))
            for number, field in enumerate(settings.fields)
            if field.name in allowed
        ]
        self._apart = apart_of(settings)
        self.compared = [(group.name, group.measured[0]) for group in settings.groups if group.apart]
        self.joint_names = tuple(settings.capsules.joints.values()) if settings.capsules is not None else ()
        compared = {name for group in settings.groups if group.apart for name in group.measured}
        self.joints_apart = not compared.issuperset(self.joint_names)
        component_names = np.array(settings.spec.component_names, dtype=object)
        for columns, names in self._indices:
            if len(names) == len(columns):
                component_names[columns] = names
        self.plausibility = Plausibility(settings, component_names.tolist())
        self._group = self.limits.part[:, GROUP]
        self._names = [field.name for field in settings.fields]
        self._group_names = [group.name for group in settings.groups]
        self._rest = np.array(settings.rest or np.full(self.dim, np.nan))
        # Stream -> the groups that it measures.
        self._names_of = [set(group.measured) for group in settings.groups]
        self._groups_of = {
            name: np.array([bool(names & set(stream.names)) for names in self._names_of])
            for name, stream in settings.streams.items()
        }
        self.no_groups = np.zeros(len(settings.groups), dtype=bool)
        self.unchecked = np.array([bool(group.apart) and not group.tracking for group in settings.groups])
        self.all_groups = np.ones(len(settings.groups), dtype=bool)
        finishing = {part.field for group in settings.groups if group.finishes for part in group.parts}
        # Columns of tools, which may stay at their first command although they are measured elsewhere.
        self._tool_columns = np.zeros(self.dim, dtype=bool)
        self._displaced = np.full(len(settings.fields), np.inf)
        for number, field in enumerate(settings.fields):
            part = slices[field.name]
            if field.name in finishing and np.isfinite(self.limits.low[part]).all():
                self._tool_columns[part] = True
                self._displaced[number] = DISPLACED_SHARE * float(
                    np.max(self.limits.high[part] - self.limits.low[part])
                )

    def written(self, measured: np.ndarray, samples: Iterable[StateSample]) -> np.ndarray:
        """The measured state (dim,) updated by newer samples.

        Args:
            measured: (dim,) before, or empty; left unchanged.
            samples: sound ones.

        Raises:
            InputError: the values of a group have another size than its fields: the settings are wrong.
        """
        result = measured.tolist() if len(measured) else [math.nan] * self.dim  # numbers: arrays this small are slower
        for sample in samples:
            values = sample.values
            for (columns, names), names_set in zip(self._indices, self._names_of):
                if names_set.isdisjoint(values):
                    continue
                try:
                    numbers = [number for name in names for number in values[name].ravel().tolist()]
                except KeyError as error:
                    raise InputError(
                        f"state '{error.args[0]}'",
                        expected=f"in one stream with {', '.join(names)}",
                        got=", ".join(values),
                    ) from None
                if len(numbers) != len(columns):
                    raise InputError(
                        f"state of {', '.join(names)}", expected=f"{len(columns)} numbers", got=str(len(numbers))
                    )
                for column, number in zip(columns, numbers):
                    result[column] = number
        return np.array(result)

    def joints(self, known: np.ndarray, samples: Iterable[StateSample]) -> np.ndarray:
        """Positions (n,) of the joints of the capsules' model; empty until all are measured."""
        if not self.joint_names:
            return known
        result = known.tolist() if len(known) else [math.nan] * len(self.joint_names)
        for sample in samples:
            values = sample.values
            result = [
                values[name].item() if name in values else before for name, before in zip(self.joint_names, result)
            ]
        return np.array(result)

    def compensate_latency(self, values: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Rows of targets, each tool's shifted in time by how much its sink's latency differs from the arm's.

        Args:
            values: (rows, dim).
            before: (dim,) position of the path when the first row begins.
        """
        if not self._latency_shift:
            return values
        result, moments = values.copy(), np.arange(len(values) + 1) * self.settings.period_s
        for column, ahead_s in self._latency_shift:
            known = np.concatenate([[before[column]], values[:, column]])
            result[:-1, column] = np.interp(moments[1:-1] + ahead_s, moments, known)  # all end where they were to end
        return result

    def missing(self, measured: np.ndarray) -> str:
        """Names that must be measured before the first command; empty when nothing is missing."""
        lacking = [
            group
            for group, (columns, names) in zip(self._group_names, self._indices)
            if names and (not len(measured) or np.isnan(measured[columns]).any())
        ]
        return ", ".join(lacking)

    def seed(self, measured: np.ndarray) -> np.ndarray:
        """The command (dim,) that leaves the robot where it is; a tool's within its limits."""
        known = measured if len(measured) else np.full(self.dim, np.nan)
        return self._bounded(np.where(np.isnan(known), self._rest, known))

    def _bounded(self, command: np.ndarray) -> np.ndarray:
        """The command (dim,) with its tools within their limits; whatever a driver reports, no tool is sent beyond."""
        return np.where(self._tool_columns, np.clip(command, self.limits.low, self.limits.high), command)

    def trusted(self, untrusted: frozenset[str]) -> np.ndarray:
        """(groups,) bool, which are measured by none of these streams."""
        if not untrusted:
            return self.all_groups
        result = self.all_groups.copy()
        for name in untrusted:
            result &= ~self._groups_of[name]
        return result

    def known(self, measured: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """The measured state (dim,) with NaN in the columns of all but some groups, (groups,) bool."""
        if groups is self.all_groups or groups.all() or not len(measured):
            return measured
        result = measured.copy()
        for chosen, (columns, _) in zip(groups, self._indices):
            if not chosen:
                result[columns] = np.nan
        return result

    def displaced(self, command: np.ndarray, measured: np.ndarray, distances: np.ndarray) -> np.ndarray:
        """(groups,) bool, which tools are so far from the command that they were moved.

        Only before a source is followed for the first time: a tool that holds an object is as far from its command.

        Args:
            command, measured: (dim,) and (dim,).
            distances: (fields,) between the two.
        """
        result = self.no_groups.copy()
        if len(distances) and (distances > self._displaced).any():
            # A tool is led no further than its limits, wherever it is measured.
            _, distances = self.distances(command, self._bounded(measured))
            result[self._group[distances > self._displaced]] = True
        return result

    def inside(self, measured: np.ndarray, command: np.ndarray) -> np.ndarray:
        """The measured state (dim,) clipped to the position limits, which are widened to include the command (dim,)."""
        return np.clip(measured, np.minimum(self.limits.low, command), np.maximum(self.limits.high, command))

    def seeded(self, command: np.ndarray, measured: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """The command (dim,) with some groups, (groups,) bool, at their measured values."""
        result = command.copy()
        for chosen, (columns, _) in zip(groups, self._indices):
            if chosen:
                result[columns] = measured[columns]
        return self._bounded(result)

    def apart(self, distances: np.ndarray) -> np.ndarray:
        """(groups,) bool, whether a group is further from the command than allowed while no source is followed."""
        result = np.zeros(len(self._group_names), dtype=bool)
        if len(distances):
            result[self._group[distances > self._apart]] = True
        return result

    def distances(self, command: np.ndarray, measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The displacement (tangent,) from the command to the measured state, and its length per field (fields,)."""
        displacement, result = np.empty(self.limits.tangent), np.empty(len(self._names))
        write_distances(self.limits, command, measured, displacement, result)
        return displacement, result

    def excess(self, distances: np.ndarray) -> tuple[float, ...]:
        """The tracking error per group as a multiple of the allowed one; 0 where none is set."""
        measured, worst = distances.tolist(), [0.0] * len(self._group_names)
        for number, group, allowed in self._allowed:
            ratio = measured[number] / allowed
            if ratio > worst[group]:  # never true of a NaN
                worst[group] = ratio
        return tuple(worst)

    def errors(self, distances: np.ndarray) -> dict[str, float]:
        """Field -> its distance, where it is measured."""
        return {name: each for name, each in zip(self._names, distances.tolist()) if each == each}
