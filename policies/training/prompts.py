"""The instructions of demonstrations: those that a policy gets to know, and the one of each episode."""

from __future__ import annotations

from dataclasses import replace
from typing import Sequence, TypeVar

import numpy as np
from torch import Tensor

from data.learning.sources.hindsight import Hindsight
from data.learning.sources.source import WindowSource
from data.store.dataset import Dataset
from data.store.names import INSTRUCTION as FACT
from policies.encoders import PromptEncoder
from policies.encoders.sentences import embed
from policies.model.batch import PROMPT
from policies.recipe.recipe import ObservingRecipe
from robot.description import ObservationSpec, TaskPrompt
from robot.description.prompt import GOAL, INSTRUCTION, LANGUAGE, REFUSED
from robot.errors import InputError, nearest, shortened

GOALS_MEASURED = 4096
Recipe = TypeVar("Recipe", bound=ObservingRecipe)


def with_instructions(recipe: Recipe, datasets: Sequence[Dataset]) -> Recipe:
    """A recipe that knows the instructions of some datasets, where it needs them and names none itself.

    Raises:
        InputError: a dataset has no instructions, or an episode without one.
    """
    use = recipe.prompt.get("name")
    if use not in (INSTRUCTION, LANGUAGE, REFUSED) or recipe.prompt.get("instructions"):
        return recipe
    words = [word for data in datasets for word in instructions(data, required=use != REFUSED)]
    named = {**recipe.prompt, "instructions": sorted({word for word in words if word})}
    if use == LANGUAGE and "features" not in named:
        named["features"] = len(embed(named["instructions"][0], str(named.get("model", ""))))
    return replace(recipe, prompt=named)  # type: ignore[type-var]


def with_goal(recipe: Recipe, observation: ObservationSpec) -> Recipe:
    """A recipe that knows the shapes of its goals, where it is told by goals.

    Raises:
        InputError: it names no keys, or one that is not observed.
    """
    if recipe.prompt.get("name") != GOAL:
        return recipe
    keys = list(recipe.prompt.get("keys", ()))
    if not keys:
        raise InputError(
            "policy.prompt.keys",
            expected=f"keys of the observation that make a goal: {', '.join(observation.names)}",
            got="none",
        )
    for key in keys:
        if recipe.observation and key not in recipe.observation:
            raise InputError(
                f"policy.prompt.keys: '{key}'",
                expected=f"a key that the policy sees: {', '.join(recipe.observation)}",
                got=f"'{key}'",
                way_out=nearest(key, recipe.observation),
            )
    shapes = {key: list(observation[key].shape) for key in keys}
    return replace(recipe, prompt={**recipe.prompt, "shapes": shapes})  # type: ignore[type-var]


def with_goals(encoder: PromptEncoder, source: WindowSource) -> WindowSource:
    """A source whose windows bring their goals, where the encoder reads goals."""
    return Hindsight(source, tuple(encoder.spec.goal), PROMPT) if encoder.spec.use == GOAL else source


def measured_goals(encoder: PromptEncoder, source: WindowSource) -> np.ndarray | None:
    """Goals (n, G) of windows at even distances, for the encoder to measure; None where it reads none."""
    if encoder.spec.use != GOAL:
        return None
    every = max(1, len(source) // GOALS_MEASURED)
    return with_goals(encoder, source).gather(np.arange(0, len(source), every)).columns[PROMPT]


def instructions(data: Dataset, *, required: bool = True) -> list[str]:
    """The instruction of each episode.

    Raises:
        InputError: they are required, and there is none, of some episode or of all.
    """
    words = [str(word) for word in data.meta(FACT.name)] if FACT.name in data.meta_keys else []
    if not required:
        return words
    missing = next((number for number, word in enumerate(words) if not word), None)
    if not words or missing is not None:
        raise InputError(
            f"'{data.path}': instructions",
            expected="one of every episode, for a policy that reads them",
            got="none" if not words else f"none of episode {missing}",
            way_out="Convert the demonstrations with instruction=, or leave policy.prompt out",
        )
    return words


def _known_instructions(encoder: PromptEncoder, data: Dataset) -> list[str]:
    """The instruction of each episode. One that the policy does not know is refused: it would be learnt as another."""
    known, words = encoder.spec.instructions, instructions(data)
    for word in dict.fromkeys(words):
        if known and word not in known:
            raise InputError(
                f"'{data.path}': instruction {shortened(word)}",
                expected=f"one that the policy knows: {', '.join(map(shortened, known[:8]))}",
                way_out="Train a policy anew on all the demonstrations, or give these the instruction that is meant",
            )
    return words


def episode_prompts(encoder: PromptEncoder, datasets: Sequence[Dataset]) -> dict[str, Tensor]:
    """The prompt of every episode of some datasets, (episodes, ...) as the encoder reads it, by its name as a fact; no
    fact where it reads none.

    Raises:
        InputError: an instruction is missing, or is not one that the recipe names.
    """
    if not encoder.spec.reads_words:
        return {}
    read = encoder.read([TaskPrompt(word) for data in datasets for word in _known_instructions(encoder, data)])
    return {} if read is None else {PROMPT: read}
