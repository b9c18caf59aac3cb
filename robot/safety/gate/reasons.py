"""Why the gate does what it does: every reason has a name for machines and a sentence for people."""

from __future__ import annotations

from enum import Enum


class Mode(Enum):
    """What the gate is doing.

    INACTIVE sends nothing. HOLD brings the robot to rest and keeps it there; it is left when its cause is gone. RUN
    follows a source. FAULT holds too, is latched, and is left by `reset` and then `enable` alone.
    """

    INACTIVE = "inactive"
    HOLD = "hold"
    RUN = "run"
    FAULT = "fault"


class Kind(Enum):
    """What a reason leads to: a remark, a chunk that is not taken, a step that is cut, a stop, a latched stop."""

    NOTE = "note"
    REJECT = "reject"
    LIMIT = "limit"
    HOLD = "hold"
    FAULT = "fault"


class Reason(Enum):
    """Why a mode, a rejection or a cut step. The value is its name on the wire."""

    # Remarks.
    NOT_ACTIVE = "not_active"
    POLICY = "policy"
    PERSON = "person"
    STATE_LATE = "state_late"
    TICKS_MISSED = "ticks_missed"
    RESET_REFUSED = "reset_refused"
    TAIL = "tail"
    # A chunk that is not taken; what was followed before goes on.
    CHUNK_NAMES = "chunk_names"
    CHUNK_SIZE = "chunk_size"
    CHUNK_NOT_FINITE = "chunk_not_finite"
    CHUNK_ROTATION = "chunk_rotation"
    CHUNK_PERIOD = "chunk_period"
    CHUNK_PAST = "chunk_past"
    CHUNK_FUTURE = "chunk_future"
    CHUNK_ORDER = "chunk_order"
    CHUNK_EPOCH = "chunk_epoch"
    CHUNK_PUBLISHER = "chunk_publisher"
    CHUNK_TOO_FAR = "chunk_too_far"
    # A step that is cut.
    SPEED = "speed"
    ACCELERATION = "acceleration"
    POSITION = "position"
    CAPSULES_SLOW = "capsules_slow"
    CAPSULES_STOP = "capsules_stop"
    # Stops that end when their cause does.
    NO_STATE = "no_state"
    NOT_ENABLED = "not_enabled"
    NOT_HELD = "not_held"
    NO_ALIVE = "no_alive"
    NO_CHUNK = "no_chunk"
    STARVED = "starved"
    STATE_STALE = "state_stale"
    STATE_FROZEN = "state_frozen"
    STATE_BAD = "state_bad"
    ALIVE_LOST = "alive_lost"
    ENABLE_LOST = "enable_lost"
    EPOCH = "epoch"
    PUBLISHER_CHANGED = "publisher_changed"
    TRACKING = "tracking"
    # Latched stops.
    STATE_GONE = "state_gone"
    ENABLE_GONE = "enable_gone"
    DRIVER = "driver"
    DRIVER_SILENT = "driver_silent"
    LATCHED = "latched"

    @property
    def kind(self) -> Kind:
        return _MEANINGS[self][0]

    @property
    def text(self) -> str:
        """What happened, for a status page and a log."""
        return _MEANINGS[self][1]


_MEANINGS: dict[Reason, tuple[Kind, str]] = {
    Reason.NOT_ACTIVE: (Kind.NOTE, "not active: nothing is sent"),
    Reason.POLICY: (Kind.NOTE, "following the policy"),
    Reason.PERSON: (Kind.NOTE, "following the person"),
    Reason.STATE_LATE: (Kind.NOTE, "a state stream is later than it should be"),
    Reason.TICKS_MISSED: (Kind.NOTE, "ticks were missed; they are not made up for"),
    Reason.RESET_REFUSED: (Kind.NOTE, "reset refused: what caused the fault is still there"),
    Reason.TAIL: (Kind.NOTE, "past the last row: slowing down to a stand"),
    Reason.CHUNK_NAMES: (Kind.REJECT, "a chunk names other components than this robot's action"),
    Reason.CHUNK_SIZE: (Kind.REJECT, "a chunk has no rows or another number of columns than the action"),
    Reason.CHUNK_NOT_FINITE: (Kind.REJECT, "a chunk has values that are not finite"),
    Reason.CHUNK_ROTATION: (Kind.REJECT, "a rotation in a chunk has two columns that are zero or parallel"),
    Reason.CHUNK_PERIOD: (Kind.REJECT, "a chunk has another period than the contract"),
    Reason.CHUNK_PAST: (Kind.REJECT, "every row of a chunk lies in the past"),
    Reason.CHUNK_FUTURE: (Kind.REJECT, "a chunk is stamped in the future"),
    Reason.CHUNK_ORDER: (Kind.REJECT, "a chunk was made from an older observation than the one that is followed"),
    Reason.CHUNK_EPOCH: (Kind.REJECT, "a chunk was made before the clock jumped or the twin was reset"),
    Reason.CHUNK_PUBLISHER: (Kind.REJECT, "a chunk came from another publisher than the one that is followed"),
    Reason.CHUNK_TOO_FAR: (Kind.REJECT, "a chunk starts further from the command than a start may be"),
    Reason.SPEED: (Kind.LIMIT, "a step was shortened to the speed limit"),
    Reason.ACCELERATION: (Kind.LIMIT, "a step was changed to the acceleration limit"),
    Reason.POSITION: (Kind.LIMIT, "a target outside of position limits or workspace was brought back"),
    Reason.CAPSULES_SLOW: (Kind.LIMIT, "slowed down: links come near to one another or to the table"),
    Reason.CAPSULES_STOP: (Kind.LIMIT, "stopped: links are as near to one another or to the table as they may be"),
    Reason.NO_STATE: (Kind.HOLD, "waiting for the first state"),
    Reason.NOT_ENABLED: (Kind.HOLD, "waiting for enable"),
    Reason.NOT_HELD: (Kind.HOLD, "the person does not hold enable"),
    Reason.NO_ALIVE: (Kind.HOLD, "waiting for the first sign of life of the supervisor"),
    Reason.NO_CHUNK: (Kind.HOLD, "waiting for a chunk"),
    Reason.STARVED: (Kind.HOLD, "the last chunk has ended and no new one came"),
    Reason.STATE_STALE: (Kind.HOLD, "a state stream is too old"),
    Reason.STATE_FROZEN: (Kind.HOLD, "a state stream repeats the same stamp or runs backwards"),
    Reason.STATE_BAD: (Kind.HOLD, "a state is not finite or lacks a value"),
    Reason.ALIVE_LOST: (Kind.HOLD, "the supervisor's sign of life stopped"),
    Reason.ENABLE_LOST: (Kind.HOLD, "the enable signal stopped"),
    Reason.EPOCH: (Kind.HOLD, "the clock jumped or the twin was reset: waiting for a chunk of the new epoch"),
    Reason.PUBLISHER_CHANGED: (Kind.HOLD, "the source has another publisher than before: disable and enable to accept"),
    Reason.TRACKING: (Kind.HOLD, "the robot does not follow: held where it is; disable and enable to go on"),
    Reason.STATE_GONE: (Kind.FAULT, "a state stream stopped"),
    Reason.ENABLE_GONE: (Kind.FAULT, "the enable signal has stopped for long"),
    Reason.DRIVER: (Kind.FAULT, "the driver does not run the robot: stop, reflex or protective stop"),
    Reason.DRIVER_SILENT: (Kind.FAULT, "the driver stopped telling its state"),
    Reason.LATCHED: (Kind.FAULT, "stopped by a fault: remove its cause, then reset and enable"),
}
