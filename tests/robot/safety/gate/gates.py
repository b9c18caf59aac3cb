"""A gate with a robot behind it that follows exactly, for the tests of the gate."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from robot.description.loading import load_robot
from robot.safety.gate import (
    CapsuleSettings,
    ChunkSample,
    DriverSample,
    GateInputs,
    GateOutput,
    GateSettings,
    GroupSettings,
    LeashSettings,
    Now,
    PartSettings,
    Signal,
    StateSample,
    StreamSettings,
)
from robot.safety.gate.core import Gate
from robot.safety.gate.limits import gauge
from robot.safety.gate.state import GateState

MS = 1_000_000
START_NS = 1_000_000_000
SPEC = load_robot("panda").action_spec(0.05)
DOWN = np.array([1.0, 0, 0, 0, -1, 0])
HOME = np.array([0.45, 0.0, 0.22, *DOWN, 0.08])
SPEED, ACCELERATION, DECELERATION = 0.5, 4.0, 5.0
LOW, HIGH = (0.2, -0.4, 0.02), (0.75, 0.4, 0.6)

SETTINGS = GateSettings(
    SPEC.fields,
    0.05,
    (
        GroupSettings(
            "arm",
            (
                PartSettings("tcp.position", (SPEED,), (ACCELERATION,), (DECELERATION,), LOW, HIGH),
                PartSettings("tcp.rotation", (2.0,), (15.0,), (15.0,)),
            ),
            ("tcp.position", "tcp.rotation"),
            (0.05, 0.5),
            apart=(0.05, 0.5),
        ),
        GroupSettings(
            "gripper",
            (PartSettings("gripper.width", (0.4,), low=(0.0,), high=(0.08,)),),
            ("gripper.width",),
            finishes=True,
        ),
    ),
    {
        "pose": StreamSettings(("tcp.position", "tcp.rotation"), 0.02, 0.05, 0.5),
        "gripper": StreamSettings(("gripper.width",), 0.1, 0.2, 1.0),
    },
    driver_s=0.5,
)
FREE = replace(
    SETTINGS,
    groups=(
        GroupSettings(
            "arm", (PartSettings("tcp.position"), PartSettings("tcp.rotation")), ("tcp.position", "tcp.rotation")
        ),
        GroupSettings("gripper", (PartSettings("gripper.width"),), ("gripper.width",), finishes=True),
    ),
)


def line(step: Any, rows: int = 16, start: np.ndarray = HOME) -> np.ndarray:
    """Targets (rows, dim) that go on by a step (dim,) a row."""
    return start + np.arange(1, rows + 1)[:, None] * np.asarray(step, dtype=float)


def along(x: float = 0.0, y: float = 0.0, z: float = 0.0, width: float = 0.0) -> np.ndarray:
    """A step of a row."""
    return np.array([x, y, z, *np.zeros(6), width])


@dataclass
class Rig:
    """Steps a gate at 200 Hz. Everything that a healthy graph says is said in every tick, unless muted.

    Args:
        settings: of the gate.
        muted: of `pose`, `gripper`, `alive`, `held`, `driver`.
    """

    settings: GateSettings = SETTINGS
    muted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.gate, self.state = Gate(self.settings), GateState()
        self.now = Now(START_NS, START_NS)
        self.measured: np.ndarray | None = None  # stands in for following exactly
        self.outputs: list[GateOutput] = []
        self.velocities: list[np.ndarray] = []
        self.ticks: list[tuple[GateState, GateInputs, Now, GateOutput]] = []
        self.chunk_id = 0
        self.driver = "running"
        self.held, self.taken, self.session = True, False, "person"  # of the enabling device
        self.changes: dict[str, Any] = {}  # of the samples of `pose`

    @property
    def dt_ns(self) -> int:
        return round(self.settings.tick_s * 1e9)

    def inputs(self, **given: Any) -> GateInputs:
        """What a healthy graph says now."""
        at, since = self.now.ros_ns, self.now.monotonic_ns
        command = self.state.command if len(self.state.command) else HOME
        place = command if self.measured is None else self.measured
        states = {
            "pose": replace(
                StateSample({"tcp.position": place[:3].copy(), "tcp.rotation": place[3:9].copy()}, at, since, "arm"),
                **self.changes,
            ),
            "gripper": StateSample({"gripper.width": place[9:].copy()}, at, since, "hand"),
        }
        said: dict[str, Any] = {
            "states": {name: each for name, each in states.items() if name not in self.muted},
            "alive": None if "alive" in self.muted else Signal(at, since, publisher="supervisor"),
            "enable_held": None if "held" in self.muted else self.hand(),
            "driver": None if "driver" in self.muted else DriverSample(self.driver, at, since),
        }
        return GateInputs(**{**said, **given})

    def hand(self, **changes: Any) -> Signal:
        """What the enabling device says now."""
        signal = Signal(self.now.ros_ns, self.now.monotonic_ns, self.held, self.session, self.taken)
        return replace(signal, **changes)

    def chunk(self, values: np.ndarray, **changes: Any) -> ChunkSample:
        """A chunk from an observation that was made now."""
        self.chunk_id += 1
        return replace(
            ChunkSample(
                SPEC.component_names,
                np.asarray(values, dtype=np.float64),
                self.now.ros_ns,
                0.05,
                self.chunk_id,
                self.now.monotonic_ns,
                "policy",
                epoch=self.now.epoch,
            ),
            **changes,
        )

    def tick(self, **given: Any) -> GateOutput:
        """One tick with what is said now, then time goes on."""
        inputs, before = self.inputs(**given), self.state
        self.state, output = self.gate.step(before, inputs, self.now)
        self.ticks.append((before, inputs, self.now, output))
        self.outputs.append(output)
        self.velocities.append(self.state.sent.velocity)
        self.now = Now(self.now.monotonic_ns + self.dt_ns, self.now.ros_ns + self.dt_ns, self.now.epoch)
        return output

    def run(self, ticks: int) -> GateOutput:
        for _ in range(ticks):
            self.tick()
        return self.outputs[-1]

    def carry(self, displacement: np.ndarray, ticks: int) -> GateOutput:
        """Somebody moves the robot by a displacement (dim,) from where it is measured, within some ticks."""
        start = self.state.command.copy() if self.measured is None else self.measured.copy()
        for tick in range(1, ticks + 1):
            self.measured = start + displacement * tick / ticks
            self.tick()
        return self.outputs[-1]

    def started(self) -> Rig:
        """Active and enabled, with a state."""
        self.tick(events=("activate",))
        self.tick(events=("enable",))
        return self

    @property
    def commands(self) -> np.ndarray:
        """Targets (ticks, dim) that went out."""
        return np.array([each.target for each in self.outputs if each.target is not None])

    def speed(self, velocity: np.ndarray) -> float:
        """Of the arm, in parts of its limit."""
        return float(gauge(self.gate.limits, 0, 0, velocity))


# A ball on three slides over a table, beside a post.
GANTRY = """
<mujoco><worldbody>
  <geom name="table" type="plane" size="1 1 0.1"/>
  <geom name="post" type="capsule" size="0.03" fromto="0.45 0.3 0 0.45 0.3 0.6"/>
  <body name="carriage">
    <joint name="x" type="slide" axis="1 0 0"/> <joint name="y" type="slide" axis="0 1 0"/>
    <joint name="z" type="slide" axis="0 0 1"/>
    <geom name="ball" type="sphere" size="0.05"/> <site name="tcp"/>
  </body>
</worldbody></mujoco>
"""
CAPSULES = CapsuleSettings(
    GANTRY,
    {"x": "x", "y": "y", "z": "z"},
    (("table", "ball"), ("post", "ball")),
    {"tcp": "tcp.position"},
    slow_m=0.06,
    stop_m=0.01,
)


class GantryRig(Rig):
    """The rig with joints whose place is measured."""

    def inputs(self, **given: Any) -> GateInputs:
        inputs = super().inputs(**given)
        pose = inputs.states["pose"]
        joints = dict(zip("xyz", pose.values["tcp.position"][:, None]))
        return replace(inputs, states={**inputs.states, "pose": replace(pose, values={**pose.values, **joints})})


def near_collisions() -> list[Rig]:
    """A ball that is told to go into the table, and one that is told to go into the post."""
    rigs: list[Rig] = []
    for way in (along(z=-0.02), along(y=0.02)):
        rig = GantryRig(replace(SETTINGS, capsules=CAPSULES)).started()
        rig.tick(chunks=(rig.chunk(line(way, rows=60)),))
        rig.run(550)
        rigs.append(rig)
    return rigs


LEASH = LeashSettings(
    "arm",
    (600.0, 600.0, 600.0, 30.0, 30.0, 30.0),
    spring_j=0.1,
    force_n=10.0,
    power_w=5.0,
    latency_s=0.0,
    speeds=(0.2, 0.5),
)
# A tool that is blocked is no fault here: the leash is what holds.
LOOSE = replace(SETTINGS, groups=(replace(SETTINGS.groups[0], tracking=(), apart=()), SETTINGS.groups[1]))


def leashed(**changes: Any) -> Rig:
    """A gate over a spring with a budget."""
    return Rig(replace(LOOSE, leashes=(replace(LEASH, **changes),))).started()


def blocked_springs() -> list[Rig]:
    """Tools that do not move, drawn by springs that reach each of their limits."""
    rigs = []
    for changes in (
        {},
        {"force_n": 1e9},
        {"force_n": 1e9, "power_w": 0.05},
        {"force_n": 1e9, "spring_j": 0.4, "latency_s": 0.08, "speeds": (0.3, 0.5)},
    ):
        rig = leashed(**changes)
        rig.measured = HOME.copy()
        rig.tick(chunks=(rig.chunk(line(along(y=0.02), rows=30)),))
        rig.run(200)
        rigs.append(rig)
    return rigs
