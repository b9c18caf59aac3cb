"""Checkpoints of every kind on disk, without torch: which kind one is, whether it is whole, and its hash.

A steered checkpoint stands on another one; the last of such a chain is learnt.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Mapping

from policies.model import checkpoint_folder as learnt
from policies.model.checkpoint_folder import RECORD, find, read_json
from policies.steering.record import FORMAT as STEERED
from policies.steering.record import read_steered
from robot.description.record import fingerprint as of_values
from robot.errors import InputError

DEEPEST = 16
"""Steered checkpoints that may stand on each other: more is a circle."""


def is_steered(folder: Path) -> bool:
    """Whether a checkpoint folder holds what steers, and not a learnt policy."""
    values = read_json(folder / RECORD)
    return isinstance(values, dict) and values.get("format") == STEERED


def chain(path: Path | str) -> list[Path]:
    """The folders of a checkpoint and of all bases that it stands on, the learnt one last.

    Raises:
        InputError: no checkpoint there, a record that cannot be read, a base that is gone, or a circle of them.
    """
    folders = [find(path)]
    while is_steered(folders[-1]):
        folders.append(_base_of(folders[-1]))
        if len(folders) > DEEPEST:
            raise InputError(f"checkpoint '{folders[0]}'", expected="a learnt policy under what steers", got="a circle")
    return folders


def _base_of(steered: Path) -> Path:
    """The folder of a base: of several that may be it the one with its hash."""
    reference = read_steered(steered).base
    candidates = reference.folders(steered)
    if len(candidates) > 1:
        with suppress(InputError):
            candidates.sort(key=lambda folder: fingerprint(folder) != reference.hash)
    return candidates[0]


def fingerprint(path: Path | str) -> str:
    """A hash, 16 hexadecimal digits, of what decides a policy: of a learnt one weights, spec and recipe; of a steered
    one its record, in which the hash of its base is.

    Raises:
        InputError: no checkpoint there, or its record cannot be read.
    """
    folder = find(path)
    if not is_steered(folder):
        return learnt.fingerprint(folder)
    record = read_steered(folder)
    base = [record.base.hash, record.base.sampler, record.base.steps]  # wherever it lies
    base += [record.base.embodiment] if record.base.embodiment else []
    return of_values({"format": STEERED, "base": base, "steering": record.steering})


def require_whole(path: Path | str) -> Mapping[str, Any]:
    """Refuse a checkpoint that cannot be loaded, as far as that can be seen without torch.

    Returns:
        The content of the learnt policy's policy.json, as plain values.

    Raises:
        InputError: no checkpoint there, another format version, a file that is missing or cut short, or a base that is
            gone or was replaced.
    """
    return learnt.require_whole(unchanged_chain(path)[-1])


def unchanged_chain(path: Path | str) -> list[Path]:
    """`chain`, each base of which is the one that was steered, by the critics and actors that steered it.

    Raises:
        InputError: as of `chain` and `steering_parts`, or a base, a critic or an actor that was replaced: names both
            hashes.
    """
    folders = chain(path)
    for steered, base in pairwise(folders):
        _require_same_base(steered, base)
        steering_parts(steered)
    return folders


def steering_parts(steered: Path) -> dict[str, Path]:
    """The critics and actors of one steered checkpoint, those of its bases left out: hash -> folder.

    Raises:
        InputError: one is gone, or was replaced: names both hashes.
    """
    folders = {}
    for reference in read_steered(steered).parts:
        candidates = reference.folders(steered)
        hashes = [learnt.fingerprint(folder, reference.record, reference.header) for folder in candidates]
        if reference.hash not in hashes:
            raise InputError(
                f"{reference.kind} of the steered checkpoint '{steered}'",
                expected=f"the {reference.kind} of hash {reference.hash}, which steered",
                got=f"one of hash {hashes[0]} at '{candidates[0]}'",
                way_out=f"Put the {reference.kind} back, or steer anew with the new one",
            )
        folders[reference.hash] = candidates[hashes.index(reference.hash)]
    return folders


def parts(path: Path | str) -> list[Path]:
    """The folders of a checkpoint, of all bases that it stands on and of all critics and actors that steer it.

    Raises:
        InputError: as of `unchanged_chain`.
    """
    folders = chain(path)
    return [*folders, *(part for folder in folders[:-1] for part in steering_parts(folder).values())]


def _require_same_base(steered: Path, base: Path) -> None:
    """Refuse a base that was replaced since it was steered.

    Raises:
        InputError: names both hashes.
    """
    expected, now = read_steered(steered).base.hash, fingerprint(base)
    if now != expected:
        raise InputError(
            f"base of the steered checkpoint '{steered}'",
            expected=f"the policy of hash {expected}, which was steered",
            got=f"one of hash {now} at '{base}'",
            way_out="Put the base back, or steer the new one anew",
        )
