"""What tiller keeps in a store's root attributes: schema version, schema and commit record."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Mapping

from data.store.schema import READ_VERSIONS, SCHEMA_VERSION, Schema
from robot.description import from_json, to_json
from robot.errors import InputError


@dataclass(frozen=True)
class Commit:
    """What exists in a store, whatever the shapes of its arrays are.

    The record is part of the root group's `zarr.json`, which is replaced by one rename: an append exists from that
    instant, and before it not at all.

    Args:
        episodes: episodes committed.
        rows: rows of all of them, the length of every array under `data/`.
        streams: stream name -> samples of all episodes.
        content: hash over all episodes in order; equal stores have equal ones, however they are chunked.
    """

    episodes: int = 0
    rows: int = 0
    streams: Mapping[str, int] = field(default_factory=dict)
    content: str = ""

    def add(self, rows: int, streams: Mapping[str, int], digest: str) -> Commit:
        """The record after one more episode of so many rows and samples per stream."""
        return Commit(
            episodes=self.episodes + 1,
            rows=self.rows + rows,
            streams={name: self.streams.get(name, 0) + samples for name, samples in streams.items()},
            content=hashlib.blake2b(f"{self.content} {digest}".encode(), digest_size=16).hexdigest(),
        )

    def to_json(self) -> dict[str, Any]:
        return to_json(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Commit:
        """The record that `to_json` wrote.

        Raises:
            InputError: a key is unknown or missing.
        """
        return from_json(cls, value, where="commit record")


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
    if not isinstance(written, Mapping) or written.get("schema_version") not in READ_VERSIONS:
        version = written.get("schema_version") if isinstance(written, Mapping) else written
        raise InputError(
            f"'{where}': schema version",
            expected=" or ".join(map(str, READ_VERSIONS)),
            got=str(version),
            way_out="Read it with the version of tiller that wrote it",
        )
    missing = [key for key in ("schema", "commit") if key not in written]
    if missing:
        raise InputError(f"'{where}': root attributes", expected="schema and commit", got=f"no {missing[0]}")
    return Record(Schema.from_json(written["schema"]), Commit.from_json(written["commit"]))
