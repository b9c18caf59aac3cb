"""A Meta-World task behind the interface of all tasks: starts from a seed, an observation in named parts, cameras."""

from __future__ import annotations

import sys
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any, Mapping

import numpy as np

from robot.control.rotation import matrix_from_quat_wxyz, rotation_6d_from_matrix
from robot.description import ObservationField, ObservationSpec
from robot.errors import InputError, nearest
from sim.rendering.backend import SceneRenderer
from sim.state.attributes import AttributeState
from sim.state.mujoco_state import MujocoState
from sim.state.packed import SavedState
from sim.tasks.environment import Observation, Outcome, TaskEnv
from sim.tasks.info import TaskInfo
from sim.tasks.metaworld.facts import ACTION, OBSERVATION, VERSION

if TYPE_CHECKING:
    from sim.tasks.metaworld.facts import MetaworldOptions

# Each task gives orientations either as MuJoCo's quaternions (w first) or as SciPy's (w last); these are the latter.
QUAT_XYZW = frozenset(
    {
        "coffee-pull",
        "coffee-push",
        "door-close",
        "door-open",
        "lever-pull",
        "peg-insert-side",
        "pick-place",
        "pick-place-wall",
        "plate-slide",
        "plate-slide-back",
        "plate-slide-back-side",
        "plate-slide-side",
        "push",
        "push-back",
        "push-wall",
        "reach",
        "reach-wall",
        "shelf-place",
        "soccer",
        "stick-pull",
        "stick-push",
        "sweep-into",
    }
)
HEAD_DOWN = frozenset({"corner", "corner2", "corner3"})  # cameras that are mounted so; their images are turned upright


class MetaworldEnv(TaskEnv):
    """One Meta-World task, with its goal in sight.

    Observation: `OBSERVATION`, in the frame of the robot's base, zero where the task has no such thing, and
    `<camera>.image`.
    Action, each in [-1, 1]: `hand.step` (3), by which the hand's target moves, in cm; `gripper` (1), the force of the
    fingers, which opens (-) or closes (+) them.
    A seed draws where object and goal are, within Meta-World's own ranges.
    """

    def __init__(self, suite: ModuleType, task: TaskInfo, *, reward: str, options: MetaworldOptions) -> None:
        name = task.id.partition("/")[2]
        self._env = _build(suite, name)
        self._state = MujocoState(self._env.model, self._env.data)
        self._attributes = AttributeState(self._env, leaves_out=("model", "data"))
        self._quat_order = [3, 0, 1, 2] if name in QUAT_XYZW else [0, 1, 2, 3]
        self._image_size = options.image_size
        self._cameras = {each: self._camera_number(each) for each in (*options.cameras, options.render_camera)}
        self._seen, self._render_camera = options.cameras, options.render_camera
        shape = (options.image_size, options.image_size, 3)
        images = [ObservationField(f"{each}.image", shape, "uint8", "1", "image") for each in options.cameras]
        period_s = float(self._env.frame_skip * self._env.model.opt.timestep)
        if not np.isclose(period_s, task.period_s):
            raise InputError(f"control period of {task.id}", expected=f"{task.period_s:g} s", got=f"{period_s:g} s")
        super().__init__(
            task,
            ObservationSpec((*OBSERVATION.fields, *images)),
            ACTION,
            bounds=(-np.ones(4), np.ones(4)),
            reward=reward,
            options=options,
        )

    def start(self, seed: int | None, options: Mapping[str, Any]) -> Outcome:
        import mujoco

        env = self._env
        env.np_random = np.random.default_rng(seed if seed is not None else int(self.np_random.integers(2**31)))
        # As Meta-World makes its own lists of starts: a first reset draws until the draw is legal; then the draw is
        # held and the scene reset to it twice, because some tasks read positions before things have moved there.
        mujoco.mj_resetData(env.model, env.data)
        env._freeze_rand_vec = False
        env.reset_model()
        env._freeze_rand_vec = True
        env.reset()
        mujoco.mj_forward(env.model, env.data)  # a window that starts open is still seen closed without it
        return Outcome(self._observe(env._get_obs()), 0.0, success=False, score=0.0)

    def advance(self, action: np.ndarray) -> Outcome:
        flat, reward, _, _, info = self._env.step(np.clip(action, -1.0, 1.0))
        success = bool(info["success"])
        return Outcome(self._observe(flat), float(reward), success, score=float(success))

    def save_suite(self) -> SavedState:
        return SavedState.joined(self._state.save().within("scene"), self._attributes.save().within("task"))

    def restore_suite(self, state: SavedState) -> None:
        self._state.restore(state.part("scene"))
        self._attributes.restore(state.part("task"))

    def picture(self) -> np.ndarray:
        return self._draw(self._picture_renderer, self._render_camera)

    def close(self) -> None:
        for name in ("_picture_renderer", "_image_renderer"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()
        self._env.close()

    def _observe(self, flat: np.ndarray) -> Observation:
        """Name the parts of Meta-World's row (39): 18 of now, 18 of the step before, the goal."""
        row = {
            "hand.position": flat[0:3],
            "gripper.opening": flat[3:4],
            "object.position": flat[4:7],
            "object.rotation": self._rotation(flat[7:11]),
            "object2.position": flat[11:14],
            "object2.rotation": self._rotation(flat[14:18]),
            "goal.position": flat[36:39],
        }
        observation = {name: np.asarray(value, dtype=np.float32) for name, value in row.items()}
        for camera in self._seen:
            observation[f"{camera}.image"] = self._draw(self._image_renderer, camera)
        return observation

    def _rotation(self, quat: np.ndarray) -> np.ndarray:
        """A task's quaternion (4) as the first two columns of its matrix, (6,); zeros where the task has none."""
        if not quat.any():
            return np.zeros(6)
        return rotation_6d_from_matrix(matrix_from_quat_wxyz(quat[self._quat_order]))

    @cached_property
    def _picture_renderer(self) -> SceneRenderer:
        return SceneRenderer(self._env.model, self.render_size, self.render_size)

    @cached_property
    def _image_renderer(self) -> SceneRenderer:
        return SceneRenderer(self._env.model, self._image_size, self._image_size)

    def _draw(self, renderer: SceneRenderer, camera: str) -> np.ndarray:
        image = renderer.draw(self._env.data, self._cameras[camera])
        return np.ascontiguousarray(image[::-1, ::-1]) if camera in HEAD_DOWN else image

    def _camera_number(self, name: str) -> int:
        model = self._env.model
        names = [model.camera(number).name for number in range(model.ncam)]
        if name not in names:
            raise InputError(f"camera '{name}'", expected=f"one of {', '.join(names)}", way_out=nearest(name, names))
        return names.index(name)


def _build(suite: ModuleType, name: str) -> Any:
    """Meta-World's environment, marked as having its task set: its own method takes one of a frozen list of starts."""
    env = suite.env_dict.ALL_V3_ENVIRONMENTS[name + VERSION]()
    env._set_task_called = True
    env._partially_observable = False
    env.seeded_rand_vec = True
    env.max_path_length = sys.maxsize  # the time limit is ours
    del env.sawyer_observation_space  # cached while the goal was still hidden; it bounds what a step shows
    return env
