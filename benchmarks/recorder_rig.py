"""What the benchmarks of the recorder stand on: a robot's topics without a robot, and a recorder in its own process.

    python -m benchmarks.recorder_rig CONTRACT --play drivers|cameras|policy [--out FILE]

Three processes stand for the robot. The drivers publish joints at the contract's rates and, in place of a gate, its
commands at 200 Hz. The cameras publish pictures with noise. The policy reads what a policy node reads, decodes it and
makes rows of it. Each message is stamped when it is published; the stamps go to FILE when the process ends.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import numpy as np
import yaml

from benchmarks.gate_rig import resting
from benchmarks.processor_time import processor_s
from benchmarks.writer import FRAMES, draw_frames
from data.store.images.encoding import encode_jpeg
from real.graph.graph import NodeProcess
from real.graph.processes import child_environment
from real.process.profile import write_profile
from robot.contract.contract import Contract
from robot.contract.loading import action_spec, component_names, contract_folder, describe, load_contract
from robot.control.observation.streams import StreamReader
from robot.errors import TillerError

BASE = "ur5e_jtc"
CAMERAS = ("front", "wrist")
JOINTS_HZ, CAMERA_HZ, SENT_HZ, CHUNK_HZ, HORIZON = 500.0, 30.0, 200.0, 2.5, 16
AHEAD_NS = 10_000_000  # of a command's stamp, as of a gate: two ticks
QUALITY = 90
SENT = "gate/sent"
START_S, ANSWER_S, STOP_S = 60.0, 30.0, 15.0


def contract_at(folder: Path, *, compressed: bool, size: tuple[int, int] = (480, 640)) -> Path:
    """A robot of joints and two cameras.

    Args:
        folder: of the file.
        compressed: whether its cameras publish JPEG.
        size: height and width of their pictures.
    """
    content: dict[str, Any] = yaml.safe_load((contract_folder() / f"{BASE}.yaml").read_text(encoding="utf-8"))
    state = content["state"]
    content["state"] = {name: each for name, each in state.items() if each["type"] == "joint_state"}
    content["state"]["arm"]["rate_hz"] = JOINTS_HZ
    for name in CAMERAS:
        topic = f"{name}/color/image_raw" + ("/compressed" if compressed else "")
        own = {"topic": topic, "type": "image", "rate_hz": CAMERA_HZ, "size": list(size)}
        content["state"][name] = {**own, **({"compressed": True} if compressed else {})}
    file = folder / f"{BASE}.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return file


# The processes of the robot

Send = Callable[[int], None]  # publishes a message that is stamped so


class Player:
    """Publishes at rates until SIGTERM, and notes the stamps.

    Args:
        name: of the node.
    """

    def __init__(self, name: str) -> None:
        import rclpy
        from rclpy.node import Node
        from rclpy.signals import SignalHandlerOptions

        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self.node = Node(name)
        self.stamps: dict[str, list[int]] = {}
        self._jobs: list[tuple[str, float, float, Send]] = []

    def every(self, name: str, rate_hz: float, send: Send, *, shifted: float = 0.0) -> None:
        """Publish at a rate, shifted by a share of its period."""
        self._jobs.append((name, rate_hz, shifted, send))

    def play(self, out: Path | None) -> None:
        """Publish until SIGTERM."""
        import rclpy

        ended: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, frame: ended.append(number))
        self.stamps = {name: [] for name, *_ in self._jobs}
        began_s = time.monotonic()
        due_s = [began_s + shifted / rate for _, rate, shifted, _ in self._jobs]
        while not ended:
            time.sleep(max(min(due_s) - time.monotonic(), 0.0))
            for at, (name, rate, _, send) in enumerate(self._jobs):
                if time.monotonic() >= due_s[at]:
                    # A process that was stopped goes on from there: a driver does not make up for it.
                    due_s[at] = max(due_s[at] + 1 / rate, time.monotonic())
                    stamp_ns = time.time_ns()
                    send(stamp_ns)
                    self.stamps[name].append(stamp_ns)
        if out is not None:
            np.savez(out, **{name: np.array(stamps, dtype=np.int64) for name, stamps in self.stamps.items()})
        self.node.destroy_node()
        rclpy.shutdown()


def play_drivers(contract: Contract, out: Path | None) -> None:
    """Joints that swing, what a gate says, and a policy's chunks."""
    from sensor_msgs.msg import JointState
    from std_msgs.msg import String
    from trajectory_msgs.msg import JointTrajectory

    from real.ros import qos
    from real.ros.chunks import Tag, chunk_message, trajectory_message
    from real.ros.messages import doubles, joint_state_message, stamp_of

    player = Player("drivers")
    node, spec = player.node, action_spec(contract)
    values, target = resting(contract)
    moving = [at for at, name in enumerate(component_names(describe(contract), spec)) if "joint" in name]

    def swing(stamp_ns: int) -> float:
        return 0.1 * float(np.sin(stamp_ns * 1e-9))

    for name, stream in contract.state.items():
        if stream.type != "joint_state":
            continue
        names, positions = StreamReader(contract, name).write(values)
        message = joint_state_message(names, positions, 0)
        sender = node.create_publisher(JointState, stream.topic, qos.STATE_OUT)

        def joints(stamp_ns: int, message: Any = message, sender: Any = sender, rest: Any = positions) -> None:
            message.header.stamp = stamp_of(stamp_ns)
            message.position = doubles(rest + swing(stamp_ns))
            sender.publish(message)

        player.every(name, stream.rate_hz, joints)
    sent = trajectory_message(np.stack([target, target]), spec.component_names, 0, 0, "policy|1||")
    sender = node.create_publisher(JointTrajectory, SENT, qos.STATUS)

    def tick(stamp_ns: int) -> None:
        sent.header.stamp = stamp_of(stamp_ns + AHEAD_NS)
        command = target.copy()
        command[moving] += swing(stamp_ns)
        sent.points[0].positions = sent.points[1].positions = doubles(command)
        sender.publish(sent)

    player.every(SENT, SENT_HZ, tick)
    chunks = node.create_publisher(JointTrajectory, "policy/chunk", qos.COMMAND)
    rows = np.repeat(target[None], HORIZON, axis=0)
    tag = Tag("synthetic", None, 1)

    def plan(stamp_ns: int) -> None:
        chunks.publish(chunk_message(rows, spec.component_names, stamp_ns, spec.period_ns, tag))

    player.every("policy/chunk", CHUNK_HZ, plan)
    mode = node.create_publisher(String, "gate/state", qos.LATCHED)
    mode.publish(String(data="run policy"))
    player.play(out)


def play_cameras(contract: Contract, out: Path | None) -> None:
    """Pictures, each other than the one before, published best effort as most cameras do."""
    from array import array

    from sensor_msgs.msg import CompressedImage, Image

    from real.ros import qos
    from real.ros.messages import header_of, image_message, stamp_of

    player = Player("cameras")
    stream = contract.state[CAMERAS[0]]
    assert stream.size is not None
    frames = draw_frames(*stream.size)
    messages: list[Any]
    if stream.compressed:
        jpegs = [array("B", encode_jpeg(frame, QUALITY)) for frame in frames]
        messages = [CompressedImage(header=header_of(0, "camera"), format="jpeg", data=jpeg) for jpeg in jpegs]
    else:
        messages = [image_message(frame, 0, "camera") for frame in frames]
    for place, name in enumerate(CAMERAS):
        sender = player.node.create_publisher(
            CompressedImage if stream.compressed else Image, contract.state[name].topic, qos.IMAGE
        )
        shown = [place * FRAMES // 2]

        def frame(stamp_ns: int, sender: Any = sender, shown: list[int] = shown) -> None:
            message = messages[shown[0] % FRAMES]
            shown[0] += 1
            message.header.stamp = stamp_of(stamp_ns)
            sender.publish(message)

        player.every(name, stream.rate_hz, frame, shifted=place / len(CAMERAS))
    player.play(out)


def play_policy(contract: Contract) -> int:
    """Rows of all that the contract measures, as a policy node takes them."""
    from real.process.run import run_node
    from real.ros.guarded import Guarded
    from real.ros.streams import read_stream, subscribe
    from robot.control.observation.observer import Observer
    from robot.control.observation.recordable import recordable
    from robot.control.observation.sources import stream_sources
    from robot.control.observation.streams import stream_readers

    description = describe(contract)
    spec, readers = recordable(contract, description), stream_readers(contract)

    class Watching(Guarded):
        def __init__(self) -> None:
            super().__init__("policy")
            self._observer = Observer(
                spec, stream_sources(contract, description, spec), action_spec(contract).period_ns
            )
            for name in self._observer.streams:
                subscribe(self, contract.state[name], partial(self._see, name))

        def _see(self, name: str, message: Any) -> None:
            values, stamp_ns = read_stream(contract, description, readers, name, message)
            self._observer.add(name, values, stamp_ns, self.get_clock().now().nanoseconds)
            if self._observer.interrupted:
                self._observer.reset()
            for _ in self._observer.due():
                pass

    return run_node(Watching, [])


# This process


class RecorderClient:
    """Asks the recorder of a graph, and knows what it says.

    Args:
        node: whose subscription and clients they are.
        turn: lets messages come for some seconds.
        check: called while something is waited for; raises where it is in vain.

    Attributes:
        state: its newest state.
    """

    def __init__(self, node: Any, turn: Callable[[float], None], check: Callable[[], None] = lambda: None) -> None:
        from std_msgs.msg import String
        from std_srvs.srv import SetBool, Trigger

        from real.ros import qos

        self.state: Mapping[str, Any] = {}
        self._turn, self._check = turn, check
        node.create_subscription(String, "recorder/state", self._came, qos.LATCHED)
        verbs = {"start": Trigger, "stop": Trigger, "save": Trigger, "discard": Trigger, "label": SetBool}
        self._clients = {name: (node.create_client(kind, f"recorder/{name}"), kind) for name, kind in verbs.items()}

    def _came(self, message: Any) -> None:
        self.state = json.loads(message.data)

    def forget(self) -> None:
        """Wait for what the next recorder says."""
        self.state = {}

    def wait(self, seconds: float) -> None:
        """Let messages come for a while."""
        end_s = time.monotonic() + seconds
        while (left := end_s - time.monotonic()) > 0:
            self._check()
            self._turn(min(left, 0.02))

    def until(self, condition: Callable[[], Any], what: str, within_s: float = ANSWER_S) -> None:
        """Let messages come until something is so.

        Raises:
            TillerError: it was not, in time.
        """
        end_s = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > end_s:
                raise TillerError(f"waited {within_s:g} s for {what}; the recorder says {self.state}")
            self._check()
            self._turn(0.02)

    def until_state(self, *states: str, within_s: float = ANSWER_S) -> None:
        self.until(lambda: self.state.get("state") in states, " or ".join(states), within_s)

    def ask(self, name: str, on: bool | None = None) -> str:
        """Call a service; why it was refused, empty where it was not."""
        client, kind = self._clients[name]
        self.until(client.service_is_ready, f"recorder/{name}")
        request = kind.Request() if on is None else kind.Request(data=on)
        future = client.call_async(request)
        self.until(future.done, f"the answer of recorder/{name}")
        answer = future.result()
        return "" if answer.success else str(answer.message)

    def start(self, within_s: float = START_S) -> None:
        """Begin a take as soon as one may begin."""
        end_s = time.monotonic() + within_s
        self.until_state("ready", "recording", within_s=within_s)
        while refused := self.ask("start"):
            if time.monotonic() > end_s:
                raise TillerError(refused)
            self.wait(0.1)

    def save(self, success: bool = True) -> None:
        """Keep the take, and wait until it is on the disk."""
        before = self.state["saved"] + self.state["discarded"]
        for name, on in (("label", success), ("save", None)):
            refused = self.ask(name, on)
            if refused:
                raise TillerError(f"{name}: {refused}")
        self.until(lambda: self.state["saved"] + self.state["discarded"] > before, "the take's end")


class Rig:
    """Processes of a robot and its recorder, on a ROS domain of their own.

    Args:
        contract: file of it.
        folder: of logs and stamps.
    """

    def __init__(self, contract: Path, folder: Path) -> None:
        import rclpy

        from real.process.run import make_executor
        from real.ros.guarded import Guarded, turn

        self.contract, self.folder = contract, folder
        os.environ.setdefault("ROS_DOMAIN_ID", str(20 + os.getpid() % 80))
        os.environ.setdefault("ROS_LOG_DIR", str(folder / "log"))
        self._variables = write_profile(folder, participants=8).environment
        os.environ.update(self._variables)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        rclpy.init(args=[])
        self._node, self._executor = Guarded("benchmark"), make_executor()
        self._executor.add_node(self._node)
        self.recorder = RecorderClient(self._node, partial(turn, self._node, self._executor), self._require_all)

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *error: object) -> None:
        from real.process.run import leave

        for name in list(self.processes):
            self.end(name)
        leave(self._node, self._executor)
        for name in self._variables:  # a profile that is gone would be kept by the next rig
            os.environ.pop(name, None)

    def play(self, *names: str) -> None:
        """Start processes of the robot: `drivers`, `cameras`, `policy`."""
        for name in names:
            out = self.folder / f"{name}.npz"
            words = ["-m", "benchmarks.recorder_rig", str(self.contract), "--play", name, "--out", str(out)]
            self._start(name, [sys.executable, *words])

    def record(self, store: Path, **parameters: object) -> None:
        """Start a recorder."""
        self.recorder.forget()
        given = {"contract": str(self.contract), "store": str(store), **parameters}
        self._start("recorder", NodeProcess("recorder", given).command)

    def _start(self, name: str, command: Sequence[str]) -> None:
        environment = child_environment() | {"PYTHONPATH": str(Path(__file__).parents[1])}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def end(self, name: str) -> None:
        """End a process and wait for it."""
        process = self.processes.pop(name)
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self, name: str) -> None:
        """End a process as a crash does."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def log(self, name: str) -> str:
        """What the processes of a name have said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def cpu_s(self, name: str) -> float:
        """Processor time that a process has used."""
        return processor_s(self.processes[name].pid)

    def memory_mb(self, name: str) -> float:
        """Memory of a process that is its own, without what it shares with others."""
        lines = Path(f"/proc/{self.processes[name].pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024

    def stamps(self) -> dict[str, np.ndarray]:
        """Of all messages, by stream, after their processes have ended."""
        found: dict[str, np.ndarray] = {}
        for file in self.folder.glob("*.npz"):
            with np.load(file) as each:
                found |= {name: each[name] for name in each.files}
        return found

    def _require_all(self) -> None:
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise TillerError(f"{name} ended with {process.returncode}:\n{self.log(name)[-2000:]}")


def scratch(folder: Path | None = None) -> tempfile.TemporaryDirectory[str]:
    """A folder for stores and logs; pictures and samples of minutes are some hundred MB."""
    return tempfile.TemporaryDirectory(prefix="recorder", dir=folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contract")
    parser.add_argument("--play", required=True, choices=("drivers", "cameras", "policy"))
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    contract = load_contract(asked.contract)
    if asked.play == "policy":
        return play_policy(contract)
    (play_drivers if asked.play == "drivers" else play_cameras)(contract, asked.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
