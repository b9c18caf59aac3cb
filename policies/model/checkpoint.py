"""Checkpoints: folders of plain JSON and safetensors, whole or not there at all.

model.safetensors   averaged weights and the normaliser
policy.json         format, spec, recipe, provenance
training/           what an exact resume needs, see `policies.training.state`
"""

from __future__ import annotations

import errno
import json
import platform
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Iterator, Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from policies.model.build import build_policy
from policies.model.checkpoint_folder import FORMAT, RECORD, VERSION, WEIGHTS, find, read_head
from policies.model.device import choose_device
from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import PolicyRecipe
from robot.description import PolicySpec, from_json, to_json
from robot.errors import InputError, TillerError
from robot.files import new_folder


@dataclass(frozen=True)
class Provenance:
    """Where a policy comes from.

    Args:
        step: updates it was trained for.
        dataset: fingerprint of the data.
        dataset_path: where they were.
        semantic_hash, operational_hash: of the robot contract, None where there is none.
        versions: package -> version it was trained with.
    """

    step: int = 0
    dataset: str = ""
    dataset_path: str = ""
    semantic_hash: str | None = None
    operational_hash: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PolicyRecord:
    """The content of policy.json."""

    format: str
    version: int
    spec: PolicySpec
    recipe: PolicyRecipe
    provenance: Provenance


def save(policy: DiffusionPolicy, path: Path | str, provenance: Provenance | None = None) -> Path:
    """Write a policy as a new checkpoint folder; an existing one is replaced only once the new one is complete."""
    path = Path(path)
    with new_checkpoint(path) as folder:
        write_policy(folder, policy, provenance or Provenance(versions=versions()))
    return path


def write_policy(folder: Path, policy: DiffusionPolicy, provenance: Provenance) -> None:
    """Write the files of a policy into an existing folder."""
    record = PolicyRecord(FORMAT, VERSION, policy.spec, policy.recipe, provenance)
    write_tensors(folder / WEIGHTS, policy.model.state_dict())
    write_json(folder / RECORD, to_json(record))


def load_learnt(path: Path | str, device: str = "cpu") -> DiffusionPolicy:
    """Load a learnt policy. `policies.loading.load` loads checkpoints of every kind.

    Args:
        path: a checkpoint folder, or the output folder of a training run: its final checkpoint, else its last one.
        device: as in `choose_device`.

    Raises:
        InputError: no checkpoint there, another format version, or a file that is missing, cut short or incomplete.
    """
    folder = find(path)
    record = read_record(folder)
    policy = build_policy(record.recipe, record.spec)
    fill(policy.model, read_tensors(folder / WEIGHTS), folder / WEIGHTS)
    policy.model.to(choose_device(device))
    policy.semantic_hash = record.provenance.semantic_hash
    return policy


def read_record(folder: Path) -> PolicyRecord:
    """The content of policy.json.

    Raises:
        InputError: it is no JSON, of another format version, or not what this version writes.
    """
    return from_json(PolicyRecord, read_head(folder), where=str(folder / RECORD))


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
    """A folder to write a checkpoint into, as `robot.files.new_folder` gives one.

    Raises:
        InputError: the path cannot be written to.
        TillerError: the disk is full, or a tensor could not be written.
    """
    try:
        with new_folder(path) as folder:
            yield folder
    except (OSError, SafetensorError) as error:
        if getattr(error, "errno", None) in (errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.EPERM):
            raise InputError(
                f"checkpoint '{path}'", expected="a place that can be written to", got=str(error)
            ) from error
        room = "Make room and save again; " if getattr(error, "errno", None) == errno.ENOSPC else ""
        raise TillerError(
            f"checkpoint '{path}' could not be written: {error}. {room}The previous checkpoint is intact"
        ) from error


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


def versions() -> dict[str, str]:
    """Versions of the packages that a policy is trained with."""
    installed = {"python": platform.python_version()}
    for package in ("tiller", "torch", "diffusers", "numpy"):
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            installed[package] = "not installed"
    return installed
