"""A graph of real processes whose members can be killed, stopped and started anew, and a person's view of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import pytest
import rclpy
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.srv import SetParameters
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from real.graph.graph import Deployment, NodeProcess, processes
from real.graph.processes import child_environment
from real.process.profile import write_profile
from real.process.run import leave, make_executor
from real.ros import qos
from real.ros.messages import pose_values, time_of
from real.ros.signals import status_of
from robot.contract.loading import describe, load_contract
from robot.folders import configs_folder
from robot.safety.gate.from_contract import gate_settings
from tests.real.conftest import end_process

START_S, ANSWER_S, TURN_S = 60.0, 20.0, 0.01
LATE_S, GONE_S, ALIVE_S = 0.3, 1.2, 0.4
HEARD = qos.QoSProfile(reliability=qos.ReliabilityPolicy.RELIABLE, history=qos.HistoryPolicy.KEEP_LAST, depth=2000)


class Graph:
    """The processes of a deployment, each with its lines in a file.

    Args:
        deployment: which they are.
        folder: of their lines.
    """

    def __init__(self, deployment: Deployment, folder: Path) -> None:
        self.folder, self.deployment = folder, deployment
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._wanted: dict[str, NodeProcess] = {each.node: each for each in processes(deployment)}
        self._starts: Counter[str] = Counter()

    def start_all(self) -> None:
        """Start all at once, and wait until all are ready."""
        for node in self._wanted:
            self.start(node, wait=False)
        for node in self._wanted:
            self.wait_until_ready(node)

    def start(self, node: str, *, wait: bool = True, **parameters: object) -> None:
        """Start a process, with other parameters than the deployment's where they are given."""
        wanted = self._wanted.get(node) or NodeProcess(
            node, {"contract": self.deployment.contract}, self.deployment.namespace
        )
        wanted = replace(wanted, parameters={**wanted.parameters, **parameters})
        self._starts[node] += 1
        with self._log(node).open("wb") as log:
            self.running[node] = subprocess.Popen(
                wanted.command,
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if wait:
            self.wait_until_ready(node)

    def wait_until_ready(self, node: str) -> None:
        end = time.monotonic() + START_S
        while "ready after" not in self.lines(node):
            assert self.running[node].poll() is None and time.monotonic() < end, f"{node}: {self.lines(node)}"
            time.sleep(TURN_S)

    def lines(self, node: str) -> str:
        """What the newest process of a node has said."""
        return self._log(node).read_text(errors="replace")

    def signal(self, node: str, number: int) -> None:
        """Send a signal, and wait for the end where it is one that ends."""
        self.running[node].send_signal(number)
        if number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
            self.running[node].wait(timeout=ANSWER_S)

    def end(self, node: str) -> None:
        """End a process, if it has not."""
        self.running[node].send_signal(signal.SIGCONT)
        end_process(self.running[node])

    def close(self) -> None:
        """End the gate first and the twin last."""
        for node in sorted(self.running, key=lambda name: (name != "gate", name == "twin")):
            self.end(node)

    def _log(self, node: str) -> Path:
        return self.folder / f"{node}{self._starts[node]}.log"


@dataclass(frozen=True)
class Sent:
    """What the gate told the robot in a tick, and the moment for which, in ns of the graph's time."""

    time_ns: int
    target: np.ndarray
    reason: str


class View:
    """A node in the test's process that hears gate and robot, and calls their services.

    Args:
        executor: that turns it.
        contract: of the robot.
        namespace: of the graph.

    Attributes:
        sent: what the gate told, in order.
        said: lines of `gate/state`, in order.
        poses: (stamp in ns, measured position of the tcp (3) m), in order.
        status: newest page of each node: level, text and numbers.
        episode: what the twin said of its newest reset.
    """

    def __init__(self, executor: Executor, contract: str, namespace: str = "") -> None:
        self.contract = load_contract(contract)
        self.settings = gate_settings(self.contract, describe(self.contract))
        self.spec = self.settings.spec
        self.node = Node("view", namespace=namespace)
        self.executor = executor
        executor.add_node(self.node)
        self.sent: list[Sent] = []
        self.said: list[str] = []
        self.poses: list[tuple[int, np.ndarray]] = []
        self.status: dict[str, tuple[bytes, str, dict[str, str]]] = {}
        self.episode: dict[str, Any] = {}
        self._clients: dict[str, Any] = {}
        subscribe = self.node.create_subscription
        subscribe(JointTrajectory, "gate/sent", self._sent_came, HEARD)
        subscribe(PoseStamped, self.contract.state["pose"].topic, self._pose_came, HEARD)
        subscribe(String, "gate/state", lambda message: self.said.append(message.data), qos.LATCHED)
        subscribe(String, "episode", lambda message: self.episode.update(json.loads(message.data)), qos.LATCHED)
        subscribe(DiagnosticArray, "status", lambda message: self.status.update(status_of(message)), qos.STATUS)

    def close(self) -> None:
        self.executor.remove_node(self.node)
        self.node.destroy_node()

    # -- time ---------------------------------------------------------------------------------------------------------

    def until(self, condition: Callable[[], Any], what: str, within_s: float = ANSWER_S) -> None:
        """Let messages come until a condition holds."""
        end = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < end, f"not within {within_s} s: {what}; the gate said {self.said[-4:]}"
            self.executor.spin_once(timeout_sec=TURN_S)

    def spin(self, seconds: float) -> None:
        """Let messages come for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=TURN_S)

    @property
    def now_ns(self) -> int:
        """Stamp of the newest pose: the graph's time, as a policy sees it."""
        return self.poses[-1][0]

    @property
    def allowed_m(self) -> float:
        """Distance of the tcp from the command at which the gate holds."""
        return self.settings.groups[0].tracking[0]

    # -- what is asked of others --------------------------------------------------------------------------------------

    def call(self, kind: type, name: str, request: Any) -> Any:
        """Call a service of the graph; returns its answer."""
        client = self._clients.setdefault(name, self.node.create_client(kind, name))
        self.until(client.service_is_ready, f"service {name}")
        future = client.call_async(request)
        self.until(future.done, f"answer of {name}")
        return future.result()

    def tell_faults(self, *lines: str) -> None:
        """Faults of the twin, in the place of those that were told before."""
        request = SetParameters.Request(parameters=[Parameter("faults", value=list(lines) or [""]).to_parameter_msg()])
        result = self.call(SetParameters, "twin/set_parameters", request).results[0]
        assert result.successful, result.reason

    def enable(self, on: bool) -> None:
        self.call(SetBool, "gate/enable", SetBool.Request(data=on))

    def begin(self) -> None:
        """A twin at rest where it starts and a gate that follows nobody yet, whatever was before."""
        self.tell_faults()
        before = dict(self.episode)
        self.call(Trigger, "twin/reset", Trigger.Request())
        self.until(lambda: self.episode != before, "the reset")

        def recovered() -> bool:
            self.call(Trigger, "gate/reset", Trigger.Request())
            self.enable(False)
            self.enable(True)
            self.spin(0.1)
            return self.said[-1] in ("hold no_chunk", "hold not_held")

        self.until(recovered, "a gate that waits for a chunk")
        self.spin(0.2)
        self.sent, self.poses = self.sent[-1:], self.poses[-1:]
        self.said = self.said[-1:]

    def reasons(self, since: int = 0) -> list[str]:
        """What the gate said from a place of `said` on, without the modes."""
        return [line.split()[1] for line in self.said[since:]]

    def count(self, reason: str) -> int:
        """How often the gate has counted a reason, by its newest status page."""
        return int(self.status["gate"][2].get(f"count_{reason}", "0")) if "gate" in self.status else 0

    # -- what is heard ------------------------------------------------------------------------------------------------

    def _sent_came(self, message: JointTrajectory) -> None:
        self.sent.append(
            Sent(
                time_of(message.header.stamp),
                np.array(message.points[1].positions),
                message.header.frame_id.partition("|")[0],
            )
        )

    def _pose_came(self, message: PoseStamped) -> None:
        self.poses.append((time_of(message.header.stamp), pose_values(message)[0]))


def patient(contract: str, folder: Path, **changes: Any) -> str:
    """A shipped contract for a machine that does other things too: what is late for it is longer, and that is all.

    Args:
        contract: name of a twin's.
        folder: where the copy goes.
        changes: of its top level, such as `operator`.

    Returns:
        The copy's path.
    """
    told = yaml.safe_load((configs_folder() / "contract" / f"{contract}.yaml").read_text())
    for stream in told["state"].values():
        if stream["type"] != "image":
            stream.update(floor_s=LATE_S, fault_s=GONE_S)
    told["staleness"] = {**told.get("staleness", {}), "alive_s": ALIVE_S}
    file = folder / f"{contract}.yaml"
    file.write_text(yaml.safe_dump({**told, **changes}, sort_keys=False))
    return str(file)


@contextmanager
def graph_and_view(deployment: Deployment, domain: int, folder: Path) -> Iterator[tuple[Graph, View]]:
    """A graph that runs, and a view of it; both are gone afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in local_environment(domain, folder).items():
            patch.setenv(name, value)
        graph = Graph(replace(deployment, records=str(folder / "flight")), folder)
        rclpy.init()
        view = View(make_executor(), deployment.contract, deployment.namespace)
        try:
            graph.start_all()
            yield graph, view
        finally:
            leave(view.node, view.executor)
            graph.close()


def local_environment(domain: int, folder: Path) -> dict[str, str]:
    """Variables of a graph that nobody else meets, with the profile that `tiller deploy` writes."""
    found = {
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": str(folder / "ros_log"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    return {**found, **write_profile(folder, environment={**os.environ, **found}, participants=24).environment}
