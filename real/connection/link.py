"""A program's connection to a graph: a node that spins in a thread of its own, its services, and the graph itself."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from threading import Event, Thread
from typing import Any, Iterator, Mapping

import numpy as np
import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from real.connection.hosting import Claim, OwnGraph
from real.connection.subscriptions import POLL_S, GraphSubscriptions
from real.graph.graph import Deployment, processes
from real.policy.source import require_source
from real.process.profile import require_shared_memory, write_profile
from real.process.run import TURN_S, leave, make_executor
from real.process.settings import log_folder
from real.ros import qos
from real.ros.chunks import Tag, chunk_message
from real.ros.clock import RosClock
from real.ros.guarded import Guarded, turn
from robot.contract.contract import Contract
from robot.description.action import ActionSpec
from robot.errors import InputError, TillerError, nearest

LOOK_S = 2.0  # for a graph that is there
STARTING_S = 60.0  # for one that another program of this machine has begun to start
ANSWER_S = 10.0
SERVICES = {
    "gate/enable": SetBool,
    "gate/reset": Trigger,
    "gate/dump": Trigger,
    "twin/reset": Trigger,
    "twin/set_parameters": SetParameters,
}


class Link:
    """Joins a graph, or starts a twin's.

    Args:
        contract: of the robot.
        deployment: what the graph is made from where it has to be started; its contract is the name or file.
        given: names of options that only a graph that is started can have.
        cameras: streams of images to subscribe to.
        start: whether to start one that is not there.
        folder: of its logs and flight records; None takes a temporary one.

    Attributes:
        subscriptions: newest messages of the graph.
        clock: the graph's time.
        session: under which chunks are sent.
        folder: of the logs and flight records.
        graph: that was started; None when it was there.
    """

    def __init__(
        self,
        contract: Contract,
        deployment: Deployment,
        given: tuple[str, ...],
        cameras: tuple[str, ...],
        start: bool,
        folder: str | Path | None,
    ) -> None:
        if deployment.checkpoint:
            require_source(deployment.checkpoint, contract)
        require_shared_memory(len(processes(deployment)) + 1)
        self._namespace, self.session = deployment.namespace, secrets.token_hex(4)
        self.graph: OwnGraph | None = None
        self._claim, self._kept = Claim(deployment.namespace), folder is not None
        self.folder = Path(folder or tempfile.mkdtemp(prefix="tiller-")).absolute()
        self._ending, self._closed = Event(), False
        profile = write_profile(self.folder, participants=len(processes(deployment)) + 4)
        remark = log_folder()[1]
        if remark:
            print(f"tiller: {remark}", file=sys.stderr)
        # A context of its own: a program may use rclpy besides, and ctrl-C stays the program's.
        self._context = Context()
        with _variables(profile.environment):
            rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
            self.node = Guarded(
                f"program_{self.session}",
                namespace=self._namespace,
                context=self._context,
                use_global_arguments=False,
                start_parameter_services=False,
                enable_rosout=False,
            )
        self.subscriptions = GraphSubscriptions(self.node, contract, cameras)
        self._chunk = self.node.create_publisher(JointTrajectory, "policy/chunk", qos.COMMAND)
        self._clients: dict[str, Any] = {
            name: self.node.create_client(kind, name)
            for name, kind in SERVICES.items()
            if contract.plant == "twin" or not name.startswith("twin")
        }
        self._executor = make_executor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = Thread(target=self._spin, name="tiller robot", daemon=True)
        self._thread.start()
        atexit.register(self.close)
        try:
            self._join_or_start(deployment, given, start, profile.environment)
        except BaseException:
            self.close()
            raise
        self.clock = RosClock(self.node)

    def call(self, name: str, request: Any = None, within_s: float = ANSWER_S) -> Any:
        """Call a service and wait for its answer.

        Raises:
            TillerError: nobody offers it, or no answer came.
        """
        client = self._clients[name]
        request = SERVICES[name].Request() if request is None else request
        if not self.subscriptions.until(client.service_is_ready, ANSWER_S):
            raise TillerError(
                f"nobody offers the service '{client.srv_name}'. robot.wait_until_ready() says what of "
                "the graph is missing"
            )
        future = client.call_async(request)
        if not self.subscriptions.until(future.done, within_s):
            client.remove_pending_request(future)
            raise TillerError(f"no answer of the service '{client.srv_name}' in {within_s:g} s")
        return future.result()

    def enable(self, enabled: bool) -> Any:
        """Ask the gate to follow somebody, or nobody."""
        return self.call("gate/enable", SetBool.Request(data=enabled))

    def seed(self, seed: int) -> None:
        """Set the seed of a twin's next episode."""
        self.call(
            "twin/set_parameters", SetParameters.Request(parameters=[Parameter("seed", value=seed).to_parameter_msg()])
        )

    @property
    def bound(self) -> bool:
        """Whether the gate expects chunks of this program: it was the last to send one, or has taken the gate over."""
        return self.subscriptions.sender == self.session

    def seize(self) -> None:
        """Bind the gate to this program: just enabled anew, it follows the first source that sends a chunk."""
        self.subscriptions.sender = self.session

    def send(self, values: np.ndarray, spec: ActionSpec, start_ns: int, chunk_id: int) -> None:
        """Publish a chunk (rows, dim)."""
        tag = Tag(self.session, self.subscriptions.episode.get("epoch"), chunk_id)
        self._chunk.publish(chunk_message(values, spec.component_names, start_ns, spec.period_ns, tag))

    def close(self) -> None:
        """Leave the graph; end it where this link started it. Only flight records are left."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        if self.graph is not None:
            self.graph.close()
        self._ending.set()
        self._thread.join()
        leave(self.node, self._executor, self._context)
        self._claim.release()
        if not self._kept and not any(self.folder.glob("*.tfr")):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _spin(self) -> None:
        while not self._ending.is_set() and self._context.ok():
            turn(self.node, self._executor, TURN_S)

    def _join_or_start(
        self, deployment: Deployment, given: tuple[str, ...], start: bool, environment: Mapping[str, str]
    ) -> None:
        mine = start and self._claim.take()
        there = self._look(LOOK_S if mine or not start else STARTING_S)
        if mine and not there:
            self.graph = OwnGraph(replace(deployment, records=str(self.folder)), environment, self.folder)
            self._simulate(deployment.clock or deployment.lock_step)
            return
        self._claim.release()
        if there and given:
            raise InputError(
                ", ".join(given),
                expected="options of a graph that is started here",
                got=f"a graph in '{self._namespace or '/'}' that is there already",
                way_out="Leave them out, end that graph, or take another namespace= or ROS_DOMAIN_ID",
            )
        if there:
            self._simulate(self.node.count_publishers("/clock") > 0)

    def _look(self, within_s: float) -> bool:
        """Whether there is a gate; whoever starts a graph makes one."""
        gate, deadline = ("gate", self._namespace or "/"), time.monotonic() + within_s
        while gate not in self.node.get_node_names_and_namespaces():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def _simulate(self, simulated: bool) -> None:
        if simulated:
            self.node.set_parameters([Parameter("use_sim_time", value=True)])


def deployment_of(contract: str, twin: bool, namespace: str, options: Mapping[str, Any]) -> Deployment:
    """The deployment of a graph, with the options that a program gave.

    Raises:
        InputError: there is no such option.
    """
    own = ("contract", "twin", "namespace", "records")
    known = [each.name for each in fields(Deployment) if each.name not in own]
    for name in options:
        if name not in known:
            raise InputError(f"option '{name}'", expected=f"one of {', '.join(known)}", way_out=nearest(name, known))
    return Deployment(contract, twin=twin, namespace=namespace, **options)


@contextmanager
def _variables(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables while a node is made, when the transport reads them; the program keeps its own."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
