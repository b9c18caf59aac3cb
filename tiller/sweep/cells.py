"""Which runs a sweep is made of, and what their folders are called."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import product
from typing import Sequence

from robot.errors import InputError
from tiller.configuration.overrides import hint_of, parse_overrides, several

# Names of folders must be fit for an override: checkpoint=sweep/policy-flow_mlp.
_UNFIT = re.compile(r"[^\w.+-]+")
LONGEST_NAME = 160
"""Characters; file systems take 255 bytes, and the log beside the folder has an ending of its own."""


@dataclass(frozen=True)
class Cell:
    """One run of a sweep.

    Args:
        name: its folder within the sweep's output: the values that vary.
        overrides: all of its overrides but the output.
    """

    name: str
    overrides: tuple[str, ...]


def expand(overrides: Sequence[str], kind: type | None = None) -> list[Cell]:
    """All combinations of overrides with several values, in the order given, the last one varying fastest.

    Args:
        overrides: `key=value` or `key=value,value`.
        kind: dataclass of the verb's options, which tells texts from numbers.

    Raises:
        InputError: none has several values.
    """
    choices: list[list[tuple[str, str]]] = []
    for override in parse_overrides(overrides):
        key = override.key
        values = dict.fromkeys(several(hint_of(kind, key.split(".")), override.text))  # the same value twice is one run
        choices.append([(f"{key}-{value}", f"{key}={value}") for value in values] or [("", override.line)])
    if not any(label for alternatives in choices for label, _ in alternatives):
        raise InputError("-m", expected="an override with several values, such as training.seed=0,1,2", got="none")
    combinations = list(product(*choices))
    labels = ["+".join(label for label, _ in combination if label) for combination in combinations]
    return [
        Cell(name, tuple(override for _, override in combination))
        for name, combination in zip(_names(labels), combinations)
    ]


def _names(labels: Sequence[str]) -> list[str]:
    """A folder's name for each label. Labels that are too long, or that only unfit characters tell apart, end in a
    digest of the whole label, so that a cell keeps its name when the sweep grows.
    """
    plain = [_UNFIT.sub("-", label) for label in labels]
    names = []
    for label, name in zip(labels, plain):
        if len(name) > LONGEST_NAME or plain.count(name) > 1:
            name = f"{name[: LONGEST_NAME - 9]}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"
        names.append(name)
    return names
