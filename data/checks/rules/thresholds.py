"""The rules by which an examination judges what a store holds, their thresholds, and what can be done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Mapping

from robot.description.ranges import Finite, Range
from robot.errors import InputError, nearest

_LOOK = "'tiller data view PATH' shows it"
_DELETE = "'tiller data delete' leaves the episode out"

RULES: Mapping[str, str] = {
    "frozen": f"{_LOOK}; {_DELETE}",
    "camera": "'tiller data split' parts what different cameras recorded; a size is mended by 'tiller data repair', "
    "which leaves the episode out",
    "gap": f"'tiller data resample' makes steps of one length; {_DELETE}",
    "rate": "The control period on record is wrong: 'tiller data resample' makes rows of one period",
    "drift": f"The clocks differ, or stamps were made from sample numbers: record it again; {_DELETE}",
    "idle": f"'tiller data trim' cuts idle ends; {_LOOK}",
    "jump": f"{_LOOK}; {_DELETE}",
    "limit": f"Compare units and order with the contract's; {_DELETE}",
    "doubled": "'tiller data delete' leaves one of them out",
}
"""Name of a rule -> what can be done about what it finds."""

ROWS_PER_SECOND = 10.0
"""Assumed where a store does not say its control period."""


@dataclass(frozen=True)
class Thresholds:
    """What an examination calls a fault.

    Args:
        frozen_s: seconds that a camera may give the same bytes while the robot moves.
        moved: share of its range by which a component must move meanwhile.
        gap_periods: periods that may be between two stamps; of a stream in its own periods, if these are longer.
        rate: share by which the median step between rows may differ from the control period.
        drift_periods: periods by which a stream may begin later or end earlier than the rows of its episode, or run
            over them at its end by more than at its start.
        idle_share: share of an episode's rows in which nothing may move and no action change.
        idle_speed: share of its range that a component moves in a second where it counts as still.
        jump: a component of the action may step so many times as far as its largest step in the median episode.
        limits: array, field or component of the action -> [lowest, highest], such as limits.gripper.width=[0,0.08];
            beside those that a contract on record declares.
        slack: share of its range by which a target may be outside of what a contract declares, and what was measured
            by 0.05 at least.
        ignore: rules to leave out.
        errors: rules of which a finding is an error, else they are warnings.
        period_s: seconds between rows, of a store that does not say; else 10 rows a second are assumed.

    Raises:
        InputError: there is no such rule, or a lowest value is above the highest.
    """

    frozen_s: Annotated[float, Range(0, 86_400, above=True)] = 0.5
    moved: Annotated[float, Range(0, 1, above=True)] = 0.05
    gap_periods: Annotated[float, Range(1, 1e6)] = 1.5
    rate: Annotated[float, Range(0, 1, above=True)] = 0.05
    drift_periods: Annotated[float, Range(1, 1e6)] = 3.0
    idle_share: Annotated[float, Range(0, 1)] = 0.5
    idle_speed: Annotated[float, Range(0, 1)] = 0.01
    jump: Annotated[float, Range(1, 1e6)] = 5.0
    limits: Mapping[str, tuple[Finite, Finite]] = field(default_factory=dict)
    slack: Annotated[float, Range(0, 10)] = 0.02
    ignore: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    period_s: Annotated[float, Range(0, 3600, above=True)] | None = None

    def __post_init__(self) -> None:
        for rule in (*self.ignore, *self.errors):
            if rule not in RULES:
                raise InputError(
                    "rules", expected=f"some of {', '.join(RULES)}", got=f"'{rule}'", way_out=nearest(rule, RULES)
                )
        for name, (low, high) in self.limits.items():
            if not low <= high:
                raise InputError(f"limits.{name}", expected="[lowest, highest]", got=f"[{low:g}, {high:g}]")
