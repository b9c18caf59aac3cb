"""What is known of a running graph, as the page shows it: one JSON text, a few times a second."""

from __future__ import annotations

import json
from collections import deque
from typing import Any, Mapping, Sequence

from real.page.telling.arrivals import Arrivals
from real.page.telling.pace import Pace
from real.page.telling.words import DRIVERS, NOBODY, Keys, banner
from real.ros.recorder_state import RecorderState, StreamCounts
from real.supervision.board import BAD, GOOD, SILENT_S, Board
from robot.contract.contract import CAMERA_TYPES, Contract

SENT_S = 0.5  # a target of the gate that is older says nothing on who drives
ENABLE_S = 0.5
CONTACT_S = 1.0  # without any state of the robot there is no contact with it
VERDICTS = 8
MOST_ROWS = 64


class PageView:
    """Collects what is known of a graph; draws nothing and sends nothing.

    Args:
        contract: of the robot.
        keys: how the person's device calls its events.

    Attributes:
        board: the gate's state and the status of processes.
    """

    def __init__(self, contract: Contract, keys: Keys) -> None:
        self.board = Board({})
        self._arrivals = {name: Arrivals(stream.ages(contract.staleness)) for name, stream in contract.state.items()}
        self._contract, self._keys = contract, keys
        self._recorder: RecorderState | None = None
        self._recorder_s = 0.0
        self._reason, self._sent_s = "", float("-inf")
        self._held, self._taken, self._held_s = False, False, float("-inf")
        self._pace = Pace()
        self._verdicts: deque[str] = deque(maxlen=VERDICTS)

    # -- what came ----------------------------------------------------------------------------------------------------

    def recorder(self, state: RecorderState, now_s: float) -> None:
        """Note the recorder's state."""
        before = self._recorder
        counts = (state.episodes, state.discarded, state.verdict)
        if state.verdict and (before is None or (before.episodes, before.discarded, before.verdict) != counts):
            self._verdicts.appendleft(state.verdict)
        self._recorder, self._recorder_s = state, now_s
        self._pace.add(state.episodes, now_s)

    def looked(self, name: str, now_s: float) -> None:
        """Note a look at a stream, whether a message had come or not."""
        self._arrivals[name].looked(now_s)

    def stream(self, name: str, came_s: float, sequence: int | None) -> None:
        """Note a message of a stream: when it came, and its publisher's number of it."""
        self._arrivals[name].came(came_s, sequence)

    def sent(self, tag: str, now_s: float) -> None:
        """Note a target of the gate by its tag, `reason|chunk|seed|value`."""
        self._reason, self._sent_s = tag.partition("|")[0], now_s

    def enable(self, held: bool, taken: bool, now_s: float) -> None:
        """Note the enabling device."""
        self._held, self._taken, self._held_s = held, taken, now_s

    # -- what it means ------------------------------------------------------------------------------------------------

    def driver(self, now_s: float) -> str:
        """Who drives."""
        return DRIVERS.get(self._reason, NOBODY) if now_s - self._sent_s <= SENT_S else NOBODY

    def lost(self, now_s: float) -> str:
        """Why there is no contact with the robot; empty where there is."""
        status = self.board.statuses.get("gate")
        heard_s = max(self._sent_s, status.heard_s if status is not None else float("-inf"))
        if not self.board.gate or heard_s == float("-inf"):
            return "the gate is not heard"
        if now_s - heard_s > SILENT_S:
            return f"the gate is silent for {now_s - heard_s:.0f} s"
        states = [name for name, stream in self._contract.state.items() if stream.type not in CAMERA_TYPES]
        ages = {name: self._arrivals[name].age_s() for name in states}
        if ages and all(age is None or age > CONTACT_S for age in ages.values()):
            return f"not heard: {', '.join(ages)}"
        return ""

    def text(self, now_s: float) -> bytes:
        """All of it as JSON."""
        recorder, driver = self._recorder, self.driver(now_s)
        silent_s = now_s - self._recorder_s if recorder is not None else 0.0
        shown = banner(
            self.lost(now_s),
            self.board.gate,
            recorder,
            silent_s if silent_s > SILENT_S else 0.0,
            driver,
            self._keys,
        )
        record: dict[str, Any] = {
            "banner": {"state": shown.state, "text": shown.text, "detail": shown.detail},
            "robot": self._contract.name,
            "driver": driver,
            "enable": self._enable(now_s),
            "gate": self.board.gate_text(),
            "streams": self._streams(),
            "processes": self._processes(now_s),
            "cameras": list(self._contract.cameras),
            "verdicts": list(self._verdicts),
        }
        if recorder is not None:
            record["recorder"] = {
                name: getattr(recorder, name)
                for name in ("store", "task", "instruction", "seed", "label", "discarded", "rows", "disk_minutes")
            }
            record["plan"] = {
                "goal": recorder.goal,
                "done": recorder.episodes,
                "per_hour": self._pace.per_hour(now_s),
            }
        return json.dumps(record).encode()

    def _enable(self, now_s: float) -> str:
        if now_s - self._held_s > ENABLE_S:
            return "not heard"
        return ("held" if self._held else "not held") + (", taken over" if self._taken else "")

    def _streams(self) -> Sequence[Mapping[str, Any]]:
        """Streams of the contract by what came here, then others that the recorder has; drops are the recorder's."""
        counted = self._recorder.streams if self._recorder is not None else {}
        rows: list[Mapping[str, Any]] = []
        for name, stream in self._arrivals.items():
            own = counted.get(name)
            rows.append(
                {
                    "name": name,
                    "rate_hz": stream.rate_hz(),
                    "age_s": stream.age_s(),
                    "drops": own.drops if own is not None else None,
                    "level": stream.level(),
                }
            )
        rows += [_row(name, own) for name, own in counted.items() if name not in self._arrivals]
        return rows[:MOST_ROWS]

    def _processes(self, now_s: float) -> Sequence[Mapping[str, str]]:
        """Processes that are not well."""
        return [
            {"name": name, "level": level, "text": self.board.process_text(name, now_s)}
            for name in sorted(self.board.statuses)
            if name != "gate" and (level := self.board.level_of(name, now_s)) != GOOD
        ][:MOST_ROWS]


def _row(name: str, own: StreamCounts) -> Mapping[str, Any]:
    level = BAD if own.age_s is None else GOOD
    return {"name": name, "rate_hz": own.rate_hz, "age_s": own.age_s, "drops": own.drops, "level": level}
