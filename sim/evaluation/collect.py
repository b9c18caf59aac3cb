"""Record episodes of a scripted expert, in worker processes, in the order of their seeds whatever the workers."""

from __future__ import annotations

import json
from collections import deque
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Callable, Generator, Iterable, Iterator, Mapping, Sequence

import numpy as np

from data.store.episode import Episode
from data.store.names import (
    ACTOR,
    INSTRUCTION,
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
from data.store.schema import ACTION, ColumnField, MetaField, Schema
from robot.errors import InputError, TillerError
from sim.evaluation.action_noise import ActionNoise
from sim.experts import make_expert
from sim.process.child import ChildProcess, be_child
from sim.process.failure import Failure, failure
from sim.tasks.environment import DIVERGED, require_absolute
from sim.tasks.registry import task_info

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
    noise: ActionNoise = ActionNoise()
    flags: bool = False
    expert: str | None = None


def schema(env: TaskEnv, meta: Sequence[MetaField] = (), columns: Sequence[ColumnField] = ()) -> Schema:
    """The schema of a store of this task's episodes; with more facts and columns where others than experts act."""
    return Schema(
        env.observation_spec, env.action_spec, env.task.period_s, meta=(*META, *meta), columns=(*COLUMNS, *columns)
    )


def collect(
    task_id: str,
    *,
    episodes: int,
    seed: int = 0,
    workers: int = 1,
    options: Mapping[str, Any] | None = None,
    keep_failures: bool = False,
    on_episode: Callable[[Episode], None] | None = None,
    noise: ActionNoise | None = None,
    expert: str | None = None,
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
        noise: on the actions.
        expert: task whose expert acts, and whose instruction the episodes have; None takes the task's own.

    Yields:
        Episodes with the actions that the environment received.

    Raises:
        InputError: the task has no expert, or an option is wrong.
        TillerError: the expert fails more often than it succeeds, or a worker is lost.
    """
    if episodes < 1 or workers < 1:
        raise InputError("collect", expected="at least one episode and one worker", got=f"{episodes} and {workers}")
    workers = min(workers, episodes)
    harvest = Harvest(episodes, f"The expert of {task_id}", keep_failures=keep_failures, on_episode=on_episode)
    tried = expert_episodes(
        task_id,
        count(seed),
        workers=workers,
        options=options,
        noise=noise,
        needed=lambda: harvest.needed,
        expert=expert,
    )
    with closing(tried):
        yield from harvest.of(tried)


@dataclass
class Harvest:
    """The episodes to keep of those that are tried: the first ones, or the first that succeeded.

    Args:
        episodes: how many.
        who: acts, for messages.
        keep_failures: keep episodes without success too.
        on_episode: called with every episode, before it is kept or dropped.
        least: share of successes below which what acts counts as broken.
        kept, tried: so far.
    """

    episodes: int
    who: str
    keep_failures: bool
    on_episode: Callable[[Episode], None] | None = None
    least: float = 0.5
    kept: int = 0
    tried: int = 0

    @property
    def needed(self) -> int:
        """Episodes to try in all, if no further one fails."""
        return self.episodes + self.tried - self.kept

    def of(self, episodes: Iterable[Episode]) -> Iterator[Episode]:
        """The episodes to keep.

        Raises:
            TillerError: too few succeed.
        """
        for episode in episodes:
            self.tried += 1
            if self.on_episode is not None:
                self.on_episode(episode)
            if self.keep_failures or episode.meta[SUCCESS.name]:
                self.kept += 1
                yield episode
            elif self.tried - self.kept > self.kept * (1 - self.least) / self.least + _SPARE:
                raise TillerError(f"{self.who} succeeded in only {self.kept} of {self.tried} episodes")
            if self.kept >= self.episodes:
                return


def expert_episodes(
    task_id: str,
    seeds: Iterator[int],
    *,
    workers: int = 1,
    options: Mapping[str, Any] | None = None,
    noise: ActionNoise | None = None,
    flags: bool = False,
    needed: Callable[[], int] | None = None,
    expert: str | None = None,
) -> Generator[Episode, None, None]:
    """An episode of the task's expert for each seed, in their order: the same whatever the number of workers.

    Args:
        task_id: a task that has an expert.
        seeds: of the episodes; a few more are taken than episodes are.
        workers: processes.
        options: of the task.
        noise: on the actions.
        flags: whether episodes have the columns `terminated`, `truncated` and `actor`.
        needed: how many of the seeds are worth a try so far; None for all.
        expert: task whose expert acts, and whose instruction the episodes have; None takes the task's own.

    Raises:
        InputError: the task has no expert, or an option is wrong.
        TillerError: a worker is lost.
    """
    make_expert(expert or task_id)
    waiting: deque[int] = deque()
    tried = 0
    with _children(Request(task_id, dict(options or {}), noise or ActionNoise(), flags, expert), workers) as children:
        while True:
            room = _AHEAD * workers - len(waiting)
            if needed is not None:
                room = min(room, needed() - tried - len(waiting))
            for seed in islice(seeds, max(room, 0)):
                children[(tried + len(waiting)) % workers].tell(seed)
                waiting.append(seed)
            if not waiting:
                return
            yield _answer(children[tried % workers])
            waiting.popleft()
            tried += 1


def record(
    env: TaskEnv, seed: int, noise: ActionNoise | None = None, *, flags: bool = False, expert: str | None = None
) -> Episode:
    """One episode of the task's expert. The seed decides the task's start, the strategy and the noise on the actions;
    `flags` adds the columns `terminated`, `truncated` and `actor`. The `expert` of another task does in this one what
    that task's instruction says, whatever counts as success here.

    Where the physics diverges the episode ends without success, and its strategy has the reason under `diverged`.
    """
    actor, noise = make_expert(expert or env.task.id), noise or ActionNoise()
    noise.require(env.action_spec)
    disturbs = np.random.default_rng([seed, 3])
    observation, info = env.reset(seed=seed)
    instruction = env.instruction if expert is None else task_info(expert).instruction
    drawn = {name: info[name] for name in ("perturbations",) if name in info}
    actor.reset(observation, np.random.default_rng([seed, 1]))
    names = env.observation_spec.names
    rows: dict[str, list[np.ndarray]] = {name: [] for name in (*names, ACTION, REWARD.name)}
    success = ended = False
    while not ended:
        action = noise.apply(env.action_spec, actor.act(observation), disturbs).astype(np.float32)
        for name in names:
            rows[name].append(observation[name])
        observation, reward, terminated, truncated, info = env.step(action)
        rows[ACTION].append(action)
        rows[REWARD.name].append(np.asarray(reward, dtype=REWARD.dtype))
        success |= info["success"]
        ended = terminated or truncated
    drawn |= {name: info[name] for name in (DIVERGED,) if name in info}
    data = {name: np.stack(values) for name, values in rows.items()}
    if flags:
        data[TERMINATED.name], data[TRUNCATED.name] = np.zeros((2, len(data[ACTION])), bool)
        data[TERMINATED.name][-1], data[TRUNCATED.name][-1] = terminated, truncated
        data[ACTOR.name] = np.full(len(data[ACTION]), Actor.SCRIPT, dtype=ACTOR.dtype)
    data[TIME.name] = np.arange(len(data[ACTION]), dtype=np.int64) * env.action_spec.period_ns
    meta = {
        SUCCESS.name: bool(success),
        SEED.name: seed,
        STRATEGY.name: json.dumps({**actor.strategy, **drawn}, sort_keys=True),
        SOURCE.name: f"scripted expert of {expert or env.task.id}",
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
        env = require_absolute(sim.make(request.task_id, **request.options))
        while True:
            seed: int = connection.recv()
            where = f"{request.task_id}, seed {seed}"
            connection.send(record(env, seed, request.noise, flags=request.flags, expert=request.expert))
    except (EOFError, OSError):
        raise
    except Exception as error:
        connection.send(failure(error, where))


if __name__ == "__main__":
    be_child(_serve)
