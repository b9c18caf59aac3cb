"""The poses that robosuite's controller made of recorded actions: each recorded state is set, and the controller forms
the goal of the action that followed."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Iterator, Mapping

import numpy as np

from data.formats.hdf5.absolute import Unfit
from robot.control.rotation import angle_between, rotation_6d_from_matrix
from robot.description import ActionField
from robot.errors import one_line
from sim.tasks.robosuite.env import ARM
from sim.tasks.robosuite.package import import_robosuite

_OF_MODEL = (
    "gripper_types",
    "base_types",
    "single_object_mode",
    "object_type",
    "nut_type",
    "use_latch",
    "lite_physics",
)
"""Words, numbers and flags for robosuite's environments that change what is in a state, or how it goes on."""
_GRIPPER = f"{ARM}_gripper"
_LEVER_M = 0.1  # by which an error of the rotation counts as one of the position


class ControllerReplay:
    """robosuite's `OSC_POSE` of one arm.

    Args:
        env: robosuite's environment, with that controller and perhaps a gripper.
        installed: version of robosuite.

    Attributes:
        fields: `tcp.position` (3) m and `tcp.rotation` (6) in the frame of the robot's base, and `gripper`, as in our
            own robosuite tasks.
        note: what is made, in words.

    Raises:
        Unfit: the robot has other parts.
    """

    def __init__(self, env: Any, installed: str) -> None:
        self._env, self._robot = env, env.robots[0]
        self._controller = self._robot.composite_controller.part_controllers.get(ARM)
        parts = dict(self._robot.composite_controller._action_split_indexes)
        if not set(parts) <= {ARM, _GRIPPER} or getattr(self._controller, "name", "") != "OSC_POSE":
            raise Unfit("its robot is not one arm that takes poses")
        self._arm, self._gripper = slice(*parts[ARM]), slice(*parts.get(_GRIPPER, (0, 0)))
        width = self._gripper.stop - self._gripper.start
        self.fields = (
            ActionField("tcp.position", 3, "m", "pose"),
            ActionField("tcp.rotation", 6, "1", "pose"),
            *((ActionField("gripper", width, "1", "native"),) if width else ()),
        )
        self.note = (
            f"actions are the poses that the OSC_POSE of robosuite {installed} made of the recorded actions in the "
            "recorded states, in the frame of the robot's base"
        )

    def absolute(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """As `data.formats.hdf5.absolute.Replay`."""
        return np.array([self._goal(state, action) for state, action in zip(states, actions, strict=True)])

    def error(self, state: np.ndarray, action: np.ndarray, following: np.ndarray) -> float:
        """As `data.formats.hdf5.absolute.Replay`."""
        self._set(following, action)
        position, turn = self._tcp()
        self._set(state, action)
        with _said_of_robosuite():
            self._controller.new_update = True  # what it holds is of another state
            self._env.step(np.asarray(action, np.float64))
            self._env.sim.forward()  # a step ends with velocities integrated, and positions of bodies that are not
        reached, turned = self._tcp()
        # Not of joints: the posture that the controller pulls a redundant arm to is no part of a state.
        return float(np.linalg.norm(reached - position) + _LEVER_M * angle_between(turned, turn))

    def close(self) -> None:
        """End the simulation."""
        self._env.close()

    def _goal(self, state: np.ndarray, action: np.ndarray) -> np.ndarray:
        self._set(state, action)
        with _said_of_robosuite():
            self._robot.composite_controller.update_state()
            self._controller.update(force=True)
            self._controller.set_goal(np.asarray(action[self._arm], np.float64))
        position, turn = np.array(self._controller.goal_pos), np.array(self._controller.goal_ori)
        if self._controller.input_ref_frame == "base":
            origin, of_origin = self._controller.origin_pos, self._controller.origin_ori
            position, turn = origin + of_origin @ position, of_origin @ turn
        base, of_base = np.asarray(self._robot.base_pos), np.asarray(self._robot.base_ori)
        position, turn = of_base.T @ (position - base), of_base.T @ turn
        return np.concatenate([position, rotation_6d_from_matrix(turn), action[self._gripper]])

    def _tcp(self) -> tuple[np.ndarray, np.ndarray]:
        """Position, m, and rotation of the tool's centre in the world."""
        data, site = self._env.sim.data, self._robot.eef_site_id[ARM]
        return np.array(data.site_xpos[site]), np.array(data.site_xmat[site]).reshape(3, 3)

    def _set(self, state: np.ndarray, action: np.ndarray) -> None:
        size = self._env.sim.get_state().flatten().size
        if state.shape != (size,) or action.shape != (self._robot.action_dim,):
            raise Unfit(
                f"states of {state.size} numbers and actions of {action.size}, where robosuite's scene has {size} and "
                f"{self._robot.action_dim}"
            )
        if not (np.isfinite(state).all() and np.isfinite(action).all()):
            raise Unfit("a state or an action that is not finite")
        with _said_of_robosuite():
            self._env.sim.set_state_from_flattened(np.asarray(state, np.float64))
            self._env.sim.forward()


def replay_of(attributes: Mapping[str, Any]) -> ControllerReplay:
    """The controller that the actions of an HDF5 file were for.

    Args:
        attributes: of the file's `data`: robomimic's `env_args`, or robosuite's `env_info` and `repository_version`.

    Raises:
        Unfit: another robosuite made it than the one that is installed, its controller is another, or robosuite refuses
            what it says.
    """
    given = attributes.get("env_args") or attributes.get("env_info")
    environment = given if isinstance(given, Mapping) else {}
    made_by = environment.get("env_version") or attributes.get("repository_version")
    try:
        installed = version("robosuite")
    except PackageNotFoundError:
        raise Unfit("robosuite is not installed") from None
    if made_by != installed:
        raise Unfit(
            f"the file is of robosuite {str(made_by)[:40]!a}, and {installed} is installed"
            if made_by
            else "the file does not say which version of robosuite made it"
        )
    kwargs = environment.get("env_kwargs", environment)
    kwargs = kwargs if isinstance(kwargs, Mapping) else {}
    name = environment.get("env_name") or attributes.get("env")
    robots = kwargs.get("robots")
    robot = robots[0] if isinstance(robots, list) and len(robots) == 1 else robots
    frequency = kwargs.get("control_freq", 20)
    if not isinstance(name, str) or not isinstance(robot, str):
        raise Unfit("the file does not name an environment with one robot")
    if isinstance(frequency, bool) or not isinstance(frequency, (int, float)) or not 1 <= frequency <= 500:
        raise Unfit("its control rate is not 1 to 500 Hz")
    controller = _controller(kwargs.get("controller_configs"))
    scene = {key: kwargs[key] for key in _OF_MODEL if isinstance(kwargs.get(key), (bool, int, str))}
    with _said_of_robosuite():
        env = import_robosuite().make(
            name,
            robots=robot,
            controller_configs=controller,
            control_freq=frequency,
            has_renderer=False,
            has_offscreen_renderer=False,
            use_camera_obs=False,
            ignore_done=True,
            hard_reset=False,
            seed=0,
            **scene,
        )
        env.reset()
    try:
        return ControllerReplay(env, installed)
    except Unfit:
        env.close()
        raise


def _controller(given: Any) -> dict[str, Any]:
    """The configuration of a composite controller with one arm that takes poses, as robosuite reads it."""
    config = given if isinstance(given, Mapping) else {}
    bodies = config.get("body_parts")
    if isinstance(bodies, Mapping) and isinstance(bodies.get("arms"), Mapping):
        bodies = {**bodies["arms"], **{name: body for name, body in bodies.items() if name != "arms"}}
    arm = bodies.get(ARM) if isinstance(bodies, Mapping) else config  # of before 1.5 it is the arm's alone
    if not isinstance(arm, Mapping) or config.get("type") not in ("BASIC", "OSC_POSE") or arm.get("type") != "OSC_POSE":
        raise Unfit("its controller is not the OSC_POSE of one arm")
    if arm.get("impedance_mode", "fixed") != "fixed" or arm.get("interpolation") is not None:
        raise Unfit("its controller takes stiffness too, or interpolates")
    return {"type": "BASIC", "body_parts": {ARM: {**arm, "gripper": {"type": "GRIP"}}}}


@contextmanager
def _said_of_robosuite() -> Iterator[None]:
    """What robosuite or MuJoCo raises of what a file says, as a reason."""
    try:
        yield
    except Unfit:
        raise
    except Exception as error:
        raise Unfit(f"robosuite refuses it: {ascii(one_line(error))[1:-1][:200]}") from error
