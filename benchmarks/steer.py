"""What each rung of `tiller steer` buys on frozen bases, beside every control.

    python -m benchmarks.steer                      all bases, every step that is missing
    python -m benchmarks.steer lift_shifted peg     some of them
    python -m benchmarks.steer --table              the tables of what is there

A base climbs the whole ladder by the command line that users have (`artifacts/steer/<base>`): free settings, a
ticket, filtered behaviour cloning and its control on demonstrations alone, the best of 16 by a critic of chunks, a
codebook; on the peg the residual. A run of its own clones more of its episodes for longer. Rungs are kept whether the
paired test preferred them or not, and the learnt ones whatever their critic's concordance is (`learning.gate=0`):
here all of them are measured. Every one of them, the base and the controls then run on 600 starts that served for
nothing else, in pairs; the table is docs/results/steer.csv, what was executed while learning
docs/results/steer_curves.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping

import numpy as np

from benchmarks.artifacts import RESULTS, ROOT, interval_cells, tiller, write_csv
from benchmarks.free_steering import BASES, Base, require_known
from data.store.dataset import Dataset
from policies.actors.checkpoint import load_actor
from robot.errors import TillerError
from sim.statistics.comparison import compare_records
from sim.statistics.intervals import paired_difference
from sim.statistics.records import FILE_NAME, Evaluation, read_evaluation

FOLDER = ROOT / "artifacts" / "steer"
REPORTED, EPISODES, CELL = 100_000, 600, 200
SEED = 500_000
STARTS = 200  # of a setting when settings are chosen among
COLUMNS = (
    "base", "task", "setting", "kind", "success", "success_low", "success_high", "difference", "difference_low",
    "difference_high", "over_free", "over_free_low", "over_free_high", "verdict", "chosen_at", "env_steps", "minutes",
    "concordance", "concordance_low", "first_while_learning", "worst_while_learning", "peak_force_n", "peak_over_base",
    "peak_over_base_low", "peak_over_base_high", "episodes", "first_seed", "base_hash", "date",
)  # fmt: skip
CURVES = ("base", "method", "env_steps", "episodes", "success", "success_window", "elapsed_s", "updates", "q",
          "value_less_return")  # fmt: skip
CONTROLS = {
    "any of 16": ("steering=random_choice", "steering.samples=16"),
    "zero noise": ("steering=noise_scale", "steering.noise_scale=0"),
    "any entry of a codebook": ("steering=random_noise", "steering.entries=16", "steering.noise_scale={scale}"),
    "any repeated noise": ("steering=random_noise", "steering.shape=repeated"),
    "any noise at knots": ("steering=random_noise", "steering.shape=knots"),
}
"""Setting -> words; those of a codebook with the scale that it was learnt at."""
SHUFFLED = "shuffled"
LONGER = "longer"
CLONED = {"ladder": ("cloning.episodes=600", "cloning.updates=3000"),
          LONGER: ("cloning.episodes=2000", "cloning.updates=6000")}  # fmt: skip
"""What the ladders clone, all of which had these options, and what a run of its own does: picked on 600000 onwards."""


@dataclass(frozen=True)
class Climb:
    """How a base climbs.

    Args:
        base: which.
        method: of `tiller steer`.
        words: further overrides of it.
        touches: whether peak forces at the tool are measured too.
    """

    base: Base
    method: str = "ladder"
    words: tuple[str, ...] = ()
    touches: bool = False


CLIMBS: Mapping[str, Climb] = {
    "lift_shifted": Climb(BASES["lift_shifted"]),
    "drawer_weak": Climb(BASES["drawer_weak"], words=("cloning.share=0.8",)),
    "pick_place_weak": Climb(BASES["pick_place_weak"], words=("cloning.share=0.8",)),
    "peg": Climb(
        Base("twin_peg", "flow", "twin/peg", 5, 8), "residual",
        ("learning.minutes=45", "learning.residual.delta={tcp.position: 0.008, gripper.width: 0}", "minutes=90"),
        touches=True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """One base with its folder."""

    name: str
    climb: Climb

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def base(self) -> Base:
        return self.climb.base

    @cached_property
    def checkpoint(self) -> Path:
        trained = self.base.trained(ROOT / "artifacts")
        if trained is None:
            raise TillerError(f"{self.name}: no base")
        return trained

    @property
    def acting(self) -> tuple[str, ...]:
        return f"steps={self.base.steps}", f"n_action_steps={self.base.rows}"

    def steer(self) -> None:
        """Climb, and once more with what came of the episodes dealt out anew."""
        if not (self.folder / "ladder" / "finished.json").exists():
            self._steer("ladder", f"method={self.climb.method}", *CLONED["ladder"], *self.climb.words)
        if self.climb.method == "ladder" and not (self.folder / LONGER / "finished.json").exists():
            self._steer(LONGER, "method=filtered_bc", *CLONED[LONGER], "free.steps=[]", "free.medoid=2")
        if self.climb.method == "ladder" and not (self.folder / SHUFFLED / "finished.json").exists():
            self._steer(
                SHUFFLED, "method=best_of_k", f"learning.control={SHUFFLED}", "learning.judged=0", "most=1",
                "learning.steps=100000", "learning.minutes=8", "free.steps=[]", "free.medoid=2",
            )  # fmt: skip

    def _steer(self, name: str, *words: str) -> None:
        tiller(
            "steer", f"checkpoint={self.checkpoint}", f"task={self.base.task}", *self.acting, *self.base.words,
            f"demonstrations={ROOT / 'artifacts' / self.base.study / 'demonstrations'}", f"seed={SEED}",
            f"episodes={STARTS}", "learning.gate=0", *words, f"output={self.folder / name}", "resume=true",
        )  # fmt: skip

    @cached_property
    def record(self) -> dict[str, Any]:
        """What the ladder says of its rungs, and the run that clones more: name -> row."""
        rows: dict[str, Any] = {}
        for run, before in (("ladder", ""), (LONGER, f"{LONGER} ")):
            file = self.folder / run / "ladder.json"
            if file.exists():
                rows |= {before + slug(row["rung"]): row for row in json.loads(file.read_text())["rungs"]}
        return rows

    def settings(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Name -> kind and overrides of all that is measured."""
        own = (f"checkpoint={self.checkpoint}", *self.acting)
        found: dict[str, tuple[str, tuple[str, ...]]] = {"base": ("free", own)}
        for path in sorted((self.folder / "ladder" / "rungs").iterdir()):
            found[path.name] = self.kind(path.name), (f"checkpoint={path}",)
        for pattern in ("demonstrations_alone*", "filtered_bc*"):
            for path in sorted((self.folder / LONGER / "rungs").glob(pattern)):
                found[f"{LONGER} {path.name}"] = self.kind(path.name), (f"checkpoint={path}",)
        found |= {name: ("control", (*own, *words)) for name, words in self.controls.items()}
        for path in sorted((self.folder / SHUFFLED / "rungs").glob("best_of_k")):
            found["shuffled best_of_k"] = "control", (f"checkpoint={path}",)
        return found

    @property
    def controls(self) -> dict[str, tuple[str, ...]]:
        """Setting -> overrides; entries of a codebook where one was learnt, at its scale."""
        actor = self.folder / "ladder" / "codebook" / "actor"
        if not actor.is_dir():
            return {name: words for name, words in CONTROLS.items() if "codebook" not in name}
        scale = load_actor(actor).spec.settings["scale"]
        return {name: tuple(word.format(scale=scale) for word in words) for name, words in CONTROLS.items()}

    def kind(self, name: str) -> str:
        """Of a rung."""
        if name.startswith("demonstrations_alone"):
            return "control"
        if name.startswith("filtered_bc"):
            return "cloned"
        return "learnt" if name in ("best_of_k", "codebook", "residual", "dsrl_na", "dsrl_sac") else "free"

    def evaluate(self) -> None:
        """Measure everything on the reported starts."""
        for setting, (kind, words) in self.settings().items():
            folder = self.folder / "evaluations" / setting.replace(" ", "_")
            if not (folder / FILE_NAME).exists():
                episodes = CELL if kind == "control" and "demonstrations" not in setting else EPISODES
                tiller(
                    "evaluate", *words, f"task={self.base.task}", f"episodes={episodes}", f"seed={REPORTED}",
                    "videos=0", *self.base.words, f"output={folder}", "overwrite=true",
                )  # fmt: skip

    def touch(self) -> None:
        """Run episodes of the base and of what was learnt from the first reported starts, and keep what tools feel."""
        for setting, (kind, words) in self.settings().items() if self.climb.touches else ():
            if kind == "learnt" or setting == "base":
                tiller(
                    "collect", "source=checkpoint", *words, f"task={self.base.task}", f"episodes={CELL}",
                    f"seed={REPORTED}", f"output={self.folder / 'touched' / slug(setting)}", "resume=true",
                )  # fmt: skip

    def peaks(self, setting: str) -> np.ndarray | None:
        """The largest force in N of each of these episodes; None where they were not run."""
        folder = self.folder / "touched" / slug(setting)
        if not folder.is_dir():
            return None
        with Dataset.open(folder) as dataset:
            force = np.linalg.norm(dataset.read("tcp.wrench")[:, :3], axis=1)
            peaks: np.ndarray = np.maximum.reduceat(force, [0, *dataset.episode_ends[:-1]])
        return peaks

    def forces(self, setting: str) -> dict[str, Any]:
        """Mean peak force of a setting, and by how much it is above the base's on the same starts."""
        own, base = self.peaks(setting), self.peaks("base")
        if own is None or base is None:
            return {}
        difference = paired_difference(base, own)
        return {"peak_force_n": round(float(own.mean()), 2), **interval_cells("peak_over_base", difference)}

    def found(self, setting: str) -> Evaluation | None:
        file = self.folder / "evaluations" / setting.replace(" ", "_") / FILE_NAME
        return read_evaluation(file) if file.exists() else None

    def rows(self) -> Iterator[dict[str, Any]]:
        """The table of this base, once everything is measured."""
        if not (self.folder / "ladder" / "rungs").is_dir():
            return
        settings = self.settings()
        measured = {name: self.found(name) for name in settings}
        if not all(measured.values()):
            return
        base, free = measured["base"], self.best_free(settings)
        for name, (kind, _) in settings.items():
            evaluation = measured[name]
            assert evaluation is not None and evaluation.summary is not None and base is not None
            yield {
                "base": self.name, "task": self.base.task, "setting": name.replace("_", " "), "kind": kind,
                **interval_cells("success", evaluation.summary.success), **paired("difference", base, evaluation),
                **paired("over_free", free, evaluation), **self.about(name), **self.forces(name),
                "episodes": evaluation.summary.episodes,
                "first_seed": evaluation.seed, "base_hash": base.policy["hash"], "date": date.today().isoformat(),
            }  # fmt: skip

    def best_free(self, settings: Mapping[str, tuple[str, tuple[str, ...]]]) -> Evaluation:
        """The best that needs no learning, a ticket included: as it is on the reported starts, in its favour."""
        free = [self.found(name) for name, (kind, _) in settings.items() if kind == "free"]
        free += [self.found("zero noise")]
        known = [each for each in free if each is not None and each.summary is not None and len(each.records) >= CELL]
        return max(known, key=lambda each: each.summary.success.estimate if each.summary else 0.0)

    def about(self, name: str) -> dict[str, Any]:
        """What the ladder says of a rung."""
        if name not in self.record:
            return {}
        row = self.record[name]
        cells = {
            "verdict": row["verdict"], "chosen_at": row.get("selection"), "env_steps": row["steps"],
            "minutes": round(row["minutes"], 1),
        }  # fmt: skip
        return {**cells, **self.learning(name)}

    def learning(self, method: str) -> dict[str, Any]:
        """How well its critic ranks, and the worst that was executed while it learnt."""
        finished = self.folder / "ladder" / method / "finished.json"
        if not finished.exists():
            return {}
        figures = json.loads(finished.read_text())
        curve = list(self.curve(method))
        return {
            "concordance": round(figures["concordance"], 4) if "concordance" in figures else "",
            "concordance_low": round(figures["concordance_low"], 4) if "concordance_low" in figures else "",
            "first_while_learning": float(curve[0]["success"]) if curve else "",
            "worst_while_learning": min((float(row["success_window"]) for row in curve), default=""),
        }

    def curve(self, method: str) -> Iterator[dict[str, Any]]:
        """What was executed while a method learnt."""
        file = self.folder / "ladder" / method / "curve.csv"
        if file.exists():
            with file.open(newline="") as lines:
                for row in csv.DictReader(lines):
                    named = {name: row.get(name, "") for name in CURVES[3:]}
                    yield {"base": self.name, "method": method, "env_steps": row["step"], **named}

    def run(self) -> None:
        self.steer()
        self.evaluate()
        self.touch()


def slug(name: str) -> str:
    """The folder of a rung."""
    from tiller.steering.ladder import slug

    return slug(name)


def paired(name: str, first: Evaluation, second: Evaluation) -> dict[str, float]:
    """The difference on the starts that both have, the first ones of either."""
    both = min(len(first.records), len(second.records))
    assert [each.seed for each in first.records[:both]] == [each.seed for each in second.records[:both]]
    return interval_cells(name, compare_records(first.records[:both], second.records[:both]).success)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bases", nargs="*", help=f"of {', '.join(CLIMBS)}; default: all")
    parser.add_argument("--table", action="store_true", help="write the tables of what is there, and run nothing")
    options = parser.parse_args(words)
    require_known(options.bases, {name: climb.base for name, climb in CLIMBS.items()})
    benches = [Bench(name, climb) for name, climb in CLIMBS.items()]
    if options.table:
        write_tables(benches)
    for bench in benches:
        if not options.table and (not options.bases or bench.name in options.bases):
            bench.run()
            write_tables(benches)
    return 0


def write_tables(benches: list[Bench]) -> None:
    """The tables of what is there."""
    write_csv(RESULTS / "steer.csv", COLUMNS, chained(each.rows() for each in benches))
    write_csv(RESULTS / "steer_curves.csv", CURVES, chained(each.curve(way) for each in benches for way in WAYS))


WAYS = ("best_of_k", "codebook", "residual", "dsrl_na")


def chained(tables: Iterable[Iterable[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [row for table in tables for row in table]


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TillerError as error:
        sys.exit(f"{error}")
