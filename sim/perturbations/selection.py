"""The requested perturbations, their severities, and what an episode draws of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, Sequence
from zlib import crc32

import numpy as np

from robot.errors import InputError
from sim.perturbations.sizes import SIZES, WORST, load_sizes, require_known


@dataclass(frozen=True)
class PerturbationSelection:
    """Perturbations of a task.

    Args:
        severities: name -> 0 to 5.
        randomise: draw the severity of each again every episode, uniformly from 0 up to the one given.

    Raises:
        InputError: an unknown name, a severity out of range, or nothing to draw from.
    """

    severities: Mapping[str, int] = field(default_factory=dict)
    randomise: bool = False

    def __post_init__(self) -> None:
        for name, severity in self.severities.items():
            require_known(name)
            if isinstance(severity, bool) or not 0 <= severity <= WORST:
                raise InputError(f"severity of {name}", expected=f"0 to {WORST}", got=str(severity))
        if self.randomise and not self.severities:
            raise InputError(
                "randomise",
                expected="perturbations to draw from",
                got="none",
                way_out="Add for example perturbations.friction=3",
            )

    @classmethod
    def of(
        cls, perturbation: str | None, severity: int | None, perturbations: Mapping[str, int], randomise: bool
    ) -> PerturbationSelection:
        """Perturbations by a task's options: one name with a severity, or a mapping of several, or both.

        Raises:
            InputError: a name or a severity without the other, one name twice, or as the class.
        """
        if (perturbation is None) != (severity is None):
            missing, given = ("severity", "perturbation") if severity is None else ("perturbation", "severity")
            raise InputError(
                given,
                expected=f"a {missing} with it",
                got="none",
                way_out=f"Add for example {missing}={'3' if severity is None else 'friction'}",
            )
        severities = dict(perturbations)
        if perturbation is not None and severity is not None:
            if perturbation in severities:
                raise InputError(
                    f"perturbation '{perturbation}'",
                    expected="one severity",
                    got="another one in perturbations",
                    way_out="Leave one of them out",
                )
            severities[perturbation] = severity
        return cls(severities, randomise)

    @property
    def active(self) -> dict[str, int]:
        """Name -> severity of those above 0, in the order of application."""
        return {name: self.severities[name] for name in SIZES if self.severities.get(name)}

    def require_offered(self, offered: Sequence[str], where: str) -> None:
        """Refuse perturbations that a suite does not have.

        Args:
            offered: names of those that it has.
            where: id of the task, for the message.

        Raises:
            InputError: names the first one.
        """
        for name in self.severities:
            if name not in offered:
                raise InputError(
                    f"perturbation '{name}' of {where}",
                    way_out="The tasks of twin/ have all of them",
                    expected=f"one that its suite has: {', '.join(offered)}",
                )


def perturbed(
    options: Mapping[str, Any],
    *,
    perturbation: str | None = None,
    severity: int | None = None,
    perturbations: Mapping[str, int] | None = None,
    randomise: bool = False,
) -> dict[str, Any]:
    """A task's options with these perturbations in place of their own; unchanged where none is given.

    Args:
        options: of the task.
        perturbation, severity: one name with its severity, 0 to 5.
        perturbations: name -> severity, of several at once.
        randomise: draw each severity anew every episode, from 0 up to the one given.

    Raises:
        InputError: an unknown name, a severity out of range, one without the other.
    """
    given = {
        "perturbation": perturbation,
        "severity": severity,
        "perturbations": dict(perturbations or {}),
        "randomise": randomise,
    }
    PerturbationSelection.of(perturbation, severity, perturbations or {}, randomise)
    set_options = {
        name: value for name, value in given.items() if value is not None and value is not False and value != {}
    }
    kept = {name: value for name, value in options.items() if not set_options or name not in given}
    return {**kept, **set_options}


@dataclass(frozen=True, eq=False)
class Draw:
    """One perturbation in one episode.

    Args:
        name: of it.
        size: its dataclass of `sim.perturbations.sizes`.
        random: source of everything else that is drawn.
        record: what was drawn, as plain values; the perturbation adds to it.
    """

    name: str
    size: Any
    random: np.random.Generator
    record: dict[str, Any]


class EpisodeDraws:
    """The draws of an episode. Every perturbation has a random generator of its own, seeded by the episode's seed and
    its name: neither the task's start nor one perturbation depends on the others.

    Args:
        selection: perturbations and severities.
        seed: of the episode.
    """

    def __init__(self, selection: PerturbationSelection, seed: int) -> None:
        self._draws: dict[str, Draw] = {}
        for name, severity in selection.active.items():
            random = np.random.default_rng([seed, 2, crc32(name.encode())])
            if selection.randomise:
                severity = int(random.integers(severity + 1))
            if severity:
                self._draws[name] = Draw(name, load_sizes(name)[severity - 1], random, {"severity": severity})

    def __iter__(self) -> Iterator[Draw]:
        return iter(self._draws.values())

    def get(self, name: str) -> Draw | None:
        """The draw of one perturbation; None where the episode has none."""
        return self._draws.get(name)

    @property
    def record(self) -> dict[str, dict[str, Any]]:
        """Name -> its severity and what was drawn."""
        return {draw.name: dict(draw.record) for draw in self}
