"""Text and numbers that come from anywhere: what can be read, and the reason where it cannot. Nothing here raises.

Anybody may publish on a topic. So a reader returns a value or a `Refusal`, and both ends of what tiller writes as text
take their words from here.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, replace
from typing import Any, Mapping

import numpy as np

from robot.description import ObservationSpec, from_json, to_json
from robot.errors import InputError

LONGEST_TEXT = 16384  # characters of an episode's JSON
LONGEST_INSTRUCTION = 1000  # characters
LONGEST_SHOWN = 300  # characters of foreign words in a log or a status
MOST_COMPONENTS = 4096  # of one key of an observation
INT64 = (-(2**63), 2**63 - 1)
OUTCOME = ("success", "score", "terminated", "truncated", "steps")

_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,4})?", re.ASCII)
_LONGEST_NUMBER = 40
_SHOWN = 60


@dataclass(frozen=True)
class Refusal:
    """Why something was not taken; the reason is a sentence for the log."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class EpisodeNotice:
    """What a twin publishes when an episode begins.

    Args:
        epoch: counts the resets of the twin's process.
        seed: of the start.
        task: `twin/lift`; empty for the robot alone.
        instruction: what is to be done; may be empty.
        max_steps: control periods until it is cut off; None without a task.
        observation: the numbers that the task measures, as its stream of `values` carries them; None without a task.
    """

    epoch: int
    seed: int
    task: str = ""
    instruction: str = ""
    max_steps: int | None = None
    observation: ObservationSpec | None = None

    def text(self) -> str:
        """The JSON that `read_episode` reads."""
        values = asdict(replace(self, observation=None))
        if self.observation is None:
            del values["observation"]
        else:
            values["observation"] = to_json(self.observation)
        return json.dumps(values)


def integer(text: str, low: int = INT64[0], high: int = INT64[1]) -> int | None:
    """A whole number in ASCII digits within a range; None for anything else. `int` takes other alphabets, underscores
    and spaces, and raises on thousands of digits.
    """
    if not _INTEGER.fullmatch(text):
        return None
    number = int(text)
    return number if low <= number <= high else None


def real(text: str) -> float | None:
    """A finite decimal number in ASCII; None for anything else."""
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def shown(value: object) -> str:
    """Foreign text for a message: short, and without characters that steer a terminal or that no log can take."""
    text = value if isinstance(value, str) else str(type(value).__name__)
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def printable(text: str) -> str:
    """Foreign words for a log or a status: what can be printed of them, in one line that is not long."""
    clean = "".join(each if each.isprintable() else " " for each in text[: LONGEST_SHOWN + 1])
    return clean if len(clean) <= LONGEST_SHOWN else f"{clean[: LONGEST_SHOWN - 3]}..."


def read_episode(text: str) -> EpisodeNotice | Refusal:
    """An episode from its JSON."""
    if len(text) > LONGEST_TEXT:
        return Refusal(f"an episode of {len(text)} characters, {LONGEST_TEXT} are read")
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Refusal(f"no JSON, {type(error).__name__}: {shown(text)}")
    if not isinstance(record, dict):
        return Refusal(f"no JSON object: {shown(text)}")
    max_steps = record.get("max_steps")
    for name, value in (
        ("epoch", record.get("epoch")),
        ("seed", record.get("seed")),
        ("max_steps", 0 if max_steps is None else max_steps),
    ):
        # A boolean is an int to Python.
        if type(value) is not int or not 0 <= value <= INT64[1]:
            return Refusal(f"{name} is no whole number from 0 to 2^63 - 1: {_value(value)}")
    words: dict[str, str] = {}
    for name in ("task", "instruction"):
        value = record.get(name)
        words[name] = "" if value is None else value
        if not isinstance(words[name], str) or not _sendable(words[name]):
            return Refusal(f"{name} is no text that can be sent: {_value(value)}")
        if len(words[name]) > LONGEST_INSTRUCTION:
            return Refusal(f"{name} of {len(words[name])} characters, {LONGEST_INSTRUCTION} are read")
    try:
        observation = _observation(record.get("observation"))
    except (InputError, TypeError, ValueError, RecursionError, OverflowError) as error:
        return Refusal(f"observation is no specification of one: {shown(str(error))}")
    return EpisodeNotice(record["epoch"], record["seed"], words["task"], words["instruction"], max_steps, observation)


def _observation(value: Any) -> ObservationSpec | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise TypeError(type(value).__name__)
    spec = from_json(ObservationSpec, value)
    for field in spec:
        if not all(1 <= size <= MOST_COMPONENTS for size in field.shape) or field.size > MOST_COMPONENTS:
            raise ValueError(f"{field.name} of shape {field.shape}")
    return spec


def read_instruction(text: str) -> str | Refusal:
    """An instruction, as it came."""
    if len(text) > LONGEST_INSTRUCTION or not _sendable(text):
        return Refusal(
            f"an instruction of {len(text)} characters, at most {LONGEST_INSTRUCTION} without zeros are read"
        )
    return text


def read_outcome(values: Mapping[str, np.ndarray]) -> dict[str, float] | Refusal:
    """The outcome of an episode, from the vectors of its message: `OUTCOME`, each one finite number."""
    for name in OUTCOME:
        value = values.get(name)
        if value is None or value.shape != (1,) or not math.isfinite(value[0]):
            return Refusal(f"{name} is no finite number")
    return {name: float(values[name][0]) for name in OUTCOME}


def _sendable(text: str) -> bool:
    """Whether a message can carry a text: JSON may hold halves of surrogate pairs and zeros."""
    return "\x00" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def _value(value: Any) -> str:
    return shown(repr(value)[:_SHOWN] if isinstance(value, (int, float, str)) and not _huge(value) else value)


def _huge(value: object) -> bool:
    """Whether a number has so many digits that Python does not print it."""
    return isinstance(value, int) and value.bit_length() > 1000
