"""What is diagnosed: a policy on a task, and what of it can be measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

from robot.errors import InputError
from tiller.diagnosis.options import DiagnoseOptions
from tiller.steering.free import BASE, Execution, Setting

if TYPE_CHECKING:
    from data.store.dataset import Dataset
    from robot.description import Policy
    from sim.tasks.environment import TaskEnv

NOISE, STATES, DEMONSTRATIONS = "noise", "states", "demonstrations"
"""What a measure may need."""

BATCH = 8
"""Rows of an inference call, and environments at once: many environments take longer to build than these episodes."""
CHUNK_SEEDS, CRITIC_SEEDS = 20_000, 40_000
"""First seeds of the continuations and of the critic's episodes, after that of the starts."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A policy on a task.

    Args:
        options: of the verb, with the task and its options settled.
        task: id.
        task_options: as `sim.make` takes them.
        loaded: the policy as it was loaded.
        policy: as it is run, the base of all comparisons.
        description: of it, for the record.
        demonstrations: that it was trained on; None without.
        lacking: what a measure may need and is not there -> why.
    """

    options: DiagnoseOptions
    task: str
    task_options: Mapping[str, Any]
    loaded: Policy
    policy: Policy
    description: Mapping[str, Any]
    demonstrations: Dataset | None
    lacking: Mapping[str, str]

    @property
    def rows(self) -> int:
        """Rows that are executed of a chunk."""
        return self.policy.spec.n_action_steps

    @property
    def execution(self) -> Execution:
        """How the base draws and executes its chunks."""
        return execution_of(self.options)


def execution_of(options: DiagnoseOptions) -> Execution:
    """What the options say of how chunks are drawn and executed."""
    return Execution(options.sampler, options.steps, options.n_action_steps)


def open_subject(options: DiagnoseOptions) -> Subject:
    """Load the policy, make its task once, and see what can be measured.

    Raises:
        InputError: no checkpoint, no task, a policy that does not fit it, or demonstrations that do not hold what the
            policy sees.
    """
    from policies.loading.load import describe, load
    from policies.model.checkpoint_folder import find
    from sim.perturbations import perturbed
    from tiller.runs.embodiment import embodiment_for
    from tiller.runs.origin import trained_task

    if not options.checkpoint.strip():
        raise InputError("'checkpoint'", expected="the folder of a training run or of a checkpoint", got="''")
    folder = find(options.checkpoint)
    trained, trained_options = trained_task(options.checkpoint)
    task = options.task or trained
    if not task:
        raise InputError(
            "'task'",
            expected="a task that the policy is to do",
            got="none, and the checkpoint was trained without one",
            way_out="Add task=, for example task=twin/lift",
        )
    loaded = load(folder, options.device, embodiment_for(task, options.embodiment))
    policy = Setting(BASE).around(loaded, execution_of(options))
    given = {**(trained_options if task == trained else {}), **options.options}
    task_options = perturbed(
        given,
        perturbation=options.perturbation,
        severity=options.severity,
        perturbations=options.perturbations,
        randomise=options.randomise,
    )
    lacking = _of_task(task, task_options, policy)
    if reason := _without_noise(policy):
        lacking[NOISE] = reason
    data, reason = _demonstrations(options, folder, policy)
    if reason:
        lacking[DEMONSTRATIONS] = reason
    return Subject(options, task, task_options, loaded, policy, describe(folder, policy), data, lacking)


def _of_task(task: str, options: Mapping[str, Any], policy: Policy) -> dict[str, str]:
    """Make the task once: it must fit the policy; whether its state can be put back."""
    import sim
    from robot.description import require_match
    from sim.tasks.environment import require_absolute

    env = require_absolute(sim.make(task, **options))
    try:
        require_match(
            policy.spec.observation, env.observation_spec, policy.spec.action, env.action_spec,
            left="policy", right=f"task {task}", way_out="Diagnose it on the task that it was trained for",
        )  # fmt: skip
        env.step(env.holding(env.reset(seed=0)[0]))
        return _states(env)
    finally:
        env.close()


def _states(env: TaskEnv) -> dict[str, str]:
    try:
        env.restore(env.save())
    except InputError as error:
        return {STATES: f"the state of {env.task.id} cannot be put back: {error}"}
    return {}


def _without_noise(policy: Policy) -> str:
    """Why the policy's chunks cannot be told apart by their noise; empty where they can."""
    from policies.steering.steered import chooses, is_deterministic

    sampler = policy.spec.sampler.name
    if policy.noise_shape is None:
        return f"a policy with sampler '{sampler}' always gives the same chunk: there is no noise to scale or to choose"
    if chooses(policy):
        return "the policy chooses among chunks itself: diagnose its base"
    if not is_deterministic(policy):
        return f"sampler '{sampler}' draws more noise in each step: add sampler=ddim or another deterministic one"
    return ""


def _demonstrations(options: DiagnoseOptions, folder: Path, policy: Policy) -> tuple[Dataset | None, str]:
    """The dataset, or why there is none."""
    from data.store.dataset import Dataset
    from policies.loading.folder import chain
    from policies.model.checkpoint import read_record

    if any(key.is_image for key in policy.spec.observation):
        return None, "distances between images say nothing: this measure is for low-dimensional observations"
    give = "add demonstrations=DATASET"
    path = options.demonstrations
    if path is None:
        path = read_record(chain(folder)[-1]).provenance.dataset_path
        if not path or not Path(path).is_dir():
            return None, f"the dataset of the checkpoint's record, '{path}', is not there: {give}"
        try:
            data = Dataset.open(path)
        except InputError as error:
            return None, f"{error}; {give}"
    else:
        data = Dataset.open(path)
    names = [] if data.schema is None else [each.name for each in data.schema.observation]
    missing = [key.name for key in policy.spec.observation if key.name not in names]
    if missing or len(data) < 2:
        reason = f"lacks {', '.join(missing)}" if missing else f"has {len(data)} episodes"
        if options.demonstrations is None:
            return None, f"{path} {reason}: {give}"
        raise InputError(
            "'demonstrations'",
            expected="a dataset of two or more episodes that holds what the policy sees",
            got=f"{path}, which {reason}",
        )
    return data, ""
