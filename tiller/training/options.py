"""What `tiller train` takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Mapping

from policies.recipe.critic import CriticRecipe
from policies.recipe.monitor import MonitorRecipe
from policies.recipe.recipe import PolicyRecipe, TrainingConfig
from robot.description.ranges import Count, Range, Seed, Workers


@dataclass(frozen=True)
class LoopEvaluation:
    """Evaluation while training, every `training.evaluate_every` updates and at the end.

    Args:
        episodes: a time.
        seed: of the first one; apart from the seeds that results are reported on.
        workers: processes that step environments.
    """

    episodes: Count = 10
    seed: Seed = 200_000
    workers: Workers = 1


@dataclass(frozen=True)
class TrainOptions:
    """What `tiller train` takes.

    Args:
        data: dataset to train on: a folder, a zip or a URL; or several as [A,B], in the shares of training.weights.
        task: that the policy or the critic is for; it is checked against the dataset. null trains on the dataset alone.
        output: folder to write to; null makes outputs/train/<date>.
        resume: go on from the last checkpoint in the output folder, exactly; a new run where there is none.
        overwrite: replace what an earlier run left in the output folder.
        device: auto, cpu, cuda or cuda:N.
        options: of the task, for example options.initial_states=paper.
        initial: checkpoint whose weights and normaliser the training starts from; its recipe is the policy's.
        critic: train a critic instead of a policy, for example critic=success.
        judge: further episodes to judge a critic on, or several as [A,B]; null judges it on those that the validation
            holds out. With training.evaluate_every half of their starts choose the checkpoint, the others report on it.
        base: checkpoint of the policy whose chunks a critic is to tell apart; it sees them beside the zero-noise plan.
        base_sampler: of the base, null for its default.
        base_steps: of that sampler, null for its default.
        monitor: make a monitor, for example monitor=features: data are then rollouts of the policy that it is for.
        checkpoint: of the policy that a monitor is for.
    """

    data: str | tuple[str, ...]
    task: str | None = None
    output: str | None = None
    resume: bool = False
    overwrite: bool = False
    device: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)
    evaluation: LoopEvaluation = LoopEvaluation()
    policy: PolicyRecipe = PolicyRecipe()
    initial: str | None = None
    critic: CriticRecipe | None = None
    judge: str | tuple[str, ...] | None = None
    base: str | None = None
    base_sampler: str | None = None
    base_steps: Annotated[int, Range(1, 100_000)] | None = None
    monitor: MonitorRecipe | None = None
    checkpoint: str | None = None
    training: TrainingConfig = TrainingConfig()
