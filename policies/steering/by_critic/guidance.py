"""Chunks pulled towards a larger value while they are drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from policies.model.guide import Drawing, Pull
from policies.model.noise import RowStreams
from policies.steering.by_critic.critic_source import (
    GradientCritic,
    critic_name,
    open_critic,
    require_fit,
    require_prompts,
)
from policies.steering.steered import Steered, chooses, layers, pulled
from robot.description import Critic, Decision, Policy, Query, decide
from robot.description.ranges import Range
from robot.errors import InputError

SPREAD_SEED = 0
"""Of the chunks by which the spread is measured: the same noise for every row and query, so that the noise of a
decision alone decides it.
"""


@dataclass(frozen=True, eq=False)
class ValueGuided(Steered):
    """Add a critic's gradient to the clean action that each step of the sampler predicts,

        clean' = clean + weight / beta * sigma / (1 + sigma) * grad Q(o, clean),

    in normalised action space; sigma / (1 + sigma) is 1 where x is noise alone, and on a flow it is 1 - t: the velocity
    gains grad Q / beta. The denoiser's Jacobian is dropped: the gradient is taken at the clean action and not through
    the network (as guidance of flows by Q does it). So this does not draw from p(a) exp(Q(a) / beta), see
    docs/steering.md for how far it goes on a Gaussian.

    In each step a component moves by at most `cap` times its own spread: the root mean square deviation of the
    executed rows of `spread_samples` unguided chunks at this state from their mean. Only executed rows have a gradient;
    the objective's clip and a committed prefix come after it.

    Args:
        policy: whose chunks are pulled.
        critic: has gradients (`GradientCritic`): one that was learnt, or the path of its checkpoint.
        beta: values that count as much as one unit of the base's log-density; smaller pulls more.
        weight: a factor; at 0 it is the policy itself, to the bit.
        cap: largest motion of a component in a step, as a share of its spread.
        spread_samples: chunks by which the spread is measured.

    Raises:
        InputError: a number out of range; a policy that predicts its chunk at once, that chooses among chunks, or is
            guided already; a critic without gradients, or one that does not fit it.
    """

    critic: Critic | str | Path | None = None
    beta: Annotated[float, Range(0, 1e9, above=True)] = 1.0
    weight: Annotated[float, Range(0, 1e6)] = 1.0
    cap: Annotated[float, Range(0, 1e6, above=True)] = 0.5
    spread_samples: Annotated[int, Range(2, 256)] = 8

    name: ClassVar[str] = "guidance"
    scores_rows: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if chooses(self.policy):
            raise InputError(
                "guidance of a policy that chooses among chunks",
                expected="guidance inside, the choice outside",
                got="guidance outside",
                way_out="Guide the base first, and choose among the chunks of that",
            )
        if any(isinstance(layer, ValueGuided) for layer in layers(self.policy)):
            raise InputError("guidance of a guided policy", expected="one critic that pulls", got="two")
        critic = open_critic(self.critic, self.policy, self.name)
        object.__setattr__(self, "critic", critic)
        if not isinstance(critic, GradientCritic):
            raise InputError(
                "steering guidance: critic",
                expected="one with gradients: learnt, or with value_tensors",
                got=f"a {type(critic).__name__} without",
                way_out="Choose by it instead: steering=value",
            )
        require_fit(critic.spec, self.policy)
        _ = self._guided  # refuses what cannot be pulled

    @property
    def scorer(self) -> GradientCritic:
        """The critic, loaded."""
        assert isinstance(self.critic, GradientCritic)
        return self.critic

    @property
    def off(self) -> bool:
        """Whether it is the policy itself."""
        return self.weight == 0

    @property
    def settings(self) -> dict[str, Any]:
        return {**super().settings, "critic": critic_name(self.scorer)}

    def require_execution(self, rows: int) -> None:
        self.scorer.spec.require_policy(replace(self.spec, n_action_steps=rows))
        super().require_execution(rows)

    def answer(self, query: Query) -> Decision:
        """Decide. The decision has no value: `value` with one sample around it adds it.

        Raises:
            InputError: a prompt that the critic cannot follow.
        """
        if not self.off:
            require_prompts(self.scorer.spec, query)
        return decide(self.policy if self.off else self._guided, query)

    @cached_property
    def _guided(self) -> Policy:
        return pulled(self.policy, self)

    def pull(self, drawing: Drawing) -> Pull:
        """What is added while the chunks of a query are drawn; see `policies.model.guide.Guide`."""
        critic, k = self.scorer, self.scorer.spec.steps
        seen = {name: drawing.observation[name] for name in critic.spec.observation.names}
        spread, plan = self._spread(drawing, len(next(iter(seen.values()))))
        most = (self.cap * spread).repeat_interleave(drawing.samples, dim=0)

        def pull(clean: Tensor, sigma: float) -> Tensor:
            with torch.enable_grad():
                at = clean.detach().clone().requires_grad_()
                raw = drawing.decode(at.unflatten(0, (-1, drawing.samples)))[:, :, :k]
                value = critic.value_tensors(seen, raw, drawing.task, plan)
                (gradient,) = torch.autograd.grad(value.sum(), at)
            step = torch.zeros_like(clean)
            # A gradient that is no number pulls nowhere.
            slope = torch.nan_to_num(gradient[:, :k], nan=0.0, posinf=0.0, neginf=0.0)
            step[:, :k] = (self.weight / self.beta * noise_share(sigma) * slope).clamp(-most, most)
            return step

        return pull

    def _spread(self, drawing: Drawing, batch: int) -> tuple[Tensor, Tensor | None]:
        """The deviation (batch, 1, D) of the base's executed rows, and its zero-noise plan (batch, k, dim) raw where
        the critic sees chunks beside that.
        """
        k, shape = self.scorer.spec.steps, drawing.shape
        noise = RowStreams([SPREAD_SEED], 1, self.spread_samples).normal(shape)
        if self.scorer.spec.base is not None:
            noise = torch.cat([noise, torch.zeros(1, *shape)])
        device = next(iter(drawing.observation.values())).device
        base = drawing.unguided(noise.to(device).expand(batch, *noise.shape))
        plan = None if self.scorer.spec.base is None else drawing.decode(base[:, -1:])[:, 0, :k]
        rows = base[:, : self.spread_samples, :k]
        deviation = rows - rows.mean(dim=1, keepdim=True)
        return deviation.square().mean(dim=(1, 2)).sqrt()[:, None], plan


def noise_share(sigma: float) -> float:
    """sigma / (1 + sigma), 1 at infinity."""
    return 1.0 if math.isinf(sigma) else sigma / (1 + sigma)
