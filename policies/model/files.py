"""The files of a checkpoint: plain JSON and safetensors, whole or not there at all."""

from __future__ import annotations

import errno
import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from robot.errors import InputError, TillerError
from robot.files import new_folder


def fill(module: torch.nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load tensors into a module that needs exactly these.

    Raises:
        InputError: names the tensors that are missing, unknown or of another shape, or statistics that are no numbers.
    """
    expected = module.state_dict()
    missing, unknown = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    if missing or unknown:
        lacks = f"without {_listed(missing)}" if missing else f"with unknown {_listed(unknown)}"
        raise InputError(f"checkpoint '{path}'", expected="the tensors that its recipe needs", got=f"a file {lacks}")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise InputError(
                f"checkpoint '{path}': tensor '{name}'",
                expected=str(tuple(expected[name].shape)),
                got=str(tuple(tensor.shape)),
            )
        if name.startswith("normaliser.") and not tensor.isfinite().all():
            raise InputError(
                f"checkpoint '{path}': statistics '{name}'", expected="finite numbers", got="NaN or infinity"
            )
    module.load_state_dict(dict(tensors))


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


@contextmanager
def new_checkpoint(path: Path) -> Iterator[Path]:
    """A folder to write a checkpoint into, as `robot.files.new_folder` gives one. It replaces a checkpoint of its own
    kind or an empty folder, and nothing else.

    Raises:
        InputError: the path cannot be written to, or holds something else.
        TillerError: the disk is full, or a tensor could not be written.
    """
    try:
        with new_folder(path) as folder:
            yield folder
            _require_replaceable(path, folder)
    except (OSError, SafetensorError) as error:
        if getattr(error, "errno", None) in (errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EPERM):
            raise InputError(
                f"checkpoint '{path}'", expected="a place that can be written to", got=str(error)
            ) from error
        room = "Make room and save again; " if getattr(error, "errno", None) == errno.ENOSPC else ""
        raise TillerError(
            f"checkpoint '{path}' could not be written: {error}. {room}The previous checkpoint is intact"
        ) from error


def _require_replaceable(path: Path, new: Path) -> None:
    """Refuse to put a checkpoint in the place of anything but an earlier one of its kind."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    kinds = {record.name: kind for record in new.glob("*.json") if (kind := _format(record))}
    same = any((path / name).is_file() and _format(path / name) in (kind, "") for name, kind in kinds.items())
    if kinds and not same:
        raise InputError(
            f"checkpoint '{path}'",
            expected="a new or empty folder, or a checkpoint of the same kind, which is replaced",
            got=f"a folder with {_listed(sorted(each.name for each in path.iterdir()))}" if path.is_dir() else "a file",
            way_out="Choose another path, or remove what is there",
        )


def _format(record: Path) -> str | None:
    """What a record says that it is a record of; None where it says nothing, empty where it cannot be read."""
    try:
        values = json.loads(record.read_text())
    except (OSError, ValueError, RecursionError):
        return ""
    kind = values.get("format") if isinstance(values, dict) else None
    return kind if isinstance(kind, str) else None


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, str(path))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file, on the CPU.

    Raises:
        InputError: it is missing or cut short.
    """
    try:
        return load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"checkpoint file '{path}'",
            expected="a whole safetensors file",
            got=str(error),
            way_out="Use another checkpoint of this run, or copy it again",
        ) from error


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")
