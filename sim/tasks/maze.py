"""`maze/01` to `maze/12`: find the way through a maze by contact alone, with a pin on an impedance controller, under a
budget of energy. Mazes 1 to 8 are for training, 9 to 12 are of other shapes and held out.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any, Mapping

import numpy as np

from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.description.ranges import Range
from robot.errors import InputError, nearest
from robot.safety.energy.budget import load_budget
from robot.safety.energy.tank import LEVEL, OVERDRAFT, OVERDRAFTS, PEAK, REASONS, SPENT
from sim.maze.assembly import gate_opening
from sim.maze.batch import MazeBatch, MazeStep
from sim.maze.layout import SIZE_M, layout
from sim.maze.options import GOAL_M, HELD_N_PER_M, MAX_STEPS, PERIOD_S, STIFFNESS, MazeOptions
from sim.maze.picture import draw
from sim.maze.plans import PLANS
from sim.state.packed import SavedState
from sim.tasks.environment import Observation, Outcome, TaskEnv
from sim.tasks.info import TaskInfo
from sim.tasks.options import TaskOptions, one_of, read_options

PHYSICS = ("numpy", "mujoco")

# A point in the plane is no pose of a tool: its kind is the suite's own.
ACTION = ActionSpec(
    (ActionField("pin.setpoint", 2, "m", "native"), ActionField("stiffness", 2, "N/m", "stiffness")), PERIOD_S
)

OBSERVATION = ObservationSpec(
    (
        ObservationField("wrench", (2,), "float32", "N", "wrench"),
        ObservationField("position", (2,), "float32", "m", "state"),
        ObservationField("goal", (2,), "float32", "m", "state"),
        ObservationField("energy.tank", (1,), "float32", "1", "state"),
        ObservationField("energy.power", (1,), "float32", "1", "state"),
        ObservationField("action.last", (4,), "float32", "1", "state"),
    )
)

_BEYOND_M = 0.05  # how far outside of the maze a set-point may be


@dataclass(frozen=True, kw_only=True)
class MazeTaskOptions(TaskOptions, MazeOptions):
    """Options of `maze/*`, those of the physics among them.

    Args:
        budget: of energy, a file of `configs/budget`, or a path.
        enforce: whether the leash and the force filter act; else the budget's ledger is a shadow that counts alike.
        physics: `numpy` (compiled, thousands of steps a second) or `mujoco`.
    """

    max_steps: Annotated[int, Range(1, 1_000_000)] | None = None  # type: ignore[assignment]
    budget: str = "maze"
    enforce: bool = True
    physics: str = "numpy"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("option physics", self.physics, PHYSICS)
        _ = self.maze  # raises InputError for invalid values

    @property
    def maze(self) -> MazeOptions:
        """The options of the physics."""
        values = {each.name: getattr(self, each.name) for each in fields(MazeOptions) if each.name != "max_steps"}
        return MazeOptions(**values, max_steps=self.max_steps or MAX_STEPS)


def names() -> tuple[str, ...]:
    return tuple(f"{number:02d}" for number in PLANS)


def task_info(name: str) -> TaskInfo:
    if name not in names():
        raise InputError(
            "task",
            expected=f"maze/ with one of {', '.join(names())}",
            got=f"'maze/{name}'",
            way_out=nearest(f"maze/{name}", [f"maze/{each}" for each in names()]),
        )
    return TaskInfo(
        id=f"maze/{name}",
        control_hz=1 / PERIOD_S,
        max_steps=MAX_STEPS,
        n_action_steps=1,
        success=f"the pin is within {1000 * GOAL_M:g} mm of the goal",
        score="the share of the way from the start to the goal that is behind the pin",
        instruction="find the way through the maze to the goal",
    )


def make(name: str, *, reward: str, options: Mapping[str, Any]) -> Maze:
    return Maze(name, reward=reward, options=read_options(MazeTaskOptions, options, task_info(name).id))


class Maze(TaskEnv):
    """One maze. `info` has the energy account (`energy_*`), the largest contact force of the step and the reason
    why its forces were changed.
    """

    def __init__(self, name: str, *, reward: str, options: MazeTaskOptions) -> None:
        low, high = np.full(2, -_BEYOND_M), np.array(SIZE_M) + _BEYOND_M
        bounds = (np.append(low, [STIFFNESS[0]] * 2), np.append(high, [STIFFNESS[1]] * 2))
        super().__init__(task_info(name), OBSERVATION, ACTION, bounds=bounds, reward=reward, options=options)
        self._plan, self._options = layout(int(name)), options
        arguments: dict[str, Any] = dict(
            layouts=(int(name),),
            seed=0,
            budget=load_budget(options.budget),
            enforce=options.enforce,
            options=options.maze,
            restart=False,
        )
        if options.physics == "mujoco":
            from sim.maze.mujoco_maze import MujocoMaze

            self.batch: MazeBatch = MujocoMaze(**arguments)
        else:
            self.batch = MazeBatch(1, **arguments)
        self._whole_m = 1.0
        self._setpoint = self._plan.start
        self._changed = np.zeros(2)  # share of ticks, summed over steps, and steps

    def start(self, seed: int | None, options: Mapping[str, Any]) -> Outcome:
        self.batch.seed(seed if seed is not None else int(self.np_random.integers(2**31)))
        self.batch.reset()
        self._whole_m = float(self.batch.distance_m[0])
        self._setpoint, self._changed = self.batch.position[0], np.zeros(2)
        return self._outcome(None)

    def advance(self, action: np.ndarray) -> Outcome:
        step = self.batch.step(action[None])
        self._setpoint = step.executed[0, :2]
        self._changed += float(step.changed[0]), 1
        return self._outcome(step)

    def holding(self, observation: Observation) -> np.ndarray:
        return np.append(self.batch.position[0], [HELD_N_PER_M] * 2)

    def save_suite(self) -> SavedState:
        own = SavedState({"setpoint": self._setpoint, "changed": self._changed}, {"whole_m": self._whole_m})
        return SavedState.joined(own, self.batch.save().within("maze"))

    def restore_suite(self, state: SavedState) -> None:
        self.batch.restore(state.part("maze"))
        self._setpoint, self._changed = state.arrays["setpoint"], state.arrays["changed"]
        self._whole_m = float(state.plain["whole_m"])

    def picture(self) -> np.ndarray:
        options, time_s = self._options, (self._steps or 0) * PERIOD_S
        share = 0.5 + 0.5 * np.cos(2 * np.pi * time_s / options.gate_s)
        return draw(
            self._plan,
            self.render_size,
            pin=self.batch.position[0],
            blocks=self.batch.blocks[0],
            setpoint=self._setpoint,
            gate=gate_opening(self._plan) * share if options.gate else None,
            loose=options.removal_s is None or time_s < options.removal_s,
        )

    def _outcome(self, step: MazeStep | None) -> Outcome:
        batch = self.batch
        observation = {
            "wrench": batch.wrench[0],
            "position": batch.position[0],
            "goal": (batch.goal - batch.position)[0],
            "energy.tank": batch.tank_share,
            "energy.power": batch.power_share,
            "action.last": batch.wanted[0],
        }
        tank, done = batch.ledger.tank[0], max(self._changed[1], 1.0)
        info: dict[str, Any] = {
            "energy_spent_j": float(tank[SPENT]),
            "energy_peak_j": float(tank[PEAK]),
            "energy_level_j": float(tank[LEVEL]),
            "energy_tank": float(batch.tank_share[0]),
            "energy_overdrafts": float(tank[OVERDRAFTS]),
            "energy_overdraft_j": float(tank[OVERDRAFT]),
            "energy_changed": float(self._changed[0] / done),
            "peak_force_n": float(step.peak_force_n[0]) if step else 0.0,
        }
        reasons = batch.reasons[0]
        if step is not None and reasons[1:].any():
            info["energy_reason"] = REASONS[1 + int(reasons[1:].argmax())]
        success = bool(step.success[0]) if step else False
        left = float(batch.distance_m[0]) / max(self._whole_m, 1e-9)
        return Outcome(
            {name: np.asarray(value, dtype=np.float32) for name, value in observation.items()},
            float(step.reward[0]) if step else 0.0,
            success,
            score=1.0 if success else float(np.clip(1 - left, 0.0, 1.0)),
            info=info,
        )
