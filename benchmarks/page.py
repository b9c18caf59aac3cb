"""What a page costs and how fast it shows: three synthetic cameras, a moving arm, a recorder; a client as a browser.

    python -m benchmarks.page [--contract panda_twin] [--seconds 10] [--width 640] [--height 480] [--rate 30]
    python -m benchmarks.page --stay [--state recording]

Three processes: publishers in place of drivers, gate and recorder; the page's node; this one, which takes rounds and
answers them at once. It prints frames per second and camera, ages of images when they come, and the processor time of
the page's process. With `--stay` it prints the address and stays, for a look at it with a browser.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.gate_rig import resting
from benchmarks.processor_time import processor_s
from real.graph.graph import NodeProcess
from real.graph.processes import child_environment
from real.page.serving.access import new_token
from real.page.serving.feed import Kind
from real.page.serving.rounds import ANSWER, unpack_round
from real.process.profile import write_profile
from robot.contract.loading import contract_folder, load_contract

CAMERAS = ("front", "side", "wrist")
JOINT_HZ, SENT_HZ, HELD_HZ = 200.0, 100.0, 50.0
SETTLE_S, START_S = 3.0, 60.0

# State -> the gate's line, the recorder's state.
STATES: dict[str, tuple[str, str]] = {
    "ready": ("hold not_held", "ready"),
    "recording": ("run person", "recording"),
    "holds": ("hold not_held", "recording"),
    "fault": ("fault state_gone", "recording"),
    "saving": ("run person", "saving"),
    "paused": ("run person", "paused"),
    "ended": ("run person", "ended"),
    "waiting": ("hold not_held", "waiting"),
    "failed": ("run person", "failed"),
    "driving": ("run person", "ready"),
    "lost": ("", "ready"),
}


def contract_at(folder: Path, base: str, width: int, height: int, rate: float) -> Path:
    """A contract with the streams of another one, and three cameras."""
    content: dict[str, Any] = yaml.safe_load((contract_folder() / f"{base}.yaml").read_text(encoding="utf-8"))
    state = {name: each for name, each in content["state"].items() if each["type"] in ("joint_state", "pose")}
    for name in CAMERAS:
        topic = f"{name}/color/image_raw"
        state[name] = {"topic": topic, "type": "image", "rate_hz": rate, "size": [height, width]}
    content["state"] = state
    file = folder / f"{base}.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return file


# The publishers' process


def publish(path: str, state: str) -> None:
    """Publish until SIGTERM."""
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from geometry_msgs.msg import PoseStamped
    from rclpy.node import Node
    from rclpy.signals import SignalHandlerOptions
    from sensor_msgs.msg import Image, JointState, Joy
    from std_msgs.msg import String
    from trajectory_msgs.msg import JointTrajectory

    from real.ros import qos
    from real.ros.messages import header_of, image_message, joint_state_message, pose_message, stamp_of
    from real.ros.signals import OK, enable_message, status_message
    from robot.control.observation.streams import StreamReader

    contract = load_contract(path)
    gate, recorder = STATES[state]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = Node("synthetic")
    values, _ = resting(contract)
    due: list[tuple[float, Any]] = []
    for name, stream in contract.state.items():
        if stream.map:
            reader = StreamReader(contract, name)
            sender = node.create_publisher(JointState, stream.topic, qos.STATE_OUT)

            def joints(now_s: float, reader: StreamReader = reader, sender: Any = sender) -> None:
                swing = {
                    key: value + 0.3 * np.sin(now_s + len(key)) * (value[0] > 0.1) for key, value in values.items()
                }
                sender.publish(joint_state_message(*reader.write(swing), time.time_ns()))

            due.append((JOINT_HZ, joints))
        elif stream.type == "pose":
            pose = pose_message(*StreamReader(contract, name).write_pose(values), 0, contract.frames.base)
            sender = node.create_publisher(PoseStamped, stream.topic, qos.STATE_OUT)
            due.append((JOINT_HZ, partial(_send, sender, pose)))
        else:
            height, width = stream.size
            image = _image(height, width, seed=len(due))
            message, sender = image_message(image, 0, name), node.create_publisher(Image, stream.topic, qos.IMAGE)
            pixels = np.frombuffer(message.data, np.uint8).reshape(image.shape)

            def frame(now_s: float, message: Any = message, sender: Any = sender, pixels: Any = pixels) -> None:
                column = int(now_s * 100) % pixels.shape[1]
                pixels[:, column] = 255 - pixels[:, column]
                message.header.stamp = stamp_of(time.time_ns())
                sender.publish(message)

            due.append((stream.rate_hz, frame))
    record = json.dumps(_record(contract.cameras, recorder))
    mode = node.create_publisher(String, "gate/state", qos.LATCHED)
    said = node.create_publisher(String, "recorder/state", qos.LATCHED)
    status = node.create_publisher(DiagnosticArray, "status", qos.STATUS)
    sent = node.create_publisher(JointTrajectory, "gate/sent", qos.STATUS)
    held = node.create_publisher(Joy, "enable_held", qos.STATE_OUT)
    due.append((2.0, lambda now_s: said.publish(String(data=record))))
    due.append((HELD_HZ, lambda now_s: held.publish(enable_message("person" in gate, time.time_ns(), "synthetic"))))
    if gate:
        tag = header_of(0, f"{gate.split()[1]}|1||")
        mode.publish(String(data=gate))
        due.append((2.0, lambda now_s: status.publish(status_message("gate", OK, gate, {}, time.time_ns()))))
        due.append((SENT_HZ, lambda now_s: sent.publish(JointTrajectory(header=tag))))
    began = time.monotonic()
    nexts = [began] * len(due)
    while rclpy.ok():
        now_s = time.monotonic()
        for index, (rate, act) in enumerate(due):
            if now_s >= nexts[index]:
                nexts[index] = max(nexts[index] + 1 / rate, now_s)
                act(now_s)
        time.sleep(max(min(nexts) - time.monotonic(), 0.0))


def _send(sender: Any, message: Any, now_s: float) -> None:
    sender.publish(message)


def _image(height: int, width: int, seed: int) -> np.ndarray:
    """A picture with edges and a little noise, as a camera's: uint8 (height, width, 3)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    base = np.stack([x * 255 // width, y * 255 // height, ((x // 40 + y // 40) % 2) * 120 + 60], axis=2)
    return np.clip(base + random.normal(0, 4, base.shape), 0, 255).astype(np.uint8)


def _record(cameras: tuple[str, ...], state: str) -> dict[str, Any]:
    reasons = {"waiting": "camera wrist is silent", "failed": "no space left on the disk", "saving": "writing images"}
    return {
        "state": state,
        "reason": reasons.get(state, ""),
        "seconds": 14.2,
        "rows": 284,
        "episodes": 23,
        "discarded": 4,
        "label": "success" if state == "ended" else "",
        "verdict": "saved, 14 s, wrist camera 3 drops, 40 % idle",
        "disk_minutes": 83.4,
        "store": "/data/lift",
        "task": "twin/lift",
        "instruction": "lift the <script>alert(1)</script> cube",
        "seed": 100,
        "streams": {name: {"rate_hz": 30.0, "age_s": 0.02, "drops": 3 * (name == "wrist")} for name in cameras},
        "goal": 50,
    }


# The client


async def measure(address: str, token: str, seconds: float, pid: int) -> dict[str, Any]:
    """Take rounds for a while, as a browser that is never slow."""
    import aiohttp

    ages: dict[int, list[float]] = defaultdict(list)
    sizes: list[int] = []
    origin = address.rstrip("/")
    async with aiohttp.ClientSession(headers={"Origin": origin}, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.post(f"{origin}/session", json={"token": token}) as response:
            response.raise_for_status()
        async with session.ws_connect(f"{origin}/socket", max_msg_size=0) as socket:
            began, used_s = time.monotonic() + SETTLE_S, -1.0
            while time.monotonic() < began + seconds:
                number, entries = unpack_round(await socket.receive_bytes())
                await socket.send_bytes(ANSWER.pack(number))
                if time.monotonic() < began:
                    continue
                if used_s < 0:
                    used_s = processor_s(pid)
                for channel, entry in entries.items():
                    if channel.kind is Kind.CAMERA:
                        ages[channel.number].append(time.time() - entry.stamp_ns * 1e-9)
                        sizes.append(len(entry.body))
    return {"ages": ages, "bytes": np.mean(sizes), "share": (processor_s(pid) - used_s) / seconds}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contract", default="panda_twin")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--rate", type=float, default=30.0)
    parser.add_argument("--shown", default="320x240", help="size of the frames that the page shows")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", default="recording", choices=STATES)
    parser.add_argument("--stay", action="store_true")
    parser.add_argument("--publish", metavar="CONTRACT", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.publish:
        with suppress(KeyboardInterrupt):
            publish(asked.publish, asked.state)
        return 0
    os.environ.setdefault("ROS_DOMAIN_ID", str(20 + os.getpid() % 80))
    token = os.environ.get("TILLER_PAGE_TOKEN") or new_token()
    width, height = map(int, asked.shown.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        contract = str(contract_at(Path(folder), asked.contract, asked.width, asked.height, asked.rate))
        environment = {**child_environment(), **write_profile(Path(folder), participants=4).environment}
        words = [sys.executable, "-m", "benchmarks.page", "--publish", contract, "--state", asked.state]
        publishers = subprocess.Popen(words, env=environment)
        parameters = {"contract": contract, "port": asked.port, "width": width, "height": height}
        page = subprocess.Popen(
            NodeProcess("page", parameters).command,
            env={**environment, "TILLER_PAGE_TOKEN": token},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert page.stdout is not None
            address = page.stdout.readline().removeprefix("page: ").strip()
            if not address:
                return 1  # it has said why
            if asked.stay:
                print(f"{address}#{token}", flush=True)
                return page.wait()
            found = asyncio.run(measure(address, token, asked.seconds, page.pid))
        finally:
            for each in (page, publishers):
                each.terminate()
                each.wait()
    for number, ages in sorted(found["ages"].items()):
        p50, p95 = np.quantile(ages, (0.5, 0.95)) * 1e3
        print(f"{CAMERAS[number]}: {len(ages) / asked.seconds:.1f} frames/s, age p50 {p50:.0f} ms, p95 {p95:.0f} ms")
    print(f"{found['bytes'] / 1024:.0f} KiB per frame, {100 * found['share']:.1f} % of a core in the page's process")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
