"""Rungs whose actor gives noises: on the critic of chunks (DSRL-NA), and on noises themselves (DSRL-SAC)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Mapping

from policies.actors.actor import LearntActor
from policies.actors.checkpoint import save_actor
from policies.experience.denoising import Denoise, denoiser
from policies.experience.exploring_noises import ExploringNoises
from policies.experience.learner import Learner, Subject, low_dimensional
from policies.experience.noise_actor import NoiseActorLearner
from policies.experience.noise_sac import NoiseSacLearner
from policies.recipe.actors import NOISE_ACTOR, NoiseOptions
from policies.steering.by_actor.noise_actor import require_own_noise
from robot.description import Policy, PolicySpec, fingerprint
from robot.errors import InputError
from tiller.steering.by_learning.methods.way import ACTOR, Layers, provenance
from tiller.steering.by_learning.options import LearningOptions

if TYPE_CHECKING:
    from tiller.steering.by_learning.setting import Setting


@dataclass(frozen=True)
class NoiseActorWay:
    """DSRL-NA: kept are the zero-noise plan, the noise and the chunk that was planned.

    Args:
        denoise: draws chunks of the base.
        scale: of the noise that the actor begins with.
        noise: shape of the policy's noise.
    """

    denoise: Denoise
    scale: float
    noise: tuple[int, ...]
    candidates: int = 1
    ranks: bool = True

    @property
    def noise_kept(self) -> tuple[int, ...]:
        return self.noise

    @property
    def fingerprint(self) -> str:
        return fingerprint(["dsrl_na", self.scale, self.noise])

    def keys(self, spec: PolicySpec) -> tuple[str, ...]:
        low_dimensional(spec.observation)  # refuses a policy that sees images alone
        return spec.observation.names

    def acting(self, setting: Setting, options: LearningOptions, learner: Learner | None) -> Policy:
        assert learner is None or isinstance(learner, NoiseActorLearner)
        return exploring(setting, options, None if learner is None else learner.actor)

    def learner(self, subject: Subject, options: LearningOptions) -> Learner:
        return NoiseActorLearner(
            subject, options.critic, denoise=self.denoise, options=options.noise,
            deviation=deviation(options.noise, self.scale),
        )  # fmt: skip

    def save(self, learner: Learner, folder: Path) -> None:
        assert isinstance(learner, NoiseActorLearner)
        save_actor(learner.actor, folder / ACTOR, provenance(learner))

    def layers(self, folder: Path) -> Mapping[str, Layers]:
        return {"": ({"name": NOISE_ACTOR, "actor": str(folder / ACTOR)},)}


@dataclass(frozen=True)
class NoiseSacWay:
    """DSRL-SAC: kept is the noise of each decision. The noises of the rung below are made as the actor's are, so that
    the critic sees what was executed.

    Args:
        scale: of the noise that the actor begins with.
        noise: shape of the policy's noise.
    """

    scale: float
    noise: tuple[int, ...]
    candidates: int = 1
    ranks: bool = False

    @property
    def noise_kept(self) -> tuple[int, ...]:
        return self.noise

    @property
    def fingerprint(self) -> str:
        return fingerprint(["dsrl_sac", self.scale, self.noise])

    def keys(self, spec: PolicySpec) -> tuple[str, ...]:
        return low_dimensional(spec.observation).names

    def acting(self, setting: Setting, options: LearningOptions, learner: Learner | None) -> Policy:
        assert learner is None or isinstance(learner, NoiseSacLearner)
        return exploring(setting, options, None if learner is None else learner.actor, within=True)

    def learner(self, subject: Subject, options: LearningOptions) -> Learner:
        return NoiseSacLearner(
            subject, options.critic, options=options.noise, deviation=deviation(options.noise, self.scale)
        )

    def save(self, learner: Learner, folder: Path) -> None:
        assert isinstance(learner, NoiseSacLearner)
        save_actor(learner.actor, folder / ACTOR, provenance(learner))

    def layers(self, folder: Path) -> Mapping[str, Layers]:
        return {"": ({"name": NOISE_ACTOR, "actor": str(folder / ACTOR)},)}


def exploring(
    setting: Setting, options: LearningOptions, actor: LearntActor | None, *, within: bool = False
) -> ExploringNoises:
    """How the base acts in the next segment."""
    return ExploringNoises(
        setting.policy,
        scale=setting.scale,
        otherwise=setting.otherwise,
        actor=actor,
        greedy=options.greedy,
        within=options.noise.noises if within else None,
    )


def deviation(options: NoiseOptions, scale: float) -> float:
    """What the actor begins with: the spread of the best rung below that draws, as a share of the bound."""
    return min(max(scale / options.bound, 0.01), 1.0)


def make_noise_way(method: str, setting: Setting) -> NoiseActorWay | NoiseSacWay:
    """The way of `dsrl_na` or `dsrl_sac`.

    Raises:
        InputError: a policy that noise cannot steer, or in which something stands between the noise and the chunk.
    """
    shape = setting.policy.noise_shape
    if shape is None:
        raise InputError(
            f"learning {method} of a policy with sampler '{setting.policy.spec.sampler.name}'",
            expected="a policy whose chunks start from noise",
            got="one that always gives the same chunk",
            way_out="Take method=residual or method=filtered_bc, or a policy of objective flow, ddpm or edm",
        )
    if method == "dsrl_na":
        return NoiseActorWay(denoiser(setting.policy), setting.scale, tuple(shape))
    require_own_noise(setting.policy, f"learning {method}")
    return NoiseSacWay(setting.scale, tuple(shape))
