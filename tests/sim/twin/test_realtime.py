"""A twin in real time: it moves by itself, it takes commands meanwhile, and nobody who draws holds it up."""

from __future__ import annotations

import time

import numpy as np
import pytest

from robot.description import ActionChunk, Robot
from robot.errors import InputError, TillerError
from sim.process.child import WorkerLost
from sim.rendering.backend import find_backend
from sim.twin.cameras import CameraProcess
from sim.twin.realtime import RealTimeTwin
from tests.sim.twin.arms import PERIOD_S, make_twin

needs_drawing = pytest.mark.skipif(find_backend() is None, reason="nothing to draw with")


class StepClock:
    """Real time that passes only when it is slept for, then and now with a hiccup."""

    def __init__(self, hiccups_ns: dict[int, int]):
        self.now, self.naps, self.hiccups_ns = 0, 0, hiccups_ns

    epoch = 0

    def now_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.now

    def sleep_until(self, monotonic_ns: int) -> None:
        self.naps += 1
        self.now = max(self.now, monotonic_ns) + self.hiccups_ns.get(self.naps, 0)
        time.sleep(0.0005)


def until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


@pytest.fixture
def twin():
    found = make_twin("panda")
    found.run_for(2_000_000)  # compiled before the clock runs
    found.reset()
    return found


def test_it_is_a_robot_that_moves_by_itself_and_stands_still_when_closed(twin):
    with RealTimeTwin(twin) as live:
        assert isinstance(live, Robot)
        target = twin.target
        target[1] += 0.1
        observation, stamp_ns = live.stamped()
        live.execute(ActionChunk(np.tile(target, (8, 1)), stamp_ns, PERIOD_S, 0, live.action_spec))
        until(lambda: live.observe()["tcp.position"][1] > 0.09)
        assert live.clock.now_ns() > stamp_ns
    stopped_ns = live.clock.now_ns()
    time.sleep(0.05)
    assert live.clock.now_ns() == stopped_ns
    assert observation["tcp.position"][1] < 0.01


def test_simulated_time_is_real_time_also_after_a_late_tick(twin):
    clock = StepClock({5: 33_000_000, 9: 5_000_000})
    with RealTimeTwin(twin, real=clock) as live:
        until(lambda: live.pace.ticks > 20)
    # All but what is left of the last step and tick.
    assert 0 <= clock.now - twin.clock.now_ns() <= 12_000_000
    assert live.pace.lost_s == 0
    assert live.pace.late_max_s >= 0.033


def test_a_long_halt_is_lost_time_and_is_counted(twin):
    clock = StepClock({5: 3_000_000_000})
    with RealTimeTwin(twin, real=clock) as live:
        until(lambda: live.pace.ticks > 20)
    assert live.pace.lost_s == pytest.approx(3.0, abs=0.02)
    assert 0 <= clock.now - twin.clock.now_ns() - live.pace.lost_s * 1e9 <= 12_000_000


def test_physics_that_diverges_is_told_to_whoever_asks_next_and_a_reset_repairs_it(twin):
    with RealTimeTwin(twin) as live:
        with live.paused() as inner:
            inner.scene.data.qvel[:7] = 1e9
            inner.execute(ActionChunk(inner.target[None], inner.clock.now_ns(), PERIOD_S, 0, inner.action_spec))

        def diverged():
            try:
                live.observe()
            except TillerError as error:
                return "diverged" in str(error)
            return False

        until(diverged)
        live.reset()
        before = live.clock.now_ns()
        until(lambda: live.clock.now_ns() > before)
        live.stop()
        assert np.isfinite(live.observe()["tcp.position"]).all()


def test_a_tick_is_a_whole_number_of_steps(twin):
    with pytest.raises(InputError, match="tick_s"):
        RealTimeTwin(twin, tick_s=0.003)


def test_pictures_need_cameras(twin):
    with RealTimeTwin(twin) as live, pytest.raises(InputError, match="cameras"):
        live.pictures()


@needs_drawing
def test_cameras_see_the_twin_move_and_never_an_older_state_after_a_newer_one(twin):
    cameras = CameraProcess(twin.scene, ("front", "wrist"), height=48, width=64)
    try:
        with RealTimeTwin(twin, cameras=cameras) as live:
            until(lambda: len(live.pictures()) == 2)
            first = live.pictures()["front"]
            assert first.pixels.shape == (48, 64, 3) and first.pixels.dtype == np.uint8
            target = twin.target
            target[:3] += (0.1, 0.2, 0.2)
            live.execute(ActionChunk(np.tile(target, (10, 1)), live.clock.now_ns(), PERIOD_S, 0, live.action_spec))
            stamps = []
            for _ in range(200):
                stamps.append(live.pictures()["front"].stamp_ns)
                time.sleep(0.002)
            assert stamps == sorted(stamps)
            last = cameras.wait(live.clock.now_ns())["front"]
        assert last.stamp_ns > first.stamp_ns
        assert (last.pixels != first.pixels).any()
    finally:
        cameras.close()


@needs_drawing
def test_whoever_shows_a_scene_never_waits_and_only_the_newest_state_is_drawn(twin):
    cameras = CameraProcess(twin.scene, ("front",), height=64, width=64)
    try:
        for stamp_ns in range(1, 2001):
            cameras.show(twin.scene.data, stamp_ns)
        assert cameras.wait(2000)["front"].stamp_ns == 2000
        assert cameras.frames < 1000  # most were never drawn: nobody waited for them
    finally:
        cameras.close()


@needs_drawing
def test_a_renderer_that_dies_is_told_to_whoever_asks_and_the_physics_goes_on(twin):
    cameras = CameraProcess(twin.scene, ("front",), height=48, width=48)
    try:
        with RealTimeTwin(twin, cameras=cameras) as live:
            until(lambda: live.pictures())
            cameras._child._process.kill()

            def lost():
                try:
                    live.pictures()
                except WorkerLost:
                    return True
                return False

            until(lost)
            before = live.clock.now_ns()
            until(lambda: live.clock.now_ns() > before)
            assert np.isfinite(live.observe()["tcp.position"]).all()
    finally:
        cameras.close()


@needs_drawing
def test_a_camera_that_the_scene_lacks_is_refused_with_the_nearest_name(twin):
    with pytest.raises(InputError, match="front"):
        CameraProcess(twin.scene, ("fromt",), height=48, width=48)
    with pytest.raises(InputError, match="got none"):
        CameraProcess(twin.scene, (), height=48, width=48)
