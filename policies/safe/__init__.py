"""Reinforcement learning under a cost that is bounded: SAC and PPO, a budget in the observation, a PID multiplier."""

from policies.safe.multiplier import Gains, Multiplier, Pid
from policies.safe.ppo import Ppo, PpoConfig
from policies.safe.sac import ConstrainedSac, ConstrainedSacConfig
from policies.safe.saute import BudgetObserved

__all__ = [
    "BudgetObserved",
    "ConstrainedSac",
    "ConstrainedSacConfig",
    "Gains",
    "Multiplier",
    "Pid",
    "Ppo",
    "PpoConfig",
]
