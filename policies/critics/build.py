"""Build a critic that can be trained or loaded from a recipe and the specs of the data."""

from __future__ import annotations

from typing import Mapping

from data.learning.statistics import FieldStatistics
from policies.critics.critic import LearntCritic
from policies.critics.model import CriticModel
from policies.critics.networks import make_value_network
from policies.critics.objectives import make_objective
from policies.critics.sight import Sight
from policies.encoders import make_prompt_encoder
from policies.encoders.advantage import ADVANTAGE
from policies.model.build import build_condition, chosen_keys, named
from policies.recipe.critic import HIDDEN, CriticRecipe
from robot.description import ActionSpec, CriticBase, CriticSpec, ObservationSpec
from robot.description.prompt import GOAL
from robot.errors import InputError


def critic_spec(
    recipe: CriticRecipe, observation: ObservationSpec, action: ActionSpec, base: CriticBase | None = None
) -> CriticSpec:
    """What a critic of this recipe sees and scores, given what a dataset offers and the base that it is trained with.

    Raises:
        InputError: the recipe names a key that is not offered, a part that does not exist, or goals: of episodes it is
            not known which goal they had.
    """
    prompt = make_prompt_encoder(**named("critic.prompt", recipe.prompt)).spec
    if recipe.prompt["name"] == ADVANTAGE:
        raise InputError("critic.prompt", expected="ignored, refused, instruction or language", got=ADVANTAGE)
    if prompt.use == GOAL:
        raise InputError("critic.prompt", expected="ignored, refused, instruction or language", got="goal")
    return CriticSpec(
        chosen_keys(recipe, observation),
        action,
        recipe.steps,
        recipe.gamma,
        make_objective(**named("critic.objective", recipe.objective)).reward,
        prompt,
        None if recipe.plan == HIDDEN else base,
    )


def build_critic(
    recipe: CriticRecipe, spec: CriticSpec, statistics: Mapping[str, FieldStatistics] | None = None
) -> LearntCritic:
    """Build a critic with fresh weights, in evaluation mode.

    Args:
        recipe: its parts.
        spec: from `critic_spec`, or from a checkpoint.
        statistics: from `measure`, for a critic that is to learn; None leaves the normaliser to be filled from a
            checkpoint, and what the objective learns with away.

    Raises:
        InputError: a part, or an option of one, is unknown or does not fit.
    """
    seen = build_condition(recipe, spec.observation, spec.action, statistics)
    plan = None if spec.base is None else recipe.plan
    sight = Sight(plan, spec.steps, seen.chain.outgoing[1].dim)
    state = seen.dim + sight.state_dim
    network = make_value_network(state=state, action=sight.action_dim, **named("critic.network", recipe.network))
    objective = make_objective(**named("critic.objective", recipe.objective))
    model = CriticModel(seen, network, objective, sight, learns=statistics is not None)
    return LearntCritic(model.eval(), spec, recipe)
