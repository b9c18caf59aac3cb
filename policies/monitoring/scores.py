"""The scores that need what was learnt: the odds of failure in the policy's features, and a critic's value."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data.store.names import SUCCESS
from policies.model.batch import TensorBatch
from policies.model.trainable import LossModule
from policies.recipe.monitor import FEATURES_SCORE, VALUE
from robot.description import Critic, PolicySpec
from robot.errors import InputError
from robot.monitoring.moment import Moment

KEY = "features"
"""The observation that the windows of decisions show."""


class FailureHead(LossModule):
    """The log odds that the episode fails, from the features of one decision: LayerNorm(Linear) - SiLU - Linear.

    It learns from single decisions, each with the end of its episode as its label (SAFE-MLP of Gu et al., "SAFE:
    Multitask Failure Detection for Vision-Language-Action Models", 2025, with cross-entropy). The monitor averages them
    over the decisions of an episode.

    Args:
        mean, deviation: (F,) of the features; those that do not change are not scaled up.
        balance: weight of a decision of a failure and of a success: failures go on for longer.
        width, dropout: of the hidden layer.
    """

    def __init__(
        self, mean: Tensor, deviation: Tensor, balance: tuple[float, float], width: int = 64, dropout: float = 0.3
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean.clone())
        self.register_buffer("deviation", deviation.clone())
        self.register_buffer("balance", torch.tensor(balance, dtype=torch.float32))
        self.network = nn.Sequential(
            nn.Linear(len(mean), width), nn.LayerNorm(width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, 1)
        )

    @classmethod
    def blank(cls, features: int, width: int) -> FailureHead:
        """One whose tensors are to be filled from a checkpoint."""
        return cls(torch.zeros(features), torch.ones(features), (1.0, 1.0), width)

    def log_odds(self, features: Tensor) -> Tensor:
        """(B,) of features (B, F)."""
        odds: Tensor = self.network((features - self.mean) / self.deviation)[:, 0]
        return odds

    def loss(self, batch: TensorBatch, generator: torch.Generator) -> Tensor:
        failed = 1.0 - batch.facts[SUCCESS.name]
        weight = torch.where(failed > 0, self.balance[0], self.balance[1])  # type: ignore[index]
        odds = self.log_odds(batch.observation[KEY][:, -1])
        return F.binary_cross_entropy_with_logits(odds, failed, weight, reduction="sum")


class FeatureScore:
    """Log odds of failure from the policy's features.

    Args:
        head: tells them.
    """

    name = FEATURES_SCORE
    meaning = "log odds of failure, from the policy's features"
    needs_features = True

    def __init__(self, head: FailureHead) -> None:
        self.head = head.eval()

    def of(self, moment: Moment, before: Moment | None) -> float:
        """Raises an InputError where the decision has no features, or another number of them."""
        size = len(self.head.mean)  # type: ignore[arg-type]
        if moment.features is None or moment.features.shape != (size,):
            got = "none" if moment.features is None else str(moment.features.shape)
            raise InputError(
                "features of a decision", expected=f"({size},)", got=got, way_out="Plan with Monitor.prepared(policy)"
            )
        with torch.inference_mode():
            return float(self.head.log_odds(torch.from_numpy(moment.features)[None]))


class ValueScore:
    """One minus a critic's value of the executed rows.

    Args:
        critic: values a chunk.
    """

    name = VALUE
    meaning = "one minus the critic's value of the executed rows"
    needs_features = False

    def __init__(self, critic: Critic) -> None:
        self.critic = critic

    def of(self, moment: Moment, before: Moment | None) -> float:
        seen = {key.name: moment.window[key.name][None] for key in self.critic.spec.observation}
        chunk = moment.chunk[None, None, : self.critic.spec.steps]
        return 1.0 - float(self.critic.value(seen, chunk, moment.prompt)[0, 0])


def require_critic(critic: Critic, policy: PolicySpec) -> None:
    """Refuse a critic that cannot score the policy's decisions.

    Raises:
        InputError: it sees something else, or needs a plan of its base beside each chunk.
    """
    if critic.spec.base is not None:
        raise InputError(
            "monitor.critic",
            expected="a critic that sees chunks alone",
            got="one that sees them beside its base's zero-noise plan, which would be drawn for each decision",
            way_out="Train a critic without a base",
        )
    critic.spec.require_policy(policy)
