"""Filtered behaviour cloning: the base goes on learning, from its demonstrations and from its own successes.

With a condition it learns from its failures too, each action under whether it did better than was to be expected, and
acts as the better ones. Beside it stands its control, which goes on learning for as many updates from the
demonstrations alone.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Sequence

from robot.errors import InputError
from tiller.runs.collecting import CollectOptions
from tiller.runs.output import finished_figures
from tiller.runs.sources import CHECKPOINT
from tiller.steering.bench import Cost
from tiller.steering.cloning.advantage import labelled
from tiller.steering.cloning.stores import copied
from tiller.steering.cloning.training import learnt, shares_of, trained, trained_with
from tiller.steering.free import Execution, measure, picked, possible, scale_settings
from tiller.steering.rung import Rung

if TYPE_CHECKING:
    from tiller.steering.climb import Climb

WAY_OUT = "Add demonstrations=DATASET: from own successes alone a policy forgets what it was shown"
METHOD = "filtered_bc"
CONTROL = "demonstrations alone"
PROMPT = {"name": "advantage"}
"""What a clone with a condition is told."""


def require_cloning(climb: Climb) -> None:
    """Refuse a base that cannot go on learning, and a base whose demonstrations are not there.

    Raises:
        InputError: with the way out.
    """
    from data.store.dataset import Dataset
    from policies.model.checkpoint import read_record
    from policies.training.advantage import with_advantage

    recipe, given = read_record(learnt(climb)).recipe, climb.options.cloning
    if recipe.generalist is not None:
        raise InputError(
            METHOD, expected="a policy of one embodiment", got="one of several",
            way_out="method=free and method=ticket work for it",
        )  # fmt: skip
    if given.condition is not None:
        with_advantage(recipe)
        if given.episodes < 2:
            raise InputError("cloning.episodes beside a condition", expected="2 or more", got=str(given.episodes))
    for path in demonstrations(climb):
        Dataset.open(path).close()


def filtered_bc(climb: Climb) -> list[Rung]:
    """The control and the clone, each at its best noise scale, as candidates in this order."""
    folder, given, bench = climb.folder / METHOD, climb.options.cloning, climb.bench
    shown = same_demonstrations(climb, folder)
    before = bench.cost
    episodes, kept = collected(climb, folder)
    if given.condition is None:
        own, prompt, clone = [successes(folder, episodes)], None, METHOD
    else:
        own, prompt, clone = labelled(climb, folder, episodes), PROMPT, f"{METHOD}, {given.condition}"
    collecting = bench.cost - before
    climb.notes[METHOD] = f"{kept} of {given.episodes} own episodes succeeded at noise scale {_scale(climb):g}"
    candidates = []
    for name, data, shares in (
        (CONTROL, shown, ()),
        (clone, [*shown, *own], shares_of(shown, own, given.share)),
    ):
        run, before = folder / ("control" if name == CONTROL else "clone"), bench.cost
        trained(climb, run, data, shares, None if name == CONTROL else prompt)
        rung, cost = _best_setting(climb, run, name), bench.cost - before
        cost += collecting if name == clone else Cost()
        figures = {**rung.figures, "env_steps": cost.steps, "minutes": cost.seconds / 60}
        candidates.append(replace(rung, figures=figures))
    return candidates


def demonstrations(climb: Climb) -> list[str]:
    """The paths of what the base was shown: those that are given, else those of its training run.

    Raises:
        InputError: there are none, or one is gone.
    """
    given = climb.options.demonstrations
    if given is None:
        given = trained_with(climb).get("data")
        if given is None:
            raise InputError("demonstrations", expected="what the policy was trained on", got="none", way_out=WAY_OUT)
    paths = [given] if isinstance(given, str) else list(given)
    require_there(paths)
    return paths


def require_there(paths: Sequence[str]) -> None:
    """Refuse demonstrations that are gone.

    Raises:
        InputError: the first of them.
    """
    for path in paths:
        if "://" not in path and not Path(path).exists():
            raise InputError(f"demonstrations {path}", expected="a dataset", got="nothing there", way_out=WAY_OUT)


def same_demonstrations(climb: Climb, folder: Path) -> list[str]:
    """The paths of what the base was shown; of those that it was trained on some of, a store of these for each."""
    from policies.recipe.recipe import TrainingConfig
    from policies.training.demonstrations import Demonstrations
    from robot.description import from_json

    paths, values = demonstrations(climb), dict(trained_with(climb).get("training") or {})
    if climb.options.demonstrations is not None or values.get("demonstrations") is None:
        return paths
    shown = Demonstrations.open(paths, from_json(TrainingConfig, values, where="training"))
    copies = []
    for number, (dataset, episodes) in enumerate(zip(shown.datasets, shown.training)):
        copies.append(folder / f"demonstrations-{number}")
        copied(dataset, episodes.tolist(), copies[-1])
    return list(map(str, copies))


def _scale(climb: Climb) -> float:
    """Of the noise that own episodes are run with; 1 for a policy that noise does not steer."""
    if climb.base.noise_shape is None:
        return 1.0
    return climb.options.cloning.scale or climb.scale


def collected(climb: Climb, folder: Path) -> tuple[Path, int]:
    """The store of the base's own episodes, and how many of them succeeded; what is missing is run."""
    from data.store.dataset import Dataset
    from data.store.names import SUCCESS
    from tiller.runs.collection import add_missing, figures, load_sources, open_collection

    options, bench = climb.options, climb.bench
    path = folder / "episodes"
    settings = CollectOptions(
        climb.task,
        options.cloning.episodes,
        source=CHECKPOINT,
        checkpoint=str(climb.checkpoint),
        embodiment=options.embodiment,
        steering={"name": "noise_scale", "noise_scale": _scale(climb)} if _scale(climb) != 1 else None,
        sampler=options.sampler,
        steps=options.steps,
        n_action_steps=options.n_action_steps,
        seed=bench.learning_seed,
        workers=options.workers,
        output=str(path),
        keep_failures=True,
        options=bench.options,
        device=options.device,
        resume=True,
    )
    done, started = finished_figures(path), time.perf_counter()
    if done is None:
        climb.deadline.check()
        sources, facts = load_sources(settings)
        dataset, output = open_collection(settings, facts)
        with dataset:
            tried = add_missing(dataset, settings, sources)
            seconds = time.perf_counter() - started
            output.mark({**figures(dataset, *tried), "seconds": seconds})
            bench.charge(dataset.rows, seconds)
    else:
        bench.charge(int(done["rows"]), float(done["seconds"]), before=True)
    with Dataset.open(path) as dataset:
        succeeded = int(dataset.meta(SUCCESS.name).sum())
        if not succeeded:
            raise InputError(
                METHOD, expected="own episodes that succeed", got=f"none of {len(dataset)}",
                way_out="Collect demonstrations, or try more with cloning.episodes=",
            )  # fmt: skip
    return path, succeeded


def successes(folder: Path, episodes: Path) -> str:
    """The store of those own episodes that succeeded."""
    from data.store.dataset import Dataset
    from data.store.names import SUCCESS

    with Dataset.open(episodes) as dataset:
        succeeded = [number for number, success in enumerate(dataset.meta(SUCCESS.name)) if success]
        copied(dataset, succeeded, folder / "successes")
    return str(folder / "successes")


def _best_setting(climb: Climb, run: Path, name: str) -> Rung:
    """A trained policy at the noise scale that is best on the selection seeds, executed as the base is."""
    from policies.loading.load import load
    from policies.model.checkpoint_folder import find
    from policies.steering.prompted import Prompted

    checkpoint, spec = find(run), climb.base.spec
    execution = Execution(spec.sampler.name, spec.sampler.steps, None if spec.ensemble else spec.n_action_steps)
    policy = load(checkpoint, climb.options.device)
    guidance = climb.options.cloning.guidance
    if guidance is not None and name != CONTROL:
        policy = Prompted(policy, guidance=guidance)
    rungs = [
        (setting, rung)
        for setting, rung, _ in possible(policy, checkpoint, execution, scale_settings(), name + ": {}")
        if rung is not None
    ]
    best = picked(measure(climb.bench, f"{METHOD}/{run.name}", rungs, climb.options.episodes))
    scale = best.setting.scale
    figures = {"selection_success": best.successes / best.episodes, "selection_episodes": best.episodes}
    return replace(best.rung, name=f"{name} at {scale:g}", figures=figures)
