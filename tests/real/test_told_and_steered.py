"""The whole way of a policy that is told by words and of a critic that chooses among its chunks, down to the graph."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from std_msgs.msg import String

from real.ros import qos
from tests.journeys.commands import TINY
from tests.real.test_by_hand import tiller

TOLD = "close it, please"
FOLLOWS = "following the policy"


@contextmanager
def deployed(checkpoint: Path, folder: Path, task: str = "twin/drawer") -> Iterator[None]:
    """The graph of a policy, from when it follows it."""
    words = ("contract=panda_twin", f"task={task}", f"checkpoint={checkpoint}", f"output={folder / 'graph'}")
    with subprocess.Popen(
        [sys.executable, "-m", "tiller", "deploy", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if FOLLOWS in line:
                break
        try:
            assert FOLLOWS in lines[-1], "".join(lines)
            reading = threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True)
            reading.start()
            yield
        finally:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=60)
        assert process.returncode == 0, "".join(lines)


def told(words: str, within_s: float = 30) -> dict[str, str]:
    """Tell the policy of the graph something, and what it says of itself once it plans by that."""
    rclpy.init()
    node, executor = rclpy.create_node("tells"), SingleThreadedExecutor()
    executor.add_node(node)
    said: list[dict[str, str]] = []

    def heard(message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith("policy"):
                said.append({each.key: each.value for each in status.values})

    node.create_subscription(DiagnosticArray, "status", heard, qos.STATUS)
    node.create_publisher(String, "policy/task", qos.LATCHED).publish(String(data=words))
    try:
        end, planned = time.monotonic() + within_s, ""
        while time.monotonic() < end:
            executor.spin_once(timeout_sec=0.2)
            if said and said[-1]["prompt"] == words:
                planned = planned or said[-1]["plans"]
                if int(said[-1]["plans"]) > int(planned):
                    return said[-1]
        raise AssertionError(f"not heard, or no plan after it: {said[-1:]}")
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_groups_become_a_critic_that_steers_what_is_told_in_the_graph(
    ros_environment: dict[str, str], tmp_path: Path
) -> None:
    task, base = "task=twin/drawer", tmp_path / "policy" / "checkpoints" / "final"
    tiller("collect", task, "episodes=12", "options.starts=ambiguous", f"output={tmp_path / 'demos'}", cwd=tmp_path)
    learns = (*TINY, "policy.prompt.name=language", "training.steps=400", "training.validation.fraction=0")
    tiller("train", task, f"data={tmp_path / 'demos'}", f"output={tmp_path / 'policy'}", *learns, cwd=tmp_path)
    rolls = ("source=checkpoint", f"checkpoint={base}", "steps=3", "options.max_steps=48", "groups=4")
    tiller("collect", task, *rolls, "episodes=8", f"output={tmp_path / 'groups'}", cwd=tmp_path)
    critic = ("critic=success", f"base={base}", "base_steps=3", "critic.network.width=16")
    short = ("training.steps=20", "training.warmup=2", "training.batch_size=32", "training.validation.fraction=0")
    words = (task, f"data={tmp_path / 'groups'}", f"output={tmp_path / 'critic'}")
    tiller("train", *critic, *short, *words, cwd=tmp_path)
    steering = ("steering=value", f"steering.critic={tmp_path / 'critic'}", "steering.samples=4", "steps=3")
    measured = (f"checkpoint={base}", task, *steering, "episodes=2", "options.max_steps=48", "videos=0")
    tiller("evaluate", *measured, f"output={tmp_path / 'measured'}", cwd=tmp_path)
    record = json.loads((tmp_path / "measured" / "evaluation.json").read_text())
    assert len(record["records"]) == 2
    with deployed(tmp_path / "measured" / "steered", tmp_path):
        status = told("push the drawer shut")
        assert status["refused"] == "0", status
        assert told(TOLD)["prompt"] == TOLD, "words that no demonstration had"
