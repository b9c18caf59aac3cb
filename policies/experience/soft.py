"""What the learners of actors share: their settings as the actor-critic core takes them, and their figures."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from policies.recipe.actors import SoftOptions
from policies.recipe.learner import LearnerConfig
from policies.rl.actor_critic import SUBSET, ActorCriticConfig
from policies.rl.networks import squashed_entropy
from policies.rl.soft_actor import SoftActor

EDGE = 0.99  # of a number that counts as being at the bound


def core_config(
    config: LearnerConfig, options: SoftOptions, numbers: int, deviation: float, *, backup_entropy: bool = False
) -> ActorCriticConfig:
    """How the core learns.

    Args:
        config: of the learner.
        options: of the actor.
        numbers: n, that the actor gives: the core's alpha is that of the options / n, as its entropy is of all n.
        deviation: that the actor begins with.
        backup_entropy: whether it counts in targets.
    """
    return ActorCriticConfig(
        width=config.width,
        depth=config.depth,
        gamma=config.gamma,
        target_rate=config.target_rate,
        learning_rate=config.learning_rate,
        actor_every=1,
        ensemble=config.members,
        reduction=SUBSET,
        backup_entropy=backup_entropy,
        entropy=squashed_entropy(deviation) if options.entropy is None else options.entropy,
        temperature=options.alpha / numbers,
        temperature_floor=options.alpha_floor / numbers,
        temperature_cap=options.alpha_cap / numbers,
    )


def with_plan(config: LearnerConfig, options: SoftOptions) -> LearnerConfig:
    """The settings of the critic that an actor climbs."""
    return replace(config, plan=options.plan)


def figures_of(core: SoftActor, numbers: Tensor, log_prob: Tensor) -> dict[str, float]:
    """Figures of an actor: alpha and entropy per number, root mean square of its numbers (batch, n) as shares of the
    bound, and the share of them at the bound.
    """
    size, numbers = core.actions, numbers.detach()
    return {
        "alpha": float(core.alpha) * size,
        "entropy": -float(log_prob.detach().mean()) / size,
        "reach": float(numbers.square().mean().sqrt()),
        "at_bound": float((numbers.abs() > EDGE).float().mean()),
    }
