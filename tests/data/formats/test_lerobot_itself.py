"""LeRobot's own dataset reads what is exported: numbers, images, videos, tasks, windows that end where episodes do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from data.formats.export.run import export
from data.store.dataset import Dataset

pytest.importorskip("pyarrow", reason="the extra 'formats' is not installed")
pytest.importorskip("av", reason="the extra 'formats' is not installed")

PYTHON = os.environ.get("TILLER_LEROBOT_PYTHON", "")
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="TILLER_LEROBOT_PYTHON names no Python of an environment that has LeRobot"
)
SCRIPT = Path(__file__).with_name("read_by_lerobot.py")


def read(root: Path, target: Path) -> dict[str, np.ndarray]:
    done = subprocess.run(
        [PYTHON, str(SCRIPT), str(root), str(target)],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(target) as loaded:
        return dict(loaded)


@pytest.mark.parametrize("images", ["image", "video"])
def test_lerobot_reads_what_is_exported(images, rich, tmp_path):
    export(rich, tmp_path / "out", images=images)
    theirs, ours = read(tmp_path / "out", tmp_path / "read.npz"), Dataset.open(rich)
    assert np.array_equal(theirs["observation.state"], ours.read("state"))
    assert np.array_equal(theirs["action"], ours.read("action"))
    counts = np.diff(ours.episode_ends, prepend=0)
    assert theirs["episode_index"].reshape(-1).tolist() == np.repeat(np.arange(len(ours)), counts).tolist()
    assert theirs["task"].tolist() == np.repeat(ours.meta("instruction"), counts).tolist()
    for name in ("raw", "png", "jpeg"):
        pixels = theirs[f"observation.images.{name}"].transpose(0, 2, 3, 1) * 255
        difference = np.abs(pixels - ours.read(f"{name}.image").astype(float))
        assert difference.max() < 0.5 if images == "image" else difference.mean() < 8, name
    last = np.repeat(ours.episode_ends, counts) - 1
    ahead = np.minimum(np.arange(ours.rows)[:, None] + np.arange(3), last[:, None])
    assert np.array_equal(theirs["window/action"], ours.read("action")[ahead])
