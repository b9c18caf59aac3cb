"""`tiller doctor robot=NAME`: what it says of a robot, well or not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from robot.description.loading import load_robot, robot_folder
from sim.rendering.backend import find_backend
from tiller.cli import main

ROOT = Path(__file__).parents[2]
needs_renderer = pytest.mark.skipif(find_backend() is None, reason="neither EGL nor OSMesa works on this machine")


def panda_with(folder: Path, **changes: object) -> Path:
    (folder / "arm").mkdir()
    values = yaml.safe_load((robot_folder() / "arm" / "panda.yaml").read_text())
    (folder / "arm" / "panda.yaml").write_text(yaml.safe_dump({**values, **changes}))
    (folder / "mine.yaml").write_text("limbs:\n  - {arm: panda, tool: panda_gripper}\n")
    return folder / "mine.yaml"


@needs_renderer
def test_a_robot_is_shown_held_and_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "robot=panda_inspire"]) == 0
    shown = capsys.readouterr().out
    for words in (
        "13 commanded joints, 6 that follow",
        "joint_r_thumb_proximal_1",
        "agrees with its models",
        "It holds its rest posture",
        "nothing touches",
        "hand.joints (6) rad",
    ):
        assert words in shown, words
    (picture,) = tmp_path.glob("outputs/doctor/*/panda_inspire.png")
    assert str(picture.relative_to(tmp_path)) in shown and picture.read_bytes()[1:4] == b"PNG"
    assert main(["doctor", "robot=panda_inspire", f"output={picture}"]) == 2
    assert "one that is there" in capsys.readouterr().err


def test_without_a_renderer_the_rest_is_done() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tiller", "doctor", "robot=panda"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": "", "TILLER_GL": "none", "OMP_NUM_THREADS": "1", "HOME": str(Path.home())},
    )
    assert done.returncode == 0, done.stderr
    assert "It holds its rest posture" in done.stdout and "Not drawn. Nothing to draw with" in done.stdout


def test_a_robot_that_its_model_contradicts_is_refused_with_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = panda_with(tmp_path, joints=["joint1", "joint2", "joint3", "joint4", "joint5", "joint6", "joint_7"])
    assert main(["doctor", f"robot={file}", f"output={tmp_path}/x.png"]) == 2
    message = capsys.readouterr().err
    assert "description" in message and "joint 'joint_7'" in message and "Did you mean 'joint7'" in message


def test_a_robot_that_sags_is_called_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = panda_with(tmp_path, effort=[4.0] * 7)
    assert main(["doctor", f"robot={file}", f"output={tmp_path}/x.png"]) == 1
    assert "It does NOT hold its rest posture" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["robot=panda_inspir"], "Did you mean 'panda_inspire'"),
        (["robot=panda", "output=panda.jpg"], "a file that ends in .png"),
        (["robot=panda", "urdf=none.urdf"], "urdf none.urdf: expected a URDF file"),
        (["urdf=arm.urdf"], "robot=NAME"),
        (["robt=panda"], "Did you mean 'robot'"),
    ],
)
def test_what_is_asked_wrongly_is_told(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("contract", "says"),
    [("panda_twin", "its robot is 'panda'"), ("fr3_crisp", "is 'fr3'"), ("allegro", "fr3_allegro.yaml'")],
)
def test_the_name_of_a_contract_is_answered_with_its_robot(
    contract: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", f"robot={contract}", "output=x.png"]) == 2
    message = capsys.readouterr().err
    assert f"'{contract}' is a contract" in message and says in message
    robot = message.rpartition("its robot is '")[2].partition("'")[0]
    assert load_robot(robot).spec.name == Path(robot).stem
