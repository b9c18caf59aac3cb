"""Reasons of the gate's decisions: each has a name for machines and a sentence for people."""

from __future__ import annotations

from enum import Enum


class Mode(Enum):
    """The mode of the gate.

    INACTIVE sends nothing. HOLD brings the robot to rest and keeps it there; it is left when its cause is gone. RUN
    follows a source. FAULT holds too, is latched, and is left by `reset` and then `enable` alone.
    """

    INACTIVE = "inactive"
    HOLD = "hold"
    RUN = "run"
    FAULT = "fault"


class Kind(Enum):
    """The effect of a reason: a remark, a chunk that is not taken, a step that is cut, a stop, a latched stop."""

    NOTE = "note"
    REJECT = "reject"
    LIMIT = "limit"
    HOLD = "hold"
    FAULT = "fault"


class Reason(Enum):
    """The reason of a mode, a rejection or a cut step.

    Its value is its name on the wire, `kind` its effect, and `text` a sentence for a person.
    """

    kind: Kind
    text: str

    def __new__(cls, name: str, kind: Kind, text: str) -> Reason:
        reason = object.__new__(cls)
        reason._value_, reason.kind, reason.text = name, kind, text
        return reason

    # Members are singletons; they are keys of many small dictionaries per tick.
    __hash__ = object.__hash__

    # Remarks.
    NOT_ACTIVE = "not_active", Kind.NOTE, "not active: nothing is sent"
    POLICY = "policy", Kind.NOTE, "following the policy"
    PERSON = "person", Kind.NOTE, "following the person"
    STATE_LATE = "state_late", Kind.NOTE, "a state stream is later than it should be"
    TICKS_MISSED = "ticks_missed", Kind.NOTE, "ticks were missed; they are not made up for"
    RESET_REFUSED = "reset_refused", Kind.NOTE, "reset refused: what caused the fault is still there"
    SEEDED = "seeded", Kind.NOTE, "the robot was moved: the command starts anew where it is"
    SILENT = "silent", Kind.NOTE, "nothing is sent: where the robot is cannot be trusted"
    TAIL = "tail", Kind.NOTE, "past the last row: slowing down to a stand"
    # A chunk that is not taken; the one followed before stays in force.
    CHUNK_NAMES = "chunk_names", Kind.REJECT, "a chunk names other components than this robot's action"
    CHUNK_UNREADABLE = "chunk_unreadable", Kind.REJECT, "a chunk cannot be read"
    CHUNK_SIZE = "chunk_size", Kind.REJECT, "a chunk has no rows or another number of columns than the action"
    CHUNK_NOT_FINITE = "chunk_not_finite", Kind.REJECT, "a chunk has values that are not finite"
    CHUNK_HUGE = "chunk_huge", Kind.REJECT, "a chunk has values beyond a million of their unit"
    CHUNK_LONG = "chunk_long", Kind.REJECT, "a chunk has more than ten seconds of rows"
    CHUNK_ROTATION = "chunk_rotation", Kind.REJECT, "a rotation in a chunk has two columns that are zero or parallel"
    CHUNK_PERIOD = "chunk_period", Kind.REJECT, "a chunk has another period than the contract"
    CHUNK_PAST = "chunk_past", Kind.REJECT, "every row of a chunk lies in the past"
    CHUNK_FUTURE = "chunk_future", Kind.REJECT, "a chunk is stamped in the future"
    CHUNK_ORDER = "chunk_order", Kind.REJECT, "a chunk was made from an older observation than the one that is followed"
    CHUNK_EPOCH = "chunk_epoch", Kind.REJECT, "a chunk was made before the clock jumped or the twin was reset"
    CHUNK_PUBLISHER = (
        "chunk_publisher",
        Kind.REJECT,
        "a chunk came from another publisher than the one that is followed",
    )
    CHUNK_TOO_FAR = "chunk_too_far", Kind.REJECT, "a chunk starts further from the command than a start may be"
    # A step that is cut.
    SPEED = "speed", Kind.LIMIT, "a step was shortened to the speed limit"
    ACCELERATION = "acceleration", Kind.LIMIT, "a step was changed to the acceleration limit"
    POSITION = "position", Kind.LIMIT, "a target outside of position limits or workspace was brought back"
    FORCE = "force", Kind.LIMIT, "slowed or stopped: a finger presses nearly as hard as it may"
    ENERGY_LEASH = "energy_leash", Kind.LIMIT, "held near the tool: the spring holds as much energy as it may"
    ENERGY_FORCE = "energy_force", Kind.LIMIT, "held near the tool: the spring pushes as hard as it may"
    ENERGY_POWER = "energy_power", Kind.LIMIT, "slowed down: the spring is filled as fast as it may be"
    ENERGY_LATENCY = (
        "energy_latency",
        Kind.LIMIT,
        "held near the tool: until the command arrives the spring could hold too much",
    )
    CAPSULES_SLOW = "capsules_slow", Kind.LIMIT, "slowed down: links come near to one another or to the table"
    CAPSULES_STOP = (
        "capsules_stop",
        Kind.LIMIT,
        "stopped: links are as near to one another or to the table as they may be",
    )
    # Stops that end when their cause does.
    NO_STATE = "no_state", Kind.HOLD, "waiting for the first state"
    NOT_ENABLED = "not_enabled", Kind.HOLD, "waiting for enable"
    NOT_HELD = "not_held", Kind.HOLD, "the person does not hold enable"
    NO_ALIVE = "no_alive", Kind.HOLD, "waiting for the first sign of life of the supervisor"
    NO_CHUNK = "no_chunk", Kind.HOLD, "waiting for a chunk"
    TAKEN = "taken", Kind.HOLD, "a person has the robot and is at rest"
    STARVED = "starved", Kind.HOLD, "the last chunk has ended and no new one came"
    STATE_STALE = "state_stale", Kind.HOLD, "a state stream is too old"
    STATE_FROZEN = "state_frozen", Kind.HOLD, "a state stream repeats the same stamp or runs backwards"
    STATE_BAD = "state_bad", Kind.HOLD, "a state is not finite or lacks a value"
    STATE_JUMP = (
        "state_jump",
        Kind.HOLD,
        "a state jumped by more than the robot can move: disable and enable to accept it",
    )
    CROWD = "crowd", Kind.HOLD, "a topic has more than one publisher: end all but one"
    ALIVE_LOST = "alive_lost", Kind.HOLD, "the supervisor's sign of life stopped"
    ENABLE_LOST = "enable_lost", Kind.HOLD, "the enable signal stopped"
    EPOCH = "epoch", Kind.HOLD, "the clock jumped or the twin was reset: waiting for a chunk of the new epoch"
    PUBLISHER_CHANGED = (
        "publisher_changed",
        Kind.HOLD,
        "the source has another publisher than before: disable and enable to accept",
    )
    TRACKING = "tracking", Kind.HOLD, "the robot does not follow: held where it is; disable and enable to go on"
    # Latched stops.
    STATE_GONE = "state_gone", Kind.FAULT, "a state stream stopped"
    ENABLE_GONE = "enable_gone", Kind.FAULT, "the enable signal has stopped for long"
    DRIVER = "driver", Kind.FAULT, "the driver does not run the robot: stop, reflex or protective stop"
    DRIVER_SILENT = "driver_silent", Kind.FAULT, "the driver stopped telling its state"
    INTERNAL = "internal", Kind.FAULT, "tiller's own work failed: see the log"
    LATCHED = "latched", Kind.FAULT, "stopped by a fault: remove its cause, then reset and enable"


def lets_move(mode: Mode, reasons: tuple[Reason, ...]) -> bool:
    """Whether a tool may be set in motion: the gate follows a source, or finishes the last row of one that has ended.

    Args:
        mode: of a tick.
        reasons: of the same.
    """
    stops = [reason for reason in reasons if reason.kind in (Kind.HOLD, Kind.FAULT)]
    return mode is Mode.RUN or (mode is Mode.HOLD and stops == [Reason.STARVED])
