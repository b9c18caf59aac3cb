"""The instructions of demonstrations: those that a policy gets to know, and the one of each episode."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from data.store.dataset import Dataset
from data.store.names import INSTRUCTION as FACT
from policies.model.model import PolicyModel
from policies.recipe.recipe import PolicyRecipe
from robot.description import TaskPrompt
from robot.description.prompt import INSTRUCTION, REFUSED
from robot.errors import InputError


def with_instructions(recipe: PolicyRecipe, data: Dataset) -> PolicyRecipe:
    """A recipe whose policy knows the instructions of a dataset, where it needs them and names none itself.

    Raises:
        InputError: the dataset has no instructions, or an episode without one.
    """
    use = recipe.prompt.get("name")
    if use not in (INSTRUCTION, REFUSED) or recipe.prompt.get("instructions"):
        return recipe
    words = instructions(data, required=use == INSTRUCTION)
    return replace(recipe, prompt={**recipe.prompt, "instructions": sorted({word for word in words if word})})


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


def episode_prompts(model: PolicyModel, data: Dataset) -> Tensor | None:
    """The prompt of every episode (episodes, ...) as the model reads it; None where it reads none.

    Raises:
        InputError: an instruction is missing, or is not one that the recipe names.
    """
    if model.prompt_encoder.spec.use != INSTRUCTION:
        return None
    return model.prompt_encoder.read([TaskPrompt(word) for word in instructions(data)])
