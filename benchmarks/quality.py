"""Whether the score of `tiller data quality` says what a policy learns: best half against worst half, four tasks.

    python -m benchmarks.quality                      all tasks: some hours of one core; what is done is not done again
    python -m benchmarks.quality lift peg             some of them
    python -m benchmarks.quality lift --updates 200 --episodes 4 --folder /tmp/quality     a try: nothing is reported

In three tasks every second scripted demonstration is made worse: noise on its actions, a third of its length standing
still, or half of its speed. The fourth are the human demonstrations of PushT as they are. Each set is scored. Policies
of one recipe are trained with as many updates on the half with the highest scores, on the half with the lowest and on a
half that is drawn, and evaluated in pairs on starts that no other result is reported on (from 760000). The correlation
is that of a half's mean score with what its policy reaches, both less the means of their task. What was made worse is
known here and nowhere used: `ranked` is the chance that a good demonstration has a higher score than a worse one.
docs/results/quality.csv.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, Mapping

import numpy as np

from benchmarks.artifacts import RESULTS, ROOT, copy_episodes, interval_cells, tiller, training_effort, write_csv
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import REWARD, TIME
from robot.errors import InputError, TillerError, nearest
from sim.statistics.comparison import compare
from sim.statistics.intervals import Interval
from sim.statistics.records import FILE_NAME, Evaluation, read_evaluation

HUMAN = ROOT.parent / "shared" / "data" / "pusht_human.zarr.zip"
SEED = 760_000
ARMS = ("best", "random", "worst")
NOISE, STILL = 0.1, 1 / 3
COLUMNS = (
    "task", "arm", "mean_score", "ranked", "success", "success_low", "success_high", "score", "score_low", "score_high",
    "over_worst", "over_worst_low", "over_worst_high", "demonstrations", "episodes", "first_seed", "updates", "minutes",
    "correlation", "date",
)  # fmt: skip


@dataclass(frozen=True)
class Task:
    """What is trained on and evaluated.

    Args:
        task: its id.
        collect: words of `tiller collect`, where demonstrations are not there yet; none for those of people.
        train, evaluate: words of these verbs.
        updates: few: the worse set is to be told apart, not made up for.
        by: what of an episode counts, its success or its score.
    """

    task: str
    collect: tuple[str, ...]
    train: tuple[str, ...]
    evaluate: tuple[str, ...]
    updates: int
    by: str = "success"


TASKS: Mapping[str, Task] = {
    "lift": Task("twin/lift", ("episodes=50",), ("policy=flow_mlp", "training=demo"), ("n_action_steps=12",), 3000),
    "drawer": Task("twin/drawer", ("episodes=150",), ("policy=flow_mlp", "training=twin"), ("n_action_steps=8",), 6000),
    "peg": Task("twin/peg", ("episodes=150",), ("policy=flow_mlp", "training=twin"), ("n_action_steps=8",), 8000),
    "pusht": Task("pusht/state", (), ("policy=flow_mlp",), ("steps=10",), 8000, "score"),
}


def noisy(data: dict[str, np.ndarray], deviation: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
    """The actions with noise, a tenth of their deviation over all demonstrations."""
    action = data["action"]
    return {**data, "action": (action + NOISE * deviation * random.normal(size=action.shape)).astype(action.dtype)}


def still(data: dict[str, np.ndarray], deviation: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
    """A row is held for a third of the episode."""
    length = len(data["action"])
    at = int(random.integers(1, max(2, length - 1)))
    rows = np.concatenate([np.arange(at), np.full(round(STILL * length), at - 1), np.arange(at, length)])
    return {name: values[rows] for name, values in data.items()}


def slow(data: dict[str, np.ndarray], deviation: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Half the speed: a row between each two, on the line between them."""
    at = np.arange(2 * len(data["action"]) - 1) / 2
    before = at.astype(np.int64)
    after = np.minimum(before + 1, len(data["action"]) - 1)

    def between(values: np.ndarray) -> np.ndarray:
        weight = (at - before).reshape(-1, *[1] * (values.ndim - 1))
        mixed: np.ndarray = (values[before] * (1 - weight) + values[after] * weight).astype(values.dtype)
        return mixed

    return {name: between(values) for name, values in data.items()}


Degrade = Callable[[dict[str, np.ndarray], np.ndarray, np.random.Generator], dict[str, np.ndarray]]
KINDS: tuple[Degrade, ...] = (noisy, still, slow)


def degraded(number: int) -> bool:
    """Whether a demonstration of a scripted set is made worse: every second one."""
    return number % 2 == 1


def mixed_episodes(source: Dataset) -> Iterator[Episode]:
    """The demonstrations, every second one worse in one of three ways."""
    deviation = np.asarray(source.read("action")).std(axis=0)
    period_ns = round(1e9 * (source.period_s or 0))
    for number in range(len(source)):
        episode = source.episode(number)
        if not degraded(number):
            yield episode
            continue
        random = np.random.default_rng([1, number])
        data = KINDS[number // 2 % len(KINDS)](dict(episode.data), deviation, random)
        if TIME.name in data:
            stamps = np.arange(len(data["action"]), dtype=np.int64) * period_ns
            data[TIME.name] = episode.data[TIME.name][0] + stamps
        if REWARD.name in data:  # a reward is of the moment, and comes once
            data[REWARD.name] = np.zeros_like(data[REWARD.name])
            data[REWARD.name][-1] = episode.data[REWARD.name].sum()
        yield Episode(data, episode.meta)


def demonstrations(name: str, folder: Path) -> Path:
    """The set that is scored, made where it is missing."""
    task, target = TASKS[name], folder / "demonstrations"
    if target.exists():
        return target
    if not task.collect:
        tiller("data", "convert", str(HUMAN), "exclude=[img]", str(target))
        return target
    clean = ROOT / "artifacts" / f"twin_{name}" / "demonstrations"
    if not (clean.parent / "demonstrations.done").exists():
        clean = folder / "clean"
        if not (clean / "finished.json").exists():
            tiller("collect", f"task={task.task}", *task.collect, f"output={clean}",
                   *(["resume=true"] if clean.exists() else []))  # fmt: skip
    source = Dataset.open(clean)
    copied(source, target, mixed_episodes(source))
    return target


def copied(source: Dataset, target: Path, episodes: Iterable[Episode]) -> None:
    """Episodes as a dataset of their own, under its name when it is whole."""
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    copy_episodes(source, partial, episodes)
    partial.rename(target)


def scores(data: Path, folder: Path) -> np.ndarray:
    """The scores of a set."""
    output = folder / "quality"
    if not (output / "finished.json").exists():
        tiller("data", "quality", str(data), f"output={output}", "overwrite=true")
    return np.array(json.loads((output / "quality.json").read_text())["scores"])


def halves(values: np.ndarray) -> dict[str, np.ndarray]:
    """Arm -> its demonstrations."""
    order, half = np.argsort(-values, kind="stable"), len(values) // 2
    drawn = np.random.default_rng(0).permutation(len(values))[:half]
    return {name: np.sort(chosen) for name, chosen in zip(ARMS, (order[:half], drawn, order[-half:]))}


def run(name: str, arm: str, chosen: np.ndarray, data: Path, folder: Path, updates: int, episodes: int) -> None:
    """Train and evaluate one half, where that is not done."""
    task, part, output = TASKS[name], folder / f"{arm}-demonstrations", folder / arm
    if not part.exists():
        source = Dataset.open(data)
        copied(source, part, (source.episode(int(number)) for number in chosen))
    if not (output / "finished.json").exists():
        tiller("train", f"data={part}", f"task={task.task}", *task.train, f"training.steps={updates}",
               f"output={output}", "resume=true")  # fmt: skip
    if not (output / "evaluation" / FILE_NAME).exists():
        tiller("evaluate", f"checkpoint={output}", f"task={task.task}", f"episodes={episodes}", f"seed={SEED}",
               *task.evaluate, "videos=0", f"output={output / 'evaluation'}", "overwrite=true")  # fmt: skip


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    """A row for each half that is evaluated."""
    table: list[dict[str, Any]] = []
    for name, task in TASKS.items():
        own = folder / name
        files = {arm: own / arm / "evaluation" / FILE_NAME for arm in ARMS}
        if not all(file.exists() for file in files.values()):
            continue
        evaluations = {arm: read_evaluation(file) for arm, file in files.items()}
        values = scores(own / "demonstrations", own)
        for arm, chosen in halves(values).items():
            table.append({"task": task.task, "arm": arm, "mean_score": round(float(values[chosen].mean()), 4),
                          "ranked": ranked(values) if task.collect else None,
                          **measured(evaluations[arm], evaluations["worst"], task.by),
                          "demonstrations": len(chosen), **training_effort(own / arm)})  # fmt: skip
    together = correlation(table)
    for row in table:
        yield {**row, "correlation": together, "date": date.today().isoformat()}


def measured(own: Evaluation, worst: Evaluation, by: str) -> dict[str, Any]:
    """What a policy reaches, and by how much more than that of the worst half on the same starts."""
    assert own.summary is not None
    over: Interval = getattr(compare(worst, own), by)
    return {**interval_cells("success", own.summary.success), **interval_cells("score", own.summary.score),
            **interval_cells("over_worst", over), "episodes": own.episodes, "first_seed": own.seed}  # fmt: skip


def ranked(values: np.ndarray) -> float:
    """The chance that a demonstration left as it was has a higher score than one made worse."""
    worse = np.array([degraded(number) for number in range(len(values))])
    return round(float((values[~worse][:, None] > values[worse][None]).mean()), 4)


def correlation(table: list[dict[str, Any]]) -> float | None:
    """Of a half's mean score with what is reached, both less the means of their task; None where nothing differs."""
    by = {task.task: task.by for task in TASKS.values()}
    pairs = []
    for task in dict.fromkeys(row["task"] for row in table):
        own = np.array([(row["mean_score"], row[by[task]]) for row in table if row["task"] == task])
        pairs.append(own - own.mean(axis=0))
    both = np.concatenate(pairs) if pairs else np.zeros((1, 2))
    return round(float(np.corrcoef(both.T)[0, 1]), 3) if both.std(axis=0).all() else None


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", help=f"some of {', '.join(TASKS)}; default: all")
    parser.add_argument("--episodes", type=int, default=200, help="of each evaluation")
    parser.add_argument("--updates", type=int, help="of each training; default: the task's")
    parser.add_argument("--folder", type=Path, default=ROOT / "artifacts" / "quality")
    options = parser.parse_args(words)
    for name in options.tasks:
        if name not in TASKS:
            raise InputError(f"task '{name}'", expected=f"one of {', '.join(TASKS)}", way_out=nearest(name, TASKS))
    reported = not options.updates and options.episodes == parser.get_default("episodes")
    target = (RESULTS if reported else options.folder) / "quality.csv"
    for name in options.tasks or TASKS:
        if not TASKS[name].collect and not HUMAN.exists():
            print(f"{name}: skipped, no human demonstrations at {HUMAN}")
            continue
        folder = options.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        data = demonstrations(name, folder)
        for arm, chosen in halves(scores(data, folder)).items():
            run(name, arm, chosen, data, folder, options.updates or TASKS[name].updates, options.episodes)
        write_csv(target, COLUMNS, rows(options.folder))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TillerError as error:
        sys.exit(f"{error}")
