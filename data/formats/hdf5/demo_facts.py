"""What a file of demonstrations says of each: attributes, filters, and arrays that have not one entry a row."""

from __future__ import annotations

import json
from typing import Any, Mapping, Sequence

import numpy as np

from data.formats.hdf5.file import as_json, child, names_in, require_h5py
from data.store.names import INSTRUCTION, SUCCESS

_KNOWN = ("num_samples",)  # the number of rows


def demo_facts(
    path: str,
    file: Any,
    names: Sequence[str],
    said: Mapping[int, Mapping[str, Any]],
    held: Mapping[int, Mapping[str, Any]],
    others: Sequence[str],
    small: int,
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Facts of each episode, and notes.

    Args:
        path: of the file.
        file: open.
        names: of the demonstrations.
        said: episode -> its attributes, of those that are kept.
        held: episode -> its datasets, of those that are kept.
        others: keys of datasets that have not one entry a row.
        small: numbers, at most, of a dataset that is a fact.

    Raises:
        InputError: something is damaged.
    """
    facts: dict[str, np.ndarray] = {"demo": _words(names)}
    for key in sorted({key for each in said.values() for key in each if key not in _KNOWN}):
        facts[key] = _fact(names, {number: each.get(key) for number, each in said.items()}, key)
    instructions = {number: as_json(each.get("ep_meta")).get("lang") for number, each in said.items()}
    if INSTRUCTION.name not in facts and all(isinstance(each, str) for each in instructions.values()):
        facts[INSTRUCTION.name] = _words([instructions.get(number, "") for number in range(len(names))])
    masks, notes = _masks(path, file, names)
    large = []
    for key in others:
        arrays = {number: each[key] for number, each in held.items() if key in each}
        if any(array.size > small or array.dtype.kind not in "biuf" for array in arrays.values()):
            large.append(key)
        else:
            facts[key] = _fact(names, {number: np.asarray(array[()]).tolist() for number, array in arrays.items()}, key)
    if large:
        notes = (*notes, f"left out, as it is neither rows nor a few numbers an episode: {', '.join(large)}")
    return {**facts, **masks}, notes


def _fact(names: Sequence[str], values: Mapping[int, Any], key: str) -> np.ndarray:
    """(episodes,) of one type: flags, numbers or words; where they differ or some are missing, words.

    Args:
        names: of the demonstrations.
        values: episode -> value, of those that are kept; None where there is none.
        key: of the fact.
    """
    kept = list(values.values())
    if key == SUCCESS.name and all(value in (True, False) for value in kept):
        return np.array([bool(values.get(number, False)) for number in range(len(names))])
    if not all(isinstance(value, str) or value is None for value in kept):
        for kind in (bool, int, float):
            fit = all(type(value) is kind for value in kept)
            if fit and (kind is not int or all(abs(value) < 2**63 for value in kept)):
                return np.array([values.get(number, kind(0)) for number in range(len(names))])
    texts = {number: value if isinstance(value, str) else json.dumps(value) for number, value in values.items()}
    return _words([texts[number] if values.get(number) is not None else "" for number in range(len(names))])


def _words(values: Sequence[str]) -> np.ndarray:
    words = np.empty(len(values), object)
    words[:] = [value.encode(errors="replace").decode() for value in values]
    return words


def _masks(path: str, file: Any, names: Sequence[str]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Which demonstrations each filter of `mask` lists."""
    h5py = require_h5py()
    if "mask" not in file:
        return {}, ()
    group = child(path, file, "mask")
    if not isinstance(group, h5py.Group):
        return {}, ()
    masks, odd = {}, []
    for key in names_in(path, group):
        listed = child(path, group, key)
        is_list = isinstance(listed, h5py.Dataset) and listed.ndim == 1 and listed.dtype.kind in "SO"
        if not is_list or listed.size > 100 * len(names) + 1000:
            odd.append(f"mask/{key}")
            continue
        entries = {each.decode(errors="replace") if isinstance(each, bytes) else str(each) for each in listed[()]}
        masks[f"mask/{key}"] = np.array([name in entries for name in names])
        if entries - set(names):
            odd.append(f"mask/{key}: {len(entries - set(names))} names of no demonstration")
    return masks, ((f"not read: {', '.join(odd)}",) if odd else ())
