"""Episodes of the base that go on from shared states, in groups: what a critic is judged on, or learns from too."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from robot.errors import InputError
from tiller.runs.collecting import CollectOptions
from tiller.runs.output import finished_figures
from tiller.runs.sources import CHECKPOINT

if TYPE_CHECKING:
    from tiller.steering.climb import Climb

MEMBERS = 8
"""Episodes that go on from one state."""


def grouped(climb: Climb, name: str, episodes: int, seed: int, scale: float, *, mixed: bool) -> str | None:
    """The path of a dataset of such episodes; what is missing of it is run, and charged once.

    Args:
        climb: whose base acts.
        name: of the dataset in the folder of the run.
        episodes: at least so many, whole groups.
        seed: of the first start.
        scale: of the noise.
        mixed: whether only groups are kept in which some succeed and some fail.

    Returns:
        None where the task's states cannot be put back, or where no group is mixed; the climb's notes say so, and where
        there are fewer than asked for.
    """
    from tiller.runs.collection import add_missing, figures, load_sources, open_collection
    from tiller.runs.sources import FewMixedGroupsError

    options, bench, path = climb.options, climb.bench, climb.folder / name
    settings = CollectOptions(
        climb.task,
        -(-episodes // MEMBERS) * MEMBERS,
        source=CHECKPOINT,
        checkpoint=str(climb.checkpoint),
        steering={"name": "noise_scale", "noise_scale": scale} if climb.base.noise_shape is not None else None,
        sampler=options.sampler,
        steps=options.steps,
        n_action_steps=options.n_action_steps,
        groups=MEMBERS,
        mixed_groups=mixed,
        seed=seed,
        workers=options.workers,
        output=str(path),
        options=bench.options,
        device=options.device,
        resume=True,
    )
    done, started = finished_figures(path), time.perf_counter()
    if done is None:
        try:
            sources, facts = load_sources(settings)
            dataset, output = open_collection(settings, facts)
        except InputError as error:
            climb.notes[name] = str(error)
            return None
        with dataset:
            tried = (0, 0)
            # Fewer are judged on as they are: their interval says so.
            with suppress(FewMixedGroupsError):
                tried = add_missing(dataset, settings, sources)
            seconds = time.perf_counter() - started
            done = {**figures(dataset, *tried), "seconds": seconds}
            output.mark(done)
            bench.charge(dataset.rows, seconds)
    elif name not in climb.grouped:
        bench.charge(int(done["rows"]), float(done["seconds"]), before=True)
    climb.grouped.add(name)
    groups = int(done["episodes"]) // MEMBERS
    if groups == 0:
        climb.notes[name] = "no group had both successes and failures"
        return None
    if groups * MEMBERS < settings.episodes:
        climb.notes[few(name)] = f"only {groups} groups of {name} had both successes and failures"
    return str(path)


def few(name: str) -> str:
    """The climb's note of a dataset that has fewer groups than were asked for."""
    return f"few {name}"
