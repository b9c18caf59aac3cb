"""How differently an expert acts in the same state, and how smoothly: whether its episodes are good data.

A policy learns the distribution of chunks given a state. So from one start, the first chunk is taken in many ways;
their spread says how many-sided that distribution is. Speed and acceleration of whole episodes say whether a person
could have moved so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Sequence

import numpy as np

from robot.control.rotation import angle_between, matrix_from_6d
from sim.evaluation.collect import record
from sim.experts.registry import make_expert

if TYPE_CHECKING:
    from robot.description import ActionSpec
    from sim.tasks.environment import TaskEnv

POSITION, ROTATION = "tcp.position", "tcp.rotation"
HAND, STEP = "hand.position", "hand.step"  # of Meta-World


@dataclass(frozen=True)
class Spread:
    """The first chunks of an expert from the same starts.

    Args:
        task: id.
        starts, ways: starts taken, and ways drawn from each.
        rows: of a chunk.
        distinct: ways that differ in what the expert says of itself, a start, on average.
        position_mm: standard deviation of the commanded position over ways, after the chunk's last row, averaged over
            starts (root of the summed variances of x, y, z); of the hand's own where actions are steps of it.
        rotation_deg: mean angle between two ways' commanded orientations there.
        tool: standard deviation of the tool's command there, in its own unit, averaged over its components.
    """

    task: str
    starts: int
    ways: int
    rows: int
    distinct: float
    position_mm: float
    rotation_deg: float
    tool: float


@dataclass(frozen=True)
class Motion:
    """How recorded episodes move.

    Args:
        task: id.
        episodes: that were recorded.
        duration_s: of an episode, on average.
        speed_p99, acceleration_rms, acceleration_p99: of the commanded tcp position, m/s and m/s^2; of the hand's own
            where actions are steps of it.
    """

    task: str
    episodes: int
    duration_s: float
    speed_p99: float
    acceleration_rms: float
    acceleration_p99: float


def action_spread(env: TaskEnv, starts: Sequence[int], ways: int, rows: int = 16) -> Spread:
    """Draw ways from the same starts and follow each for one chunk.

    Args:
        env: whose action has `tcp.position` and `tcp.rotation`, or whose observation has `hand.position`.
        starts: seeds of starts.
        ways: drawn from each.
        rows: of a chunk.
    """
    spec = env.action_spec
    positions, angles, tools, distinct = [], [], [], []
    for start in starts:
        ends, places, told = [], [], set()
        for way in range(ways):
            expert = make_expert(env.task.id)
            observation, _ = env.reset(seed=start)
            expert.reset(observation, np.random.default_rng([start, 1, way]))
            told.add(json.dumps(expert.strategy, sort_keys=True))
            for _ in range(rows):
                action = expert.act(observation)
                observation, _, terminated, truncated, _ = env.step(action)
                if terminated or truncated:
                    break
            ends.append(action)
            places.append(action[spec.slices[POSITION]] if POSITION in spec.slices else observation[HAND])
        last = np.stack(ends)
        positions.append(np.sqrt(np.stack(places).var(axis=0).sum()))
        if ROTATION in spec.slices:
            turns = matrix_from_6d(last[:, spec.slices[ROTATION]])
            apart = angle_between(turns[:, None], turns[None])
            angles.append(apart[np.triu_indices(ways, 1)].mean())
        else:
            angles.append(0.0)
        tools.append(last[:, tool_part(spec)].std(axis=0).mean())
        distinct.append(len(told))
    return Spread(
        env.task.id,
        len(starts),
        ways,
        rows,
        float(np.mean(distinct)),
        float(np.mean(positions)) * 1e3,
        float(np.degrees(np.mean(angles))),
        float(np.mean(tools)),
    )


def motion(env: TaskEnv, seeds: Sequence[int]) -> Motion:
    """Record an episode a seed and look at how the commanded tcp moves in it."""
    period, where = env.action_spec.period_s, env.action_spec.slices.get(POSITION)
    speeds, accelerations, durations = [], [], []
    for seed in seeds:
        data = record(env, seed).data
        path = (data["action"][:, where] if where is not None else data[HAND]).astype(np.float64)
        velocity = np.diff(path, axis=0) / period
        speeds.append(np.linalg.norm(velocity, axis=1))
        accelerations.append(np.linalg.norm(np.diff(velocity, axis=0), axis=1) / period)
        durations.append(len(path) * period)
    speed, acceleration = np.concatenate(speeds), np.concatenate(accelerations)
    return Motion(
        env.task.id,
        len(seeds),
        float(np.mean(durations)),
        float(np.percentile(speed, 99)),
        float(np.sqrt(np.mean(acceleration**2))),
        float(np.percentile(acceleration, 99)),
    )


def tool_part(spec: ActionSpec) -> list[int]:
    """Components of an action that are not the tcp's."""
    pose = {
        number for name in (POSITION, ROTATION, STEP) for number in range(spec.dim)[spec.slices.get(name, slice(0))]
    }
    return [number for number in range(spec.dim) if number not in pose]
