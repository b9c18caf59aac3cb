"""What the environment sets for ROS, and folders that cannot be written: through the command line, in a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from real.process.settings import domain_of, domain_remark, installed_middlewares, log_folder, middleware_of
from robot import folders
from robot.errors import InputError
from tests.real.conftest import Program

pytestmark = pytest.mark.together

REPOSITORY = Path(__file__).parents[2]
NODE = ("-m", "tiller", "node", "supervisor", "contract=panda_twin")
DEPLOY = ("-m", "tiller", "deploy", "contract=panda_twin")
CONNECT = ("-c", "import tiller; tiller.connect('panda_twin')")
NO_FOLDER = "/proc/nobody"  # nobody can make a folder there, not even root


def run(words: tuple[str, ...], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
    )


@pytest.mark.parametrize("text, domain", [("", 0), ("0", 0), ("7", 7), ("007", 7), ("232", 232)])
def test_a_domain_is_a_whole_number_up_to_232(text: str, domain: int) -> None:
    assert domain_of({"ROS_DOMAIN_ID": text}) == domain
    assert domain_of({}) == 0


@pytest.mark.parametrize("text", ["233", "300", "-1", "abc", " 5 ", "+5", "5.0", "0x5", "٣", " "])
def test_any_other_domain_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="0 to 232") as refusal:
        domain_of({"ROS_DOMAIN_ID": text})
    assert ("ROS_DOMAIN_ID=5" in str(refusal.value)) == (text in (" 5 ", "+5"))


def test_a_domain_whose_ports_the_system_gives_away_is_remarked_on(tmp_path: Path, monkeypatch) -> None:
    ports = tmp_path / "ports"
    ports.write_text("32768\t60999\n")
    monkeypatch.setattr("real.process.settings.EPHEMERAL", ports)
    assert [bool(domain_remark(domain)) for domain in (0, 100, 102, 214, 215, 232)] == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]
    monkeypatch.setattr("real.process.settings.EPHEMERAL", tmp_path / "none")
    assert domain_remark(150) == ""


def test_installed_middlewares_are_those_of_the_index_of_ros(tmp_path: Path) -> None:
    index = tmp_path / "share/ament_index/resource_index/rmw_typesupport"
    index.mkdir(parents=True)
    for name in ("rmw_cyclonedds_cpp", "rmw_implementation"):
        (index / name).touch()
    environment = {"AMENT_PREFIX_PATH": str(tmp_path), "ROS_DISTRO": "jazzy"}
    assert "rmw_cyclonedds_cpp" in installed_middlewares(environment)
    assert "rmw_implementation" not in installed_middlewares(environment)
    assert middleware_of({**environment, "RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}) == "rmw_cyclonedds_cpp"
    with pytest.raises(InputError, match="apt install ros-jazzy-rmw-zenoh-cpp"):
        middleware_of({**environment, "RMW_IMPLEMENTATION": "rmw_zenoh_cpp"})


@pytest.mark.parametrize(
    "environment, part",
    [
        ({"ROS_DOMAIN_ID": "300"}, "from 0 to 232"),
        ({"ROS_DOMAIN_ID": "-1"}, "from 0 to 232"),
        ({"RMW_IMPLEMENTATION": "rmw_garbage"}, "that is installed: rmw_fastrtps_cpp"),
        ({"TILLER_EXECUTOR": "x"}, "TILLER_EXECUTOR"),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "here"}, "LOCALHOST"),
    ],
)
@pytest.mark.parametrize("words", [NODE, DEPLOY, CONNECT, ("-m", "real.process.profile")])
def test_wrong_settings_are_one_message_before_any_ros(
    tmp_path: Path, words: tuple[str, ...], environment: dict[str, str], part: str
) -> None:
    pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")
    done = run(words, tmp_path, **environment)
    assert part in done.stderr.splitlines()[-1] and done.returncode == (1 if words is CONNECT else 2), done
    assert words is CONNECT or len(done.stderr.splitlines()) == 1, done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("home", [None, "", NO_FOLDER])
def test_a_node_starts_without_a_home_folder(
    ros_environment: dict[str, str], tmp_path: Path, monkeypatch, home: str | None
) -> None:
    pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")
    for name in ("ROS_LOG_DIR", "ROS_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("HOME") if home is None else monkeypatch.setenv("HOME", home)
    program = Program(*NODE, TMPDIR=str(tmp_path))
    try:
        program.wait_for("/supervisor: ready after")
        if home == NO_FOLDER:
            assert sum("ROS_LOG_DIR chooses" in line for line in program.lines) == 1
            assert sum("XDG_CACHE_HOME chooses" in line for line in program.lines) == 1
            assert list(tmp_path.glob("tiller-*/log/*"))
    finally:
        program.signal(15)


def test_compiled_code_is_kept_elsewhere_where_the_cache_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "hot.py").write_text(
        "from robot.compiled import compiled\n@compiled\ndef after(x):\n    return x + 1\nprint(after(2))"
    )
    done = run(("hot.py",), tmp_path, XDG_CACHE_HOME=NO_FOLDER, TMPDIR=str(tmp_path))
    assert done.stdout.strip() == "3", done
    assert NO_FOLDER in done.stderr and str(tmp_path) in done.stderr


def test_a_temporary_folder_that_others_can_write_is_not_taken(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    shared = tmp_path / f"tiller-{os.getuid()}"
    shared.mkdir()
    shared.chmod(0o777)
    assert folders.temporary_folder.__wrapped__() != shared
    shared.chmod(0o700)
    assert folders.temporary_folder.__wrapped__() == shared


def test_a_log_folder_that_was_chosen_and_cannot_be_written_is_said() -> None:
    found, remark = log_folder({"ROS_LOG_DIR": NO_FOLDER, "HOME": "/"})
    assert NO_FOLDER in remark and Path(found["ROS_LOG_DIR"]).parent.is_dir()
