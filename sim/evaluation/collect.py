"""Record episodes of a scripted expert, in worker processes, in the order of their seeds whatever the workers."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Iterator, Mapping

import numpy as np

from data.store.episode import Episode
from data.store.names import INSTRUCTION, REWARD, SEED, SOURCE, STRATEGY, SUCCESS, TIME
from data.store.schema import ACTION, Schema
from robot.errors import InputError, TillerError
from sim.experts import make_expert
from sim.process.child import ChildProcess, be_child
from sim.process.failure import Failure, failure
from sim.tasks.environment import DIVERGED

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from sim.tasks.environment import TaskEnv

META = (SUCCESS, SEED, STRATEGY, SOURCE, INSTRUCTION)
COLUMNS = (TIME, REWARD)
_AHEAD = 2  # seeds queued per worker: it continues while its last episode waits for its turn
_SPARE = 20  # failures that are always allowed before an expert counts as broken


@dataclass(frozen=True)
class Request:
    """Parameters of a worker."""

    task_id: str
    options: Mapping[str, Any]


def schema(env: TaskEnv) -> Schema:
    """The schema of a store of this task's episodes."""
    return Schema(env.observation_spec, env.action_spec, env.task.period_s, meta=META, columns=COLUMNS)


def collect(
    task_id: str,
    *,
    episodes: int,
    seed: int = 0,
    workers: int = 1,
    options: Mapping[str, Any] | None = None,
    keep_failures: bool = False,
    on_episode: Callable[[Episode], None] | None = None,
) -> Iterator[Episode]:
    """Episodes of the task's expert, in the order of their seeds: the same whatever the number of workers.

    Args:
        task_id: a task that has an expert.
        episodes: how many to yield.
        seed: of the first episode; the next ones count up.
        workers: processes.
        options: of the task.
        keep_failures: yield episodes without success too; otherwise further seeds replace them.
        on_episode: called with every episode that was tried, in order, before it is yielded or dropped.

    Yields:
        Episodes with the actions that the environment received.

    Raises:
        InputError: the task has no expert, or an option is wrong.
        TillerError: the expert fails more often than it succeeds, or a worker is lost.
    """
    if episodes < 1 or workers < 1:
        raise InputError("collect", expected="at least one episode and one worker", got=f"{episodes} and {workers}")
    make_expert(task_id)
    workers = min(workers, episodes)
    kept = tried = handed_out = 0
    with _children(Request(task_id, dict(options or {})), workers) as children:
        while kept < episodes:
            needed = episodes + tried - kept  # seeds, if no further one fails
            while handed_out < min(needed, tried + _AHEAD * workers):
                children[handed_out % workers].tell(seed + handed_out)
                handed_out += 1
            episode = _answer(children[tried % workers])
            tried += 1
            if on_episode is not None:
                on_episode(episode)
            if keep_failures or episode.meta[SUCCESS.name]:
                kept += 1
                yield episode
            elif tried - kept > kept + _SPARE:
                raise TillerError(f"The expert of {task_id} succeeded in only {kept} of {tried} episodes")


def record(env: TaskEnv, seed: int) -> Episode:
    """One episode of the task's expert. The seed decides the task's start and the strategy.

    Where the physics diverges the episode ends without success, and its strategy has the reason under `diverged`.
    """
    expert = make_expert(env.task.id)
    observation, info = env.reset(seed=seed)
    instruction = env.instruction
    drawn = {name: info[name] for name in ("perturbations",) if name in info}
    expert.reset(observation, np.random.default_rng([seed, 1]))
    names = env.observation_spec.names
    rows: dict[str, list[np.ndarray]] = {name: [] for name in (*names, ACTION, REWARD.name)}
    success = ended = False
    while not ended:
        action = expert.act(observation).astype(np.float32)
        for name in names:
            rows[name].append(observation[name])
        observation, reward, terminated, truncated, info = env.step(action)
        rows[ACTION].append(action)
        rows[REWARD.name].append(np.asarray(reward, dtype=REWARD.dtype))
        success |= info["success"]
        ended = terminated or truncated
    drawn |= {name: info[name] for name in (DIVERGED,) if name in info}
    data = {name: np.stack(values) for name, values in rows.items()}
    data[TIME.name] = np.arange(len(data[ACTION]), dtype=np.int64) * env.action_spec.period_ns
    meta = {
        SUCCESS.name: bool(success),
        SEED.name: seed,
        STRATEGY.name: json.dumps({**expert.strategy, **drawn}, sort_keys=True),
        SOURCE.name: f"scripted expert of {env.task.id}",
        INSTRUCTION.name: instruction,
    }
    return Episode(data=data, meta=meta)


def divergence(episode: Episode) -> str:
    """The reason why the physics of an episode diverged; empty where it did not."""
    return str(json.loads(episode.meta[STRATEGY.name]).get(DIVERGED, ""))


@contextmanager
def _children(request: Request, workers: int) -> Iterator[list[ChildProcess]]:
    children: list[ChildProcess] = []
    try:
        for _ in range(workers):
            children.append(ChildProcess("sim.evaluation.collect"))
            children[-1].tell(request)
        yield children
    finally:
        for child in children:
            child.close()


def _answer(child: ChildProcess) -> Episode:
    answer: Episode | Failure = child.answer()
    if isinstance(answer, Failure):
        raise answer.error()
    return answer


def _serve(connection: Connection) -> None:
    """Serve as a worker: receive a request, then seeds, and answer each with its episode."""
    import sim

    request: Request = connection.recv()
    where = request.task_id
    try:
        env = sim.make(request.task_id, **request.options)
        while True:
            seed: int = connection.recv()
            where = f"{request.task_id}, seed {seed}"
            connection.send(record(env, seed))
    except (EOFError, OSError):
        raise
    except Exception as error:
        connection.send(failure(error, where))


if __name__ == "__main__":
    be_child(_serve)
