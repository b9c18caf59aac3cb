"""Small LeRobot datasets, written by pyarrow and PyAV as LeRobot lays them out."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HEIGHT, WIDTH, FPS = 48, 64, 20
ROWS = (7, 5, 6)
FRONT, WRIST = "observation.images.front", "observation.images.wrist"


def grey(episode: int, row: int) -> int:
    """Brightness of the frame of a row, by which it is known again."""
    return 20 + 60 * episode + 8 * row


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class Made:
    """What the dataset holds; tests change it before it is written.

    Args:
        rows: of each episode.
        names: of the numbers of the state.
        columns: further columns, key -> (dtype in info.json, values of all rows).
        changes: of info.json.
        fps: of the videos.
        frames: of the video of each episode; None for one a row.
        timestamp: of all rows; None for row / fps.
    """

    rows: tuple[int, ...] = ROWS
    names: Any = ("x", "y", "z")
    columns: dict[str, tuple[str, Any]] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    fps: int = FPS
    frames: tuple[int, ...] | None = None
    timestamp: np.ndarray | None = None

    @property
    def ends(self) -> list[int]:
        return np.cumsum(self.rows).tolist()

    def state(self, episode: int) -> np.ndarray:
        return np.random.default_rng(episode).normal(size=(self.rows[episode], 3)).astype(np.float32)

    def action(self, episode: int) -> np.ndarray:
        return np.random.default_rng(100 + episode).normal(size=(self.rows[episode], 2)).astype(np.float32)

    def wrist(self, episode: int) -> np.ndarray:
        shape = (self.rows[episode], HEIGHT, WIDTH, 3)
        return np.random.default_rng(200 + episode).integers(0, 256, shape).astype(np.uint8)


def write_v2(root: Path, made: Made) -> Path:
    """A file for each episode."""
    _write_info(root, made, "v2.1", "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
                "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4")  # fmt: skip
    lines = []
    for episode in range(len(made.rows)):
        _write_table(root / f"data/chunk-000/episode_{episode:06d}.parquet", made, [episode])
        write_video(root / f"videos/chunk-000/{FRONT}/episode_{episode:06d}.mp4", made, [episode])
        lines.append({"episode_index": episode, "tasks": [f"task {episode}"], "length": made.rows[episode]})
    (root / "meta/episodes.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (root / "meta/tasks.jsonl").write_text('{"task_index": 0, "task": "task 0"}\n')
    return root


def write_v3(root: Path, made: Made) -> Path:
    """The first two episodes share a file, the last has one of its own."""
    import pyarrow
    import pyarrow.parquet as parquet

    _write_info(root, made, "v3.0", "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
                "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4")  # fmt: skip
    last = len(made.rows) - 1
    rows = []
    for number, group in enumerate((list(range(last)), [last])):
        _write_table(root / f"data/chunk-000/file-{number:03d}.parquet", made, group)
        write_video(root / f"videos/{FRONT}/chunk-000/file-{number:03d}.mp4", made, group)
        start = 0
        for episode in group:
            rows.append(
                {
                    "episode_index": episode,
                    "tasks": [f"task {episode}"],
                    "length": made.rows[episode],
                    "data/chunk_index": 0,
                    "data/file_index": number,
                    f"videos/{FRONT}/chunk_index": 0,
                    f"videos/{FRONT}/file_index": number,
                    f"videos/{FRONT}/from_timestamp": start / FPS,
                    f"videos/{FRONT}/to_timestamp": (start + made.rows[episode]) / FPS,
                    "stats/action/min": [0.0],
                    "operator": f"person {episode}",
                }
            )
            start += made.rows[episode]
    file = root / "meta/episodes/chunk-000/file-000.parquet"
    file.parent.mkdir(parents=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    parquet.write_table(
        pyarrow.table({"task_index": [0], "__index_level_0__": ["task 0"]}), root / "meta/tasks.parquet"
    )
    return root


def write_video(file: Path, made: Made, episodes: list[int], height: int = HEIGHT, width: int = WIDTH) -> None:
    """Frames of episodes, one after the other, each of one brightness."""
    import av

    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=made.fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for episode in episodes:
            count = made.rows[episode] if made.frames is None else made.frames[episode]
            for row in range(count):
                image = np.full((height, width, 3), grey(episode, row), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def _write_table(file: Path, made: Made, episodes: list[int]) -> None:
    import pyarrow
    import pyarrow.parquet as parquet

    file.parent.mkdir(parents=True, exist_ok=True)
    ends = [0, *made.ends]
    parts = [slice(ends[episode], ends[episode + 1]) for episode in episodes]
    position = np.concatenate([np.arange(made.rows[episode]) for episode in episodes])
    stamps = position / FPS if made.timestamp is None else np.concatenate([made.timestamp[part] for part in parts])
    fixed = {
        "observation.state": (np.concatenate([made.state(each) for each in episodes]), 3),
        "action": (np.concatenate([made.action(each) for each in episodes]), 2),
    }
    columns: dict[str, Any] = {
        name: pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(values.reshape(-1)), size)
        for name, (values, size) in fixed.items()
    }
    images = [
        {"bytes": png(image), "path": f"{row}.png"} for each in episodes for row, image in enumerate(made.wrist(each))
    ]
    columns |= {
        WRIST: pyarrow.array(images),
        "timestamp": pyarrow.array(stamps.astype(np.float32)),
        "frame_index": pyarrow.array(position),
        "episode_index": pyarrow.array(np.concatenate([np.full(made.rows[each], each) for each in episodes])),
        "index": pyarrow.array(np.concatenate([np.arange(part.start, part.stop) for part in parts])),
        "task_index": pyarrow.array(np.zeros(len(position), np.int64)),
    }
    for name, (_, values) in made.columns.items():
        columns[name] = pyarrow.array([value for part in parts for value in values[part]])
    parquet.write_table(pyarrow.table(columns), file, row_group_size=4)


def _write_info(root: Path, made: Made, version: str, data_path: str, video_path: str) -> None:
    (root / "meta").mkdir(parents=True)
    size = {"shape": [HEIGHT, WIDTH, 3], "names": ["height", "width", "channels"]}
    features: dict[str, Any] = {
        "observation.state": {"dtype": "float32", "shape": [3], "names": made.names},
        "action": {"dtype": "float32", "shape": [2], "names": None},
        FRONT: {"dtype": "video", **size, "info": {"video.fps": made.fps, "video.is_depth_map": False}},
        WRIST: {"dtype": "image", **size},
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
        **{name: {"dtype": "int64", "shape": [1]} for name in ("frame_index", "episode_index", "index", "task_index")},
        **{name: {"dtype": dtype, "shape": [1], "names": None} for name, (dtype, _) in made.columns.items()},
    }
    info = {
        "codebase_version": version,
        "robot_type": "panda",
        "fps": FPS,
        "chunks_size": 1000,
        "data_path": data_path,
        "video_path": video_path,
        "features": features,
        **made.changes,
    }
    (root / "meta/info.json").write_text(json.dumps(info))
