"""Why a robot may not move, as one sentence with its way out."""

from __future__ import annotations

import os
from typing import Sequence

from real.connection.subscriptions import GraphSubscriptions
from robot.contract.contract import Contract
from robot.contract.loading import operational_hash, semantic_hash
from robot.safety.gate.reasons import Kind, Reason

WAITING = (Reason.NO_CHUNK, Reason.STARVED)
"""Reasons of a gate that end with the next chunk."""

PEOPLES = (Reason.NOT_ENABLED, Reason.NOT_HELD, Reason.PUBLISHER_CHANGED, Reason.TRACKING, Reason.TAKEN)
"""Reasons that a person or the program ends at will: with these the graph itself is ready."""

_WAYS_OUT = {
    Reason.NOT_ENABLED: "Enable it: robot.enable()",
    Reason.NOT_HELD: "Hold the enabling device: tiller node teleop device=gamepad contract={contract}",
    Reason.ENABLE_LOST: "Look after the teleoperation's process: its signal does not come in time",
    Reason.NO_ALIVE: "Start the supervisor: tiller node supervisor contract={contract}",
    Reason.ALIVE_LOST: "Start the supervisor again, or ask it to go on: its service supervisor/resume",
    Reason.PUBLISHER_CHANGED: "End the other source, then robot.enable() hands the gate over",
    Reason.TAKEN: "Give it back at the enabling device, or where that has ended: robot.enable()",
    Reason.TRACKING: "See what holds it, then robot.enable()",
    Reason.DRIVER: "Recover the driver (docs/ros.md, 'After a fault'), then robot.recover()",
    Reason.DRIVER_SILENT: "Start the driver again, then robot.recover()",
    Reason.STATE_GONE: "Start the driver again, then robot.recover()",
    Reason.NOT_ACTIVE: "Activate it: ros2 lifecycle set gate activate",
}


def missing(subscriptions: GraphSubscriptions, contract: Contract, namespace: str) -> str:
    """Which part of the graph is absent, silent or another contract's; empty when all is there."""
    if not subscriptions.line or not subscriptions.status:
        return (
            f"no gate speaks on '{namespace}/gate/state' in ROS domain {os.environ.get('ROS_DOMAIN_ID', '0')}. "
            f"Start the robot's graph: tiller deploy contract={contract.name}"
            + (f" namespace={namespace}" if namespace else "")
        )
    theirs, ours = subscriptions.status.get("contract", ""), semantic_hash(contract)
    if theirs != ours:
        return (
            f"the gate in '{namespace or '/'}' has another contract: its hash is {theirs}, that of "
            f"'{contract.name}' is {ours}. Connect with its contract, or in another namespace or ROS_DOMAIN_ID"
        )
    silent = subscriptions.silent()
    if silent:
        topics = ", ".join(f"'{topic}'" + ("" if age_s is None else f" for {age_s:.1f} s") for topic, age_s in silent)
        what = "The twin has ended" if contract.plant == "twin" else "Is the driver running, in this ROS_DOMAIN_ID?"
        return f"nothing comes on {topics}. {what}"
    return ""


def differs(subscriptions: GraphSubscriptions, contract: Contract) -> str:
    """A warning where the gate has the same contract with other topics, rates or limits; else empty."""
    theirs, ours = subscriptions.status.get("operational", ""), operational_hash(contract)
    if theirs == ours:
        return ""
    return (
        f"the gate has another version of contract '{contract.name}': its topics, rates or limits are not those of "
        f"this program ({theirs}, here {ours}), and the gate's hold. Start both with the same file"
    )


def obstacle(subscriptions: GraphSubscriptions, contract: Contract, allowed: Sequence[Reason] = ()) -> str:
    """Why the gate would not follow a chunk; empty when it would.

    Args:
        subscriptions: with the gate's state.
        contract: of the robot.
        allowed: reasons that are no obstacle.
    """
    reason, mode = subscriptions.reason, subscriptions.mode
    if mode == "run" or reason is None or reason in (*WAITING, *allowed):
        return ""
    text = f"{reason.text} ({mode}, {reason.value})"
    if reason is Reason.DRIVER and subscriptions.driver:
        text += f": it says '{subscriptions.driver}'"
    way_out = _WAYS_OUT.get(reason)
    if way_out is None:
        way_out = (
            "Remove its cause, then robot.recover()"
            if reason.kind is Kind.FAULT or mode == "fault"
            else "See the page of the supervisor, and gate.log"
        )
    return f"{text}. {way_out.format(contract=contract.name)}"
