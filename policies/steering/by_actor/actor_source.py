"""Actors as steering takes them: from a checkpoint, which a steered one pins, or as they are learnt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Mapping

import numpy as np
from torch import Tensor

from policies.actors.actor import LearntActor
from policies.actors.checkpoint import actor_fingerprint, load_actor
from policies.actors.spec import ActorSpec
from policies.model.checkpoint_folder import ACTOR_RECORD, find
from policies.steering.by_critic.critic_source import require_sampler
from policies.steering.steered import Steered, innermost
from robot.description import CriticSpec, Policy
from robot.errors import InputError


class CheckpointActor:
    """An actor and where it comes from.

    Args:
        actor: as it was loaded, or is learnt.
        path: of its checkpoint folder; None where it has none.
        hash: of its weights, spec and recipe; None so too.
    """

    def __init__(self, actor: LearntActor, path: Path | None = None, hash: str | None = None) -> None:
        self.actor, self.path, self.hash = actor, path, hash
        self.spec: ActorSpec = actor.spec

    def state(self, observation: Mapping[str, np.ndarray]) -> Tensor:
        """See `LearntActor.state`."""
        return self.actor.state({name: observation[name] for name in self.spec.observation.names})


def open_actor(actor: object, policy: Policy, steering: str, kind: str) -> CheckpointActor:
    """An actor as it was given, loaded onto the device of the policy where it is a path.

    Raises:
        InputError: it is none, of another kind, or steers another policy, sampler, horizon or actions.
    """
    if isinstance(actor, LearntActor):
        opened = CheckpointActor(actor)
    elif isinstance(actor, CheckpointActor):
        opened = actor
    elif isinstance(actor, (str, Path)) and str(actor).strip():
        folder = find(actor, ACTOR_RECORD).resolve()
        learnt = load_actor(folder, str(getattr(innermost(policy), "device", "cpu")))
        opened = CheckpointActor(learnt, folder, actor_fingerprint(folder))
    else:
        raise InputError(
            f"steering {steering}: actor",
            expected="the checkpoint of an actor",
            got="none" if actor is None else repr(actor),
            way_out=f"Make one with tiller steer method={steering}",
        )
    if opened.spec.kind != kind:
        raise InputError(
            f"steering {steering}: actor",
            expected=f"one of kind {kind}",
            got=f"one of kind {opened.spec.kind}",
            way_out=f"Steer by it with steering={opened.spec.kind}",
        )
    require_steers(opened.spec, policy)
    return opened


def require_steers(spec: ActorSpec, policy: Policy) -> None:
    """Refuse an actor that was not made for this policy as it is sampled.

    Raises:
        InputError: it sees other observations; the policy has other actions, another horizon or noise, sampler or
            number of executed rows, or is another one. Both sides are shown.
    """
    of = CriticSpec(spec.observation, spec.action, spec.steps, 1.0, "")
    try:
        of.require_policy(policy.spec if policy.spec.ensemble is None else replace(policy.spec, n_action_steps=1))
    except InputError as error:
        thing = str(error.thing).replace("critic", "actor", 1)
        raise InputError(thing, expected=error.expected, got=error.got, way_out=error.way_out) from None
    own, theirs = getattr(policy, "fingerprint", None), spec.base
    if own != theirs.hash:
        raise InputError(
            "actor: base",
            expected=f"the policy that is steered, of hash {own}" if own else "the policy that is steered",
            got=f"one of hash {theirs.hash}",
            way_out="Steer the policy that the actor was made for" if own else "Load the policy from its checkpoint",
        )
    shape = innermost(policy).noise_shape or ()
    if shape != tuple(spec.noise):
        raise InputError("actor: noise", expected=f"that of the policy, {shape}", got=f"{tuple(spec.noise)}")
    require_sampler("actor", theirs.sampler, policy)


@dataclass(frozen=True, eq=False)
class ByActor(Steered):
    """What steers by an actor, whose kind is called as it is. Subclasses open the actor once they know that it can
    steer at all.

    Args:
        policy: what is steered.
        actor: an actor, or the path of one's checkpoint.
    """

    actor: LearntActor | CheckpointActor | str | Path | None = None

    scores_rows: ClassVar[bool] = True

    @property
    def opened(self) -> CheckpointActor:
        """The actor, loaded."""
        assert isinstance(self.actor, CheckpointActor)
        return self.actor

    @property
    def settings(self) -> dict[str, Any]:
        return {**super().settings, "actor": self.opened.hash or self.name}

    def open(self) -> None:
        """Load the actor where it is a path, and refuse one that does not fit the policy."""
        object.__setattr__(self, "actor", open_actor(self.actor, self.policy, self.name, self.name))

    def require_execution(self, rows: int) -> None:
        steps = self.opened.spec.steps
        if rows != steps:
            raise InputError("n_action_steps", expected=f"{steps}, which the actor was made for", got=str(rows))
        super().require_execution(rows)
