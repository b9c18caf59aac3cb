"""Who is in a ROS graph already, seen from a short-lived process.

Two graphs in one domain and namespace command one robot. A lock reveals another program of this machine and user
(`real.connection.hosting.Claim`); a graph that `ros2 launch` started, of another user or on another machine is seen by
discovery alone. `tiller deploy` imports no ROS, so this module is a program too, and imports it only as such.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Mapping, Sequence

from real.ros.names import absolute
from robot.contract.contract import Contract
from robot.errors import InputError

# A graph with tiller's profile announces itself every 0.25 s, and was seen after 0.1 to 0.7 s. One with Fast DDS's own
# settings announces itself every 3 s: it may be missed here, and its commands are seen by the gate.
LOOK_S = 0.8
SETTLE_S = 0.15  # without anything new
TURN_S = 0.02
UNKNOWN = "_NODE_NAME_UNKNOWN_"  # of a publisher whose node's name is not known yet
PATIENCE_S = 5.0  # for the process that looks, on a busy machine
ENDING_S = 1.0  # for it to leave ROS
COMMANDERS = ("gate", "twin")  # nodes of which a namespace has one


@dataclass(frozen=True)
class Seen:
    """What is in a graph.

    Args:
        nodes: full names of the nodes in the namespace.
        publishers: command topic -> full names of the nodes that publish on it.
    """

    nodes: tuple[str, ...] = ()
    publishers: Mapping[str, tuple[str, ...]] | None = None


class GraphProbe:
    """A look at a graph that runs while other things are done; `close` ends it early.

    Its process begins to import ROS at once, which takes as long as the look itself.
    """

    def __init__(self) -> None:
        self._begun = False
        # A session of its own: a ctrl-C is for the process that waits for the answer.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "real.connection.discovery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def begin(self, namespace: str, topics: Sequence[str], environment: Mapping[str, str]) -> None:
        """Look at a namespace.

        Args:
            namespace: of the graph.
            topics: full names of the command topics.
            environment: for ROS, added to this process's own.
        """
        assert self._process.stdin is not None
        self._begun = True
        with suppress(BrokenPipeError):
            json.dump(
                {"namespace": namespace or "/", "topics": list(topics), "environment": dict(environment)},
                self._process.stdin,
            )
            self._process.stdin.write("\n")
            self._process.stdin.flush()

    def seen(self) -> Seen | None:
        """The nodes and publishers in the graph; None when the process gave no answer."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], 2 * PATIENCE_S)
        try:
            answer = json.loads(self._process.stdout.readline()) if ready else None
        except ValueError:
            return None
        return answer and Seen(
            tuple(answer["nodes"]), {name: tuple(nodes) for name, nodes in answer["publishers"].items()}
        )

    def close(self) -> None:
        """End it. Once it is in ROS it leaves by itself, in order: killed, it would leave its shared memory behind."""
        if not self._begun:
            self._process.kill()
        try:
            self._process.communicate(timeout=ENDING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


def command_topics(contract: Contract, namespace: str, remaps: Mapping[str, str]) -> tuple[str, ...]:
    """Full names of the topics on which a gate would command."""
    renamed = {absolute(name, namespace): target for name, target in remaps.items()}
    names = [absolute(sink.topic, namespace) for sink in contract.sinks.values()]
    return tuple(absolute(renamed.get(name, name), namespace) for name in names)


def require_alone(seen: Seen, namespace: str, domain: int, *, twin: bool, commands: bool) -> None:
    """Refuse to start a graph beside another one.

    Args:
        seen: in its domain.
        namespace: of the graph to start.
        domain: in which it would be.
        twin: whether a twin is to be started: another one would publish the same state.
        commands: whether the gate is to command: then nobody else may publish on its topics.

    Raises:
        InputError: there is a graph, with its nodes and the ways out.
    """
    where = f"domain {domain}, namespace '{namespace or '/'}'"
    remedy = "End it, or take another namespace=/NAME or ROS_DOMAIN_ID"
    single = [f"{namespace}/{name}" for name in COMMANDERS if twin or name != "twin"]
    if set(single) & set(seen.nodes):
        raise InputError(where, expected="no other graph", got=f"one with {', '.join(seen.nodes)}", way_out=remedy)
    busy = {name: nodes for name, nodes in (seen.publishers or {}).items() if nodes}
    if commands and busy:
        topic, nodes = next(iter(busy.items()))
        raise InputError(
            f"{where}: command topic {topic}",
            expected="no publisher but the gate to be",
            got=", ".join(nodes),
            way_out=f"{remedy}, or remap= the topic; shadow=true sends nothing",
        )


def main() -> int:
    """Read what to look at as a line of JSON; print what is in the namespace, and who publishes on the topics."""
    import rclpy
    from rclpy.node import Node
    from rclpy.signals import SignalHandlerOptions

    line = sys.stdin.readline()
    if not line:
        return 0  # the caller has ended
    request = json.loads(line)
    namespace, topics = request["namespace"], request["topics"]
    os.environ.update(request["environment"])
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    # A name that begins with '_' is hidden from lists of nodes.
    node = Node(
        f"_look_{os.getpid()}",
        namespace=namespace,
        use_global_arguments=False,
        enable_rosout=False,
        start_parameter_services=False,
    )
    within = namespace.rstrip("/")

    def look() -> tuple[list[str], dict[str, list[str]]]:
        nodes = [
            f"{where.rstrip('/')}/{name}"
            for name, where in node.get_node_names_and_namespaces()
            if not name.startswith("_") and (where == namespace or where.startswith(f"{within}/"))
        ]
        return sorted(set(nodes)), {
            topic: sorted(
                {
                    f"{each.node_namespace.rstrip('/')}/{each.node_name}"
                    for each in node.get_publishers_info_by_topic(topic)
                }
            )
            for topic in topics
        }

    started = changed = time.monotonic()
    current = look()
    while (now := time.monotonic()) - started < LOOK_S or now - changed < SETTLE_S or UNKNOWN in str(current):
        if now - started > PATIENCE_S:
            break
        time.sleep(TURN_S)
        if (fresh := look()) != current:
            current, changed = fresh, now
    print(json.dumps({"nodes": current[0], "publishers": current[1]}), flush=True)
    node.destroy_node()
    rclpy.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
