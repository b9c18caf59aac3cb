"""The decisions of a policy on a task, one after the other as they are made: what learning from experience reads."""

from __future__ import annotations

from collections import deque
from typing import Any, Generator, Mapping

from robot.control.runner import ChunkRunner
from robot.description import Policy
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
