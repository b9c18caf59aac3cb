"""A run that is about to train: datasets and output. What does not fit is refused before an earlier run is lost."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Mapping, Sequence

from robot.description import to_json
from robot.errors import InputError
from tiller.configuration.compose import Configuration
from tiller.runs.output import Output, open_output
from tiller.training.options import TrainOptions

if TYPE_CHECKING:
    from data.store.dataset import Dataset
    from policies.critics.base import Base
    from policies.training.demonstrations import Demonstrations
    from policies.training.trainer import TrainingResult
    from tiller.sheets.fit import TaskFacts

Trained = tuple[Output | None, "TrainingResult", Mapping[str, float]]
"""The output, None but of the first process; what came of the training; further figures."""


def opened(options: TrainOptions) -> tuple[list[Dataset], TaskFacts | None]:
    """The datasets to train on, and what is known of the task."""
    from data.store.dataset import Dataset
    from policies.model.device import choose_device
    from tiller.sheets.fit import task_facts

    choose_device(options.device)
    datasets = [Dataset.open(path) for path in listed(options.data)]
    if not datasets:
        raise InputError("'data'", expected="a dataset, or several", got="an empty list")
    return datasets, task_facts(options.task, options.options) if options.task else None


def listed(given: str | Sequence[str] | None) -> list[str]:
    """One path, several or none, as a list."""
    return [given] if isinstance(given, str) else list(given or ())


def open_run(
    configuration: Configuration[TrainOptions],
    settled: TrainOptions,
    datasets: Sequence[Dataset],
    observation: Sequence[str],
    base: Base | None = None,
) -> tuple[Output | None, Path]:
    """Open the output and say what is trained; the output is the first process's alone.

    Args:
        configuration: as it was given.
        settled: the options with what was chosen by data and task.
        datasets: to train on.
        observation: keys that are seen.
        base: of a critic.
    """
    from policies.training.demonstrations import Demonstrations
    from policies.training.embodiments import members_of
    from tiller.sheets.training import announcement

    options = configuration.options
    # What does not fit is refused before an earlier run is replaced.
    members = members_of(settled.policy) if settled.critic is None else None
    data = Demonstrations.open(datasets, options.training, observation, members)
    data.weights()
    scored = _built(settled, data, base)
    output, folder = None, Path(options.output or "")
    if os.environ.get("RANK", "0") == "0":
        reads = [
            path for given in (options.data, options.judge, options.base, options.initial) for path in listed(given)
        ]
        values = {"choices": dict(configuration.choices), **to_json(settled)}
        output = open_output(
            "train", values, options.output, resume=options.resume, overwrite=options.overwrite, reads=reads
        )
        folder = output.path
        name = str(configuration.choices.get("policy"))
        if options.critic is not None:
            name = f"critic {configuration.choices.get('critic') or options.critic.objective['name']}"
        print(
            announcement(name, listed(options.data), data, options.task, observation or data.observation.names, scored)
        )
    elif not options.output:
        raise InputError(
            "'output'", expected="a folder that all processes of torchrun share", got="nothing", way_out="Add output="
        )
    return output, folder


def _built(settled: TrainOptions, data: Demonstrations, base: Base | None) -> int | None:
    """Build what is to be trained once, for the errors that this may have; returns the rows that a critic scores."""
    if settled.critic is None:
        from policies.model.build import build_policy, policy_spec

        recipe = settled.policy
        if data.members:
            recipe = replace(recipe, observation=data.observation.names)
        build_policy(recipe, policy_spec(recipe, data.observation, data.action, data.embodiments))
        return None
    from policies.critics.build import build_critic, critic_spec
    from policies.critics.train import require_base

    spec = critic_spec(settled.critic, data.observation, data.action, None if base is None else base.record)
    critic = build_critic(settled.critic, spec)
    require_base(spec, critic.model.objective, base)
    data.facts(critic.model.objective.facts)
    return settled.critic.steps
