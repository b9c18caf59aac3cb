"""`tiller deploy`: the ROS 2 graph of a robot, or of its twin, as supervised processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Mapping, Sequence

from robot.description import to_json
from robot.description.ranges import Range
from tiller.command_line.command import run_configured
from tiller.configuration.compose import Configuration
from tiller.runs.graph import require_ros, run_graph


@dataclass(frozen=True)
class DeployOptions:
    """What `tiller deploy` takes.

    Args:
        contract: of the robot, a name of configs/contract or a file. A twin is started; a robot's driver is started
            elsewhere.
        task: of a twin, such as twin/lift; null for the robot alone.
        checkpoint: folder of the policy; null for none.
        embodiment: of a policy of several; null takes the one of the task's name, or of the contract.
        instruction: what the policy is told to do; null leaves it to the task.
        namespace: of the robot's topics, such as /left; null for none.
        teleop: a person's device, such as gamepad or keyboard; null for nobody.
        supervisor: start the supervisor.
        record: folder of a dataset, into which a person or a program records takes; null for none.
        page: serve the local page: cameras, robot and status in a browser.
        shadow: the gate computes and logs, and sends nothing.
        lock_step: the twin waits for the policy; the records are those of tiller evaluate.
        clock: the twin's time, on /clock, is everybody's.
        speed: of the twin against real time.
        seed: of the twin's first start, and of the policy's noise on a robot.
        device: where the policy computes: cpu, cuda or auto.
        delay_steps: rows that pass while a plan is made, which the plan continues; -1 takes what is measured.
        parameters: further ones of nodes, as {node: {parameter: value}}.
        remap: topics that have other names here, as {topic: name}.
        discovery: localhost, or subnet for nodes on other machines; null takes ROS_AUTOMATIC_DISCOVERY_RANGE, else
            localhost.
        output: folder of logs and flight records; null makes outputs/deploy/<date>.
    """

    contract: str
    task: str | None = None
    checkpoint: str | None = None
    embodiment: str | None = None
    instruction: str | None = None
    namespace: str | None = None
    teleop: str | None = None
    supervisor: bool = True
    record: str | None = None
    page: bool = False
    shadow: bool = False
    lock_step: bool = False
    clock: bool = False
    speed: Annotated[float, Range(0.05, 20)] = 1.0
    seed: Annotated[int, Range(0, 2**63 - 1, note="64 bits")] = 0
    device: str = "cpu"
    delay_steps: Annotated[int, Range(-1, 1000)] = 0
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    remap: Mapping[str, str] = field(default_factory=dict)
    discovery: str | None = None
    output: str | None = None


def command(words: Sequence[str]) -> int:
    """Run the verb."""
    return run_configured("deploy", DeployOptions, run, words)


def run(configuration: Configuration[DeployOptions]) -> int:
    """Check all that can be checked, start the processes, and stay until one that matters or the person ends it."""
    require_ros()
    from real.graph.graph import Deployment
    from real.policy.source import require_source
    from real.ros.names import require_namespace
    from robot.contract.loading import load_contract

    options = configuration.options
    contract = load_contract(options.contract)
    deployment = Deployment(
        contract=options.contract,
        twin=contract.plant == "twin",
        task=options.task or "",
        checkpoint=options.checkpoint or "",
        embodiment=options.embodiment or "",
        instruction=options.instruction or "",
        namespace=require_namespace(options.namespace or ""),
        teleop=options.teleop or "",
        supervisor=options.supervisor,
        record=options.record or "",
        page=options.page,
        shadow=options.shadow,
        lock_step=options.lock_step,
        clock=options.clock,
        speed=options.speed,
        seed=options.seed,
        device=options.device,
        delay_steps=options.delay_steps,
        parameters=options.parameters,
        remaps=options.remap,
    )

    def check() -> None:
        if deployment.task:
            from sim.tasks.registry import task_info

            task_info(deployment.task)
        if deployment.checkpoint:
            require_source(deployment.checkpoint, contract)

    return run_graph(
        "deploy", deployment, to_json(options), discovery=options.discovery, output=options.output, check=check
    )
