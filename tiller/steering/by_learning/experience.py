"""Rungs that learn from the base's own decisions, such as the best of K chunks and a codebook of noises."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

import numpy as np

from robot.errors import InputError
from robot.files import write_file
from tiller.runs.output import FINISHED, finished_figures
from tiller.steering.by_learning.groups import few, grouped
from tiller.steering.rung import Rung

if TYPE_CHECKING:
    from policies.experience.learner import ChunkLearner
    from robot.description import Policy
    from tiller.steering.by_learning.setting import Setting
    from tiller.steering.climb import Climb

JUDGED, GROUPS, DEMONSTRATIONS = "judged", "groups", "demonstrations"
OPTIONAL = (DEMONSTRATIONS, GROUPS, JUDGED)
"""What a method goes on without, and says so."""
JUDGED_SEEDS, GROUP_SEEDS = 50_000, 75_000
"""Between the first start that is learnt on and the first that a critic is judged on, and that groups are learnt on."""


def require_learning(climb: Climb, method: str) -> None:
    """Refuse a base that cannot be learnt from by its decisions, in the way of a method.

    Raises:
        InputError: with the method that would work.
    """
    from policies.actors.edit import deltas
    from policies.experience.learner import base_of, low_dimensional
    from policies.steering.by_actor.noise_actor import require_own_noise
    from policies.steering.steered import chooses, innermost

    if chooses(climb.base):
        raise InputError(
            f"method={method}", expected="a policy that draws its chunks itself",
            got="one that is steered by a choice among them", way_out="Steer the policy below it",
        )  # fmt: skip
    if method == "residual":
        deltas(climb.base.spec.action, climb.options.learning.residual.delta)  # refuses where nothing may be moved
    else:
        require_steered_by_noise(climb.base, method)
    if method in ("dsrl_na", "dsrl_sac"):
        require_own_noise(climb.base, f"learning {method}")
    low_dimensional(climb.base.spec.observation)
    base_of(climb.base)
    if climb.base.spec.ensemble is not None:
        raise InputError(
            "a temporal ensemble", expected="a policy that executes rows of one chunk", got="one that blends several",
            way_out="Leave the ensemble out, or take method=filtered_bc",
        )  # fmt: skip
    if climb.base.spec.embodiments or str(getattr(innermost(climb.base), "embodiment", "")):
        raise InputError(
            "learning from decisions", expected="a policy of one embodiment", got="one of several",
            way_out="method=free and method=ticket work for it",
        )  # fmt: skip


def require_steered_by_noise(base: Policy, method: str) -> None:
    """Refuse a policy whose noise does not decide its chunks.

    Raises:
        InputError: with the methods that work for it.
    """
    from policies.steering.by_noise.noise_scale import NoiseScaled

    try:
        NoiseScaled(base, noise_scale=0.0)
    except InputError as error:
        raise InputError(
            f"method={method}", expected=error.expected, got=error.got,
            way_out="method=filtered_bc and method=residual work for this policy, and method=free tries its steps",
        ) from None  # fmt: skip


def learn(climb: Climb, method: str) -> list[Rung]:
    """Learn by a method as long as its steps and the run's minutes last; the rungs that come of it, none where the
    critic does not rank well enough.

    Raises:
        InputError: as of `LearningRun`.
        KeyboardInterrupt: it was stopped; the last segment that was done is kept.
    """
    from policies.experience.learner import ChunkLearner
    from policies.steering.by_critic.value import SteeringWarning
    from policies.steering.registry import steer
    from tiller.runs.progress import Counter
    from tiller.steering.by_learning.methods import make_way
    from tiller.steering.by_learning.segments import LearningRun

    options, folder, bench = climb.options.learning, climb.folder / method, climb.bench
    spent = bench.cost
    setting = _setting(climb)
    done = finished_figures(folder)
    with LearningRun(folder, setting, options, make_way(method, setting, options)) as run:
        if done is None:
            climb.deadline.check()
            bench.charge(run.state.steps, run.state.elapsed_s, before=True)
            before, before_s = run.state.steps, run.state.elapsed_s
            with Counter(f"{method} on {climb.task}", options.steps) as counter:
                run.show = lambda line: counter.show(run.state.steps, line)
                ended = run.run(lambda elapsed_s: climb.deadline.over or elapsed_s >= 60 * options.minutes)
            steps, seconds = run.state.steps, run.state.elapsed_s
            bench.charge(steps - before, seconds - before_s)
            if not ended:
                raise KeyboardInterrupt
            if run.learner is None:
                climb.notes[method] = "no time was left for it"
                return []
            run.way.save(run.learner, folder)
            ranking = {}
            if run.way.ranks and isinstance(run.learner, ChunkLearner):
                ranking = judged(climb, run.learner, setting, folder)
            done = {"steps": steps, "seconds": seconds, **ranking}
            write_file(folder / FINISHED, json.dumps(done, indent=2) + "\n")
        else:
            bench.charge(int(done["steps"]), float(done["seconds"]), before=True)
        made = run.way.layers(folder)
    low = done.get("concordance_low")
    shown = "not judged" if low is None else f"{done['concordance']:.3f}, at least {low:.3f}"
    lacking = [f"without {name}: {climb.notes[name]}" for name in OPTIONAL if name in climb.notes]
    lacking += [climb.notes[few(name)] for name in OPTIONAL if few(name) in climb.notes]
    climb.notes[method] = "; ".join([f"concordance within a state {shown}", *lacking])
    if low is not None and options.gate and not low > options.gate:
        climb.notes[method] += (
            f"; that is not above {options.gate:g}, and so the rung stays closed (learning.gate=0 opens it)"
        )
        return []
    cost = bench.cost - spent
    figures = {"env_steps": float(cost.steps), "minutes": cost.seconds / 60, **_numbers(done)}
    rungs: list[Rung] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SteeringWarning)  # the concordance is in the notes, and the gate was asked
        for added, layers in made.items():
            policy: Policy = climb.base
            for each in layers:
                policy = steer(policy, each)
            rungs.append(Rung(method + added, policy, climb.checkpoint, figures if not rungs else _numbers(done)))
    return rungs


def _numbers(done: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in done.items() if name.startswith("concordance")}


def _setting(climb: Climb) -> Setting:
    """What is learnt from: the base under its sampler and execution."""
    from policies.steering.steered import innermost
    from tiller.steering.by_learning.setting import Setting
    from tiller.steering.cloning import demonstrations

    options = climb.options.learning
    recipe: Any = innermost(climb.base).recipe  # type: ignore[attr-defined]
    shown: list[str] = []
    if options.demonstrations:
        try:
            shown = [path for path in demonstrations(climb) if _says_success(path)]
        except InputError as error:
            climb.notes[DEMONSTRATIONS] = str(error)
    scale = options.scale or climb.scale
    if options.groups:
        groups = grouped(climb, GROUPS, options.groups, climb.bench.learning_seed + GROUP_SEEDS, scale, mixed=False)
        shown += [] if groups is None else [groups]
    return Setting(
        climb.base,
        recipe.transforms,
        climb.task,
        climb.bench.options,
        climb.bench.learning_seed,
        scale,
        climb.zero_is_best,
        climb.options.workers,
        tuple(shown),
    )


def _says_success(path: str) -> bool:
    """Whether episodes say what came of them; those that do not are not learnt from."""
    from data.store.dataset import Dataset
    from data.store.names import SUCCESS, has_fact

    with Dataset.open(path) as dataset:
        return has_fact(dataset.schema, SUCCESS)


def judged(climb: Climb, learner: ChunkLearner, setting: Setting, folder: Path) -> dict[str, float]:
    """How well the critic ranks chunks of one state that it never saw: kept beside it, and as figures; none where
    nothing is to be judged, or the task's states cannot be put back.
    """
    from data.store.dataset import Dataset
    from policies.critics.base import Base, BaseChunks
    from policies.critics.judgement import judge
    from tiller.runs.critic import write_judgement

    episodes = climb.options.learning.judged
    if not episodes:
        return {}
    seed = climb.bench.learning_seed + JUDGED_SEEDS
    path = grouped(climb, JUDGED, episodes, seed, setting.scale, mixed=True)
    if path is None:
        return {}
    with Dataset.open(path) as dataset:
        base = Base(setting.policy, learner.critic.spec.base.hash if learner.critic.spec.base else "")
        chunks = BaseChunks(base, learner.critic.spec.steps)
        judgement = judge(learner.critic, [dataset], [np.arange(len(dataset))], chunks=chunks)
    for part in ("critic", "actor"):
        if (folder / part).is_dir():
            write_judgement(judgement, folder / part)
    within = judgement.within
    return {"concordance": within[0], "concordance_low": within[1], "concordance_states": float(judgement.states)}
