"""What a recorder says of itself: its state, and the numbers of its status."""

from __future__ import annotations

from typing import Mapping

from real.recorder.conductor import Conductor
from real.recorder.session import State
from real.ros.recorder_state import RecorderState
from real.ros.signals import ERROR, OK, WARN

MOST_MINUTES = 1e6


def state_of_recorder(conductor: Conductor, store: str, goal: int, now_s: float) -> RecorderState:
    """The state for those who watch.

    Args:
        conductor: of the takes.
        store: folder of the dataset.
        goal: episodes to have in the end; 0 for none.
        now_s: monotonic.
    """
    session, totals, notice = conductor.session, conductor.totals, conductor.episodes.notice
    return RecorderState(
        state=session.state.value,
        reason=session.reason,
        label=session.label,
        seconds=round(conductor.seconds, 2),
        rows=conductor.rows,
        episodes=conductor.storage.before + totals.saved,
        saved=totals.saved,
        discarded=totals.discarded,
        verdict=totals.verdict,
        goal=goal,
        disk_minutes=round(min(conductor.storage.disk_minutes, MOST_MINUTES), 1),
        store=store,
        task=notice.task if notice is not None else "",
        instruction=conductor.instruction,
        seed=conductor.episodes.seed,
        streams={name: watch.counts(now_s) for name, watch in conductor.streams.watches.items()},
    )


def status_of_recorder(conductor: Conductor, failures: Mapping[str, object]) -> tuple[bytes, str, dict[str, object]]:
    """Level, line and numbers for `status`.

    Args:
        conductor: of the takes.
        failures: numbers of what the node could not read and what failed in it.
    """
    session, totals, writer = conductor.session, conductor.totals, conductor.storage.writer
    level = {State.WAITING: WARN, State.FAILED: ERROR}.get(session.state, OK)
    text = f"{session.state.value}: {session.reason}" if session.reason else session.state.value
    if failures.get("errors"):
        level, text = ERROR, f"{text}; failed: {failures.get('error')}"
    numbers = {
        "saved": totals.saved,
        "discarded": totals.discarded,
        "verdict": totals.verdict,
        "waiting_mb": f"{(writer.waiting_bytes if writer is not None else 0) / 2**20:.1f}",
        **failures,
    }
    return level, text, numbers
