"""Reinforcement learning from experience: one actor-critic core, trained in segments."""

from policies.rl.actor_critic import ActorCritic, ActorCriticConfig, StepBatch
from policies.rl.environment import Step, VectorEnvironment
from policies.rl.policy import ActorPolicy
from policies.rl.sac import Sac, SacConfig
from policies.rl.segments import RunConfig, train

__all__ = [
    "ActorCritic",
    "ActorCriticConfig",
    "ActorPolicy",
    "RunConfig",
    "Sac",
    "SacConfig",
    "Step",
    "StepBatch",
    "VectorEnvironment",
    "train",
]
