"""Critics as steering takes them: from a checkpoint, which a steered one pins, or any that scores chunks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from policies.critics.checkpoint import critic_fingerprint, load_critic
from policies.critics.critic import LearntCritic
from policies.model.checkpoint_folder import CRITIC_RECORD, find
from policies.steering.by_critic.judged import HeldOut, read_held_out
from policies.steering.steered import innermost
from policies.transforms import Tensors
from robot.description import Critic, CriticSpec, Observation, Policy, PolicySpec, Query, SamplerSpec, Task
from robot.description.prompt import IGNORED, LANGUAGE, prompt_rows
from robot.errors import InputError, shortened


@runtime_checkable
class GradientCritic(Critic, Protocol):
    """A critic whose values can be differentiated by the chunk."""

    def value_tensors(
        self, observation: Tensors, chunk: Tensor, task: Task = None, reference: Tensor | None = None
    ) -> Tensor:
        """`value` on tensors of one device: (batch, samples), differentiable by the chunk (batch, samples, k, dim)."""
        ...


@runtime_checkable
class EnsembleCritic(Critic, Protocol):
    """A critic of several members that each have a value."""

    def member_values(
        self, observation: Observation, chunk: np.ndarray, task: Task = None, reference: np.ndarray | None = None
    ) -> np.ndarray:
        """As `value`, of each member alone: (members, batch, samples)."""
        ...


class CheckpointCritic:
    """A learnt critic and where it comes from.

    Args:
        critic: as it was loaded.
        path: of its checkpoint folder; None where that is not known.
        hash: of its weights, spec and recipe; None so too.
        held_out: how it was judged; None where nothing says.
    """

    def __init__(
        self,
        critic: LearntCritic,
        path: Path | None = None,
        hash: str | None = None,
        held_out: HeldOut | None = None,
    ) -> None:
        self.critic, self.path, self.hash, self.held_out = critic, path, hash, held_out
        self.spec: CriticSpec = critic.spec

    def value(
        self, observation: Observation, chunk: np.ndarray, task: Task = None, reference: np.ndarray | None = None
    ) -> np.ndarray:
        """Score chunks of actions; see `robot.description.Critic.value`."""
        return self.critic.value(observation, chunk, task, reference)

    def member_values(
        self, observation: Observation, chunk: np.ndarray, task: Task = None, reference: np.ndarray | None = None
    ) -> np.ndarray:
        """See `EnsembleCritic.member_values`."""
        return self.critic.member_values(observation, chunk, task, reference)

    def value_tensors(
        self, observation: Tensors, chunk: Tensor, task: Task = None, reference: Tensor | None = None
    ) -> Tensor:
        """`value` on tensors of the critic's device, see `GradientCritic`."""
        model = self.critic.model
        prompt = model.prompt_encoder.read(prompt_rows(task, len(chunk)))
        plan: dict[str, Any] = {} if reference is None else {"reference": reference}
        return model.value(observation, chunk, None if prompt is None else prompt.to(chunk.device), **plan)


def open_critic(critic: Critic | str | Path | None, policy: Policy, steering: str) -> Critic:
    """A critic as it was given, loaded onto the device of the policy where it is a path.

    Raises:
        InputError: it is none, or there is none at the path.
    """
    if isinstance(critic, LearntCritic):
        return CheckpointCritic(critic)
    if isinstance(critic, (str, Path)) and str(critic).strip():
        folder = find(critic, CRITIC_RECORD).resolve()
        learnt = load_critic(folder, str(getattr(innermost(policy), "device", "cpu")))
        return CheckpointCritic(learnt, folder, critic_fingerprint(folder), read_held_out(folder))
    if isinstance(critic, Critic):
        return critic
    raise InputError(
        f"steering {steering}: critic",
        expected="the checkpoint of a critic",
        got="none" if critic is None else repr(critic),
        way_out="Add steering.critic=RUN, the output of tiller train critic=...",
    )


def critic_name(critic: Critic) -> str:
    """What a critic is called in records: its hash, or its class where it comes from no checkpoint."""
    known = getattr(critic, "hash", None)
    return known if isinstance(known, str) else type(critic).__name__


def require_fit(critic: CriticSpec, policy: Policy) -> None:
    """Refuse a critic that cannot score this policy's chunks at its decisions. A temporal ensemble executes one row
    before the next plan.

    Raises:
        InputError: it sees other observations, scores other actions or rows, does not know an instruction that the
            policy follows, or was trained beside the zero-noise plan of another policy or sampler. Both sides are
            shown.
    """
    spec = policy.spec
    critic.require_policy(spec if spec.ensemble is None else replace(spec, n_action_steps=1))
    _require_instructions(critic, policy.spec)
    if critic.base is None:
        return
    own, theirs = getattr(policy, "fingerprint", None), critic.base
    if own != theirs.hash:
        raise InputError(
            "critic: base",
            expected=f"the policy that is steered, of hash {own}" if own else "the policy that is steered",
            got=f"one of hash {theirs.hash}, beside whose zero-noise plan it sees chunks",
            way_out="Steer the policy whose chunks the critic was trained on"
            if own
            else "Load the policy from its checkpoint: this one has no hash",
        )
    require_sampler("critic", theirs.sampler, policy)


def require_sampler(kind: str, own: SamplerSpec, policy: Policy) -> None:
    """Refuse a critic or an actor that was made for a policy under another sampler.

    Raises:
        InputError: both are shown.
    """
    sampler = policy.spec.sampler
    if sampler != own:
        raise InputError(
            f"{kind}: sampler of its base",
            expected=f"{sampler.name} in {sampler.steps} steps, as the policy is sampled",
            got=f"{own.name} in {own.steps} steps",
            way_out=f"Add sampler={own.name} steps={own.steps}",
        )


def require_prompts(critic: CriticSpec, query: Query) -> None:
    """Refuse a prompt that the critic cannot follow.

    Raises:
        InputError: its instruction is missing or not known.
    """
    for prompt in prompt_rows(query.task, query.rows):
        try:
            critic.prompt.require(prompt)
        except InputError as error:
            thing = f"critic: {error.thing}"
            raise InputError(thing, expected=error.expected, got=error.got, way_out=error.way_out) from None


def _require_instructions(critic: CriticSpec, policy: PolicySpec) -> None:
    if critic.prompt.use in (IGNORED, LANGUAGE):
        return
    unknown = [each for each in policy.prompt.instructions if each not in critic.prompt.instructions]
    if unknown and critic.prompt.instructions:
        raise InputError(
            "critic: instructions",
            expected=f"those of the policy: {_listed(policy.prompt.instructions)}",
            got=_listed(critic.prompt.instructions),
            way_out=f"Train the critic on episodes with {_listed(unknown)} too",
        )


def _listed(words: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(shortened, words[:4])) + (f" and {len(words) - 4} more" if len(words) > 4 else "")
