"""Whether a take may begin, and whether it may go on: what is seen of streams, gate, episode and other recorders."""

from __future__ import annotations

from typing import Callable

from real.recorder.episodes import EpisodeSource
from real.recorder.incoming.sources import RecordedStreams
from real.ros.reading import EpisodeNotice, shown
from robot.contract.contract import Contract

SENT_S = 0.5  # without a command of the gate for so long nothing can be recorded
AWAY_NS = 1_000_000_000  # from now: a command for such a moment is of another clock
OVER = "the twin's episode is over: reset it"


class Surroundings:
    """What a take depends on, and the recorder does not make.

    Args:
        contract: of the robot.
        streams: that are recorded.
        episodes: where they come from.
        obstacle: says what else of the graph is in the way, such as another recorder; empty for nothing.
    """

    def __init__(
        self, contract: Contract, streams: RecordedStreams, episodes: EpisodeSource, obstacle: Callable[[], str]
    ) -> None:
        self._contract, self._streams, self._episodes, self._obstacle = contract, streams, episodes, obstacle
        self._gate, self._sent_s, self._away = "", float("-inf"), ""
        self._over: EpisodeNotice | None = None

    def gate_said(self, line: str) -> None:
        """The gate's state."""
        self._gate = line

    def sent(self, time_ns: int, now_ns: int, now_s: float) -> str:
        """A command of the gate, and when it is reached; why it cannot be recorded, empty where it can."""
        if now_ns and abs(time_ns - now_ns) > AWAY_NS:
            self._away = f"the gate's commands are for a moment {(time_ns - now_ns) * 1e-9:+.1f} s from now"
            return self._away
        self._sent_s, self._away = now_s, ""
        return ""

    def outcome(self, over: bool) -> None:
        """Whether the episode of a twin is over."""
        self._over = self._episodes.notice if over else None

    def trouble(self, now_s: float) -> str:
        """Why a take must not begin; empty when it may."""
        obstacle = self._obstacle()
        if obstacle:
            return obstacle
        for name, watch in self._streams.watches.items():
            problem = watch.trouble(now_s)
            if problem:
                return f"{name} on '{self._contract.state[name].topic}' is {problem}"
        gate = self._gate_trouble(now_s) or self._episodes.trouble(now_s)
        if gate:
            return gate
        return OVER if self._over is not None and self._over is self._episodes.notice else ""

    def loss(self, now_s: float) -> str:
        """Why a take must end; empty while it may go on."""
        for name, watch in self._streams.watches.items():
            problem = watch.lost(now_s)
            if problem:
                return f"{name} is {problem}"
        return self._gate_trouble(now_s)

    def _gate_trouble(self, now_s: float) -> str:
        if self._gate.startswith("fault"):
            return f"the gate is in {shown(self._gate)[1:-1]}"
        return (self._away or "the gate sends nothing") if now_s - self._sent_s > SENT_S else ""
