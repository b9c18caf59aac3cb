"""What a critic adds to a frozen policy beyond what costs nothing: four bases, every control beside it.

    python -m benchmarks.value_steering                     all bases, every step that is missing
    python -m benchmarks.value_steering lift_shifted        one of them
    python -m benchmarks.value_steering --table             the table of what is there

Per base: groups of 8 episodes that go on from one state of the base's own (400 episodes to train on, 400 to judge by);
critics trained beside the base's zero-noise plan and judged within a state; the free controls, K, beta and what is best
of all chosen on selection seeds; filtered behaviour cloning on the very rollouts that the critics saw, by the ordinary
trainer from the base's weights, and its own control without them. Then 600 episodes of everything on the same reported
seeds, in pairs. Everything is done by the command line that users have; the table is docs/results/value_steering.csv.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Iterator, Mapping

import numpy as np

from benchmarks.artifacts import RESULTS, ROOT, tiller, write_csv
from benchmarks.free_steering import BASES, Base, settings
from data.store.dataset import Dataset
from data.store.names import SUCCESS
from robot.errors import InputError, TillerError, nearest
from sim.statistics.comparison import compare
from sim.statistics.records import FILE_NAME, Evaluation, read_evaluation

FOLDER = ROOT / "artifacts" / "value_steering"
SELECTION, REPORTED = 650_000, 100_000  # first seeds
SELECTED, EPISODES = 200, 600
GROUPED, MEMBERS = 400, 8
SETS = {"train": 900_000, "judged": 930_000}  # first seeds of the groups
CRITICS = {
    "verifier": ("critic=success", "critic.network.width=64"),
    "iql": ("critic=iql",),
    "shuffled": ("critic=success", "critic.network.width=64"),
}
BETAS = (0.03, 0.1, 0.3)
UPDATES = 3000  # of cloning from the base's weights
COLUMNS = (
    "base", "task", "setting", "kind", "picked", "success", "success_low", "success_high", "difference",
    "difference_low", "difference_high", "over_free", "over_free_low", "over_free_high", "selection_success",
    "concordance", "concordance_low", "concordance_high", "states", "episodes", "first_seed", "base_hash", "date",
)  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """One base with its folder.

    Args:
        name: of it.
        base: how it is run.
    """

    name: str
    base: Base

    @cached_property
    def checkpoint(self) -> Path:
        trained = sorted((ROOT / "artifacts" / self.base.study).glob(f"{self.base.run}-seed0-*/checkpoints/final"))
        if not trained:
            raise TillerError(f"{self.name}: train it with python benchmarks/artifacts.py {self.base.study}")
        return trained[-1].parent.parent

    @property
    def demonstrations(self) -> Path:
        return ROOT / "artifacts" / self.base.study / "demonstrations"

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def acting(self) -> tuple[str, ...]:
        """How the base acts."""
        return f"steps={self.base.steps}", f"n_action_steps={self.base.rows}"

    @property
    def perturbations(self) -> tuple[str, ...]:
        """The base's perturbation as `tiller collect` takes it."""
        words = dict(word.split("=") for word in self.base.words)
        return (f"perturbations.{words['perturbation']}={words['severity']}",) if words else ()

    # -- data and critics ---------------------------------------------------------------------------------------------

    def collect(self) -> None:
        for name, seed in SETS.items():
            output = self.folder / name
            if not (output / "finished.json").exists():
                tiller(
                    "collect", f"task={self.base.task}", "source=checkpoint", f"checkpoint={self.checkpoint}",
                    *self.acting, *self.perturbations, f"groups={MEMBERS}", f"episodes={GROUPED}", f"seed={seed}",
                    f"output={output}", *(["resume=true"] if output.exists() else []),
                )  # fmt: skip
        if not (self.folder / "shuffled_data").exists():
            shuffled(self.folder / "train", self.folder / "shuffled_data")

    def train_critics(self) -> None:
        for name, words in CRITICS.items():
            data = self.folder / ("shuffled_data" if name == "shuffled" else "train")
            self.train(
                f"critic_{name}", *words, f"base={self.checkpoint}", f"base_steps={self.base.steps}", f"data={data}",
                f"judge={self.folder / 'judged'}", "training=fast", "training.steps=1500", "training.warmup=50",
                "training.evaluate_every=100", "training.validation.fraction=0",
            )  # fmt: skip

    def clone(self) -> None:
        """Go on from the base with the successes of the critics' rollouts beside the demonstrations, and without."""
        common = (f"initial={self.checkpoint}", "training=fast", f"training.steps={UPDATES}")
        own = self.folder / "successes"
        if not own.exists():
            successes_of(self.folder / "train", own)
        self.train("cloned_demonstrations", *common, f"data={self.demonstrations}")
        self.train("cloned_successes", *common, f"data=[{self.demonstrations},{own}]")

    def train(self, name: str, *words: str) -> None:
        output = self.folder / name
        if not (output / "finished.json").exists():
            tiller("train", f"task={self.base.task}", *words, f"output={output}", "resume=true")

    # -- evaluations --------------------------------------------------------------------------------------------------

    def free(self) -> dict[str, tuple[str, ...]]:
        """What costs nothing, by name; the base itself among them."""
        return settings(self.base)

    def learnt(self) -> dict[str, tuple[str, ...]]:
        """What was learnt from the rollouts."""
        found: dict[str, tuple[str, ...]] = {}
        for critic in ("verifier", "iql"):
            path = f"steering.critic={self.folder / f'critic_{critic}'}"
            found[f"{critic} of 16"] = (*self.acting, "steering=value", path, "steering.samples=16")
            for beta in BETAS:
                guided = ("steering=guidance", path, f"steering.beta={beta:g}")
                found[f"{critic} guides at {beta:g}"] = (*self.acting, *guided)
        return found

    def controls(self) -> dict[str, tuple[str, ...]]:
        shuffled_critic = f"steering.critic={self.folder / 'critic_shuffled'}"
        verifier = f"steering.critic={self.folder / 'critic_verifier'}"
        return {
            "any of 16": (*self.acting, "steering=random_choice", "steering.samples=16"),
            "shuffled critic of 16": (*self.acting, "steering=value", shuffled_critic, "steering.samples=16"),
            "verifier of 1": (*self.acting, "steering=value", verifier, "steering.samples=1"),
        }

    def cloned(self) -> dict[str, tuple[str, ...]]:
        """Retrained policies at the base's scale and at zero noise."""
        found = {}
        for name in ("cloned_demonstrations", "cloned_successes"):
            checkpoint = (f"checkpoint={self.folder / name}", *self.acting)
            found[name] = checkpoint
            found[f"{name} at zero noise"] = (*checkpoint, "steering=noise_scale", "steering.noise_scale=0")
        return found

    def evaluate(self, setting: str, words: tuple[str, ...], seed: int, episodes: int) -> Evaluation:
        folder = self.folder / "evaluations" / f"{setting.replace(' ', '_')}-{seed}"
        if not (folder / FILE_NAME).exists():
            own = () if words[0].startswith("checkpoint=") else (f"checkpoint={self.checkpoint}",)
            tiller(
                "evaluate", *own, *words, f"task={self.base.task}", f"episodes={episodes}", f"seed={seed}", "videos=0",
                *self.base.words, f"output={folder}", "overwrite=true",
            )  # fmt: skip
        return read_evaluation(folder / FILE_NAME)

    def run(self) -> None:
        """Every step that is missing, and every evaluation: all on the selection seeds, the chosen ones on the others.

        Of the values of beta one is reported per critic, and of all that is free the base, zero noise and the best.
        """
        self.collect()
        self.train_critics()
        self.clone()
        for setting, words in {**self.free(), **self.learnt(), **self.cloned()}.items():
            self.evaluate(setting, words, SELECTION, SELECTED)
        for setting, words in self.reported().items():
            self.evaluate(setting, words, REPORTED, EPISODES)

    def selection(self, setting: str) -> float:
        file = self.folder / "evaluations" / f"{setting.replace(' ', '_')}-{SELECTION}" / FILE_NAME
        return successes(read_evaluation(file)) if file.exists() else float("nan")

    def best(self, names: Mapping[str, Any]) -> str:
        return max(names, key=self.selection)  # the first of equal ones

    def reported(self) -> dict[str, tuple[str, ...]]:
        """What is measured on the reported seeds."""
        free, learnt = self.free(), self.learnt()
        chosen = {name: free[name] for name in ("base", "noise_scale 0", self.best(free))}
        for critic in ("verifier", "iql"):
            guided = {name: words for name, words in learnt.items() if name.startswith(f"{critic} guides")}
            chosen |= {f"{critic} of 16": learnt[f"{critic} of 16"], self.best(guided): guided[self.best(guided)]}
        return {**chosen, **self.controls(), **self.cloned()}

    def rows(self) -> Iterator[dict[str, Any]]:
        """The table of this base."""
        reported = self.reported()
        done = {
            setting: self.folder / "evaluations" / f"{setting.replace(' ', '_')}-{REPORTED}" / FILE_NAME
            for setting in reported
        }
        if not all(file.exists() for file in done.values()):
            return
        evaluations = {setting: read_evaluation(file) for setting, file in done.items()}
        kinds = {name: kind for kind in ("free", "learnt", "controls", "cloned") for name in getattr(self, kind)()}
        best_free = self.best(self.free())
        picked = self.best({name: None for name in reported if kinds[name] in ("free", "learnt")})
        for setting, evaluation in evaluations.items():
            against = compare(evaluations["base"], evaluation)
            over = compare(evaluations[best_free], evaluation)
            summary = evaluation.summary
            assert summary is not None
            yield {
                "base": self.name, "task": self.base.task, "setting": setting, "kind": kinds[setting],
                "picked": setting == picked, **interval("success", summary.success),
                **interval("difference", against.success), **interval("over_free", over.success),
                "selection_success": round(self.selection(setting), 4), **self.concordance(setting),
                "episodes": summary.episodes, "first_seed": evaluation.seed,
                "base_hash": evaluations["base"].policy["hash"], "date": date.today().isoformat(),
            }  # fmt: skip

    def concordance(self, setting: str) -> dict[str, Any]:
        """How well the critic of a setting ranks within a state, on groups that it never saw."""
        critic = next((name for name in CRITICS if setting.startswith(name)), None)
        file = self.folder / f"critic_{critic}" / "checkpoints" / "final" / "judgement.json"
        if critic is None or not file.exists():
            return {}
        judged = json.loads(file.read_text())
        names = {"concordance": "auc_within_state", "concordance_low": "auc_within_state_low",
                 "concordance_high": "auc_within_state_high", "states": "states"}  # fmt: skip
        return {ours: round(judged[theirs], 4) for ours, theirs in names.items() if theirs in judged}


def interval(name: str, value: Any) -> dict[str, float]:
    ends = {name: value.estimate, f"{name}_low": value.low, f"{name}_high": value.high}
    return {key: round(each, 4) for key, each in ends.items()}


def successes(evaluation: Evaluation) -> float:
    return sum(record.success for record in evaluation.records) / len(evaluation.records)


def shuffled(source: Path, target: Path) -> None:
    """The same episodes with what came of them dealt out anew: a critic of these knows nothing."""
    data = Dataset.open(source)
    order = np.random.default_rng(0).permutation(len(data))
    outcome = np.asarray(data.meta(SUCCESS.name))
    with Dataset.create(target, data.schema, attributes=data.attributes) as copy:
        for number in range(len(data)):
            episode = data.episode(number)
            episode.meta[SUCCESS.name] = bool(outcome[order[number]])
            copy.append(episode)


def successes_of(source: Path, target: Path) -> None:
    """The successful episodes, as demonstrations."""
    data = Dataset.open(source)
    with Dataset.create(target, data.schema, attributes=data.attributes) as copy:
        for number in np.flatnonzero(np.asarray(data.meta(SUCCESS.name), bool)).tolist():
            copy.append(data.episode(number))


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bases", nargs="*", help=f"of {', '.join(BASES)}; default: {', '.join(DEFAULT)}")
    parser.add_argument("--table", action="store_true", help="write the table of what is there, and run nothing")
    options = parser.parse_args(words)
    for name in options.bases:
        if name not in BASES:
            raise InputError(f"base '{name}'", expected=f"one of {', '.join(BASES)}", way_out=nearest(name, BASES))
    for name in options.bases or DEFAULT:
        if not options.table:
            Bench(name, BASES[name]).run()
        table = [row for each in DEFAULT for row in Bench(each, BASES[each]).rows()]
        write_csv(RESULTS / "value_steering.csv", COLUMNS, table)
    return 0


DEFAULT = ("lift_shifted", "peg_weak")

if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TillerError as error:
        sys.exit(f"{error}")
