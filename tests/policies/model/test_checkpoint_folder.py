"""A checkpoint is looked at without torch, and a wrong path comes with the nearest right one."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from policies.model.checkpoint_folder import FORMAT, VERSION, find, require_whole
from robot.errors import InputError


def checkpoint(folder: Path, *, size: int = 8) -> Path:
    """A folder with the files of a checkpoint, whose one tensor has 8 bytes."""
    folder.mkdir(parents=True)
    (folder / "policy.json").write_text(json.dumps({"format": FORMAT, "version": VERSION}))
    header = json.dumps({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(size))
    return folder


def test_a_checkpoint_and_the_run_that_holds_it_are_found(tmp_path: Path) -> None:
    final = checkpoint(tmp_path / "run" / "checkpoints" / "final")
    assert find(final) == find(tmp_path / "run") == final
    assert require_whole(tmp_path / "run")["version"] == VERSION


@pytest.mark.parametrize(
    "typed, got, near",
    [
        ("lft", "nothing there", "lift"),
        ("lift/checkpoints/finale", "nothing there", "lift/checkpoints/final"),
        ("lift/checkpoints/final/policy.json", "a file", "lift/checkpoints/final"),
        ("lift/nope/x", "nothing there", "lift"),
        ("empty", "an empty folder", "lift"),
        ("", "no policy.json", "lift"),
    ],
)
def test_a_wrong_path_comes_with_the_nearest_right_one(tmp_path: Path, typed: str, got: str, near: str) -> None:
    checkpoint(tmp_path / "lift" / "checkpoints" / "final")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as refusal:
        find(tmp_path / typed)
    assert got in (refusal.value.got or "") and str(tmp_path / near) in (refusal.value.way_out or "")


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"x" * 99),
    ],
)
def test_weights_that_are_missing_or_cut_short_are_seen(tmp_path: Path, damage) -> None:
    folder = checkpoint(tmp_path / "policy")
    damage(folder / "model.safetensors")
    with pytest.raises(InputError, match=r"model\.safetensors"):
        require_whole(folder)


def test_the_look_does_not_import_torch() -> None:
    code = "import sys, real.policy.source\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
