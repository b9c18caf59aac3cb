"""One noise for every decision, searched for by rollouts alone, on bases that have room for it.

    python -m benchmarks.tickets                       the shifted lift and the weak peg
    python -m benchmarks.tickets lift_shifted [--candidates 32] [--starts 8] [--fresh 200] [--seed 0]

Zero noise and 31 noises at scales of 0.25 to 1 run from the same 8 starts; the better half goes on to 16 starts, and so
forth to one winner (`policies.steering.by_noise.tickets`), all side by side in one rollout a round. The winner, zero
noise and the base are then measured on fresh starts: the figure at which the winner was picked is the best of many and
stands beside. The table is docs/results/tickets.csv.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import torch

from benchmarks.artifacts import RESULTS, ROOT, interval_cells, write_csv
from benchmarks.free_steering import BASES, Base, require_known
from policies.loading.load import load
from policies.model.checkpoint_folder import fingerprint
from policies.steering.by_noise.tickets import ZERO, Round, Search, draw_candidates, search
from robot.errors import TillerError
from sim.perturbations import perturbed
from sim.statistics.intervals import paired_difference, wilson
from tiller.steering.tickets import TicketBench

SELECTION, FRESH = 600_000, 100_000  # first seeds
DEFAULT = ("lift_shifted", "peg_weak")
TABLE = RESULTS / "tickets.csv"
COLUMNS = (
    "base", "task", "what", "noise_seed", "scale", "success", "success_low", "success_high", "difference",
    "difference_low", "difference_high", "starts", "first_seed", "candidates", "search_episodes", "search_steps",
    "minutes", "steps", "n_action_steps", "base_hash", "date",
)  # fmt: skip


def bench_of(base: Base, checkpoint: Path, workers: int) -> TicketBench:
    """What runs tickets of a base."""
    words = dict(word.split("=") for word in base.words)
    severity = words.get("severity")
    options = perturbed(
        {}, perturbation=words.get("perturbation"), severity=None if severity is None else int(severity)
    )
    policy = load(checkpoint).with_sampler(None, base.steps)
    return TicketBench(policy, base.task, options, base.rows, workers)


def run(name: str, artifacts: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of one base; none where it is not trained."""
    base = BASES[name]
    trained = base.trained(artifacts)
    if trained is None:
        return []
    started = time.perf_counter()
    bench = bench_of(base, trained / "checkpoints" / "final", options.workers)

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
        "base_hash": fingerprint(trained / "checkpoints" / "final"), "date": date.today().isoformat(),
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
        "what": "winner, as picked", **winner, **interval_cells("success", wilson(round(picked * count), count)),
        "starts": count, "first_seed": SELECTION,
    }  # fmt: skip


def figures(success: np.ndarray, base: np.ndarray) -> dict[str, Any]:
    """Success with Wilson's interval, and the difference to the base in pairs."""
    return {
        **interval_cells("success", wilson(int(success.sum()), len(success))),
        **interval_cells("difference", paired_difference(base.astype(float).tolist(), success.astype(float).tolist())),
        "starts": len(success),
    }


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
    require_known(options.bases, BASES)
    torch.set_num_threads(1)
    for name in options.bases or DEFAULT:
        if measured := run(name, options.artifacts, options):
            kept = [row for row in before() if row["base"] != name]
            write_csv(TABLE, COLUMNS, sorted([*kept, *measured], key=lambda row: list(BASES).index(row["base"])))
    return 0


def before() -> list[dict[str, Any]]:
    """The rows of the table that is there."""
    if not TABLE.exists():
        return []
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TillerError as error:
        sys.exit(f"{error}")
