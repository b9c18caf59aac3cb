"""Train on under the advantage: a policy that begins to be told whether an action is a good one, and the windows that
tell it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Sequence

import numpy as np

from data.learning.sources.annotated import Annotated
from data.learning.sources.source import WindowSource
from data.learning.windows import Windows, WindowShape, WindowSpec
from data.store.dataset import Dataset
from data.store.names import ADVANTAGE as COLUMN
from data.store.names import has_column
from policies.encoders import PromptEncoder
from policies.encoders.advantage import ADVANTAGE, DROP, NEGATIVE, POSITIVE, AdvantageIndicator
from policies.model.batch import PROMPT
from policies.model.build import build_policy, policy_spec
from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import PolicyRecipe
from robot.description import ObservationSpec
from robot.description.prompt import IGNORED, REFUSED
from robot.errors import InputError

READ_AT_ONCE = 8192


def with_advantage(recipe: PolicyRecipe, drop: float = DROP) -> PolicyRecipe:
    """The recipe of a policy that goes on under the advantage; one that has learnt so before keeps its own.

    Args:
        recipe: of the policy.
        drop: share of training windows without their indicator.

    Raises:
        InputError: its prompt decides what it does, or it is of several embodiments.
    """
    use = recipe.prompt.get("name")
    if use == ADVANTAGE:
        return recipe
    if use not in (IGNORED, REFUSED) or recipe.generalist is not None:
        raise InputError(
            "condition on the advantage",
            expected="a policy of one embodiment whose prompt is ignored or refused",
            got="one of several" if recipe.generalist is not None else f"one whose prompt is '{use}'",
            way_out="Learn from its successes alone: leave cloning.condition out",
        )
    words = list(recipe.prompt.get("instructions", ()))
    return replace(recipe, prompt={"name": ADVANTAGE, "drop": drop, "use": use, "instructions": words})


def begun(start: DiffusionPolicy, recipe: PolicyRecipe) -> DiffusionPolicy:
    """The policy to start from, with the condition of the recipe where it had none: it acts as before, to the bit."""
    if recipe.prompt.get("name") != ADVANTAGE or start.recipe.prompt.get("name") == ADVANTAGE:
        return start
    own = replace(start.recipe, prompt=recipe.prompt)
    spec = replace(start.spec, prompt=policy_spec(own, start.spec.observation, start.spec.action).prompt)
    policy = build_policy(own, spec)
    policy.model.load_state_dict({**policy.model.state_dict(), **start.model.state_dict()})
    policy.semantic_hash = start.semantic_hash
    return policy


def with_indicators(
    encoder: PromptEncoder,
    source: WindowSource,
    datasets: Sequence[Dataset],
    episodes: Sequence[np.ndarray],
    spec: WindowSpec,
) -> WindowSource:
    """A source whose windows bring their indicators, where the encoder reads them. What does not say how its actions
    did, such as demonstrations, is positive.

    Args:
        encoder: of the policy.
        source: of the windows of these episodes, one dataset after the other.
        datasets: that they are of.
        episodes: of each; a dataset may have none.
        spec: what a window holds.
    """
    if not isinstance(encoder, AdvantageIndicator):
        return source
    parts = [_indicators(data, own, spec.horizon) for data, own in zip(datasets, episodes) if len(own)]
    return Annotated(source, {PROMPT: np.concatenate(parts)})


def _indicators(data: Dataset, episodes: np.ndarray, horizon: int) -> np.ndarray:
    """The indicator of each window of some episodes, (windows,) int64."""
    columns = (COLUMN.name,) if has_column(data.schema, COLUMN) else ()
    windows = Windows(data, WindowShape(ObservationSpec(()), horizon), episodes, columns)
    indicators = np.full(len(windows), POSITIVE)
    for start in range(0, len(windows) if columns else 0, READ_AT_ONCE):
        rows = np.arange(start, min(start + READ_AT_ONCE, len(windows)))
        indicators[rows] = np.where(windows.gather(rows).columns[COLUMN.name], POSITIVE, NEGATIVE)
    return indicators
