"""The standard names of a store: what the columns of rows and the facts of episodes are called, hold and mean.

A store has those of them that its schema lists. A column or fact of one of these names but of another type or unit is a
user's own, and nothing here is said of it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Mapping, Sequence

import numpy as np

from data.store.schema import ColumnField, MetaField, Schema
from robot.control.observation.quality import Quality as Quality
from robot.errors import InputError


class Actor(IntEnum):
    """Who decided the action of a row."""

    POLICY = 0
    PERSON = 1
    SCRIPT = 2
    """A scripted expert, or a motion that the program makes, such as home."""
    HOLD = 3
    """Nobody: the robot was held where it was."""
    REWIND = 4
    """Nobody: the robot was driven back over rows before."""


TIME = ColumnField("time_ns", (), "int64", "ns")
"""When the observation of the row was taken."""
ACTOR = ColumnField("actor", (), "uint8", "1")
"""An `Actor`."""
INTERVENTION = ColumnField("intervention", (), "bool", "1")
"""A person acts where a policy would."""
REWARD = ColumnField("reward", (), "float32", "1")
"""For the action of the row, received when its interval has ended."""
TERMINATED = ColumnField("terminated", (), "bool", "1")
"""The task ended with the action of the row: what follows is worth nothing."""
TRUNCATED = ColumnField("truncated", (), "bool", "1")
"""The episode was cut off after the row; the task might have gone on."""
SUBTASK = ColumnField("subtask", (), "int16", "1")
"""Index into the list `subtasks` of the root's attributes; -1 for none."""
QUALITY = ColumnField("quality", (), "uint16", "1")
"""Bits of `Quality`."""
ADVANTAGE = ColumnField("advantage_positive", (), "bool", "1")
"""The actions from the row on did better than was to be expected there; see `tiller.steering.cloning.advantage`."""

SUCCESS = MetaField("success", "bool")
"""Whether the task was done."""
VERDICT = MetaField("verdict", "string")
"""How the recording went, in words for a person."""
OPERATOR = MetaField("operator", "string")
"""Who drove the robot; empty for nobody."""
INSTRUCTION = MetaField("instruction", "string")
"""What to do, in words for a policy."""
SEED = MetaField("seed", "int64")
"""Of the episode's initial state."""
SOURCE = MetaField("source", "string")
"""Where the episode comes from."""
STRATEGY = MetaField("strategy", "string")
"""What was drawn for the episode, as JSON."""
STARTED = MetaField("started_ns", "int64", "ns")
"""Start of the episode, since 1970-01-01 UTC."""
DROPS = MetaField("drops", "int64")
"""Samples and frames that are known to be lost, of all streams together."""
POLICY = MetaField("policy", "string")
"""Which policy acted; empty for none."""
NOISE_SEED = MetaField("noise_seed", "int64")
"""Of the noise of the policy's plans; -1 where no policy acted."""
GROUP = MetaField("group", "int64")
"""Number of the group of episodes that go on from one state; -1 for none."""
BRANCHED_AT = MetaField("branched_at", "int64")
"""Row at which the episode leaves those of its group, which share the rows before; -1 outside of a group."""
LABELS = MetaField("labels", "string")
"""What a person called the episode while looking at it: a list of words, as JSON."""
NOTE = MetaField("note", "string")
"""What a person wrote of the episode while looking at it; empty for nothing."""

COLUMNS = (TIME, ACTOR, INTERVENTION, REWARD, TERMINATED, TRUNCATED, SUBTASK, QUALITY, ADVANTAGE)
FACTS = (
    SUCCESS,
    VERDICT,
    OPERATOR,
    INSTRUCTION,
    SEED,
    SOURCE,
    STRATEGY,
    STARTED,
    DROPS,
    POLICY,
    NOISE_SEED,
    GROUP,
    BRANCHED_AT,
    LABELS,
    NOTE,
)
_QUALITIES = int(sum(Quality))


def require_schema(path: object, schema: Schema | None) -> Schema:
    """The schema of a store.

    Args:
        path: of the store.
        schema: that it has, or None.

    Raises:
        InputError: it has none, as tiller did not write it.
    """
    if schema is None:
        raise InputError(
            f"dataset '{path}'",
            expected="a store with a schema of names, units and control period",
            got="one that tiller did not write",
            way_out=f"Convert it: tiller data convert {path} OUT",
        )
    return schema


def has_column(schema: Schema | None, column: ColumnField) -> bool:
    """Whether rows of a store have this standard column, and not a user's own of the same name."""
    return schema is not None and column in schema.columns


def has_fact(schema: Schema | None, fact: MetaField) -> bool:
    """Whether episodes of a store have this standard fact, and not a user's own of the same name."""
    return schema is not None and fact in schema.meta


def acting_policies(attributes: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What the attributes of a dataset say of the policies that acted in it, as they were collected: hash, sampler,
    steps, steering; none where they do not say.
    """
    collection = attributes.get("collection")
    listed = collection.get("policies") if isinstance(collection, Mapping) else None
    return [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, Sequence) else []


def without_meaning(column: ColumnField, values: np.ndarray) -> np.ndarray:
    """(rows,) bool, where a column holds what no row can: no `Actor`, or other bits than those of `Quality`.

    Args:
        column: of the store; one that is not standard may hold anything.
        values: (rows, ...) of it.
    """
    if column == ACTOR:
        return np.isin(values, list(Actor), invert=True)
    if column == QUALITY:
        return (values & ~np.uint16(_QUALITIES)) != 0
    return np.zeros(len(values), bool)


def meaning(column: ColumnField) -> str:
    """What the numbers of a column with a meaning each stand for, in words; empty for any other column."""
    kinds: Sequence[Actor | Quality] = list(Actor) if column == ACTOR else list(Quality) if column == QUALITY else []
    joined = " + " if column == QUALITY else ", "
    return joined.join(f"{int(kind)} {(kind.name or '').lower()}" for kind in kinds)
