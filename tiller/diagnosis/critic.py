"""A quick critic: whether values learnt from a few groups rank the chunks of one state rightly."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from robot.description import TaskPrompt
from robot.errors import TillerError
from robot.files import write_file
from sim.statistics.intervals import Interval
from tiller.diagnosis.chunks import FOLDER as CHUNKS
from tiller.diagnosis.chunks import SIZE, states_of
from tiller.diagnosis.figures import CriticFigures
from tiller.diagnosis.subject import CRITIC_SEEDS, Subject

if TYPE_CHECKING:
    from policies.critics.critic import LearntCritic
    from tiller.runs.collecting import CollectOptions

FOLDER, GROUPS = "critic", "groups"
GROUP, PORTION = 8, 8
"""Episodes that go on from one state, and groups of the first call."""
MOST_GROUPS, UPDATES = 400, 600
COLLECTING = 0.6
"""Share of the time that is spent on episodes."""


def measure(subject: Subject, budget_s: float, folder: Path) -> CriticFigures:
    """Collect groups, train a verifier on them, and judge it on the continuations of other starts.

    Args:
        folder: of this measure, beside that of the continuations.

    Raises:
        TillerError: at no state do some chunks succeed and some fail, or all episodes end alike.
    """
    from data.store.dataset import Dataset

    folder.mkdir(parents=True, exist_ok=True)
    episodes = collected(subject, budget_s * COLLECTING, folder)
    critic = trained(subject, folder)
    values, successes, starts = [], [], []
    for state, line in states_of(subject, folder.parent / CHUNKS):
        seen = {key.name: np.asarray(state.window[key.name])[None] for key in critic.spec.observation}
        plans = state.chunks[None, :, : critic.spec.steps]
        prompt = TaskPrompt(state.branches[0].instruction)
        values.append(critic.value(seen, plans, prompt, plans[:, 0])[0])
        successes.append([line["zero"], *line["successes"]])
        starts.append(line["start"])
    rows = int(Dataset.open(folder / GROUPS).rows)
    return judged(np.array(values), np.array(successes), np.array(starts), episodes, rows)


def judged(
    values: np.ndarray, successes: np.ndarray, start: np.ndarray, episodes: int, env_steps: int
) -> CriticFigures:
    """How well values rank chunks whose continuations are known.

    A pair is a continuation of one chunk that succeeded and one of another chunk of the same state that failed; it is
    in order where the first chunk has the larger value, ties by half.

    Args:
        values, successes: (states, chunks) of the critic; of `SIZE.continuations` that follow each chunk.
        start: (states,) that each was reached from.
        episodes, env_steps: that the critic was trained with.

    Raises:
        TillerError: at no state do some succeed and some fail.
    """
    from policies.critics.ranking import auc_of_episodes, share_of_pairs

    failures = SIZE.continuations - successes
    pairs = successes[:, :, None] * failures[:, None]  # (states, chunk that succeeded, chunk that failed)
    pairs[:, np.arange(values.shape[1]), np.arange(values.shape[1])] = 0
    order = values[:, :, None] - values[:, None]
    concordant = (pairs * ((order > 0) + 0.5 * (order == 0))).sum(axis=(1, 2))
    counts, generator = pairs.sum(axis=(1, 2)), np.random.default_rng(0)
    mixed = counts > 0
    if not mixed.any():
        raise TillerError("at no state did some chunks succeed and some fail: there is nothing to rank")
    within = share_of_pairs(concordant[mixed], counts[mixed], start[mixed], generator)
    each = np.stack([successes, failures], axis=-1).ravel()
    value = np.repeat(np.repeat(values.ravel(), 2), each)
    success = np.repeat(np.tile([True, False], values.size), each)
    episode = np.repeat(np.repeat(start, 2 * values.shape[1]), each)
    return CriticFigures(
        Interval(*within), Interval(*auc_of_episodes(value, success, episode, generator)), int(mixed.sum()),
        int(counts.sum()), episodes, UPDATES, env_steps,
    )  # fmt: skip


def trained(subject: Subject, folder: Path) -> LearntCritic:
    """The verifier, trained where it is not there yet: it sees how far, and how roughly, a chunk departs from that of
    zero noise.
    """
    from policies.critics.base import Base
    from policies.critics.checkpoint import load_critic
    from policies.critics.train import train_critic
    from policies.recipe.critic import DEVIATION, CriticRecipe
    from policies.recipe.recipe import EmaConfig, TrainingConfig, ValidationConfig
    from tiller.sheets.fit import fit_critic

    run = folder / "run"
    if not (run / "checkpoints" / "final").is_dir():
        from data.store.dataset import Dataset

        data = Dataset.open(folder / GROUPS)
        policy = subject.loaded.with_sampler(subject.options.sampler, subject.options.steps)
        history = {key.name: key.history for key in policy.spec.observation}
        recipe = fit_critic(
            CriticRecipe(network={"name": "mlp", "width": 64}, steps=subject.rows, plan=DEVIATION, history=history),
            data, None, own_steps=True, base=policy.spec,
        )  # fmt: skip
        config = TrainingConfig(
            steps=UPDATES, warmup=50, ema=EmaConfig(decay=0.99), validation=ValidationConfig(0.0),
            checkpoint_every=UPDATES,
        )  # fmt: skip
        result = train_critic(
            data, recipe, config, run,
            resume=(run / "checkpoints" / "last").is_dir(),
            device=subject.options.device,
            base=Base(policy, str(subject.description["hash"])),
        )  # fmt: skip
        return load_critic(result.checkpoint)
    return load_critic(run)


def collected(subject: Subject, budget_s: float, folder: Path) -> int:
    """Collect groups while there is time; how many episodes there are.

    Raises:
        TillerError: all episodes end alike.
    """
    from data.store.dataset import Dataset
    from data.store.names import SUCCESS

    plan = folder / "groups.json"
    if not plan.exists():
        began = time.monotonic()
        _collect(subject, folder, PORTION)
        spare = budget_s / (time.monotonic() - began) - 1
        write_file(plan, json.dumps(min(PORTION + max(int(spare * PORTION), 0), MOST_GROUPS)))
    _collect(subject, folder, json.loads(plan.read_text()))
    success = np.asarray(Dataset.open(folder / GROUPS).meta(SUCCESS.name), bool)
    if success.all() or not success.any():
        raise TillerError(f"all {len(success)} episodes ended alike: there is nothing to tell apart")
    return len(success)


def _collect(subject: Subject, folder: Path, groups: int) -> None:
    """Collect what is missing of so many groups."""
    from tiller.runs.collection import add_missing, load_sources, open_collection

    options = collecting(subject, folder, groups * GROUP)
    sources, facts = load_sources(options)
    dataset, output = open_collection(options, facts)
    with dataset:
        add_missing(dataset, options, sources)
        output.mark({"episodes": len(dataset)})


def collecting(subject: Subject, folder: Path, episodes: int) -> CollectOptions:
    """The collection as `tiller collect` takes it."""
    from tiller.runs.collecting import CollectOptions
    from tiller.runs.sources import CHECKPOINT

    own = subject.options
    return CollectOptions(
        task=subject.task,
        episodes=episodes,
        source=CHECKPOINT,
        checkpoint=own.checkpoint,
        embodiment=own.embodiment,
        sampler=own.sampler,
        steps=own.steps,
        n_action_steps=own.n_action_steps,
        groups=GROUP,
        group_decisions=len(SIZE.decisions),
        seed=own.seed + CRITIC_SEEDS,
        workers=own.workers,
        output=str(folder / GROUPS),
        options=subject.task_options,
        device=own.device,
        resume=True,
    )
