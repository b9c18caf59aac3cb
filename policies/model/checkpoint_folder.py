"""Check a checkpoint folder without torch, so that a wrong path is reported before anything slow begins."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any, Mapping

from robot.errors import InputError, nearest

FORMAT = "tiller-policy"
VERSION = 1
WEIGHTS, RECORD, TRAINING = "model.safetensors", "policy.json", "training"
CRITIC_RECORD, MODULE_RECORD, MONITOR_RECORD = "critic.json", "module.json", "monitor.json"
ACTOR_RECORD = "actor.json"
CRITIC_HEADER = ("tiller-critic", 1)
"""Format and version of a critic's record, as `policies.critics.checkpoint` writes them."""
ACTOR_HEADER = ("tiller-steering-actor", 1)
"""The same of an actor's record, as `policies.actors.checkpoint` writes them."""
KINDS = {
    RECORD: "policy", CRITIC_RECORD: "critic", ACTOR_RECORD: "steering actor", MONITOR_RECORD: "monitor",
    MODULE_RECORD: "module",
}  # fmt: skip
"""Record of a checkpoint -> what it holds."""
# Where a training run keeps its checkpoints, best first.
IN_A_RUN = ("checkpoints/best", "checkpoints/final", "checkpoints/last")
MONITOR_IN_A_RUN = ("monitor",)  # its scores are learnt beside it, as a module
_LENGTH = struct.Struct("<Q")  # of a safetensors file's header, which holds the end of each tensor


def find(path: Path | str, record: str = RECORD) -> Path:
    """The checkpoint folder that a path means.

    Args:
        path: a checkpoint folder, or the output folder of a training run.
        record: the file that a checkpoint of the kind has, one of `KINDS`.

    Raises:
        InputError: there is none; with what else is there, or the nearest one.
    """
    path = Path(path)
    inside = _inside(path, record)
    if inside is not None:
        return inside
    other = next((kind for name, kind in KINDS.items() if name != record and _inside(path, name)), None)
    if other is not None:
        problem = f"a {other}"
    elif not path.exists():
        problem = "nothing there"
    elif not path.is_dir():
        problem = "a file"
    else:
        empty = not any(path.iterdir())
        problem = "an empty folder" if empty else f"no {record} in it, nor in {' or '.join(_in_a_run(record))}"
    raise InputError(
        f"checkpoint '{path}'",
        expected=f"a folder with {record}, or the output folder of a training run",
        got=problem,
        way_out=f"Give the checkpoint of a {KINDS[record]}" if other is not None else _nearby(path, record),
    )


def require_whole(path: Path | str) -> Mapping[str, Any]:
    """Refuse a checkpoint whose files cannot be loaded, as far as that can be seen without torch.

    Returns:
        The content of its policy.json, as plain values.

    Raises:
        InputError: no checkpoint there, another format version, or a file that is missing or cut short.
    """
    folder = find(path)
    values = read_head(folder)
    weights = folder / WEIGHTS
    try:
        with weights.open("rb") as file:
            length = _LENGTH.unpack(file.read(_LENGTH.size))[0]
            tensors = json.loads(file.read(min(length, weights.stat().st_size)))
        ends = [part["data_offsets"][1] for name, part in tensors.items() if name != "__metadata__"]
        whole = _LENGTH.size + length + max(ends, default=0)
        got = "" if weights.stat().st_size == whole else f"{weights.stat().st_size} bytes of {whole}"
    except OSError as error:
        got = error.strerror or str(error)
    except (ValueError, struct.error, KeyError, TypeError, AttributeError):
        got = "a file that begins with no header of that format"
    if got:
        raise InputError(
            f"checkpoint file '{weights}'",
            expected="a whole safetensors file",
            got=got,
            way_out="Use another checkpoint of this run, or copy it again",
        )
    return values


def fingerprint(folder: Path, record: str = RECORD, header: tuple[str, int] = (FORMAT, VERSION)) -> str:
    """SHA-256, as 16 hexadecimal digits, of what decides something learnt: its weights, its spec and its recipe with
    the transforms. It names a policy in records and in what is made from it.

    Args:
        folder: of the checkpoint.
        record, header: of its kind.

    Raises:
        InputError: a file is missing or cannot be read.
    """
    values = read_head(folder, record, header)
    decisive = {name: values.get(name) for name in ("spec", "recipe")}
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode())
    try:
        with (folder / WEIGHTS).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        raise InputError(f"checkpoint file '{folder / WEIGHTS}'", expected="weights", got=str(error)) from error
    return digest.hexdigest()[:16]


def read_head(folder: Path, record: str = RECORD, header: tuple[str, int] = (FORMAT, VERSION)) -> Mapping[str, Any]:
    """The plain values of a checkpoint's record.

    Args:
        folder: of the checkpoint.
        record: the file.
        header: its format and version.

    Raises:
        InputError: it is no JSON, or of another format or version.
    """
    path = folder / record
    values = read_json(path)
    found = (values.get("format"), values.get("version")) if isinstance(values, dict) else (None, None)
    if found != header or isinstance(found[1], bool):
        raise InputError(
            f"checkpoint '{path}'",
            expected=f"format {header[0]} version {header[1]}",
            got=f"format {found[0]} version {found[1]}",
            way_out="Load it with the version of tiller that wrote it, or train anew",
        )
    return values  # type: ignore[no-any-return]


def read_json(path: Path) -> Any:
    """The value that a JSON file holds.

    Raises:
        InputError: the file is missing or no JSON.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"checkpoint file '{path}'", expected="JSON", got=str(error)) from error


def _in_a_run(record: str) -> tuple[str, ...]:
    return MONITOR_IN_A_RUN if record == MONITOR_RECORD else IN_A_RUN


def _inside(path: Path, record: str) -> Path | None:
    for folder in (path, *(path / inside for inside in _in_a_run(record))):
        if (folder / record).is_file():
            return folder
    return None


def _nearby(path: Path, record: str) -> str | None:
    """The nearest checkpoint below the path, beside it, or beside the first part of it that is missing."""
    there = next(each for each in (path, *path.parents) if each.is_dir())
    if there != path and _inside(there, record) is not None:
        return f"Did you mean '{there}'?"
    for folder in dict.fromkeys((there, path.parent)):
        missing = path.relative_to(folder).parts[:1]
        try:
            known = [each.name for each in folder.iterdir() if each.is_dir() and _inside(each, record)]
        except OSError:
            continue
        if known:
            names = [str(folder / name) for name in known]
            near = nearest(str(folder / missing[0]) if missing else "", names)
            return near
    return None
