"""The rollouts of the search for a ticket: many noises side by side, and the rung that the search gives."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Sequence

import numpy as np

from policies.steering.by_noise.ticket import Ticket
from policies.steering.by_noise.tickets import Candidate, Evaluate, Round, draw_candidates, search
from robot.control.runner import ChunkRunner
from robot.description import Observation, Policy
from robot.errors import InputError
from robot.files import write_result
from sim.evaluation.order import Order
from sim.evaluation.rollout import BATCH, SMALLEST_BATCH, env_config, evaluate_policy
from sim.evaluation.rounds import Rollout
from sim.evaluation.session import EnvSession
from tiller.steering.free import Setting
from tiller.steering.options import TICKETS
from tiller.steering.rung import Rung

if TYPE_CHECKING:
    from sim.statistics.records import EpisodeRecord
    from tiller.steering.climb import Climb


class SideBySide:
    """Tickets next to each other: row r of every batch has the noise of ticket r, so that one rollout runs them all.

    Args:
        policy: what is steered.
        candidates: a row each; rows beyond them repeat the first.
        rows: of a batch.
    """

    noise_shape = None

    def __init__(self, policy: Policy, candidates: Sequence[Candidate], rows: int) -> None:
        self.policy, self.spec = policy, policy.spec
        of = [candidates[row] if row < len(candidates) else candidates[0] for row in range(rows)]
        self.noise = np.stack([Ticket(policy, each.seed, each.scale).noise for each in of])[:, None]

    def sample(self, observation: Observation, **more: Any) -> np.ndarray:
        return self.policy.sample(observation, **{**more, "noise": self.noise})

    def with_sampler(self, name: str | None = None, steps: int | None = None) -> Policy:
        raise NotImplementedError


class TicketBench:
    """Runs tickets of a policy.

    Args:
        policy: what is steered, under its sampler.
        task: id.
        options: of the task.
        n_action_steps: rows executed per plan; None for the policy's own.
        workers: processes.

    Attributes:
        steps: environment steps so far.
    """

    def __init__(
        self, policy: Policy, task: str, options: Mapping[str, Any], n_action_steps: int | None, workers: int
    ) -> None:
        self.policy, self.task, self.options, self.workers = policy, task, options, workers
        self.n_action_steps, self.steps = n_action_steps, 0

    def success(self, policy: Policy, starts: Sequence[int]) -> np.ndarray:
        """Who succeeds from each of a row of starts, (starts,) bool, by an ordinary evaluation."""
        evaluation = evaluate_policy(
            policy, self.task, episodes=len(starts), seed=starts[0], options=self.options,
            n_action_steps=self.n_action_steps, workers=self.workers,
        )  # fmt: skip
        self.steps += sum(record.length for record in evaluation.records)
        return np.array([record.success for record in evaluation.records])

    def __call__(self, candidates: Sequence[Candidate], starts: Sequence[int]) -> np.ndarray:
        """Who succeeds from where, (candidates, starts) bool. Candidate c has the episodes whose number modulo the
        batch is c, and with that the row of every inference call.
        """
        batch, count = max(SMALLEST_BATCH, len(candidates)), len(candidates)
        success = np.zeros((count, len(starts)), bool)
        if not len(starts):
            return success
        environments = min(count, self.workers * BATCH)

        def episodes(of: range) -> Iterator[Order]:
            return (Order(turn * batch + each, start) for each in of for turn, start in enumerate(starts))

        def ended(order: Order, record: EpisodeRecord) -> None:
            success[order.number % batch, order.number // batch] = record.success
            self.steps += record.length

        sessions = [
            EnvSession(
                env,
                ChunkRunner(self.policy.spec, n_action_steps=self.n_action_steps),
                episodes(range(env, count, environments)),
            )
            for env in range(environments)
        ]
        policy = SideBySide(self.policy, candidates, batch)
        config = env_config(policy, self.task, self.options)
        Rollout(policy, config, sessions, batch=batch, on_episode=ended, keep=False, needs_success=False).run(
            self.workers
        )
        return success


def require_noisy(climb: Climb) -> None:
    """Refuse a policy whose noise does not decide its chunks.

    Raises:
        InputError: names the rung that works for it.
    """
    try:
        Ticket(climb.base)
    except InputError as error:
        raise InputError(
            "method=ticket", expected=error.expected, got=error.got,
            way_out="method=filtered_bc works for this policy, and method=free tries steps of its sampler and rows",
        ) from None  # fmt: skip


def ticket(climb: Climb) -> Rung | None:
    """The winner of the search, as a candidate."""
    given = climb.options.tickets
    candidates = draw_candidates(given.candidates, given.seed)
    starts = given.starts * 2 ** ((len(candidates) - 1).bit_length() - 1)
    if starts > TICKETS:
        raise InputError("tickets.starts", expected=f"at most {TICKETS} in the last round", got=str(starts))
    bench = TicketBench(climb.base, climb.task, climb.bench.options, None, climb.bench.workers)

    def on_round(done: Round) -> None:
        print(f"{len(done.candidates)} noises from {done.starts} starts: best {done.success[0]:.3f}", flush=True)

    first = climb.bench.ticket_seed
    result = search(
        recorded(bench, climb, climb.folder / "ticket"), candidates, range(first, first + starts), (), given.starts,
        on_round,
    )  # fmt: skip
    winner, (success, count) = result.winner, result.picked
    climb.notes["ticket"] = f"picked of {len(candidates)} at {success:.3f} of {count} starts"
    steering = {"name": "ticket", "seed": winner.seed, "scale": winner.scale}
    name = f"ticket {winner.seed} at {winner.scale:g}" if winner.scale else "zero noise"
    policy = Setting(name, steering).around(climb.loaded, climb.execution)
    return Rung(name, policy, climb.checkpoint, {"selection_success": success, "selection_episodes": count})


def recorded(bench: TicketBench, climb: Climb, folder: Path) -> Evaluate:
    """The bench, with what each call gave kept in a file, which a run that goes on reads."""
    calls = 0

    def evaluate(candidates: Sequence[Candidate], starts: Sequence[int]) -> np.ndarray:
        nonlocal calls
        path, calls = folder / f"round-{calls}.json", calls + 1
        of = {"candidates": [[each.seed, each.scale] for each in candidates], "starts": [int(each) for each in starts]}
        if path.is_file():
            values = json.loads(path.read_text(encoding="utf-8"))
            if {name: values[name] for name in of} == of:
                climb.bench.charge(values["steps"], values["seconds"], before=True)
                return np.array(values["success"], bool).reshape(len(candidates), len(starts))
        climb.deadline.check()
        before, started = bench.steps, time.perf_counter()
        success = bench(candidates, starts)
        steps, seconds = bench.steps - before, time.perf_counter() - started
        spent = {"success": success.astype(int).tolist(), "steps": steps, "seconds": seconds}
        write_result(path, json.dumps({**of, **spent}) + "\n")
        climb.bench.charge(steps, seconds)
        return success

    return evaluate
