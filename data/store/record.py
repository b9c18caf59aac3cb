"""What tiller keeps in a store's root attributes: schema version, schema and commit record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from data.store.commit import Commit
from data.store.schema import SCHEMA_VERSION, Schema
from robot.errors import InputError

ROOT_KEY = "tiller"


@dataclass(frozen=True)
class Record:
    """The part of the root attributes that is tiller's own."""

    schema: Schema
    commit: Commit

    def to_json(self) -> dict[str, Any]:
        return {
            "schema_version": SCHEMA_VERSION,
            "schema": self.schema.to_json(),
            "commit": self.commit.to_json(),
        }


def is_ours(attributes: Mapping[str, Any]) -> bool:
    """Whether tiller wrote the store with these root attributes."""
    return ROOT_KEY in attributes


def read_record(attributes: Mapping[str, Any], where: str) -> Record:
    """The record in the root attributes of a store.

    Raises:
        InputError: another schema version wrote it, or something in it is unknown or missing.
    """
    written = attributes[ROOT_KEY]
    if not isinstance(written, Mapping) or written.get("schema_version") != SCHEMA_VERSION:
        found = written.get("schema_version") if isinstance(written, Mapping) else written
        raise InputError(
            f"'{where}': schema version",
            expected=str(SCHEMA_VERSION),
            got=str(found),
            way_out="Read it with the version of tiller that wrote it",
        )
    missing = [key for key in ("schema", "commit") if key not in written]
    if missing:
        raise InputError(f"'{where}': root attributes", expected="schema and commit", got=f"no {missing[0]}")
    return Record(Schema.from_json(written["schema"]), Commit.from_json(written["commit"]))
