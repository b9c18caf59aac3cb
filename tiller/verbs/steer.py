"""`tiller steer`: a checkpoint and a task in, a better checkpoint out, and what each step towards it bought."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Mapping, Sequence

from robot.description import PolicySpec, to_json
from robot.errors import InputError
from robot.files import write_result
from tiller.command_line.command import run_configured
from tiller.configuration.compose import Configuration
from tiller.runs.differences import first_difference
from tiller.runs.origin import trained_task
from tiller.runs.output import Output, open_output, read_kept
from tiller.steering.options import MAY_CHANGE, SteerOptions, require_method

SETTLED = "steer.json"
"""The options that a run which goes on must have."""


def command(words: Sequence[str]) -> int:
    """Run the verb."""
    return run_configured("steer", SteerOptions, run, words)


def run(configuration: Configuration[SteerOptions]) -> int:
    """Climb, write the best rung as a checkpoint, and show what each rung bought."""
    from tiller.runs.threads import limit_threads

    limit_threads(configuration.options.threads)
    from policies.loading.folder import parts
    from tiller.steering.climb import METHODS
    from tiller.steering.cloning.filtered import require_there
    from tiller.steering.ladder import Ladder

    options = settled(configuration.options)
    require_method(options.method, METHODS)
    options.cloning.require_condition()
    if options.resume and not options.output:
        raise InputError(
            "'output'", expected="the folder of the run to go on with", got="nothing",
            way_out="Add output= beside resume=true",
        )  # fmt: skip
    shown = [options.demonstrations] if isinstance(options.demonstrations, str) else list(options.demonstrations or ())
    require_there(shown)
    output = open_output(
        "steer", to_json(options), options.output, resume=options.resume, overwrite=options.overwrite,
        reads=[options.checkpoint, *parts(options.checkpoint), *shown],
    )  # fmt: skip
    with output.kept_if_used((SETTLED, "tensorboard")):
        begun = _require_same(output.path, options)
        ladder = Ladder(_climb(options, output.path))
        write_result(output.path / SETTLED, json.dumps(begun, indent=2) + "\n")
        try:
            best = ladder.run()
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt(
                f"Stopped; go on with the same command, output={output.path} and resume=true"
            ) from stop
    ladder.record.show()
    print(f"Best: {best.name}. tiller evaluate checkpoint={output.path}")
    _finish(output, ladder)
    return 0


def settled(options: SteerOptions) -> SteerOptions:
    """The options with the task of the checkpoint and its options where none are given, perturbed.

    Raises:
        InputError: there is no task, or no such perturbation.
    """
    from policies.model.checkpoint_folder import find
    from sim.perturbations import perturbed

    find(options.checkpoint)  # a path that is none is not a missing task
    trained, trained_options = trained_task(options.checkpoint)
    task = options.task or trained
    if not task:
        raise InputError(
            "'task'", expected="a task to get better at", got="none, and the checkpoint was trained without one",
            way_out="Add task=, for example task=twin/lift",
        )  # fmt: skip
    given: Mapping[str, Any] = {**trained_options, **options.options} if task == trained else options.options
    changed = perturbed(
        given, perturbation=options.perturbation, severity=options.severity, perturbations=options.perturbations,
        randomise=options.randomise,
    )  # fmt: skip
    return replace(options, task=task, options=changed)


def _climb(options: SteerOptions, folder: Path) -> Any:
    """The climb at its foot: the base is the best rung."""
    from policies.loading.load import load
    from policies.model.checkpoint_folder import find
    from tiller.runs.embodiment import embodiment_for
    from tiller.steering.bench import Bench
    from tiller.steering.climb import Climb
    from tiller.steering.deadline import Deadline
    from tiller.steering.free import BASE, Execution, Setting
    from tiller.steering.rung import Rung

    assert options.task is not None
    checkpoint = find(options.checkpoint)
    loaded = load(checkpoint, options.device, embodiment_for(options.task, options.embodiment))
    execution = Execution(options.sampler, options.steps, options.n_action_steps)
    _require_rows(options.free.rows, loaded.spec)
    base, deadline = Setting(BASE).around(loaded, execution), Deadline(options.minutes)
    bench = Bench(options.task, options.options, folder, options.seed, options.workers, deadline)
    return Climb(options, checkpoint, loaded, base, execution, Rung(BASE, base, checkpoint), bench, folder, deadline)


def _require_rows(rows: Sequence[int], spec: PolicySpec) -> None:
    """Refuse numbers of executed rows that the policy cannot have, before anything is run."""
    for each in rows:
        if each > spec.horizon or spec.ensemble is not None:
            raise InputError(
                f"free.rows: {each}",
                expected=f"1 to the horizon {spec.horizon}" if spec.ensemble is None else "none",
                got=str(each) if spec.ensemble is None else "a base with a temporal ensemble, which executes one row",
                way_out="Leave free.rows out, or give others",
            )


def _require_same(folder: Path, options: SteerOptions) -> dict[str, Any]:
    """The options that a run in a folder must always have; refuses others than it was begun with."""
    from policies.loading.folder import fingerprint

    values = {name: value for name, value in to_json(options).items() if name not in MAY_CHANGE}
    values["checkpoint"] = fingerprint(options.checkpoint)
    before: dict[str, Any] = read_kept(folder / SETTLED) if (folder / SETTLED).exists() else {}
    if before and (difference := first_difference(before, values)):
        raise InputError(
            f"resume {folder}: {difference[0]}", expected=f"{difference[1]}, as the run was begun", got=difference[2],
            way_out="Give the same options, or another output=",
        )  # fmt: skip
    return values


def _finish(output: Output, ladder: Any) -> None:
    climb = ladder.climb
    output.finish({"best": climb.best.name, "steps": climb.bench.steps, "minutes": climb.bench.cost.seconds / 60})
