"""What a critic adds to a frozen policy beyond what costs nothing: four bases, every control beside it.

    python -m benchmarks.value_steering                     all bases, every step that is missing
    python -m benchmarks.value_steering lift_shifted        one of them
    python -m benchmarks.value_steering --table             the table of what is there

Per base: groups of 8 episodes that go on from one state of the base's own, and do not all end alike (1,200 episodes to
train on, 640 to judge by); critics trained beside the base's zero-noise plan and judged within a state; filtered
behaviour cloning on the very rollouts that the critics saw, by the ordinary trainer from the base's weights, and its
own control without them. On selection seeds everything is measured: all that is free, the best of 16 by each critic
at the base's noise and at the best scale, three weights of guidance, clones with noise and without. What is chosen
there is measured on other seeds beside its controls, in pairs: on 600 what differences are claimed of, on the first 200
of them the other cells. `picked` is what a paired test on the selection
seeds keeps: the best that is learnt, where it is above the best that is free with 95 %, else the latter.
Everything is done by the command line that users have; the table is docs/results/value_steering.csv.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Iterable, Iterator

import numpy as np

from benchmarks.artifacts import RESULTS, ROOT, copy_episodes, interval_cells, tiller, write_csv
from benchmarks.free_steering import BASES, SELECTION, Base, folder_of, require_known, settings, successes
from data.store.dataset import Dataset
from data.store.names import SUCCESS
from robot.errors import TillerError
from sim.statistics.comparison import Comparison, compare, compare_records
from sim.statistics.records import FILE_NAME, Evaluation, read_evaluation
from tiller.runs.steering import STEERED

FOLDER = ROOT / "artifacts" / "value_steering"
REPORTED = 100_000  # first seed; those of selection are those of the free settings
SELECTED, CELL, EPISODES = 200, 200, 600
MEMBERS, DECISIONS = 8, 4  # of a group; where it may begin
SETS = {"train": (900_000, 1200), "judged": (930_000, 640)}  # first seed, episodes
VERIFIER = ("critic=success", "critic.network.width=64", "training.steps=800", "training.evaluate_every=200")
CRITICS = {
    "verifier": VERIFIER,
    "iql": ("critic=iql", "training.steps=1500", "training.evaluate_every=375"),
    "shuffled": VERIFIER,
}
FEWER = {"lift_shifted": (104, 400)}
"""Of which base the verifier is trained on the first episodes alone too, and how many."""
LEARNT, CLONES = ("verifier", "iql"), ("cloned_demonstrations", "cloned_successes")
BETAS = (0.05, 0.3)
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
        trained = self.base.trained(ROOT / "artifacts")
        if trained is None:
            raise TillerError(f"{self.name}: no base")
        return trained

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
        """The base's perturbation and options as `tiller collect` takes them."""
        words = dict(word.split("=") for word in self.base.words)
        perturbed = "perturbation" in words
        size = (f"perturbations.{words['perturbation']}={words['severity']}",) if perturbed else ()
        return size + tuple(word for word in self.base.words if word.startswith("options."))

    # -- data and critics ---------------------------------------------------------------------------------------------

    def collect(self) -> None:
        for name, (seed, episodes) in SETS.items():
            output = self.folder / name
            if not (output / "finished.json").exists():
                tiller(
                    "collect", f"task={self.base.task}", "source=checkpoint", f"checkpoint={self.checkpoint}",
                    *self.acting, *self.perturbations, f"groups={MEMBERS}", "mixed_groups=true",
                    f"group_decisions={DECISIONS}", f"episodes={episodes}", f"seed={seed}",
                    f"output={output}", *(["resume=true"] if output.exists() else []),
                )  # fmt: skip
        if not (self.folder / "shuffled_data").exists():
            shuffled(self.folder / "train", self.folder / "shuffled_data")

    def train_critics(self) -> None:
        for name, words in CRITICS.items():
            data = self.folder / ("shuffled_data" if name == "shuffled" else "train")
            self.train_critic(name, words, data)

        for count in FEWER.get(self.name, ()):
            data = self.folder / f"train_{count}"
            if not data.exists():
                copied(self.folder / "train", data, range(count))
            self.train_critic(f"verifier_{count}", VERIFIER, data)

    def train_critic(self, name: str, words: tuple[str, ...], data: Path) -> None:
        self.train(
            f"critic_{name}", *words, f"base={self.checkpoint}", f"base_steps={self.base.steps}", f"data={data}",
            f"judge={self.folder / 'judged'}", "training=fast", "training.warmup=50", "training.ema.decay=0.99",
            "training.validation.fraction=0",
        )  # fmt: skip

    def clone(self) -> None:
        """Go on from the base with the successes of the critics' rollouts beside the demonstrations, and without."""
        common = (f"initial={self.checkpoint}", "training=fast", f"training.steps={UPDATES}")
        own = self.folder / "successes"
        if not own.exists():
            succeeded = np.asarray(Dataset.open(self.folder / "train").meta(SUCCESS.name), bool)
            copied(self.folder / "train", own, np.flatnonzero(succeeded).tolist())
        self.train("cloned_demonstrations", *common, f"data={self.demonstrations}")
        self.train("cloned_successes", *common, f"data=[{self.demonstrations},{own}]")

    def train(self, name: str, *words: str) -> None:
        output = self.folder / name
        if not (output / "finished.json").exists():
            tiller("train", f"task={self.base.task}", *words, f"output={output}", "resume=true")

    # -- evaluations --------------------------------------------------------------------------------------------------

    def free(self) -> dict[str, tuple[str, ...]]:
        """What costs nothing, by name; the base itself among them, and not other numbers of executed rows: a critic
        scores the base's (`benchmarks/free_steering.py` has them).
        """
        return {name: words for name, words in settings(self.base).items() if not name.startswith("rows")}

    def learnt(self) -> dict[str, tuple[str, ...]]:
        """What was learnt from the rollouts: the best of 16 drawn as the base draws, and at the scale of noise that was
        best without a critic; and guidance.
        """
        found: dict[str, tuple[str, ...]] = {}
        scales = {
            name: words for name, words in self.free().items() if name == "base" or name.startswith("noise_scale")
        }
        scale = self.best({name: words for name, words in scales.items() if name != "noise_scale 0"})
        for critic in LEARNT:
            path = f"steering.critic={self.folder / f'critic_{critic}'}"
            choice = ("steering=value", path, "steering.samples=16")
            found[f"{critic} of 16"] = (*self.acting, *choice)
            if scale != "base":
                at_scale = f"checkpoint={self.evaluation(scale, SELECTION) / STEERED}"
                found[f"{critic} of 16 at {scale}"] = (at_scale, *choice)
            for beta in BETAS:
                guided = ("steering=guidance", path, f"steering.beta={beta:g}")
                found[f"{critic} guides at {beta:g}"] = (*self.acting, *guided)
        return found

    def controls(self) -> dict[str, tuple[str, ...]]:
        critic = f"steering.critic={self.folder / 'critic_shuffled'}"
        fewer = {
            f"verifier_{count} of 16": (
                *self.acting, "steering=value", f"steering.critic={self.folder / f'critic_verifier_{count}'}",
                "steering.samples=16",
            )
            for count in FEWER.get(self.name, ())
        }  # fmt: skip
        return {
            **fewer,
            "any of 16": (*self.acting, "steering=random_choice", "steering.samples=16"),
            "shuffled critic of 16": (*self.acting, "steering=value", critic, "steering.samples=16"),
        }

    def cloned(self) -> dict[str, tuple[str, ...]]:
        """Retrained policies at the base's scale and at zero noise."""
        found = {}
        for name in CLONES:
            checkpoint = (f"checkpoint={self.folder / name}", *self.acting)
            found[name] = checkpoint
            found[f"{name} at zero noise"] = (*checkpoint, "steering=noise_scale", "steering.noise_scale=0")
        return found

    def evaluation(self, setting: str, seed: int) -> Path:
        if seed == SELECTION and setting in self.free():
            return folder_of(ROOT / "artifacts", self.name, setting, seed)
        return self.folder / "evaluations" / f"{setting.replace(' ', '_')}-{seed}"

    def evaluate(self, setting: str, words: tuple[str, ...], seed: int, episodes: int) -> None:
        folder = self.evaluation(setting, seed)
        if not (folder / FILE_NAME).exists():
            own = () if words[0].startswith("checkpoint=") else (f"checkpoint={self.checkpoint}",)
            tiller(
                "evaluate", *own, *words, f"task={self.base.task}", f"episodes={episodes}", f"seed={seed}", "videos=0",
                *self.base.words, f"output={folder}", "overwrite=true",
            )  # fmt: skip

    def run(self) -> None:
        """Every step that is missing: all evaluations on the selection seeds, the chosen ones on the others."""
        self.collect()
        self.train_critics()
        self.clone()
        for measured in (self.free, self.learnt, self.cloned):  # what is learnt stands on the best scale
            for setting, words in measured().items():
                self.evaluate(setting, words, SELECTION, SELECTED)
        counted = self.counted()
        for setting, words in self.reported().items():
            self.evaluate(setting, words, REPORTED, EPISODES if setting in counted else CELL)

    def found(self, setting: str, seed: int) -> Evaluation | None:
        file = self.evaluation(setting, seed) / FILE_NAME
        return read_evaluation(file) if file.exists() else None

    def selection(self, setting: str) -> float:
        evaluation = self.found(setting, SELECTION)
        return float("nan") if evaluation is None else successes(evaluation)

    def best(self, names: Iterable[str]) -> str:
        return max(names, key=self.selection)  # the first of equal ones

    def reported(self) -> dict[str, tuple[str, ...]]:
        """What is measured on the reported seeds: the base, the best that is free, what each critic chooses, the best
        that each guides, the controls, and each clone with or without noise.
        """
        free, learnt, cloned = self.free(), self.learnt(), self.cloned()
        chosen = {name: free[name] for name in ("base", self.best(free))}
        for critic in LEARNT:
            chosen |= {name: words for name, words in learnt.items() if name.startswith(f"{critic} of 16")}
            guided = self.best(name for name in learnt if name.startswith(f"{critic} guides"))
            chosen[guided] = learnt[guided]
        clones = [self.best(name for name in cloned if name.startswith(clone)) for clone in CLONES]
        return {**chosen, **self.controls(), **{name: cloned[name] for name in clones}}

    def counted(self) -> set[str]:
        """What a difference is claimed of: the base, and the best that is free and learnt."""
        return {"base", self.best(self.free()), self.best(self.learnt())}

    def picked(self, best_free: str) -> str:
        """What a paired test on the selection seeds keeps."""
        best = self.best(self.learnt())
        free, learnt = self.found(best_free, SELECTION), self.found(best, SELECTION)
        assert free is not None and learnt is not None
        return best if compare(free, learnt).success.low > 0 else best_free

    def rows(self) -> Iterator[dict[str, Any]]:
        """The table of this base: what was measured on the selection seeds alone has no figures of the others."""
        if self.found("base", SELECTION) is None or not all(self.found(each, REPORTED) for each in self.reported()):
            return
        kinds = {name: kind for kind in ("free", "learnt", "controls", "cloned") for name in getattr(self, kind)()}
        best_free = self.best(self.free())
        picked, reported = self.picked(best_free), {name: self.found(name, REPORTED) for name in kinds}
        base, free = reported["base"], reported[best_free]
        assert base is not None and free is not None
        for setting, evaluation in reported.items():
            selected, figures = self.selection(setting), {}
            if evaluation is not None:
                assert evaluation.summary is not None
                figures = {
                    **interval_cells("success", evaluation.summary.success),
                    **interval_cells("difference", paired(base, evaluation).success),
                    **interval_cells("over_free", paired(free, evaluation).success),
                    "episodes": evaluation.summary.episodes, "first_seed": evaluation.seed,
                }  # fmt: skip
            yield {
                "base": self.name, "task": self.base.task, "setting": setting, "kind": kinds[setting],
                "picked": setting == picked, **figures,
                "selection_success": "" if np.isnan(selected) else round(selected, 4), **self.concordance(setting),
                "base_hash": base.policy["hash"], "date": date.today().isoformat(),
            }  # fmt: skip

    def concordance(self, setting: str) -> dict[str, Any]:
        """How well the critic of a setting ranks within a state, on groups that it never saw."""
        critic = setting.split()[0]
        file = self.folder / f"critic_{critic}" / "checkpoints" / "best" / "judgement.json"
        if not file.exists():
            return {}
        judged = json.loads(file.read_text())
        names = {"concordance": "auc_within_state", "concordance_low": "auc_within_state_low",
                 "concordance_high": "auc_within_state_high", "states": "states"}  # fmt: skip
        return {ours: round(judged[theirs], 4) for ours, theirs in names.items() if theirs in judged}


def paired(first: Evaluation, second: Evaluation) -> Comparison:
    """On the seeds that both have, the first ones of either."""
    both = min(len(first.records), len(second.records))
    assert [each.seed for each in first.records[:both]] == [each.seed for each in second.records[:both]]
    return compare_records(first.records[:both], second.records[:both])


def shuffled(source: Path, target: Path) -> None:
    """The same episodes with what came of them dealt out anew: a critic of these knows nothing."""
    data = Dataset.open(source)
    order = np.random.default_rng(0).permutation(len(data))
    outcome = np.asarray(data.meta(SUCCESS.name))
    episodes = map(data.episode, range(len(data)))
    dealt = (
        replace(episode, meta={**episode.meta, SUCCESS.name: bool(outcome[other])})
        for episode, other in zip(episodes, order)
    )
    copy_episodes(data, target, dealt)


def copied(source: Path, target: Path, episodes: Iterable[int]) -> None:
    """Some of the episodes."""
    data = Dataset.open(source)
    copy_episodes(data, target, map(data.episode, episodes))


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bases", nargs="*", help=f"of {', '.join(BASES)}; default: {', '.join(DEFAULT)}")
    parser.add_argument("--table", action="store_true", help="write the table of what is there, and run nothing")
    options = parser.parse_args(words)
    require_known(options.bases, BASES)
    for name in options.bases or DEFAULT:
        if not options.table:
            Bench(name, BASES[name]).run()
        table = [row for each in DEFAULT for row in Bench(each, BASES[each]).rows()]
        write_csv(RESULTS / "value_steering.csv", COLUMNS, table)
    return 0


DEFAULT = ("lift_shifted", "press_weak", "drawer_weak", "pick_place_weak", "peg_weak")

if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TillerError as error:
        sys.exit(f"{error}")
