"""What a foreign store records of each episode, as facts of ours."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Collection, Mapping, Sequence

import numpy as np

from data.formats.source import Source, require_name
from data.store.schema import MetaField
from robot.errors import InputError

_TYPES = {"b": "bool", "i": "int64", "u": "int64", "f": "float64"}
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Fact:
    """One fact and its value for each episode of the source."""

    field: MetaField
    values: Sequence[Any]


def episode_facts(
    source: Source, rename: Mapping[str, str], same: Mapping[str, str], skip: Collection[int] = ()
) -> tuple[Fact, ...]:
    """The facts recorded of each episode.

    One number, word or flag per episode keeps its type; several numbers per episode are written as a JSON list.

    Args:
        source: whose facts are taken over.
        rename: name in the source -> name in the target.
        same: facts that are the same for all episodes; they replace those of the source of the same name.
        skip: episodes that are not converted, whose facts may be anything.

    Raises:
        InputError: a fact is neither numbers nor words, or two get one name.
    """
    episodes = len(source.lengths)
    facts = {name: Fact(MetaField(name, "string"), [value] * episodes) for name, value in same.items()}
    for key, values in source.facts.items():
        name = rename.get(key, key.replace("/", "."))
        if name in facts and name not in same:
            raise InputError(
                f"'{source.path}': facts",
                expected="different names",
                got=f"'{name}' twice",
                way_out=f"Rename one with rename.{key}=NAME, or leave it out with exclude=[{key}]",
            )
        require_name(source.path, key, name)
        facts.setdefault(name, _fact(source, key, name, values, skip))
    return tuple(facts.values())


def replaced_facts(source: Source, rename: Mapping[str, str], same: Mapping[str, str]) -> tuple[str, ...]:
    """A note for each fact of the source that gives way to one that is the same for all episodes."""
    return tuple(
        f"the source's fact '{key}' is left out: '{name}' is the same for all episodes; keep it with rename.{key}=NAME"
        for key in source.facts
        if (name := rename.get(key, key.replace("/", "."))) in same
    )


def _fact(source: Source, key: str, name: str, values: np.ndarray, skip: Collection[int]) -> Fact:
    single = values.reshape(len(values)) if values.size == len(values) else None
    if values.dtype.kind in "UT" or (values.dtype.kind == "O" and all(isinstance(each, str) for each in values.flat)):
        words = values.tolist() if values.ndim == 1 else [json.dumps(each.tolist()) for each in values]
        return Fact(MetaField(name, "string"), words)
    if values.dtype.kind not in _TYPES:
        raise InputError(
            f"'{source.path}': '{key}'",
            expected="numbers, flags or words for each episode",
            got=str(values.dtype),
            way_out=f"Leave it out with exclude=[{key}]",
        )
    if values.dtype.kind == "f":
        values = values.astype(np.float64)  # a long double is no JSON number
    if single is None:
        return Fact(MetaField(name, "string"), [json.dumps(each.tolist()) for each in values])
    for episode in np.flatnonzero(single > _LARGEST).tolist() if values.dtype.kind == "u" else ():
        if episode in skip:
            continue
        raise InputError(
            f"'{source.path}': '{key}', episode {episode}",
            expected=f"an integer up to {_LARGEST}",
            got=str(single[episode]),
            way_out=f"Leave it out with exclude=[{key}], or store it as words",
        )
    kind = _TYPES[values.dtype.kind]
    return Fact(MetaField(name, kind), single.astype(kind).tolist())
