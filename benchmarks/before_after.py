"""What a change costs: this checkout beside another one, in turns of a fraction of a second.

    git worktree add /tmp/before COMMIT
    python -m benchmarks.before_after /tmp/before [tick training windows twin transport chunk] [--rounds 40]

A process of each checkout does the same small piece of work again and again, one after the other on one core, so that a
machine whose speed changes from second to second slows down both. The ratio is the median over the pairs of neighbours;
its interval is a bootstrap over them. Both checkouts need the benchmarks whose pieces are used here.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Callable

import numpy as np

HERE = Path(__file__).resolve()
CORE = max(os.sched_getaffinity(0))
CONTRACTS = ("panda_twin", "panda_twin_crisp", "panda_inspire_twin", "ur5e_jtc")


def tick(contract: str) -> Callable[[], float]:
    """Median seconds of a tick of the gate's core."""
    from benchmarks import gate_tick as bench

    made = bench.load_contract(contract)
    description = bench.describe(made)
    settings = bench.gate_settings(made, description)
    names, rest = bench.component_names(description, settings.spec), dict(description.spec.rest)
    return lambda: float(np.median(bench.ticks(settings, names, rest, 140)[20:]))


def training() -> Callable[[], float]:
    """Processor seconds of an update of the default network."""
    from benchmarks import training as bench

    with tempfile.TemporaryDirectory() as folder:
        learner, batches = bench.make_learner(bench.write_demonstrations(Path(folder) / "store"), "mlp", "float32")
    number = iter(range(10**9))

    def run() -> float:
        started = time.process_time()
        update = next(number)
        learner.learn(update, batches.fetch(update))
        return time.process_time() - started

    return run


def windows() -> Callable[[], float]:
    """Processor seconds of 80 batches of windows of states in memory."""
    from benchmarks import training
    from benchmarks import windows as bench

    with tempfile.TemporaryDirectory() as folder:  # states are read into memory
        made = bench.windows_of(training.write_demonstrations(Path(folder) / "store"), "state")
    order = made.order(np.random.default_rng(0))
    parts = [order[first : first + bench.BATCH] for first in range(0, len(order) - bench.BATCH, bench.BATCH)][:80]

    def run() -> float:
        started = time.process_time()
        for part in parts:
            made.gather(part)
        return time.process_time() - started

    return run


def twin() -> Callable[[], float]:
    """Processor seconds of 60 control steps of `twin/lift`."""
    from benchmarks.twin import TwinRun

    made = TwinRun("twin/lift")
    number = iter(range(10**9))

    def run() -> float:
        seed, actions = made._episodes[next(number) % len(made._episodes)]
        made.env.reset(seed=seed)
        started = time.process_time()
        for action in actions[:60]:
            made.env.step(action)
        return time.process_time() - started

    return run


def transport() -> Callable[[], float]:
    """Seconds of a step of an evaluation in a worker, with a policy that costs nothing."""
    from benchmarks import rollout as bench

    policy, options = bench.Wanderer(), {"max_steps": 250}

    def run() -> float:
        evaluation = bench.evaluate_policy(policy, bench.TASK, episodes=4, seed=0, workers=1, options=options)
        assert evaluation.summary is not None
        return 1 / evaluation.summary.steps_per_s

    return run


def chunk() -> Callable[[], float]:
    """Processor seconds of 20 chunks that the default network draws for one row."""
    from benchmarks import rollout as bench

    policy = bench.network_policy()
    seen = {"state": np.zeros((1, policy.spec.observation["state"].history.steps, 5), np.float32)}

    def run() -> float:
        started = time.process_time()
        for seed in range(20):
            policy.sample(seen, seeds=[seed])
        return time.process_time() - started

    return run


WORKS: dict[str, Callable[[], Callable[[], float]]] = {
    **{f"tick {name}": partial(tick, name) for name in CONTRACTS},
    "training": training,
    "windows": windows,
    "twin": twin,
    "transport": transport,
    "chunk": chunk,
}


def work(name: str) -> None:
    """The process of a checkout: one piece of work a line of its input, its seconds to the output."""
    output = sys.stdout
    with redirect_stdout(sys.stderr):
        run = WORKS[name]()
        for _ in range(3):
            run()
        print("ready", file=output, flush=True)
        for _ in sys.stdin:
            print(run(), file=output, flush=True)


def start(checkout: Path, name: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(checkout)}
    command = ["taskset", "-c", str(CORE), sys.executable, str(HERE), "--work", name]
    process = subprocess.Popen(
        command, cwd=checkout, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        sys.exit(f"{checkout} cannot do '{name}': run {' '.join(command)} there")
    return process


def ask(process: subprocess.Popen[str]) -> float:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def compare(before: Path, name: str, rounds: int) -> str:
    processes = [start(before, name), start(HERE.parents[1], name)]
    pairs = np.empty((rounds, 2))
    for number in range(rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            pairs[number, which] = ask(processes[which])
    for process in processes:
        process.kill()
    ratios = pairs[:, 1] / pairs[:, 0]
    drawn = np.random.default_rng(0).choice(ratios, (2000, rounds))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    was, now = np.median(pairs, axis=0) * 1e3
    return f"{name:26} {was:10.3f} ms {now:10.3f} ms   ratio {np.median(ratios):.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, nargs="?", help="another checkout")
    parser.add_argument("what", nargs="*", help=f"of {', '.join(WORKS)}; `tick` means all contracts; everything")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        return work(asked.work)
    if asked.before is None:
        parser.error("give the path of another checkout")
    chosen = [name for name in WORKS if not asked.what or name in asked.what or name.split()[0] in asked.what]
    for name in chosen:
        print(compare(asked.before.resolve(), name, asked.rounds), flush=True)
    return None


if __name__ == "__main__":
    main()
