"""`tiller teleop`: a person drives a robot or its twin, sees it on a page, and records episodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Mapping, Sequence

from robot.description import to_json
from robot.description.ranges import Range
from tiller.command_line.command import run_configured
from tiller.configuration.compose import Configuration
from tiller.runs.graph import require_ros, run_graph


@dataclass(frozen=True)
class TeleopOptions:
    """What `tiller teleop` takes.

    Args:
        robot: its contract, a name of configs/contract or a file. A twin is started; a robot's driver is started
            elsewhere.
        device: of the person: keyboard, gamepad, or another that is installed.
        output: folder of the dataset, made where there is none; null records nothing.
        task: of a twin, such as twin/lift; null for the robot alone.
        instruction: what is done; null leaves it to the task.
        operator: who demonstrates.
        episodes: to have in the end, for the plan of the day; 0 for none.
        cameras: that are recorded, such as [front]; [] for none, null takes all of the contract.
        checkpoint: folder of a policy that drives until the person takes over; null for none.
        seed: of the first episode; the next ones count up.
        resets: a twin begins another episode after each take.
        page: serve the local page: cameras, robot and status in a browser.
        host: address that the page is served at; others than 127.0.0.1 let other machines look.
        port: of the page; 0 takes a free one.
        speed: of a twin against real time.
        namespace: of the robot's topics, such as /left; null for none.
        parameters: further ones of nodes, as {node: {parameter: value}}.
        remap: topics that have other names here, as {topic: name}.
        discovery: localhost, or subnet for nodes on other machines; null takes ROS_AUTOMATIC_DISCOVERY_RANGE, else
            localhost.
        logs: folder of logs and flight records; null makes outputs/teleop/<date>.
    """

    robot: str
    device: str = "keyboard"
    output: str | None = None
    task: str | None = None
    instruction: str | None = None
    operator: str | None = None
    episodes: Annotated[int, Range(0, 1_000_000)] = 0
    cameras: tuple[str, ...] | None = None
    checkpoint: str | None = None
    seed: Annotated[int, Range(0, 2**63 - 1, note="64 bits")] = 0
    resets: bool = True
    page: bool = True
    host: str = "127.0.0.1"
    port: Annotated[int, Range(0, 65535)] = 8765
    speed: Annotated[float, Range(0.05, 20)] = 1.0
    namespace: str | None = None
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    remap: Mapping[str, str] = field(default_factory=dict)
    discovery: str | None = None
    logs: str | None = None


def command(words: Sequence[str]) -> int:
    """Run the verb."""
    return run_configured("teleop", TeleopOptions, run, words)


def run(configuration: Configuration[TeleopOptions]) -> int:
    """Start twin, gate, recorder, device and page, and stay until the person ends them."""
    require_ros()
    from real.graph.graph import Deployment
    from real.policy.source import require_source
    from real.ros.names import require_namespace
    from robot.contract.loading import load_contract

    options = configuration.options
    contract = load_contract(options.robot)
    own: dict[str, dict[str, Any]] = {
        "recorder": {
            "operator": options.operator or "",
            "goal": options.episodes,
            "seed": options.seed,
            "resets": options.resets,
            **({"cameras": list(options.cameras) or ["none"]} if options.cameras is not None else {}),
        },
        "page": {"host": options.host, "port": options.port},
    }
    started = {"recorder": bool(options.output), "page": options.page}
    parameters = {name: values for name, values in own.items() if started[name]}
    for name, values in options.parameters.items():
        parameters[name] = {**parameters.get(name, {}), **values}
    deployment = Deployment(
        contract=options.robot,
        twin=contract.plant == "twin",
        task=options.task or "",
        checkpoint=options.checkpoint or "",
        instruction=options.instruction or "",
        namespace=require_namespace(options.namespace or ""),
        teleop=options.device,
        record=str(Path(options.output).absolute()) if options.output else "",
        page=options.page,
        speed=options.speed,
        seed=options.seed,
        parameters=parameters,
        remaps=options.remap,
    )

    def check() -> None:
        if deployment.task:
            from sim.tasks.registry import task_info

            task_info(deployment.task)
        if deployment.checkpoint:
            require_source(deployment.checkpoint, contract)
        if deployment.record:
            from real.recorder.recording import require_place

            require_place(deployment.record, contract, deployment.task)

    return run_graph(
        "teleop", deployment, to_json(options), discovery=options.discovery, output=options.logs, check=check
    )
