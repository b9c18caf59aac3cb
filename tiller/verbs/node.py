"""`tiller node NAME`: one node of the graph in this process."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import Any, Sequence

from tiller.cli import INTERRUPTED
from tiller.command_line.command import HELP


def command(words: Sequence[str]) -> int:
    """Run the verb."""
    from real.graph.graph import NODES, module_of
    from real.graph.ros_arguments import arguments_of

    if not words or words[0] in HELP:
        print(help_text())
        return 0 if words else 2
    module = module_of(words[0])
    from tiller.configuration.compose import full_task
    from tiller.runs.graph import require_ros

    asked_for_help = any(word in HELP for word in words[1:])
    arguments = [] if asked_for_help else arguments_of([full_task(word) for word in words[1:]])

    require_ros()
    if asked_for_help:
        node = import_module(module)
        usage = getattr(node, "usage", lambda words: node.__doc__)
        print(f"{words[0]}: {NODES[words[0].removesuffix('_node')]}\n\n{usage(words[1:])}")
        return 0
    from real.process.profile import require_shared_memory, user_folder, write_profile
    from real.process.settings import log_folder, require_settings

    require_settings()
    require_shared_memory(1)
    remark = log_folder()[1]
    if remark:
        print(remark, file=sys.stderr)
    # Until the node listens to signals itself, in the middle of imports, where an interrupt comes out as anything.
    before = signal.signal(signal.SIGINT, _stopped)
    # Set before the node's process touches ROS; what a supervisor has set already is kept.
    os.environ.update(write_profile(user_folder()).environment)
    try:
        return import_module(module).main(arguments)
    finally:
        signal.signal(signal.SIGINT, before)


def _stopped(number: int, frame: Any) -> None:
    os.write(2, b"\nStopped.\n")
    os._exit(INTERRUPTED)


def help_text() -> str:
    """The nodes with one line each."""
    from real.graph.graph import NODES

    width = max(map(len, NODES))
    lines = [f"  {name.ljust(width)}  {text}" for name, text in NODES.items()]
    usage = "usage: tiller node NAME [parameter=value ...] [topic:=name ...] [--ros-args ...]"
    return "\n".join([usage, "", *lines, "", "tiller node NAME --help   what it does and its parameters"])
