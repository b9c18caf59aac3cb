"""Steering that costs no training: noise scale, medoid, sampler steps, rows executed, on seven bases, one at a time.

    python -m benchmarks.free_steering                 all bases that are trained
    python -m benchmarks.free_steering lift_shifted    some of them

Each setting is evaluated on selection seeds, where the best one is picked, and on the reported seeds, where all
are shown and compared with the base in pairs. Evaluations lie in `artifacts/free_steering` and are not run again; the
table is docs/results/free_steering.csv.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping

from benchmarks.artifacts import RESULTS, ROOT, write_csv
from robot.errors import InputError, TillerError, nearest
from sim.statistics.comparison import compare
from sim.statistics.records import FILE_NAME, Evaluation, read_evaluation
from tiller.steering.free import Setting, free_settings

SELECTION, REPORTED = 600_000, 100_000  # first seeds
EPISODES = 200
COLUMNS = (
    "base", "task", "setting", "picked", "success", "success_low", "success_high", "difference", "difference_low",
    "difference_high", "p_value", "selection_success", "steps", "n_action_steps", "episodes", "first_seed",
    "selection_seed", "base_hash", "date",
)  # fmt: skip


@dataclass(frozen=True)
class Base:
    """A trained policy with how it is run.

    Args:
        study, run: of `benchmarks/studies`, whose training made it.
        task: that it is measured on.
        steps, rows: of the sampler and executed, where nothing else is set.
        words: further overrides of `tiller evaluate`.
    """

    study: str
    run: str
    task: str
    steps: int
    rows: int
    words: tuple[str, ...] = ()

    def trained(self, artifacts: Path) -> Path | None:
        """Its newest run in a folder of artifacts; None, and how to train it, where there is none."""
        found = sorted((artifacts / self.study).glob(f"{self.run}-seed0-*/checkpoints/final"))
        if not found:
            print(f"{self.study} {self.run} is not trained: python benchmarks/artifacts.py {self.study} {self.run}")
            return None
        return found[-1].parent.parent


BASES = {
    "lift": Base("twin_lift", "flow", "twin/lift", 10, 12),
    "lift_shifted": Base("twin_lift", "flow", "twin/lift", 3, 12, ("perturbation=object_pose", "severity=5")),
    "drawer": Base("twin_drawer", "flow", "twin/drawer", 10, 12),
    "peg_weak": Base("twin_peg", "weak", "twin/peg", 5, 8),
    "robosuite_lift": Base("robosuite_lift", "flow", "robosuite/Lift", 10, 8),
    "metaworld_pick_place": Base("metaworld_pick_place", "flow", "metaworld/pick-place", 10, 8),
    "metaworld_weak": Base("metaworld_pick_place", "weak", "metaworld/pick-place", 3, 8),
    "press_weak": Base("weak_press", "weak", "twin/press", 10, 12),
    "drawer_weak": Base("weak_drawer", "weak", "twin/drawer", 3, 12),
    "pick_place_weak": Base("weak_pick_place", "weak", "metaworld/pick-place", 3, 8, ("options.max_steps=150",)),
}


def settings(base: Base) -> dict[str, tuple[str, ...]]:
    """Name -> overrides of each setting; the base itself is scale 1."""
    tried = free_settings(base.steps, base.rows, other_rows=(4, 8, 12))
    return {setting.name: words_of(setting, base) for setting in tried}


def words_of(setting: Setting, base: Base) -> tuple[str, ...]:
    """A setting as overrides of `tiller evaluate`."""
    execution = (
        f"steps={setting.steps or base.steps}",
        f"n_action_steps={setting.n_action_steps or base.rows}",
    )
    if setting.steering is None:
        return execution
    name, options = setting.steering["name"], {k: v for k, v in setting.steering.items() if k != "name"}
    return (*execution, f"steering={name}", *(f"steering.{option}={value:g}" for option, value in options.items()))


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bases", nargs="*", help=f"of {', '.join(BASES)}; default: all")
    parser.add_argument("--artifacts", type=Path, default=ROOT / "artifacts")
    parser.add_argument("--table", action="store_true", help="write the table of what is there, and run nothing")
    options = parser.parse_args(words)
    require_known(options.bases, BASES)
    for name in options.bases or BASES:
        if not options.table:
            evaluate_all(name, options.artifacts)
        write_csv(RESULTS / "free_steering.csv", COLUMNS, list(rows(options.artifacts)))
    return 0


def require_known(names: Iterable[str], bases: Mapping[str, Base]) -> None:
    """Refuse names of no base."""
    for name in names:
        if name not in bases:
            raise InputError(f"base '{name}'", expected=f"one of {', '.join(bases)}", way_out=nearest(name, bases))


def evaluate_all(name: str, artifacts: Path) -> None:
    """Run what is missing of a base's evaluations."""
    base = BASES[name]
    run = base.trained(artifacts)
    if run is None:
        return
    for setting, overrides in settings(base).items():
        for seed in (SELECTION, REPORTED):
            folder = folder_of(artifacts, name, setting, seed)
            if (folder / FILE_NAME).exists():
                continue
            command = [
                "evaluate", f"checkpoint={run}", f"task={base.task}", f"episodes={EPISODES}",
                f"seed={seed}", "videos=0", f"output={folder}", "overwrite=true", *base.words, *overrides,
            ]  # fmt: skip
            print("$ tiller " + " ".join(command), flush=True)
            if subprocess.run([sys.executable, "-m", "tiller", *command], cwd=ROOT, check=False).returncode:
                raise TillerError("tiller evaluate failed. The same command goes on here")


def folder_of(artifacts: Path, name: str, setting: str, seed: int) -> Path:
    """Where an evaluation lies."""
    return artifacts / "free_steering" / name / f"{setting.replace(' ', '_')}-{seed}"


def rows(artifacts: Path) -> Iterator[dict[str, Any]]:
    """The table of the bases whose evaluations are all there."""
    for name, base in BASES.items():
        done: dict[str, tuple[Evaluation, Evaluation]] = {}
        for setting in settings(base):
            files = [folder_of(artifacts, name, setting, seed) / FILE_NAME for seed in (SELECTION, REPORTED)]
            if not all(file.exists() for file in files):
                break
            selection, reported = map(read_evaluation, files)
            done[setting] = selection, reported
        else:
            yield from _rows(name, base, done)


def _rows(name: str, base: Base, done: dict[str, tuple[Evaluation, Evaluation]]) -> Iterator[dict[str, Any]]:
    picked = max(
        done, key=lambda setting: successes(done[setting][0])
    )  # the first of equal ones: the base stands first
    for setting, (selection, reported) in done.items():
        summary, against = reported.summary, compare(done["base"][1], reported)
        assert summary is not None
        yield {
            "base": name, "task": base.task, "setting": setting, "picked": setting == picked,
            **{key: round(value, 4) for key, value in (
                ("success", summary.success.estimate), ("success_low", summary.success.low),
                ("success_high", summary.success.high), ("difference", against.success.estimate),
                ("difference_low", against.success.low), ("difference_high", against.success.high),
                ("p_value", against.p_value), ("selection_success", successes(selection)))},
            "steps": reported.policy["steps"], "n_action_steps": reported.n_action_steps,
            "episodes": summary.episodes, "first_seed": reported.seed, "selection_seed": selection.seed,
            "base_hash": reported.policy["hash"], "date": date.today().isoformat(),
        }  # fmt: skip


def successes(evaluation: Evaluation) -> float:
    """The share of episodes that succeeded."""
    return sum(record.success for record in evaluation.records) / len(evaluation.records)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TillerError as error:
        sys.exit(f"{error}")
