"""A rung: a policy around a checkpoint, ready to be measured and to be saved."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

if TYPE_CHECKING:
    from robot.description import Policy


@dataclass(frozen=True, eq=False)
class Rung:
    """A policy that may be the best one.

    Args:
        name: for people, such as `noise_scale 0.25`.
        policy: as it acts, with what steers and executes it.
        checkpoint: that it stands on: the base's, or that of a clone.
        figures: of how it was made, for the record.
    """

    name: str
    policy: Policy
    checkpoint: Path
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def about(self) -> dict[str, Any]:
        """Its description, for the records of its episodes."""
        from policies.loading.load import describe
        from robot.description import to_json

        spec = self.policy.spec
        described: dict[str, Any] = to_json(describe(self.checkpoint, self.policy))
        return {**described, "n_action_steps": spec.n_action_steps, "rung": self.name}

    @property
    def acts(self) -> dict[str, Any]:
        """Of its description what decides how it acts, wherever it lies and whatever it is called."""
        return acting(self.about)

    def is_same(self, other: Rung) -> bool:
        """Whether two act alike, whatever they are called."""
        ours, theirs = ({**each.acts, "steering": _acting(each)} for each in (self, other))
        return ours == theirs

    def save(self, path: Path) -> Path:
        """Write it as a checkpoint that is evaluated and deployed as it is; one that is there is replaced."""
        from policies.loading.load import save_steered
        from policies.steering.execution import Resampled
        from policies.steering.steered import Steered

        policy, sampler = self.policy, self.policy.spec.sampler
        if not isinstance(policy, Steered) or policy.pinned:
            policy = Resampled(policy, sampler=sampler.name, steps=sampler.steps)
        return save_steered(policy, path, self.checkpoint)


def acting(about: Mapping[str, Any]) -> dict[str, Any]:
    """Of a rung's description what decides how it acts."""
    return {name: value for name, value in about.items() if name not in ("checkpoint", "rung")}


def _acting(rung: Rung) -> list[Mapping[str, Any]]:
    """What steers, without layers that change nothing: noise as it is, and execution, which the rows tell."""
    from policies.steering.steered import layers

    kept: list[Mapping[str, Any]] = []
    for layer in layers(rung.policy):
        settings = layer.settings
        if settings["name"] in ("execution", "sampler") and settings.get("ensemble") is None:
            continue
        if settings == {"name": "noise_scale", "noise_scale": 1.0}:
            continue
        if settings["name"] == "ticket" and settings["scale"] == 0:
            settings = {"name": "noise_scale", "noise_scale": 0.0}
        kept.append(settings)
    return kept
