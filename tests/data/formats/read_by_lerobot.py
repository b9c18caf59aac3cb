"""Run by the Python of an environment that has LeRobot: what its own dataset gives of a set, as one npz.

python read_by_lerobot.py ROOT ARRAYS.npz

Arrays: each numeric or image feature (rows, ...), a window of it under `window/NAME` (rows, 3, ...) for actions, `task`
(rows,) and `episode_index` (rows,).
"""

import sys

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset


def main() -> None:
    root, target = sys.argv[1:]
    whole = LeRobotDataset("local/read", root=root)
    stamps = {"action": [step / whole.fps for step in range(3)]}
    windows = LeRobotDataset("local/read", root=root, delta_timestamps=stamps)
    rows = [whole[at] for at in range(len(whole))]
    arrays = {
        name: np.stack([np.asarray(row[name]) for row in rows])
        for name, value in rows[0].items()
        if hasattr(value, "numpy")
    }
    arrays["task"] = np.array([row["task"] for row in rows])
    arrays["window/action"] = np.stack([windows[at]["action"].numpy() for at in range(len(windows))])
    np.savez(target, **arrays)


if __name__ == "__main__":
    main()
