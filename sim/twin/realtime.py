"""A twin in real time: its physics keeps pace with a real clock in a thread, its cameras run in a process.

The compiled loop releases the interpreter's lock, so that a policy can run meanwhile; the renderer is never waited for.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Iterator

import numpy as np

from robot.description.chunk import ActionChunk
from robot.description.clock import Clock, RealClock
from robot.description.protocols import Observation
from robot.errors import InputError, TillerError
from sim.twin.cameras import CameraProcess, Picture
from sim.twin.robot import TwinRobot

_REMEMBERED = 4096  # ticks whose lateness is kept
_LONGEST_CATCH_UP_NS = 100_000_000


@dataclass(frozen=True)
class Pace:
    """Statistics of the real-time loop.

    Args:
        ticks: since the start.
        late_p50_s, late_p99_s, late_max_s: by how much the newest few thousand ticks came after they were due.
        lost_s: real time that the twin skipped because it was too far behind to catch up.
        simulated_s: of all ticks.
    """

    ticks: int
    late_p50_s: float
    late_p99_s: float
    late_max_s: float
    lost_s: float
    simulated_s: float


class RealTimeClock:
    """The twin's time for stamps, real time for sleeping and due times. Implements `Clock`."""

    def __init__(self, twin: TwinRobot, real: Clock) -> None:
        self._twin, self._real = twin, real

    @property
    def epoch(self) -> int:
        return self._twin.clock.epoch

    def now_ns(self) -> int:
        """Time of the twin's newest state: an observation's stamp is exact."""
        return self._twin.clock.now_ns()

    def monotonic_ns(self) -> int:
        return self._real.monotonic_ns()

    def sleep_until(self, monotonic_ns: int) -> None:
        self._real.sleep_until(monotonic_ns)


class RealTimeTwin:
    """Runs a twin against a real clock. Implements `robot.description.Robot`; use it as a context manager.

    Args:
        twin: nothing else may access it meanwhile, except within `paused`.
        tick_s: how much the physics takes at once; commands act from the next tick on.
        cameras: receive the state every tick.
        real: the clock to keep pace with.

    Raises:
        InputError: a tick is no whole number of the twin's steps.
    """

    def __init__(
        self, twin: TwinRobot, *, tick_s: float = 0.01, cameras: CameraProcess | None = None, real: Clock | None = None
    ) -> None:
        self._twin, self._cameras, self._real = twin, cameras, real or RealClock()
        self._step_ns, self._tick_ns = round(twin.scene.model.opt.timestep * 1e9), round(tick_s * 1e9)
        if self._tick_ns < self._step_ns or self._tick_ns % self._step_ns:
            raise InputError("tick_s", expected=f"a multiple of the step of {self._step_ns * 1e-9} s", got=str(tick_s))
        self.spec, self.action_spec = twin.spec, twin.action_spec
        self.clock = RealTimeClock(twin, self._real)
        self._lock = threading.Lock()
        self._late_ns = np.zeros(_REMEMBERED, dtype=np.int64)
        self._ticks, self._lost_ns, self._simulated_ns = 0, 0, 0
        self._error: TillerError | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._live, name="twin", daemon=True)

    def __enter__(self) -> RealTimeTwin:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop time. The cameras are not closed."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    # -- the protocol -------------------------------------------------------------------------------------------------

    def observe(self) -> Observation:
        """As `TwinRobot.observe`; `stamped` gives the time that belongs to it too."""
        return self.stamped()[0]

    def stamped(self) -> tuple[Observation, int]:
        """An observation and the time that it was taken, in ns by `clock`."""
        with self.paused() as twin:
            return twin.observe(), twin.clock.now_ns()

    def execute(self, chunk: ActionChunk) -> None:
        """As `TwinRobot.execute`."""
        with self.paused() as twin:
            twin.execute(chunk)

    def stop(self) -> None:
        """As `TwinRobot.stop`."""
        with self.paused() as twin:
            twin.stop()

    def reset(self) -> None:
        """As `TwinRobot.reset`; also after the physics has diverged."""
        with self._lock:
            self._error = None
            self._twin.reset()

    # -- beside it ----------------------------------------------------------------------------------------------------

    def pictures(self) -> dict[str, Picture]:
        """The latest picture of each camera.

        Raises:
            InputError: it was given no cameras.
        """
        if self._cameras is None:
            raise InputError(
                "pictures", expected="a twin with cameras", way_out="Make it with cameras=CameraProcess(...)"
            )
        return self._cameras.pictures()

    @contextmanager
    def paused(self) -> Iterator[TwinRobot]:
        """The twin between two ticks, to look at or to change; be quick.

        Raises:
            TillerError: the physics has diverged; `reset` it.
        """
        with self._lock:
            if self._error is not None:
                raise self._error
            yield self._twin

    @property
    def pace(self) -> Pace:
        """Statistics of the real-time loop so far."""
        late_s = self._late_ns[: min(self._ticks, _REMEMBERED)] * 1e-9
        p50, p99, most = np.percentile(late_s, [50, 99, 100]).tolist() if len(late_s) else (0.0, 0.0, 0.0)
        return Pace(self._ticks, p50, p99, most, self._lost_ns * 1e-9, self._simulated_ns * 1e-9)

    def _live(self) -> None:
        simulated_until_ns = self._real.monotonic_ns()
        while not self._closing.is_set():
            due_ns = simulated_until_ns + self._tick_ns
            self._real.sleep_until(due_ns)
            now_ns = self._real.monotonic_ns()
            self._late_ns[self._ticks % _REMEMBERED] = now_ns - due_ns
            if now_ns - simulated_until_ns > _LONGEST_CATCH_UP_NS:
                # To run faster than real time for long would be as wrong as to stand still for a moment.
                lost_ns = now_ns - due_ns
                self._lost_ns += lost_ns
                simulated_until_ns += lost_ns
            # Whole steps up to now: a tick that came late is longer.
            duration_ns = (now_ns - simulated_until_ns) // self._step_ns * self._step_ns
            with self._lock:
                self._advance(duration_ns)
            simulated_until_ns += duration_ns
            self._ticks += 1

    def _advance(self, duration_ns: int) -> None:
        if self._error is not None:
            return
        try:
            self._twin.run_for(duration_ns)
        except TillerError as error:
            self._error = error
            return
        self._simulated_ns += duration_ns
        if self._cameras is not None:
            self._cameras.show(self._twin.scene.data, self._twin.clock.now_ns())
