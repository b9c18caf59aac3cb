"""Random lives of a gate: whatever happens to person, driver, streams and robot, tick by tick, and what must hold."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from robot.contract.loading import describe, load_contract
from robot.safety.gate import (
    ChunkSample,
    DriverSample,
    GateInputs,
    GateOutput,
    GateSettings,
    Mode,
    Now,
    Reason,
    Signal,
    StateSample,
)
from robot.safety.gate import inputs as events
from robot.safety.gate.core import Gate
from robot.safety.gate.from_contract import gate_settings
from robot.safety.gate.limits import gauge, write_difference
from robot.safety.gate.measuring import Measuring
from robot.safety.gate.stages.watch import UNTRUSTED
from robot.safety.gate.state import GateState

CONTRACTS = ("fr3_crisp", "ur5e_jtc", "xarm7", "panda_twin_crisp", "panda_twin", "inspire")
TICKS = 50
STARTS = (-1, 0, 5, 12, 20, 30, 45, 60)  # ticks that a source was followed before
ROUNDING = 1e-9
STOP_S = 0.15  # in which a command comes to a stand

# With one of these the command may do nothing but come to a stand, or begin anew where the robot is.
FORBIDDING = frozenset(
    {
        Reason.NOT_ENABLED,
        Reason.NOT_HELD,
        Reason.ALIVE_LOST,
        Reason.NO_ALIVE,
        Reason.ENABLE_LOST,
        Reason.ENABLE_GONE,
        Reason.STATE_STALE,
        Reason.STATE_FROZEN,
        Reason.STATE_BAD,
        Reason.STATE_GONE,
        Reason.STATE_JUMP,
        Reason.NO_STATE,
        Reason.DRIVER,
        Reason.DRIVER_SILENT,
        Reason.CROWD,
        Reason.LATCHED,
        Reason.PUBLISHER_CHANGED,
        Reason.INTERNAL,
    }
)


@cache
def gate_of(contract: str) -> tuple[Gate, np.ndarray, dict[str, float]]:
    """The gate of a contract, where its robot rests as an action (dim,), and the rest of its joints by name."""
    told = load_contract(contract)
    description = describe(told)
    settings = gate_settings(told, description)
    rest = dict(description.spec.rest)
    limits = Measuring(settings).limits
    place = np.clip(np.zeros(settings.spec.dim), limits.low, limits.high)
    for group in settings.groups:
        at = np.concatenate([np.arange(settings.spec.dim)[settings.spec.slices[part.field]] for part in group.parts])
        if len(group.measured) == len(at):
            place[at] = [rest.get(name, value) for name, value in zip(group.measured, place[at])]
    for each in settings.fields:
        where = settings.spec.slices[each.name]
        if each.is_rotation:
            place[where] = [1, 0, 0, 0, -1, 0]
        elif each.kind == "pose":
            place[where] = [0.45, 0.0, 0.3]
    return Gate(settings), place, rest


@dataclass
class Life:
    """One gate, and a world that misbehaves as a generator of random numbers says.

    Args:
        contract: of the gate.
        random: what is drawn.
    """

    contract: str
    random: np.random.Generator
    held: bool = True
    muted: set[str] = field(default_factory=set)
    driver: str = "running"
    wrong: str = ""
    robot: str = "follows"

    def __post_init__(self) -> None:
        self.gate, self.place, self.rest = gate_of(self.contract)
        self.settings: GateSettings = self.gate.settings
        self.state = GateState()
        self.now = Now(10**12, 10**18)
        self.tick_ns = round(self.settings.tick_s * 1e9)
        self.measured = self.place.copy()  # where the robot is; what is reported may be something else
        self.motion = np.zeros_like(self.place)
        self.chunks = 0
        self.outputs = 0
        self.crowds: dict[str, str] = {}
        self.reported = self.measured
        for given in ((events.ACTIVATE,), *[()] * round(self.settings.settle_s / self.settings.tick_s + 2)):
            self.step(given)

    def step(
        self, given: tuple[str, ...] = (), chunks: tuple[ChunkSample, ...] = (), person: tuple[ChunkSample, ...] = ()
    ) -> GateOutput:
        """One tick; then the robot goes on, and time."""
        self.reported = self._reported()
        inputs = GateInputs(
            self._states(),
            chunks,
            person,
            None if "alive" in self.muted else Signal(self.now.ros_ns, self.now.monotonic_ns, publisher="supervisor"),
            None if "held" in self.muted else Signal(self.now.ros_ns, self.now.monotonic_ns, self.held, "person"),
            None if "driver" in self.muted else DriverSample(self.driver, self.now.ros_ns, self.now.monotonic_ns),
            given,
            dict(self.crowds),
        )
        self.state, output = self.gate.step(self.state, inputs, self.now)
        self._move(output)
        self.outputs += 1
        self.now = replace(
            self.now, monotonic_ns=self.now.monotonic_ns + self.tick_ns, ros_ns=self.now.ros_ns + self.tick_ns
        )
        return output

    def chunk(self, values: np.ndarray, publisher: str = "policy") -> ChunkSample:
        self.chunks += 1
        return ChunkSample(
            self.settings.spec.component_names,
            values,
            self.now.ros_ns,
            self.settings.period_s,
            self.chunks,
            self.now.monotonic_ns,
            publisher,
        )

    def wander(self, rows: int, size: float) -> np.ndarray:
        """Targets (rows, dim) that go on from the last command by random steps."""
        start = self.state.command if len(self.state.command) else self.place
        steps = self.random.normal(0, size, self.settings.spec.dim)
        for each in self.settings.fields:
            if each.is_rotation:
                steps[self.settings.spec.slices[each.name]] *= 0.2
        return start + np.arange(1, rows + 1)[:, None] * steps

    def random_tick(self) -> GateOutput:
        """A tick in which something may happen."""
        draw = self.random.random()
        given: tuple[str, ...] = ()
        chunks: tuple[ChunkSample, ...] = ()
        person: tuple[ChunkSample, ...] = ()
        if draw < 0.12:
            given = (
                str(
                    self.random.choice(
                        [events.ENABLE, events.ENABLE, events.DISABLE, events.RESET, events.ACTIVATE, events.FAILED]
                    )
                ),
            )
        elif draw < 0.3:
            size = float(self.random.choice([0.0, 3e-3, 0.02]))
            chunks = (self.chunk(self.wander(int(self.random.integers(1, 20)), size)),)
        elif draw < 0.36:
            person = (self.chunk(self.wander(1, 5e-3), "hand"),)
        elif draw < 0.42:
            self.held = not self.held
        elif draw < 0.48:
            self.muted ^= {str(self.random.choice(["alive", "held", "driver", *self.settings.streams]))}
        elif draw < 0.52:
            self.driver = "running" if self.driver != "running" else "reflex"
        elif draw < 0.64:
            self.robot = str(self.random.choice(["follows", "follows", "lags", "blocked", "guided", "sags"]))
            self.motion = self.random.normal(0, 2e-3, len(self.place))
        elif draw < 0.72:
            self.wrong = "" if self.wrong else str(self.random.choice(["zeros", "turn", "nan", "huge", "frozen"]))
        elif draw < 0.74:
            self.crowds = {} if self.crowds else {next(iter(self.settings.streams)): "two of them"}
        elif draw < 0.75:
            self.now = replace(
                self.now, ros_ns=self.now.ros_ns + int(self.random.integers(-3, 4)) * 10**9, epoch=self.now.epoch + 1
            )
        return self.step(given, chunks, person)

    # -- the robot ----------------------------------------------------------------------------------------------------

    def _move(self, output: GateOutput) -> None:
        command = self.state.command if len(self.state.command) else self.place
        share = {"follows": 1.0, "lags": 0.1, "blocked": 0.0, "guided": 0.0, "sags": 1.0}[self.robot]
        if output.target is not None:
            self.measured = self.measured + share * (command - self.measured)
        if self.robot == "sags":
            self.measured = command - 0.01
        elif self.robot == "guided":
            self.measured = self.measured + self.motion

    def _reported(self) -> np.ndarray:
        if self.wrong == "zeros":
            zeros = np.zeros_like(self.measured)
            for field in self.settings.fields:
                if field.is_rotation:  # a rotation of nothing is the identity; zeros are none
                    zeros[self.settings.spec.slices[field.name]] = (1, 0, 0, 0, 1, 0)
            return zeros
        if self.wrong == "turn":
            return self.measured + 2 * np.pi
        if self.wrong == "nan":
            return self.measured * np.nan
        return self.measured * 1e200 if self.wrong == "huge" else self.measured

    def _states(self) -> dict[str, StateSample]:
        named = {}
        for group in self.settings.groups:
            at = np.concatenate(
                [np.arange(self.settings.spec.dim)[self.settings.spec.slices[part.field]] for part in group.parts]
            )
            if len(group.measured) == len(at):
                named.update({name: self.reported[[place]] for name, place in zip(group.measured, at)})
            elif group.measured:
                named.update({part.field: self.reported[self.settings.spec.slices[part.field]] for part in group.parts})
        found = {}
        for name, stream in self.settings.streams.items():
            if name in self.muted:
                continue
            values = {each: named.get(each, np.array([self.rest.get(each, 0.0)])) for each in stream.names}
            stamp_ns = self.now.ros_ns if self.wrong != "frozen" else 10**18
            found[name] = StateSample(values, stamp_ns, self.now.monotonic_ns)
        return found


class Watch:
    """What must hold of the commands of a life, tick by tick."""

    def __init__(self, life: Life) -> None:
        self.life, self.limits = life, life.gate.limits
        self.command = life.state.command
        self.step = life.state.sent.velocity * life.settings.tick_s
        self.forbidden_s = self.apart_s = 0.0
        self.leashed_s = STOP_S

    def see(self, output: GateOutput) -> None:
        """Hold a tick against the rules.

        Raises:
            AssertionError: a command moves though something forbids it.
        """
        tick_s, reasons = self.life.settings.tick_s, frozenset(output.reasons)
        before, step_before = self.command, self.step
        self.command, self.step = self.life.state.command, np.zeros(self.limits.tangent)
        leashed = any(reason.value.startswith("energy") for reason in reasons)
        self.leashed_s = 0.0 if leashed else self.leashed_s + tick_s
        still = output.mode is not Mode.RUN
        forbidden = still and not FORBIDDING.isdisjoint(reasons)
        self.forbidden_s = self.forbidden_s + tick_s if forbidden else 0.0
        self._require_presence(output, tick_s)
        if output.target is None or len(before) != len(output.target):
            return
        assert np.isfinite(output.target).all()
        displacement = self.step = self._difference(before, output.target)
        if Reason.SEEDED in reasons or Reason.EPOCH in reasons:
            return
        self._require_limits(before, output, displacement, tick_s)
        if not forbidden or not displacement.any():
            return
        # A leash follows a tool that is carried away, and comes to a stand too.
        standing = min(self.forbidden_s, self.leashed_s) > STOP_S + 2 * tick_s
        assert not standing, f"it still moves after {self.forbidden_s:.3f} s"
        towards = self._difference(before, self.life.state.measured)
        for group in range(self.limits.groups):
            own = self.life.gate.parts.motion.tangent(group)
            away, away_before = (-float(step[own] @ towards[own]) for step in (displacement, step_before))
            if away > ROUNDING:  # it only brakes
                assert away <= away_before + ROUNDING, f"group {group} moves away faster"

    def _require_presence(self, output: GateOutput, tick_s: float) -> None:
        """Nobody pulls back a robot that was moved while nobody may drive it."""
        life = self.life
        may_not = output.mode in (Mode.HOLD, Mode.FAULT) and not life.state.latch.enabled
        known = np.isfinite(life.reported).all() and UNTRUSTED.isdisjoint(output.reasons)
        apart = bool(may_not and known and len(self.command) and self._apart().any())
        self.apart_s = self.apart_s + tick_s if apart else 0.0
        assert self.apart_s <= 0.3 or output.target is None, "the robot was moved, and the old command stands"

    def _require_limits(self, before: np.ndarray, output: GateOutput, displacement: np.ndarray, tick_s: float) -> None:
        assert output.target is not None
        low, high = np.minimum(self.limits.low, before), np.maximum(self.limits.high, before)
        if any(reason.value.startswith("energy") for reason in output.reasons):
            # A leash goes with a tool that is carried out of the workspace, as far as that is.
            known = np.where(np.isfinite(self.life.state.measured), self.life.state.measured, before)
            low, high = np.minimum(low, known), np.maximum(high, known)
        assert (output.target >= low - 1e-6).all() and (output.target <= high + 1e-6).all()
        if not any(reason.value.startswith("energy") for reason in output.reasons):
            longest_s = 2 * tick_s  # a tick that was missed is made up for by no more
            assert (self._gauges(displacement / longest_s) <= 1.001).all()

    def _apart(self) -> np.ndarray:
        measuring = self.life.gate.parts.measuring
        return measuring.apart(measuring.distances(self.command, self.life.reported)[1])

    def _gauges(self, velocity: np.ndarray) -> np.ndarray:
        if not len(velocity):
            return np.zeros(self.limits.groups)
        return np.array([gauge(self.limits, group, 0, velocity) for group in range(self.limits.groups)])

    def _difference(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        result = np.empty(self.limits.tangent)
        write_difference(self.limits, first, second, result)
        return result


@cache
def begun(contract: str, ticks: int) -> Life:
    """A gate that has followed a source for some ticks; -1 for one that nobody has enabled."""
    life = Life(contract, np.random.default_rng(ticks + 1))
    if ticks >= 0:
        life.step((events.ENABLE,))
        life.step(chunks=(life.chunk(life.wander(20, 0.01)),))
    for _ in range(ticks):
        life.step()
    return life


def live(seed: int) -> None:
    """One random life of `TICKS` ticks.

    Raises:
        AssertionError: a rule was broken; with the seed.
    """
    random = np.random.default_rng(seed)
    life = copy(begun(CONTRACTS[seed % len(CONTRACTS)], int(random.choice(STARTS))))
    life.random, life.muted, life.crowds = random, set(), {}
    watch = Watch(life)
    for tick in range(TICKS):
        try:
            watch.see(life.random_tick())
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, {life.contract}, tick {tick}: {error}") from error
