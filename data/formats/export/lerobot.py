"""A LeRobot dataset, v3.0, of a store: several episodes a file, up to LeRobot's own sizes of files."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Mapping

import numpy as np

from data.formats.export.features import Feature, features_of
from data.formats.export.statistics import Running
from data.formats.export.video import VideoWriter
from data.formats.lerobot.libraries import require_av, require_parquet
from data.store import layout
from data.store.dataset import Dataset
from data.store.names import INSTRUCTION
from data.store.reading import read_encoded
from data.store.schema import Schema

DATA_MB, VIDEO_MB, CHUNK = 100, 200, 1000
_DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
_BLOCK_BYTES = 2**25
_INDICES = ("frame_index", "episode_index", "index", "task_index")
_NO_TASK = "no instruction"


def write_lerobot(
    dataset: Dataset, schema: Schema, folder: Path, images: str, on_rows: Callable[[int], None]
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...], frozenset[str]]:
    """Write a dataset as LeRobot v3.0.

    Args:
        dataset: what is written.
        schema: of it.
        folder: that is made.
        images: `image` or `video`.
        on_rows: called with the rows that are done.

    Returns:
        (name in the dataset, key in LeRobot) of what is written, notes, and the names whose rows are exact.

    Raises:
        InputError: something that LeRobot cannot hold.
    """
    require_parquet()
    if images == "video":
        require_av()
    components = (dataset.attributes.get("provenance") or {}).get("components") or {}
    features, notes = features_of(schema, images, components)
    writer = _Writer(dataset, schema, folder, features)
    try:
        for number in range(len(dataset)):
            writer.episode(number)
            on_rows(int(dataset.episode_ends[number]))
        writer.close()
    except BaseException:
        writer.abandon()
        raise
    writer.finish()
    keys = tuple((feature.name, feature.key) for feature in features)
    return keys, notes, frozenset(feature.name for feature in features if feature.dtype != "video")


class _Writer:
    """The files of the dataset while they are written."""

    def __init__(self, dataset: Dataset, schema: Schema, folder: Path, features: tuple[Feature, ...]) -> None:
        import pyarrow

        self._dataset, self._folder, self._features = dataset, folder, features
        rate = 1 / schema.period_s
        self._fps: int | float = round(rate) if abs(rate - round(rate)) < 1e-6 * rate else rate
        self._tasks: dict[str, int] = {}
        self._rows: list[dict[str, Any]] = []  # of the list of episodes
        self._all: dict[str, Running] = {}
        self._data_file, self._table_file = 0, folder
        self._table: Any = None
        self._video_files: dict[str, Path] = {}
        self._videos: dict[str, tuple[int, VideoWriter]] = {}
        self._schema = pyarrow.schema(
            [
                *(pyarrow.field(feature.key, feature.arrow()) for feature in features if feature.dtype != "video"),
                pyarrow.field("timestamp", pyarrow.float32()),
                *(pyarrow.field(name, pyarrow.int64()) for name in _INDICES),
            ],
            metadata={"huggingface": json.dumps({"info": {"features": self._huggingface()}})},
        )
        words = dataset.meta(INSTRUCTION.name) if INSTRUCTION.name in dataset.meta_keys else [""] * len(dataset)
        self._words = [str(each) or _NO_TASK for each in words]
        self._facts = {
            name: dataset.meta(name).tolist()
            for name in dataset.meta_keys
            if name not in (INSTRUCTION.name, "episode_index", "length", "tasks")
        }

    def episode(self, number: int) -> None:
        """Write one episode."""
        start, length = (
            self._dataset.episode_slice(number).start,
            int(np.diff(self._dataset.episode_ends, prepend=0)[number]),
        )
        task = self._tasks.setdefault(self._words[number], len(self._tasks))
        row: dict[str, Any] = {
            "episode_index": number,
            "tasks": [self._words[number]],
            "length": length,
            **_place("data", self._data_file),
            "dataset_from_index": start,
            "dataset_to_index": start + length,
        }
        running: dict[str, Running] = {}
        for feature in self._features:
            running[feature.key] = Running(feature.is_image)
            if feature.dtype == "video":
                file, video = self._video(feature)
                row |= _place(f"videos/{feature.key}", file)
                row[f"videos/{feature.key}/from_timestamp"] = video.frames / self._fps
                row[f"videos/{feature.key}/to_timestamp"] = (video.frames + length) / self._fps
        size = sum(feature.row_bytes for feature in self._features)
        step = max(1, _BLOCK_BYTES // size)
        for first in range(0, length, step):
            self._block(number, task, start, first, min(first + step, length), running)
        for name, values in self._facts.items():
            row[name] = values[number]
        for key, each in running.items():
            row |= {f"stats/{key}/{name}": value for name, value in each.values().items()}
            self._all.setdefault(key, Running(each.is_image)).merge(each)
        row |= _place("meta/episodes", 0)
        self._rows.append(row)
        self._roll()

    def _block(self, number: int, task: int, start: int, first: int, stop: int, running: Mapping[str, Running]) -> None:
        import pyarrow

        rows = stop - first
        columns: dict[str, Any] = {}
        for feature in self._features:
            values = self._dataset.read(feature.name, start + first, start + stop)
            running[feature.key].add(values)
            if feature.dtype == "video":
                self._videos[feature.key][1].add(values)
            elif feature.dtype == "image":
                columns[feature.key] = pyarrow.array(
                    [
                        {"bytes": each, "path": None}
                        for each in self._encoded(feature, values, start + first, start + stop)
                    ],
                    type=feature.arrow(),
                )
            else:
                columns[feature.key] = feature.column(values)
        position = np.arange(first, stop)
        columns |= {
            "timestamp": pyarrow.array((position / self._fps).astype(np.float32)),
            "frame_index": pyarrow.array(position),
            "episode_index": pyarrow.array(np.full(rows, number)),
            "index": pyarrow.array(position + start),
            "task_index": pyarrow.array(np.full(rows, task)),
        }
        self._open_table().write_table(pyarrow.table(columns, schema=self._schema))

    def _encoded(self, feature: Feature, values: np.ndarray, start: int, stop: int) -> list[bytes]:
        """Images as they are stored, where they are encoded, else as PNG."""
        if feature.encoding.of_images:
            path = layout.row_path(feature.name)
            return read_encoded(self._dataset.array(feature.name), self._dataset.path, path, start, stop)
        return [feature.as_png(image) for image in values]

    def _open_table(self) -> Any:
        if self._table is None:
            file = self._folder / _DATA_PATH.format(
                chunk_index=self._data_file // CHUNK, file_index=self._data_file % CHUNK
            )
            file.parent.mkdir(parents=True, exist_ok=True)
            self._table_file = file
            self._table = require_parquet().ParquetWriter(file, self._schema, compression="snappy")
        return self._table

    def _video(self, feature: Feature) -> tuple[int, VideoWriter]:
        if feature.key not in self._videos:
            self._videos[feature.key] = 0, self._new_video(feature, 0)
        return self._videos[feature.key]

    def _new_video(self, feature: Feature, number: int) -> VideoWriter:
        name = _VIDEO_PATH.format(video_key=feature.key, chunk_index=number // CHUNK, file_index=number % CHUNK)
        self._video_files[feature.key] = self._folder / name
        return VideoWriter(self._folder / name, feature.key, feature.shape[0], feature.shape[1], self._fps)

    def _roll(self) -> None:
        """Begin new files where those that are written are large."""
        if self._table is not None and self._table_file.stat().st_size >= DATA_MB * 2**20:
            self._table.close()
            self._table, self._data_file = None, self._data_file + 1
        for feature in self._features:
            if feature.key in self._videos and self._video_files[feature.key].stat().st_size >= VIDEO_MB * 2**20:
                number, video = self._videos[feature.key]
                video.close()
                self._videos[feature.key] = number + 1, self._new_video(feature, number + 1)

    def close(self) -> None:
        """End the files."""
        if self._table is not None:
            self._table.close()
            self._table = None
        for _, video in self._videos.values():
            video.close()
        self._videos = {}

    def abandon(self) -> None:
        """Let go of the files, whatever is in them."""
        with suppress(Exception):
            self.close()

    def finish(self) -> None:
        """Write what is said of the dataset."""
        import pyarrow

        parquet = require_parquet()
        file = self._folder / "meta/episodes/chunk-000/file-000.parquet"
        file.parent.mkdir(parents=True)
        parquet.write_table(pyarrow.Table.from_pylist(self._rows), file, compression="snappy")
        tasks = pyarrow.table({"task_index": list(self._tasks.values()), "task": list(self._tasks)})
        parquet.write_table(
            tasks.replace_schema_metadata({"pandas": json.dumps(_PANDAS)}), self._folder / "meta/tasks.parquet"
        )
        stats = {key: each.values() for key, each in self._all.items()}
        (self._folder / "meta/stats.json").write_text(json.dumps(stats, indent=4))
        (self._folder / "meta/info.json").write_text(json.dumps(self._info(), indent=4))

    def _info(self) -> dict[str, Any]:
        features = {feature.key: feature.to_json(self._fps) for feature in self._features}
        features["timestamp"] = {"dtype": "float32", "shape": [1], "names": None}
        features |= {name: {"dtype": "int64", "shape": [1], "names": None} for name in _INDICES}
        robot = self._dataset.attributes.get("robot")
        source = ((self._dataset.attributes.get("provenance") or {}).get("source_attributes") or {}).get("robot_type")
        return {
            "codebase_version": "v3.0",
            "robot_type": robot if isinstance(robot, str) else source if isinstance(source, str) else None,
            "total_episodes": len(self._rows),
            "total_frames": self._dataset.rows,
            "total_tasks": len(self._tasks),
            "chunks_size": CHUNK,
            "data_files_size_in_mb": DATA_MB,
            "video_files_size_in_mb": VIDEO_MB,
            "fps": self._fps,
            "splits": {"train": f"0:{len(self._rows)}"},
            "data_path": _DATA_PATH,
            "video_path": _VIDEO_PATH if any(each.dtype == "video" for each in self._features) else None,
            "features": features,
        }

    def _huggingface(self) -> dict[str, Any]:
        """Types of the columns as the library `datasets` names them."""
        value = {"_type": "Value"}
        return {
            **{each.key: each.huggingface() for each in self._features if each.dtype != "video"},
            "timestamp": {"dtype": "float32", **value},
            **{name: {"dtype": "int64", **value} for name in _INDICES},
        }


_TASK = {"name": "task", "field_name": "task", "pandas_type": "unicode", "numpy_type": "object", "metadata": None}
_NUMBER = {
    "name": "task_index",
    "field_name": "task_index",
    "pandas_type": "int64",
    "numpy_type": "int64",
    "metadata": None,
}
_PANDAS = {"index_columns": ["task"], "column_indexes": [], "columns": [_NUMBER, _TASK], "pandas_version": "2.0.0"}
"""LeRobot reads the tasks by pandas, and looks them up by their words."""


def _place(of: str, number: int) -> dict[str, int]:
    return {f"{of}/chunk_index": number // CHUNK, f"{of}/file_index": number % CHUNK}
