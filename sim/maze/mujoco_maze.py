"""The same maze on MuJoCo: its contacts and its integration, under the same impedance law, filters and ledger.

The pin and the blocks are spheres in the plane of the walls, which meet a box in one point as discs do. MuJoCo
gives the stiffness of a contact by its reference acceleration; here it is converted to N/m, which is exact for a single
contact. Forces of several contacts at once, and those of friction, differ from `sim.maze.physics`: compare ratios and
bounds.
"""

from __future__ import annotations

from typing import Any, Sequence

import mujoco
import numpy as np

from robot.safety.energy.budget import Budget
from robot.safety.energy.ledger import EnergyLedger
from robot.safety.energy.setpoint.filter import SetpointFilter
from robot.safety.energy.tank import INVALID, LATCHED, NONE
from robot.safety.energy.torque.filter import TorqueFilter
from sim.maze import physics
from sim.maze.assembly import gate_opening
from sim.maze.batch import MazeBatch
from sim.maze.inner_loop import QUEUE
from sim.maze.layout import BLOCK_RADIUS_M, GATE, LOOSE, PIN_RADIUS_M, Layout, layout
from sim.maze.options import DAMPING_FACTOR, GATE_N_PER_M, PERIOD_S, PIN_DAMPING, PIN_KG, TICK_S, TICKS, MazeOptions
from sim.state.mujoco_state import MujocoState
from sim.state.packed import SavedState

IMPEDANCE = 0.01  # of contacts: small, so that a contact is a spring and a damper beside the other forces
_AWAY = 10.0  # m, where absent boxes are kept


class MujocoMaze(MazeBatch):
    """One row of `MazeBatch` whose world is MuJoCo's.

    Args:
        layouts, seed, budget, enforce, options, restart: as of `MazeBatch`.
        trace: see `MazeBatch`.
    """

    def __init__(
        self,
        *,
        layouts: Sequence[int],
        seed: int,
        budget: Budget,
        enforce: bool,
        options: MazeOptions = MazeOptions(),
        restart: bool = True,
        trace: bool = False,
    ) -> None:
        super().__init__(
            1, layouts=layouts, seed=seed, budget=budget, enforce=enforce, options=options, restart=restart, trace=trace
        )
        self._filter = TorqueFilter(self.ledger, self._law.acceleration, effort=self._law.effort)

    def _begin(self, rows: Sequence[int] | np.ndarray) -> None:
        super()._begin(rows)
        self._build()
        world, control = self._world, self._control
        self._data.qpos[:2] = world.pin[0, :2]
        for block in range(int(world.body_counts[0]) - 1):
            self._data.qpos[2 + 2 * block : 4 + 2 * block] = world.blocks[0, block, :2]
        self._leash_ledger = EnergyLedger(self.budget, PERIOD_S)
        self._leash = SetpointFilter(self._leash_ledger, control.setpoint, control.stiffness, mode="leash")

    def _build(self) -> None:
        """Make the model of the row's layout and friction, with data of its own."""
        number = int(self.layout[0])
        self._plan = layout(number)
        self._model = _model_of(number, self.options, float(self._world.friction[0]))
        self._data = mujoco.MjData(self._model)
        self._mujoco = MujocoState(self._model, self._data)

    def save(self) -> SavedState:
        return SavedState.joined(super().save(), self._mujoco.save().within("mujoco"))

    def restore(self, state: SavedState) -> None:
        inside = state.part("mujoco")
        arrays = {name: value for name, value in state.arrays.items() if not name.startswith("mujoco/")}
        plain = {name: value for name, value in state.plain.items() if not name.startswith("mujoco/")}
        super().restore(SavedState(arrays, plain))
        self._build()  # each episode has a model of its own
        self._mujoco.restore(inside)

    def _advance(self) -> None:
        world, control, log = self._world, self._control, self._told
        data, model = self._data, self._model
        peak = 0.0
        for tick in range(TICKS):
            self._move_walls(world.clock[0] * TICK_S)
            while control.queued[0, 1] and control.due[0, control.queued[0, 0]] <= world.clock[0]:
                self._take(control.queue[0, control.queued[0, 0]])
                control.queued[0] = (control.queued[0, 0] + 1) % QUEUE, control.queued[0, 1] - 1
            before, velocity = data.qpos[:2].copy(), data.qvel[:2].copy()
            damping = -DAMPING_FACTOR * np.sqrt(control.stiffness[0] * PIN_KG) * velocity
            force = control.stiffness[0] * (control.setpoint[0] - before) + damping
            reason = NONE
            if self.enforce:
                result = self._filter.filter(force, velocity, damping=damping)
                force, reason = result.torque[0], int(result.reasons[0]) or int(control.leashed[0])
            else:
                force = np.clip(force, -self._law.effort, self._law.effort)
            log.reasons[0, reason] += 1
            data.ctrl[:2], data.qfrc_applied[:2] = force, world.push[0]
            for _ in range(self.options.substeps):
                previous = data.qpos[:2].copy()
                mujoco.mj_step(model, data)
                displacement, contact = data.qpos[:2] - previous, data.qfrc_constraint[:2]
                world.wrench[0] += contact * model.opt.timestep
                world.sums[0, physics.CONTACT_WORK] -= contact @ displacement
                world.sums[0, physics.PUSH_WORK] += world.push[0] @ displacement
                peak = max(peak, float(np.hypot(*contact)))
            self.ledger.close(force, before, data.qpos[:2])
            log.executed[0, :2] += (before + (force - damping) / control.stiffness[0]) / TICKS
            log.executed[0, 2:] += control.stiffness[0] / TICKS
            if tick < log.trace.shape[1]:
                log.trace[0, tick] = *data.qpos[:2], *force
            world.clock[0] += 1
        world.sums[0, physics.PEAK] = peak
        world.pin[0] = *data.qpos[:2], *data.qvel[:2]
        for block in range(int(world.body_counts[0]) - 1):
            at = slice(2 + 2 * block, 4 + 2 * block)
            world.blocks[0, block] = *data.qpos[at], *data.qvel[at]

    def _take(self, command: np.ndarray) -> None:
        """Put a command (4,) in force, as far as the leash lets it."""
        control = self._control
        if not self.enforce:
            control.setpoint[0], control.stiffness[0] = command[:2], command[2:]
            return
        if not np.isfinite(command[2:]).all():
            # The filter refuses a matrix that is no stiffness; here it comes from a policy, and is an invalid input.
            command = np.array([np.nan, np.nan, *control.stiffness[0]])
        result = self._leash.filter(command[None, :2], self._data.qpos[None, :2], stiffness=np.diag(command[2:])[None])
        control.leashed[0] = int(result.reasons[0])
        if result.reasons[0] == INVALID:
            self.ledger.tank[0, LATCHED] = 1.0
            return
        control.setpoint[0], control.stiffness[0] = result.setpoint[0], np.diag(result.stiffness[0])

    def _move_walls(self, time_s: float) -> None:
        options, boxes = self.options, self._plan.boxes
        share = 0.5 + 0.5 * np.cos(2 * np.pi * time_s / options.gate_s)
        for geom, kind in enumerate(self._plan.kinds):
            if kind == GATE and options.gate:
                middle = boxes[geom].reshape(2, 2).mean(axis=0) + gate_opening(self._plan) * share
                self._model.geom_pos[geom, :2] = middle
            elif kind == LOOSE and options.removal_s is not None and time_s >= options.removal_s:
                self._model.geom_pos[geom, 0] = _AWAY


def maze_xml(plan: Layout, options: MazeOptions, friction: float) -> str:
    """The maze as MJCF: walls in the order of the layout's boxes, then the pin and the blocks."""
    parts = []
    for i, (box, kind) in enumerate(zip(plan.boxes, plan.kinds)):
        middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
        x = _AWAY if kind == GATE and not options.gate else middle[0]
        parts.append(f'<geom name="wall{i}" type="box" pos="{x} {middle[1]} 0" size="{half[0]} {half[1]} 0.02"/>')
    bodies = [("pin", PIN_KG, PIN_RADIUS_M, PIN_DAMPING, 0.0)]
    floor = options.floor_friction * 9.81 * options.block_kg
    bodies += [
        (f"block{i}", options.block_kg, BLOCK_RADIUS_M, 0.0, floor)
        for i in range(len(plan.blocks) if options.blocks else 0)
    ]
    for name, mass, radius, damping, loss in bodies:
        joints = "".join(
            f'<joint name="{name}.{axis}" type="slide" axis="{unit}" damping="{damping}" frictionloss="{loss}"/>'
            for axis, unit in (("x", "1 0 0"), ("y", "0 1 0"))
        )
        parts.append(
            f'<body name="{name}">{joints}<geom name="{name}" type="sphere" size="{radius}" mass="{mass}"/></body>'
        )
    masses, pairs = {name: mass for name, mass, *_ in bodies}, []
    step_s = TICK_S / options.substeps
    for i, (name, mass, *_) in enumerate(bodies):
        for j, kind in enumerate(plan.kinds):
            stiffness = min(GATE_N_PER_M, options.wall) if kind == GATE else options.wall
            pairs.append(_pair(name, f"wall{j}", stiffness, mass, options.wall_damping, friction, step_s))
        for other, *_ in bodies[:i]:
            both = 1 / (1 / mass + 1 / masses[other])
            pairs.append(_pair(name, other, options.wall, both, options.wall_damping, friction, step_s))
    return (
        f'<mujoco><compiler angle="radian"/><option timestep="{step_s}" gravity="0 0 0" integrator="Euler" '
        f'cone="elliptic" iterations="50"/><default><geom contype="0" conaffinity="0"/></default>'
        f"<worldbody>{''.join(parts)}</worldbody><contact>{''.join(pairs)}</contact>"
        '<actuator><motor joint="pin.x"/><motor joint="pin.y"/></actuator></mujoco>'
    )


def _pair(first: str, second: str, stiffness: float, mass: float, ratio: float, friction: float, step_s: float) -> str:
    """A contact of a stiffness in N/m between things of an effective mass.

    MuJoCo's force is (a_ref - a) / (A + R), with A = 1/m, R = A (1 - d) / d and a_ref = k depth / d: m k depth for a
    small d, but for a part d of the other forces.
    """
    damping, stickiest = 2 * ratio * np.sqrt(stiffness * mass), 0.5 * mass / step_s
    return (
        f'<pair geom1="{first}" geom2="{second}" condim="3" friction="{friction} {friction} 0 0 0" '
        f'solref="{-stiffness / mass} {-max(damping, 1e-6) / mass}" '
        f'solreffriction="-1 {-stickiest / mass}" solimp="{IMPEDANCE} {IMPEDANCE} 0.001 0.5 1"/>'
    )


def _model_of(number: int, options: MazeOptions, friction: float) -> Any:
    """A model of its own: walls are moved in it."""
    return mujoco.MjModel.from_xml_string(maze_xml(layout(number), options, friction))
