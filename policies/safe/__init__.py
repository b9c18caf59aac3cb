"""Reinforcement learning under a cost that is bounded: SAC and PPO, a budget in the observation, a PID multiplier."""

from policies.safe.environment import Step, VectorEnvironment
from policies.safe.multiplier import Gains, Multiplier, Pid
from policies.safe.policy import SafePolicy
from policies.safe.ppo import Ppo, PpoConfig
from policies.safe.sac import Sac, SacConfig
from policies.safe.saute import BudgetObserved
from policies.safe.train import RunConfig, train

__all__ = [
    "BudgetObserved",
    "Gains",
    "Multiplier",
    "Pid",
    "Ppo",
    "PpoConfig",
    "RunConfig",
    "Sac",
    "SacConfig",
    "SafePolicy",
    "Step",
    "VectorEnvironment",
    "train",
]
