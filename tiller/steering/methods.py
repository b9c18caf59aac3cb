"""What the learnt rungs have of their own: how the base acts while it is learnt from, what learns, what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Protocol

from policies.actors.checkpoint import save_actor
from policies.actors.heads import CODEBOOK
from policies.critics.checkpoint import save_critic
from policies.experience.batches import Experience
from policies.experience.codebook import CodebookLearner
from policies.experience.exploring import Exploring
from policies.experience.learner import ChunkLearner, low_dimensional
from policies.model.provenance import Provenance, versions
from policies.steering.codebook import entries
from robot.description import CriticBase, Policy, PolicySpec, fingerprint
from tiller.steering.learning import LearningOptions

if TYPE_CHECKING:
    from tiller.steering.segments import Setting

Layers = tuple[Mapping[str, Any], ...]
"""What steers, from the inside out, as `policies.steering.registry.steer` takes it."""


CRITIC, ACTOR = "critic", "actor"
"""Folders of what was learnt."""


class Way(Protocol):
    """A way to learn from experience.

    Attributes:
        candidates: chunks that a decision keeps.
        noise_kept: shape of the noise that a decision keeps; None for none.
        fingerprint: of what its decisions are drawn from.
    """

    @property
    def candidates(self) -> int: ...

    @property
    def noise_kept(self) -> tuple[int, ...] | None: ...

    @property
    def fingerprint(self) -> str: ...

    def keys(self, spec: PolicySpec) -> tuple[str, ...]:
        """What its learners see of what the policy sees."""
        ...

    def acting(self, setting: Setting, options: LearningOptions, learner: ChunkLearner | None) -> Policy:
        """How the base acts in the next segment; without a learner as the rung below."""
        ...

    def learner(
        self,
        spec: PolicySpec,
        base: CriticBase,
        transforms: Layers,
        experience: Experience,
        options: LearningOptions,
        measured: int,
    ) -> ChunkLearner:
        """A learner with fresh weights, scaled by the first decisions."""
        ...

    def save(self, learner: ChunkLearner, folder: Path) -> None:
        """Write what was learnt below a folder."""
        ...

    def layers(self, folder: Path) -> Layers:
        """What steers by what `save` wrote."""
        ...


@dataclass(frozen=True)
class BestOfK:
    """The best of K chunks by the critic; kept are all of them.

    Args:
        candidates: K.
        scale: of their noise.
    """

    candidates: int
    scale: float
    noise_kept: None = None

    @property
    def fingerprint(self) -> str:
        return fingerprint(["best_of_k", self.candidates, self.scale])

    def keys(self, spec: PolicySpec) -> tuple[str, ...]:
        return low_dimensional(spec.observation).names

    def acting(self, setting: Setting, options: LearningOptions, learner: ChunkLearner | None) -> Policy:
        return Exploring(
            setting.policy,
            samples=self.candidates,
            scale=self.scale,
            otherwise=setting.otherwise,
            scorer=None if learner is None else learner.score,
            greedy=options.greedy,
            temperature=options.temperature,
        )

    def learner(
        self,
        spec: PolicySpec,
        base: CriticBase,
        transforms: Layers,
        experience: Experience,
        options: LearningOptions,
        measured: int,
    ) -> ChunkLearner:
        return ChunkLearner(spec, base, transforms, experience, options.critic, measured)

    def save(self, learner: ChunkLearner, folder: Path) -> None:
        save_critic(learner.critic, folder / CRITIC, _provenance(learner))

    def layers(self, folder: Path) -> Layers:
        choice = {"name": "value", "critic": str(folder / CRITIC), "samples": self.candidates, "zero": True}
        return ({"name": "noise_scale", "noise_scale": self.scale}, choice)


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

    @property
    def fingerprint(self) -> str:
        return fingerprint(["codebook", self.candidates, self.scale, self.seed, self.noise])

    @property
    def settings(self) -> dict[str, Any]:
        return {"entries": self.candidates, "scale": self.scale, "seed": self.seed}

    def keys(self, spec: PolicySpec) -> tuple[str, ...]:
        return low_dimensional(spec.observation).names

    def acting(self, setting: Setting, options: LearningOptions, learner: ChunkLearner | None) -> Policy:
        return Exploring(
            setting.policy,
            samples=self.candidates,
            noises=entries(self.noise, **self.settings),
            otherwise=setting.otherwise,
            scorer=None if learner is None else learner.score,
            greedy=options.greedy,
            temperature=options.temperature,
        )

    def learner(
        self,
        spec: PolicySpec,
        base: CriticBase,
        transforms: Layers,
        experience: Experience,
        options: LearningOptions,
        measured: int,
    ) -> ChunkLearner:
        return CodebookLearner(
            spec, base, transforms, experience, options.critic, measured, noise=self.noise, settings=self.settings
        )

    def save(self, learner: ChunkLearner, folder: Path) -> None:
        assert isinstance(learner, CodebookLearner)
        save_actor(learner.actor, folder / ACTOR, _provenance(learner))

    def layers(self, folder: Path) -> Layers:
        return ({"name": CODEBOOK, "actor": str(folder / ACTOR)},)


def _provenance(learner: ChunkLearner) -> Provenance:
    return Provenance(step=learner.updates, versions=versions())


def make_way(method: str, setting: Setting, options: LearningOptions) -> Way:
    """The way of a method."""
    if method == "best_of_k":
        return BestOfK(options.candidates, setting.scale)
    assert method == CODEBOOK, method
    return Codebook(options.candidates, setting.scale, options.critic.seed, tuple(setting.policy.noise_shape or ()))
