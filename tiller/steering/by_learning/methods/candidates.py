"""Rungs that choose among chunks which are drawn anyway: the best of K, and a codebook of noises."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

from policies.actors.checkpoint import save_actor
from policies.actors.heads import CODEBOOK
from policies.critics.checkpoint import save_critic
from policies.experience.codebook import CodebookLearner
from policies.experience.exploring import ZERO, Exploring
from policies.experience.learner import ChunkLearner, Learner, Subject, low_dimensional
from policies.steering.by_noise.noise import fixed_noises
from robot.description import Policy, PolicySpec, fingerprint
from tiller.steering.by_learning.methods.way import ACTOR, CRITIC, Layers, provenance
from tiller.steering.by_learning.options import LearningOptions

if TYPE_CHECKING:
    from tiller.steering.by_learning.setting import Setting


FALLS_BACK = " with a fallback"
"""Added to the name of a rung that stays with the one below at states where its critic's members do not agree."""


@dataclass(frozen=True)
class BestOfK:
    """The best of K chunks by the critic; kept are all of them.

    Args:
        candidates: K.
        scale: of their noise.
        otherwise: `zero` or `any`: what the rung below executes.
        margin: of the choice that falls back to it; None for no such choice.
    """

    candidates: int
    scale: float
    otherwise: str = ZERO
    margin: float | None = None
    noise_kept: None = None
    ranks: bool = True

    @property
    def fingerprint(self) -> str:
        return fingerprint(["best_of_k", self.candidates, self.scale])

    def keys(self, spec: PolicySpec) -> tuple[str, ...]:
        return low_dimensional(spec.observation).names

    def acting(self, setting: Setting, options: LearningOptions, learner: Learner | None) -> Policy:
        return Exploring(
            setting.policy,
            samples=self.candidates,
            scale=self.scale,
            otherwise=setting.otherwise,
            scorer=learner.score if isinstance(learner, ChunkLearner) else None,
            greedy=options.greedy,
            temperature=options.temperature,
        )

    def learner(self, subject: Subject, options: LearningOptions) -> ChunkLearner:
        return ChunkLearner(subject, options.critic)

    def save(self, learner: Learner, folder: Path) -> None:
        assert isinstance(learner, ChunkLearner)
        save_critic(learner.critic, folder / CRITIC, provenance(learner))

    def layers(self, folder: Path) -> Mapping[str, Layers]:
        below = {"name": "noise_scale", "noise_scale": self.scale}
        choice = {"name": "value", "critic": str(folder / CRITIC), "samples": self.candidates}
        made: dict[str, Layers] = {"": (below, {**choice, "zero": True})}
        if self.margin is not None:
            zero = {"zero": True} if self.otherwise == ZERO else {}
            made[FALLS_BACK] = below, {**choice, **zero, "margin": self.margin}
        return made


@dataclass(frozen=True)
class Codebook:
    """One of a few fixed noises, by what it is worth.

    Args:
        candidates: entries.
        scale: of the noises.
        seed: that they are drawn from.
        noise: shape of the policy's noise.
    """

    candidates: int
    scale: float
    seed: int
    noise: tuple[int, ...]
    noise_kept: None = None
    ranks: bool = True

    @property
    def fingerprint(self) -> str:
        return fingerprint(["codebook", self.candidates, self.scale, self.seed, self.noise])

    @property
    def settings(self) -> dict[str, Any]:
        return {"entries": self.candidates, "scale": self.scale, "seed": self.seed}

    def keys(self, spec: PolicySpec) -> tuple[str, ...]:
        return low_dimensional(spec.observation).names

    def acting(self, setting: Setting, options: LearningOptions, learner: Learner | None) -> Policy:
        return Exploring(
            setting.policy,
            samples=self.candidates,
            noises=fixed_noises(self.noise, **self.settings),
            otherwise=setting.otherwise,
            scorer=learner.score if isinstance(learner, ChunkLearner) else None,
            greedy=options.greedy,
            temperature=options.temperature,
        )

    def learner(self, subject: Subject, options: LearningOptions) -> ChunkLearner:
        return CodebookLearner(subject, options.critic, settings=self.settings)

    def save(self, learner: Learner, folder: Path) -> None:
        assert isinstance(learner, CodebookLearner)
        save_actor(learner.actor, folder / ACTOR, provenance(learner))

    def layers(self, folder: Path) -> Mapping[str, Layers]:
        return {"": ({"name": CODEBOOK, "actor": str(folder / ACTOR)},)}
