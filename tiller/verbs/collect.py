"""`tiller collect`: episodes of a scripted expert into a dataset; what is there is kept, what is missing is added."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from robot.description import to_json
from robot.description.ranges import Count, Seed, Workers
from robot.errors import InputError
from sim.perturbations.sizes import Severity
from tiller.command_line.command import run_configured
from tiller.configuration.compose import Configuration
from tiller.runs.output import Output, begin, claim_folder

if TYPE_CHECKING:
    from data.store.dataset import Dataset
    from data.store.episode import Episode


@dataclass(frozen=True)
class CollectOptions:
    """What `tiller collect` takes.

    Args:
        task: one that has a scripted expert.
        episodes: successful ones to have in the end.
        seed: of the first episode; the next ones count up.
        workers: processes; the dataset does not depend on it.
        output: folder of the dataset; null makes outputs/collect/<date>.
        keep_failures: keep episodes without success too, and count them.
        options: of the task, for example options.cameras=[agentview].
        perturbations: of the task, name -> severity 0 to 5: perturbations.friction=3; see docs/perturbations.md.
        randomise: draw each severity anew every episode, from 0 up to the one given.
        resume: add what is missing to a dataset that was begun alike.
        overwrite: replace what an earlier run left in the output folder.
    """

    task: str
    episodes: Count = 50
    seed: Seed = 0
    workers: Workers = 1
    output: str | None = None
    keep_failures: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    perturbations: Mapping[str, Severity] = field(default_factory=dict)
    randomise: bool = False
    resume: bool = False
    overwrite: bool = False


def command(words: Sequence[str]) -> int:
    """Run the verb."""
    return run_configured("collect", CollectOptions, run, words)


def run(configuration: Configuration[CollectOptions]) -> int:
    """Collect, and print how many episodes there are."""
    from sim.perturbations import perturbed

    options = configuration.options
    options = replace(
        options, options=perturbed(options.options, perturbations=options.perturbations, randomise=options.randomise)
    )
    dataset, output = open_collection(options)
    with dataset:
        if dataset.dropped:
            print(f"{output.path}: {dataset.dropped}")
        try:
            tried, diverged = add_missing(dataset, options)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"Stopped: {len(dataset)} of {options.episodes} episodes are in {output.path}; go "
                "on with the same command, output= that folder and resume=true"
            ) from None
        totals = figures(dataset, tried, diverged)
        if diverged:
            print(f"In {diverged} of {tried} episodes that were tried the physics diverged, which counts as failure")
        print(f"{totals['episodes']} episodes, {totals['rows']} rows")
        output.finish(totals)
    return 0


def open_collection(options: CollectOptions) -> tuple[Dataset, Output]:
    """The dataset to add to, new or begun before, and its folder as an output.

    Raises:
        InputError: no expert for the task; something else is in the folder, or a dataset that was begun otherwise.
    """
    import sim
    from data.store.dataset import Dataset
    from robot.contract.loading import hashes
    from sim.evaluation.collect import schema
    from sim.experts import make_expert

    make_expert(options.task)
    path = claim_folder("collect", options.output, resume=options.resume, overwrite=options.overwrite)
    origin = {
        "task": options.task,
        "task_options": dict(options.options),
        "collection": {"expert": "scripted", "seed": options.seed, "keep_failures": options.keep_failures},
    }
    if path.is_dir() and (path / "zarr.json").is_file():
        dataset = Dataset.open(path, mode="a")
        require_same_origin(dataset, origin, path)
    else:
        env = sim.make(options.task, **options.options)
        try:
            contract = env.contract
            made_for = {"contract": hashes(contract)} if contract is not None else {}
            dataset = Dataset.create(path, schema(env), attributes={**origin, **made_for})
        finally:
            env.close()
    return dataset, begin("collect", to_json(options), path)


def require_same_origin(dataset: Dataset, origin: Mapping[str, Any], path: Path) -> None:
    """Refuse to mix episodes of different tasks, options or rows of seeds in one dataset."""
    for key, value in origin.items():
        recorded = dataset.attributes.get(key)
        if recorded != value:
            dataset.close()
            raise InputError(
                f"resume {path}: {key}",
                expected=f"{recorded}, as the dataset was begun",
                got=str(value),
                way_out="Give the same options, or another output=",
            )


def add_missing(dataset: Dataset, options: CollectOptions) -> tuple[int, int]:
    """Append episodes until there are as many as asked for; returns how many were tried, and how many of them diverged.

    Seeds go on after that of the last episode, so the dataset is the one that an uninterrupted run makes.
    """
    from data.store.names import SEED
    from sim.evaluation.collect import collect, divergence
    from tiller.runs.progress import Counter

    before = len(dataset)
    if before >= options.episodes:
        return 0, 0
    first = int(dataset.episode(before - 1).meta[SEED.name]) + 1 if before else options.seed
    tried, diverged, started = 0, 0, time.monotonic()

    def on_episode(episode: Episode) -> None:
        nonlocal tried, diverged
        tried, diverged = tried + 1, diverged + bool(divergence(episode))

    with Counter(f"collecting {options.task}", options.episodes) as counter:
        counter.show(before)
        for episode in collect(
            options.task,
            episodes=options.episodes - before,
            seed=first,
            workers=options.workers,
            options=options.options,
            keep_failures=options.keep_failures,
            on_episode=on_episode,
        ):
            dataset.append(episode)
            done = len(dataset) - before
            rate = 60 * done / (time.monotonic() - started)
            counter.show(len(dataset), f"{done} of {tried} tried, {rate:.0f} a minute")
    return tried, diverged


def figures(dataset: Dataset, tried: int, diverged: int = 0) -> dict[str, Any]:
    """Headline figures of a collection."""
    totals = {"episodes": len(dataset), "rows": dataset.rows, "tried": tried}
    return {**totals, "diverged": diverged} if diverged else totals
