"""A wheel in an environment of its own, used far from the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ROOMS = ("robot", "data", "policies", "sim", "real", "tiller")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # A copy: setuptools builds in the source tree and takes into a wheel what an earlier build left there.
    source = folder / "source"
    for name in (*ROOMS, "configs", "launch"):
        shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, source], check=True, capture_output=True
    )
    return next(folder.glob("tiller-*.whl"))


@pytest.mark.slow
def test_wheel_holds_every_room_and_every_configuration(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for file in (REPOSITORY / "configs").rglob("*.yaml"):
        assert f"tiller/configs/{file.relative_to(REPOSITORY / 'configs')}" in names
    for room in ROOMS:
        for file in (REPOSITORY / room).rglob("*.py"):
            assert str(file.relative_to(REPOSITORY)) in names
    assert {"sim/report/style.css", "sim/report/sort.js"} <= names
    assert not any(name.startswith(("tests/", "benchmarks/", "configs/", "launch/")) for name in names)
    assert "tiller/launch/__init__.py" not in names


@pytest.mark.slow
def test_installed_wheel_finds_its_configurations_and_rooms(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    site = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    zipfile.ZipFile(wheel).extractall(site)
    # What tiller depends on, but not the checkout: editable installs work through .pth files, which PYTHONPATH ignores.
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{sysconfig.get_path('purelib')}"}

    def run(*words: str) -> str:
        return subprocess.run(
            [python, *words], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        ).stdout

    assert str(site) in run("-c", "import robot, data, policies, sim, tiller; print(sim.__file__)")
    made = "import tiller, gymnasium; print(gymnasium.make('tiller/twin-lift-v0', action='delta').action_space)"
    assert "Box(-1.0, 1.0, (7,), float32)" in run("-c", made)
    assert "demo" in run("-m", "tiller")
    assert "flow_mlp" in run("-m", "tiller", "train", "--help")
    assert "tiller's own" in run("-m", "tiller", "doctor")
