"""From requests and messages to takes in a store: when one may begin, why one must end, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping, Protocol

import numpy as np

from data.store.dataset import Dataset
from data.store.schema import Schema
from real.recorder.facts import facts_of
from real.recorder.recording import LEAST_MINUTES, bytes_per_second, disk_minutes, open_recording, recording_schema
from real.recorder.session import SUCCESS, Session, State, Totals
from real.recorder.sources import RecordedStreams
from real.recorder.take import Take
from real.recorder.verdict import verdict
from real.recorder.writing import TakeWriter
from real.ros.reading import EpisodeNotice, Refusal
from robot.contract.contract import Contract
from robot.contract.loading import describe
from robot.control.observation.sources import recording_sources
from robot.safety.gate.inputs import ChunkSample

SENT_S = 0.5  # without a command of the gate for so long nothing can be recorded
REOPEN_S = 2.0  # between two attempts to begin an episode of a store that took none


class EpisodeSource(Protocol):
    """Where a take's episode comes from: a twin, or on a robot the recorder itself."""

    notice: EpisodeNotice | None

    @property
    def seed(self) -> int: ...

    @property
    def trouble(self) -> str: ...

    def begin(self, instruction: str) -> EpisodeNotice: ...

    def end(self, success: bool, terminated: bool, truncated: bool, rows: int, stamp_ns: int) -> None: ...

    def next(self, seed: int) -> None: ...


@dataclass(frozen=True)
class About:
    """Facts of all takes of a session.

    Args:
        instruction: what is done; empty leaves it to the task.
        operator: who demonstrates.
        source: where the episodes come from.
        policy: that runs meanwhile.
    """

    instruction: str = ""
    operator: str = ""
    source: str = "teleoperation"
    policy: str = ""


class Conductor:
    """Takes of one session.

    Args:
        contract: of the robot.
        store: folder of the dataset.
        streams: that are recorded.
        episodes: where they come from.
        about: facts of all of them.
        time_limit: whether a take ends when the time of its task is up.
        crowd: says why this recorder must not begin a take beside another; empty when it may.
        on_change: called when the state has changed.
        say: a line for the log.

    Attributes:
        session, totals: the state, and what was done so far.
        before: episodes that the store had.
        disk_minutes: for how long the disk lasts.
    """

    def __init__(
        self,
        contract: Contract,
        store: str,
        streams: RecordedStreams,
        episodes: EpisodeSource,
        about: About,
        *,
        time_limit: bool,
        crowd: Callable[[], str],
        on_change: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self._contract, self._description, self._store = contract, describe(contract), store
        self.streams, self.episodes, self._about = streams, episodes, about
        self._time_limit, self._crowd, self._on_change, self._say = time_limit, crowd, on_change, say
        self.session, self.totals = Session(), Totals()
        self.before, self.disk_minutes, self._rate = 0, 0.0, 1.0
        self._schema: Schema | None = None
        self._writer: TakeWriter | None = None
        self._take: Take | None = None
        self._opened = False
        self._gate, self._sent_s, self._task = "", float("-inf"), ""
        self._terminated = self._truncated = False
        self._reopened_s = float("-inf")

    @property
    def seconds(self) -> float:
        """Of the take."""
        return self._take.seconds if self._take is not None else 0.0

    @property
    def rows(self) -> int:
        """Of the take."""
        return self._take.rows if self._take is not None else 0

    @property
    def waiting_bytes(self) -> int:
        """Of rows that are not written yet."""
        return self._writer.waiting_bytes if self._writer is not None else 0

    @property
    def instruction(self) -> str:
        """What is done."""
        notice = self.episodes.notice
        return self._about.instruction or self._task or (notice.instruction if notice is not None else "")

    # -- messages -----------------------------------------------------------------------------------------------------

    def measured(self, name: str, packed: bytes, now_ns: int, now_s: float) -> Refusal | None:
        """A message of a stream."""
        refused = self.streams.note(name, packed, now_ns, now_s)
        if refused is not None or self._take is None or self.session.state is State.PAUSED or not self._take.open:
            return refused
        found = self.streams.read(name, packed, now_ns, now_s)
        if isinstance(found, Refusal):
            return found
        reason = self._take.measured(name, found, now_ns)
        return Refusal(reason) if reason else None

    def sent(self, time_ns: int, requested: np.ndarray, commanded: np.ndarray, reason: str, now_s: float) -> None:
        """A command of the gate: both (dim,), when it is reached, and who or what decided."""
        self._sent_s = now_s
        if self._take is not None:
            self._take.sent(time_ns, requested, commanded, reason)

    def planned(self, chunk: ChunkSample) -> None:
        """A chunk of the policy."""
        if self._take is not None:
            self._take.planned(chunk)

    def gate_said(self, line: str) -> None:
        """The gate's state."""
        self._gate = line

    def told(self, task: str) -> None:
        """What the policy is told to do."""
        self._task = task

    def outcome(self, outcome: Mapping[str, float], stamp_ns: int, now_s: float) -> None:
        """What a twin says of its episode: a take ends with it."""
        take, terminated = self._take, bool(outcome["terminated"])
        truncated = bool(outcome["truncated"]) and self._time_limit
        if take is None or self.session.state is not State.RECORDING or stamp_ns < take.start_ns:
            return
        if terminated or truncated:
            self._terminated, self._truncated = terminated, truncated
            success = bool(outcome["success"])
            self._end("the task is done" if success else "the time is up", now_s, stamp_ns)
            if not self.session.label:
                self._become(self.session.labelled(success))

    # -- requests -----------------------------------------------------------------------------------------------------

    def start(self, now_ns: int, now_s: float) -> Session | str:
        """Begin a take."""
        self.look(now_s)  # what was well a moment ago may not be now
        begun = self.session.start()
        if isinstance(begun, str):
            return begun
        assert self._schema is not None and self._writer is not None
        for watch in self.streams.watches.values():
            watch.begin()
        self.episodes.begin(self.instruction)
        self._terminated = self._truncated = False
        notice = self.episodes.notice
        sources = recording_sources(
            self._contract,
            self._description,
            self._schema.observation,
            notice.observation if notice is not None else None,
        )
        self._take = Take(self._schema, sources, self._writer, now_ns)
        return self._become(begun)

    def stop(self, now_s: float) -> Session | str:
        """End the take; its verdict may come later."""
        ended = self.session.end("stopped")
        if not isinstance(ended, str):
            self._end("stopped", now_s)
            return self.session
        return ended

    def pause(self, on: bool) -> Session | str:
        """Leave out what comes from now on, or go on."""
        session = self.session.pause(on)
        if not isinstance(session, str) and self._take is not None:
            self._take.pause(on)
        return self._become(session)

    def label(self, success: bool) -> Session | str:
        """Say whether the task was done."""
        return self._become(self.session.labelled(success))

    def save(self, now_s: float) -> Session | str:
        """End the take and keep it; it is on the disk when the recorder is ready again."""
        session = self.session.save()
        if not isinstance(session, str) and self._take is not None:
            self._take.end(now_s)
        return self._become(session)

    def discard(self) -> Session | str:
        """Drop the take: nothing of it is left."""
        session = self._become(self.session.discard())
        if not isinstance(session, str):
            self._drop("discarded")
        return session

    # -- turns --------------------------------------------------------------------------------------------------------

    def look(self, now_s: float) -> None:
        """See what has ended, why a take must end, and whether one may begin.

        Raises:
            TillerError: the store is of something else, or cannot be written.
        """
        if self._writer is not None:
            self._writer.turn()
        if self.session.state in (State.RECORDING, State.PAUSED):
            reason = self._loss(now_s)
            if reason:
                self._end(reason, now_s)
        elif self.session.state in (State.WAITING, State.READY):
            self._become(self.session.waits(self._trouble(now_s)))

    def flush(self, now_s: float) -> None:
        """Hand over what is complete; a take that is to be saved is, once its last command is known."""
        if self._take is None or self._writer is None:
            return
        self._take.flush()
        problem = self._writer.problem
        if problem:
            self._become(Session(State.SAVING, problem))
            self._drop(f"not saved: {problem}")
        elif self.session.state is State.SAVING and self._take.settled(now_s):
            self._commit()

    def close(self, now_s: float) -> None:
        """Save a take that has its verdict; drop one that has none, and say so."""
        if self._writer is None:
            return
        if self._take is not None and self.session.state in (State.ENDED, State.SAVING) and self.session.label:
            self._take.end(now_s)
            self._commit()
        elif self._take is not None:
            self._say(f"the open take of {self._take.seconds:.0f} s was not saved")
        self._writer.close()
        self._writer.turn()

    # -- a take -------------------------------------------------------------------------------------------------------

    def _become(self, session: Session | str) -> Session | str:
        if not isinstance(session, str) and session != self.session:
            self.session = session
            self._on_change()
        return session

    def _end(self, reason: str, now_s: float, until_ns: int | None = None) -> None:
        """The take has its rows but for those before the episode's end; a person says what becomes of it."""
        if self._take is not None:
            self._take.end(now_s, until_ns)
            self._become(self.session.end(reason))

    def _drop(self, end: str) -> None:
        assert self._writer is not None
        line = self._verdict(end)
        self._take = None
        self._writer.discard(lambda problem: self._left(problem or line, saved=False))

    def _commit(self) -> None:
        """Hand the take's rest to the writer, with its facts."""
        assert self._writer is not None and self._take is not None
        success, take = self.session.label == SUCCESS, self._take
        terminated = self._terminated or success
        if not take.finish(success=success, terminated=terminated, truncated=self._truncated):
            self._drop("not saved: there is no row in it")
            return
        line = self._verdict("saved")
        facts: dict[str, Any] = facts_of(
            self._contract,
            {name: watch.summary() for name, watch in self.streams.watches.items()},
            success=success,
            verdict=line,
            operator=self._about.operator,
            instruction=self.instruction,
            seed=self.episodes.seed,
            source=self._about.source,
            started_ns=take.start_ns,
            policy=self._about.policy,
        )
        self._take = None
        self.episodes.end(success, terminated, self._truncated, take.rows, take.start_ns)
        self._writer.save(facts, lambda problem: self._left(f"not saved: {problem}" if problem else line, not problem))

    def _left(self, line: str, saved: bool) -> None:
        """A take has ended for good; the next one is prepared."""
        self.totals.add(line, saved=saved)
        self._say(line)
        self.episodes.next(self.episodes.seed + int(saved))
        self._become(self.session.saved())

    def _verdict(self, end: str) -> str:
        assert self._take is not None
        summaries = {name: watch.summary() for name, watch in self.streams.watches.items()}
        return verdict(end, self._take.seconds, summaries, self._take.idle, self.session.label)

    # -- looking round ------------------------------------------------------------------------------------------------

    def _loss(self, now_s: float) -> str:
        """Why the take must end; empty while it may go on."""
        for name, watch in self.streams.watches.items():
            problem = watch.lost(now_s)
            if problem:
                return f"{name} is {problem}"
        if self._gate.startswith("fault"):
            return f"the gate is in {self._gate}"
        return "the gate sends nothing" if now_s - self._sent_s > SENT_S else ""

    def _trouble(self, now_s: float) -> str:
        """Why a take must not begin; empty when it may."""
        crowd = self._crowd()
        if crowd:
            return crowd
        for name, watch in self.streams.watches.items():
            problem = watch.trouble(now_s)
            if problem:
                return f"{name} on '{self._contract.state[name].topic}' is {problem}"
        if self._gate.startswith("fault"):
            return f"the gate is in {self._gate}"
        if now_s - self._sent_s > SENT_S:
            return "the gate sends nothing"
        if self.episodes.trouble:
            return self.episodes.trouble
        writer = self._writer = self._writer or self._open()
        if writer.refused is not None:
            raise writer.refused
        if writer.dataset is None:
            return "the store is being opened"
        if not self._opened:
            self._begin_session(writer.dataset)
        if writer.problem:
            problem = writer.problem
            if now_s - self._reopened_s > REOPEN_S:
                self._reopened_s = now_s
                writer.discard(lambda _: None)
            return problem
        self.disk_minutes = disk_minutes(self._store, self._rate)
        if self.disk_minutes < LEAST_MINUTES:
            return f"{self.disk_minutes:.1f} minutes of disk are left, {LEAST_MINUTES:.0f} are needed"
        return ""

    def _open(self) -> TakeWriter:
        """Make or open the store, now that all streams were seen: in the writer's thread, since it takes a moment."""
        notice = self.episodes.notice
        schema = self._schema = recording_schema(self._contract, *self.streams.observation(notice))
        task = notice.task if notice is not None else ""
        self._rate = bytes_per_second(schema)
        return TakeWriter(lambda: open_recording(self._store, self._contract, schema, task))

    def _begin_session(self, dataset: Dataset) -> None:
        """Go on behind what the store has."""
        self._opened, self.before = True, len(dataset)
        if dataset.dropped:
            self._say(dataset.dropped)
        if self.before:
            last = int(dataset.meta("seed")[-1])
            if self.episodes.seed <= last:
                self.episodes.next(last + 1)
