"""Names of the topics and services of a graph, which is what `remap=` can rename. This module imports no ROS."""

from __future__ import annotations

from robot.contract.contract import Contract

TOPICS = (
    "policy/chunk",
    "policy/task",
    "teleop/target",
    "gate/sent",
    "gate/state",
    "recorder/state",
    "status",
    "alive",
    "enable_held",
    "episode",
    "outcome",
    "twin/scene",
    "twin/poses",
    "/clock",
    "/rosout",
    "/parameter_events",
)
SERVICES = {
    "twin": ("reset", "set_pause", "step"),
    "gate": (
        "enable",
        "reset",
        "dump",
        "change_state",
        "get_state",
        "get_available_states",
        "get_available_transitions",
        "get_transition_graph",
        "transition_event",
    ),
    "policy": ("start", "stop"),
    "teleop": (),
    "supervisor": ("stop", "resume"),
    "recorder": ("start", "stop", "save", "discard", "label", "pause"),
    "page": (),
}
OF_EVERY_NODE = (
    "describe_parameters",
    "get_parameter_types",
    "get_parameters",
    "list_parameters",
    "set_parameters",
    "set_parameters_atomically",
    "get_type_description",
)


def names_of(contract: Contract) -> tuple[str, ...]:
    """Topics and services of a graph with this contract, as its nodes name them."""
    services = [f"{node}/{name}" for node, own in SERVICES.items() for name in (*own, *OF_EVERY_NODE)]
    wires = [each.topic for part in (contract.state, contract.sinks) for each in part.values()]
    return tuple(dict.fromkeys([*TOPICS, *wires, *services]))
