"""Return-weighted sampling: ten percent of good episodes among ninety of poor ones, and episodes of one kind.

    python -m benchmarks.trajectory_weighting

In `maze/01`, 20 episodes of its expert stand among 180 of experts of other mazes, which go wrong in this one; and 200
of its own expert with noise on the set-points are of one kind. Policies of one recipe are trained on either with every
order of windows that `training.order` knows (Hong et al. 2023 for return and advantage weighting), and on the 20 good
episodes alone, which nobody tells apart in a mixed set. 100 episodes each on the same seeds, in pairs;
docs/results/trajectory_weighting.csv.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Any, Iterator

from benchmarks.artifacts import (
    RESULTS,
    ROOT,
    copy_episodes,
    interval_cells,
    tiller,
    training_effort,
    write_csv,
)
from data.store.dataset import Dataset
from robot.errors import TillerError
from sim.statistics.comparison import compare
from sim.statistics.records import FILE_NAME, Evaluation, read_evaluation

FOLDER = ROOT / "artifacts" / "trajectory_weighting"
TASK, OTHERS = "maze/01", ("maze/02", "maze/05", "maze/07")
EPISODES, SEED = 100, 100_000
DATA = {
    "good": ("episodes=20",),
    **{f"poor {other[-2:]}": (f"expert={other}", "episodes=60", f"seed={1000 * number}")
       for number, other in enumerate(OTHERS, 1)},
    "one kind": ("episodes=200", "seed=5000", "keep_failures=true", "action_noise.pin.setpoint=0.045"),
}  # fmt: skip
SETS = {"mixed": tuple(name for name in DATA if name != "one kind"), "one kind": ("one kind",), "good": ("good",)}
ORDERS = ("uniform", "return_weighted", "advantage_weighted", "top")
ARMS = [(data, order) for order in ORDERS for data in ("mixed", "one kind")] + [("good", "uniform")]
COLUMNS = (
    "data", "order", "success", "success_low", "success_high", "over_uniform", "over_uniform_low", "over_uniform_high",
    "episodes", "first_seed", "updates", "minutes", "date",
)  # fmt: skip


def path(*words: str) -> Path:
    return FOLDER / "-".join(words).replace(" ", "_")


def collect() -> None:
    for name, words in DATA.items():
        output = path("data", name)
        if not (output / "finished.json").exists():
            tiller("collect", f"task={TASK}", *words, f"output={output}",
                   *(["resume=true"] if output.exists() else []))  # fmt: skip


def train(data: str, order: str) -> Path:
    output = path(data, order)
    if not (output / "finished.json").exists():
        listed = ",".join(str(path("data", name)) for name in SETS[data])
        # One set behind one order: returns are scaled over all of it, and not within each of its parts.
        merged = path("set", data)
        if not merged.exists():
            joined(listed.split(","), merged)
        tiller("train", f"data={merged}", f"task={TASK}", "policy=flow_mlp", "training=fast", "training.steps=4000",
               f"training.order.name={order}", f"output={output}", "resume=true")  # fmt: skip
    return output


def joined(sources: list[str], target: Path) -> None:
    """The episodes of several datasets in one."""
    opened = [Dataset.open(source) for source in sources]
    copy_episodes(opened[0], target, (each.episode(number) for each in opened for number in range(len(each))))


def evaluate(run: Path) -> Evaluation:
    output = run / "evaluation"
    if not (output / FILE_NAME).exists():
        tiller("evaluate", f"checkpoint={run}", f"task={TASK}", f"episodes={EPISODES}", f"seed={SEED}", "videos=0",
               f"output={output}", "overwrite=true")  # fmt: skip
    return read_evaluation(output / FILE_NAME)


def rows() -> Iterator[dict[str, Any]]:
    for data, order in ARMS:
        files = [path(data, each) / "evaluation" / FILE_NAME for each in (order, "uniform")]
        if not all(file.exists() for file in files):
            continue
        own, uniform = map(read_evaluation, files)
        assert own.summary is not None
        over = compare(uniform, own).success
        yield {
            "data": data, "order": order,
            **interval_cells("success", own.summary.success), **interval_cells("over_uniform", over),
            "episodes": EPISODES, "first_seed": SEED, **training_effort(path(data, order)),
            "date": date.today().isoformat(),
        }  # fmt: skip


def main() -> int:
    collect()
    for data, order in ARMS:
        evaluate(train(data, order))
        write_csv(RESULTS / "trajectory_weighting.csv", COLUMNS, rows())
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TillerError as error:
        sys.exit(f"{error}")
