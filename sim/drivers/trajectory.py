"""ros2_control's joint trajectory controller on its topic `<controller>/joint_trajectory`."""

from __future__ import annotations

import numpy as np

from sim.drivers.driver import Command, Driver


class JointTrajectory(Driver):
    """Follows trajectories in joint space.

    Joints are matched by name, and a message with other names than its own is refused. A stamp of zero means now.
    Points in the past are dropped, and a message all of whose points are past is refused. The old trajectory continues
    until the new one's stamp, and the new one starts there from position and velocity of the old. Positions alone are
    joined by lines, positions with velocities by cubics. The last velocity must be zero unless another one is allowed:
    then the arm arrives at speed and stops abruptly. After the end the last point holds for ever.

    On an arm with a speed slider (a scaled trajectory controller) time runs slower by `speed_scale`.

    Args:
        joints: names, in the order of the set-point.
        allow_last_velocity: `allow_nonzero_velocity_at_trajectory_end`.
    """

    has_slider = True

    def __init__(self, joints: tuple[str, ...], *, allow_last_velocity: bool = False) -> None:
        super().__init__(len(joints))
        self._joints, self._allow_last_velocity = joints, allow_last_velocity

    def _activate(self, measured: np.ndarray, now_ns: int) -> None:
        self._follow(np.array([now_ns]), measured[None], np.zeros((1, self.size)), now_ns)

    def _take(self, command: Command, now_ns: int) -> None:
        reason, order = self._fault(command)
        if reason:
            self.refused[reason] += 1
            return
        start_ns = command.stamp_ns or now_ns
        times = start_ns + np.asarray(command.times_ns, dtype=np.int64)
        if not (times > now_ns).any():
            self.refused["all points past"] += 1
            return
        # The arm moves from here to a first point at the very stamp; there is nothing left to join there.
        junction_ns = max(now_ns, start_ns) if times[0] > start_ns else now_ns
        ahead = times > junction_ns
        # A trajectory's own time, which a speed slider slows down, starts again with each message.
        lag = self._time_ns - now_ns
        kept = (self._times > now_ns + lag) & (self._times < junction_ns + lag)
        here, there = self._at(now_ns + lag), self._at(junction_ns + lag)
        speeds = command.velocities[:, order] if command.velocities.size else np.full(command.values.shape, np.nan)
        knots = np.concatenate([[now_ns], self._times[kept] - lag, [junction_ns], times[ahead]])
        positions = np.concatenate([[here[0]], self._positions[kept], [there[0]], command.values[:, order][ahead]])
        speeds = np.concatenate([[here[1]], self._speeds[kept], [there[1]], speeds[ahead]])
        new = np.concatenate([[True], np.diff(knots) > 0])
        self._follow(knots[new], positions[new], speeds[new], now_ns)

    def _fault(self, command: Command) -> tuple[str, list[int]]:
        """The reason to refuse the message, empty when it is accepted, and the order of its columns."""
        if set(command.names) != set(self._joints) or len(command.names) != self.size:
            return "other joints", []
        order = [command.names.index(name) for name in self._joints]
        points = len(command.times_ns)
        if not points or command.values.shape != (points, self.size):
            return "wrong size", order
        if command.velocities.size and command.velocities.shape != command.values.shape:
            return "wrong size", order
        if (np.diff(command.times_ns) <= 0).any():
            return "times not increasing", order
        if command.velocities.size and not self._allow_last_velocity and (command.velocities[-1] != 0).any():
            return "velocity at the end", order
        return "", order

    def _follow(self, times: np.ndarray, positions: np.ndarray, speeds: np.ndarray, now_ns: int) -> None:
        self._times, self._positions, self._speeds = times.astype(np.float64), positions, speeds
        self._time_ns = float(now_ns)

    def _advance(self, measured: np.ndarray, now_ns: int, step_s: float, speed_scale: float) -> np.ndarray:
        self._time_ns += step_s * 1e9 * speed_scale
        return self._at(self._time_ns)[0]

    def _at(self, time_ns: float) -> tuple[np.ndarray, np.ndarray]:
        """Position and velocity (n,) of the trajectory."""
        after = int(np.searchsorted(self._times, time_ns, side="left"))
        if after == 0 or after == len(self._times):
            return self._positions[min(after, len(self._times) - 1)], np.zeros(self.size)
        before = after - 1
        length_s = (self._times[after] - self._times[before]) * 1e-9
        u = (time_ns - self._times[before]) * 1e-9 / length_s
        first, last = self._positions[before], self._positions[after]
        go, arrive = self._speeds[before] * length_s, self._speeds[after] * length_s
        if np.isnan(go).any() or np.isnan(arrive).any():
            return first + u * (last - first), (last - first) / length_s
        # Cubic Hermite between the two points.
        square, cube = u * u, u * u * u
        position = (
            (2 * cube - 3 * square + 1) * first
            + (cube - 2 * square + u) * go
            + (3 * square - 2 * cube) * last
            + (cube - square) * arrive
        )
        slope = (6 * square - 6 * u) * (first - last) + (3 * square - 4 * u + 1) * go + (3 * square - 2 * u) * arrive
        return position, slope / length_s
