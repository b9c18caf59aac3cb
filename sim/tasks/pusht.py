"""PushT: push a T onto its goal with a disc (gym-pusht; the task of Chi et al., Diffusion Policy, RSS 2023).

The physics is that of the paper's evaluation: a reset places the block and turns it afterwards, about its centre of
mass and not its origin, so the block does not start at the drawn pose. `reset(options={"state": row})`
starts exactly from a recorded row.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any, Mapping

import numpy as np

from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.errors import InputError, MissingExtraError, nearest
from sim.tasks.environment import Observation, Outcome, TaskEnv
from sim.tasks.info import TaskInfo
from sim.tasks.options import TaskOptions, one_of, read_options

CONTROL_HZ = 10
COVERAGE = 0.95  # of the goal that the block must cover
INITIAL_STATES = ("gym", "paper")

ACTION = ActionSpec((ActionField("agent.target", 2, "px", "native"),), 1 / CONTROL_HZ)

_AGENT_POSITION = ObservationField("agent_position", (2,), "float32", "px", "state")
OBSERVATIONS: Mapping[str, ObservationSpec] = {
    "state": ObservationSpec((ObservationField("state", (5,), "float32", "px px px px rad", "state"),)),
    "keypoints": ObservationSpec((ObservationField("keypoints", (9, 2), "float32", "px", "points"), _AGENT_POSITION)),
    "image": ObservationSpec((ObservationField("image", (96, 96, 3), "uint8", "1", "image"), _AGENT_POSITION)),
}

CENTRE_OF_MASS = np.array([0.0, 45.0])  # px, in the block's own frame

# The nine points of the human demonstrations, in px in the block's own frame and in the order of their store.
KEYPOINTS = np.array(
    [
        [9.26979, 90.04097],
        [-60.98347, -1.18673],
        [60.91276, -1.39336],
        [-0.27050, 25.54363],
        [-14.06493, 122.81585],
        [39.00274, 32.85740],
        [-39.96641, 32.72966],
        [-16.82434, 62.86318],
        [23.54146, -1.70029],
    ]
)


@dataclass(frozen=True, kw_only=True)
class PushTOptions(TaskOptions):
    """Options of `pusht/*`.

    Args:
        initial_states: `gym` draws them as gym-pusht does, `paper` as the Diffusion Policy evaluation did.
    """

    initial_states: str = "gym"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("option initial_states", self.initial_states, INITIAL_STATES)


def names() -> tuple[str, ...]:
    return tuple(OBSERVATIONS)


def task_info(name: str) -> TaskInfo:
    if name not in OBSERVATIONS:
        raise InputError(
            "task",
            expected=f"pusht/ with one of {', '.join(OBSERVATIONS)}",
            got=f"'pusht/{name}'",
            way_out=nearest(f"pusht/{name}", [f"pusht/{each}" for each in OBSERVATIONS]),
        )
    return TaskInfo(
        id=f"pusht/{name}",
        control_hz=CONTROL_HZ,
        max_steps=300,
        n_action_steps=8,
        success=f"the block covers more than {COVERAGE:.0%} of the goal",
        score=f"coverage / {COVERAGE}, clipped to 1",
        instruction="push the T onto its outline",
    )


def make(name: str, *, reward: str, options: Mapping[str, Any]) -> PushT:
    return PushT(name, reward=reward, options=read_options(PushTOptions, options, task_info(name).id))


class PushT(TaskEnv):
    """PushT seen as `state`, `keypoints` or `image`.

    `reset(options={"state": (5,)})` starts from agent x, y, block x, y (px) and block angle (rad), as observed.
    """

    repeats = True

    def __init__(self, name: str, *, reward: str, options: PushTOptions) -> None:
        bounds = (np.zeros(2), np.full(2, 512.0))
        super().__init__(task_info(name), OBSERVATIONS[name], ACTION, bounds=bounds, reward=reward, options=options)
        self._seen = name
        self._initial_states = options.initial_states
        size = options.render_size
        self._env = _gym_pusht()(
            obs_type="pixels_agent_pos" if name == "image" else "state",
            visualization_width=size,
            visualization_height=size,
        )

    def start(self, seed: int | None, options: Mapping[str, Any]) -> Outcome:
        state = options.get("state")
        if state is not None:
            state = _before_legacy_turn(np.asarray(state, dtype=np.float64))
        elif self._initial_states == "paper":
            state = paper_initial_state(seed if seed is not None else int(self.np_random.integers(2**31)))
        observation, info = self._env.reset(seed=seed, options={"reset_to_state": state})
        return self._outcome(observation, 0.0, False, info)

    def advance(self, action: np.ndarray) -> Outcome:
        observation, reward, _, _, info = self._env.step(action)
        return self._outcome(observation, float(reward), bool(info["is_success"]), info)

    def holding(self, observation: Observation) -> np.ndarray:
        return np.array(self._env.agent.position, dtype=np.float64)

    def picture(self) -> np.ndarray:
        return np.ascontiguousarray(self._env.render())

    def close(self) -> None:
        self._env.close()

    def _outcome(self, observation: Any, reward: float, success: bool, info: Mapping[str, Any]) -> Outcome:
        return Outcome(self._observe(observation), reward, success, score=reward, info={"contacts": info["n_contacts"]})

    def _observe(self, observation: Any) -> Observation:
        if self._seen == "image":
            return {
                "image": np.ascontiguousarray(observation["pixels"]),
                "agent_position": observation["agent_pos"].astype(np.float32),
            }
        if self._seen == "keypoints":
            return {
                "keypoints": keypoints(observation).astype(np.float32),
                "agent_position": observation[:2].astype(np.float32),
            }
        return {"state": observation.astype(np.float32)}


def keypoints(state: np.ndarray) -> np.ndarray:
    """The block's nine points (..., 9, 2) in px for states (..., 5)."""
    return state[..., None, 2:4] + np.einsum("...ij,kj->...ki", _turn(state[..., 4]), KEYPOINTS)


def paper_initial_state(seed: int) -> np.ndarray:
    """The (5,) state that Diffusion Policy's PushTEnv draws from a seed, as it hands it to its reset."""
    random = np.random.RandomState(seed)
    agent, block = random.randint(50, 450, size=2), random.randint(100, 400, size=2)
    return np.array([*agent, *block, random.randn() * 2 * np.pi - np.pi])


def _turn(angle: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 2, 2) of angles (...)."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([cos, -sin], axis=-1), np.stack([sin, cos], axis=-1)], axis=-2)


def _before_legacy_turn(state: np.ndarray) -> np.ndarray:
    """The state for gym-pusht so that the block, placed first and turned about its centre next, ends at `state`."""
    if state.shape != (5,):
        raise InputError("option state of pusht", expected="(5,): agent x, y, block x, y, angle", got=str(state.shape))
    placed = state.copy()
    placed[2:4] -= CENTRE_OF_MASS - _turn(state[4]) @ CENTRE_OF_MASS
    return placed


def _gym_pusht() -> Any:
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from gym_pusht.envs.pusht import PushTEnv, pymunk_to_shapely
    except ImportError as error:
        raise MissingExtraError("gym-pusht", "pusht") from error

    class Repeatable(PushTEnv):  # type: ignore[misc]
        """gym-pusht with a coverage that is the same bit for bit in every process.

        pymunk hands out a body's shapes as a set, in the order of their addresses, and that order decides how areas
        are summed. Here the shapes are in the order of their corners.
        """

        def _get_coverage(self) -> float:
            shapes = sorted(self.block.shapes, key=lambda shape: shape.get_vertices())
            goal = pymunk_to_shapely(self.get_goal_pose_body(self.goal_pose), shapes)
            return float(goal.intersection(pymunk_to_shapely(self.block, shapes)).area / goal.area)

    return Repeatable
