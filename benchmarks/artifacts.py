"""Remake published results: demonstrations, trained bases and their evaluations, and the tables under docs/results.

    python benchmarks/artifacts.py                      every study whose demonstrations are there
    python benchmarks/artifacts.py pusht_state          one study
    python benchmarks/artifacts.py pusht_state flow     some runs of it

Each study is a file in `benchmarks/studies`. Everything is done by the command line that users have. Bases lie in
`artifacts/<study>/<run>-seed<k>-<recipe hash>`; what is finished is not done again, and what was interrupted goes on.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping, Sequence

import yaml

from data.store.dataset import Dataset
from data.store.episode import Episode
from robot.description import fingerprint, from_json
from robot.errors import InputError, TillerError, nearest
from robot.files import write_file
from sim.statistics.intervals import Interval
from sim.statistics.records import Evaluation, read_evaluation
from tiller.configuration.compose import compose
from tiller.verbs.train import TrainOptions

ROOT = Path(__file__).resolve().parent.parent
STUDIES = Path(__file__).resolve().parent / "studies"
RESULTS = ROOT / "docs" / "results"
COLUMNS = (
    "run", "training_seed", "sampler", "steps", "n_action_steps", "episodes", "first_seed", "score", "score_low",
    "score_high", "success", "success_low", "success_high", "updates", "minutes", "recipe", "date",
)  # fmt: skip
CURVE = ("run", "training_seed", "updates", "minutes", "episodes", "first_seed", "score", "success")


@dataclass(frozen=True)
class Run:
    """One recipe, trained once a seed and evaluated in several ways.

    Args:
        train: overrides of `tiller train`.
        evaluate: a list of overrides of `tiller evaluate` each.
        seeds: of training.
    """

    train: tuple[str, ...]
    evaluate: tuple[tuple[str, ...], ...] = ((),)
    seeds: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Study:
    """Runs on the same demonstrations and the same evaluation seeds.

    Args:
        demonstrations: words of the `tiller` command that makes them, or of `python` behind `-m`; `HUMAN` stands for
            the human PushT set, `DATA` for the place of what is made.
        task: to train for and evaluate on.
        runs: name -> run.
        episodes, seed: of every evaluation.
    """

    demonstrations: tuple[str, ...]
    task: str
    runs: Mapping[str, Run] = field(default_factory=dict)
    episodes: int = 200
    seed: int = 100_000


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", help="default: all of them")
    parser.add_argument("runs", nargs="*", help="default: all of the study")
    parser.add_argument("--artifacts", type=Path, default=ROOT / "artifacts")
    parser.add_argument(
        "--human",
        type=Path,
        default=ROOT.parent / "shared" / "data" / "pusht_human.zarr.zip",
        help="the human PushT demonstrations, pusht_cchi_v7_replay.zarr",
    )
    options = parser.parse_args(words)
    known = [file.stem for file in sorted(STUDIES.glob("*.yaml"))]
    if options.study and options.study not in known:
        raise InputError(
            f"study '{options.study}'", expected="one of " + ", ".join(known), way_out=nearest(options.study, known)
        )
    for name in [options.study] if options.study else known:
        study = from_json(Study, yaml.safe_load((STUDIES / f"{name}.yaml").read_text()), where=name)
        if "HUMAN" in study.demonstrations and not options.human.exists():
            print(f"{name}: skipped, no human demonstrations at {options.human} (--human PATH)")
            continue
        work_through(name, study, options.runs or list(study.runs), options.artifacts / name, options.human)
    return 0


def work_through(name: str, study: Study, chosen: list[str], folder: Path, human: Path) -> None:
    """Do what is missing of the chosen runs, and write the table after each evaluation."""
    data = demonstrations(study, folder, human)
    for run_name in chosen:
        if run_name not in study.runs:
            raise InputError(f"run '{run_name}' of {name}", way_out=nearest(run_name, study.runs))
        for seed in study.runs[run_name].seeds:
            base = train(study, run_name, seed, data, folder)
            for overrides in study.runs[run_name].evaluate:
                evaluate(study, base, overrides)
                write_table(name, folder)
    write_curves(name, folder)


def demonstrations(study: Study, folder: Path, human: Path) -> Path:
    """The dataset, made when it is missing and completed when its making was interrupted."""
    words = [str(human) if word == "HUMAN" else word for word in study.demonstrations]
    data = folder / "demonstrations"
    if words[0] == "-m":  # a module that goes on where it was interrupted
        if not (folder / "demonstrations.done").exists():
            folder.mkdir(parents=True, exist_ok=True)
            made = [str(data) if word == "DATA" else word for word in words]
            subprocess.run([sys.executable, *made], check=True, cwd=ROOT)
            (folder / "demonstrations.done").touch()
    elif words[:2] == ["data", "convert"]:
        if not data.exists():
            tiller(*words, str(data))
    elif not (folder / "demonstrations.done").exists():
        tiller(*words, f"output={data}", *(["resume=true"] if data.exists() else []))
        (folder / "demonstrations.done").touch()
    return data


def train(study: Study, run_name: str, seed: int, data: Path, folder: Path) -> Path:
    """The trained base of a run, from a checkpoint where there is one."""
    words = [f"task={study.task}", *study.runs[run_name].train, f"training.seed={seed}"]
    values = dict(compose("train", TrainOptions, [*words, f"data={data}"]).values)
    recipe = fingerprint({**values, "data": Dataset.open(data).fingerprint})
    base = folder / f"{run_name}-seed{seed}-{recipe}"
    if not (base / "checkpoints" / "final").is_dir():
        tiller("train", *words, f"data={data}", f"output={base}", "resume=true")
    (base / "run.json").write_text(json.dumps({"run": run_name, "training_seed": seed, "recipe": recipe}))
    return base


def evaluate(study: Study, base: Path, overrides: tuple[str, ...]) -> None:
    """One evaluation of a base, unless it is there."""
    output = base / ("evaluate-" + ("-".join(word.replace("=", "") for word in overrides) or "default"))
    if not (output / "evaluation.json").exists():
        tiller(
            "evaluate",
            f"checkpoint={base}",
            f"task={study.task}",
            f"episodes={study.episodes}",
            f"seed={study.seed}",
            f"output={output}",
            "resume=true",
            *overrides,
        )


def write_table(name: str, folder: Path) -> None:
    """Every evaluation found, as docs/results/<study>.csv; only those of today's recipes count."""
    write_csv(
        RESULTS / f"{name}.csv",
        COLUMNS,
        sorted(rows(folder), key=lambda row: [str(row[key]) for key in ("run", "training_seed")]),
    )


def write_curves(name: str, folder: Path) -> None:
    """What runs that were evaluated while they trained had learnt by when, as docs/results/<study>_curve.csv."""
    if points := [point for base in sorted(folder.glob("*/run.json")) for point in curve(base.parent)]:
        write_csv(RESULTS / f"{name}_curve.csv", CURVE, points)


def curve(base: Path) -> Iterator[dict[str, Any]]:
    """Every evaluation in the metrics of a run."""
    run = json.loads((base / "run.json").read_text())
    asked = yaml.safe_load((base / "config.yaml").read_text())["evaluation"]
    minutes: dict[str, float] = {}
    with (base / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            if row.get("elapsed_s"):
                minutes[row["step"]] = round(float(row["elapsed_s"]) / 60, 1)
            if row.get("score"):
                yield {
                    **{key: run[key] for key in ("run", "training_seed")}, "updates": int(row["step"]),
                    "minutes": minutes[row["step"]], "episodes": asked["episodes"], "first_seed": asked["seed"],
                    **{key: round(float(row[key]), 4) for key in ("score", "success")},
                }  # fmt: skip


def write_csv(target: Path, columns: Sequence[str], table: Iterable[Mapping[str, Any]]) -> None:
    """Write a table whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    write_file(target, text.getvalue())
    print(f"Written to {target}")


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*/evaluate-*/evaluation.json")):
        evaluation: Evaluation = read_evaluation(file)
        base = file.parent.parent
        summary, policy = evaluation.summary, evaluation.policy
        assert summary is not None
        yield {
            **json.loads((base / "run.json").read_text()),
            "sampler": policy["sampler"],
            "steps": policy["steps"],
            "n_action_steps": evaluation.n_action_steps,
            "episodes": summary.episodes,
            "first_seed": evaluation.seed,
            **{key: round(value, 4) for key, value in (
                ("score", summary.score.estimate), ("score_low", summary.score.low), ("score_high", summary.score.high),
                ("success", summary.success.estimate), ("success_low", summary.success.low),
                ("success_high", summary.success.high))},
            **training_effort(base),
            "date": date.fromtimestamp(file.stat().st_mtime).isoformat(),
        }  # fmt: skip


def interval_cells(name: str, value: Interval) -> dict[str, float]:
    """A figure and the ends of its interval as cells of a table: name, name_low, name_high."""
    ends = {name: value.estimate, f"{name}_low": value.low, f"{name}_high": value.high}
    return {key: round(each, 4) for key, each in ends.items()}


def copy_episodes(source: Dataset, target: Path, episodes: Iterable[Episode]) -> None:
    """A new dataset of the schema and origin of another one."""
    assert source.schema is not None, "an episode of a foreign store has no schema to be written by"
    with Dataset.create(target, source.schema, attributes=source.attributes) as copy:
        copy.extend(list(episodes))


def training_effort(base: Path) -> dict[str, Any]:
    """Updates and minutes of a run, from the last line of its metrics that has them."""
    with (base / "metrics.csv").open() as file:
        last = [row for row in csv.DictReader(file) if row.get("elapsed_s")][-1]
    return {"updates": int(last["step"]), "minutes": round(float(last["elapsed_s"]) / 60, 1)}


def tiller(*words: str) -> None:
    """Run the command line that users have."""
    print("$ tiller " + " ".join(words), flush=True)
    done = subprocess.run([sys.executable, "-m", "tiller", *words], cwd=ROOT, check=False)
    if done.returncode:
        raise TillerError(f"'tiller {words[0]}' ended with exit code {done.returncode}. The same command goes on here")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TillerError as error:
        sys.exit(f"{error}")
