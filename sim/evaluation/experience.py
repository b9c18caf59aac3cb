"""The decisions of a policy on a task, one after the other as they are made: what learning from experience reads."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Generator, Mapping

import numpy as np

from data.learning.replay.replay import Replay
from data.learning.replay.schema import AFTERWARDS, CANDIDATES, CHOSEN, CUT_OFF, NOISE, PLANNED
from robot.control.runner import ChunkRunner
from robot.description import Decision, Policy
from robot.errors import InputError
from sim.evaluation.decisions import DecisionRecord
from sim.evaluation.order import orders
from sim.evaluation.rollout import BATCH, env_config, environments_of
from sim.evaluation.rounds import Rollout
from sim.evaluation.session import EnvSession


def decisions(
    policy: Policy,
    task_id: str,
    *,
    seed: int,
    episodes: int | None = None,
    workers: int = 1,
    options: Mapping[str, Any] | None = None,
    n_action_steps: int | None = None,
    batch: int = BATCH,
    save: bool = False,
) -> Generator[DecisionRecord, None, None]:
    """Run episodes of the seeds from `seed` on, and hand out each decision once the steps up to the next one are known.

    Decisions of an episode come in their order, those of episodes that run side by side between each other; `order`,
    `request.number` and `episode` say where one belongs. Closing the generator ends the workers.

    Args:
        policy: plans.
        task_id: as `sim.make` takes it.
        seed: of the first episode.
        episodes: how many; None for no end.
        workers: processes that step environments.
        options: of the task.
        n_action_steps: rows executed per plan; the policy's own number when None.
        batch: rows of every inference call, a part of what decides the result.
        save: whether each decision brings the moment before it as `branch`, for episodes that go on from there.

    Raises:
        InputError: the policy does not fit the task, an option is wrong, or a state is asked for that cannot be saved.
        TillerError: an environment raised, or a worker is lost.
    """
    number, records = environments_of(task_id, workers, batch), deque[DecisionRecord]()
    sessions = [
        EnvSession(env, ChunkRunner(policy.spec, n_action_steps=n_action_steps), orders(seed, env, number, episodes))
        for env in range(number)
    ]
    rollout = Rollout(
        policy,
        env_config(policy, task_id, options, traced=True),
        sessions,
        batch=batch,
        on_decision=records.append,
        save=save,
        needs_success=False,
        keep=False,
    )
    for _ in rollout.rounds(workers):
        while records:
            yield records.popleft()


@dataclass
class _Begun:
    """An episode of the replay, how many decisions it has, and whether one of them brought success."""

    episode: int
    decisions: int = 0
    success: bool = False


class Experience:
    """Keeps decisions of rollouts in a replay.

    Args:
        replay: of the schema `ReplaySchema.of(policy.spec)`, rows executed apart.
        version: of the policy that decides.
    """

    def __init__(self, replay: Replay, version: int = 0) -> None:
        self.replay, self.version = replay, version
        self._episodes: dict[int, _Begun] = {}  # by the number of the order
        self._last = -1

    def add(self, record: DecisionRecord, *, of_success: bool = False) -> None:
        """Keep a decision and what came of it; those of an episode in their order.

        Args:
            record: the decision.
            of_success: learn of success alone, whatever the task rewards: 1 in the last row of the decision that
                brought it, with which the task ends; later ones are kept as `AFTERWARDS`.

        Raises:
            InputError: it does not fit the replay, or a reward is not finite.
            TillerError: the disk is full.
        """
        schema, trace, k = self.replay.schema, record.trace, len(record.executed)
        if k > schema.rows:
            raise InputError("replay: rows", expected=f"{k} or more, which were executed", got=str(schema.rows))
        number = record.order.number
        begun = self._episodes.get(number)
        if begun is None or (record.request.number == 0 and begun.decisions):  # orders of each rollout count from 0
            begun = self._episodes[number] = _Begun(int(self.replay.begin()[0]))
        self._last = begun.episode
        version = AFTERWARDS if of_success and begun.success else self.version
        executed, reward = np.zeros((1, schema.rows, schema.dim)), np.zeros((1, schema.rows))
        executed[0, :k], reward[0, :k] = record.executed, trace.reward
        ended = bool(trace.terminated[-1]), bool(trace.truncated[-1])
        success, terminated = bool(record.episode.success), ended[0]
        if of_success:
            reward[:] = 0
            reward[0, k - 1] = success and not begun.success
            terminated = ended[0] or success
        self.replay.add(
            window={name: np.asarray(value)[None] for name, value in record.request.window.items()},
            next_window={name: np.asarray(value)[None] for name, value in record.next_window.items()},
            executed=executed,
            length=np.array([k]),
            reward=reward,
            terminated=np.array([terminated]),
            truncated=np.array([ended[1]]),
            episode=np.array([self._last]),
            version=version,
            **self._plan(record.decision),
        )
        begun.decisions, begun.success = begun.decisions + 1, success
        if any(ended):
            del self._episodes[number]

    def cut_off(self, record: DecisionRecord, decision: Decision) -> None:
        """Keep what was drawn at the moment at which an episode was cut off, after its last decision: nothing of it was
        executed, and nothing came of it.

        Args:
            record: the last decision, already kept.
            decision: that would have come next.

        Raises:
            InputError: it does not fit the replay.
            TillerError: the disk is full.
        """
        schema = self.replay.schema
        window = {name: np.asarray(value)[None] for name, value in record.next_window.items()}
        self.replay.add(
            window=window,
            next_window=window,
            executed=np.zeros((1, schema.rows, schema.dim)),
            length=np.array([1]),
            reward=np.zeros((1, schema.rows)),
            terminated=np.array([False]),
            truncated=np.array([True]),
            episode=np.array([self._last]),
            version=CUT_OFF,
            **self._plan(decision),
        )

    def _plan(self, decision: Decision) -> dict[str, np.ndarray]:
        """Noise, chunk and candidates of a decision that drew one chunk, as far as the replay keeps them."""
        if len(decision.chunk) > 1:
            return {}  # which of several chunks was executed is not told
        names = self.replay.schema.names
        parts = {
            NOISE: decision.noise,
            PLANNED: decision.chunk,
            CANDIDATES: decision.candidates,
            CHOSEN: decision.index,
        }
        return {name: value for name, value in parts.items() if name in names and value is not None}
