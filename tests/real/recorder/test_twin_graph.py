"""A recorder in a graph of processes: a twin whose task ends a take, a policy beside a person, and deaths."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from sensor_msgs.msg import JointState, Joy
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from data.store.dataset import Dataset
from data.store.names import Actor
from real.graph.graph import Deployment
from real.ros import qos
from real.ros.chunks import Tag, chunk_message
from real.ros.messages import values_of
from real.ros.signals import enable_message
from sim.experts.twin.press import PressExpert
from tests.real.graph_rig import Graph, View, graph_and_view, patient
from tests.real.motions import Beat

HORIZON, TURN_S = 16, 0.05


class Person:
    """A person who presses the button with a device, while a policy goes on planning to stay where it is.

    Args:
        view: of the graph.

    Attributes:
        state: the recorder's newest.
        presses: whether the person moves; else the robot is held where it is.
    """

    def __init__(self, view: View) -> None:
        self.view, node = view, view.node
        self.state: dict[str, Any] = {}
        self.presses, self._count = False, 0
        self._observation: dict[str, np.ndarray] = {}
        self._expert = PressExpert(TURN_S)
        self._resting: np.ndarray | None = None
        self._target = node.create_publisher(JointTrajectory, "teleop/target", qos.COMMAND)
        self._chunk = node.create_publisher(JointTrajectory, "policy/chunk", qos.COMMAND)
        self._enable = node.create_publisher(Joy, "enable_held", qos.STATE_OUT)
        node.create_subscription(String, "recorder/state", self._state_came, qos.LATCHED)
        node.create_subscription(JointState, "observation", self._observed, qos.STATE)
        self._beat = Beat(node, 0.02, self._hold)

    def end(self) -> None:
        self._beat.end()

    def begin(self) -> None:
        """Look at the scene, and press from now on."""
        self._expert.reset(self._observation, np.random.default_rng(3))
        self.presses = True

    def _state_came(self, message: String) -> None:
        self.state = json.loads(message.data)

    def _hold(self) -> None:
        if not self.view.sent or not self.view.poses:
            return
        now_ns = self.view.node.get_clock().now().nanoseconds
        self._enable.publish(enable_message(True, now_ns, "hand", taken=True))
        self._count += 1
        if self._resting is None:
            self._resting = self.view.sent[-1].target
        self._send(self._target, self._resting[None], "hand")
        if self._count % 5 == 0:
            self._send(self._chunk, np.repeat(self.view.sent[-1].target[None], HORIZON, axis=0), "policy")

    def _send(self, publisher: Any, values: np.ndarray, session: str) -> None:
        names, period = self.view.spec.component_names, self.view.spec.period_ns
        tag = Tag(session, None, self._count)
        publisher.publish(chunk_message(values, names, self.view.now_ns, period, tag))

    def _observed(self, message: JointState) -> None:
        self._observation = values_of(message)
        if self.presses:
            self._resting = np.asarray(self._expert.act(self._observation), np.float64)

    # -- the recorder -------------------------------------------------------------------------------------------------

    def ask(self, name: str) -> None:
        answer = self.view.call(Trigger, f"recorder/{name}", Trigger.Request())
        assert answer.success, answer.message

    def until(self, condition: Callable[[dict[str, Any]], Any], what: str) -> None:
        def holds() -> Any:
            return self.state and condition(self.state)

        try:
            self.view.until(holds, what, within_s=30.0)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.state}") from None

    def record(self, seconds: float) -> None:
        """Begin a take as soon as one may."""
        self.until(lambda state: state["state"] == "ready", "a recorder that is ready")
        self.ask("start")
        self.view.spin(seconds)


def let_the_gate_run(person: Person) -> None:
    """Whatever has happened while processes started: the gate is reset and enabled."""

    def runs() -> bool:
        person.view.call(Trigger, "gate/reset", Trigger.Request())
        for on in (False, True):
            person.view.call(SetBool, "gate/enable", SetBool.Request(data=on))
        person.view.spin(0.5)
        return not person.view.said[-1].startswith("fault")

    person.view.until(runs, "a gate that runs")


@pytest.mark.timeout(240)
def test_takes_on_a_twin_and_what_is_left_of_them_when_processes_die(domain: int, tmp_path: Path) -> None:
    contract, store = patient("panda_twin", tmp_path), tmp_path / "store"
    deployment = Deployment(contract, twin=True, task="twin/press", record=str(store))
    with graph_and_view(deployment, domain, tmp_path) as (graph, view):
        person = Person(view)
        let_the_gate_run(person)
        _the_task_ends_a_take_with_success(person)
        _a_fault_of_the_gate_ends_a_take(person)
        _a_recorder_that_is_killed_loses_the_open_take_alone(person, graph)
        _a_twin_that_is_started_anew_is_reset_to_the_next_seed(person, graph)
        person.end()
    dataset = Dataset.open(store)
    assert dataset.meta("seed").tolist() == [0, 1, 2] and dataset.meta("success").tolist() == [True, False, False]
    first = dataset.episode(0)
    assert (first.data["reward"][-1], first.data["terminated"][-1]) == (1, True)
    assert first.data["lamp.lit"].max() == 1 and first.data["front.image"].shape[1:] == (84, 84, 3)
    acts = first.data["actor"] == Actor.PERSON
    assert acts.mean() > 0.9 and first.data["intervention"][acts].mean() > 0.9
    stays = np.abs(first.data["wish"] - first.data["action"])[first.data["intervention"]]
    assert stays.max() > 1e-3, "the wish is the policy's own"


def _the_task_ends_a_take_with_success(person: Person) -> None:
    person.record(0.3)
    person.begin()
    person.until(lambda state: state["state"] == "ended", "the end of the task")
    assert (person.state["reason"], person.state["label"]) == ("the task is done", "success")
    person.presses = False
    person.ask("save")
    person.until(lambda state: state["saved"] == 1 and state["seed"] == 1, "a twin with the next seed")


def _a_fault_of_the_gate_ends_a_take(person: Person) -> None:
    let_the_gate_run(person)
    person.record(0.5)
    person.view.tell_faults("drop state/pose 1.0")
    person.until(lambda state: state["state"] == "ended", "a fault")
    assert person.state["reason"].startswith(("the gate is in fault", "pose is silent")), person.state
    person.view.tell_faults()
    person.ask("save")
    let_the_gate_run(person)
    person.until(lambda state: state["saved"] == 2, "saved")


def _a_recorder_that_is_killed_loses_the_open_take_alone(person: Person, graph: Graph) -> None:
    person.record(1.0)
    graph.signal("recorder", signal.SIGKILL)
    assert len(Dataset.open(graph.deployment.record)) == 2
    person.state = {}
    graph.start("recorder")
    person.until(lambda state: state["episodes"] == 2 and state["state"] == "ready", "a recorder again")
    assert "was not committed: dropped" in graph.lines("recorder")


def _a_twin_that_is_started_anew_is_reset_to_the_next_seed(person: Person, graph: Graph) -> None:
    person.record(0.5)
    graph.signal("twin", signal.SIGKILL)
    person.until(lambda state: state["state"] == "ended", "the twin's end")
    person.ask("discard")
    graph.start("twin")
    let_the_gate_run(person)
    person.until(lambda state: state["state"] == "ready" and state["seed"] == 2, "a twin with its seed")
    person.record(0.5)
    person.ask("save")
    person.until(lambda state: state["saved"] == 1, "saved")
