"""What the learnt rungs have of their own: how the base acts while it is learnt from, what learns, what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Protocol

from policies.experience.learner import Learner, Subject
from policies.model.provenance import Provenance, versions
from robot.description import Policy, PolicySpec
from tiller.steering.by_learning.options import LearningOptions

if TYPE_CHECKING:
    from tiller.steering.by_learning.setting import Setting

CRITIC, ACTOR = "critic", "actor"
"""Folders of what was learnt."""
Layers = tuple[Mapping[str, Any], ...]
"""What steers, from the inside out, as `policies.steering.registry.steer` takes it."""


class Way(Protocol):
    """A way to learn from experience.

    Attributes:
        candidates: chunks that a decision keeps.
        noise_kept: shape of the noise that a decision keeps; None for none.
        fingerprint: of what its decisions are drawn from.
        ranks: whether its critic is to rank the base's own chunks, and so is judged by that.
    """

    @property
    def candidates(self) -> int: ...

    @property
    def noise_kept(self) -> tuple[int, ...] | None: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def ranks(self) -> bool: ...

    def keys(self, spec: PolicySpec) -> tuple[str, ...]:
        """What its learners see of what the policy sees."""
        ...

    def acting(self, setting: Setting, options: LearningOptions, learner: Learner | None) -> Policy:
        """How the base acts in the next segment; without a learner as the rung below."""
        ...

    def learner(self, subject: Subject, options: LearningOptions) -> Learner:
        """A learner with fresh weights, scaled by the first decisions."""
        ...

    def save(self, learner: Learner, folder: Path) -> None:
        """Write what was learnt below a folder."""
        ...

    def layers(self, folder: Path) -> Mapping[str, Layers]:
        """What steers by what `save` wrote: what is added to the method's name -> the layers."""
        ...


def provenance(learner: Learner) -> Provenance:
    """Of what was learnt."""
    return Provenance(step=learner.updates, versions=versions())
