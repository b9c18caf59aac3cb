"""The measured state as a command would say it, and how far the robot is from what it was told."""

from __future__ import annotations

from typing import Iterable, Sequence

import numpy as np

from robot.description.contract_names import effort_name
from robot.errors import InputError
from robot.safety.gate.inputs import StateSample
from robot.safety.gate.settings import GateSettings
from robot.safety.limits import bring_inside, limits_of, write_distances


class Measuring:
    """Puts measured values where they stand in a command.

    Args:
        settings: of the gate.

    Attributes:
        tracked: groups whose distance from the command means something.
    """

    def __init__(self, settings: GateSettings) -> None:
        self.settings = settings
        self.limits = limits_of(settings)
        self.dim = settings.spec.dim
        slices = settings.spec.slices
        # Of each group: where its fields stand, and the names that measure them.
        self._places = [
            (np.concatenate([np.arange(self.dim)[slices[part.field]] for part in group.parts]), group.measured)
            for group in settings.groups
        ]
        capped = [places for places, group in zip(self._places, settings.groups) if group.force is not None]
        self._pressing = [(int(place), effort_name(name)) for places, names in capped
                          for place, name in zip(places, names)]
        self._early = [(int(place), group.ahead_s) for (places, _), group in zip(self._places, settings.groups)
                       if group.ahead_s and not settings.lock_step for place in places]
        allowed = {part.field: limit for group in settings.groups if group.tracking
                   for part, limit in zip(group.parts, group.tracking)}
        self._allowed = np.array([allowed.get(field.name, np.inf) for field in settings.fields])
        self._group = self.limits.part[:, 4]
        self._names = [field.name for field in settings.fields]
        self._group_names = [group.name for group in settings.groups]
        self.tracked = [group.name for group in settings.groups if group.tracking]
        self._joints = tuple(settings.capsules.joints.values()) if settings.capsules is not None else ()
        self._rest = np.array(settings.rest or np.full(self.dim, np.nan))

    def written(self, measured: np.ndarray, samples: Iterable[StateSample]) -> np.ndarray:
        """The measured state (dim,) with newer samples in it.

        Args:
            measured: (dim,) before, or empty; left as it is.
            samples: sound ones.

        Raises:
            InputError: the values of a group have another size than its fields: the settings are wrong.
        """
        result = measured.copy() if len(measured) else np.full(self.dim, np.nan)
        for sample in samples:
            values = sample.values
            for places, names in self._places:
                if not names or not any(name in values for name in names):
                    continue
                at = 0
                for name in names:
                    value = values.get(name)
                    if value is None:
                        raise InputError(f"state '{name}'", expected=f"in one stream with {', '.join(names)}",
                                         got=", ".join(values))
                    size = np.size(value)
                    result[places[at : at + size]] = value
                    at += size
                if at != len(places):
                    raise InputError(f"state of {', '.join(names)}", expected=f"{len(places)} numbers", got=str(at))
        return result

    def efforts(self, known: np.ndarray, samples: Iterable[StateSample]) -> np.ndarray:
        """The efforts (dim,) with newer samples in them; empty while none is measured, or where none is capped."""
        if not self._pressing:
            return known
        result = known.copy() if len(known) else np.full(self.dim, np.nan)
        for sample in samples:
            for place, name in self._pressing:
                value = sample.values.get(name)
                if value is not None:
                    result[place] = abs(value.item())
        return result

    def tells_efforts(self, samples: Iterable[StateSample]) -> bool:
        """Whether an effort that is capped came."""
        return any(name in sample.values for sample in samples for _, name in self._pressing)

    def joints(self, known: np.ndarray, samples: Iterable[StateSample]) -> np.ndarray:
        """Positions (n,) of the joints of the capsules' model; empty until all are measured."""
        if not self._joints:
            return known
        result = known.copy() if len(known) else np.full(len(self._joints), np.nan)
        for sample in samples:
            for number, name in enumerate(self._joints):
                value = sample.values.get(name)
                if value is not None:
                    result[number] = value.item() if isinstance(value, np.ndarray) else value
        return result

    def ahead(self, values: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Rows of targets with those of slower tools earlier, and of quicker ones later.

        Args:
            values: (rows, dim).
            before: (dim,) where the path is when the first row begins.
        """
        if not self._early:
            return values
        result, moments = values.copy(), np.arange(len(values) + 1) * self.settings.period_s
        for place, ahead_s in self._early:
            known = np.concatenate([[before[place]], values[:, place]])
            result[:-1, place] = np.interp(moments[1:-1] + ahead_s, moments, known)  # all end where they were to end
        return result

    def missing(self, measured: np.ndarray) -> str:
        """Names of what must be measured before the robot can be told anything; empty when nothing is missing."""
        lacking = [group for group, (places, names) in zip(self._group_names, self._places)
                   if names and (not len(measured) or np.isnan(measured[places]).any())]
        return ", ".join(lacking)

    def seed(self, measured: np.ndarray) -> np.ndarray:
        """The command (dim,) that leaves the robot where it is."""
        known = measured if len(measured) else np.full(self.dim, np.nan)
        return np.where(np.isnan(known), self._rest, known)

    def let_go(self, measured: np.ndarray, groups: Sequence[str]) -> np.ndarray:
        """Where a stop comes to rest that lets go of a contact: (dim,), the measured state of some groups, else NaN."""
        goal = np.full(self.dim, np.nan)
        for name, (places, _) in zip(self._group_names, self._places):
            if name in groups:
                goal[places] = measured[places]
        bring_inside(self.limits, goal)  # else the command would be on its way for ever
        return goal

    def distances(self, command: np.ndarray, measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The way (tangent,) to the measured state, and each field's distance (fields,)."""
        way, result = np.empty(self.limits.tangent), np.empty(len(self._names))
        write_distances(self.limits, command, measured, way, result)
        return way, result

    def excess(self, distances: np.ndarray) -> tuple[float, ...]:
        """Of each group, how many times its allowed tracking error it is off; 0 where none is set."""
        ratios = (distances / self._allowed).tolist()
        worst = [0.0] * len(self._group_names)
        for group, ratio in zip(self._group.tolist(), ratios):
            worst[group] = max(worst[group], ratio) if ratio == ratio else worst[group]
        return tuple(worst)

    def errors(self, distances: np.ndarray) -> dict[str, float]:
        """Field -> its distance, where it is measured."""
        return {name: each for name, each in zip(self._names, distances.tolist()) if each == each}
