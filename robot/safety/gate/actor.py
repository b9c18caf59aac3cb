"""Who acts on the robot, from the reason that the gate reports with each command."""

from __future__ import annotations

from enum import Enum

from robot.safety.gate.reasons import Reason


class Actor(Enum):
    """Whose command the robot follows.

    A person who has taken the robot over acts at rest too. HOLD is the gate itself, on whatever ground.
    """

    POLICY = "policy"
    PERSON = "person"
    HOLD = "hold"


_ACTORS = {
    Reason.POLICY.value: Actor.POLICY,
    Reason.PERSON.value: Actor.PERSON,
    Reason.TAKEN.value: Actor.PERSON,
}


def actor_of(reason: str) -> Actor:
    """The actor of a command.

    Args:
        reason: of the command, the first part of the frame of `gate/sent`. A name that is none of `Reason` is a hold.
    """
    return _ACTORS.get(reason, Actor.HOLD)
