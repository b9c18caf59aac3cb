"""A scripted policy, and what the laws of motion say about a stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory

from real.ros import qos
from real.ros.chunks import Tag, chunk_message
from tests.real.graph_rig import Sent, View

SPEED = 0.12  # m/s, or rad/s
RADIUS_M, RAMP_S = 0.06, 0.4
ROWS, AGAIN_S = 16, 0.2
SLACK_S = 0.06  # ticks, messages on their way, a gripper's row
WINDOW_NS = 60_000_000  # over which measured speed is taken
STILL_M_S = 3e-3
LAG_M = 0.015  # of a controller of joints behind its target
SWING_M = 0.003  # of an impedance controller about its target


def places(start: np.ndarray, times_s: np.ndarray, speed: float = SPEED, radius: float = RADIUS_M) -> np.ndarray:
    """Targets (n, dim) at constant speed after a gentle start: the tcp along an upright circle, or the first joint.

    Args:
        start: (dim,) where it begins.
        times_s: (n,) since then.
        speed: m/s, or rad/s where the target is joints.
        radius: of the circle, m.
    """
    way = speed * np.where(times_s < RAMP_S, times_s**2 / (2 * RAMP_S), times_s - RAMP_S / 2)
    found = np.repeat(start[None], len(times_s), axis=0)
    if len(start) == 10:  # a pose and a width
        found[:, 1] += radius * np.sin(way / radius)
        found[:, 2] += radius * (1 - np.cos(way / radius))
    else:
        found[:, 0] += way
    return found


class Beat:
    """Something said again and again, and no more once it was stopped.

    The executor of events calls a timer once more that came due before it was cancelled or destroyed; what it would
    say with may be gone by then.

    Args:
        node: whose timer it is.
        period_s: between two.
        say: that.
    """

    def __init__(self, node: Node, period_s: float, say: Callable[[], None]) -> None:
        self._node, self._beats = node, True
        self._timer = node.create_timer(period_s, lambda: say() if self._beats else None)

    def stop(self) -> None:
        self._beats = False
        self._timer.cancel()

    def again(self) -> None:
        self._beats = True
        self._timer.reset()

    def end(self) -> None:
        self._beats = False
        self._node.destroy_timer(self._timer)


class Script:
    """A policy in the test's process: chunks at constant speed, each made from the newest state.

    Args:
        view: of the graph that it drives.
        speed: m/s or rad/s.
        session: as which it sends.
    """

    def __init__(self, view: View, *, speed: float = SPEED, session: str = "script") -> None:
        self.view, self.speed, self.session = view, speed, session
        self.publisher = view.node.create_publisher(JointTrajectory, "policy/chunk", qos.COMMAND)
        self.count = 0
        view.until(self.publisher.get_subscription_count, "the gate listens")
        self.anchor()
        self.send()
        self._beat = Beat(view.node, AGAIN_S, lambda: self.send())

    def rows(self, start_ns: int, rows: int = ROWS) -> np.ndarray:
        """The targets (rows, dim) of a chunk."""
        ends = start_ns - self.start_ns + self.view.spec.period_ns * np.arange(1, rows + 1)
        return places(self.start, np.maximum(ends * 1e-9, 0.0), self.speed)

    def send(self, start_ns: int | None = None, values: np.ndarray | None = None) -> None:
        """One chunk; from the newest state on where nothing else is said."""
        start_ns = self.view.now_ns if start_ns is None else start_ns
        values = self.rows(start_ns) if values is None else values
        self.count += 1
        tag = Tag(self.session, self.view.episode.get("epoch"), self.count)
        self.publisher.publish(
            chunk_message(values, self.view.spec.component_names, start_ns, self.view.spec.period_ns, tag)
        )

    def pause(self) -> None:
        """Send no more by itself."""
        self._beat.stop()

    def resume(self) -> None:
        """Begin anew where the robot was told to be."""
        self.anchor()
        self._beat.again()

    def run(self, seconds: float = 0.8) -> None:
        """Until the gate has followed for a while without a word: a busy machine may make a state late."""

        def follows() -> bool:
            if self.view.said[-1] != "run policy":
                self.anchor()
                self.send()
                self.view.spin(AGAIN_S)
            words = len(self.view.said)
            self.view.spin(seconds)
            return self.view.said[-1] == "run policy" and len(self.view.said) == words

        self.view.until(follows, "the gate follows")

    def anchor(self) -> None:
        """Begin anew from the last command."""
        self.start, self.start_ns = self.view.sent[-1].target, self.view.now_ns

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *error: object) -> None:
        self._beat.end()
        self.view.node.destroy_publisher(self.publisher)


@dataclass(frozen=True)
class Onset:
    """The moment of a fault: the newest command, the newest pose and the newest word of the gate before it.

    The robot is `lag_m` behind its command then, and makes up for it.
    """

    time_ns: int
    pose_ns: int
    words: int
    speed: float
    lag_m: float

    @staticmethod
    def now(view: View) -> Onset:
        view.spin(0.02)  # what is on its way comes
        time_ns = view.sent[-1].time_ns
        before = [each for each in view.sent if time_ns - 300_000_000 <= each.time_ns]
        lag_m = LAG_M
        if view.contract.control == "cartesian":
            lag_m = float(np.linalg.norm(view.sent[-1].target[:3] - view.poses[-1][1])) + SWING_M
        return Onset(time_ns, view.now_ns, len(view.said), float(speeds(before, view).max(initial=0.0)), lag_m)


def _arm(view: View) -> slice:
    return slice(0, 3) if view.contract.control == "cartesian" else view.spec.slices["arm.joints"]


def steps(sent: list[Sent], view: View) -> tuple[np.ndarray, np.ndarray]:
    """Seconds (n,) and ways (n, k) of the gate's steps: of the tcp's position or of the joints.

    A step is as long as the time since the last, and no longer than two ticks: the gate makes up for no more.
    """
    times, where = _moments(sent, view)
    return np.minimum(np.diff(times) * 1e-9, 2 * view.settings.tick_s), np.diff(where, axis=0)


def missed_s(sent: list[Sent], view: View) -> float:
    """Seconds for which the gate did not run, because the machine did something else; the path goes on meanwhile, and
    the command catches up with it.
    """
    gaps = np.diff(_moments(sent, view)[0]) * 1e-9 - 2 * view.settings.tick_s
    return float(gaps[gaps > 0].sum())


def _moments(sent: list[Sent], view: View) -> tuple[np.ndarray, np.ndarray]:
    """Stamps (n,), each later than the last, and where the arm was told to be then (n, k)."""
    times = np.array([each.time_ns for each in sent], dtype=np.int64)
    where = np.array([each.target[_arm(view)] for each in sent])
    later = np.concatenate([[True], np.diff(times) > 0]) if len(times) else np.empty(0, dtype=bool)
    return times[later], where[later]


def speeds(sent: list[Sent], view: View) -> np.ndarray:
    """Commanded speed (n,) in m/s or rad/s."""
    seconds, ways = steps(sent, view)
    return np.linalg.norm(ways, axis=1) / seconds if len(seconds) else np.empty(0)


def commanded_path(sent: list[Sent], view: View) -> float:
    return float(np.linalg.norm(steps(sent, view)[1], axis=1).sum()) if len(sent) > 1 else 0.0


def braking(view: View) -> float:
    """The least deceleration with which a stop brakes, m/s^2 or rad/s^2."""
    return min(view.settings.groups[0].parts[0].deceleration)


def require_gentle(sent: list[Sent], view: View) -> None:
    """No change of the speed from tick to tick beyond the contract's acceleration."""
    seconds, ways = steps(sent, view)
    change = np.linalg.norm(np.diff(ways / seconds[:, None], axis=0), axis=1) / seconds[1:]
    allowed = max(max(view.settings.groups[0].parts[0].acceleration), braking(view))
    assert len(change) and change.max() <= 1.02 * allowed + 0.05, change.max()


def require_no_faster(sent: list[Sent], view: View, speed: float, *, falling: bool = False) -> float:
    """No command is faster than a speed; after ticks that a busy machine missed, none faster than the contract allows.

    Args:
        sent: commands.
        view: of the graph.
        speed: m/s or rad/s.
        falling: whether the speed only falls, once the gate follows nobody.

    Returns:
        The largest speed.
    """
    found = speeds(sent, view)
    catching_up = missed_s(view.sent, view) > 0
    allowed = 1.01 * max(view.settings.groups[0].parts[0].speed) if catching_up else 1.05 * speed + 1e-3
    assert found.max() <= allowed, f"{found.max()} after {speed}"
    if falling:
        stopped = speeds([each for each in sent if each.reason != "policy"], view)
        assert (np.diff(stopped) <= 0.02 * speed + 1e-3).all(), stopped
    return float(found.max())


def stands(view: View) -> bool:
    """Whether the robot has stood for a while."""
    found = measured_speeds(view, view.now_ns - 200_000_000)
    return len(found) > 5 and bool(found.max() < STILL_M_S)


def measured_speeds(view: View, since_ns: int, until_ns: int | None = None) -> np.ndarray:
    """Speed (n,) of the tcp, m/s, over short windows."""
    poses = [
        (stamp, place)
        for stamp, place in view.poses
        if since_ns - WINDOW_NS <= stamp and (until_ns is None or stamp <= until_ns)
    ]
    stamps = np.array([stamp for stamp, _ in poses], dtype=np.int64)
    where = np.array([place for _, place in poses])
    ends = np.searchsorted(stamps, stamps + WINDOW_NS)
    starts = np.flatnonzero(ends < len(stamps))
    if not len(starts):
        return np.empty(0)
    ways = np.linalg.norm(where[ends[starts]] - where[starts], axis=1)
    return ways / ((stamps[ends[starts]] - stamps[starts]) * 1e-9)


def until_met(sent: list[Sent], view: View) -> tuple[list[Sent], list[Sent]]:
    """Commands before and after the one step that no limit holds: to a robot at rest that its driver has stopped."""
    times, where = _moments(sent, view)
    limit = max(view.settings.groups[0].parts[0].speed)
    jumps = np.flatnonzero(np.linalg.norm(np.diff(where, axis=0), axis=1) > 1.5 * limit * np.diff(times) * 1e-9)
    if not len(jumps):
        return sent, []
    return (
        [each for each in sent if each.time_ns <= times[jumps[0]]],
        [each for each in sent if each.time_ns > times[jumps[0]]],
    )


def require_stop(view: View, onset: Onset, *, detection_s: float, measured: bool = True, back_m: float = 0.0) -> float:
    """The physics of a stop: no faster than before, no further than detection and braking need, gently, to a stand.

    Args:
        view: of the graph.
        onset: of the fault.
        detection_s: in which the gate has to notice.
        measured: whether the poses tell the truth.
        back_m: of a way that is taken back afterwards, to let go of what holds the robot: slowly, or where its driver
            has stopped it at once, and then it stands.

    Returns:
        The commanded path since the onset, m or rad.
    """
    view.until(lambda: view.sent[-1].time_ns > onset.time_ns + detection_s * 1e9 + 4e8, "ticks after the fault")
    view.until(lambda: not speeds(view.sent[-40:], view).any(), "a stand")
    after = [each for each in view.sent if each.time_ns >= onset.time_ns]
    if back_m:
        after, met = until_met(after, view)
        assert not commanded_path(met, view), "it moves on after it has met the robot"
        # As far as the command has gone on since the robot stood.
        gone_m = onset.speed * (detection_s + SLACK_S)
        assert not met or commanded_path([after[-1], met[0]], view) <= back_m + gone_m
    path = commanded_path(after, view)
    assert onset.speed > 0, "nothing moved before the fault"
    fastest = require_no_faster(after, view, onset.speed, falling=not back_m)
    late = missed_s([each for each in view.sent if each.time_ns >= onset.time_ns - 500_000_000], view)
    bound = fastest**2 / (2 * braking(view)) + onset.speed * (detection_s + SLACK_S + late)
    assert path <= bound + back_m, f"{path} after the fault, {bound + back_m} at most"
    require_gentle(after, view)
    if measured:
        require_measured_stop(view, onset, bound + back_m, fastest)
    return path


def require_measured_stop(view: View, onset: Onset, path: float, speed: float) -> None:
    """The robot did as it was told: no faster, no further than the path and its lag, and it stands."""
    view.until(lambda: stands(view), "a robot that stands")
    before = measured_speeds(view, onset.pose_ns - 300_000_000, onset.pose_ns).max(initial=0.0)
    found, allowed = measured_speeds(view, onset.pose_ns), 1.1 * max(before, speed * reach(view)) + 5e-3
    if kept_waiting(view, onset):
        # What comes late is made up for at once by the controller: the contract's limit holds then.
        assert np.percentile(found, 95) <= allowed
        allowed = max(allowed, max(view.settings.groups[0].parts[0].speed) * reach(view))
    assert found.max() <= allowed
    where = np.array([place for stamp, place in view.poses if stamp >= onset.pose_ns])
    way_m = np.linalg.norm(where - where[0], axis=1).max()
    assert way_m <= path * reach(view) + onset.lag_m, f"measured {way_m} m"


def kept_waiting(view: View, onset: Onset) -> bool:
    """Whether a busy machine kept the gate or the twin from their turn around a stop."""
    begun_ns = onset.time_ns - 500_000_000
    stamps = np.array([stamp for stamp, _ in view.poses if stamp >= begun_ns], dtype=np.int64)
    told = np.array([each.time_ns for each in view.sent if each.time_ns >= begun_ns], dtype=np.int64)
    longest_s = max(float(np.diff(each).max(initial=0)) * 1e-9 for each in (stamps, told))
    return longest_s > 2.5 * view.settings.tick_s


def reach(view: View) -> float:
    """Metres of the tcp for one unit of the command: 1, or how far the tcp is from the first joint's axis."""
    return 1.0 if view.contract.control == "cartesian" else float(np.linalg.norm(view.poses[-1][1][:2]))
