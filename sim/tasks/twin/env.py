"""A task on a twin as a Gymnasium environment: a thin shell over `TwinRobot` with a virtual clock."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Mapping

import mujoco
import numpy as np
from gymnasium import spaces

from robot.contract.contract import Contract
from robot.contract.loading import contract_of_twin
from robot.control.bounds import action_bounds
from robot.control.delta import DeltaAction
from robot.description import ObservationField, ObservationSpec
from robot.description.loading import CONTROLS, load_robot
from robot.description.ranges import Range
from robot.errors import InputError, nearest
from robot.safety.energy.budget import load_budget
from sim.perturbations import SIZES
from sim.perturbations.scene import ScenePerturbations, require_cameras
from sim.rendering.backend import SceneRenderer
from sim.state.attributes import AttributeState
from sim.state.mujoco_state import MujocoState
from sim.state.packed import SavedState
from sim.tasks.environment import Observation, Outcome, TaskEnv
from sim.tasks.options import ACTIONS, CameraOptions, one_of
from sim.tasks.twin.task import TwinTask
from sim.twin.energy import energy_info
from sim.twin.model.assembly import FELT
from sim.twin.model.scene import compile_scene, new_scene
from sim.twin.robot import TwinRobot

START_NOISE_RAD = 0.02
STARTS = ("own", "ambiguous")
PRESS_M = 0.05  # how far a target may be below the table: at 1000 N/m, the hand presses on it with 50 N
RENDERERS = ("_picture_renderer", "_image_renderer")  # made when they are first used


@dataclass(frozen=True, kw_only=True)
class TwinOptions(CameraOptions):
    """Options of `twin/*`.

    Args:
        robot: a file of `configs/robot`, or a path; null takes the task's own.
        control: `cartesian` (poses of the tcp) or `joint` (angles of the arm).
        action: `absolute` targets, or `delta`: bounded changes of the measured pose, each in [-1, 1].
        inner_hz: rate of the inner loop and the physics, 500 to 1000.
        cameras: whose images join the observation: front, wrist.
        depth: add the depth images of those cameras, in mm.
        budget: of energy, a file of `configs/budget`, or a path; `energy.tank` and `energy.changed` are observed then.
        enforce: whether the budget's filters act; false counts work and overdrafts and changes nothing.
        starts: `own` of the task, or `ambiguous`: nothing of a start says what the instruction is, in tasks that have
            several.

    Raises:
        InputError: a value is wrong, or a perturbation of images is asked for and no camera.
    """

    robot: str | None = None
    control: str = "cartesian"
    action: str = "absolute"
    inner_hz: Annotated[int, Range(500, 1000)] = 500
    depth: bool = False
    budget: str | None = None
    enforce: bool = True
    starts: str = "own"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("option control", self.control, CONTROLS)
        one_of("option action", self.action, ACTIONS)
        one_of("option starts", self.starts, STARTS)
        if 1_000_000_000 % self.inner_hz:
            raise InputError(
                "option inner_hz",
                expected="500 to 1000, with a period of whole nanoseconds",
                got=str(self.inner_hz),
                way_out="Use 500, 625, 800 or 1000",
            )
        if self.depth and not self.cameras:
            raise InputError(
                "option depth", expected="cameras to take it from", got="none", way_out="Add cameras=[front,wrist]"
            )
        require_cameras(self.selection, self.cameras)


class TwinEnv(TaskEnv):
    """One task on one robot.

    Observation: the robot's own (`TwinRobot.observe`), then the task's, then `<camera>.image` and `<camera>.depth`.
    Action: `RobotDescription.action_spec`. With `action="delta"` it is what `robot.control.delta` describes, and
    `info["action"]` of a step is the absolute action that it came to, the one to record: the hand moved there from its
    measured pose, and not from its last target. `action_spec` describes the absolute one in both cases.
    `info` has `clamped`, `limited` and what the energy came to (`energy_*`), counted since the reset, and, from a
    reset, the episode's `instruction` and what its `perturbations` drew.
    """

    perturbations = tuple(SIZES)

    def __init__(self, twin_task: TwinTask, *, reward: str, options: TwinOptions) -> None:
        self.twin_task = twin_task
        description = load_robot(options.robot or twin_task.robot)
        twin_task.check_robot(tuple(limb.tool.group for limb in description.limbs), len(description.limbs))
        world = new_scene(1.0 / options.inner_hz)
        twin_task.build(world)
        self._scene_perturbations = ScenePerturbations(options.selection)
        self.scene = compile_scene(world, description, self._scene_perturbations.extend)
        budget = load_budget(options.budget, robot=description.spec.name) if options.budget else None
        self.robot = TwinRobot(
            self.scene,
            description.action_spec(twin_task.info.period_s, options.control),
            budget=budget,
            enforce=options.enforce,
        )
        twin_task.bind(self.scene)
        self._image_size, self._depth = options.image_size, options.depth
        self._cameras = {name: self._camera_number(name) for name in options.cameras}
        self._render_camera = self._camera_number(options.render_camera)
        self._scene_perturbations.bind(self.scene, twin_task.things, tuple(self._cameras.values()))
        self._state = MujocoState(self.scene.model, self.scene.data, repainted=self._scene_perturbations.repaint)
        self._task_state = AttributeState(twin_task, leaves_out=("scene",))
        self._arm_joints = [
            self.scene.model.joint(joint).qposadr[0]
            for limb in description.limbs
            for joint in map(limb.element, limb.arm.joints)
        ]
        spec = self.robot.action_spec
        lowest, highest = self.scene.above_table
        bounds = action_bounds(description.limbs, spec, (lowest - [0, 0, PRESS_M], highest))
        super().__init__(twin_task.info, self._observation_spec(), spec, bounds=bounds, reward=reward, options=options)
        self._delta: DeltaAction | None = None
        if options.action == "delta":
            tools = [limb.field(limb.tool.command.name) for limb in description.limbs]
            self._delta = DeltaAction(spec, *bounds, tools=tools)
            self.action_space = spaces.Box(-1.0, 1.0, (self._delta.dim,), np.float32)

    @property
    def contract(self) -> Contract | None:
        contract = contract_of_twin(self.robot.description.spec.name, self.action_spec)
        if contract is None or any(
            name not in contract.state or contract.state[name].size != (self._image_size,) * 2 for name in self._cameras
        ):
            return None
        return contract

    @property
    def absolute(self) -> bool:
        return self._delta is None

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        if self._delta is None:
            return super().step(action)
        target = self._delta.decode(action, self.robot.hold_target).astype(np.float32)  # the precision of data
        self.robot.stop()  # the set-point starts from the measured pose too
        observation, reward, terminated, truncated, info = super().step(target)
        return observation, reward, terminated, truncated, {**info, "action": target}

    def start(self, seed: int | None, options: Mapping[str, Any]) -> Outcome:
        random = np.random.default_rng(int(self.np_random.integers(2**31)) if seed is None else seed)
        self._scene_perturbations.restore()
        mujoco.mj_resetData(self.scene.model, self.scene.data)
        self.robot.reset()
        noise = random.uniform(-START_NOISE_RAD, START_NOISE_RAD, len(self._arm_joints))
        self.scene.data.qpos[self._arm_joints] += noise
        self.twin_task.place(random)
        self._scene_perturbations.apply(self._draws)
        if self._scene_perturbations.repaint:
            self._repaint()
        self.robot.settle()
        return self._outcome({"instruction": self.twin_task.instruction})

    def advance(self, action: np.ndarray) -> Outcome:
        self.robot.hold(action)
        self.twin_task.update()
        return self._outcome({})

    def save_suite(self) -> SavedState:
        parts = {"scene": self._state.save(), "robot": self.robot.save(), "task": self._task_state.save()}
        return SavedState.joined(*(state.within(name) for name, state in parts.items()))

    def restore_suite(self, state: SavedState) -> None:
        self._state.restore(state.part("scene"))
        self.robot.restore(state.part("robot"))
        self._task_state.restore(state.part("task"))
        if self._scene_perturbations.repaint:
            self._repaint()

    def holding(self, observation: Observation) -> np.ndarray:
        return self.robot.target.copy()

    def picture(self) -> np.ndarray:
        return self._picture_renderer.draw(self.scene.data, self._render_camera)

    def close(self) -> None:
        for name in RENDERERS:
            if name in self.__dict__:
                self.__dict__.pop(name).close()

    def _repaint(self) -> None:
        for name in RENDERERS:
            if name in self.__dict__:
                self.__dict__[name].repaint()

    @cached_property
    def _picture_renderer(self) -> SceneRenderer:
        return SceneRenderer(self.scene.model, self.render_size, self.render_size, hidden_groups=(FELT, 3))

    @cached_property
    def _image_renderer(self) -> SceneRenderer:
        return SceneRenderer(self.scene.model, self._image_size, self._image_size, hidden_groups=(FELT, 3))

    def _camera_number(self, name: str) -> int:
        names = self.scene.names("camera")
        if name not in names:
            raise InputError(f"camera '{name}'", expected=f"one of {', '.join(names)}", way_out=nearest(name, names))
        return self.scene.id("camera", name)

    def _outcome(self, more: Mapping[str, Any]) -> Outcome:
        success, counts = bool(self.twin_task.success()), self.robot.counts
        info = {"clamped": counts.clamped, "limited": counts.limited, **energy_info(self.robot.energy), **more}
        reward = 0.0 if self.sparse else self.twin_task.reward()
        return Outcome(self._observe(), reward, success, score=self.twin_task.score(), info=info)

    def _observe(self) -> Observation:
        row = {**self.robot.observe(), **self.twin_task.observe()}
        for name, camera in self._cameras.items():
            row[f"{name}.image"] = self._image_renderer.draw(self.scene.data, camera)
            if self._depth:
                row[f"{name}.depth"] = self._image_renderer.draw_depth(self.scene.data, camera)
        return row

    def _observation_spec(self) -> ObservationSpec:
        fields: list[ObservationField] = []
        for limb in self.scene.description.limbs:
            command = limb.tool.command
            fields.append(ObservationField(limb.field("tcp.position"), (3,), "float32", "m", "pose"))
            fields.append(ObservationField(limb.field("tcp.rotation"), (6,), "float32", "1", "pose"))
            fields.append(
                ObservationField(
                    limb.field(command.name), (len(limb.tool.joints),), "float32", command.unit, command.kind
                )
            )
        if self.robot.budget is not None:
            limbs = len(self.scene.description.limbs)
            fields += [
                ObservationField(f"energy.{name}", (limbs,), "float32", "1", "state") for name in ("tank", "changed")
            ]
        fields += self.twin_task.fields
        side = self._image_size
        for name in self._cameras:
            fields.append(ObservationField(f"{name}.image", (side, side, 3), "uint8", "1", "image"))
            if self._depth:
                fields.append(ObservationField(f"{name}.depth", (side, side), "uint16", "mm", "depth"))
        return ObservationSpec(tuple(fields))
