"""From requests and messages to takes in a store: how one begins, why it ends, and what becomes of it."""

from __future__ import annotations

from typing import Callable, Mapping

import numpy as np

from real.recorder.episodes import EpisodeSource
from real.recorder.facts import About, Beginning, facts_of
from real.recorder.incoming.arrivals import Arrivals
from real.recorder.incoming.sources import RecordedStreams
from real.recorder.incoming.stream_watch import StreamSummary
from real.recorder.session import SUCCESS, Session, State, Totals
from real.recorder.storage import Storage
from real.recorder.surroundings import Surroundings
from real.recorder.take import Take
from real.recorder.verdict import verdict
from real.ros.reading import EpisodeNotice, Refusal
from robot.contract.contract import Contract
from robot.contract.loading import describe
from robot.control.observation.sources import recording_sources
from robot.control.prompt_in_force import PromptInForce
from robot.safety.gate.inputs import ChunkSample

ANOTHER = "the twin has begun another episode"
NO_ROW = "not saved: there is no row in it"
TOGETHER = 4  # messages from which on it is faster to read them together


class Conductor:
    """Takes of one session.

    Args:
        contract: of the robot.
        storage: of the takes.
        streams: that are recorded.
        episodes: where they come from.
        about: facts of all of them.
        time_limit: whether a take ends when the time of its task is up.
        obstacle: says what of the graph is in the way of a take, such as another recorder; empty for nothing.
        on_change: called when the state has changed.
        say: a line for the log.

    Attributes:
        session, totals: the state, and what was done so far.
        storage, streams, episodes: as given.
    """

    def __init__(
        self,
        contract: Contract,
        storage: Storage,
        streams: RecordedStreams,
        episodes: EpisodeSource,
        about: About,
        *,
        time_limit: bool,
        obstacle: Callable[[], str],
        on_change: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self._contract, self._description = contract, describe(contract)
        self.storage, self.streams, self.episodes, self._about = storage, streams, episodes, about
        self._time_limit, self._on_change, self._say = time_limit, on_change, say
        self._surroundings = Surroundings(contract, streams, episodes, obstacle)
        self.session, self.totals = Session(), Totals()
        self._prompt, self._resumed = PromptInForce(about.instruction), False
        self._take: Take | None = None
        self._notice: EpisodeNotice | None = None  # of the take's episode
        self._beginning = Beginning(0, "", 0)
        self._terminated = False

    @property
    def seconds(self) -> float:
        """Of the take."""
        return self._take.seconds if self._take is not None else 0.0

    @property
    def rows(self) -> int:
        """Of the take."""
        return self._take.rows if self._take is not None else 0

    @property
    def instruction(self) -> str:
        """What is done: the prompt that the policy follows, too."""
        notice = self.episodes.notice
        self._prompt.begin_episode(notice.instruction if notice is not None else "")
        return self._prompt.instruction

    # -- messages -----------------------------------------------------------------------------------------------------

    def measured(self, name: str, packed: bytes, now_ns: int, now_s: float) -> Refusal | None:
        """A message of a stream."""
        refused = self.streams.note(name, packed, now_ns, now_s)
        if refused is not None or self._take is None or self.session.state is State.PAUSED or not self._take.open:
            return refused
        if self.episodes.notice is not self._notice:
            self._end(ANOTHER, now_s)
            return None
        found = self.streams.read(name, packed, now_ns, now_s)
        if isinstance(found, Refusal):
            return found
        reason = self._take.measured(name, found, now_ns, now_s)
        if reason:
            self.streams.watches[name].refuse(reason, now_s)
        return Refusal(reason) if reason else None

    def measured_together(self, name: str, arrivals: Arrivals) -> list[Refusal]:
        """Messages of a stream that have come since it was looked at: as `measured`, one after the other."""
        self.streams.watches[name].lost_on_the_way(arrivals.lost)
        together = len(arrivals) >= TOGETHER and name in self.streams.fast
        many = self.streams.note_and_read(name, arrivals) if together else None
        if many is None:
            answers = [self.measured(name, *each) for each in arrivals]
            return [each for each in answers if each is not None]
        now_ns, now_s = arrivals.now_ns[-1], arrivals.now_s[-1]
        if self._take is None or self.session.state is State.PAUSED or not self._take.open:
            return []
        if self.episodes.notice is not self._notice:
            self._end(ANOTHER, now_s)
            return []
        reasons = self._take.measured_together(name, many, now_ns, now_s)
        for reason in reasons:
            self.streams.watches[name].refuse(reason, now_s)
        return [Refusal(reason) for reason in reasons]

    def sent(
        self, time_ns: int, requested: np.ndarray, commanded: np.ndarray, reason: str, now_ns: int, now_s: float
    ) -> Refusal | None:
        """A command of the gate: both (dim,), when it is reached, and who or what decided."""
        refused = self._surroundings.sent(time_ns, now_ns, now_s)
        if refused:
            return Refusal(refused)
        if self._take is not None:
            self._take.sent(time_ns, requested, commanded, reason)
        return None

    def planned(self, chunk: ChunkSample) -> None:
        """A chunk of the policy."""
        if self._take is not None:
            self._take.planned(chunk)

    def gate_said(self, line: str) -> None:
        """The gate's state."""
        self._surroundings.gate_said(line)

    def task_came(self, task: str) -> None:
        """What the policy is to do."""
        self._prompt.give(task)

    def outcome(self, outcome: Mapping[str, float], stamp_ns: int, now_s: float) -> None:
        """What a twin says of its episode: a take ends with it."""
        success, terminated = bool(outcome["success"]), bool(outcome["terminated"])
        over = terminated or (bool(outcome["truncated"]) and self._time_limit)
        self._surroundings.outcome(over)
        take = self._take
        if not over or take is None or self.session.state is not State.RECORDING or stamp_ns < take.start_ns:
            return
        self._terminated = terminated
        ended = "the task has ended without success" if terminated else "the time is up"
        if not self.session.label:  # first: who sees the end sees what came of it
            self._become(self.session.labelled(success))
        self._end("the task is done" if success else ended, now_s, stamp_ns)

    # -- requests -----------------------------------------------------------------------------------------------------

    def start(self, now_ns: int, now_s: float, since_1970_ns: int) -> Session | str:
        """Begin a take.

        Args:
            now_ns: in the time of the stamps.
            now_s: monotonic.
            since_1970_ns: whatever time the graph has.
        """
        self.look(now_s)  # what was well a moment ago may not be now
        begun = self.session.start()
        if isinstance(begun, str):
            return begun
        if not now_ns:
            return "cannot start: there is no time yet, nobody publishes /clock"
        schema, writer = self.storage.schema, self.storage.writer
        assert schema is not None and writer is not None
        for watch in self.streams.watches.values():
            watch.begin()
        instruction = self.instruction
        self._notice = notice = self.episodes.begin(instruction)
        self._beginning, self._terminated = Beginning(notice.seed, instruction, since_1970_ns), False
        sources = recording_sources(self._contract, self._description, schema.observation, notice.observation)
        self._take = Take(schema, sources, writer, now_ns, now_s)
        return self._become(begun)

    def stop(self, now_s: float) -> Session | str:
        """End the take; its verdict may come later."""
        ended = self.session.end("stopped")
        if isinstance(ended, str):
            return ended
        self._end("stopped", now_s)
        return self.session

    def pause(self, on: bool, now_s: float) -> Session | str:
        """Leave out what comes from now on, or go on."""
        session = self.session.pause(on)
        if not isinstance(session, str) and self._take is not None:
            self._take.pause(on, now_s)
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
        """Drop the take: nothing of it is left. Without one it confirms that the last was lost."""
        session = self.session.discard()
        if not isinstance(session, str) and self._take is not None:
            self._drop("discarded")
        return self._become(session)

    # -- turns --------------------------------------------------------------------------------------------------------

    def look(self, now_s: float) -> None:
        """See what has ended, why a take must end, and whether one may begin.

        Raises:
            TillerError: the store is of something else, or cannot be opened.
        """
        if self.storage.writer is not None:
            self.storage.writer.turn()
        if self.session.state in (State.RECORDING, State.PAUSED) and self._take is not None:
            another = "" if self.episodes.notice is self._notice else ANOTHER
            reason = another or self._surroundings.loss(now_s) or self._take.stalled(now_s)
            if reason:
                self._end(reason, now_s)
        elif self.session.state in (State.WAITING, State.READY):
            trouble = self._surroundings.trouble(now_s) or self.storage.trouble(self.episodes.notice, now_s)
            self._become(self.session.waits(trouble or self._resume()))

    def flush(self, now_s: float) -> None:
        """Hand over what is complete; a take that is to be saved is, once its last command is known."""
        if self._take is None or self.storage.writer is None:
            return
        try:
            self._take.flush()
            if self.session.state is State.SAVING and self._take.settled(now_s) and not self.storage.writer.problem:
                self._commit()
        except Exception as error:  # whatever it is: a take that is not written must not look as if it were
            self._lose(f"{type(error).__name__}: {error}")
            raise
        if self._take is not None and self.storage.writer.problem:
            self._lose(self.storage.writer.problem)

    def close(self, now_s: float) -> None:
        """Save a take that is to be saved or has its verdict; drop one that has none, and say so."""
        writer = self.storage.writer
        if writer is None:
            return
        if self._take is not None and (self.session.state is State.SAVING or self.session.label):
            self._take.end(now_s)
            self._commit()
        elif self._take is not None:
            self._say(f"the open take of {self._take.seconds:.0f} s was not saved")
        writer.close()
        writer.turn()

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

    def _commit(self) -> None:
        """Hand the take's rest to the writer, with its facts."""
        writer, take = self.storage.writer, self._take
        assert writer is not None and take is not None
        success = self.session.label == SUCCESS
        terminated = self._terminated or success
        if not take.finish(success=success, terminated=terminated, truncated=not terminated):
            self._drop(NO_ROW)
            self._become(self.session.left())
            return
        summaries = self._summaries()
        line = verdict("saved", take.seconds, summaries, take.idle, self.session.label)
        facts = facts_of(self._contract, summaries, self._about, self._beginning, success=success, verdict=line)
        self._take = None
        self.episodes.end(success, terminated, not terminated, take.rows, take.end_ns)
        writer.save(facts, lambda problem: self._saved(problem, line))

    def _saved(self, problem: str, line: str) -> None:
        self._left(f"not saved: {problem}" if problem else line, saved=not problem)
        self._become(self.session.lost(problem) if problem else self.session.left())

    def _lose(self, problem: str) -> None:
        """The take cannot be kept, whatever a person wants."""
        if self._take is not None:
            self._drop(f"not saved: {problem}")
        self._become(self.session.lost(problem))

    def _drop(self, end: str) -> None:
        """Nothing of the take is left."""
        assert self.storage.writer is not None and self._take is not None
        line = verdict(end, self._take.seconds, self._summaries(), self._take.idle, self.session.label)
        self._take = None
        self.storage.writer.discard(lambda _: None)
        self._left(line, saved=False)

    def _left(self, line: str, saved: bool) -> None:
        """A take has ended for good; the next one is prepared."""
        self.totals.add(line, saved=saved)
        self._say(line)
        self.episodes.next(self._beginning.seed + int(saved))

    def _summaries(self) -> dict[str, StreamSummary]:
        """The streams over the take."""
        return {name: watch.summary() for name, watch in self.streams.watches.items()}

    def _resume(self) -> str:
        """Go on behind the seeds that the store has, once; why that takes a moment, empty when it does not."""
        last, self._resumed = None if self._resumed else self.storage.last_seed, True
        if last is None or self.episodes.seed > last:
            return ""
        self.episodes.next(last + 1)
        return "behind the episodes that are there"
