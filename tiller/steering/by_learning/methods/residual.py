"""The rung that leaves the chunks of the base: an offset on what is executed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

from policies.actors.checkpoint import save_actor
from policies.actors.edit import RESIDUAL
from policies.critics.checkpoint import save_critic
from policies.experience.exploring_edits import ExploringEdits
from policies.experience.learner import Learner, Subject, low_dimensional
from policies.experience.residual import ResidualLearner
from policies.steering.by_noise.noise_scale import NoiseScaled
from robot.description import Policy, PolicySpec, fingerprint
from tiller.steering.by_learning.methods.way import ACTOR, CRITIC, Layers, provenance
from tiller.steering.by_learning.options import LearningOptions

if TYPE_CHECKING:
    from tiller.steering.by_learning.setting import Setting


@dataclass(frozen=True)
class ResidualWay:
    """Edited or not: kept are the two chunks.

    Args:
        scale: of the noise of what is edited, 0 where the zero-noise plan is the rung below; None for a policy that
            starts from no noise.
        noise: shape of the policy's noise; empty for none.
        by_value: whether the critic chooses between the edited and the unedited chunk.
    """

    scale: float | None
    noise: tuple[int, ...]
    by_value: bool = True
    candidates: int = 2
    ranks: bool = False
    noise_kept: None = None

    @property
    def fingerprint(self) -> str:
        return fingerprint(["residual", self.scale])

    def keys(self, spec: PolicySpec) -> tuple[str, ...]:
        return low_dimensional(spec.observation).names

    def acting(self, setting: Setting, options: LearningOptions, learner: Learner | None) -> Policy:
        assert learner is None or isinstance(learner, ResidualLearner)
        below = setting.policy if self.scale is None else NoiseScaled(setting.policy, noise_scale=self.scale)
        if learner is None:
            return ExploringEdits(below)
        critic = learner.critic if self.by_value else None
        return ExploringEdits(below, learner.actor, critic, options.greedy, options.residual.tried)

    def learner(self, subject: Subject, options: LearningOptions) -> Learner:
        return ResidualLearner(subject, options.critic, options=options.residual)

    def save(self, learner: Learner, folder: Path) -> None:
        assert isinstance(learner, ResidualLearner)
        save_actor(learner.actor, folder / ACTOR, provenance(learner))
        save_critic(learner.critic, folder / CRITIC, provenance(learner))

    def layers(self, folder: Path) -> Mapping[str, Layers]:
        edit: dict[str, Any] = {"name": RESIDUAL, "actor": str(folder / ACTOR)}
        if self.by_value:
            edit["critic"] = str(folder / CRITIC)
        return {"": (edit,) if self.scale is None else ({"name": "noise_scale", "noise_scale": self.scale}, edit)}


def make_residual_way(setting: Setting, options: LearningOptions) -> ResidualWay:
    """The way of `residual` around the best rung below."""
    if setting.policy.noise_shape is None:
        return ResidualWay(None, (), options.residual.by_value)
    scale = 0.0 if setting.zero_is_best else setting.scale
    return ResidualWay(scale, tuple(setting.policy.noise_shape), options.residual.by_value)
