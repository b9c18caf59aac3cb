"""The transport profile of a run: sized to what is free, in the file that each middleware reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from real.process.profile import MB, PARTICIPANTS, require_shared_memory, segment_size, write_profile
from robot.errors import InputError

pytestmark = pytest.mark.together

NAMESPACE = "{http://www.eprosima.com}"


@pytest.mark.parametrize("free, expected", [(24 << 30, 64 * MB), (1 << 30, 42 * MB), (64 * MB, 0), (0, 0)])
def test_all_segments_together_take_half_of_what_is_free_at_most(free: int, expected: int) -> None:
    assert segment_size(free) == expected
    assert segment_size(free) * PARTICIPANTS <= free / 2


def test_discovery_stays_on_this_machine_unless_asked(tmp_path: Path) -> None:
    variable = "ROS_AUTOMATIC_DISCOVERY_RANGE"
    assert write_profile(tmp_path, environment={}).environment[variable] == "LOCALHOST"
    assert write_profile(tmp_path, environment={}, reach="subnet").environment[variable] == "SUBNET"
    assert variable not in write_profile(tmp_path, environment={variable: "SUBNET"}).environment
    with pytest.raises(InputError, match="Did you mean 'subnet'"):
        write_profile(tmp_path, reach="subnett")


def test_fast_dds_gets_shared_memory_where_there_is_room(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, environment={}, free=24 << 30)
    root = ElementTree.parse(profile.environment["FASTDDS_DEFAULT_PROFILES_FILE"]).getroot()
    assert [each.text for each in root.iter(f"{NAMESPACE}segment_size")] == [str(64 * MB)]
    assert len(list(root.iter(f"{NAMESPACE}transport_descriptor"))) == 2 and not profile.remarks


def test_without_room_for_images_a_person_is_told(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, environment={}, free=64 * MB)
    root = ElementTree.parse(profile.environment["FASTDDS_DEFAULT_PROFILES_FILE"]).getroot()
    assert not list(root.iter(f"{NAMESPACE}segment_size"))
    assert "--shm-size" in profile.remarks[0]


def test_a_shared_memory_that_is_full_is_refused_and_one_that_is_too_small_is_done_without(monkeypatch) -> None:
    class Memory:
        f_frsize = 1

        def __init__(self, free: int, whole: int) -> None:
            self.f_bavail, self.f_blocks = free, whole

    states = {"full": Memory(0, 40 * MB), "free": Memory(40 * MB, 40 * MB), "tiny": Memory(0, 200_000)}

    def is_now(state: str) -> None:
        monkeypatch.setattr("real.process.profile.os.statvfs", lambda path: states[state])

    for state in ("free", "tiny"):
        is_now(state)
        require_shared_memory(4, {})
    is_now("full")
    with pytest.raises(InputError, match=r"0\.0 MB of 40\.0 MB.*fastdds shm clean"):
        require_shared_memory(4, {})
    require_shared_memory(4, {}, reach="subnet")  # rmw_fastrtps adds a segment for this machine's nodes alone


def test_other_middlewares_get_what_they_read(tmp_path: Path) -> None:
    cyclone = write_profile(tmp_path, environment={"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"})
    ElementTree.parse(cyclone.environment["CYCLONEDDS_URI"].removeprefix("file://"))
    zenoh = write_profile(tmp_path, middleware="rmw_zenoh_cpp", environment={})
    assert "shared_memory" in zenoh.environment["ZENOH_CONFIG_OVERRIDE"] and "router" in zenoh.remarks[0]
    with pytest.raises(InputError, match="rmw_zenoh_cpp"):
        write_profile(tmp_path, middleware="rmw_zenho_cpp")


def test_a_profile_that_a_person_has_set_is_kept_and_said(tmp_path: Path) -> None:
    profile = write_profile(tmp_path, environment={"FASTDDS_DEFAULT_PROFILES_FILE": "/lab/own.xml"})
    assert "FASTDDS_DEFAULT_PROFILES_FILE" not in profile.environment
    assert "/lab/own.xml" in profile.remarks[0]
    assert not list(tmp_path.iterdir())


def test_the_executable_for_launch_files_prints_the_variables(tmp_path: Path) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("ROS_", "FASTDDS", "RMW"))}
    printed = subprocess.run(
        [sys.executable, "-m", "real.process.profile", "--folder", str(tmp_path), "--discovery", "subnet"],
        env=plain,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = json.loads(printed)
    assert found["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SUBNET"
    assert Path(found["FASTDDS_DEFAULT_PROFILES_FILE"]).is_relative_to(tmp_path)


def test_nodes_of_fast_dds_take_the_profile(tmp_path: Path) -> None:
    pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")
    profile = write_profile(tmp_path, environment={}, free=24 << 30)
    code = (
        "import os, rclpy\nrclpy.init()\nnode = rclpy.create_node('probe')\n"
        "maps = open('/proc/self/maps').read()\n"
        "files = {line.split()[-1] for line in maps.splitlines() if '/dev/shm/fastdds' in line}\n"
        "print(max(os.stat(file).st_size for file in files if os.path.exists(file)))\n"
        "node.destroy_node()\nrclpy.shutdown()"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **profile.environment, "ROS_LOG_DIR": str(tmp_path)},
    ).stdout
    assert int(printed) >= 64 * MB
