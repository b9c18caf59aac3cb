"""Options of the maze's physics and sensing, beyond its layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from robot.description.ranges import Range, Share
from robot.description.record import require_ranges
from robot.errors import InputError

PERIOD_S = 0.05  # of a policy
TICK_S = 0.001  # of the impedance law, the filter and the ledger
TICKS = 50
MAX_STEPS = 400
LONGEST_DELAY_S = 0.4  # with its jitter: as much as the queue of commands holds

PIN_KG = 2.5
PIN_DAMPING = 2.0  # N s/m
DAMPING_FACTOR = 1.4  # of sqrt(K m) in the impedance law: a damping ratio of 0.7
HELD_N_PER_M = 300.0  # in force when an episode begins
GOAL_M = 0.010  # how near to the goal is there
STIFFNESS = (100.0, 1500.0)  # N/m, range of the impedance law
GATE_N_PER_M = 1000.0  # its edge is soft: it pushes and does not crush


@dataclass(frozen=True, kw_only=True)
class MazeOptions:
    """Options of the physics and of what is sensed.

    Args:
        wall: stiffness of the walls, N/m, 1e3 to 1e5.
        wall_damping: of the walls, as a ratio to the critical damping of the body that touches.
        friction: lowest and highest coefficient between all that touch; drawn anew each episode.
        blocks: whether the blocks are there.
        block_kg: mass of each.
        floor_friction: coefficient between blocks and floor.
        delay_s: from an action until its set-point and stiffness are in force.
        jitter_s: on top of it, drawn for each action between 0 and this; commands never overtake one another.
        removal_s: when the loose wall of the layout vanishes; None for never.
        gate: whether the gate of the layout opens and closes; else it is open.
        gate_s: period of the gate.
        noise_n: deviation of the noise of the wrench, N, each axis.
        drift_n: deviation of a slow noise on it (Ornstein-Uhlenbeck), N.
        drift_s: time constant of that one.
        start_m: how far from the centre of its cell the pin starts at most, each axis.
        effort_n: the most that the drive of an axis gives, N.
        acceleration_mps2: bound of the pin's acceleration that the torque filter counts on; None works it out.
        max_steps: steps of 50 ms until an episode is cut.
    """

    wall: Annotated[float, Range(1e3, 1e5)] = 2e4
    wall_damping: Share = 0.1
    friction: tuple[Share, Share] = (0.2, 0.4)
    blocks: bool = True
    block_kg: Annotated[float, Range(0.05, 5)] = 0.3
    floor_friction: Share = 0.3
    delay_s: Annotated[float, Range(0, LONGEST_DELAY_S)] = 0.0
    jitter_s: Annotated[float, Range(0, LONGEST_DELAY_S)] = 0.0
    removal_s: Annotated[float, Range(0, 1e6)] | None = None
    gate: bool = False
    gate_s: Annotated[float, Range(0.5, 1e3)] = 4.0
    noise_n: Annotated[float, Range(0, 100)] = 0.3
    drift_n: Annotated[float, Range(0, 100)] = 0.0
    drift_s: Annotated[float, Range(0.01, 100)] = 0.5
    start_m: Annotated[float, Range(0, 0.005)] = 0.004
    effort_n: Annotated[float, Range(1, 1e4)] = 100.0
    acceleration_mps2: Annotated[float, Range(0, 1e6)] | None = None
    max_steps: Annotated[int, Range(1, 1_000_000)] = MAX_STEPS

    def __post_init__(self) -> None:
        require_ranges(self, "maze option")
        if self.jitter_s > LONGEST_DELAY_S - self.delay_s:
            raise InputError(
                "maze option jitter_s",
                expected=f"0 to {LONGEST_DELAY_S - self.delay_s:g} beside delay_s",
                got=f"{self.jitter_s:g}",
            )
        if self.friction[0] > self.friction[1]:
            raise InputError("maze option friction", expected="lowest and highest, 0 to 1", got=str(self.friction))

    @property
    def substeps(self) -> int:
        """Steps of the integration per tick, so that the stiffest contact gets 40 or more per period."""
        lightest = min(self.block_kg, PIN_KG) if self.blocks else PIN_KG
        return max(1, int(-(-TICK_S * (self.wall / lightest) ** 0.5 // 0.15)))
