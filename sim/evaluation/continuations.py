"""Chunks executed at saved states of a policy's own episodes, each followed by continuations with noise of their own.

A state is the moment before a decision of one episode. There chunk 0 is the one of zero noise, the others are of noise
that is drawn. Each is executed several times from the saved state, up to the next decision, and the policy goes on with
fresh noise to the end of the episode. No two continuations share noise, of one chunk or of several. What comes of a
state is one line of a file, written when all of it is known: a run that was killed goes on, to the same lines.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence

import numpy as np

from robot.control.plan_request import decide_plans
from robot.control.runner import ChunkRunner
from robot.description import Policy
from robot.errors import InputError
from sim.evaluation.decisions import DecisionRecord
from sim.evaluation.experience import decisions
from sim.evaluation.order import Branch, Order
from sim.evaluation.rollout import env_config, environments_of
from sim.evaluation.rounds import Rollout
from sim.evaluation.session import EnvSession
from sim.statistics.nested import Outcomes
from sim.statistics.records import EpisodeRecord

Medoid = Callable[[np.ndarray], Any]
"""Chunks (K, horizon, dim) -> the number of the one in the middle."""


@dataclass(frozen=True)
class Acting:
    """A policy with the task that it acts on.

    Args:
        policy: plans.
        task, options: as `sim.make` takes them.
        n_action_steps: rows executed per plan; the policy's own number when None.
        batch: rows of every inference call, a part of what decides the result.
    """

    policy: Policy
    task: str
    options: Mapping[str, Any]
    n_action_steps: int | None = None
    batch: int = 32


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Args:
        starts: episodes that give states, of the seeds from `first_seed` on.
        decisions: numbers of the decisions, from 0, that states are saved before.
        chunks: at a state, the one of zero noise among them.
        continuations: of each chunk.
        first_seed: of the first start.
    """

    starts: int = 24
    decisions: tuple[int, ...] = (0, 1, 2)
    chunks: int = 8
    continuations: int = 8
    first_seed: int = 800_000

    def __post_init__(self) -> None:
        for name, least in (("starts", 2), ("chunks", 3), ("continuations", 2)):
            if getattr(self, name) < least:
                raise InputError(name, expected=f"at least {least}", got=str(getattr(self, name)))
        if not self.decisions or min(self.decisions) < 0 or len({*self.decisions}) < len(self.decisions):
            raise InputError("decisions", expected="different numbers from 0 on", got=str(list(self.decisions)))

    @property
    def at_state(self) -> int:
        """Continuations of all chunks at one state."""
        return self.chunks * self.continuations


@dataclass(eq=False)
class State:
    """A moment of an episode and what has come of its chunks so far.

    Args:
        number: of the state in the whole design, whether the episode reached it or not.
        start, decision: seed of the episode, and number of the decision that it stands before.
        window: name -> (steps, ...) that the decision sees.
        chunks: (chunks, horizon, dim), the one of zero noise first.
        branches: of each chunk, the moment in which it is about to be executed.
        medoid: number of the medoid among the chunks without the one of zero noise.
        successes: (chunks,) of the continuations.
        left: continuations to come.
        steps: of the environment in those that have ended.
    """

    number: int
    start: int
    decision: int
    window: Mapping[str, np.ndarray]
    chunks: np.ndarray
    branches: list[Branch]
    medoid: int
    successes: np.ndarray
    left: int
    steps: int = 0

    def line(self, seconds: float) -> dict[str, Any]:
        """What is kept of it."""
        return {
            "start": self.start,
            "decision": self.decision,
            "step": self.branches[0].episode.length,
            "zero": int(self.successes[0]),
            "successes": self.successes[1:].tolist(),
            "medoid": self.medoid,
            "steps": self.steps,
            "seconds": round(seconds, 2),
        }


def measure(
    acting: Acting,
    size: Size,
    file: Path,
    medoid: Medoid,
    on_state: Callable[[dict[str, Any], int], None] = lambda line, left: None,
) -> dict[str, int]:
    """Reach the states, and run what the file lacks of their continuations.

    Args:
        acting: what acts, on what.
        size: of the experiment.
        file: JSON lines of earlier runs of the same, which are kept; new ones are appended.
        medoid: names the one in the middle of the chunks that are drawn at a state.
        on_state: called with each line that is written and the number of states that are left.

    Returns:
        Of the episodes that gave the states: how many states, successes and steps of the environment.

    Raises:
        InputError: a policy whose chunks do not start from noise, or a task whose state cannot be saved.
        TillerError: an environment raised, or a worker is lost.
    """
    if acting.policy.noise_shape is None:
        raise InputError(
            f"variance between chunks of a policy with sampler '{acting.policy.spec.sampler.name}'",
            expected="a policy whose chunks start from noise",
            got="one that always gives the same chunk",
        )
    done = {(line["start"], line["decision"]) for line in read_lines(file)}
    records, about = reached(acting, size)
    missing = [state_of(acting, size, each, medoid) for each in records if _place(each) not in done]
    with file.open("a") as lines:
        for left, line in zip(range(len(missing) - 1, -1, -1), continued(acting, size, missing)):
            lines.write(json.dumps(line) + "\n")
            lines.flush()
            os.fsync(lines.fileno())
            on_state(line, left)
    return about


def read_lines(file: Path) -> list[dict[str, Any]]:
    """The whole lines of a file; what a killed run left behind them is cut off."""
    if not file.exists():
        return []
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(file, len(whole))
    return [json.loads(line) for line in whole.splitlines()]


def outcomes_of(lines: Sequence[Mapping[str, Any]], continuations: int) -> Outcomes:
    """What the analysis of variance takes of some states' lines."""
    start, successes, zero, medoid = (
        np.array([line[key] for line in lines]) for key in ("start", "successes", "zero", "medoid")
    )
    return Outcomes(start, successes, zero, medoid, continuations)


def reached(acting: Acting, size: Size) -> tuple[list[DecisionRecord], dict[str, int]]:
    """One episode of each start: the decisions before which states are taken, and what came of the episodes. An episode
    that has ended, or succeeded, before a decision has no state there.
    """
    kept: list[DecisionRecord] = []
    successes = steps = 0
    for record in decisions(
        acting.policy,
        acting.task,
        seed=size.first_seed,
        episodes=size.starts,
        options=acting.options,
        n_action_steps=acting.n_action_steps,
        batch=acting.batch,
        save=True,
    ):
        branch = record.branch
        if record.request.number in size.decisions and branch is not None and not branch.episode.success:
            kept.append(record)
        if record.episode.ended:
            successes, steps = successes + record.episode.success, steps + record.episode.length
    return sorted(kept, key=_place), {"states": len(kept), "successes": successes, "steps": steps}


def state_of(acting: Acting, size: Size, record: DecisionRecord, medoid: Medoid) -> State:
    """The state before a decision with its chunks, drawn in one inference call."""
    start, decision = _place(record)
    shape = acting.policy.noise_shape
    assert record.branch is not None and shape is not None
    drawn = [
        np.random.default_rng([start, 6, decision, chunk]).standard_normal(shape, dtype=np.float32)
        for chunk in range(1, size.chunks)
    ]
    noise = np.stack([np.zeros(shape, dtype=np.float32), *drawn])
    request = replace(record.request, samples=size.chunks, noise=noise)
    chunks = decide_plans(acting.policy, [request]).row(0).chunk
    branches = []
    for values in chunks:
        runner = record.branch.runner.fork()
        runner.accept(values)
        branches.append(replace(record.branch, runner=runner))
    number = (start - size.first_seed) * len(size.decisions) + size.decisions.index(decision)
    middle = int(medoid(chunks[1:]))
    return State(
        number,
        start,
        decision,
        record.request.window,
        chunks,
        branches,
        middle,
        np.zeros(size.chunks, dtype=np.int64),
        size.at_state,
    )


def continued(acting: Acting, size: Size, states: list[State]) -> Iterator[dict[str, Any]]:
    """The line of each state as soon as all of its continuations have ended."""
    by_number = {state.number: state for state in states}
    ready: list[State] = []

    def end(order: Order, record: EpisodeRecord) -> None:
        state = by_number[order.number // size.at_state]
        assert order.branch is not None
        state.successes[order.number % size.at_state // size.continuations] += record.success
        state.steps += record.length - order.branch.episode.length
        state.left -= 1
        if not state.left:
            ready.append(state)

    environments = environments_of(acting.task, 1, acting.batch)
    sessions = [
        EnvSession(
            env,
            ChunkRunner(acting.policy.spec, n_action_steps=acting.n_action_steps),
            _orders(size, states, env, environments),
        )
        for env in range(environments)
    ]
    rollout = Rollout(
        acting.policy,
        env_config(acting.policy, acting.task, acting.options),
        sessions,
        batch=acting.batch,
        on_episode=end,
        needs_success=False,
        keep=False,
    )
    since = time.perf_counter()
    for _ in rollout.rounds(1):
        for state in ready:
            now = time.perf_counter()
            yield state.line(now - since)
            since = now
        ready.clear()


def _orders(size: Size, states: list[State], env: int, environments: int) -> Iterator[Order]:
    """The continuations of the states that one environment runs. Each has the same number, and with it the same row of
    an inference call, whatever earlier runs have done.
    """
    for state in states:
        for chunk, repeat in product(range(size.chunks), range(size.continuations)):
            number = state.number * size.at_state + chunk * size.continuations + repeat
            if number % environments == env:
                seed = np.random.SeedSequence([state.start, 7, state.decision, chunk, repeat])
                noise_seed = int(seed.generate_state(1, np.uint64)[0] >> np.uint64(1))
                yield Order(number, state.start, noise_seed, state.branches[chunk])


def _place(record: DecisionRecord) -> tuple[int, int]:
    """Start and number of a decision."""
    return record.order.seed, record.request.number
