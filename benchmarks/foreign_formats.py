"""How fast sets of others come in: HDF5 of states, and LeRobot's video beside a bare decode of the same files.

    OMP_NUM_THREADS=1 python -m benchmarks.foreign_formats [--episodes 6] [--rows 400] [--video FILE.mp4]

The videos are noise, which H.264 and JPEG squeeze least; with --video that file again and again.

Each figure has the CPU seconds beside it, of all threads and of the process that reads HDF5: where they are far below
the wall clock's, the machine was busy. The largest memory is that of the whole process, which has made the sets too.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

import av
import h5py
import numpy as np
import pyarrow
import pyarrow.parquet

from data.formats.convert import convert

HEIGHT, WIDTH, FPS, DEMOS = 480, 640, 30, 200
KEYS = {"eef_pos": 3, "eef_quat": 4, "gripper_qpos": 2, "object": 10, "joint_pos": 7, "joint_vel": 7}


def timed(do: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of the clock, and of the CPU."""
    start, cpu = time.perf_counter(), sum(os.times()[:4])
    do()
    return time.perf_counter() - start, sum(os.times()[:4]) - cpu


def make_hdf5(file: Path) -> None:
    """Two hundred demonstrations of 150 rows of states, as robomimic lays them out."""
    draw = np.random.default_rng(0)
    with h5py.File(file, "w") as opened:
        data = opened.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "Lift", "env_kwargs": {"control_freq": 20}})
        for number in range(DEMOS):
            group = data.create_group(f"demo_{number}")
            group["actions"], group["states"] = draw.normal(size=(150, 7)), draw.normal(size=(150, 32))
            for key, size in KEYS.items():
                group[f"obs/{key}"] = draw.normal(size=(150, size))
            group.attrs["model_file"] = "<mujoco/>" * 5000


def make_lerobot(root: Path, episodes: int, rows: int, video: Path | None = None) -> list[Path]:
    """A set of v2.1 with one camera that moves over noise, or the same video each time; the paths of its videos."""
    height, width, fps = HEIGHT, WIDTH, FPS
    if video:
        with av.open(str(video)) as container:
            pictures = container.streams.video[0]
            height, width, fps = pictures.height, pictures.width, round(pictures.average_rate or FPS)
            rows = sum(1 for _ in container.decode(pictures))
    key = "observation.images.front"
    number = {"dtype": "float32", "shape": [1], "names": None}
    features = {
        "observation.state": {"dtype": "float32", "shape": [7], "names": None},
        "action": {"dtype": "float32", "shape": [7], "names": None},
        key: {"dtype": "video", "shape": [height, width, 3], "names": ["height", "width", "channels"]},
        **dict.fromkeys(("timestamp", "frame_index", "episode_index"), number),
    }
    (root / "meta").mkdir(parents=True)
    info = {"codebase_version": "v2.1", "fps": fps, "features": features, "chunks_size": 1000}
    (root / "meta" / "info.json").write_text(json.dumps(info))
    draw, files, lines = np.random.default_rng(0), [], []
    scene = draw.integers(0, 256, (HEIGHT + 120, WIDTH + 160, 3)).astype(np.uint8)
    for episode in range(episodes):
        lines.append(json.dumps({"episode_index": episode, "tasks": ["wave"], "length": rows}))
        vectors = pyarrow.FixedSizeListArray.from_arrays(draw.normal(size=rows * 7).astype(np.float32), 7)
        table = {
            "observation.state": vectors,
            "action": vectors,
            "timestamp": (np.arange(rows) / fps).astype(np.float32),
            "frame_index": np.arange(rows),
            "episode_index": np.full(rows, episode),
        }
        file = root / f"data/chunk-000/episode_{episode:06d}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.table(table), file)
        files.append(root / f"videos/chunk-000/{key}/episode_{episode:06d}.mp4")
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        if video:
            shutil.copy(video, files[-1])
            continue
        with av.open(str(files[-1]), "w") as container:
            stream: Any = container.add_stream("libx264", rate=FPS)
            stream.options = {"crf": "20", "preset": "ultrafast", "g": "2"}
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for row in range(rows):
                image = scene[row % 100 :, (2 * row) % 150 :][:HEIGHT, :WIDTH]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
            container.mux(stream.encode())
    (root / "meta" / "episodes.jsonl").write_text("\n".join(lines))
    return files


def decode(files: list[Path], threads: str) -> None:
    """Every frame as RGB, and nothing else, in one thread or in as many as FFmpeg likes (`NONE`, `AUTO`)."""
    for file in files:
        with av.open(str(file)) as container:
            stream = container.streams.video[0]
            stream.thread_type = threads
            for frame in container.decode(stream):
                frame.to_ndarray(format="rgb24")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=6)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--video", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_hdf5(root / "demos.hdf5")
        files = make_lerobot(root / "lerobot", options.episodes, options.rows, options.video)
        size = sum(file.stat().st_size for file in files) / 1e6
        rows = [
            (f"HDF5, {DEMOS} episodes of states", lambda: convert(root / "demos.hdf5", root / "a", units="1")),
            (f"bare decode of {size:.0f} MB of video, one thread", lambda: decode(files, "NONE")),
            (f"bare decode of {size:.0f} MB of video, FFmpeg's threads", lambda: decode(files, "AUTO")),
            (f"LeRobot, {size:.0f} MB of video, as JPEG", lambda: convert(root / "lerobot", root / "b", units="1")),
        ]
        print("| what | s | CPU s |\n|---|---|---|")
        for what, do in rows:
            wall, cpu = timed(do)
            print(f"| {what} | {wall:.1f} | {cpu:.1f} |", flush=True)
    own, of_child = (
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(f"largest memory {own:.0f} MiB, and {of_child:.0f} MiB of the process that reads HDF5")


if __name__ == "__main__":
    main()
