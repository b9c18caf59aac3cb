"""What learns from decisions, by one update at a time; and the critic of chunks that most learners stand on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Mapping, Self

import numpy as np
import torch
from torch import Tensor

from data.learning.statistics import FieldStatistics, RunningStatistics
from policies.critics.base import LEAST_SPREAD
from policies.critics.build import build_critic, critic_spec
from policies.critics.critic import LearntCritic
from policies.critics.model import CriticModel
from policies.experience.batches import Experience
from policies.model.batch import TensorBatch
from policies.recipe.critic import CriticRecipe
from policies.recipe.learner import LearnerConfig
from policies.rl.state import nested, optimiser_tensors, restore_optimiser, seeded, under
from policies.transforms import Tensors, make_chain
from policies.transforms.normaliser import ACTION
from robot.description import CriticBase, ObservationSpec, Policy, PolicySpec, Query
from robot.errors import InputError, TillerError

AT_ONCE = 1024  # decisions that are measured at a time
LOSS, GRADIENT = "critic_loss", 10.0


@dataclass(frozen=True, eq=False)
class Subject:
    """The frozen policy that is learnt from, and its decisions.

    Args:
        spec: of the policy, with the number of rows that are executed.
        base: which policy it is, and its sampler.
        transforms: of its recipe.
        experience: its decisions.
        noise: shape of its noise; empty for none.
        measured: of the decisions, from which inputs are scaled; None for all that are there.
    """

    spec: PolicySpec
    base: CriticBase
    transforms: tuple[Mapping[str, Any], ...]
    experience: Experience
    noise: tuple[int, ...] = ()
    measured: int | None = None

    @property
    def count(self) -> int:
        """Decisions that are measured.

        Raises:
            InputError: there are none.
        """
        count = len(self.experience.replay) if self.measured is None else self.measured
        if not count:
            raise InputError("experience to learn from", expected="decisions", got="none")
        return count


class Learner(ABC):
    """Learns from batches of decisions.

    Args:
        subject: what is learnt from.
        config: how it learns.

    Attributes:
        random: the generator of everything that is drawn in updates.
        updates: done.
    """

    def __init__(self, subject: Subject, config: LearnerConfig) -> None:
        self.spec, self.config, self.updates, self.random = subject.spec, config, 0, torch.Generator()
        self.segment = 0

    def begin(self, segment: int) -> None:
        """Begin a segment of a training: what is drawn in it follows from (seed, segment) alone."""
        self.segment = segment
        self.random.manual_seed(int(np.random.SeedSequence([self.config.seed, 11, segment]).generate_state(1)[0]))

    def moves(self, after: int) -> bool:
        """Whether an actor moves: after so many updates of its critic, and not in the first segment, whose decisions
        are all those of the rung below. What a critic makes of anything else there is no evidence.
        """
        return self.segment > 0 and self.updates > after

    @abstractmethod
    def update(self, batch: TensorBatch) -> dict[str, float]:
        """One update of all that learns.

        Returns:
            Figures of it.

        Raises:
            TillerError: the loss is no number.
        """

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """All tensors of a training, name -> tensor, for a checkpoint."""

    def numbers(self) -> dict[str, Any]:
        """All numbers of a training as plain values, for a checkpoint."""
        return {"updates": self.updates}

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> Self:
        """Restore what `tensors` and `numbers` returned; returns itself."""
        self.updates = int(numbers["updates"])
        return self


class ChunkLearner(Learner):
    """A critic that values the best of a frozen policy's chunks (`policies.critics.best_of`).

    What scales its inputs is measured on the decisions that are there when it is made.

    Args:
        subject: what is learnt from.
        config: how it learns.

    Raises:
        InputError: there are no decisions to measure.

    Attributes:
        critic: that learns.
        objective: of it.
    """

    objective: ClassVar[str] = "best_of"

    def __init__(self, subject: Subject, config: LearnerConfig) -> None:
        super().__init__(subject, config)
        spec, experience, count = subject.spec, subject.experience, subject.count
        self.recipe = recipe_of(spec, subject.transforms, config, self.objective)
        with seeded(config.seed):
            own = critic_spec(self.recipe, low_dimensional(spec.observation), spec.action, subject.base)
            self.statistics = measured(self.recipe, own.observation, spec, experience, count)
            self.critic: LearntCritic = build_critic(self.recipe, own, self.statistics)
            self.model.sight.spread.copy_(self.spread(experience, count))
        self._parameters = [each for each in self.model.network.parameters()]
        self._parameters += [each for each in self.model.encoder.parameters()]
        self._optimisers = {"critic": torch.optim.Adam(self._parameters, config.learning_rate, fused=True)}

    @property
    def model(self) -> CriticModel:
        return self.critic.model

    def spread(self, experience: Experience, count: int) -> Tensor:
        """Root mean square (k, D) of the differences of normalised chunks from their plan, in the first decisions."""
        return spread_of_candidates(self.model, experience, count)

    def update(self, batch: TensorBatch) -> dict[str, float]:
        figures = self.critic_update(batch)
        self.updates += 1
        return {**figures, **self.improve(batch)}

    def improve(self, batch: TensorBatch) -> dict[str, float]:
        """What learns on the critic, if anything; returns figures."""
        return {}

    def critic_update(self, batch: TensorBatch) -> dict[str, float]:
        """One update of the critic."""
        loss = self.model.loss(batch, self.random) / max(len(batch), 1)
        if not torch.isfinite(loss):
            raise TillerError(f"the critic diverged after {self.updates} updates: its loss is {float(loss)}")
        optimiser = self._optimisers["critic"]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, GRADIENT)
        optimiser.step()
        self.model.after_update()
        notes = {name: float(total / count) for name, (total, count) in self.model.take_notes().items() if count > 0}
        return {LOSS: float(loss.detach()), **notes}

    # -- what acts by it -----------------------------------------------------------------------------------------------

    def score(self, query: Query, chunks: np.ndarray) -> np.ndarray:
        """A `policies.experience.exploring.Scorer`."""
        seen = {name: query.observation[name] for name in self.critic.spec.observation.names}
        k = self.critic.spec.steps
        return self.critic.value(seen, chunks[:, :, :k], None, chunks[:, 0, :k])

    # -- checkpoints ---------------------------------------------------------------------------------------------------

    def tensors(self) -> dict[str, Tensor]:
        tensors = under("model", self.model.state_dict())
        for name, optimiser in self._optimisers.items():
            tensors |= under(f"{name}_optimiser", optimiser_tensors(optimiser))
        return tensors

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> Self:
        self.model.load_state_dict(nested(tensors, "model"))
        for name, optimiser in self._optimisers.items():
            restore_optimiser(optimiser, nested(tensors, f"{name}_optimiser"))
        return super().restore(tensors, numbers)


def recipe_of(
    spec: PolicySpec, transforms: tuple[Mapping[str, Any], ...], config: LearnerConfig, objective: str = "best_of"
) -> CriticRecipe:
    """What a learner's critic is made of."""
    seen = low_dimensional(spec.observation)
    return CriticRecipe(
        network={"name": config.network, "members": config.members, "width": config.width, "depth": config.depth},
        objective={"name": objective, "target_rate": config.target_rate},
        observation=seen.names,
        history={key.name: key.history for key in seen},
        steps=spec.n_action_steps,
        gamma=config.gamma,
        plan=config.plan,
        transforms=tuple(each for each in transforms if each.get("name") != "image"),
    )


def low_dimensional(observation: ObservationSpec) -> ObservationSpec:
    """The keys that are no images.

    Raises:
        InputError: there are none.
    """
    names = [key.name for key in observation if not key.is_image]
    if not names:
        raise InputError(
            "learning from experience",
            expected="a policy that sees low-dimensional keys, such as the robot's posture",
            got=f"one that sees {', '.join(observation.names)} alone",
            way_out="Take method=filtered_bc, which needs no critic",
        )
    return observation.select(names)


def measured(
    recipe: CriticRecipe, seen: ObservationSpec, spec: PolicySpec, experience: Experience, count: int
) -> dict[str, FieldStatistics]:
    """Statistics of what leaves the transforms, of the first decisions: what is seen, and all candidates' rows."""
    chain = make_chain(recipe.transforms, seen, spec.action)
    observation, action = chain.outgoing
    running = {key.name: RunningStatistics(key.shape, f"'{key.name}'") for key in observation}
    running[ACTION] = RunningStatistics((action.dim,), "actions")
    for start in range(0, count, AT_ONCE):
        window, chunks = experience.windows(np.arange(start, min(start + AT_ONCE, count)))
        raw = {key.name: torch.from_numpy(window[key.name][:, -key.history.steps :]) for key in seen}
        stages = chain.forward_observation(raw)
        for name, value in stages[-1].items():
            running[name].update(value.flatten(0, 1).numpy())
        rows = chain.forward_action(torch.from_numpy(chunks), stages)
        running[ACTION].update(rows.flatten(0, 2).numpy())
    return {name: one.result() for name, one in running.items()}


def spread_of_candidates(model: CriticModel, experience: Experience, count: int) -> Tensor:
    """Root mean square (k, D) of the differences of normalised candidates from their plan, of the first decisions."""
    total, number = torch.zeros(model.sight.shape).double(), 0
    for start in range(0, count, AT_ONCE):
        window, chunks = experience.windows(np.arange(start, min(start + AT_ONCE, count)))
        raw = {name: torch.from_numpy(window[name]) for name in window}
        stages = model.chain.forward_observation(raw)
        rows = model.normaliser[ACTION](model.chain.forward_action(torch.from_numpy(chunks), stages)).double()
        if rows.shape[1] > 1:
            difference = rows[:, 1:] - rows[:, :1]
            total += difference.square().sum((0, 1))
            number += difference.shape[0] * difference.shape[1]
    return (total / max(number, 1)).sqrt().clamp(min=LEAST_SPREAD).float()


def spread_of_pairs(model: CriticModel, stages: list[Tensors], plans: Tensor, chunks: Tensor) -> Tensor:
    """Root mean square (k, D) of the differences of normalised chunks from plans, both (n, k, dim) raw."""
    both = model.chain.forward_action(torch.stack([plans, chunks], dim=1), stages)
    rows = model.normaliser[ACTION](both)
    return (rows[:, 1] - rows[:, 0]).square().mean(0).sqrt().clamp(min=LEAST_SPREAD)


def base_of(policy: Policy) -> CriticBase:
    """Which policy it is, as a critic's spec names it.

    Raises:
        InputError: one that comes from no checkpoint.
    """
    hash = getattr(policy, "fingerprint", None)
    if not isinstance(hash, str):
        raise InputError(
            "policy to steer", expected="one that was loaded from its checkpoint", got="one without a hash"
        )
    return CriticBase(hash, policy.spec.sampler)
