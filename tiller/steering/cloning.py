"""Filtered behaviour cloning: the base goes on learning, from its demonstrations and from its own successes.

Beside it stands its control, which goes on learning for as many updates from the demonstrations alone.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from robot.errors import InputError
from tiller.runs.collecting import CollectOptions
from tiller.runs.output import CONFIG, finished_figures, written_by
from tiller.runs.sources import CHECKPOINT
from tiller.steering.bench import Cost
from tiller.steering.free import Execution, measure, picked, possible, scale_settings
from tiller.steering.rung import Rung

if TYPE_CHECKING:
    from policies.recipe.recipe import TrainingConfig
    from tiller.steering.climb import Climb

METHOD = "filtered_bc"
CONTROL = "demonstrations alone"
WARMUP = 200


def require_cloning(climb: Climb) -> None:
    """Refuse a base that cannot go on learning, and a base whose demonstrations are not there.

    Raises:
        InputError: with the way out.
    """
    from data.store.dataset import Dataset
    from policies.model.checkpoint import read_record

    if read_record(learnt(climb)).recipe.generalist is not None:
        raise InputError(
            METHOD, expected="a policy of one embodiment", got="one of several",
            way_out="method=free and method=ticket work for it",
        )  # fmt: skip
    for path in demonstrations(climb):
        Dataset.open(path).close()


def filtered_bc(climb: Climb) -> list[Rung]:
    """The control and the clone, each at its best noise scale, as candidates in this order."""
    folder, given, bench = climb.folder / METHOD, climb.options.cloning, climb.bench
    shown = same_demonstrations(climb, folder)
    before = bench.cost
    own, kept = collected(climb, folder)
    collecting = bench.cost - before
    climb.notes[METHOD] = f"{kept} of {given.episodes} own episodes succeeded at noise scale {_scale(climb):g}"
    candidates = []
    for name, data, shares in (
        (CONTROL, shown, ()),
        (METHOD, [*shown, own], shares_of(shown, given.share)),
    ):
        run, before = folder / ("control" if name == CONTROL else "clone"), bench.cost
        trained(climb, run, data, shares)
        rung, cost = _best_setting(climb, run, name), bench.cost - before
        cost += collecting if name == METHOD else Cost()
        figures = {**rung.figures, "env_steps": cost.steps, "minutes": cost.seconds / 60}
        candidates.append(replace(rung, figures=figures))
    return candidates


def demonstrations(climb: Climb) -> list[str]:
    """The paths of what the base was shown: those that are given, else those of its training run.

    Raises:
        InputError: there are none, or one is gone.
    """
    given = climb.options.demonstrations
    way_out = "Add demonstrations=DATASET: from own successes alone a policy forgets what it was shown"
    if given is None:
        given = _trained_with(climb).get("data")
        if given is None:
            raise InputError("demonstrations", expected="what the policy was trained on", got="none", way_out=way_out)
    paths = [given] if isinstance(given, str) else list(given)
    for path in paths:
        if "://" not in path and not Path(path).exists():
            raise InputError(f"demonstrations {path}", expected="a dataset", got="nothing there", way_out=way_out)
    return paths


def same_demonstrations(climb: Climb, folder: Path) -> list[str]:
    """The paths of what the base was shown; of those that it was trained on some of, a store of these for each."""
    from policies.recipe.recipe import TrainingConfig
    from policies.training.demonstrations import Demonstrations
    from robot.description import from_json

    paths, values = demonstrations(climb), dict(_trained_with(climb).get("training") or {})
    if climb.options.demonstrations is not None or values.get("demonstrations") is None:
        return paths
    shown = Demonstrations.open(paths, from_json(TrainingConfig, values, where="training"))
    copies = []
    for number, (dataset, episodes) in enumerate(zip(shown.datasets, shown.training)):
        copies.append(folder / f"demonstrations-{number}")
        _copy(dataset, episodes.tolist(), copies[-1])
    return list(map(str, copies))


def _scale(climb: Climb) -> float:
    """Of the noise that own episodes are run with; 1 for a policy that noise does not steer."""
    if climb.base.noise_shape is None:
        return 1.0
    return climb.options.cloning.scale or climb.scale


def learnt(climb: Climb) -> Path:
    """The checkpoint with the base's weights, below all that steers it."""
    from policies.loading.folder import chain

    return chain(climb.checkpoint)[-1]


def collected(climb: Climb, folder: Path) -> tuple[str, int]:
    """The store of the base's own successes, and how many there are; what is missing is run.

    All episodes are kept beside it, failures too: all of their steps count.
    """
    from data.store.dataset import Dataset
    from data.store.names import SUCCESS
    from tiller.runs.collection import add_missing, figures, load_sources, open_collection

    options, bench = climb.options, climb.bench
    path, target = folder / "episodes", folder / "successes"
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
        succeeded = [number for number, success in enumerate(dataset.meta(SUCCESS.name)) if success]
        if not succeeded:
            raise InputError(
                METHOD, expected="own episodes that succeed", got=f"none of {len(dataset)}",
                way_out="Collect demonstrations, or try more with cloning.episodes=",
            )  # fmt: skip
        _copy(dataset, succeeded, target)
    return str(target), len(succeeded)


def _copy(source: Any, episodes: Sequence[int], target: Path) -> None:
    """A store of some episodes of another; those that are there already are not written again."""
    from data.store.dataset import Dataset

    if (target / "zarr.json").is_file():
        copy = Dataset.open(target, mode="a")
    else:
        copy = Dataset.create(target, source.schema, attributes=_own_attributes(source))
    with copy:
        for number in episodes[len(copy) :]:
            copy.append(source.episode(number))


def _own_attributes(source: Any) -> Mapping[str, Any]:
    """What a collection noted of itself."""
    names = ("task", "task_options", "collection", "contract")
    return {name: source.attributes[name] for name in names if name in source.attributes}


def trained(climb: Climb, run: Path, data: Sequence[str], shares: tuple[float, ...]) -> None:
    """Train on from the base's weights, or go on where that was left.

    Raises:
        KeyboardInterrupt: it was stopped, and saved what it had.
    """
    from robot.description import to_json
    from tiller.configuration.compose import Configuration
    from tiller.training.options import TrainOptions
    from tiller.training.policy import train_policy

    done = finished_figures(run)
    if done is not None:
        climb.bench.charge(0, float(done["seconds"]), before=True)
        return
    climb.deadline.check()
    options = TrainOptions(
        tuple(data),
        task=climb.task,
        output=str(run),
        resume=True,
        device=climb.options.device,
        options=_task_options(climb),
        initial=str(learnt(climb)),
        training=replace(_training(climb), weights=shares),
    )
    started = time.perf_counter()
    output, result, _ = train_policy(
        Configuration(options, to_json(options), _trained_with(climb).get("choices") or {})
    )
    if result.stopped == "interrupted":
        raise KeyboardInterrupt
    seconds = time.perf_counter() - started
    assert output is not None
    output.mark({"updates": result.updates, "seconds": seconds, "loss": result.loss})
    climb.bench.charge(0, seconds)


def shares_of(shown: Sequence[str], share: float | None) -> tuple[float, ...]:
    """The weights of the datasets in a batch; that of the demonstrations is split by their rows."""
    from data.store.dataset import Dataset

    if share is None:
        return ()
    rows = [Dataset.open(path).rows for path in shown]
    return (*(share * each / sum(rows) for each in rows), 1 - share)


def _training(climb: Climb) -> TrainingConfig:
    """How the base was trained, for as many updates as were chosen."""
    from policies.recipe.recipe import TrainingConfig
    from robot.description import from_json

    given, values = climb.options.cloning, dict(_trained_with(climb).get("training") or {})
    config = from_json(TrainingConfig, values, where="training")
    return replace(
        config,
        steps=given.updates,
        warmup=min(WARMUP, given.updates // 10),
        learning_rate=given.learning_rate or config.learning_rate,
        seed=given.seed,
        minutes=None,
        stop_after=None,
        demonstrations=None,
        order={"name": "uniform"},
        evaluate_every=0,
        keep_every=0,
        wandb="",
        checkpoint_every=min(config.checkpoint_every, max(given.updates // 10, 1)),
    )


def _trained_with(climb: Climb) -> Mapping[str, Any]:
    """The configuration of the base's training run; empty where it is not there."""
    import yaml

    folder = learnt(climb).resolve()
    for each in (folder, *list(folder.parents)[:3]):
        if written_by(each) == "train":
            values = yaml.safe_load((each / CONFIG).read_text(encoding="utf-8"))
            return values if isinstance(values, dict) else {}
    return {}


def _task_options(climb: Climb) -> Mapping[str, Any]:
    """The task's options as they are without a perturbation, which later evaluations set themselves."""
    names = ("perturbation", "severity", "perturbations", "randomise")
    return {name: value for name, value in climb.bench.options.items() if name not in names}


def _best_setting(climb: Climb, run: Path, name: str) -> Rung:
    """A trained policy at the noise scale that is best on the selection seeds, executed as the base is."""
    from policies.loading.load import load
    from policies.model.checkpoint_folder import find

    checkpoint, spec = find(run), climb.base.spec
    execution = Execution(spec.sampler.name, spec.sampler.steps, None if spec.ensemble else spec.n_action_steps)
    policy = load(checkpoint, climb.options.device)
    rungs = [
        (setting, rung)
        for setting, rung, _ in possible(policy, checkpoint, execution, scale_settings(), name + ": {}")
        if rung is not None
    ]
    best = picked(measure(climb.bench, f"{METHOD}/{run.name}", rungs, climb.options.episodes))
    scale = best.setting.scale
    figures = {"selection_success": best.successes / best.episodes, "selection_episodes": best.episodes}
    return replace(best.rung, name=f"{name} at {scale:g}", figures=figures)
