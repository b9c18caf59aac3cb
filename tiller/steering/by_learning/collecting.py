"""Episodes of a policy that changes now and then, kept in a replay in the order of their numbers, whatever the workers.

The workers stay between the segments. An episode is committed as a whole, after all those before it: what a kill leaves
is the beginning of the same row of episodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Callable, Iterator, Mapping

import numpy as np

from data.learning.replay.replay import Replay
from robot.control.runner import ChunkRunner, query_seed
from robot.description import Decision, Policy, Query, decide
from sim.evaluation.decisions import DecisionRecord
from sim.evaluation.experience import Experience
from sim.evaluation.order import Order
from sim.evaluation.rollout import BATCH, env_config, environments_of
from sim.evaluation.rounds import Rollout
from sim.evaluation.session import EnvSession
from tiller.steering.by_learning.patience import Patience


@dataclass(eq=False)
class Feed:
    """The orders of one environment: those of its numbers up to a last one, which moves on.

    Args:
        number: of the next episode.
        step: environments that share the episodes.
        seed: of episode 0.
        end: number of the first episode that is not ordered yet.
    """

    number: int
    step: int
    seed: int
    end: int = 0

    def __iter__(self) -> Iterator[Order]:
        return self

    def __next__(self) -> Order:
        if self.number >= self.end:
            raise StopIteration
        order = Order(self.number, self.seed + self.number)
        self.number += self.step
        return order


@dataclass(eq=False)
class InOrder:
    """Adds episodes to a replay in the order of their numbers, each as a whole.

    Args:
        replay: that they are added to.
        policy: that draws what is bootstrapped from where an episode is cut off.
        done: number of the next one.
        patience: with a full disk.

    Attributes:
        steps: of the environment, of those that were added.
    """

    replay: Replay
    policy: Policy
    done: int = 0
    patience: Patience = field(default_factory=Patience)
    steps: int = 0
    _open: dict[int, list[DecisionRecord]] = field(default_factory=dict)
    _whole: dict[int, list[DecisionRecord]] = field(default_factory=dict)

    def take(self, record: DecisionRecord) -> None:
        """Keep a decision until its episode is whole and the next."""
        number = record.order.number
        decisions = self._open.setdefault(number, [])
        decisions.append(record)
        if record.trace.terminated[-1] or record.trace.truncated[-1]:
            self._whole[number] = self._open.pop(number)
        while self.done in self._whole:
            self._add(self._whole.pop(self.done))

    def _add(self, records: list[DecisionRecord]) -> None:
        adding, attempt = Experience(self.replay), self.patience.attempt
        for record in records:
            attempt(adding.add, record, of_success=True)
            self.steps += len(record.executed)
        last = records[-1]
        if not last.trace.terminated[-1] and not last.episode.success:
            attempt(adding.cut_off, last, self._next(last))
        attempt(self.replay.commit)
        self.done += 1

    def _next(self, record: DecisionRecord) -> Decision:
        """What would be drawn where an episode was cut off, without its batch axis."""
        request = record.request
        seed = query_seed(record.order.noise, request.number + 1)
        query = Query({name: np.asarray(value)[None] for name, value in record.next_window.items()}, seeds=[seed])
        return decide(self.policy, replace(query, task=request.prompt)).row(0)


class Collecting:
    """Runs episodes on workers that stay; used as a context.

    Args:
        policy: that begins.
        task: id.
        options: of the task.
        seed: of episode 0.
        rows: executed per plan.
        kept: where the episodes go; it knows how many are done.
        workers: processes.
    """

    def __init__(
        self,
        policy: Policy,
        task: str,
        options: Mapping[str, Any],
        seed: int,
        rows: int,
        kept: InOrder,
        workers: int = 1,
    ) -> None:
        self.kept = kept
        number = environments_of(task, workers, BATCH)
        first = kept.done
        # Episode n always runs in environment n % number, as its row of an inference call follows from n.
        starts = [first + (env - first) % number for env in range(number)]
        self._feeds = [Feed(start, number, seed) for start in starts]
        sessions = [
            EnvSession(env, ChunkRunner(policy.spec, n_action_steps=rows), feed) for env, feed in enumerate(self._feeds)
        ]
        self._rollout = Rollout(
            policy,
            env_config(policy, task, options, traced=True),
            sessions,
            batch=BATCH,
            on_decision=kept.take,
            needs_success=False,
            keep=False,
        )
        self._rounds = self._rollout.rounds(workers, waits=True)

    def __enter__(self) -> Collecting:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close = getattr(self._rounds, "close", None)
        if close is not None:
            close()

    def until(self, end: int, policy: Policy, stop: Callable[[], bool] = lambda: False) -> bool:
        """Run the episodes up to a number, by a policy; returns whether all of them are there, or `stop` said so.

        Raises:
            InputError: the policy does not fit the task.
            TillerError: a worker is lost, or the disk is full: what was committed stands.
        """
        self._rollout.steer_by(policy)
        self.kept.policy = policy
        for feed in self._feeds:
            feed.end = end
        while self.kept.done < end:
            if stop():
                return False
            next(self._rounds)
        return True
