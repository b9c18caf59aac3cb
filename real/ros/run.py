"""The life of a node's process: start, spin on one thread, end within a moment of SIGINT or SIGTERM."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from typing import Any, Callable, Sequence

import rclpy
from rclpy.context import Context
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from real.ros.parameters import refuse_unknown
from real.ros.settings import EXECUTORS, log_folder, require_settings
from robot.errors import InputError, TillerError

# A thread that computes in Python gives the interpreter back after so long: with the usual 5 ms a timer of another
# thread is late by half as much again.
SWITCH_INTERVAL_S = 0.0005
TURN_S = 0.05

# A driver stays this long after the signal, so that the gate in front of it ends first.
LINGER = "TILLER_LINGER_S"
# Process that supervises this one: without it nobody would stop the node.
PARENT = "TILLER_PARENT"
SECOND_SIGNAL_S = 1.0


class Stop(Exception):
    """Why a node ends its process: set as its `ending`, or raised while it is made.

    Args:
        reason: the line that says why.
        code: exit status of the process.
    """

    def __init__(self, reason: str, code: int = 0):
        super().__init__(reason)
        self.code = code


def make_executor(kind: str | None = None, context: Context | None = None) -> Executor:
    """The executor that every node spins on: one thread, never the multi-threaded one, which starves timers.

    Args:
        kind: `events` (half the processor time; to be stepped by `spin_once`, its `spin` dispatches nothing in some
            versions) or `single`; None takes TILLER_EXECUTOR, else the first that is there.
        context: of ROS; None takes the process's own.
    """
    wanted = kind or os.environ.get("TILLER_EXECUTOR") or EXECUTORS[0]
    if wanted not in EXECUTORS:
        raise TillerError(f"TILLER_EXECUTOR={wanted}: choose from {', '.join(EXECUTORS)}")
    if wanted == "events":
        try:
            from rclpy.experimental import EventsExecutor
        except ImportError:
            pass
        else:
            return EventsExecutor(context=context)  # type: ignore[no-any-return]
    return SingleThreadedExecutor(context=context)


def leave(node: Node, executor: Executor, context: Context | None = None) -> None:
    """Take a node out of its executor and leave ROS.

    An events executor that is not shut down keeps hold of the node, and so do the services of a life cycle: it would
    stay in the graph, heard by others, for as long as the process lives, and leave its shared memory behind.

    Args:
        node: to be destroyed.
        executor: that turned it, and no other node.
        context: of both; None takes the process's own.
    """
    executor.remove_node(node)
    node.destroy_node()
    if isinstance(node, LifecycleNode):
        node._state_machine.destroy_when_not_in_use()  # rclpy forgets the services of the life cycle
    executor.shutdown()
    rclpy.try_shutdown(context=context)


def run_node(make: Callable[[], Node], args: Sequence[str] | None = None) -> int:
    """Run one node until a signal, a `Stop` or an error ends it.

    `make` is called when ROS is up, and may take its time; it declares the parameters. What the node may offer:
    `ready`, an attribute or property that is False while the node is not (then the process prints one line 'ready');
    `idle()`, called between callbacks, which does what is overdue and returns the seconds until it wants to be called
    again at the latest (a timer of rclpy cannot be put off for less than it costs to fire);
    `ending`, an attribute that is None until the node sets it to a `Stop`, which ends it after the callback (one that
    is raised in a callback ends it too, and rclpy logs it as an error); `on_stop()`, called on this thread when the
    node ends, while its publishers still work.

    Args:
        make: makes the node.
        args: words of the command line, `--ros-args` among them; None takes those of this process.

    Returns:
        Exit status: 0 after a signal or a `Stop`, 1 after an error, 2 when it was asked wrongly.
    """
    started = time.monotonic()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    signals = _Signals()
    node: Node | None = None
    executor: Executor | None = None
    try:
        _start(sys.argv[1:] if args is None else args)
        executor = make_executor()
        node = make()
        refuse_unknown(node)
        executor.add_node(node)
        # What is there now stays: the collector need not look at it again in the middle of a tick.
        gc.collect()
        gc.freeze()
        _spin(node, executor, signals, started)
        return 0
    except KeyboardInterrupt:
        return 0
    except Stop as stop:
        _say(node, str(stop))
        return stop.code
    except TillerError as error:
        _say(node, str(error))
        return error.exit_code
    finally:
        _close(node, executor)
        signals.restore()


def _start(args: Sequence[str]) -> None:
    require_settings()
    log, _ = log_folder()
    os.environ.update(log)
    try:
        # Not rclpy's own handlers: they close the context at once, and a gate has a last word to say.
        rclpy.init(args=["tiller", *args], signal_handler_options=SignalHandlerOptions.NO)
    except (rclpy_implementation.RCLError, rclpy_implementation.RCLInvalidROSArgsError,
            rclpy_implementation.UnknownROSArgsError) as error:
        # Of several lines the first says what is wrong; the rest is where rcl found it.
        reason = str(error).splitlines()[0].partition(", at /")[0]
        if "logging" in reason:
            raise TillerError(f"ROS does not start: {reason}. ROS_LOG_DIR chooses the folder of its logs") from None
        raise InputError("arguments of ROS", expected="--ros-args -p NAME:=VALUE -r FROM:=TO",
                         got=" ".join(args), way_out=reason) from None


def _spin(node: Any, executor: Executor, signals: _Signals, started: float) -> None:
    announced, idle = False, getattr(node, "idle", lambda: TURN_S)
    while not signals.stopped and rclpy.ok():
        if not announced and getattr(node, "ready", True):
            announced = True
            _say(node, f"ready after {time.monotonic() - started:.2f} s; {_where(executor)}")
        executor.spin_once(timeout_sec=min(idle(), TURN_S))
        ending = getattr(node, "ending", None)
        if ending is not None:
            raise ending


def _close(node: Any, executor: Executor | None) -> None:
    try:
        if node is not None:
            getattr(node, "on_stop", lambda: None)()
    finally:
        if node is not None and executor is not None:
            leave(node, executor)
        rclpy.try_shutdown()


def _where(executor: Executor) -> str:
    """What a person looks for first when two nodes do not see one another."""
    from rclpy.utilities import get_rmw_implementation_identifier

    reach = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")
    return (f"{get_rmw_implementation_identifier()}, domain {os.environ.get('ROS_DOMAIN_ID', '0')}, "
            f"{reach.lower()}, {type(executor).__name__}")


def _say(node: Node | None, text: str) -> None:
    name = node.get_fully_qualified_name() if node is not None else "node"
    print(f"{name}: {text}", file=sys.stderr, flush=True)


class _Signals:
    """When to end: a moment after SIGINT or SIGTERM, or when the process that started this one is gone.

    A terminal's ctrl-C comes twice where a launcher passes it on, so a second signal counts only when it is late; then
    it ends the process at once.
    """

    def __init__(self) -> None:
        self._linger_s = float(os.environ.get(LINGER, "0"))
        self._parent = int(os.environ.get(PARENT, "0"))
        self._first_s: float | None = None
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}

    @property
    def stopped(self) -> bool:
        if self._parent and os.getppid() != self._parent:
            return True
        return self._first_s is not None and time.monotonic() - self._first_s >= self._linger_s

    def restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: Any) -> None:
        now = time.monotonic()
        if self._first_s is None:
            self._first_s = now
        elif now - self._first_s > self._linger_s + SECOND_SIGNAL_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
