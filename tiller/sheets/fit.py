"""Whether a dataset, a policy and a task fit: which keys they share, and what a recipe takes over from the task."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from data.store.names import require_schema
from policies.training.embodiments import STATE_ENCODER, members
from robot.description import ActionSpec, ObservationSpec, PolicySpec, require_match
from robot.errors import InputError

if TYPE_CHECKING:
    from data.store.dataset import Dataset
    from policies.recipe.critic import CriticRecipe
    from policies.recipe.recipe import ObservingRecipe, PolicyRecipe


@dataclass(frozen=True)
class TaskFacts:
    """What training must know of a task.

    Args:
        id: of the task.
        observation, action: specs of its environment.
        n_action_steps: rows of a chunk that it executes before the next plan.
    """

    id: str
    observation: ObservationSpec
    action: ActionSpec
    n_action_steps: int


def task_facts(task_id: str, options: Mapping[str, Any]) -> TaskFacts:
    """Read the facts of a task from its environment, which is closed again."""
    import sim
    from sim.tasks.environment import require_absolute

    env = require_absolute(sim.make(task_id, **options))
    try:
        return TaskFacts(env.task.id, env.observation_spec, env.action_spec, env.task.n_action_steps)
    finally:
        env.close()


def fit_recipe(
    recipe: PolicyRecipe, dataset: Dataset, task: TaskFacts | None, *, own_action_steps: bool
) -> PolicyRecipe:
    """A recipe with its observation keys chosen, once dataset and task are known to fit.

    A recipe without keys sees every key that dataset and task share; images only where its encoder takes them.

    Args:
        recipe: as configured.
        dataset: to train on.
        task: to run on, or None.
        own_action_steps: keep the recipe's `n_action_steps`; else the task's is taken.

    Raises:
        InputError: the dataset has no schema, or the sides do not fit; both are shown.
    """
    keys = _keys(recipe, dataset, task)
    steps = recipe.n_action_steps if own_action_steps or task is None else min(task.n_action_steps, recipe.horizon)
    return replace(recipe, observation=keys, n_action_steps=steps)


def fit_generalist(recipe: PolicyRecipe, datasets: Sequence[Dataset], *, own_action_steps: bool) -> PolicyRecipe:
    """A recipe of several embodiments with the rows that each executes per plan, taken from the task that its dataset
    was recorded of, unless the recipe names its own.
    """
    assert recipe.generalist is not None
    steps = dict(recipe.generalist.n_action_steps)
    for embodiment, data in zip(members(recipe, datasets), datasets):
        if own_action_steps or embodiment.name in steps or "task" not in data.attributes:
            continue
        with suppress(InputError):  # a task of another version, or of an extra that is not installed here
            facts = task_facts(str(data.attributes["task"]), data.attributes.get("task_options") or {})
            steps[embodiment.name] = min(facts.n_action_steps, recipe.horizon)
    return replace(recipe, generalist=replace(recipe.generalist, n_action_steps=steps))


def fit_critic(
    recipe: CriticRecipe,
    dataset: Dataset,
    task: TaskFacts | None,
    *,
    own_steps: bool,
    base: PolicySpec | None = None,
) -> CriticRecipe:
    """As `fit_recipe`, of a critic: it sees what its base sees, and scores the rows that the base or else the task
    executes of a plan, unless told otherwise.
    """
    if base is not None and not recipe.observation:
        takes_images = recipe.encoder.get("name") != STATE_ENCODER
        seen = tuple(key.name for key in base.observation if takes_images or not key.is_image)
        recipe = replace(recipe, observation=seen)
    keys = _keys(recipe, dataset, task)
    steps = recipe.steps
    if not own_steps and (base is not None or task is not None):
        steps = base.n_action_steps if base is not None else task.n_action_steps  # type: ignore[union-attr]
    return replace(recipe, observation=keys, steps=steps)


def _keys(recipe: ObservingRecipe, dataset: Dataset, task: TaskFacts | None) -> tuple[str, ...]:
    """The keys that are seen, once dataset and task are known to fit."""
    schema = require_schema(dataset.path, dataset.schema)
    offered = schema.observation
    keys = recipe.observation or tuple(
        key.name
        for key in offered
        if (not key.is_image or recipe.encoder.get("name") != STATE_ENCODER)
        and (task is None or key.name in task.observation)
    )
    if task is not None:
        _require_shared_keys(keys, dataset, offered, task)
        require_match(
            offered.select(keys),
            task.observation,
            schema.action,
            task.action,
            left="dataset",
            right=f"task {task.id}",
            way_out=_way_out(task),
        )
    if not keys:
        raise InputError(
            f"dataset '{dataset.path}'",
            expected="low-dimensional keys to see",
            got=f"only {', '.join(offered.names)}",
            way_out="Images need policy=flow_cnn",
        )
    return keys


def _require_shared_keys(keys: Sequence[str], dataset: Dataset, offered: ObservationSpec, task: TaskFacts) -> None:
    if not keys:
        theirs, ours = (", ".join(f"{key.name} {key.shape}" for key in spec) for spec in (task.observation, offered))
        raise InputError(
            f"dataset '{dataset.path}'",
            expected=f"keys of task {task.id}: {theirs}",
            got=ours,
            way_out="Convert it again with new names (rename.OLD=NEW), choose an encoder for images "
            "(policy=flow_cnn), or leave task= out",
        )


def _way_out(task: TaskFacts) -> str:
    if task.id.startswith("gym/"):
        return (
            "Gymnasium does not tell units and not always the period: convert the dataset with units=1, and set "
            "options.period_s= if the task's is wrong. Or leave task= out to train without it"
        )
    return "Train on a dataset of this task, or leave task= out to train without it"
