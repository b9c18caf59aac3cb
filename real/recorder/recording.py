"""The store of a recording: what its episodes hold, and whether an old one is of the same robot, rate and cameras."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Mapping

import numpy as np

from data.store.dataset import Dataset
from data.store.images.encoding import PNG, Encoding
from data.store.names import (
    DROPS,
    INSTRUCTION,
    OPERATOR,
    POLICY,
    SEED,
    SOURCE,
    STARTED,
    STRATEGY,
    SUCCESS,
    VERDICT,
)
from data.store.schema import MetaField, Schema, StreamField
from real.recorder.rows import COLUMNS, wish_column
from robot.contract.contract import Contract
from robot.contract.loading import action_spec, describe, hashes, operational, semantic
from robot.contract.names import stream_names
from robot.description import ActionSpec, ObservationSpec
from robot.description.comparison import table
from robot.errors import InputError

COMMAND = "command"
RECORDING = MetaField("recording", "string")
FACTS = (SUCCESS, VERDICT, OPERATOR, INSTRUCTION, SEED, SOURCE, STRATEGY, STARTED, DROPS, POLICY, RECORDING)
LEAST_MINUTES = 10.0  # of disk, to begin a take with
_JPEG_BYTES_A_PIXEL, _PNG_BYTES_A_PIXEL = 0.25, 1.0  # of a camera's pictures, at quality 90 and of depth
_STAMP_BYTES = 8
_SIZES = {"pose": 9, "wrench": 6}
_UNITS = {"pose": "m m m 1 1 1 1 1 1", "wrench": "N N N N*m N*m N*m"}


def recording_schema(contract: Contract, observation: ObservationSpec, encodings: Mapping[str, Encoding]) -> Schema:
    """What a recording of a contract holds.

    Args:
        contract: of the robot.
        observation: keys of a row.
        encodings: of its images.

    Raises:
        InputError: an encoding does not fit its key.
    """
    action = action_spec(contract)
    unit = " ".join(_component_units(action))
    return Schema(
        ObservationSpec(tuple(observation)),
        action,
        contract.period_s,
        meta=FACTS,
        streams=(StreamField(COMMAND, (action.dim,), "float64", unit), *_measured(contract)),
        columns=(*COLUMNS, wish_column(action.dim, unit)),
        encodings=encodings,
    )


def open_recording(path: str | Path, contract: Contract, schema: Schema, task: str) -> Dataset:
    """The store at a path, made where there is none, open for appending.

    Args:
        path: of a folder.
        contract: of the robot.
        schema: `recording_schema`.
        task: of a twin; empty for none.

    Raises:
        InputError: something else is there, a store of another robot, task, rate or camera, or another process writes
            it.
    """
    folder = Path(path)
    if not (folder / "zarr.json").is_file():
        return Dataset.create(folder, schema, attributes=_attributes(contract, task))
    dataset = Dataset.open(folder, mode="a")
    try:
        _require_same(dataset, contract, schema, task)
    except BaseException:
        dataset.close()
        raise
    return dataset


def require_place(path: str | Path, contract: Contract, task: str) -> None:
    """Refuse a place where no recording of a contract and task can be, before anything is started.

    Args:
        path: of the recording's folder.
        contract: of the robot.
        task: of a twin; empty for none.

    Raises:
        InputError: what is there, and the way out.
    """
    folder = Path(path)
    if (folder / "zarr.json").is_file():
        with Dataset.open(folder) as dataset:
            _require_same(dataset, contract, None, task)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"recording '{path}'",
            expected="a folder that is empty or not there yet, or a recording",
            got="other files" if folder.is_dir() else "a file",
            way_out="Take another output=",
        )


def bytes_per_second(schema: Schema, contract: Contract) -> float:
    """About what a recording takes of a disk.

    Args:
        schema: `recording_schema`.
        contract: with the rates of the streams that are kept at their own.
    """
    total = 0.0
    for name, field in schema.row_fields.items():
        if schema.encoding(name).of_images:
            pixels = float(np.prod(field.shape[:2], dtype=np.float64))
            size = pixels * (_PNG_BYTES_A_PIXEL if schema.encoding(name).kind == PNG else _JPEG_BYTES_A_PIXEL)
        else:
            size = _size(field.shape, field.dtype)
        total += size / schema.period_s
    for name, stream in schema.stream_fields.items():
        rate_hz = contract.tick_hz if name == COMMAND else contract.state[name].rate_hz
        total += rate_hz * (_size(stream.shape, stream.dtype) + _STAMP_BYTES)
    return total


def disk_minutes(folder: str | Path, rate: float) -> float:
    """For how long a disk lasts.

    Args:
        folder: on it; it need not be there yet.
        rate: bytes per second.
    """
    place = Path(folder).absolute()
    try:
        while not place.exists() and place != place.parent:
            place = place.parent
        return shutil.disk_usage(place).free / max(rate, 1.0) / 60
    except OSError:  # a disk that does not even say how full it is
        return 0.0


def _size(shape: tuple[int, ...], dtype: str) -> float:
    """Bytes of an array that is not compressed: at most what it takes."""
    return float(np.prod(shape, dtype=np.float64)) * np.dtype(dtype).itemsize


def _attributes(contract: Contract, task: str) -> dict[str, Any]:
    return {
        **({"task": task, "task_options": {}} if task else {}),
        "contract": {**hashes(contract), "semantic": semantic(contract), "operational": operational(contract)},
    }


def _require_same(dataset: Dataset, contract: Contract, schema: Schema | None, task: str) -> None:
    where = f"recording '{dataset.path}'"
    way_out = "Take another output=, or the robot, task= and cameras= that it was made with"
    recorded = dataset.attributes.get("contract") or {}
    ours = hashes(contract)
    rows = [
        (what, str(theirs), str(own))
        for what, theirs, own in (
            ("task", dataset.attributes.get("task", ""), task),
            ("contract", recorded.get("semantic_hash", "none"), ours["semantic_hash"]),
            ("period_s", dataset.period_s, contract.period_s),
        )
        if str(theirs) != str(own)
    ]
    if schema is not None and dataset.schema is not None and dataset.schema.to_json() != schema.to_json():
        rows += _differences(dataset.schema, schema)
    if rows:
        raise InputError(f"{where} is of something else:\n{table(rows, 'the recording', 'now')}\n{way_out}")


def _differences(theirs: Schema, ours: Schema) -> list[tuple[str, str, str]]:
    """What two schemas have different, by name."""
    rows = []
    parts = (
        ("column", theirs.row_fields, ours.row_fields),
        ("stream", theirs.stream_fields, ours.stream_fields),
        ("fact", theirs.meta_fields, ours.meta_fields),
        ("encoding of", theirs.encodings, ours.encodings),
    )
    for what, left, right in parts:
        for name in dict.fromkeys((*left, *right)):
            if left.get(name) != right.get(name):
                rows.append((f"{what} {name}", _shown(left.get(name)), _shown(right.get(name))))
    return rows


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, Encoding):
        return value.kind
    shape = getattr(value, "shape", None)
    return f"{value.dtype} {shape} {value.unit}" if shape is not None else str(value.dtype)


def _measured(contract: Contract) -> list[StreamField]:
    """The streams of numbers that are kept at their own rate."""
    description = describe(contract)
    widths = {limb.field(limb.tool.command.name): limb.tool.command.unit for limb in description.limbs}
    fields = []
    for name, stream in contract.state.items():
        if stream.type == "joint_state":
            units = [widths.get(each, "rad") for each in stream_names(contract, name)]
            fields.append(StreamField(name, (len(units),), "float64", " ".join(units)))
        elif stream.type in _SIZES:
            fields.append(StreamField(name, (_SIZES[stream.type],), "float64", _UNITS[stream.type]))
    return fields


def _component_units(action: ActionSpec) -> list[str]:
    return [
        unit
        for field in action.fields
        for unit in (field.unit.split() if len(field.unit.split()) == field.size else [field.unit] * field.size)
    ]
