"""The life of a node's process: start, spin on one thread, end within a moment of SIGINT or SIGTERM."""

from __future__ import annotations

import gc
import os
import sys
import time
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any, Callable, Iterator, Sequence

import rclpy
from rclpy.context import Context
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from real.process.ending import Ending, WindingDown
from real.process.parameters import refuse_unknown
from real.process.settings import EXECUTORS, log_folder, require_settings
from real.ros.guarded import Stop as Stop
from real.ros.guarded import survive, turn
from robot.errors import InputError, TillerError

# A thread that computes in Python gives the interpreter back after so long: with the usual 5 ms a timer of another
# thread is late by half as much again.
SWITCH_INTERVAL_S = 0.0005
TURN_S = 0.05
WATCH_S = 0.2


def make_executor(kind: str | None = None, context: Context | None = None) -> Executor:
    """The executor that every node spins on: one thread, never the multi-threaded one, which starves timers.

    Args:
        kind: `events` (half the processor time; to be stepped by `spin_once`, its `spin` dispatches nothing in some
            versions) or `single`; None takes TILLER_EXECUTOR, else the first that is there.
        context: of ROS; None takes the process's own.
    """
    name = kind or os.environ.get("TILLER_EXECUTOR") or EXECUTORS[0]
    if name not in EXECUTORS:
        raise TillerError(f"TILLER_EXECUTOR={name}: choose from {', '.join(EXECUTORS)}")
    if name == "events":
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
        stay in the graph, seen by others, for as long as the process lives, and leave its shared memory behind.

    Args:
        node: to be destroyed.
        executor: that spun it, and no other node.
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
    is raised in a callback ends it too, and rclpy logs it as an error); `wind_down()`, called between callbacks once
    the process has to end or its parent is gone, until it returns True or a second has passed: the node keeps spinning
    meanwhile; `on_stop()`, called on this thread when the node ends, while its publishers still work.

    Args:
        make: makes the node.
        args: words of the command line, `--ros-args` among them; None takes those of this process.

    Returns:
        Exit status: 0 after a signal or a `Stop`, 1 after an error, 2 for wrong arguments.
    """
    started = time.monotonic()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    signals: Ending | None = None
    node: Node | None = None
    executor: Executor | None = None
    try:
        signals = Ending()
        _start(sys.argv[1:] if args is None else args)
        executor = make_executor()
        with _ending_with_parent(signals):
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
        if signals is not None:
            signals.restore()


@contextmanager
def _ending_with_parent(ending: Ending) -> Iterator[None]:
    """While a node is made, which may take seconds, its process ends with the one that supervises it: nobody knows of
    the node yet.
    """
    made = Event()

    def watch() -> None:
        while not made.wait(WATCH_S):
            if ending.orphaned:
                os._exit(0)

    Thread(target=watch, name="parent", daemon=True).start()
    try:
        yield
    finally:
        made.set()


def _start(args: Sequence[str]) -> None:
    require_settings()
    log, _ = log_folder()
    os.environ.update(log)
    try:
        # Not rclpy's own handlers: they close the context at once, and a gate has last commands to publish.
        rclpy.init(args=["tiller", *args], signal_handler_options=SignalHandlerOptions.NO)
    except (
        rclpy_implementation.RCLError,
        rclpy_implementation.RCLInvalidROSArgsError,
        rclpy_implementation.UnknownROSArgsError,
    ) as error:
        # The first of several lines names what is wrong; the rest is where rcl detected it.
        reason = str(error).splitlines()[0].partition(", at /")[0]
        if "logging" in reason:
            raise TillerError(f"ROS does not start: {reason}. ROS_LOG_DIR chooses the folder of its logs") from None
        raise InputError(
            "arguments of ROS", expected="--ros-args -p NAME:=VALUE -r FROM:=TO", got=" ".join(args), way_out=reason
        ) from None


def _spin(node: Any, executor: Executor, signals: Ending, started: float) -> None:
    announced, idle = False, getattr(node, "idle", lambda: TURN_S)
    winding_down = WindingDown(getattr(node, "wind_down", None))
    while not (signals.stopped and winding_down.done()) and rclpy.ok():
        if not announced and getattr(node, "ready", True):
            announced = True
            _say(node, f"ready after {time.monotonic() - started:.2f} s; {_where(executor)}")
        turn(node, executor, min(_idle(node, idle), TURN_S))
        ending = getattr(node, "ending", None)
        if ending is not None:
            raise ending


def _idle(node: Any, idle: Callable[[], float]) -> float:
    """Seconds until the node wants to be called again; its failure ends nothing."""
    try:
        return idle()
    except Stop:
        raise
    except Exception as error:
        survive(node, "idle", error)
        return TURN_S


def _close(node: Any, executor: Executor | None) -> None:
    try:
        if node is not None:
            getattr(node, "on_stop", lambda: None)()
    finally:
        if node is not None and executor is not None:
            leave(node, executor)
        rclpy.try_shutdown()


def _where(executor: Executor) -> str:
    """Middleware, domain, range and executor, which matter first when two nodes do not see one another."""
    from rclpy.utilities import get_rmw_implementation_identifier

    reach = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")
    return (
        f"{get_rmw_implementation_identifier()}, domain {os.environ.get('ROS_DOMAIN_ID', '0')}, "
        f"{reach.lower()}, {type(executor).__name__}"
    )


def _say(node: Node | None, text: str) -> None:
    name = node.get_fully_qualified_name() if node is not None else "node"
    with suppress(BrokenPipeError):  # the reader is gone
        print(f"{name}: {text}", file=sys.stderr, flush=True)
