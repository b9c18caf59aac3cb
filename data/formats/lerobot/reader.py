"""A LeRobot dataset, v2.1 or v3.0, as a source of episodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Collection, Mapping

import numpy as np

from data.formats.bounds import LARGEST_ROW, require_likely
from data.formats.lerobot.episodes import Entry, read_episodes
from data.formats.lerobot.features import (
    POSITIONS,
    facts_of,
    image_field,
    left_out,
    number_field,
    picture_size,
    video_field,
)
from data.formats.lerobot.info import Info, read_info, read_lines
from data.formats.lerobot.libraries import require_parquet
from data.formats.lerobot.scan import SUCCEEDED, TASK, TIMESTAMP, Scan, scan
from data.formats.lerobot.tables import Table, damage, numbers
from data.formats.lerobot.video import Video
from data.formats.source import BLOCK_BYTES, Description, Rows, SourceField, require_known
from data.store.names import INSTRUCTION, SUCCESS, TIME
from robot.errors import InputError

_IMAGE_BATCH = 16  # rows of images that are read at once


class LeRobotSource(Description):
    """A `Source` of a LeRobot dataset.

    Args:
        path: of its folder.
        exclude: keys to leave out.
        skip: episodes that nobody wants, by their place in the list of episodes.
        ignore_names: whether names of numbers are left out, which may be wrong then.

    Raises:
        InputError: it is damaged, or contradicts itself.
        MissingExtraError: pyarrow or PyAV is not installed.
    """

    def __init__(self, path: str | Path, exclude: Collection[str], skip: Collection[int], ignore_names: bool) -> None:
        require_parquet()
        self.path = str(path)
        self._info = read_info(path, ignore_names)
        features = self._info.features
        reasons = left_out(self._info, features)
        taken = [key for key in features if key not in exclude and key not in reasons and key not in POSITIONS]
        videos = tuple(key for key in taken if features[key].dtype == "video")
        self._entries = read_episodes(self._info, videos)
        kept = [number for number in range(len(self._entries)) if number not in skip]
        self.missing = {
            number: name for number in kept if (name := _missing(self._entries[number], videos)) is not None
        }
        there = {number: self._entries[number] for number in kept if number not in self.missing}
        self._scans: Mapping[int, Scan] = scan(there, features, self._info.fps)
        self._tables: dict[str, Table] = {}
        self._videos: dict[str, tuple[Path, Video]] = {}
        try:
            fields = self._fields(taken, there, reasons)
        except BaseException:
            self.close()
            raise
        facts, fact_notes = self._facts(there)
        require_known("exclude", exclude, (*features, *facts))
        stamps = self._choose_stamps(fields, exclude)
        lengths = np.array([entry.length for entry in self._entries], np.int64)
        self._numbers = [key for key in fields if features[key].dtype not in ("video", "image")]
        self._images = [key for key in fields if features[key].dtype == "image"]
        _require_sizes(self.path, fields, self._numbers, there)
        super().__init__(
            self.path,
            f"LeRobot v{self._info.version[0]}.{self._info.version[1]}",
            fields,
            lengths,
            facts={key: values for key, values in facts.items() if key not in exclude},
            missing=self.missing,
            period_s=1 / self._info.fps,
            attributes=_plain(self._info.raw),
            notes=(
                *stamps,
                *(f"left out: '{key}', {reason}" for key, reason in reasons.items() if key not in exclude),
                *fact_notes,
            ),
        )

    def read(self, name: str, episode: int, start: int, stop: int) -> Rows:
        feature, entry = self._info.features[name], self._entries[episode]
        if feature.dtype == "video":
            part = entry.videos[name]
            return self._video(name, episode).read(part.start_s, 1 / self._info.fps, start, stop)
        group = self._images if feature.dtype == "image" else self._numbers
        size = 1 if name in self._images else max(1, sum(self.fields[key].row_bytes for key in group))
        batch = _IMAGE_BATCH if name in self._images else min(max(1, BLOCK_BYTES // size), 1 << 16)
        first = self._scans[episode].first
        where = f"'{entry.file}': '{name}', episode {episode}"
        table = self._table(name, entry.file, batch)
        parts = table.read(first + start, first + stop)
        if name in self._images:
            return [stored for part in parts for stored in _bytes(where, part.column(name), start)]
        return np.concatenate([numbers(where, part.column(name), feature.shape, start) for part in parts])

    def close(self) -> None:
        for table in self._tables.values():
            table.close()
        for _, video in self._videos.values():
            video.close()
        self._tables, self._videos = {}, {}

    def _table(self, name: str, file: Path, batch: int) -> Table:
        if name not in self._tables or self._tables[name].file != file:
            if name in self._tables:
                self._tables.pop(name).close()
            self._tables[name] = Table(file, [name], batch)
        return self._tables[name]

    def _video(self, key: str, episode: int) -> Video:
        part = self._entries[episode].videos[key]
        file, video = self._videos.get(key, (None, None))
        if video is None or file != part.file:
            if video is not None:
                video.close()
            video = Video(
                part.file,
                f"'{self.path}': '{key}', episode {episode}, {part.name}",
                f"Leave the episode out with skip_episodes=[{episode}], or the video with exclude=[{key}]",
            )
            self._videos[key] = part.file, video
        return video

    def _fields(self, taken: list[str], there: Mapping[int, Entry], reasons: dict[str, str]) -> dict[str, SourceField]:
        """Key -> field; adds to `reasons` why a key is not read."""
        fields: dict[str, SourceField] = {}
        if not there:
            raise _nothing_there(self.path, self.missing)
        first = next(iter(there))
        sample = Table(there[first].file, [], 1)
        sample.close()
        for key in taken:
            feature, kind = self._info.features[key], None
            if feature.dtype == "video":
                field: SourceField | str | None = self._video_field(key, there)
            elif key not in sample.schema.names:
                raise InputError(
                    f"'{there[first].file}', episode {first}",
                    expected=f"a column '{key}', which meta/info.json lists",
                    got="none",
                    way_out=f"Leave it out with exclude=[{key}]",
                )
            elif feature.dtype == "image":
                where = f"'{there[first].file}': '{key}', episode {first}"
                table = self._table(key, there[first].file, _IMAGE_BATCH)
                row = self._scans[first].first
                field = image_field(self.path, key, _bytes(where, table.read(row, row + 1)[0].column(key), 0)[0])
            else:
                kind = sample.schema.field(key).type
                field = number_field(self.path, feature, kind)
            if isinstance(field, SourceField):
                fields[key] = field
            else:
                reasons[key] = field or f"a column of {str(kind)[:60]}"
        constant = all(len(each.tasks) <= 1 for each in self._scans.values())
        if TASK in fields and constant:
            del fields[TASK]  # the instruction says it
        return fields

    def _video_field(self, key: str, there: Mapping[int, Entry]) -> SourceField | str:
        """The field of a video, of which every file is opened to see whether it fits."""
        size, seen = picture_size(self._info.features[key]), set()
        for number, entry in there.items():
            part = entry.videos[key]
            if part.file in seen:
                continue
            seen.add(part.file)
            video = self._video(key, number)
            where = f"'{self.path}': '{key}', episode {number}, {part.name}"
            way_out = f"Leave the episode out with skip_episodes=[{number}], or the video with exclude=[{key}]"
            if video.is_depth:
                return "depth as video, whose unit is not known"
            if size is None or (video.height, video.width) != size[:2]:
                raise InputError(
                    where,
                    expected=f"frames of {self._info.features[key].shape}, as meta/info.json says",
                    got=f"{video.width} x {video.height} pixels",
                    way_out=way_out,
                )
            frames = video.frames
            same_rate = abs(video.rate - self._info.fps) < 0.01 * self._info.fps
            if part.alone and frames and same_rate and frames != entry.length:
                raise InputError(
                    where,
                    expected=f"{entry.length} frames, one a row of its table",
                    got=str(frames),
                    way_out=way_out,
                )
        assert size is not None
        return video_field(self.path, key, size[0], size[1])

    def _choose_stamps(self, fields: dict[str, SourceField], exclude: Collection[str]) -> tuple[str, ...]:
        """Leave out stamps that are none."""
        if TIMESTAMP not in fields:
            return ()
        if not any(each.measured for each in self._scans.values()):
            del fields[TIMESTAMP]
            return (f"'{TIMESTAMP}' is left out: it is row / {self._info.fps:g}, and not when a row was taken",)
        if TIME.name in fields:
            del fields[TIMESTAMP]
            return (f"'{TIMESTAMP}' is left out, as '{TIME.name}' is there",)
        return ()

    def _facts(self, there: Mapping[int, Entry]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
        """Facts of each episode, and notes."""
        count = len(self._entries)
        tasks = _tasks(self._info) if any(not entry.tasks for entry in there.values()) else {}
        words: list[str] = []
        several = []
        for number, entry in enumerate(self._entries):
            seen = self._scans[number].tasks if number in self._scans else ()
            listed = entry.tasks or tuple(tasks[each] for each in seen if each in tasks)
            words.append("; ".join(dict.fromkeys(listed)))
            several += [number] if len(set(listed)) > 1 else []
        of_list = facts_of({number: entry.facts for number, entry in there.items()}, count)
        facts: dict[str, np.ndarray] = {}
        for key, values in of_list.items():
            facts[key] = _array(values)
        if any(words):
            facts[INSTRUCTION.name] = _array(words)
        if SUCCEEDED in self._info.features and SUCCESS.name not in facts:
            facts[SUCCESS.name] = np.array(
                [bool(self._scans[n].succeeded) if n in self._scans else False for n in range(count)]
            )
        if [entry.index for entry in self._entries] != list(range(count)):
            facts["episode_index"] = np.array([entry.index for entry in self._entries], np.int64)
        return facts, (f"{len(several)} episodes have several tasks, joined by ';'",) if several else ()


def _missing(entry: Entry, videos: Collection[str]) -> str | None:
    """The first file of an episode that is not there."""
    if not entry.file.is_file():
        return entry.name
    for key in videos:
        if key not in entry.videos:
            return f"a video of '{key}'"
        if not entry.videos[key].file.is_file():
            return entry.videos[key].name
    return None


def _nothing_there(path: str, missing: Mapping[int, str]) -> InputError:
    name = next(iter(missing.values()), "files")
    return InputError(
        f"'{path}'",
        expected="the files of an episode",
        got=f"none: {ascii(name)[1:-1]} is missing, and more",
        way_out="Copy the dataset again; leave videos out that are not there with exclude=[KEY]",
    )


def _require_sizes(
    path: str, fields: Mapping[str, SourceField], of_tables: list[str], there: Mapping[int, Entry]
) -> None:
    """Refuse rows that no memory holds, and small tables that would fill the disk."""
    for key, field in fields.items():
        if field.row_bytes > LARGEST_ROW:
            raise InputError(
                field.label,
                expected=f"rows of at most {LARGEST_ROW:,} bytes",
                got=f"{field.shape} of {field.dtype}",
                way_out=f"Leave it out with exclude=[{key}]",
            )
    rows = sum(entry.length for entry in there.values())
    size = sum(file.stat().st_size for file in {entry.file for entry in there.values()})
    require_likely(path, {key: fields[key].row_bytes * rows for key in of_tables}, size)


def _bytes(where: str, column: Any, first: int) -> list[bytes]:
    """Encoded images of a column of structures of bytes and path."""
    images = []
    for row, value in enumerate(column.to_pylist(), first):
        stored = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(stored, bytes) or not stored:
            raise InputError(
                f"{where}, row {row}",
                expected="an image in the table",
                got="a path to another file" if isinstance(value, dict) and value.get("path") else "nothing",
                way_out="Leave the episode out with skip_episodes, or the images with exclude",
            )
        images.append(stored)
    return images


def _tasks(info: Info) -> dict[int, str]:
    """Number -> what to do, in words."""
    if info.version[0] == 2:
        file = info.root / "meta" / "tasks.jsonl"
        rows: list[Mapping[str, Any]] = list(read_lines(file)) if file.is_file() else []
        return {row["task_index"]: row["task"] for row in rows if _is_task(row, "task")}
    file = info.root / "meta" / "tasks.parquet"
    if not file.is_file():
        return {}
    with damage(file):
        listed = require_parquet().read_table(file, use_threads=False).to_pylist()
    return {
        row["task_index"]: row[key] for row in listed for key in ("task", "__index_level_0__") if _is_task(row, key)
    }


def _is_task(row: Mapping[str, Any], key: str) -> bool:
    return isinstance(row.get("task_index"), int) and isinstance(row.get(key), str)


def _array(values: list[Any]) -> np.ndarray:
    if isinstance(values[0], str):
        words = np.empty(len(values), object)
        words[:] = [value.encode(errors="replace").decode() for value in values]
        return words
    return np.array(values)


def _plain(value: Any, depth: int = 0) -> Any:
    """Plain values with words for numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each, depth + 1) for key, each in value.items()} if depth < 20 else {}
    if isinstance(value, list):
        return [_plain(each, depth + 1) for each in value] if depth < 20 else []
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def open_lerobot(
    path: str | Path, exclude: Collection[str] = (), skip: Collection[int] = (), ignore_names: bool = False
) -> LeRobotSource:
    """Open a LeRobot dataset for reading; see `LeRobotSource`."""
    return LeRobotSource(path, exclude, skip, ignore_names)
