"""A ROS 2 graph as a run: checked beside what else is there, started, and supervised to its end."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable, Iterator, Mapping

from robot.errors import InputError, MissingExtraError
from tiller.runs.output import open_output

if TYPE_CHECKING:
    from real.connection.discovery import GraphProbe
    from real.connection.hosting import Claim
    from real.graph.graph import Deployment
    from robot.contract.contract import Contract

PAGE_TOKEN, PAGE_ADDRESS = "TILLER_PAGE_TOKEN", "page: http"


def run_graph(
    verb: str,
    deployment: Deployment,
    values: Mapping[str, Any],
    *,
    discovery: str | None,
    output: str | None,
    check: Callable[[], None] = lambda: None,
) -> int:
    """Start the processes of a deployment, and stay until one that matters or the person ends it.

    Args:
        verb: whose run it is.
        deployment: what runs.
        values: of the verb's options, for the record.
        discovery: `localhost` or `subnet`; None takes what ROS is told.
        output: folder of logs and flight records; None makes outputs/VERB/<date>.
        check: of what the processes need; called while the graph that is there is looked for.

    Returns:
        Exit status.

    Raises:
        MissingExtraError: there is no rclpy.
        InputError: another graph is there, or something is wrong with the deployment.
    """
    require_ros()
    from real.connection.discovery import GraphProbe
    from real.process.settings import require_settings

    require_settings()
    probe = GraphProbe()
    try:
        return _run(verb, deployment, values, probe, discovery, output, check)
    finally:
        probe.close()


def _run(
    verb: str,
    deployment: Deployment,
    values: Mapping[str, Any],
    probe: GraphProbe,
    discovery: str | None,
    folder: str | None,
    check: Callable[[], None],
) -> int:
    from real.connection.hosting import Claim
    from real.graph.graph import processes
    from real.graph.processes import run_processes
    from real.process.profile import require_shared_memory, write_profile
    from robot.contract.loading import load_contract

    require_shared_memory(len(processes(deployment)), reach=discovery)
    claim = Claim(deployment.namespace)
    mine = claim.take()
    contract = load_contract(deployment.contract)
    with _looked_round(probe, deployment, contract, discovery, claim if not mine else None):
        check()
    output = open_output(verb, values, folder)
    nodes = processes(replace(deployment, records=str(output.path.absolute())))
    with output.kept_if_used():
        profile = write_profile(output.path, reach=discovery, participants=len(nodes) + 4)
    for remark in profile.remarks:
        print(remark)
    print(
        f"Starting {', '.join(each.node for each in nodes)}; ctrl-C ends them, the gate first. Logs: {output.path}",
        flush=True,
    )
    token = secrets.token_urlsafe(24)

    def shown(node: str, line: str) -> str:
        """The address of the page with its token, which is in no log and on no command line."""
        return f"{line}#{token}" if node == "page" and line.startswith(PAGE_ADDRESS) else line

    try:
        return run_processes(nodes, profile.environment, output.path, own={"page": {PAGE_TOKEN: token}}, shown=shown)
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
