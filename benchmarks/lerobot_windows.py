"""Run by the Python of an environment that has LeRobot: write the arrays as its dataset and count windows a second.

python lerobot_windows.py ARRAYS.npz FOLDER        prints "what<TAB>windows/s" lines
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset

BATCH, HORIZON, FPS, SECONDS = 256, 16, 10, 20.0


def write(arrays: Path, root: Path) -> None:
    """Every episode through `add_frame` and `save_episode`."""
    loaded = np.load(arrays)
    state, action, ends = loaded["state"], loaded["action"], loaded["episode_ends"]
    features = {
        name: {"dtype": "float32", "shape": rows.shape[1:], "names": [f"{name}_{i}" for i in range(rows.shape[1])]}
        for name, rows in (("observation.state", state), ("action", action))
    }
    dataset = LeRobotDataset.create("local/pusht", fps=FPS, features=features, root=root, use_videos=False)
    start = 0
    for end in ends:
        for row in range(start, end):
            dataset.add_frame({"observation.state": state[row], "action": action[row], "task": "push the T"})
        dataset.save_episode()
        start = end
    if hasattr(dataset, "finalize"):
        dataset.finalize()


def measure(root: Path, workers: int) -> float:
    """Windows a second over `SECONDS`, the workers' start not counted."""
    stamps = {
        "observation.state": [-1 / FPS, 0.0],
        "action": [step / FPS for step in range(HORIZON)],
    }
    dataset = LeRobotDataset("local/pusht", root=root, delta_timestamps=stamps)
    loader = torch.utils.data.DataLoader(dataset, batch_size=BATCH, shuffle=True, num_workers=workers, drop_last=True)
    batches = iter(loader)
    next(batches)
    start, count = time.perf_counter(), 0
    for _ in batches:
        count += BATCH
        if time.perf_counter() - start > SECONDS:
            break
    return count / (time.perf_counter() - start)


def main() -> None:
    arrays, folder = Path(sys.argv[1]), Path(sys.argv[2])
    root = folder / "lerobot"
    write(arrays, root)
    for workers in (0, 2):
        print(f"state, LeRobot's dataset in a DataLoader, {workers} workers\t{measure(root, workers)}", flush=True)


if __name__ == "__main__":
    main()
