"""`ros2 launch tiller` and `ros2 run tiller`: the files by which ROS finds tiller, from a wheel and from a checkout."""

from __future__ import annotations

import ast
import json
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import zipfile
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

from real.graph.graph import NODES, Deployment, module_of, processes
from tests.journeys.test_installation import ROOMS

REPOSITORY = Path(__file__).parents[2]
LAUNCH = REPOSITORY / "launch"
LAUNCH_FILES = sorted(LAUNCH.glob("*.launch.py"))
EXECUTABLES = sorted((LAUNCH / "ament" / "lib").iterdir())
COMMON = {"contract", "use_sim_time"}


def calls(file: Path, name: str) -> list[ast.Call]:
    """Calls of a function in a file."""
    tree = ast.parse(file.read_text())
    return [each for each in ast.walk(tree) if isinstance(each, ast.Call) and getattr(each.func, "id", "") == name]


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((each.value for each in call.keywords if each.arg == name), None)


def keys(node: ast.AST | None) -> set[str]:
    """Text keys of the dictionaries below a node."""
    return {
        key.value
        for each in ast.walk(node or ast.Pass())
        if isinstance(each, ast.Dict)
        for key in each.keys
        if isinstance(key, ast.Constant)
    }


def nodes_of(file: Path) -> dict[str, set[str]]:
    """Executable -> names of its parameters."""
    found = {
        f"{call.args[0].value}_node": keys(call.args[1])  # type: ignore[attr-defined]
        for call in calls(file, "node")
    }
    for call in calls(file, "Node"):
        executable = keyword(call, "executable")
        if isinstance(executable, ast.Constant):
            found[executable.value] = keys(keyword(call, "parameters"))
    return found


WITH_NODES = [file for file in LAUNCH_FILES if nodes_of(file)]


def test_there_are_launch_files_for_the_twin_for_the_robot_and_for_who_records() -> None:
    assert [file.name for file in LAUNCH_FILES] == ["collect.launch.py", "deploy.launch.py", "twin.launch.py"]


def test_who_records_gets_the_graph_of_the_robot_and_no_node_of_its_own() -> None:
    (included,) = calls(LAUNCH / "collect.launch.py", "IncludeLaunchDescription")
    assert "launch_arguments" in ast.unparse(included) and not nodes_of(LAUNCH / "collect.launch.py")
    of_the_robot, own = (
        {
            each.args[0].value
            for each in calls(LAUNCH / name, "DeclareLaunchArgument")
            if isinstance(each.args[0], ast.Constant)
        }
        for name in ("deploy.launch.py", "collect.launch.py")
    )
    assert own <= of_the_robot and {"record", "teleop", "page"} <= own


@pytest.mark.parametrize("file", LAUNCH_FILES, ids=lambda file: file.name)
def test_every_argument_says_what_it_is(file: Path) -> None:
    found = calls(file, "DeclareLaunchArgument")
    assert len(found) > 3
    for call in found:
        text = keyword(call, "description")
        assert isinstance(text, (ast.Constant, ast.JoinedStr)) and ast.unparse(text) not in ("''", '""')


@pytest.mark.parametrize("file", WITH_NODES, ids=lambda file: file.name)
def test_every_executable_that_is_named_exists(file: Path) -> None:
    assert set(nodes_of(file)) <= {each.name for each in EXECUTABLES}


def environments_of(file: Path) -> list[dict[str, str]]:
    """Of each node of a launch file: the variables that it gets, as they are in this process."""
    names = {"os": os, "str": str}
    for each in ast.parse(file.read_text()).body:
        if isinstance(each, ast.Assign) and isinstance(each.value, ast.Dict) and "os.getpid()" in ast.unparse(each):
            exec(ast.unparse(each), names)
    wanted = [keyword(call, "additional_env") for call in calls(file, "Node")]
    return [eval(ast.unparse(each), names) if each is not None else {} for each in wanted]


@pytest.mark.parametrize("file", WITH_NODES, ids=lambda file: file.name)
def test_every_node_knows_the_process_of_the_launch(file: Path) -> None:
    found = environments_of(file)
    assert found and all(each["TILLER_PARENT"] == str(os.getpid()) for each in found)


def test_launch_files_and_supervised_processes_start_the_same_nodes_with_the_same_parameters() -> None:
    everything = Deployment(
        "panda_twin",
        twin=True,
        task="twin/lift",
        checkpoint="/policy",
        instruction="lift",
        teleop="gamepad",
        record="/data",
        page=True,
    )
    graph = {f"{each.node}_node": set(each.parameters) - COMMON for each in processes(everything)}
    launched = {name: parameters - COMMON for file in LAUNCH_FILES for name, parameters in nodes_of(file).items()}
    assert launched == graph


def test_every_node_has_an_executable_that_runs_it_with_the_environments_interpreter() -> None:
    assert {each.name for each in EXECUTABLES} == {*(f"{name}_node" for name in NODES), "dds_profile"}
    for file in EXECUTABLES:
        assert file.stat().st_mode & stat.S_IXUSR
        subprocess.run(["sh", "-n", file], check=True)
        if file.name != "dds_profile":
            assert f"-m tiller node {file.name.removesuffix('_node')} " in file.read_text()
            module_of(file.name)


def test_the_package_file_names_the_version_of_tiller() -> None:
    import tiller

    root = ElementTree.parse(LAUNCH / "ament" / "package.xml").getroot()
    assert root.findtext("name") == "tiller" and root.findtext("version") == tiller.__version__


def prefix_with_python(folder: Path, code: str) -> Path:
    """An environment whose interpreter is a script."""
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.write_text(f"#!/bin/sh\n{code}\n")
    python.chmod(0o755)
    return folder


def sourced(script: Path, command: str, **environment: str) -> str:
    plain = {name: value for name, value in os.environ.items() if name not in ("AMENT_PREFIX_PATH", "VIRTUAL_ENV")}
    return subprocess.run(
        ["bash", "-euc", f'source "{script}"\n{command}'],
        check=True,
        capture_output=True,
        text=True,
        env={**plain, **environment},
        cwd="/",
    ).stdout


def test_a_checkout_is_found_after_its_script_is_sourced(tmp_path: Path) -> None:
    prefix = prefix_with_python(tmp_path / "env", f'exec {sys.executable} "$@"')
    twice = f'source "{LAUNCH}/tiller-env.sh"; echo "$AMENT_PREFIX_PATH"; echo "$PATH"'
    shown = sourced(LAUNCH / "tiller-env.sh", twice, VIRTUAL_ENV=str(prefix), AMENT_PREFIX_PATH="/opt/ros/any")
    ament, path = shown.splitlines()
    assert ament == f"{prefix}:/opt/ros/any" and path.split(":").count(f"{prefix}/bin") == 1
    assert (prefix / "share/ament_index/resource_index/packages/tiller").is_file()
    assert (prefix / "share/tiller/launch/twin.launch.py").samefile(LAUNCH / "twin.launch.py")
    done = subprocess.run(
        [prefix / "lib/tiller/dds_profile", "--folder", tmp_path / "profile"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert isinstance(json.loads(done.stdout), dict)


def test_an_executable_lets_the_libraries_be_found_anew_where_their_path_was_taken_away(tmp_path: Path) -> None:
    prefix = prefix_with_python(tmp_path, 'echo "${_ROS_WHEELS_BOOTSTRAP_COMPLETE-unset} $*"')
    (prefix / "lib").mkdir()
    shutil.copytree(LAUNCH / "ament" / "lib", prefix / "lib" / "tiller")
    guard = {**os.environ, "_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1"}

    def run(**environment: str) -> str:
        return subprocess.run(
            [prefix / "lib/tiller/gate_node", "a b"],
            env={**guard, **environment},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    assert run(LD_LIBRARY_PATH=f"/other:{prefix}/lib") == "1 -P -m tiller node gate a b"
    assert run(LD_LIBRARY_PATH="/other/environment/lib") == "unset -P -m tiller node gate a b"


def test_without_an_environment_the_script_says_what_to_do() -> None:
    done = subprocess.run(
        ["bash", "-c", f'VIRTUAL_ENV=/none source "{LAUNCH}/tiller-env.sh"'], capture_output=True, text=True
    )
    assert "make environment" in done.stderr


def ros_launch_is_here() -> bool:
    # The folder `launch` of a checkout is a namespace package to Python; ROS's has a file.
    found = find_spec("launch")
    return found is not None and found.origin is not None


@pytest.mark.skipif(not ros_launch_is_here(), reason="ROS's launch is not installed; it comes with a ROS installation")
@pytest.mark.parametrize("file", LAUNCH_FILES, ids=lambda file: file.name)
def test_launch_files_are_read_by_launch(file: Path) -> None:
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    description = get_launch_description_from_python_launch_file(str(file))
    arguments = {each.name: each for each in description.get_launch_arguments()}
    assert all(each.description for each in arguments.values())
    assert {"contract", "namespace", "checkpoint", "policy_chunk", "discovery"} <= set(arguments)
    assert arguments["discovery"].choices == ["localhost", "subnet"]


@pytest.mark.slow
def test_a_wheel_brings_what_ros_looks_for(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in (*ROOMS, "configs", "launch"):
        shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, source],
        check=True,
        capture_output=True,
    )
    wheel = next(tmp_path.glob("tiller-*.whl"))
    data = f"{wheel.name.split('-py3')[0]}.data/data"
    names = {name.removeprefix(f"{data}/") for name in zipfile.ZipFile(wheel).namelist() if name.startswith(data)}
    assert names == {
        "share/ament_index/resource_index/packages/tiller",
        "share/tiller/package.xml",
        "share/tiller/tiller-env.sh",
        *(f"share/tiller/launch/{file.name}" for file in LAUNCH_FILES),
        *(f"lib/tiller/{each.name}" for each in EXECUTABLES),
    }
    prefix = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", prefix], check=True)
    subprocess.run(
        [prefix / "bin/python", "-m", "pip", "install", "-q", "--no-deps", wheel], check=True, capture_output=True
    )
    assert sourced(prefix / "share/tiller/tiller-env.sh", 'echo "$AMENT_PREFIX_PATH"').strip() == str(prefix)
    # What tiller depends on, but not the checkout, whose editable install is in a .pth file that PYTHONPATH ignores.
    environment = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib"), "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [prefix / "lib/tiller/dds_profile"], cwd=REPOSITORY, env=environment, check=True, capture_output=True, text=True
    )
    assert isinstance(json.loads(done.stdout), dict)
