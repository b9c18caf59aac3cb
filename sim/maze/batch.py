"""Many mazes at once: what reinforcement learning steps.

A few lines above three hundred, most of them views into the state's columns with their shapes and units.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np

from robot.errors import InputError
from robot.safety.energy.budget import Budget
from robot.safety.energy.ledger import EnergyLedger
from robot.safety.energy.setpoint.filter import SetpointFilter
from robot.safety.energy.tank import LEVEL, NONE, OVERDRAFT, OVERDRAFTS, REASONS, WORK, fill
from sim.maze import physics
from sim.maze.assembly import build_world, make_law
from sim.maze.command import ACTION_REACH_M, decode, encode
from sim.maze.geodesic import distance_at, field_of
from sim.maze.inner_loop import QUEUE, Control, TickLog, run
from sim.maze.layout import layout
from sim.maze.options import GOAL_M, HELD_N_PER_M, PERIOD_S, STIFFNESS, TICK_S, TICKS, MazeOptions
from sim.maze.sensing import OBSERVED, SCALE, drift
from sim.maze.step import MazeStep
from sim.state.attributes import AttributeState
from sim.state.packed import SavedState

__all__ = ["ACTION_REACH_M", "MazeBatch", "MazeStep", "decode", "encode"]


_CONSTANT = ("_state", "_fields", "_goals", "_starts", "_blocks", "_law", "_plan", "_model", "_data", "_mujoco")


class MazeBatch:
    """Rows of mazes, each with a controller, a ledger and, where it is enforced, filters of its own.

    What a row does depends on the seed, its index and its actions, and not on other rows.

    Args:
        count: rows.
        layouts: numbers; each episode draws one of them.
        seed: of all that is drawn.
        budget: of energy.
        enforce: whether the leash and the force filter act; else the ledger only counts, in the same way.
        options: of the physics.
        restart: whether rows that end restart by themselves.
        trace: keep positions and forces of each tick of the last step in `ticks`.

    Attributes:
        action_size, observation_size: numbers of a row's action and observation (`sim.maze.sensing.OBSERVED`).
        ledger: of the energy of all rows.

    Raises:
        InputError: no row, no layout, or one that does not exist.
    """

    action_size = 4
    observation_size = len(OBSERVED)

    def __init__(
        self,
        count: int,
        *,
        layouts: Sequence[int],
        seed: int,
        budget: Budget,
        enforce: bool,
        options: MazeOptions = MazeOptions(),
        restart: bool = True,
        trace: bool = False,
    ) -> None:
        if count < 1 or not layouts:
            raise InputError("maze", expected="at least one row and one layout", got=f"{count} and {len(layouts)}")
        self.count, self.budget, self.enforce, self.options = count, budget, enforce, options
        self.layouts, self.restart = tuple(int(number) for number in layouts), restart
        self.ledger = EnergyLedger(budget, TICK_S, count)
        plans = [layout(number) for number in self.layouts]
        self._world = build_world(plans, count, options)
        self._law = make_law(budget, enforce, options)
        self._control = Control(
            np.zeros((count, 2)),
            np.ones((count, 2)),
            np.zeros(count, np.int64),
            np.zeros((count, QUEUE, 4)),
            np.zeros((count, QUEUE), np.int64),
            np.zeros((count, 2), np.int64),
            self.ledger.tank,
        )
        self._told = TickLog(
            np.zeros((count, 4)), np.zeros((count, len(REASONS)), np.int64), np.zeros((count, TICKS if trace else 0, 4))
        )
        self._fields = np.stack([field_of(number).distance_m for number in self.layouts])
        self._goals = np.stack([plan.goal for plan in plans])
        self._starts = np.stack([plan.start for plan in plans])
        self._blocks = [plan.blocks for plan in plans]
        self._noise = np.zeros((count, options.max_steps + 1, 2), dtype=np.float32)
        self._late = np.zeros((count, options.max_steps + 1))
        self._steps, self._last = np.zeros(count, dtype=np.int64), np.zeros((count, 4))
        self._power = np.zeros(count)
        self._sums = {name: np.zeros(count) for name in ("return", "energy_j", "changed", "peak_force_n")}
        self._state = AttributeState(self, _keeps_state, leaves_out=_CONSTANT)
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Restart all random generators; the next `reset` begins the same episodes as a new batch would."""
        self._random = [
            np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(row,))))
            for row in range(self.count)
        ]

    @property
    def position(self) -> np.ndarray:
        """(count, 2) of the pins, m."""
        return self._world.pin[:, :2].copy()

    @property
    def velocity(self) -> np.ndarray:
        """(count, 2) of the pins, m/s."""
        return self._world.pin[:, 2:].copy()

    @property
    def blocks(self) -> np.ndarray:
        """(count, 2, 2) of the blocks, m; NaN where there is none."""
        there = np.arange(1, 3) < self._world.body_counts[:, None]
        return np.where(there[:, :, None], self._world.blocks[:, :, :2], np.nan)

    @property
    def goal(self) -> np.ndarray:
        """(count, 2) m."""
        return self._goals[self._world.layout]

    @property
    def layout(self) -> np.ndarray:
        """(count,) numbers of the layouts, as in the drawings."""
        return np.array(self.layouts)[self._world.layout]

    @property
    def distance_m(self) -> np.ndarray:
        """(count,) lengths of the shortest paths to the goal round the walls, m."""
        return distance_at(self._fields, self._world.layout, self._world.pin[:, :2])

    @property
    def reasons(self) -> np.ndarray:
        """(count, 7) ticks of the last step, by the code of the reason for a change."""
        return self._told.reasons.copy()

    @property
    def ticks(self) -> np.ndarray:
        """(count, 50, 4) position (m) and force (N) of each tick of the last step, of a batch made with `trace`."""
        return self._told.trace.copy()

    @property
    def contact_work_j(self) -> np.ndarray:
        """(count,) work of the pins on all that they touched in the last step, J; negative if done on them."""
        return self._world.sums[:, physics.CONTACT_WORK].copy()

    @property
    def wrench(self) -> np.ndarray:
        """(count, 2) measured mean contact force on the pins in the last step, N."""
        now = np.minimum(self._steps, self.options.max_steps)
        return self._world.wrench / PERIOD_S + self._noise[np.arange(self.count), now]

    @property
    def power_share(self) -> np.ndarray:
        """(count,) mean power to the pins in the last step over the largest allowed; within -2 and 2."""
        return np.clip(self._power / self.budget.power_w, -2.0, 2.0)

    @property
    def wanted(self) -> np.ndarray:
        """(count, 4) the last action in units of `decode`."""
        return self._last.copy()

    def save(self) -> SavedState:
        """The state of all rows."""
        return self._state.save()

    def restore(self, state: SavedState) -> None:
        """Continue where `save` was called, of a batch that was made alike."""
        self._state.restore(state)

    def reset(self) -> np.ndarray:
        """Begin an episode in every row; returns observations (count, observation_size) float32."""
        self._begin(range(self.count))
        return self._observe()

    def step(self, action: np.ndarray, push: np.ndarray | None = None) -> MazeStep:
        """Hold an action for 50 ms.

        Args:
            action: (count, 4) set-point x and y (m) and stiffness (N/m, held to 100 .. 1500), absolute.
            push: (count, 2) N on the pins from outside meanwhile; None for none.

        Raises:
            InputError: wrong shape, or a number that is not finite where no filter would refuse it.
        """
        action = np.array(action, dtype=np.float64)
        if action.shape != (self.count, 4):
            raise InputError("action of the mazes", expected=f"({self.count}, 4)", got=str(action.shape))
        if not self.enforce and not np.isfinite(action).all():
            raise InputError("action of the mazes", expected="finite numbers", got="others")
        action[:, 2:] = np.clip(action[:, 2:], *STIFFNESS)
        world, log, tank = self._world, self._told, self.ledger.tank
        self._last = np.nan_to_num(encode(action, world.pin[:, :2]))
        self._enqueue(action)
        world.push[:] = 0.0 if push is None else push
        for each in (world.wrench, world.sums, log.executed, log.reasons):
            each[:] = 0
        before = tank[:, [WORK, OVERDRAFT]]
        self._advance()
        self._steps += 1
        work = tank[:, WORK] - before[:, 0]
        self._power = work / PERIOD_S
        distance = np.hypot(*(self.goal - world.pin[:, :2]).T)
        success = (distance <= GOAL_M) & (world.sums[:, physics.PIERCED] == 0)
        reward = -10 * self.distance_m - 0.1 + 10 * success
        truncated = ~success & (self._steps >= self.options.max_steps)
        changed = 1 - log.reasons[:, NONE] / TICKS
        energy, peak = np.maximum(work, 0.0), world.sums[:, physics.PEAK].copy()
        sums = self._sums
        for name, value in (("return", reward), ("energy_j", energy), ("changed", changed)):
            sums[name] += value
        sums["peak_force_n"] = np.maximum(sums["peak_force_n"], peak)
        ended = success | truncated
        episode = {
            name: np.where(ended, value, np.nan)
            for name, value in (
                ("return", sums["return"]),
                ("success", success),
                ("steps", self._steps),
                ("energy_j", sums["energy_j"]),
                ("overdrafts", tank[:, OVERDRAFTS]),
                ("overdraft_j", tank[:, OVERDRAFT]),
                ("changed", sums["changed"] / self._steps),
                ("peak_force_n", sums["peak_force_n"]),
                ("layout", self.layout),
            )
        }
        overdraft = tank[:, OVERDRAFT] - before[:, 1]
        executed, pushed = log.executed.copy(), world.sums[:, physics.PUSH_WORK].copy()
        last = self._observe()
        observation = last
        if self.restart and ended.any():
            self._begin(np.flatnonzero(ended))
            observation = self._observe()
        return MazeStep(
            observation,
            last,
            reward,
            success,
            success.copy(),
            truncated,
            energy,
            overdraft,
            changed,
            peak,
            executed,
            pushed,
            episode,
        )

    def _advance(self) -> None:
        """Take every row through the ticks of a step."""
        run(self._world, self._law, self._control, self._told, TICKS)

    def _enqueue(self, action: np.ndarray) -> None:
        """Queue commands; each arrives after its delay, and never before its predecessor."""
        control, rows = self._control, np.arange(self.count)
        late = self._late[rows, np.minimum(self._steps, self.options.max_steps)]
        due = self._world.clock + np.rint(late / TICK_S).astype(np.int64)
        first, queued = control.queued.T
        newest = control.due[rows, (first + queued - 1) % QUEUE]
        at = (first + queued) % QUEUE
        control.due[rows, at] = np.where(queued > 0, np.maximum(due, newest), due)
        control.queue[rows, at] = action
        control.queued[:, 1] += 1

    def _begin(self, rows: Sequence[int] | np.ndarray) -> None:
        world, control, options = self._world, self._control, self.options
        for row in rows:
            random = self._random[row]
            plan = int(random.integers(len(self.layouts)))
            world.layout[row], world.friction[row] = plan, random.uniform(*options.friction)
            world.pin[row, :2] = self._starts[plan] + random.uniform(-1, 1, 2) * options.start_m
            world.pin[row, 2:] = 0.0
            blocks = self._blocks[plan] if options.blocks else self._blocks[plan][:0]
            world.body_counts[row] = 1 + len(blocks)
            world.blocks[row] = 0.0
            world.blocks[row, : len(blocks), :2] = blocks + random.uniform(-1, 1, blocks.shape) * options.start_m
            length = options.max_steps + 1
            self._noise[row] = options.noise_n * random.standard_normal((length, 2))
            if options.drift_n:
                self._noise[row] += options.drift_n * drift(random.standard_normal((length, 2)), options.drift_s)
            self._late[row] = options.delay_s + options.jitter_s * random.uniform(size=length)
            for each in (
                world.clock,
                world.faces,
                world.push,
                world.wrench,
                world.sums,
                control.leashed,
                control.queued,
                self._steps,
                self._power,
                *self._sums.values(),
            ):
                each[row] = 0
            control.setpoint[row], control.stiffness[row] = world.pin[row, :2], HELD_N_PER_M
            fill(self.ledger.tank[row], self.budget)
            held = np.array([[*world.pin[row, :2], HELD_N_PER_M, HELD_N_PER_M]])
            self._last[row] = encode(held, held[:, :2])[0]

    def _observe(self) -> np.ndarray:
        world = self._world
        observed = np.empty((self.count, self.observation_size))
        observed[:, 0:2], observed[:, 2:4] = self.wrench, world.pin[:, :2]
        observed[:, 4:6] = self.goal - world.pin[:, :2]
        observed[:, 6], observed[:, 7], observed[:, 8:12] = self.tank_share, self.power_share, self._last
        return (observed / SCALE).astype(np.float32)

    @property
    def tank_share(self) -> np.ndarray:
        """(count,) share of the initial energy that is left; not below -1, which only a shadow ledger reaches."""
        if np.isinf(self.budget.initial_j):
            return np.ones(self.count)
        return np.maximum(self.ledger.tank[:, LEVEL] / self.budget.initial_j, -1.0)


def _keeps_state(held: object) -> bool:
    """Whether an object within a batch has state of an episode: its ledgers and filters."""
    return isinstance(held, (EnergyLedger, SetpointFilter))
