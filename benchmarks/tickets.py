"""One noise for every decision, searched for by rollouts alone, on bases that have room for it.

    python -m benchmarks.tickets                       the shifted lift and the weak peg
    python -m benchmarks.tickets lift_shifted [--candidates 32] [--starts 8] [--fresh 200] [--seed 0]

Zero noise and 31 noises at scales of 0.25 to 1 run from the same 8 starts; the better half goes on to 16 starts, and so
forth to one winner (`policies.steering.tickets`). The winner, zero noise and the base are then measured on fresh
starts: the figure at which the winner was picked is the best of many and stands beside. The table is
docs/results/tickets.csv.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any, Iterator, Sequence

import numpy as np
import torch

from benchmarks.artifacts import RESULTS, ROOT, write_csv
from benchmarks.free_steering import BASES, Base
from policies.loading.load import load
from policies.model.checkpoint_folder import fingerprint
from policies.steering.ticket import Ticket
from policies.steering.tickets import ZERO, Candidate, Round, Search, draw_candidates, search
from robot.description import Policy
from robot.errors import InputError, TillerError, nearest
from sim.evaluation.rollout import evaluate_policy
from sim.perturbations import perturbed
from sim.statistics.intervals import Interval, paired_difference, wilson

SELECTION, FRESH = 600_000, 100_000  # first seeds
DEFAULT = ("lift_shifted", "peg_weak")
COLUMNS = (
    "base", "task", "what", "noise_seed", "scale", "success", "success_low", "success_high", "difference",
    "difference_low", "difference_high", "starts", "first_seed", "candidates", "search_episodes", "search_steps",
    "minutes", "steps", "n_action_steps", "base_hash", "date",
)  # fmt: skip


class Bench:
    """A base that tickets are run on.

    Args:
        base: which.
        checkpoint: of it.
        workers: processes.
    """

    def __init__(self, base: Base, checkpoint: Path, workers: int) -> None:
        self.base, self.policy, self.workers = base, load(checkpoint).with_sampler(None, base.steps), workers
        words = dict(word.split("=") for word in base.words)
        severity = words.get("severity")
        self.options = perturbed(
            {}, perturbation=words.get("perturbation"), severity=None if severity is None else int(severity)
        )
        self.steps = 0

    def success(self, policy: Policy, starts: Sequence[int]) -> np.ndarray:
        """Who succeeds from each of a row of starts, (starts,) bool."""
        evaluation = evaluate_policy(
            policy, self.base.task, episodes=len(starts), seed=starts[0], options=self.options,
            n_action_steps=self.base.rows, workers=self.workers,
        )  # fmt: skip
        self.steps += sum(record.length for record in evaluation.records)
        return np.array([record.success for record in evaluation.records])

    def __call__(self, candidates: Sequence[Candidate], starts: Sequence[int]) -> np.ndarray:
        return np.stack([self.success(Ticket(self.policy, each.seed, each.scale), starts) for each in candidates])


def run(name: str, artifacts: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of one base; none where it is not trained."""
    base = BASES[name]
    trained = sorted((artifacts / base.study).glob(f"{base.run}-seed0-*/checkpoints/final"))
    if not trained:
        print(f"{name}: skipped; train it with python benchmarks/artifacts.py {base.study} {base.run}")
        return []
    bench, started = Bench(base, trained[-1], options.workers), time.perf_counter()

    def on_round(done: Round) -> None:
        print(f"{name}: {len(done.candidates)} noises x {done.starts} starts, best {done.success[0]:.3f}", flush=True)

    candidates = draw_candidates(options.candidates, options.seed)
    starts = range(SELECTION, SELECTION + options.starts * options.candidates)
    fresh = range(FRESH, FRESH + options.fresh)
    result = search(bench, candidates, starts, fresh, options.starts, on_round)
    minutes = (time.perf_counter() - started) / 60
    searched = {
        "candidates": len(candidates), "search_episodes": result.episodes, "search_steps": bench.steps,
        "minutes": round(minutes, 1),
    }  # fmt: skip
    about = {
        "base": name, "task": base.task, "steps": base.steps, "n_action_steps": base.rows,
        "base_hash": fingerprint(trained[-1]), "date": date.today().isoformat(),
    }  # fmt: skip
    return [{**about, **searched, **row} for row in rows(result, bench.success(bench.policy, fresh))]


def rows(result: Search, base: np.ndarray) -> Iterator[dict[str, Any]]:
    """The base, zero noise and the winner on fresh starts, and the winner as it was picked."""
    picked, count = result.picked
    winner = {"noise_seed": result.winner.seed, "scale": result.winner.scale}
    yield {"what": "base", **figures(base, base), "first_seed": FRESH}
    yield {"what": "zero noise", "scale": ZERO.scale, **figures(result.zero, base), "first_seed": FRESH}
    yield {"what": "winner, fresh", **winner, **figures(result.fresh, base), "first_seed": FRESH}
    yield {
        "what": "winner, as picked", **winner, **rounded("success", wilson(round(picked * count), count)),
        "starts": count, "first_seed": SELECTION,
    }  # fmt: skip


def figures(success: np.ndarray, base: np.ndarray) -> dict[str, Any]:
    """Success with Wilson's interval, and the difference to the base in pairs."""
    return {
        **rounded("success", wilson(int(success.sum()), len(success))),
        **rounded("difference", paired_difference(base.astype(float).tolist(), success.astype(float).tolist())),
        "starts": len(success),
    }


def rounded(name: str, interval: Interval) -> dict[str, float]:
    ends = {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return {key: round(value, 4) for key, value in ends.items()}


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bases", nargs="*", help=f"of {', '.join(BASES)}; default: {', '.join(DEFAULT)}")
    parser.add_argument("--artifacts", type=Path, default=ROOT / "artifacts")
    parser.add_argument("--candidates", type=int, default=32, help="noises, zero among them")
    parser.add_argument("--starts", type=int, default=8, help="of the first round")
    parser.add_argument("--fresh", type=int, default=200, help="starts to measure on")
    parser.add_argument("--seed", type=int, default=0, help="of the first noise")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(words)
    for name in options.bases:
        if name not in BASES:
            raise InputError(f"base '{name}'", expected=f"one of {', '.join(BASES)}", way_out=nearest(name, BASES))
    torch.set_num_threads(1)
    table: list[dict[str, Any]] = []
    for name in options.bases or DEFAULT:
        table += run(name, options.artifacts, options)
        if table:
            write_csv(RESULTS / "tickets.csv", COLUMNS, table)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TillerError as error:
        sys.exit(f"{error}")
