"""Conservative Q-learning, calibrated by what the data returned.

Kumar et al., "Conservative Q-Learning for Offline Reinforcement Learning" (2020), CQL(H); Nakamoto et al., "Cal-QL:
Calibrated Offline RL Pre-Training for Efficient Online Fine-Tuning" (2023). With chunks u of a uniform distribution and
a of the base,

    L_i = BCE(Q_i(s, rows), y) + w (T log mean exp[ Q_i(s, u) / T - p log u(u), max(Q_i(s, a), G) / T - p log pi(a) ]
          - Q_i(s, rows)),        y = clip(R + gamma^k alive max_a' min_i Q'_i(s', a'), 0, 1)

G is the return of the episode from the window on: values of the base's chunks are pushed down no further than what the
data earned there. Without it this is CQL.

p = 1 weighs each chunk by the inverse of its density, as the papers do for single actions. A chunk of 12 rows of ten
components has u(u) = 2^-120, beside which no other counts, and a sampler has no density: pi is then taken to be normal
about the mean of a window's candidates. p = 0 counts all draws alike: CQL(rho) of the first paper, rho being a mixture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor

from policies.critics.bootstrapped import Bootstrapped, Learning, Lesson
from policies.critics.names import CANDIDATES, RETURN
from robot.description.ranges import Range, Share
from robot.errors import InputError, nearest

if TYPE_CHECKING:
    from policies.critics.model import CriticModel, Situation
    from policies.model.batch import TensorBatch

MOST, MEAN = "max", "mean"
BACKUPS = (MOST, MEAN)
LARGEST = 1e30


@dataclass(frozen=True)
class CalQl(Bootstrapped):
    """Settings.

    Args:
        weight: w, of the push-down; with 1 in place of 0.1 values were .14 above the returns (shifted `twin/lift`).
        candidates: chunks of the base, drawn once of each window.
        random: uniform chunks, drawn anew in every update.
        temperature: T, of the push-down.
        density: p, the power of densities.
        bounded: whether the returns bound the push-down; false is CQL.
        backup: over the candidates of what follows, `max` or `mean`.
        target_rate: of an update of the target network.

    Raises:
        InputError: there is no such backup.
    """

    weight: Annotated[float, Range(0, 1e6)] = 0.1
    candidates: Annotated[int, Range(2, 1000)] = 4
    random: Annotated[int, Range(0, 1000)] = 4
    temperature: Annotated[float, Range(0, 1e6, above=True)] = 1.0
    density: Share = 0.0
    bounded: bool = True
    backup: str = MOST
    target_rate: Share = 0.005

    def __post_init__(self) -> None:
        if self.backup not in BACKUPS:
            raise InputError(
                "critic.objective: backup",
                expected=f"one of {', '.join(BACKUPS)}",
                got=f"'{self.backup}'",
                way_out=nearest(self.backup, BACKUPS),
            )

    def learning(self, model: CriticModel) -> CalQlLearning:
        return CalQlLearning(model, self, self.target_rate)


class CalQlLearning(Learning[CalQl]):
    """The target network."""

    def following(self, model: CriticModel, lesson: Lesson) -> Tensor:
        assert lesson.batch.following is not None
        values = self.target_values(model, lesson.there, _candidates(model, lesson.there, lesson.batch.following))
        return values.amax(1) if self.settings.backup == MOST else values.mean(1)

    def more(self, model: CriticModel, lesson: Lesson) -> Tensor:
        """w times the push-down, the mean over the members."""
        drawn = _candidates(model, lesson.here, lesson.batch)
        size = (len(drawn), self.settings.random, *drawn.shape[2:])
        random = 2 * torch.rand(size, generator=lesson.generator, device=drawn.device) - 1
        values = model.score(lesson.here, torch.cat([random, drawn], dim=1)).sigmoid()
        low = lesson.batch.columns[RETURN] if self.settings.bounded else None
        rows = drawn.shape[2] * drawn.shape[3]
        densities = torch.cat(
            [torch.full(size[:2], -rows * math.log(2.0), device=drawn.device), _log_normal(drawn)], dim=1
        )
        pushed = pushed_down(
            values, self.settings.random, low, self.settings.density * densities, self.settings.temperature
        )
        known = values[:, :, self.settings.random :].detach().mean(0)
        model.note(bound_rate=(known < lesson.batch.columns[RETURN][:, None]).float().mean(1))
        excess = pushed - lesson.outputs.sigmoid()
        model.note(push_down=excess.mean(0))
        return self.settings.weight * excess.mean(0)


def pushed_down(
    values: Tensor, random: int, low: Tensor | None, log_density: Tensor | float = 0.0, temperature: float = 1.0
) -> Tensor:
    """T log mean exp(Q / T - log density) over chunks, the soft largest value that is pushed down.

    Args:
        values: (members, batch, samples) of chunks, the random ones first.
        random: how many are random.
        low: (batch,) return that bounds the values of the others from below; None for no bound.
        log_density: (batch, samples), raised to its power already.
        temperature: T.

    Returns:
        (members, batch). A value at its bound has no gradient.
    """
    if low is not None:
        drawn = values[..., random:]
        # An infinite bound is a bound too, but the exponentials below need a finite number.
        floor = low.clamp(-LARGEST, LARGEST)[:, None]
        values = torch.cat([values[..., :random], torch.where(drawn < low[:, None], floor, drawn)], dim=-1)
    soft = torch.logsumexp(values / temperature - log_density, dim=-1) - math.log(values.shape[-1])
    return temperature * soft


def _candidates(model: CriticModel, situation: Situation, batch: TensorBatch) -> Tensor:
    return model.normalised(batch.columns[CANDIDATES], situation)


def _log_normal(drawn: Tensor) -> Tensor:
    """Log densities (batch, M) of chunks (batch, M, k, D) under a normal distribution about the mean of each window's
    chunks, whose deviations are those over the batch.
    """
    own = drawn - drawn.mean(1, keepdim=True)
    count = drawn.shape[1]
    deviation = (own.square().mean((0, 1)) * count / (count - 1)).sqrt().clamp(min=1e-3)
    return -((own / deviation).square() / 2 + deviation.log() + math.log(2 * math.pi) / 2).sum((2, 3))
