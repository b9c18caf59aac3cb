"""How the maze behaves, beyond its layout."""

from __future__ import annotations

from dataclasses import dataclass

from robot.errors import InputError

PERIOD_S = 0.05  # of a policy
TICK_S = 0.001  # of the impedance law, the filter and the ledger
TICKS = 50
MAX_STEPS = 400
LONGEST_DELAY_S = 0.4  # with its jitter: what the queue of commands holds

PIN_KG = 2.5
PIN_DAMPING = 2.0  # N s/m
DAMPING_FACTOR = 1.4  # of sqrt(K m) in the law: a damping ratio of 0.7
HELD_N_PER_M = 300.0  # in force when an episode begins
GOAL_M = 0.010  # how near to the goal is there
STIFFNESS = (100.0, 1500.0)  # N/m, what the law takes
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

    wall: float = 2e4
    wall_damping: float = 0.1
    friction: tuple[float, float] = (0.2, 0.4)
    blocks: bool = True
    block_kg: float = 0.3
    floor_friction: float = 0.3
    delay_s: float = 0.0
    jitter_s: float = 0.0
    removal_s: float | None = None
    gate: bool = False
    gate_s: float = 4.0
    noise_n: float = 0.3
    drift_n: float = 0.0
    drift_s: float = 0.5
    start_m: float = 0.004
    effort_n: float = 100.0
    acceleration_mps2: float | None = None
    max_steps: int = MAX_STEPS

    def __post_init__(self) -> None:
        for name, low, high in (("wall", 1e3, 1e5), ("wall_damping", 0, 1), ("block_kg", 0.05, 5),
                                ("floor_friction", 0, 1), ("delay_s", 0, LONGEST_DELAY_S),
                                ("jitter_s", 0, LONGEST_DELAY_S - self.delay_s), ("gate_s", 0.5, 1e3),
                                ("noise_n", 0, 100), ("drift_n", 0, 100), ("drift_s", 0.01, 100),
                                ("start_m", 0, 0.005), ("effort_n", 1, 1e4), ("max_steps", 1, 1_000_000)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"maze option {name}", expected=f"{low:g} to {high:g}", got=f"{value:g}")
        if len(self.friction) != 2 or not 0 <= self.friction[0] <= self.friction[1] <= 1:
            raise InputError("maze option friction", expected="lowest and highest, 0 to 1", got=str(self.friction))
        for name in ("removal_s", "acceleration_mps2"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise InputError(f"maze option {name}", expected="0 or more, or none", got=f"{value:g}")

    @property
    def substeps(self) -> int:
        """Steps of the integration in a tick, so that the stiffest contact is followed with 40 a period or more."""
        lightest = min(self.block_kg, PIN_KG) if self.blocks else PIN_KG
        return max(1, int(-(-TICK_S * (self.wall / lightest) ** 0.5 // 0.15)))
