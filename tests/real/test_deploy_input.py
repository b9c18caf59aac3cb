"""`tiller deploy` that was asked wrongly: one message, exit code 2, before a process of the graph is started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from robot.contract.loading import load_contract, semantic_hash
from tests.policies.model.test_checkpoint_folder import checkpoint
from tests.real.test_ros_settings import run

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

pytestmark = pytest.mark.together


def refused(tmp_path: Path, *words: str) -> str:
    done = run(("-m", "tiller", "deploy", *words, f"output={tmp_path / 'out'}"), tmp_path)
    assert done.returncode == 2 and done.stdout == "" and not (tmp_path / "out").exists(), done
    (line,) = done.stderr.splitlines()
    assert line.startswith("tiller deploy: ")
    return line


@pytest.mark.parametrize("content", [b"\x00\x01\xff\xfe", b"a: [", b"text", b""])
def test_a_contract_that_is_no_yaml_of_names(ros_environment, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "own.yaml").write_bytes(content)
    assert "own.yaml" in refused(tmp_path, f"contract={tmp_path / 'own.yaml'}")


@pytest.mark.parametrize(
    "word, part",
    [
        ("parameters={gate: 3}", "names with their values"),
        ("parameters={twin: {faults: {x: y}}}", "twin: faults"),
        ("remap={3: a}", "remap of '3'"),
        ("remap={policy/chunck: a}", "policy/chunk"),
        ("seed=99999999999999999999", "64 bits"),
        ("namespace=/left/", "namespace=/left"),
        ("namespace=~left", "namespace=/left"),
        ("checkpoint=nowhere#x", "nowhere#0"),
        ("task=twin/lfit", "Did you mean 'twin/lift'"),
    ],
)
def test_options_that_no_node_could_take(ros_environment, tmp_path: Path, word: str, part: str) -> None:
    assert part in refused(tmp_path, "contract=panda_twin", word)


def test_a_checkpoint_that_is_not_there_or_is_another_robots(ros_environment, tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "runs" / "lift")
    words = ("contract=panda_twin", f"checkpoint={tmp_path / 'runs' / 'lifd'}")
    assert f"Did you mean '{folder}'?" in refused(tmp_path, *words)
    record = json.loads((folder / "policy.json").read_text())
    (folder / "policy.json").write_text(json.dumps({**record, "provenance": {"semantic_hash": "0" * 16}}))
    assert semantic_hash(load_contract("panda_twin")) in refused(tmp_path, words[0], f"checkpoint={folder}")


def test_a_policy_node_refuses_its_checkpoint_before_it_loads_torch(ros_environment, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom real.nodes.policy_node import main\n"
        "code = main(['--ros-args', '-p', 'checkpoint:=/nowhere'])\n"
        "assert 'torch' not in sys.modules\nsys.exit(code)"
    )
    done = run(("-c", code), tmp_path)
    assert done.returncode == 2 and "nothing there" in done.stderr, done


def test_a_reader_that_leaves_ends_no_graph(ros_environment, tmp_path: Path) -> None:
    """`tiller deploy ... | head -1`: the processes' lines go on to their logs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tiller", "deploy", "contract=panda_twin", f"output={tmp_path / 'out'}"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    log, deadline = tmp_path / "out" / "gate.log", time.monotonic() + 30
    while "ready after" not in (log.read_text() if log.exists() else ""):
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.05)
    process.terminate()
    assert "Traceback" not in process.stderr.read()
    process.wait(30)
    process.stderr.close()
