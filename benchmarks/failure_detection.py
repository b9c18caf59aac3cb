"""Failures noticed while the policy acts: monitors of policies that often fail, judged on episodes that they never saw.

    python -m benchmarks.failure_detection                   all policies that are there
    python -m benchmarks.failure_detection lift              one of them
    python -m benchmarks.failure_detection --name mt10 --checkpoint artifacts/generalist/mt10/flow-seed0-... \
        --tasks metaworld/reach,metaworld/push --held-out metaworld/drawer-open --words steps=5

Rollouts of each task are collected on two rows of seeds: one to learn from and to calibrate on, half of the starts
each, and one to judge by. Of tasks that are held out there is only the latter. Monitors, with 5 % false alarms over a
whole episode, are made by `tiller train monitor=...`; the table is docs/results/failure_detection.csv.

A failure lasts until the time limit, a success does not: whatever grows with time tells them apart in the end. So the
scores are compared at one decision too, the last that nine of ten successes reach, and beside the monitors stand a
clock, a constant, and the score of the first decision alone. Rollouts and monitors lie in artifacts/failure and are not
made again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

from benchmarks.artifacts import RESULTS, ROOT, write_csv
from data.store.dataset import Dataset
from policies.critics.judgement import auc
from policies.loading.load import identity
from policies.monitoring.checkpoint import load_monitor, read_monitor_record
from policies.monitoring.judgement import MonitorJudgement, ScoredEpisode, judge_monitor
from policies.monitoring.rollouts import acting_policy, rollouts
from policies.monitoring.split import split_starts
from robot.description import Policy, Query, decide
from robot.errors import InputError, TillerError, nearest
from robot.monitoring.band import Band, calibrate
from robot.monitoring.moment import Moment
from robot.monitoring.monitor import Monitor
from sim.statistics.intervals import wilson

FOLDER = ROOT / "artifacts" / "failure"
ALPHA, RESAMPLES = 0.05, 2000
LEARNT, JUDGED = "learnt", "judged"
COLUMNS = (
    "case", "judged_on", "score", "successes", "failures", "decision", "auc_at", "auc_at_low", "auc_at_high",
    "auc_within_task", "auc_until", "auc", "false_alarms", "false_alarms_low", "false_alarms_high", "noticed",
    "noticed_early", "median_time", "alpha", "calibrated_on", "monitor_ms", "features_ms", "policy", "date",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class TaskEpisode(ScoredEpisode):
    """An episode of one of several tasks; `task` is its number."""

    task: int = 0


@dataclass(frozen=True)
class Case:
    """A policy with the tasks that it is watched on.

    Args:
        checkpoint: of the policy, a pattern below the repository.
        tasks: that its monitors learn from.
        held_out: that they are judged on too, and never see.
        words: of `tiller collect`, for all of its rollouts.
        seeds: the first one to learn from, and the first one to judge by.
        episodes: of each task, of the former and of the latter.
        critic: for the score `value`; empty for none.
    """

    checkpoint: str
    tasks: tuple[str, ...]
    held_out: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    seeds: tuple[int, int] = (850_000, 865_000)
    episodes: tuple[int, int] = (280, 200)
    critic: str = ""


CASES: dict[str, Case] = {
    "lift": Case(
        "artifacts/twin_lift/flow-seed0-*", ("twin/lift",), (), ("perturbations.object_pose=5", "steps=3"),
        (850_000, 855_000), (280, 200), "artifacts/critic/whole",
    ),
    "mt10": Case(
        "artifacts/generalist/mt10/language",
        ("metaworld/push", "metaworld/peg-insert-side", "metaworld/door-open", "metaworld/window-open"),
        ("metaworld/pick-place", "metaworld/window-close"),
        ("perturbations.observation_noise=5", "perturbations.action_latency=5", "options.max_steps=200", "steps=3"),
        (850_000, 865_000), (60, 50),
    ),
    "peg": Case(
        "artifacts/twin_peg/weak-seed0-*", ("twin/peg",), (), ("steps=5",), (860_000, 865_000), (280, 150)
    ),
}  # fmt: skip
MONITORS: dict[str, tuple[str, ...]] = {
    "features": ("monitor=features",),
    "disagreement": ("monitor=disagreement",),
    "features and disagreement": ("monitor=joint",),
}


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; default: all")
    parser.add_argument("--name", help="of a case of one's own")
    parser.add_argument("--checkpoint", help="its policy")
    parser.add_argument("--tasks", default="", help="that its monitors learn from, with commas")
    parser.add_argument("--held-out", default="", help="that they are judged on alone, with commas")
    parser.add_argument("--words", nargs="*", default=[], help="of tiller collect")
    parser.add_argument("--episodes", nargs=2, type=int, default=[280, 200], help="of each task: learnt, judged")
    chosen = parser.parse_args(words)
    cases = {name: case_of(name) for name in chosen.cases or ([] if chosen.name else there())}
    if chosen.name:
        tasks, held_out = (tuple(filter(None, text.split(","))) for text in (chosen.tasks, chosen.held_out))
        learnt, judged = chosen.episodes
        cases[chosen.name] = Case(chosen.checkpoint, tasks, held_out, tuple(chosen.words), episodes=(learnt, judged))
    torch.set_num_threads(1)
    path = RESULTS / "failure_detection.csv"
    kept = [row for row in read_rows(path) if row["case"] not in cases]
    rows = [row for name, case in cases.items() for row in measured(name, case)]
    write_csv(path, COLUMNS, [*kept, *rows])
    return 0


def there() -> list[str]:
    """The cases whose policy is trained."""
    return [name for name, case in CASES.items() if any(ROOT.glob(case.checkpoint))]


def case_of(name: str) -> Case:
    if name not in CASES:
        raise InputError("case", expected=f"one of {', '.join(CASES)}", way_out=nearest(name, CASES))
    return CASES[name]


def measured(name: str, case: Case) -> Iterator[dict[str, Any]]:
    """The rows of a case: every monitor and every control, on fresh episodes and on tasks that are held out."""
    places = sorted(ROOT.glob(case.checkpoint))
    if not places:
        raise TillerError(f"no policy at {case.checkpoint}. Train it first: python benchmarks/artifacts.py")
    checkpoint = str(places[-1])
    learnt = [collected(name, case, checkpoint, task, LEARNT) for task in case.tasks]
    fresh = {task: collected(name, case, checkpoint, task, JUDGED) for task in (*case.tasks, *case.held_out)}
    judged: dict[str, list[Path]] = {"fresh episodes": [fresh[task] for task in case.tasks]}
    if case.held_out:
        judged["held-out tasks"] = [fresh[task] for task in case.held_out]
    if len(fresh) > 1:
        judged |= {task: [path] for task, path in fresh.items()}
    monitors = dict(MONITORS)
    if case.critic:
        monitors["value"] = ("monitor=value", f"monitor.critic={ROOT / case.critic}")
    for score, words in monitors.items():
        monitor = load_monitor(made(name, score, words, checkpoint, learnt))
        policy, calibration = calibrated(monitor, checkpoint, learnt)
        price = latency(monitor, policy, Dataset.open(learnt[0]))
        about = {"case": name, "policy": identity(checkpoint, policy), "date": date.today().isoformat(), **price}
        for place, paths in judged.items():
            episodes = scored(monitor, policy, paths)
            yield row(monitor.band, episodes, {**about, "judged_on": place, "score": score})
            if score != "features":
                continue
            for control, curve in CONTROLS.items():
                band = calibrate([curve(each.curve) for each in calibration if each.success], ALPHA)
                changed = [replace(each, curve=curve(each.curve)) for each in episodes]
                free = {"monitor_ms": "", "features_ms": ""}
                yield row(band, changed, {**about, **free, "judged_on": place, "score": control})


CONTROLS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "a clock": lambda curve: np.arange(float(len(curve)))[:, None],
    "a constant": lambda curve: np.zeros((len(curve), 1)),
    "features of the first decision": lambda curve: np.repeat(curve[:1], len(curve), axis=0),
}
"""What knows nothing of how an episode goes on, made from the curve of the score `features`."""


def collected(name: str, case: Case, checkpoint: str, task: str, kind: str) -> Path:
    """Rollouts of a task."""
    path, which = FOLDER / name / task.replace("/", "_") / kind, (LEARNT, JUDGED).index(kind)
    if not (path / "finished.json").is_file():
        tiller(
            "collect", "source=checkpoint", f"checkpoint={checkpoint}", f"task={task}", *case.words,
            f"episodes={case.episodes[which]}", f"seed={case.seeds[which]}", f"output={path}",
            *(["resume=true"] if path.exists() else []),
        )  # fmt: skip
    return path


def made(name: str, score: str, words: Sequence[str], checkpoint: str, data: Sequence[Path]) -> Path:
    """A monitor."""
    path = FOLDER / name / "monitors" / score.replace(" ", "_")
    if not (path / "finished.json").is_file():
        tiller(
            "train", *words, f"monitor.alpha={ALPHA}", f"checkpoint={checkpoint}",
            f"data=[{','.join(map(str, data))}]", f"output={path}", "overwrite=true",
        )  # fmt: skip
    return path


def calibrated(monitor: Monitor, checkpoint: str, data: Sequence[Path]) -> tuple[Policy, list[TaskEpisode]]:
    """The policy as it acted, and the scores of the episodes that calibrated its monitor."""
    datasets = [Dataset.open(path) for path in data]
    policy, _ = acting_policy(checkpoint, datasets)
    recipe = read_monitor_record(Path(str(monitor.about["path"]))).recipe
    calibrates = split_starts(datasets, recipe)[1]
    places = [(number, episode) for number, each in enumerate(datasets) for episode in range(len(each))]
    return policy, [each for place, each in zip(places, scored(monitor, policy, data)) if calibrates[place]]


def scored(monitor: Monitor, policy: Policy, data: Sequence[Path]) -> list[TaskEpisode]:
    """The scores of a monitor on recorded episodes, as it gives them while the policy acts."""
    episodes = []
    for rollout in rollouts(monitor.prepared(policy), [Dataset.open(path) for path in data]):
        watch = monitor.watch()
        curve = np.array([watch.add(moment).scores for moment in rollout.moments])
        episodes.append(TaskEpisode(curve, rollout.success, rollout.rows, monitor.n_action_steps, rollout.dataset))
    return episodes


def row(band: Band, episodes: Sequence[TaskEpisode], about: Mapping[str, Any]) -> dict[str, Any]:
    judgement = judge_monitor(band, episodes)
    (low, high), within = at_decision(band, episodes, judgement.decision)
    rate = wilson(round(judgement.false_alarms * judgement.successes), judgement.successes)
    figures = {**vars(judgement), "auc_at_low": low, "auc_at_high": high, "auc_within_task": within}
    figures |= {"false_alarms_low": rate.low, "false_alarms_high": rate.high}
    known = {key: "" if isinstance(value, float) and np.isnan(value) else value for key, value in figures.items()}
    shown = {key: f"{value:.3f}" if isinstance(value, float) else value for key, value in known.items()}
    print(about["case"], about["judged_on"], about["score"], said(judgement), flush=True)
    return {**dict.fromkeys(COLUMNS, ""), **shown, **about, "alpha": ALPHA, "calibrated_on": band.episodes}


def at_decision(band: Band, episodes: Sequence[TaskEpisode], decision: int) -> tuple[tuple[float, float], float]:
    """The AUC at a decision among the episodes that reach it: its 95 % interval, by a bootstrap over them; and that
    within tasks, the share of pairs of a success and a failure of one task that are ranked rightly. A score that knows
    no more than which task fails often has a large AUC over all of them, and one half within.
    """
    there = [each for each in episodes if len(each.curve) > decision]
    values = np.array([band.excess(decision, each.curve[decision]).max() for each in there])
    success, task = np.array([each.success for each in there]), np.array([each.task for each in there])
    drawn = np.random.default_rng(0).integers(len(there), size=(RESAMPLES, len(there)))
    low, high = np.nanquantile([auc(-values[rows], success[rows]) for rows in drawn], (0.025, 0.975))
    own = [(-values[task == each], success[task == each]) for each in np.unique(task)]
    pairs = [(auc(value, good), int(good.sum() * (~good).sum())) for value, good in own if 0 < good.sum() < len(good)]
    within = sum(share * count for share, count in pairs) / max(sum(count for _, count in pairs), 1)
    return (float(low), float(high)), within


def said(judgement: MonitorJudgement) -> str:
    return (
        f"AUC {judgement.auc_at:.3f} at decision {judgement.decision}, {judgement.auc:.3f} in all; false alarms "
        f"{judgement.false_alarms:.3f} of {judgement.successes}; noticed {judgement.noticed:.3f}, early "
        f"{judgement.noticed_early:.3f} of {judgement.failures}"
    )


def latency(monitor: Monitor, policy: Policy, data: Dataset) -> dict[str, str]:
    """Processor milliseconds of a decision beyond the policy's own, medians: to judge it, and to tell the features."""
    prepared = monitor.prepared(policy)
    moments = next(iter(rollouts(prepared, [data]))).moments
    watch, works = monitor.watch(), [lambda moment: decide(policy, query(moment))]
    if prepared is not policy:
        works.append(lambda moment: decide(prepared, query(moment)))
    judging, plain, *telling = medians_ms([watch.add, *works], moments)
    return {"monitor_ms": f"{judging:.3f}", "features_ms": f"{max(telling[0] - plain, 0.0) if telling else 0.0:.3f}"}


def query(moment: Moment) -> Query:
    return Query({name: value[None] for name, value in moment.window.items()}, moment.prompt, seeds=[0])


def medians_ms(
    works: Sequence[Callable[[Moment], object]], moments: Sequence[Moment], rounds: int = 100
) -> list[float]:
    """The median processor time of each of several works, done by turns: what else runs here is alike for all."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for moment in moments:
            for work, taken in zip(works, seconds):
                started = time.process_time()
                work(moment)
                taken.append(time.process_time() - started)
    return [float(np.median(taken)) * 1e3 for taken in seconds]


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table that was written before."""
    if not path.is_file():
        return []
    import csv

    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def tiller(*words: str) -> None:
    print("$ tiller " + " ".join(words), flush=True)
    subprocess.run([sys.executable, "-m", "tiller", *words], check=True, cwd=ROOT)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TillerError as error:
        sys.exit(str(error))
