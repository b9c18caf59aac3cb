"""Spread of actions at fixed states, roughness of what is executed, and the time that a decision takes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from robot.description import Task, TaskPrompt
from sim.statistics.motion import roughness, spread, unit_of
from tiller.diagnosis.episodes import Episodes, recorded
from tiller.diagnosis.figures import ActionsFigures, FieldMotion, LatencyFigures
from tiller.diagnosis.settings import STEPS, possible
from tiller.diagnosis.subject import NOISE, Subject
from tiller.steering.free import BASE, Setting

DECISIONS, CHUNKS = 2, 16
"""Of each episode, at which chunks are drawn, and how many at each."""
MOST_DEMONSTRATIONS = 50
CALLS, CANDIDATES = 30, 16


def measure(subject: Subject, budget_s: float, folder: Path) -> ActionsFigures:
    """Spread at states that the base reaches, and roughness beside that of the demonstrations."""
    from data.store.schema import ACTION

    episodes, spec = recorded(subject, folder.parent / "episodes"), subject.policy.spec.action
    blind = any(key.is_image for key in subject.policy.spec.observation)  # images are not kept
    spreads = None if blind or NOISE in subject.lacking else drawn_spread(subject, episodes)
    rough, data = roughness(spec, episodes.motions), subject.demonstrations
    shown = {}
    if data is not None:
        ends = np.asarray(data.episode_ends)[:MOST_DEMONSTRATIONS]
        shown = dict(roughness(spec, np.split(data.read(ACTION, 0, int(ends[-1])), ends[:-1])))
    fields = {
        field.name: FieldMotion(
            unit_of(field),
            None if spreads is None else float(np.median(spreads[field.name])),
            rough[field.name],
            shown.get(field.name),
        )
        for field in spec.fields
    }
    return ActionsFigures(fields, len(chosen_states(episodes)), CHUNKS, len(episodes.success))


def drawn_spread(subject: Subject, episodes: Episodes) -> dict[str, np.ndarray]:
    """Spread of the last executed row of chunks that are drawn at states of the episodes, name -> (states,)."""
    chosen = chosen_states(episodes)
    chunks = sampled(subject, {name: each[chosen] for name, each in episodes.windows.items()}, CHUNKS)
    return spread(subject.policy.spec.action, chunks[:, :, subject.rows - 1])


def chosen_states(episodes: Episodes) -> np.ndarray:
    """Numbers of the first decisions of each episode: those that fail have many more, far from where it is decided."""
    begins = np.searchsorted(episodes.episode, np.arange(len(episodes.success)))
    of_episode = np.arange(len(episodes.episode)) - begins[episodes.episode]
    return np.flatnonzero(of_episode < DECISIONS)


def sampled(
    subject: Subject, windows: Any, samples: int, noise: np.ndarray | None = None, task: Task = None
) -> np.ndarray:
    """Chunks (states, samples, horizon, dim) at windows, name -> (states, steps, ...), by the task's instruction unless
    another is given.
    """
    states = len(next(iter(windows.values())))
    prompt = task or instruction(subject)
    return subject.policy.sample(windows, task=prompt, samples=samples, seeds=list(range(states)), noise=noise)


def instruction(subject: Subject) -> TaskPrompt | None:
    """What the task asks for, for a policy that reads it; None for others."""
    if not subject.policy.spec.prompt.reads_words:
        return None
    import sim

    env = sim.make(subject.task, **subject.task_options)
    try:
        return TaskPrompt(str(env.task.instruction))
    finally:
        env.close()


def latency(subject: Subject, budget_s: float, folder: Path) -> LatencyFigures:
    """Milliseconds of a decision for one robot, under the base, other steps, and with candidates to choose from."""
    episodes = recorded(subject, folder.parent / "episodes")
    names = {key.name for key in subject.policy.spec.observation} - set(episodes.windows)
    p50, p95 = {}, {}
    one = {name: each[:1] for name, each in episodes.windows.items()}
    for name in names:  # images, whose content takes no time
        key = subject.policy.spec.observation[name]
        one[name] = np.zeros((1, key.history.steps, *key.shape), key.dtype)
    tried = possible(subject, [Setting(BASE), *(Setting(f"steps {steps}", steps=steps) for steps in (1, *STEPS))])
    cases = [(setting.name, policy, 1) for setting, policy in tried]
    if NOISE not in subject.lacking:
        cases.append((f"best of {CANDIDATES}", subject.policy, CANDIDATES))
    prompt = instruction(subject)
    for name, policy, samples in cases:
        taken = []
        for call in range(CALLS):
            began = time.perf_counter()
            policy.sample(one, task=prompt, samples=samples, seeds=[call])
            taken.append(1e3 * (time.perf_counter() - began))
            if call > 2 and sum(taken) > 1e3 * budget_s / len(cases):
                break
        p50[name], p95[name] = (float(each) for each in np.quantile(taken[1:], (0.5, 0.95)))
    return LatencyFigures(p50, p95, 1e3 * subject.policy.spec.action.period_s, subject.rows)
