"""The twin behind its emulated drivers, with the gate in front of it, closes as far as it is asked to."""

from __future__ import annotations

import numpy as np
import pytest

from robot.contract.loading import load_contract
from robot.control.goals import goal_tracker
from robot.control.sinks import SinkEncoder
from robot.safety.gate.core import Gate
from robot.safety.gate.from_contract import gate_settings
from robot.safety.gate.inputs import ChunkSample, DriverSample, GateInputs, Now, Signal, StateSample
from robot.safety.gate.reasons import lets_move
from robot.safety.gate.state import GateState
from sim.drivers import Command, DrivenTwin, Faults, parse_fault
from sim.drivers.ports import make_ports
from sim.drivers.senses import Senses
from sim.drivers.world import World

NEAR_M, WITHIN_S = 0.002, 2.0
TICK_S, TICK_NS = 0.01, 10_000_000
ROWS = 16


class Graph:
    """Gate and twin in one process: what they tell one another comes at once, and the gripper is measured at its rate.

    Args:
        name: of a contract.
    """

    def __init__(self, name: str) -> None:
        contract = self.contract = load_contract(name)
        self.world = World(contract, "")
        robot = self.world.robot
        self.twin = DrivenTwin(robot, make_ports(contract, robot.description))
        self.senses = Senses(contract, robot)
        settings = gate_settings(contract, robot.description)
        self.gate, self.state, self.names = Gate(settings), GateState(), settings.spec.component_names
        self.streams = {stream: each.names for stream, each in settings.streams.items()}
        self.encoders = {sink: SinkEncoder(contract, robot.description, sink) for sink in contract.sinks}
        self.tracker = goal_tracker(contract, robot.description, self.encoders["gripper"])
        self.steps = round(TICK_S / robot.scene.model.opt.timestep)
        self.now_ns, self.ticks, self.start = 10**9, 0, robot.hold_target
        self.goals: list[float] = []

    def step(self, asked: np.ndarray, *events: str) -> None:
        """One tick, with a chunk whose rows ask for widths (rows,) m."""
        now_ns, values = self.now_ns, self.senses.values()
        rows = np.repeat(self.start[None], len(asked), axis=0)
        rows[:, -1] = asked
        states = {
            stream: StateSample({name: values[name] for name in names}, now_ns, now_ns, "twin")
            for stream, names in self.streams.items()
            if self.ticks % round(1 / (self.contract.state[stream].rate_hz * TICK_S) + 0.5) == 0
        }
        chunk = ChunkSample(self.names, rows, now_ns, self.contract.period_s, self.ticks, now_ns, "policy")
        inputs = GateInputs(
            states,
            (chunk,) if self.ticks % 20 == 0 else (),
            alive=Signal(now_ns, now_ns),
            driver=DriverSample(self.twin.state, now_ns, now_ns),
            events=events,
        )
        self.state, output = self.gate.step(self.state, inputs, Now(now_ns, now_ns))
        if output.target is not None:
            self.tell("arm", output.target)
            part = self.encoders["gripper"].part
            if self.tracker.step(
                part(output.target), part(self.state.measured), now_ns, lets_move(output.mode, output.reasons)
            ):
                self.goals.append(float(output.target[-1]))
                self.tell("gripper", output.target)
        self.twin.advance(self.steps)
        self.now_ns, self.ticks = self.now_ns + TICK_NS, self.ticks + 1

    def tell(self, sink: str, target: np.ndarray) -> None:
        command = self.encoders[sink].encode(target)
        several = command.velocities is not None
        self.twin.receive(
            sink,
            Command(
                command.values if several else command.values[0],
                command.names,
                np.empty(0) if command.velocities is None else command.velocities,
                times_ns=np.round(command.times_s * 1e9).astype(np.int64),
                frame=command.frame,
            ),
        )

    def follow(self, seconds: float, first: float, last: float, ramp_s: float) -> None:
        """Have a policy ask for a ramp of the width that begins now, and then for its end."""
        begun_ns = self.now_ns
        for _ in range(round(seconds / TICK_S)):
            ends_s = (self.now_ns - begun_ns) * 1e-9 + self.contract.period_s * np.arange(1, ROWS + 1)
            self.step(np.interp(ends_s, [0.0, max(ramp_s, 1e-3)], [first, last]))

    @property
    def width(self) -> float:
        return float(self.senses.values()["gripper.width"][0])


@pytest.fixture(params=["panda_twin_crisp", "ur5e_twin_jtc"])
def graph(request: pytest.FixtureRequest) -> Graph:
    found = Graph(request.param)
    for event in ("activate", "enable"):
        found.step(np.full(ROWS, found.width), event)
    return found


@pytest.mark.parametrize("ramp_s", [0.0, 0.3, 0.8])
def test_the_fingers_close_and_open_as_far_as_they_are_asked_to(graph: Graph, ramp_s: float) -> None:
    first = graph.width
    assert first > 0.07
    graph.follow(WITHIN_S + max(ramp_s - 0.3, 0), first, 0.0, ramp_s)
    assert graph.width < NEAR_M, graph.goals
    graph.follow(WITHIN_S + max(ramp_s - 0.3, 0), 0.0, 0.06, ramp_s)
    assert graph.width == pytest.approx(0.06, abs=NEAR_M), graph.goals


def test_goals_that_are_lost_on_the_way_are_sent_again(graph: Graph) -> None:
    graph.twin.faults = Faults((parse_fault("drop command/gripper for 0.6", ["command/gripper"]),), graph.twin.now_ns)
    graph.follow(WITHIN_S + 0.6, graph.width, 0.0, 0.0)
    assert graph.width < NEAR_M and len(graph.goals) >= 2


def test_a_gripper_that_hears_nothing_is_reported(graph: Graph) -> None:
    graph.twin.faults = Faults((parse_fault("drop command/gripper", ["command/gripper"]),), graph.twin.now_ns)
    graph.follow(8.0, graph.width, 0.0, 0.3)
    assert graph.tracker.failed and graph.tracker.line.startswith("asked 0.000 m, stands at 0.0")
