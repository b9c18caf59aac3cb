"""Run by the Python of an environment that has LeRobot: write the arrays as its dataset and count windows a second.

python lerobot_windows.py ARRAYS.npz FOLDER [SECONDS]        prints "what<TAB>windows/s<TAB>megabytes" lines

Arrays: `state`, `action`, `episode_ends`, and `image` (rows, height, width, 3) of uint8 where images are measured too.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset

BATCH, HORIZON, FPS, SECONDS = 256, 16, 10, 20.0
STATE, IMAGE, ACTION = "observation.state", "observation.image", "action"


def write(arrays: dict[str, np.ndarray], root: Path, image: str) -> None:
    """Every episode through `add_frame` and `save_episode`; images, where there are some, as `image` or `video`."""
    rows = {STATE: arrays["state"], ACTION: arrays["action"]}
    features: dict[str, Any] = {
        name: {"dtype": "float32", "shape": each.shape[1:], "names": [f"{name}_{i}" for i in range(each.shape[1])]}
        for name, each in rows.items()
    }
    if image:
        rows[IMAGE] = arrays["image"]
        shape = rows[IMAGE].shape[1:]
        features[IMAGE] = {"dtype": image, "shape": shape, "names": ["height", "width", "channels"]}
    dataset = LeRobotDataset.create("local/windows", fps=FPS, features=features, root=root, use_videos=image == "video")
    start = 0
    for end in arrays["episode_ends"]:
        for row in range(start, end):
            dataset.add_frame({**{name: each[row] for name, each in rows.items()}, "task": "push the T"})
        dataset.save_episode()
        start = end
    if hasattr(dataset, "finalize"):
        dataset.finalize()


def measure(root: Path, workers: int, image: str, seconds: float) -> float:
    """Windows a second, the workers' start not counted."""
    seen = IMAGE if image else STATE
    stamps = {seen: [-1 / FPS, 0.0], ACTION: [step / FPS for step in range(HORIZON)]}
    dataset = LeRobotDataset("local/windows", root=root, delta_timestamps=stamps)
    loader = torch.utils.data.DataLoader(dataset, batch_size=BATCH, shuffle=True, num_workers=workers, drop_last=True)
    batches = iter(loader)
    next(batches)
    start, count = time.perf_counter(), 0
    for _ in batches:
        count += BATCH
        if time.perf_counter() - start > seconds:
            break
    return count / (time.perf_counter() - start)


def main() -> None:
    folder, seconds = Path(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else SECONDS
    with np.load(sys.argv[1]) as loaded:
        arrays = dict(loaded)
    for image in ("image", "video") if "image" in arrays else ("",):
        root = folder / f"lerobot_{image or 'state'}"
        write(arrays, root, image)
        size = sum(file.stat().st_size for file in root.rglob("*") if file.is_file()) / 1e6
        what = {"": "state", "image": "images in its tables", "video": "images in its videos"}[image]
        for workers in (0, 2):
            rate = measure(root, workers, image, seconds)
            print(f"{what}, LeRobot's dataset in a DataLoader, {workers} workers\t{rate}\t{size}", flush=True)


if __name__ == "__main__":
    main()
