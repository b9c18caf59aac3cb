"""One state of the whole, in words of the person who drives.

Many things are true at once; the banner has the one on which the person has to act next. What stops the robot comes
before what the recorder does, and what loses a take before what merely waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from real.ros.recorder_state import ENDED, FAILED, PAUSED, READY, RECORDING, SAVING, WAITING, RecorderState
from real.supervision.board import reason_text
from real.teleop.bindings import load_bindings
from real.teleop.registry import device_kind
from robot.errors import TillerError
from robot.safety.gate.reasons import Mode, Reason

# Each has a colour of its own in the page's style sheet.
BANNERS = (
    "lost",
    "fault",
    "failed",
    "saving",
    "holds",
    "paused",
    "recording",
    "ended",
    "waiting",
    "ready",
    "driving",
)
# Holds that a person ends by beginning to drive.
AT_REST = (Reason.NOT_HELD.value, Reason.NOT_ENABLED.value, Reason.NO_CHUNK.value, Reason.STARVED.value)
SHORT = {
    Reason.NOT_HELD.value: "enable is not held",
    Reason.NOT_ENABLED.value: "the gate waits for enable",
    Reason.NO_CHUNK.value: "nobody drives",
    Reason.STARVED.value: "nobody drives",
}
DRIVERS = {Reason.PERSON.value: "you", Reason.POLICY.value: "the policy"}
NOBODY = "nobody"


@dataclass(frozen=True)
class Keys:
    """How a device's events are called by the person who uses it.

    Args:
        hold: takes hold of the enabling device.
        enable: enables the gate.
        reset: resets its fault.
    """

    hold: str = "hold enable"
    enable: str = "press enable"
    reset: str = "press reset"

    @staticmethod
    def of(device: str, bindings: str = "") -> Keys:
        """Those of a device by its bindings; plain words for one that has none or cannot be read.

        Args:
            device: a name of `real.teleop.registry`.
            bindings: name or file; empty takes the device's own.
        """
        try:
            kind = device_kind(device)
            if kind.vocabulary is None:
                return Keys()
            bound = load_bindings(bindings or device, kind.vocabulary)
        except TillerError:
            return Keys()
        # A terminal tells no release: its key is pressed, and counts for a while.
        verbs = (("hold", "press" if kind.needs_terminal else "hold"), ("enable", "press"), ("reset", "press"))
        words = {
            action: f"{verb} {bound.control(action).replace('_', ' ')}"
            for action, verb in verbs
            if bound.control(action)
        }
        return Keys(**words)


@dataclass(frozen=True)
class Banner:
    """The state of the whole.

    Args:
        state: one of `BANNERS`.
        text: what is read from two metres.
        detail: what else is to be known; may be empty.
    """

    state: str
    text: str
    detail: str = ""


def banner(
    lost: str, gate: str, recorder: RecorderState | None, recorder_silent_s: float, driver: str, keys: Keys
) -> Banner:
    """The state of the whole.

    Args:
        lost: why there is no contact with the robot; empty where there is.
        gate: `mode reason`, as the gate publishes it.
        recorder: its newest state; None where none was heard.
        recorder_silent_s: seconds since then; 0 while it is heard.
        driver: who drives, a value of `DRIVERS` or `NOBODY`.
        keys: of the device.
    """
    mode, _, reason = gate.partition(" ")
    doing = recorder.state if recorder is not None else ""
    take = f"recording {clock(recorder.seconds)}" if recorder is not None and doing == RECORDING else ""
    if lost:
        return Banner("lost", "no contact with the robot", lost)
    if mode == Mode.FAULT.value:
        return Banner("fault", f"fault: {_why(reason)}, {keys.reset}", take)
    if recorder is not None and recorder_silent_s > 0:
        return Banner("failed", "the recorder is silent", f"for {recorder_silent_s:.0f} s; before: {doing}")
    if recorder is not None and doing == FAILED:
        return Banner("failed", "recording failed", recorder.reason)
    if recorder is not None and doing == SAVING:
        return Banner("saving", "saving", recorder.reason)
    if mode != Mode.RUN.value and (take or reason not in AT_REST):
        return Banner("holds", f"the robot holds: {_why(reason)}", take)
    if recorder is not None and doing in (PAUSED, RECORDING, ENDED, WAITING):
        return _of_take(recorder)
    if mode == Mode.RUN.value:
        return Banner("driving", f"{driver} drive{'' if driver == 'you' else 's'}, nothing is recorded")
    if reason == Reason.NOT_ENABLED.value:
        return Banner("ready" if doing == READY else "holds", f"{keys.enable}, then {keys.hold} and move", _why(reason))
    if doing == READY:
        return Banner("ready", f"ready: {keys.hold}, then move")
    return Banner("holds", f"the robot holds: {_why(reason)}")


def clock(seconds: float) -> str:
    """Minutes and seconds, `00:14`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02d}:{rest:02d}"


def _of_take(recorder: RecorderState) -> Banner:
    at = clock(recorder.seconds)
    if recorder.state == PAUSED:
        return Banner("paused", "paused", f"{at} are recorded")
    if recorder.state == RECORDING:
        return Banner("recording", f"recording {at}", recorder.label)
    if recorder.state == ENDED:
        return Banner("ended", f"take ended at {at}: save or discard", recorder.label or recorder.reason)
    return Banner("waiting", f"waiting: {recorder.reason or 'the recorder is not ready'}")


def _why(reason: str) -> str:
    return SHORT.get(reason) or reason_text(reason) or "no reason given"
