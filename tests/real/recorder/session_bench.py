"""A recorder's conductor on a bench: messages as bytes in a time that the test makes, and a real store."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable

import numpy as np

from data.store.dataset import Dataset
from data.store.images.encoding import encode_jpeg
from real.recorder.conductor import Conductor
from real.recorder.facts import About
from real.recorder.incoming.arrivals import Arrivals
from real.recorder.incoming.sources import RecordedStreams
from real.recorder.session import Session, State
from real.recorder.storage import Storage
from real.ros.reading import EpisodeNotice, Refusal
from robot.contract.contract import Contract
from robot.contract.loading import action_spec
from tests.real.recorder.contracts import compressed, joints, picture, pose, robot_contract

MS, START_NS = 1_000_000, 1_700_000_000_000_000_000
TICK_S, STATE_TICKS, PICTURE_TICKS, LOOK_TICKS, FLUSH_TICKS = 0.005, 5, 10, 10, 20
SINCE_1970_NS = 42
WITHIN_S = 20.0


@cache
def seen(tick: int) -> bytes:
    """What the camera shows: another picture for half a minute."""
    return encode_jpeg(picture(tick % 6000), 90)


class Episodes:
    """Episodes that a test begins: a source without a graph.

    Attributes:
        notice: of the newest.
        reason: why none may begin.
        ended: what was said of each take that was kept.
        wanted: seeds of the episodes that were prepared.
        resets: whether an episode begins as soon as it is wanted.
    """

    def __init__(self, seed: int) -> None:
        self.notice: EpisodeNotice | None = EpisodeNotice(1, seed, "", "lift the cube")
        self.reason, self.resets = "", True
        self.ended: list[tuple[bool, bool, bool, int, int]] = []
        self.wanted: list[int] = []

    @property
    def seed(self) -> int:
        return self.notice.seed if self.notice is not None else 0

    def trouble(self, now_s: float) -> str:
        return self.reason

    def begin(self, instruction: str) -> EpisodeNotice:
        assert self.notice is not None
        return self.notice

    def end(self, success: bool, terminated: bool, truncated: bool, rows: int, stamp_ns: int) -> None:
        self.ended.append((success, terminated, truncated, rows, stamp_ns))

    def next(self, seed: int) -> None:
        self.wanted.append(seed)
        if self.resets:
            self.again(seed)

    def again(self, seed: int) -> None:
        """Begin another episode."""
        epoch = self.notice.epoch if self.notice is not None else 0
        self.notice = EpisodeNotice(epoch + 1, seed, "", "lift the cube")


@cache
def bench_contract() -> Contract:
    """A robot with one compressed camera: its arm comes at 200 Hz, its other states at 40, its pictures at 20."""
    streams: dict[str, Any] = {
        "arm": {"topic": "joint_states", "type": "joint_state", "rate_hz": 200, "map": "arm"},
        "pose": {"topic": "current_pose", "type": "pose", "rate_hz": 40},
        "gripper": {"topic": "gripper/joint_states", "type": "joint_state", "rate_hz": 40, "map": "fingers"},
        "front": {"topic": "front", "type": "image", "rate_hz": 20, "compressed": True},
    }
    with TemporaryDirectory() as folder:
        return robot_contract(Path(folder), without=("wrist",), **streams)


class Bench:
    """A conductor, and everything that it hears.

    Args:
        folder: in which the store `store` is made.
        seed: of the first episode.
        about: facts of the session.
        time_limit: as the conductor's.
        contract: of the robot; None makes `bench_contract`.
        together: whether messages of joints, which are kept until the recorder looks as its node keeps them, are then
            read together, or one by one.

    Attributes:
        muted: streams that do not come, and `gate`.
        obstacle: what of the graph is in the way.
        lines: that were logged.
        states: that were published.
        stream: name -> makes a message from its stamp, instead of the usual one.
        delay_ns: of stamps against now.
    """

    def __init__(
        self,
        folder: Path,
        seed: int = 0,
        about: About = About(operator="ada"),
        *,
        time_limit: bool = False,
        contract: Contract | None = None,
        together: bool = True,
    ) -> None:
        self._together, self._kept = together, dict[str, Arrivals]()
        self.store = folder / "store"
        self.contract = contract or bench_contract()
        self.spec = action_spec(self.contract)
        self.episodes, self.streams = Episodes(seed), RecordedStreams(self.contract)
        self.obstacle, self.muted = "", set[str]()
        self.lines, self.states = list[str](), list[State]()
        self.stream: dict[str, Callable[[int], bytes]] = {}
        self.delay_ns, self.tick, self.jump_ns = 0, 0, 0
        self.reason, self.refused = "person", list[Refusal]()
        self.storage = Storage(str(self.store), self.contract, self.streams, self.lines.append)
        self.conductor = Conductor(
            self.contract,
            self.storage,
            self.streams,
            self.episodes,
            about,
            time_limit=time_limit,
            obstacle=lambda: self.obstacle,
            on_change=lambda: self.states.append(self.session.state),
            say=self.lines.append,
        )

    @property
    def now_s(self) -> float:
        return 100.0 + self.tick * TICK_S

    @property
    def now_ns(self) -> int:
        return START_NS + round(self.tick * TICK_S * 1e9) + self.jump_ns

    @property
    def session(self) -> Session:
        return self.conductor.session

    def close(self) -> None:
        self._hand_over()
        self.conductor.close(self.now_s)

    # -- what comes ---------------------------------------------------------------------------------------------------

    def run(self, seconds: float, until: Callable[[], Any] = lambda: False) -> None:
        """Let time pass, or less of it."""
        for _ in range(round(seconds / TICK_S)):
            if until():
                return
            self._pass()

    def until(self, condition: Callable[[], Any], what: str = "") -> None:
        """Let a little time pass, for what the writer's thread does beside it."""
        end = time.monotonic() + WITHIN_S
        while not condition():
            assert time.monotonic() < end, f"{what}: {self.session}, {self.lines}"
            self.run(10 * TICK_S)
            time.sleep(0.005)

    def until_ready(self) -> None:
        self.until(lambda: self.session.state is State.READY, "ready")

    def _pass(self) -> None:
        self.tick += 1
        if "gate" not in self.muted:
            target = np.zeros(self.spec.dim) + self.tick * 1e-3
            refused = self.conductor.sent(self.now_ns, target, target, self.reason, self.now_ns, self.now_s)
            self.refused += [refused] if refused is not None else []
        self._come("arm")
        if self.tick % STATE_TICKS == 0:
            for name in ("pose", "gripper"):
                self._come(name)
        if self.tick % PICTURE_TICKS == 0:
            self._come("front")
        if self.tick % LOOK_TICKS == 0:
            self._hand_over()
            self.conductor.look(self.now_s)
        if self.tick % FLUSH_TICKS == 0:
            self.conductor.flush(self.now_s)

    def _come(self, name: str) -> None:
        if name not in self.muted:
            packed = self.stream.get(name, self._usual(name))(self.now_ns - self.delay_ns)
            if name in self.streams.fast:
                self._kept.setdefault(name, Arrivals()).add(packed, self.now_ns, self.now_s)
                return
            refused = self.conductor.measured(name, packed, self.now_ns, self.now_s)
            self.refused += [refused] if refused is not None else []

    def _hand_over(self) -> None:
        kept, self._kept = self._kept, {}
        for name, arrivals in kept.items():
            if self._together:
                self.refused += self.conductor.measured_together(name, arrivals)
            else:
                answers = [self.conductor.measured(name, *each) for each in arrivals]
                self.refused += [each for each in answers if each is not None]

    def _usual(self, name: str) -> Callable[[int], bytes]:
        if name == "front":
            return lambda stamp: compressed(seen(self.tick), stamp)
        return (lambda stamp: pose(stamp)) if name == "pose" else (lambda stamp: joints(stamp, name, self.tick * 1e-3))

    # -- what a person asks for ---------------------------------------------------------------------------------------

    def start(self) -> Session | str:
        self._hand_over()
        return self.conductor.start(self.now_ns, self.now_s, SINCE_1970_NS)

    def record(self, seconds: float) -> None:
        """Begin a take, and let it run."""
        self.until_ready()
        begun = self.start()
        assert isinstance(begun, Session), begun
        self.run(seconds)

    def pause(self, on: bool) -> None:
        self._hand_over()
        answer = self.conductor.pause(on, self.now_s)
        assert isinstance(answer, Session), answer

    def save(self) -> None:
        """Save the take, and wait until it is on the disk."""
        self._hand_over()
        saved = self.conductor.totals.saved
        answer = self.conductor.save(self.now_s)
        assert isinstance(answer, Session), answer
        self.until(lambda: self.conductor.totals.saved > saved, "saved")

    def outcome(self, **values: float) -> None:
        """What a twin says of its episode."""
        outcome = {"success": 0.0, "score": 0.0, "terminated": 0.0, "truncated": 0.0, "steps": 1.0, **values}
        self.conductor.outcome(outcome, self.now_ns, self.now_s)

    def dataset(self) -> Dataset:
        return Dataset.open(self.store)
