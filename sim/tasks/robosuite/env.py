"""A robosuite scene behind the interface of all tasks: what is observed, how a pose reaches the controller."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Callable, Mapping

import numpy as np

from robot.control.bounds import action_bounds
from robot.control.rotation import (
    matrix_from_6d,
    matrix_from_quat_wxyz,
    rotation_6d_from_matrix,
    rotvec_from_matrix,
)
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.description.loading import load_robot
from robot.errors import InputError, nearest
from sim.rendering.backend import SceneRenderer
from sim.state.attributes import AttributeState
from sim.state.mujoco_state import MujocoState
from sim.state.packed import SavedState
from sim.tasks.environment import Observation, Outcome, TaskEnv
from sim.tasks.info import TaskInfo

if TYPE_CHECKING:
    from sim.tasks.robosuite.facts import RobosuiteOptions

ARM = "right"
COLLISION_SHAPES = (0,)  # robosuite's group of geoms that collide but are not visible
_MODEL_SEED = 0  # sizes and textures that robosuite draws once per model; episodes draw from the seed of their reset
_UNITS_AND_KINDS = {
    "position": ("m", "pose"),
    "rotation": ("1", "pose"),
    "from_tcp": ("m", "state"),
    "width": ("m", "width"),
    "image": ("1", "image"),
}
_SCALAR_UNITS = {"hinge_qpos": "rad", "handle_qpos": "rad", "wipe_radius": "m", "wipe_centroid": "m"}

Sensor = Callable[[dict[str, Any]], np.ndarray]


class RobosuiteEnv(TaskEnv):
    """One robosuite task.

    Observation: `tcp.position` (3) m, `tcp.rotation` (6), `gripper.width` (1) m; for each object X of the scene
    `X.position` (3) m, `X.from_tcp` (3) m, its position minus that of the tcp, and `X.rotation` (6) where robosuite
    has it; robosuite's other readings under their own names; `<camera>.image`.
    Action: `tcp.position` (3) m, `tcp.rotation` (6), `gripper` (1), whose sign opens (-) or closes (+).
    """

    def __init__(self, suite: Any, task: TaskInfo, *, reward: str, options: RobosuiteOptions) -> None:
        self._env = _build(suite, task, shaped=reward == "native")
        self._robot = self._env.robots[0]
        self._sensors = _object_sensors(self._env)
        self._state = MujocoState(self._env.sim.model._model, self._env.sim.data._data)
        self._attributes = AttributeState(self._env, _keeps_state)
        self._image_size = options.image_size
        self._cameras = {name: self._camera_number(name) for name in options.cameras}
        self._render_camera = self._camera_number(options.render_camera)
        self._substeps = int(self._env.control_timestep / self._env.model_timestep)
        self._has_gripper = self._robot.gripper[ARM].dof > 0
        spec = self._action_spec(1 / task.control_hz)
        super().__init__(
            task,
            self._observation_spec(),
            spec,
            bounds=_bounds(spec),
            reward=reward,
            options=options,
        )

    def start(self, seed: int | None, options: Mapping[str, Any]) -> Outcome:
        stream = seed if seed is not None else int(self.np_random.integers(2**31))
        # The samplers of the scene hold this very generator, so it is rewound, not replaced.
        self._env.rng.bit_generator.state = np.random.default_rng(stream).bit_generator.state
        self._env.reset()
        return self._outcome(0.0)

    def advance(self, action: np.ndarray) -> Outcome:
        # The loop of robosuite's own step, without polling every sensor and re-deriving its action limits 25 times.
        robot, sim = self._robot, self._env.sim
        controller, command = robot.composite_controller, self._command(action)
        sim.step1()
        controller.update_state()
        controller.set_goal(command)
        for substep in range(self._substeps):
            if substep:
                sim.step1()
            for part, torque in controller.run_controller(robot._enabled_parts).items():
                actuators, low, high = self._actuators[part]
                sim.data.ctrl[actuators] = np.clip(torque, low, high)
            sim.step2()
        reward, _, _ = self._env._post_action(command)  # in which some tasks update the state that success depends on
        return self._outcome(reward)

    def save_suite(self) -> SavedState:
        return SavedState.joined(self._state.save().within("scene"), self._attributes.save().within("task"))

    def restore_suite(self, state: SavedState) -> None:
        self._state.restore(state.part("scene"))
        self._attributes.restore(state.part("task"))

    def picture(self) -> np.ndarray:
        return self._picture_renderer.draw(self._env.sim.data._data, self._render_camera)

    def close(self) -> None:
        for name in ("_picture_renderer", "_image_renderer"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()
        self._env.close()

    @cached_property
    def _actuators(self) -> dict[str, tuple[list[int], np.ndarray, np.ndarray]]:
        """Actuators of each part of the robot, with their lowest and highest control."""
        ranges = self._env.sim.model.actuator_ctrlrange
        numbers = self._robot._ref_actuators_indexes_dict
        return {part: (each, ranges[each, 0], ranges[each, 1]) for part, each in numbers.items()}

    @cached_property
    def _picture_renderer(self) -> SceneRenderer:
        return self._renderer(self.render_size)

    @cached_property
    def _image_renderer(self) -> SceneRenderer:
        return self._renderer(self._image_size)

    def _renderer(self, size: int) -> SceneRenderer:
        return SceneRenderer(self._env.sim.model._model, size, size, hidden_groups=COLLISION_SHAPES)

    def _camera_number(self, name: str) -> int:
        names = self._env.sim.model.camera_names
        if name not in names:
            raise InputError(f"camera '{name}'", expected=f"one of {', '.join(names)}", way_out=nearest(name, names))
        return self._env.sim.model.camera_name2id(name)

    def _command(self, action: np.ndarray) -> np.ndarray:
        """The command of robosuite's OSC_POSE: position, rotation vector, gripper."""
        parts = self.action_spec.unpack(action)
        turn = rotvec_from_matrix(matrix_from_6d(parts["tcp.rotation"]))
        return np.concatenate([parts["tcp.position"], turn, np.clip(parts.get("gripper", []), -1, 1)])

    def _outcome(self, reward: float) -> Outcome:
        success = bool(self._env._check_success())
        return Outcome(self._observe(), float(reward), success, score=float(success))

    def _observe(self) -> Observation:
        data = self._env.sim.data
        origin, turn = self._robot.base_pos, self._robot.base_ori  # of the base, in the world
        site = self._robot.eef_site_id[ARM]
        tcp = turn.T @ (data.site_xpos[site] - origin)
        row = {
            "tcp.position": tcp,
            "tcp.rotation": rotation_6d_from_matrix(turn.T @ data.site_xmat[site].reshape(3, 3)),
        }
        if self._has_gripper:
            fingers = data.qpos[self._robot._ref_gripper_joint_pos_indexes[ARM]]
            row["gripper.width"] = fingers[:1] - fingers[1:]
        seen: dict[str, Any] = {}
        for name, sensor in self._sensors.items():
            seen[name] = value = sensor(seen)
            thing = name.rpartition("_")[0]
            if name.endswith("_pos"):
                row[f"{thing}.position"] = turn.T @ (value - origin)
                row[f"{thing}.from_tcp"] = row[f"{thing}.position"] - tcp
            elif name.endswith("_quat"):
                row[f"{thing}.rotation"] = rotation_6d_from_matrix(turn.T @ matrix_from_quat_wxyz(np.roll(value, 1)))
            else:
                row[name] = np.atleast_1d(value)
        observation = {name: np.asarray(value, dtype=np.float32) for name, value in row.items()}
        for name, camera in self._cameras.items():
            observation[f"{name}.image"] = self._image_renderer.draw(data._data, camera)
        return observation

    def _observation_spec(self) -> ObservationSpec:
        def field(name: str, value: np.ndarray) -> ObservationField:
            other = (_SCALAR_UNITS.get(name, "1"), "state")
            unit, kind = _UNITS_AND_KINDS.get(name.rpartition(".")[2], other)
            return ObservationField(name, value.shape, value.dtype.name, unit, kind)

        return ObservationSpec(tuple(field(name, value) for name, value in self._observe().items()))

    def _action_spec(self, period_s: float) -> ActionSpec:
        fields = [ActionField("tcp.position", 3, "m", "pose"), ActionField("tcp.rotation", 6, "1", "pose")]
        if self._has_gripper:
            fields.append(ActionField("gripper", 1, "1", "native"))
        return ActionSpec(tuple(fields), period_s)


def _bounds(spec: ActionSpec) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and highest action, each (dim,): robosuite's Panda is ours, its gripper takes -1 to 1."""
    low, high = action_bounds(load_robot("panda").limbs, spec)
    if "gripper" in spec.slices:
        low[spec.slices["gripper"]], high[spec.slices["gripper"]] = -1.0, 1.0
    return low, high


def _build(suite: Any, task: TaskInfo, *, shaped: bool) -> Any:
    """The robosuite environment without renderers. Its model is built once: a reset only resets the state."""
    controller = suite.load_composite_controller_config(robot="Panda")
    controller["body_parts"][ARM].update(input_type="absolute", input_ref_frame="base")
    return suite.make(
        task.id.partition("/")[2],
        robots="Panda",
        controller_configs=controller,
        control_freq=task.control_hz,
        reward_shaping=shaped,
        has_renderer=False,
        has_offscreen_renderer=False,
        use_camera_obs=False,
        ignore_done=True,
        hard_reset=False,
        seed=_MODEL_SEED,
    )


def _keeps_state(held: object) -> bool:
    """Whether an object within robosuite's environment has state of an episode: robots, grippers, controllers."""
    return type(held).__module__.startswith(("robosuite.robots", "robosuite.controllers", "robosuite.models.grippers"))


def _object_sensors(env: Any) -> dict[str, Sensor]:
    """robosuite's readings of the scene, without those that only relate two others."""
    return {
        name: observable._sensor
        for name, observable in env._observables.items()
        if observable.modality == "object" and observable.is_active() and "_to_" not in name
    }
