"""The embodiment of each dataset of a training: which keys it has, what they are called in the union."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Callable, Sequence

from data.store.dataset import Dataset
from data.store.names import require_schema
from policies.recipe.recipe import PolicyRecipe
from robot.description import EmbodimentSpec
from robot.errors import InputError, nearest

STATE_ENCODER = "state"


def members_of(recipe: PolicyRecipe) -> Callable[[Sequence[Dataset]], tuple[EmbodimentSpec, ...]] | None:
    """What gives the embodiments of datasets to a recipe of several; None for one of a single robot and task."""
    return None if recipe.generalist is None else partial(members, recipe)


def members(recipe: PolicyRecipe, datasets: Sequence[Dataset]) -> tuple[EmbodimentSpec, ...]:
    """The embodiment of each dataset, named by the task that it was recorded of, else by its folder.

    Raises:
        InputError: names, keys or embodiments in the recipe that do not fit the datasets, an embodiment whose datasets
            have different keys, or one without any key that is seen.
    """
    config = recipe.generalist
    assert config is not None
    if config.names and len(config.names) != len(datasets):
        raise InputError(
            "policy.generalist.names", expected=f"{len(datasets)}, one per dataset", got=str(len(config.names))
        )
    names = config.names or tuple(str(each.attributes.get("task") or Path(each.path).name) for each in datasets)
    for setting, given in {"rename": config.rename, "n_action_steps": config.n_action_steps}.items():
        for name in given:
            if name not in names:
                raise InputError(
                    f"policy.generalist.{setting}.{name}",
                    expected=f"one of {', '.join(dict.fromkeys(names))}",
                    way_out=nearest(name, names),
                )
    made: dict[str, EmbodimentSpec] = {}
    listed = []
    for name, data in zip(names, datasets):
        one = _member(recipe, name, data)
        first = made.setdefault(name, one)
        if first != one:
            raise InputError(
                f"dataset '{data.path}'",
                expected=f"keys and fields as of the other datasets of '{name}': {', '.join(first.keys)}",
                got=", ".join(one.keys),
                way_out="Give it a name of its own in policy.generalist.names",
            )
        listed.append(first)
    offered = {key for one in listed for key in (*one.keys, *one.keys.values())}
    there = {key.name for data in datasets for key in require_schema(data.path, data.schema).observation} | offered
    for key in config.without:
        if key not in there:
            raise InputError(
                f"policy.generalist.without: '{key}'",
                expected="a key that some dataset has",
                got="none has it",
                way_out=nearest(key, sorted(there)),
            )
    for key in recipe.observation:
        if key not in offered:
            raise InputError(
                f"observation '{key}'",
                expected="a key that some embodiment has",
                got=f"'{key}'",
                way_out=nearest(key, offered),
            )
    return tuple(listed)


def _member(recipe: PolicyRecipe, name: str, data: Dataset) -> EmbodimentSpec:
    config = recipe.generalist
    assert config is not None
    schema = require_schema(data.path, data.schema)
    rename = config.rename.get(name, {})
    for own in rename:
        schema.observation[own]  # refuses one that is not there
    keys = {}
    for key in schema.observation:
        union = rename.get(key.name, key.name)
        if {key.name, union} & set(config.without) or (recipe.observation and union not in recipe.observation):
            continue
        if key.kind == "depth" or (key.is_image and recipe.encoder.get("name") == STATE_ENCODER):
            continue
        keys[key.name] = union
    if len(set(keys.values())) < len(keys):
        raise InputError(
            f"policy.generalist.rename.{name}", expected="a name of its own for each key", got=str(dict(rename))
        )
    if not keys:
        raise InputError(
            f"dataset '{data.path}'", expected="keys to see", got=f"only {', '.join(schema.observation.names)}"
        )
    steps = min(config.n_action_steps.get(name, recipe.n_action_steps), recipe.horizon)
    contract = data.attributes.get("contract", {}).get("semantic_hash")
    return EmbodimentSpec(name, keys, tuple(field.name for field in schema.action.fields), steps, contract)
