"""Record episodes of a policy, in the order of their seeds whatever the workers; alone, or in groups that go on from
one state.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Generator, Iterator, Mapping

import numpy as np

from data.store.episode import Episode
from data.store.names import (
    ACTOR,
    BRANCHED_AT,
    GROUP,
    INSTRUCTION,
    NOISE_SEED,
    POLICY,
    REWARD,
    SEED,
    SOURCE,
    STRATEGY,
    SUCCESS,
    TERMINATED,
    TIME,
    TRUNCATED,
    Actor,
)
from data.store.schema import ACTION
from robot.control.runner import ChunkRunner
from robot.description import Policy
from robot.errors import InputError
from sim.evaluation.action_noise import ActionNoise
from sim.evaluation.decisions import DecisionRecord
from sim.evaluation.env_runner import StepResult, Trace
from sim.evaluation.order import Branch, Order
from sim.evaluation.rollout import BATCH, env_config, environments_of
from sim.evaluation.rounds import Rollout
from sim.evaluation.session import EnvSession
from sim.statistics.records import EpisodeRecord
from sim.tasks.environment import DIVERGED

FACTS = (POLICY, NOISE_SEED)
GROUP_FACTS = (GROUP, BRANCHED_AT)
COLUMNS = (TERMINATED, TRUNCATED, ACTOR)


@dataclass(frozen=True, eq=False)
class PolicySource:
    """A policy with how it acts.

    Args:
        policy: plans.
        name: of it in the facts of an episode, such as its hash.
        source: where it comes from, in words.
        noise: on its actions.
        n_action_steps: rows executed per plan; the policy's own number when None.
    """

    policy: Policy
    name: str
    source: str
    noise: ActionNoise = ActionNoise()
    n_action_steps: int | None = None


@dataclass(eq=False)
class _Recording:
    """An episode as it is put together from its decisions."""

    order: Order
    instruction: str = ""
    drawn: Mapping[str, Any] = field(default_factory=dict)
    traces: list[Trace] = field(default_factory=list)
    actions: list[np.ndarray] = field(default_factory=list)
    shared_rows: int = 0
    branch: Branch | None = None
    branch_at: int = 0  # number of the decision that it comes before

    def add(self, record: DecisionRecord) -> None:
        self.traces.append(record.trace)
        self.actions.append(record.executed)
        if record.branch is not None:
            # One of all, each as likely: the n-th takes the place of the one before with a chance of 1/n.
            draws = np.random.default_rng([self.order.seed, 4, record.request.number])
            if draws.random() * (record.request.number + 1) < 1:
                self.branch, self.branch_at = record.branch, record.request.number

    def continued(self, order: Order) -> _Recording:
        """The recording of an episode that leaves this one before its branch."""
        actions = self.actions[: self.branch_at]
        shared = sum(map(len, actions))
        return _Recording(order, self.instruction, self.drawn, self.traces[: self.branch_at], actions, shared)

    def episode(self, source: PolicySource, period_ns: int, record: EpisodeRecord, facts: Mapping[str, Any]) -> Episode:
        """The episode that was recorded."""
        names = self.traces[0].rows
        data = {name: np.concatenate([trace.rows[name] for trace in self.traces]) for name in names}
        data[ACTION] = np.concatenate(self.actions).astype(np.float32)
        data[REWARD.name] = np.concatenate([trace.reward for trace in self.traces]).astype(REWARD.dtype)
        data[TERMINATED.name] = np.concatenate([trace.terminated for trace in self.traces])
        data[TRUNCATED.name] = np.concatenate([trace.truncated for trace in self.traces])
        data[ACTOR.name] = np.full(len(data[ACTION]), Actor.POLICY, dtype=ACTOR.dtype)
        data[TIME.name] = np.arange(len(data[ACTION]), dtype=np.int64) * period_ns
        diverged = {DIVERGED: record.diverged} if record.diverged else {}
        noise = {"action_noise": dict(source.noise.deviations)} if source.noise.deviations else {}
        meta = {
            SUCCESS.name: record.success,
            SEED.name: record.seed,
            STRATEGY.name: json.dumps({**self.drawn, **noise, **diverged}, sort_keys=True),
            SOURCE.name: source.source,
            INSTRUCTION.name: self.instruction,
            POLICY.name: source.name,
            NOISE_SEED.name: self.order.noise,
            **facts,
        }
        return Episode(data=data, meta=meta)


class _Collection:
    """Orders of all sessions, and the episodes that come of them, in the order of the seeds."""

    def __init__(
        self,
        source: PolicySource,
        seeds: Iterator[int],
        size: int,
        first_group: int,
        mixed: bool = False,
        decisions: int | None = None,
    ) -> None:
        self.source, self.size, self._first_group = source, size, first_group
        self._mixed, self._decisions = mixed, decisions
        self.ready: dict[int, list[Episode]] = {}
        self._seeds = seeds
        self._known: list[int] = []
        self._running: dict[int, _Recording] = {}  # by the number of the order
        self._places: dict[int, tuple[int, dict[str, int]]] = {}  # number of the order -> group or episode, and facts
        self._trunks: dict[int, _Recording] = {}
        self._parts: dict[int, list[Episode]] = {}
        self.given = self.kept = 0
        self.period_ns = source.policy.spec.action.period_ns

    def seed(self, number: int) -> int | None:
        """The seed of the episode or group of that number; None after the last."""
        while len(self._known) <= number:
            seed = next(self._seeds, None)
            if seed is None:
                return None
            self._known.append(seed)
        return self._known[number]

    def alone(self, first: int, step: int) -> Iterator[Order]:
        """The episodes of one session."""
        for number in count(first, step):
            seed = self.seed(number)
            if seed is None:
                return
            self._places[number] = number, {}
            yield Order(number, seed)

    def grouped(self, first: int, step: int) -> Iterator[Order]:
        """The episodes of one session: of each group the one that gives the state, then those that go on from it."""
        numbers = count(first, step)
        for group in count(first, step):
            seed = self.seed(group)
            if seed is None:
                return
            trunk = Order(next(numbers), seed)
            yield trunk
            recording = self._trunks.pop(trunk.number)
            # One that knows nothing of how the episode ended chooses the decision, and all that go on from it are
            # drawn anew: had the first one been kept, states would come with better endings than they have.
            random = np.random.default_rng([seed, 5])
            for member in range(self.size):
                if self._mixed and member == self.size // 2 and self._ended_alike(group):
                    self.ready[group] = []
                    break
                order = Order(next(numbers), seed, int(random.integers(2**63 - 1)), recording.branch)
                self._running[order.number] = branch = recording.continued(order)
                self._places[order.number] = group, {GROUP.name: -1, BRANCHED_AT.name: branch.shared_rows}
                yield order

    def _ended_alike(self, group: int) -> bool:
        """Whether all members up to now succeeded, or none did; those of a group that is given up are dropped."""
        alike = len({bool(episode.meta[SUCCESS.name]) for episode in self._parts[group]}) == 1
        if alike:
            del self._parts[group]
        return alike

    # -- what the rollout tells ---------------------------------------------------------------------------------------

    def begin(self, order: Order, result: StepResult) -> None:
        if order.branch is None:
            self._running[order.number] = _Recording(order, result.instruction, result.drawn)

    def decide(self, record: DecisionRecord) -> None:
        late = self._decisions is not None and record.request.number >= self._decisions
        self._running[record.order.number].add(replace(record, branch=None) if late else record)

    def end(self, order: Order, record: EpisodeRecord) -> None:
        recording = self._running.pop(order.number)
        if order.number not in self._places:
            self._trunks[order.number] = recording
            return
        place, facts = self._places.pop(order.number)
        parts = self._parts.setdefault(place, [])
        parts.append(recording.episode(self.source, self.period_ns, record, facts))
        if len(parts) == self.size:
            self.ready[place] = self._parts.pop(place)

    def in_order(self) -> Iterator[list[Episode]]:
        """What is complete and next; groups that are kept are numbered one after the other."""
        while self.given in self.ready:
            episodes = self.ready.pop(self.given)
            self.given += 1
            if not episodes:
                continue
            if GROUP.name in episodes[0].meta:
                number = self._first_group + self.kept
                episodes = [replace(each, meta={**each.meta, GROUP.name: number}) for each in episodes]
            self.kept += 1
            yield episodes


def policy_episodes(
    source: PolicySource,
    task_id: str,
    seeds: Iterator[int],
    *,
    workers: int = 1,
    options: Mapping[str, Any] | None = None,
    group: int | None = None,
    first_group: int = 0,
    mixed: bool = False,
    decisions: int | None = None,
    batch: int = BATCH,
) -> Generator[list[Episode], None, None]:
    """For each seed an episode of a policy, or a group of them that go on from one state, in the order of the seeds:
    the same whatever the number of workers.

    A group takes its state from an episode of its seed, before a decision that is drawn at random, whatever the
    outcome. Each member has noise of its own from there on; the rows before are those of all.

    Args:
        source: what acts.
        task_id: as `sim.make` takes it.
        seeds: of the starts.
        workers: processes.
        options: of the task.
        group: episodes that go on from one state; None for no groups.
        first_group: number of the first group.
        mixed: keep only groups in which some succeed and some fail: a group whose first half ended alike is given up,
            dropped, and takes no number.
        decisions: of an episode that may give a state, from the first one on; None for all.
        batch: rows of every inference call, a part of what decides the episodes.

    Raises:
        InputError: the policy does not fit the task, an option is wrong, or the task's state cannot be put back.
        TillerError: a worker is lost, or an environment raised.
    """
    for name, value in (("group", group), ("batch", batch), ("workers", workers), ("decisions", decisions)):
        if value is not None and value < 1:
            raise InputError(name, expected="at least 1", got=str(value))
    policy, number = source.policy, environments_of(task_id, workers, batch)
    source.noise.require(policy.spec.action)
    collection = _Collection(source, seeds, group or 1, first_group, mixed, decisions)
    orders = collection.alone if group is None else collection.grouped
    sessions = [
        EnvSession(env, ChunkRunner(policy.spec, n_action_steps=source.n_action_steps), orders(env, number))
        for env in range(number)
    ]
    rollout = Rollout(
        policy,
        env_config(policy, task_id, options, traced=True),
        sessions,
        batch=batch,
        on_begin=collection.begin,
        on_decision=collection.decide,
        on_episode=collection.end,
        save=group is not None,
        needs_success=False,
        keep=False,
        noise=source.noise,
    )
    for _ in rollout.rounds(workers):
        yield from collection.in_order()
