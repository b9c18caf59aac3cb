"""Whether choosing among a base's chunks can pay: the variance of success between chunks at one saved state.

    python -m benchmarks.chunk_variance                                    all bases that are trained
    python -m benchmarks.chunk_variance lift_shifted                       some of them
    python -m benchmarks.chunk_variance --screen trial checkpoint=RUN task=twin/place steps=3
                                                                           any base, few states

It is to be run before any critic is trained: where the chunks of one state do not differ in what they lead to, no
critic can choose. `sim/evaluation/continuations.py` says how states are reached and continued, and
`sim/statistics/nested.py` what is estimated. What comes of each state is kept in `artifacts/chunk_variance/NAME`
and is not run again; the table is docs/results/chunk_variance.csv, a row for each decision and one for all of them.
Screens lie in `NAME-screen`, and have starts of their own: what is picked by them is measured on others.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import asdict, fields, replace
from datetime import date
from pathlib import Path
from typing import Any, Iterator, Sequence

import numpy as np

from benchmarks import free_steering
from benchmarks.artifacts import RESULTS, ROOT, interval_cells, write_csv
from benchmarks.free_steering import require_known
from policies.steering.by_noise.medoid import medoids
from robot.errors import InputError, TillerError
from robot.files import write_file
from sim.evaluation.continuations import Acting, Size, measure, outcomes_of, read_lines
from sim.statistics.nested import NestedVariance, nested_variance

BASES = {
    name: free_steering.BASES[name]
    for name in ("lift_shifted", "peg_weak", "press_weak", "drawer_weak", "pick_place_weak")
}
FULL, SCREEN = Size(), Size(8, (0, 1), 6, 6, 805_000)
SIZES = {name: replace(FULL, chunks=7, continuations=6) for name in ("peg_weak", "pick_place_weak")}
"""Where episodes are long."""
ALL = "all"
STATES, SETTINGS, EPISODES = "states.jsonl", "settings.json", "episodes.json"
FIGURES = tuple(field.name for field in fields(NestedVariance))
COLUMNS = (
    "base", "task", "decision", "starts", "states", "chunks", "continuations",
    *(f"{name}{end}" for name in FIGURES for end in ("", "_low", "_high")),
    "env_steps", "minutes", "steps", "n_action_steps", "first_seed", "base_hash", "command", "date",
)  # fmt: skip


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "words", nargs="*", help=f"bases of {', '.join(BASES)}, default all; key=value of an evaluation"
    )
    parser.add_argument("--screen", action="store_true", help="8 starts, 2 decisions, 6 chunks, 6 continuations")
    parser.add_argument("--starts", type=int)
    parser.add_argument("--decisions", type=int, nargs="+", help="numbers, from 0")
    parser.add_argument("--chunks", type=int, help="at a state, the one of zero noise among them")
    parser.add_argument("--continuations", type=int, help="of each chunk")
    parser.add_argument("--first-seed", type=int)
    parser.add_argument("--artifacts", type=Path, default=ROOT / "artifacts")
    parser.add_argument("--table", action="store_true", help="write the table of what is there, and run nothing")
    options = parser.parse_args(words)
    overrides = [word for word in options.words if "=" in word]
    names = [word for word in options.words if "=" not in word]
    if overrides and len(names) != 1:
        raise InputError("base", expected="one name for what is given by key=value", got=", ".join(names) or "none")
    require_known(() if overrides else names, BASES)
    for name in names or BASES:
        if not options.table:
            run(name, size_of(name, options), overrides, options.artifacts, options.screen)
    write_csv(RESULTS / "chunk_variance.csv", COLUMNS, list(table(options.artifacts)))
    return 0


def size_of(name: str, options: argparse.Namespace) -> Size:
    """The size of a base's experiment, with what is given by name."""
    size = SCREEN if options.screen else SIZES.get(name, FULL)
    given = {field.name: getattr(options, field.name) for field in fields(Size)}
    given["decisions"] = None if options.decisions is None else tuple(options.decisions)
    return replace(size, **{key: value for key, value in given.items() if value is not None})


def run(name: str, size: Size, overrides: Sequence[str], artifacts: Path, screen: bool) -> None:
    """Measure what is missing of a base."""
    evaluation = [*(evaluation_of(name, artifacts) if name in BASES else ()), *overrides]
    if not evaluation:
        return
    acting, about = acting_of(evaluation)
    folder = artifacts / "chunk_variance" / (f"{name}-screen" if screen else name)
    settings = {**about, **asdict(size), "decisions": list(size.decisions), "batch": acting.batch}
    command = command_of(name, size, overrides, screen)
    require_same(folder / SETTINGS, {**settings, "command": command})
    print(f"$ {command}", flush=True)

    def on_state(line: dict[str, Any], left: int) -> None:
        rates = " ".join(f"{count / size.continuations:.2f}" for count in (line["zero"], *line["successes"]))
        print(f"start {line['start']}, decision {line['decision']}: {rates}; {left} states left", flush=True)

    episodes = measure(acting, size, folder / STATES, medoids, on_state)
    write_file(folder / EPISODES, json.dumps(episodes))


def evaluation_of(name: str, artifacts: Path) -> list[str]:
    """A base's overrides of `tiller evaluate`; none where it is not trained."""
    base = BASES[name]
    trained = base.trained(artifacts)
    if trained is None:
        return []
    return [
        f"checkpoint={trained}", f"task={base.task}", f"steps={base.steps}",
        f"n_action_steps={base.rows}", *base.words,
    ]  # fmt: skip


def acting_of(overrides: Sequence[str]) -> tuple[Acting, dict[str, Any]]:
    """The policy and its task as `tiller evaluate` takes them, and what decides how it acts.

    Raises:
        InputError: an override is wrong, or checkpoint or task are missing.
    """
    from sim.perturbations import perturbed
    from tiller.configuration.compose import compose
    from tiller.runs.threads import limit_threads
    from tiller.verbs.evaluate import EvaluateOptions, load_described, trained_task

    options = compose("evaluate", EvaluateOptions, overrides).options
    limit_threads(options.threads)
    if options.task is None:
        raise InputError("'task'", expected="a task to measure on", way_out="Add task=, for example task=twin/lift")
    if options.delay_steps or options.ensemble is not None:
        raise InputError("execution", expected="one chunk after the other", got="delay_steps or an ensemble")
    policy, description = load_described(options, options.task)
    trained, trained_options = trained_task(options.checkpoint)
    task_options = perturbed(
        {**(trained_options if options.task == trained else {}), **options.options},
        perturbation=options.perturbation,
        severity=options.severity,
        perturbations=options.perturbations,
        randomise=options.randomise,
    )
    acting = Acting(policy, options.task, task_options, options.n_action_steps, options.batch or 32)
    known: dict[str, Any] = {
        key: description[key] for key in ("hash", "sampler", "steps", "steering") if key in description
    }
    rows = options.n_action_steps or policy.spec.n_action_steps
    return acting, {**known, "task": options.task, "options": task_options, "n_action_steps": rows}


def command_of(name: str, size: Size, overrides: Sequence[str], screen: bool) -> str:
    """The command that makes a row."""
    usual = SCREEN if screen else SIZES.get(name, FULL)
    words = ["--screen"] if screen else []
    for field in fields(Size):
        value = getattr(size, field.name)
        if value != getattr(usual, field.name):
            words += [f"--{field.name.replace('_', '-')}", *map(str, value if isinstance(value, tuple) else [value])]
    return shlex.join(["python", "-m", "benchmarks.chunk_variance", name, *overrides, *words])


def require_same(file: Path, settings: dict[str, Any]) -> None:
    """Keep the settings of a folder, or refuse others than those that it was begun with; starts may be added."""
    if file.exists():
        before = json.loads(file.read_text())
        for key, value in settings.items():
            if key not in ("starts", "command") and before.get(key) != value:
                raise InputError(
                    f"{file.parent}: {key}",
                    expected=f"{before.get(key)}, as it was begun",
                    got=str(value),
                    way_out="Take another name, or remove the folder",
                )
    write_file(file, json.dumps(settings, indent=1))


def table(artifacts: Path) -> Iterator[dict[str, Any]]:
    """The rows of all measurements that are whole."""
    for file in sorted((artifacts / "chunk_variance").glob(f"*/{EPISODES}")):
        lines, episodes = read_lines(file.parent / STATES), json.loads(file.read_text())
        if len(lines) == episodes["states"]:
            yield from rows(file.parent.name, json.loads((file.parent / SETTINGS).read_text()), lines, file)


def rows(name: str, settings: dict[str, Any], lines: list[dict[str, Any]], file: Path) -> Iterator[dict[str, Any]]:
    """A row for each decision, and one for all."""
    decision = np.array([line["decision"] for line in lines])
    for which in (*settings["decisions"], ALL):
        chosen = np.full(len(lines), True) if which == ALL else decision == which
        some = [line for line, one in zip(lines, chosen) if one]
        if len({line["start"] for line in some}) < 2:
            continue  # nearly all episodes had ended
        figures = nested_variance(outcomes_of(some, settings["continuations"]))
        yield {
            "base": name, "task": settings["task"], "decision": which,
            "starts": len({line["start"] for line in some}), "states": len(some),
            "chunks": settings["chunks"], "continuations": settings["continuations"],
            **{key: value for each in FIGURES for key, value in interval_cells(each, getattr(figures, each)).items()},
            "env_steps": sum(line["steps"] for line in some),
            "minutes": round(sum(line["seconds"] for line in some) / 60, 1),
            "steps": settings["steps"], "n_action_steps": settings["n_action_steps"],
            "first_seed": settings["first_seed"], "base_hash": settings["hash"], "command": settings["command"],
            "date": date.fromtimestamp(file.stat().st_mtime).isoformat(),
        }  # fmt: skip


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TillerError as error:
        sys.exit(f"{error}")
