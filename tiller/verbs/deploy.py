"""`tiller deploy`: the ROS 2 graph of a robot, or of its twin, as supervised processes."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Iterator, Mapping, Sequence

from robot.description import to_json
from robot.description.ranges import Range
from robot.errors import InputError, MissingExtraError
from tiller.command_line.command import run_configured
from tiller.configuration.compose import Configuration
from tiller.runs.output import open_output

if TYPE_CHECKING:
    from real.connection.discovery import GraphProbe
    from real.connection.hosting import Claim
    from real.graph.graph import Deployment
    from robot.contract.contract import Contract


@dataclass(frozen=True)
class DeployOptions:
    """What `tiller deploy` takes.

    Args:
        contract: of the robot, a name of configs/contract or a file. A twin is started; a robot's driver is started
            elsewhere.
        task: of a twin, such as twin/lift; null for the robot alone.
        checkpoint: folder of the policy; null for none.
        instruction: what the policy is told to do; null leaves it to the task.
        namespace: of the robot's topics, such as /left; null for none.
        teleop: a person's device, such as gamepad or keyboard; null for nobody.
        supervisor: start the supervisor.
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
    instruction: str | None = None
    namespace: str | None = None
    teleop: str | None = None
    supervisor: bool = True
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
    from real.connection.discovery import GraphProbe
    from real.process.settings import require_settings

    options = configuration.options
    require_ros()
    require_settings()
    probe = GraphProbe()
    try:
        return _run(options, probe)
    finally:
        probe.close()


def _run(options: DeployOptions, probe: GraphProbe) -> int:
    from real.connection.hosting import Claim
    from real.graph.graph import Deployment, processes
    from real.graph.processes import run_processes
    from real.policy.source import require_source
    from real.process.profile import require_shared_memory, write_profile
    from real.ros.names import require_namespace
    from robot.contract.loading import load_contract

    contract = load_contract(options.contract)
    deployment = Deployment(
        contract=options.contract,
        twin=contract.plant == "twin",
        task=options.task or "",
        checkpoint=options.checkpoint or "",
        instruction=options.instruction or "",
        namespace=require_namespace(options.namespace or ""),
        teleop=options.teleop or "",
        supervisor=options.supervisor,
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
    require_shared_memory(len(processes(deployment)), reach=options.discovery)
    claim = Claim(deployment.namespace)
    mine = claim.take()
    with _looked_round(probe, deployment, contract, options.discovery, claim if not mine else None):
        if deployment.checkpoint:
            require_source(deployment.checkpoint, contract)
    output = open_output("deploy", to_json(options), options.output)
    nodes = processes(replace(deployment, records=str(output.path.absolute())))
    with output.kept_if_used():
        profile = write_profile(output.path, reach=options.discovery, participants=len(nodes) + 4)
    for remark in profile.remarks:
        print(remark)
    print(
        f"Starting {', '.join(each.node for each in nodes)}; ctrl-C ends them, the gate first. Logs: {output.path}",
        flush=True,
    )
    try:
        return run_processes(nodes, profile.environment, output.path)
    finally:
        claim.release()


@contextmanager
def _looked_round(
    probe: GraphProbe, deployment: Deployment, contract: Contract, reach: str | None, taken: Claim | None
) -> Iterator[None]:
    """Look for another graph while the block does something else, and refuse to go on beside one.

    Args:
        probe: not begun yet.
        deployment: to be started.
        contract: of its robot.
        reach: of discovery.
        taken: the lock, where another program of this machine has it.

    Raises:
        InputError: there is another graph; which, and the ways out.
    """
    from real.connection.discovery import command_topics, require_alone
    from real.process.profile import user_folder, write_profile
    from real.process.settings import domain_of

    topics = command_topics(contract, deployment.namespace, deployment.remaps)
    profile = write_profile(user_folder(), reach=reach)
    probe.begin(deployment.namespace, topics, profile.environment)
    yield
    seen = probe.seen()
    if seen is not None:
        require_alone(seen, deployment.namespace, domain_of(), twin=deployment.twin, commands=not deployment.shadow)
    if taken is not None:
        raise InputError(
            f"domain {domain_of()}, namespace '{deployment.namespace or '/'}'",
            expected="no other graph",
            got=f"one that {taken.holder()} is starting or runs",
            way_out="End it, or take another namespace=/NAME or ROS_DOMAIN_ID",
        )


def require_ros() -> None:
    """Refuse to go on where there is no rclpy.

    Raises:
        MissingExtraError: there is none.
    """
    from importlib.util import find_spec

    if find_spec("rclpy") is None:
        raise MissingExtraError("rclpy (ROS 2; or source an installed one)", "ros")
