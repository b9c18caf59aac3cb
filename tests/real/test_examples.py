"""The numbered examples, as a person runs them: each a process of its own, on a graph of a twin."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from real.connection.robot import RosRobot
from tests.real.conftest import REPOSITORY
from tests.real.patient import own_graph, patient_contract

EXAMPLES = REPOSITORY / "examples"
WITHIN_S = 240.0


@pytest.fixture(scope="module")
def contract(domain: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(domain))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        patch.setenv("ROS_LOG_DIR", str(folder / "ros_log"))
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        yield str(patient_contract(folder))


@pytest.fixture(scope="module")
def robot(contract: str, domain: int) -> Iterator[RosRobot]:
    """A graph that the examples join: each starts the sooner."""
    with own_graph(contract, domain) as found:
        yield found


def numbers_after(words: str, said: str) -> list[float]:
    """Numbers in the brackets that follow some words."""
    return [float(number) for number in said.partition(f"{words} [")[2].partition("]")[0].split()]


def run(name: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *words], capture_output=True, text=True, timeout=WITHIN_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_connect_shows_the_robot(robot: RosRobot, contract: str) -> None:
    said = run("00_connect.py", contract)
    assert "panda: the gate is hold no_chunk" in said and "gripper.width    [0.08]" in said


def test_move_goes_there_and_is_told_what_cannot_be_done(robot: RosRobot, contract: str) -> None:
    said = run("01_move.py", contract)
    assert "there     [ 0.5  -0.15  0.3 ]" in said
    assert "refused:  tcp.position: expected within" in said


def test_chunks_draw_a_circle_and_end_at_home(robot: RosRobot, contract: str) -> None:
    time.sleep(1.2)  # what another example sent is old by now
    said = run("02_chunk.py", contract)
    assert said.count("run policy") >= 8


@pytest.mark.slow
def test_a_person_moves_the_robot_while_the_program_watches(robot: RosRobot, contract: str) -> None:
    watching = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "05_teleoperation.py"), contract, "25"], stdout=subprocess.PIPE, text=True
    )
    assert watching.stdout is not None
    assert "in another terminal" in watching.stdout.readline()
    ours, theirs = pty.openpty()
    person = subprocess.Popen(
        [sys.executable, "-m", "tiller", "node", "teleop", "device=keyboard", f"contract={contract}"],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        before = robot.observe()["tcp.position"][2]
        assert robot._subscriptions.until(lambda: _pressed(ours, b"er") and robot.state == "run person", 60.0)
        assert robot._subscriptions.until(
            lambda: _pressed(ours, b"r") and robot.observe()["tcp.position"][2] > before + 0.01, 30.0
        )
    finally:
        person.terminate()
        person.wait(20)
        os.close(ours)
        os.close(theirs)
    out, _ = watching.communicate(timeout=60)
    assert watching.returncode == 0 and "run person" in out


def _pressed(terminal: int, keys: bytes) -> bool:
    os.write(terminal, keys)
    time.sleep(0.2)
    return True


@pytest.mark.slow
def test_a_shadow_computes_and_sends_nothing_and_its_record_replays(contract: str, monkeypatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(int(os.environ["ROS_DOMAIN_ID"]) ^ 1))
    said = run("04_shadow.py", contract)
    # From where it was measured, which is not quite where it is commanded.
    np.testing.assert_allclose(numbers_after("would have moved it by", said), [0.0, 0.1, 0.0], atol=0.002)
    np.testing.assert_allclose(numbers_after("it has moved by", said), 0.0, atol=0.002)
    assert "The core decides the same again, to the byte" in said


@pytest.mark.slow
def test_a_policy_runs_an_episode_while_the_gate_is_watched(contract: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(int(os.environ["ROS_DOMAIN_ID"]) ^ 1))
    subprocess.run(
        [
            sys.executable,
            "-m",
            "tiller",
            "collect",
            "task=twin/lift",
            "episodes=1",
            "seed=0",
            f"output={tmp_path / 'lift'}",
        ],
        check=True,
        capture_output=True,
        timeout=WITHIN_S,
    )
    store = next(tmp_path.glob("lift/**/zarr.json")).parent
    said = run("03_policy.py", f"{store}#0", contract)
    assert "run policy" in said and "success" in said
