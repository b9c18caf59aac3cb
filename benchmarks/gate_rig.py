"""What the benchmarks of the gate stand on: a gate in a process of its own, a driver in another, a reader in this one.

The driver (`python -m benchmarks.gate_rig CONTRACT`) says at the contract's rates where a robot at rest is, that its
supervisor lives and that a person holds the enabling device, and sends chunks that go to and fro by a centimetre. The
reader takes the commands of the contract's first sink, whose stamp tells the moment of the tick that made each.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np
import yaml

from benchmarks.processor_time import processor_s
from real.graph.graph import NODES
from real.graph.processes import child_environment
from real.process.profile import write_profile
from robot.contract.contract import Contract
from robot.contract.loading import component_names, contract_folder, describe, load_contract
from robot.control.observation.streams import StreamReader
from robot.control.sinks import SinkEncoder
from robot.errors import TillerError

SIGNALS_HZ, CHUNKS_HZ, HORIZON = 20.0, 2.5, 16
REACH, TURN_S = 0.01, 6.0  # of the motion: m or rad, and the seconds of a round
SAID = ("joint_state", "pose")


def contract_at(folder: Path, base: str, state_hz: float, tick_hz: float) -> Path:
    """A contract whose first stream, gate and first sink have other rates than the one it is made from."""
    content: dict[str, Any] = yaml.safe_load((contract_folder() / f"{base}.yaml").read_text(encoding="utf-8"))
    content["tick_hz"] = tick_hz
    next(iter(content["state"].values()))["rate_hz"] = state_hz
    next(iter(content["sinks"].values()))["rate_hz"] = tick_hz
    file = folder / f"{base}-{state_hz:g}-{tick_hz:g}.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return file


def resting(contract: Contract) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Where a robot at rest is: values by name, and as an action (dim,)."""
    description = describe(contract)
    spec = description.action_spec(contract.period_s, contract.control)
    rest, names = dict(description.spec.rest), component_names(description, spec)
    target = np.array([rest.get(name, 0.02) for name in names])
    values: dict[str, np.ndarray] = {}
    for limb in description.limbs:
        values[limb.field("tcp.position")] = np.array([0.45, 0.0, 0.3])
        values[limb.field("tcp.rotation")] = np.array([1.0, 0, 0, 0, -1.0, 0])
    for field in spec.fields:
        if field.name in values:
            target[spec.slices[field.name]] = values[field.name]
    values |= {
        name: np.array([rest.get(name, 0.02)])
        for stream in contract.state.values()
        if stream.map
        for name in (joint.name for joint in contract.maps[stream.map])
    }
    return values, target


# The driver's process


def drive(contract: Contract, out: Path | None) -> None:
    """Say all that a gate has to hear, until SIGTERM; then write the moments of the first stream's messages."""
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from rclpy.node import Node
    from rclpy.signals import SignalHandlerOptions
    from sensor_msgs.msg import Joy
    from std_msgs.msg import Header
    from trajectory_msgs.msg import JointTrajectory

    from real.ros import qos
    from real.ros.chunks import Tag, chunk_message
    from real.ros.messages import joint_state_message, pose_message, stamp_of
    from real.ros.signals import alive_message, driver_message, enable_message
    from real.ros.streams import state_type

    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: ended.append(number))
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = Node("driver")
    values, target = resting(contract)
    description = describe(contract)
    spec = description.action_spec(contract.period_s, contract.control)

    def state(name: str) -> Callable[[int], None]:
        stream, reader = contract.state[name], StreamReader(contract, name)
        publisher: Any = node.create_publisher(state_type(stream), stream.topic, qos.STATE_OUT)
        message = (
            pose_message(*reader.write_pose(values), 0, contract.frames.base)
            if stream.type == "pose"
            else joint_state_message(*reader.write(values), 0)
        )

        def say(now_ns: int) -> None:
            message.header.stamp = stamp_of(now_ns)
            publisher.publish(message)

        return say

    def once(kind: type, topic: str, profile: Any, make: Callable[[int], Any]) -> Callable[[int], None]:
        publisher: Any = node.create_publisher(kind, topic, profile)
        return lambda now_ns: publisher.publish(make(now_ns))

    number = 0

    def chunk(now_ns: int) -> Any:
        nonlocal number
        number += 1
        times = now_ns * 1e-9 + spec.period_s * np.arange(1, HORIZON + 1)
        rows = np.repeat(target[None], HORIZON, axis=0)
        rows[:, 0] += REACH * np.sin(times * (2 * np.pi / TURN_S))
        return chunk_message(rows, spec.component_names, now_ns, spec.period_ns, Tag("driver", None, number))

    jobs = [(stream.rate_hz, state(name)) for name, stream in contract.state.items() if stream.type in SAID]
    jobs += [
        (
            stream.rate_hz,
            once(DiagnosticArray, stream.topic, qos.STATE_OUT, lambda now_ns: driver_message("running", now_ns)),
        )
        for stream in contract.state.values()
        if stream.type == "driver_state"
    ]
    jobs += [
        (SIGNALS_HZ, once(Header, "alive", qos.STATE_OUT, lambda now_ns: alive_message(now_ns, "driver"))),
        (SIGNALS_HZ, once(Joy, "enable_held", qos.STATE_OUT, lambda now_ns: enable_message(True, now_ns, "hand"))),
        (CHUNKS_HZ, once(JointTrajectory, "policy/chunk", qos.COMMAND, chunk)),
    ]
    fastest = max(rate for rate, _ in jobs)
    period_ns = round(1e9 / fastest)
    every = [(round(fastest / rate), say) for rate, say in jobs]
    moments: list[int] = []
    due_ns = time.monotonic_ns()
    turn = 0
    while not ended:
        due_ns = max(due_ns + period_ns, time.monotonic_ns() - period_ns)
        time.sleep(max(due_ns - time.monotonic_ns(), 0) * 1e-9)
        for place, (rest, say) in enumerate(every):
            if turn % rest == 0:
                now_ns = time.time_ns()
                say(now_ns)
                if place == 0:
                    moments.append(now_ns)
        turn += 1
    if out is not None:
        np.save(out, np.array(moments, dtype=np.int64))
    node.destroy_node()
    rclpy.shutdown()


def echo(contract: Contract) -> int:
    """A node that answers each message of the first stream with the command of the first sink, and does no more: what
    the transport and rclpy cost between three processes."""
    from rclpy.node import Node

    from real.process.run import run_node
    from real.ros import qos
    from real.ros.messages import time_of
    from real.ros.streams import COMMAND_TYPES, command_message, state_type

    class Echo(Node):
        def __init__(self) -> None:
            super().__init__("gate")
            name, sink = next(iter(contract.sinks.items()))
            stream = next(iter(contract.state.values()))
            self._command = SinkEncoder(contract, describe(contract), name).encode(resting(contract)[1])
            self._ahead_ns = round(sink.latency_s * 1e9)
            self._out = self.create_publisher(COMMAND_TYPES[sink.via], sink.topic, qos.COMMAND)
            self.create_subscription(state_type(stream), stream.topic, self._came, qos.STATE)

        def _came(self, message: Any) -> None:
            self._out.publish(command_message(self._command, time_of(message.header.stamp) + self._ahead_ns))

    return run_node(Echo, [])


def beat(period_s: float, out: Path) -> int:
    """Sleep until moments a period apart until SIGTERM, with a gate's priority, then write when it woke, ns: what this
    machine can keep.
    """
    from real.process.priority import raise_priority

    raise_priority()
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: ended.append(number))
    woken: list[int] = []
    due_ns = time.monotonic_ns()
    while not ended:
        due_ns = max(due_ns + round(period_s * 1e9), time.monotonic_ns())
        time.sleep(max(due_ns - time.monotonic_ns(), 0) * 1e-9)
        woken.append(time.monotonic_ns())
    np.save(out, np.array(woken, dtype=np.int64))
    return 0


def listen(contract: Contract) -> int:
    """A node that takes the messages of the first stream and does nothing with them: what hearing alone costs."""
    from rclpy.node import Node

    from real.process.run import run_node
    from real.ros import qos
    from real.ros.streams import state_type

    class Listener(Node):
        def __init__(self) -> None:
            super().__init__("listener")
            stream = next(iter(contract.state.values()))
            self.create_subscription(state_type(stream), stream.topic, lambda packed: None, qos.STATE, raw=True)

    return run_node(Listener, [])


# This process


class Rig:
    """The processes of one measurement, on a ROS domain of their own.

    Args:
        contract: file of it.
    """

    def __init__(self, contract: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gate"))
        self.file, self.contract = contract, load_contract(str(contract))
        os.environ.setdefault("ROS_DOMAIN_ID", str(20 + os.getpid() % 80))
        os.environ.setdefault("ROS_LOG_DIR", str(self.folder / "log"))
        os.environ.update(write_profile(self.folder, participants=6).environment)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._sink = next(iter(self.contract.sinks.values()))
        self._lead_ns = round(self._sink.latency_s * 1e9)
        self.mode = ""
        self.received: list[tuple[int, int]] = []
        self._open()

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *error: object) -> None:
        from real.process.run import leave

        # The gate first, the driver last.
        for name in sorted(self._processes, key=lambda name: (name in ("driver", "twin"), name != "gate")):
            self.end(name)
        leave(self._node, self._executor)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name: str, *, executor: str = "", nice: int = 0, words: Sequence[str] = ()) -> int:
        """Start a process; returns the moment, monotonic.

        Args:
            name: `driver`, `echo`, `listener`, `beat`, a node of tiller, or `busy...`, which does nothing useful.
            executor: of a node.
            nice: how much it stands back.
            words: parameters of a node, `name=value`.
        """
        kinds = {"driver": [], "echo": ["--echo"], "listener": ["--listen"], "beat": ["--beat"]}
        lines = {
            each: ["-m", "benchmarks.gate_rig", str(self.file), *more, "--out", str(self.folder / f"{each}.npy")]
            for each, more in kinds.items()
        }
        if name in NODES:
            own = (f"records={self.folder}",) if name == "gate" else ()
            line = ["-P", "-m", "tiller", "node", name, f"contract={self.file}", *own, *words]
        else:
            line = lines.get(name, ["-c", "while True: sum(range(10000))"])
        environment = child_environment() | ({"TILLER_EXECUTOR": executor} if executor else {})
        environment["PYTHONPATH"] = str(Path(__file__).parents[1])
        before = ["nice", "-n", str(nice)] if nice else []
        started = time.monotonic_ns()
        with open(self.folder / f"{name}.log", "ab") as log:
            self._processes[name] = subprocess.Popen(
                [*before, sys.executable, *line], env=environment, stdout=log, stderr=log
            )
        return started

    def end(self, name: str) -> None:
        """End a process and wait for it."""
        process = self._processes.pop(name)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log(self, name: str) -> str:
        """The lines of a process."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def cpu_s(self, name: str) -> float:
        """Processor time that a process has used."""
        return processor_s(self._processes[name].pid)

    def moments(self, name: str = "driver") -> np.ndarray:
        """Of the messages of the first stream, or of a beat, after their process has ended, ns."""
        return np.asarray(np.load(self.folder / f"{name}.npy"))

    def listen(self, seconds: float) -> np.ndarray:
        """The commands of a while, (k, 2): the moment of the tick and that of receipt, both ns of the system clock."""
        self.received = []
        self._until(lambda: False, seconds)
        return np.array(self.received, dtype=np.int64).reshape(-1, 2)

    def wait(self, condition: Callable[[], Any], what: str, within_s: float = 30.0) -> None:
        """Let messages come until a condition holds.

        Raises:
            TillerError: it did not in time; with the lines of the gate.
        """
        if not self._until(condition, within_s):
            raise TillerError(
                f"waited {within_s:g} s for {what}; the gate says '{self.mode}'\n"
                + "\n".join(self.log(name) for name in self._processes)
            )

    def run_gate(self, executor: str = "", words: Sequence[str] = ()) -> None:
        """Start the gate and have it follow the chunks."""
        self.mode = ""
        self.start("gate", executor=executor, words=words)
        self.wait(lambda: self.mode, "the gate")
        if self.contract.operator == "required":
            self.wait(lambda: self.mode.startswith("hold not_enabled"), "the driver")
            self.enable()
        self.wait(lambda: self.mode.startswith("run"), "the gate to run")

    @property
    def node(self) -> Any:
        """The reader's."""
        return self._node

    def ended(self) -> list[str]:
        """Processes that ended by themselves."""
        return [name for name, process in self._processes.items() if process.poll() is not None]

    def driven(self) -> bool:
        """Whether the driver speaks."""
        return bool(self._node.count_publishers(next(iter(self.contract.state.values())).topic))

    def subscribe_chunks(self, came: Callable[[Any], None]) -> None:
        """Hear what the policy sends."""
        from trajectory_msgs.msg import JointTrajectory

        from real.ros import qos

        self._node.create_subscription(JointTrajectory, "policy/chunk", came, qos.COMMAND)

    def enable(self) -> None:
        """Allow the gate to follow, as the person at the robot does."""
        from std_srvs.srv import SetBool

        self.wait(self._enable.service_is_ready, "the gate's services")
        self._enable.call_async(SetBool.Request(data=True))

    def _open(self) -> None:
        import rclpy
        from std_msgs.msg import String
        from std_srvs.srv import SetBool

        from real.process.run import make_executor
        from real.ros import qos
        from real.ros.guarded import Guarded
        from real.ros.streams import COMMAND_TYPES, read_command

        def came(message: Any) -> None:
            now_ns = time.time_ns()
            self.received.append((read_command(message).stamp_ns - self._lead_ns, now_ns))

        rclpy.init(args=[])
        self._node = Guarded("reader")
        self._executor = make_executor()
        self._executor.add_node(self._node)
        self._node.create_subscription(COMMAND_TYPES[self._sink.via], self._sink.topic, came, qos.COMMAND)
        self._node.create_subscription(
            String, "gate/state", lambda message: setattr(self, "mode", message.data), qos.LATCHED
        )
        self._enable: Any = self._node.create_client(SetBool, "gate/enable")

    def _until(self, condition: Callable[[], Any], within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if condition():
                return True
            self._executor.spin_once(timeout_sec=0.02)
        return bool(condition())


def quantiles_ms(values_ns: np.ndarray, shares: Sequence[float] = (0.5, 0.99, 0.999)) -> str:
    """`p50 0.412, p99 ... ms`."""
    parts = [f"p{100 * share:g} {np.quantile(values_ns, share) * 1e-6:.3f}" for share in shares]
    return ", ".join([*parts, f"largest {values_ns.max() * 1e-6:.2f} ms"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contract")
    parser.add_argument("--echo", action="store_true", help="answer states instead of saying them")
    parser.add_argument("--listen", action="store_true", help="hear states and do nothing")
    parser.add_argument("--beat", action="store_true", help="hear nothing, and wake at every tick")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    contract = load_contract(asked.contract)
    if asked.echo:
        return echo(contract)
    if asked.listen:
        return listen(contract)
    if asked.beat:
        return beat(1 / contract.tick_hz, asked.out)
    drive(contract, asked.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
