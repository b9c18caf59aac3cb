"""The processes of a deployment as data: what runs, with which parameters, and in which order it ends.

One gate is between every source of targets and the driver. It starts after the driver and ends before everything
else, so that the last command of a driver is the gate's own stop. No process restarts by itself: what restarts by
itself moves by itself.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Mapping

from real.graph.ros_arguments import require_value, ros_arguments
from real.ros.names import require_namespace, require_remaps
from real.ros.topics import names_of
from real.teleop.registry import device_kind
from robot.contract.loading import load_contract
from robot.errors import InputError, nearest

NODES = {
    "twin": "a robot and its task in simulation, behind the topics of the real one's driver",
    "gate": "the one node that commands the robot: checks, limits, holds",
    "policy": "chunks of actions from a checkpoint",
    "teleop": "a person's targets and enabling device: keyboard, gamepad, and what packages bring",
    "supervisor": "sign of life, and the status of everything in the terminal",
    "recorder": "episodes of what was observed and what was sent, into a dataset",
    "page": "cameras, robot and status in a browser on this machine; it commands nothing",
}
DEVICES = ("cpu", "cuda", "auto")


class End(IntEnum):
    """When a process is ended: gate first, driver last."""

    FIRST = 0
    MIDDLE = 1
    LAST = 2


@dataclass(frozen=True)
class NodeProcess:
    """A node in a process of its own.

    Args:
        node: a name of `NODES`.
        parameters: of the node; those that are None or empty are left to the node.
        namespace: of its topics, `/left`.
        remaps: topic -> the name that it has here.
        end: when it is ended.
        essential: whether the graph ends when it does.
        terminal: whether it reads the keyboard.
    """

    node: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    namespace: str = ""
    remaps: Mapping[str, str] = field(default_factory=dict)
    end: End = End.MIDDLE
    essential: bool = False
    terminal: bool = False

    @property
    def module(self) -> str:
        return module_of(self.node)

    @property
    def command(self) -> list[str]:
        """The command line, with this process's own interpreter."""
        return [
            sys.executable,
            "-P",
            "-m",
            "tiller",
            "node",
            self.node,
            *ros_arguments(self.parameters, self.namespace, self.remaps),
        ]


@dataclass(frozen=True)
class Deployment:
    """What a graph is made from.

    Args:
        contract: name or file of the robot's contract.
        twin: whether the contract is a twin's, which is then started; a robot's driver is started elsewhere.
        task: of the twin, `twin/lift`; empty for the robot alone.
        checkpoint: folder of the policy; empty for none.
        embodiment: of a policy of several; empty takes the one that was trained for the contract.
        instruction: of the policy; empty leaves it to the task.
        namespace: of the robot's topics.
        teleop: a device's name in `real.teleop.registry`; empty for nobody.
        supervisor: start the supervisor.
        record: folder of a dataset into which takes are recorded; empty for none.
        page: serve the local page.
        shadow: the gate computes and logs, and sends nothing.
        lock_step: the twin waits for the policy; records are those of an evaluation in one process.
        clock: the twin's time, on `/clock`, is everybody's.
        speed: of the twin against real time.
        seed: of the twin's first start, and of the policy's noise on a robot.
        device: where the policy computes.
        delay_steps: rows that pass while a plan is made, which the plan continues; -1 takes what is measured.
        records: folder of the gate's flight records; empty is the working folder.
        parameters: node -> further parameters of it.
        remaps: topic -> the name that it has here.
    """

    contract: str
    twin: bool = False
    task: str = ""
    checkpoint: str = ""
    embodiment: str = ""
    instruction: str = ""
    namespace: str = ""
    teleop: str = ""
    supervisor: bool = True
    record: str = ""
    page: bool = False
    shadow: bool = False
    lock_step: bool = False
    clock: bool = False
    speed: float = 1.0
    seed: int = 0
    device: str = "cpu"
    delay_steps: int = 0
    records: str = ""
    parameters: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    remaps: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, own in self.parameters.items():
            module_of(name)
            for key, value in own.items():
                require_value(f"parameters: {name}: {key}", value)
        require_value("seed", self.seed)
        if self.teleop:
            device_kind(self.teleop)
        if self.device not in DEVICES:
            raise InputError(
                "device",
                expected=f"one of {', '.join(DEVICES)}",
                got=f"'{self.device}'",
                way_out=nearest(self.device, DEVICES),
            )
        require_namespace(self.namespace)
        if self.remaps:
            require_remaps(self.remaps, names_of(load_contract(self.contract)), self.namespace)
        if not self.twin and (self.task or self.lock_step or self.clock or self.speed != 1.0):
            raise InputError(
                "task, lock_step, clock and speed",
                expected="the contract of a twin",
                got=f"contract {self.contract}, which is a robot's",
            )


def processes(deployment: Deployment) -> tuple[NodeProcess, ...]:
    """The processes of a deployment, in the order in which they start."""
    simulated = deployment.clock or deployment.lock_step
    common = {"contract": deployment.contract, "use_sim_time": simulated or None}
    shared = {"namespace": deployment.namespace, "remaps": deployment.remaps}

    def node(
        name: str,
        parameters: Mapping[str, object],
        end: End = End.MIDDLE,
        essential: bool = False,
        terminal: bool = False,
    ) -> NodeProcess:
        values = {**common, **parameters, **deployment.parameters.get(name, {})}
        how = {"end": end, "essential": essential, "terminal": terminal}
        return NodeProcess(name, values, **how, **shared)  # type: ignore[arg-type]

    nodes = []
    if deployment.twin:
        # The twin makes the time that the others follow.
        own = {
            "use_sim_time": None,
            "task": deployment.task,
            "seed": deployment.seed,
            "speed": deployment.speed,
            "clock": simulated,
            "lock_step": deployment.lock_step,
        }
        nodes.append(node("twin", own, End.LAST, essential=True))
    nodes.append(
        node(
            "gate",
            {"shadow": deployment.shadow, "lock_step": deployment.lock_step, "records": deployment.records},
            End.FIRST,
            essential=True,
        )
    )
    if deployment.supervisor:
        nodes.append(node("supervisor", {}))
    if deployment.checkpoint:
        nodes.append(
            node(
                "policy",
                {
                    "checkpoint": deployment.checkpoint,
                    "embodiment": deployment.embodiment,
                    "task": deployment.task,
                    "instruction": deployment.instruction,
                    "seed": deployment.seed,
                    "device": deployment.device,
                    "delay_steps": deployment.delay_steps,
                    "lock_step": deployment.lock_step,
                },
            )
        )
    if deployment.record:
        own = {"store": deployment.record, "instruction": deployment.instruction, "policy": deployment.checkpoint}
        # Without it a person would demonstrate for nothing: the graph ends, and with it the motion.
        nodes.append(node("recorder", own, essential=True))
    if deployment.page:
        bound = {name: value for name, value in deployment.parameters.get("teleop", {}).items() if name == "bindings"}
        nodes.append(node("page", {"device": deployment.teleop or None, **bound}))
    if deployment.teleop:
        terminal = device_kind(deployment.teleop).needs_terminal
        nodes.append(node("teleop", {"device": deployment.teleop}, terminal=terminal))
    return tuple(nodes)


def module_of(node: str) -> str:
    """The module of a node, by its name or by that of its executable.

    Raises:
        InputError: there is none of that name.
    """
    name = node.removesuffix("_node")
    if name not in NODES:
        raise InputError(f"node '{node}'", expected=f"one of {', '.join(NODES)}", way_out=nearest(name, NODES))
    return f"real.nodes.{name}_node"
