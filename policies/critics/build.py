"""Build a critic that can be trained or loaded from a recipe and the specs of the data."""

from __future__ import annotations

from typing import Mapping

from data.learning.statistics import FieldStatistics
from policies.critics.critic import LearntCritic
from policies.critics.model import CriticModel, make_value_network
from policies.critics.objectives import make_objective
from policies.encoders import make_prompt_encoder
from policies.model.build import build_condition, chosen_keys, named
from policies.recipe.critic import CriticRecipe
from robot.description import ActionSpec, CriticSpec, ObservationSpec


def critic_spec(recipe: CriticRecipe, observation: ObservationSpec, action: ActionSpec) -> CriticSpec:
    """What a critic of this recipe sees and scores, given what a dataset offers.

    Raises:
        InputError: the recipe names a key that is not offered, or a part that does not exist.
    """
    return CriticSpec(
        chosen_keys(recipe, observation),
        action,
        recipe.steps,
        recipe.gamma,
        make_objective(**named("critic.objective", recipe.objective)).reward,
        make_prompt_encoder(**named("critic.prompt", recipe.prompt)).spec,
    )


def build_critic(
    recipe: CriticRecipe, spec: CriticSpec, statistics: Mapping[str, FieldStatistics] | None = None
) -> LearntCritic:
    """Build a critic with fresh weights, in evaluation mode.

    Args:
        recipe: its parts.
        spec: from `critic_spec`, or from a checkpoint.
        statistics: from `measure`; None leaves the normaliser to be filled from a checkpoint.

    Raises:
        InputError: a part, or an option of one, is unknown or does not fit.
    """
    seen = build_condition(recipe, spec.observation, spec.action, statistics)
    inputs = seen.dim + spec.steps * seen.chain.outgoing[1].dim
    network = make_value_network(inputs=inputs, **named("critic.network", recipe.network))
    model = CriticModel(seen, network, make_objective(**named("critic.objective", recipe.objective)))
    return LearntCritic(model.eval(), spec, recipe)
