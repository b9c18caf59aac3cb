"""A collection as a dataset: what acts, the dataset that it goes into, and the episodes that are missing of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Iterator, Mapping

from robot.description import to_json
from robot.errors import InputError
from tiller.runs.collecting import OF_GROUPS, CollectOptions
from tiller.runs.output import Output, begin, claim_folder
from tiller.runs.sources import CHECKPOINT, EXPERT, MIXTURE, Sources
from tiller.runs.steering import parts_named, with_steering

if TYPE_CHECKING:
    from data.store.dataset import Dataset
    from data.store.episode import Episode

LEAST_SUCCESS = 0.05
"""Share of a policy's episodes that must succeed where failures are not kept."""


def load_sources(options: CollectOptions) -> tuple[Sources, dict[str, Any]]:
    """What acts, and its facts for the record of the dataset.

    Raises:
        InputError: there is no expert or no checkpoint, or the policy cannot be steered so.
    """
    from sim.evaluation.action_noise import ActionNoise
    from sim.experts import make_expert

    if options.source != CHECKPOINT and options.expert_share > 0:
        make_expert(options.task)
    noise = ActionNoise(dict(options.action_noise))
    if options.source == EXPERT:
        return Sources(options.task, options.options, options.workers, (), 1.0, noise), {}
    from policies.loading.load import describe, identity, load
    from sim.evaluation.collect_policy import PolicySource
    from tiller.runs.embodiment import embodiment_for
    from tiller.runs.threads import limit_threads

    limit_threads(None)
    policies, facts = [], []
    for path in (str(options.checkpoint), *options.checkpoints):
        policy = with_steering(
            load(path, options.device, embodiment_for(options.task, options.embodiment)),
            options.steering,
            sampler=options.sampler,
            steps=options.steps,
            n_action_steps=options.n_action_steps,
            always=True,
        )
        about = describe(path, policy)
        policies.append(PolicySource(policy, identity(path, policy), f"policy {path}", noise))
        known = {name: value for name, value in about.items() if name != "checkpoint"}
        facts.append({"policy": identity(path, policy), **known})
    share = options.expert_share if options.source == MIXTURE else 0.0
    about = {
        "policies": facts,
        "expert_share": share,
        "groups": options.groups,
        **{name: getattr(options, name) for name in OF_GROUPS if getattr(options, name)},
    }
    return Sources(options.task, options.options, options.workers, policies, share, noise), about


def open_collection(options: CollectOptions, facts: Mapping[str, Any]) -> tuple[Dataset, Output]:
    """The dataset to add to, new or begun before, and its folder as an output.

    Args:
        options: of the verb.
        facts: of the policies that act.

    Raises:
        InputError: something else is in the folder, or a dataset that was begun otherwise; groups of a task whose state
            cannot be put back.
    """
    import sim
    from data.store.dataset import Dataset
    from policies.loading.folder import parts
    from robot.contract.loading import hashes
    from sim.evaluation import collect_policy
    from sim.evaluation.collect import schema
    from sim.tasks.environment import require_absolute
    from tiller.runs.sources import require_expert, require_possible

    require_expert(options.task, options.options, options.expert)
    if options.groups is not None or options.action_noise:
        require_possible(options.task, options.options, dict(options.action_noise), groups=options.groups is not None)
    checkpoints = [each for each in (options.checkpoint, *options.checkpoints) if each]
    reads: list[Path | str] = [*checkpoints, *(folder for each in checkpoints for folder in parts(each))]
    reads += parts_named(options.steering)
    path = claim_folder("collect", options.output, resume=options.resume, overwrite=options.overwrite, reads=reads)
    expert = {"expert": options.expert or "scripted"}
    who: dict[str, Any] = expert if options.source == EXPERT else {"source": options.source, **facts}
    noise = {"action_noise": dict(options.action_noise)} if options.action_noise else {}
    origin = {
        "task": options.task,
        "task_options": dict(options.options),
        "collection": {**who, "seed": options.seed, "keep_failures": options.keeps_failures, **noise},
    }
    if path.is_dir() and (path / "zarr.json").is_file():
        dataset = Dataset.open(path, mode="a")
        require_same_origin(dataset, origin, path)
    else:
        env = require_absolute(sim.make(options.task, **options.options))
        try:
            contract = env.contract
            made_for = {"contract": hashes(contract)} if contract is not None else {}
            more: dict[str, Any] = {}
            if options.source != EXPERT:
                meta = collect_policy.FACTS + (collect_policy.GROUP_FACTS if options.groups else ())
                more = {"meta": meta, "columns": collect_policy.COLUMNS}
            dataset = Dataset.create(path, schema(env, **more), attributes={**origin, **made_for})
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


def add_missing(dataset: Dataset, options: CollectOptions, sources: Sources) -> tuple[int, int]:
    """Append episodes until there are as many as asked for; returns how many were tried, and how many of them diverged.

    Seeds go on after that of the last episode, so the dataset is the one that an uninterrupted run makes.
    """
    from data.store.names import SEED
    from sim.evaluation.collect import divergence
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
        for episodes in _missing(options, sources, first, before, on_episode):
            dataset.extend(episodes)
            done = len(dataset) - before
            rate = 60 * done / (time.monotonic() - started)
            counter.show(len(dataset), f"{done} of {tried} tried, {rate:.0f} a minute")
    return tried, diverged


def _missing(
    options: CollectOptions, sources: Sources, first: int, before: int, on_episode: Callable[[Episode], None]
) -> Iterator[list[Episode]]:
    """The episodes that are missing, in the portions that are committed at once: a group is whole or not there."""
    from contextlib import closing

    from sim.evaluation.collect import Harvest, collect

    missing = options.episodes - before
    if options.source == EXPERT:
        for episode in collect(
            options.task,
            episodes=missing,
            seed=first,
            workers=options.workers,
            options=options.options,
            keep_failures=options.keeps_failures,
            on_episode=on_episode,
            noise=sources.noise,
            expert=options.expert,
        ):
            yield [episode]
    elif options.groups is not None:
        number, done = -(-missing // options.groups), before // options.groups
        mixed, decisions = options.mixed_groups, options.group_decisions
        made = sources.groups(first, number, options.groups, done, mixed=mixed, decisions=decisions)
        with closing(made) as groups:
            for group in groups:
                for episode in group:
                    on_episode(episode)
                yield group
    else:
        who = "The policy" if options.source == CHECKPOINT else "The mixture"
        harvest = Harvest(missing, who, options.keeps_failures, on_episode, least=LEAST_SUCCESS)
        with closing(sources.episodes(first, missing if options.keeps_failures else None)) as tried:
            for episode in harvest.of(tried):
                yield [episode]


def figures(dataset: Dataset, tried: int, diverged: int = 0) -> dict[str, Any]:
    """Headline figures of a collection."""
    totals = {"episodes": len(dataset), "rows": dataset.rows, "tried": tried}
    return {**totals, "diverged": diverged} if diverged else totals
