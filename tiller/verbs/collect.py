"""`tiller collect`: episodes of an expert or a policy into a dataset; what is there is kept, what is missing added."""

from __future__ import annotations

from dataclasses import replace
from typing import Sequence

from sim.tasks.info import SAY_SUCCESS
from tiller.command_line.command import run_configured
from tiller.configuration.compose import Configuration
from tiller.runs.collecting import CollectOptions, require_consistent
from tiller.runs.collection import add_missing, figures, load_sources, open_collection


def command(words: Sequence[str]) -> int:
    """Run the verb."""
    return run_configured("collect", CollectOptions, run, words)


def run(configuration: Configuration[CollectOptions]) -> int:
    """Collect, and print how many episodes there are."""
    from sim.perturbations import perturbed

    options = configuration.options
    require_consistent(options, configuration.values)
    options = replace(
        options, options=perturbed(options.options, perturbations=options.perturbations, randomise=options.randomise)
    )
    sources, facts = load_sources(options)
    dataset, output = open_collection(options, facts)
    with dataset:
        if dataset.dropped:
            print(f"{output.path}: {dataset.dropped}")
        try:
            tried, diverged = add_missing(dataset, options, sources)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"Stopped: {len(dataset)} of {options.episodes} episodes are in {output.path}; go "
                "on with the same command, output= that folder and resume=true"
            ) from None
        totals = figures(dataset, tried, diverged)
        if diverged:
            print(f"In {diverged} of {tried} episodes that were tried the physics diverged, which counts as failure")
        succeeded = int(dataset.meta("success").sum()) if options.keeps_failures else len(dataset)
        print(f"{totals['episodes']} episodes, {succeeded} with success, {totals['rows']} rows")
        if not succeeded and options.task.startswith("gym/"):
            print(f"No episode was a success. Where the environment does not report it: {SAY_SUCCESS}")
        output.finish(totals)
    return 0
