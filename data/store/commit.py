"""The commit record: how many episodes, rows and stream samples a store holds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Mapping

from robot.description import from_json, to_json


@dataclass(frozen=True)
class Commit:
    """What exists in a store, whatever the shapes of its arrays say.

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
        """The record after one more episode of so many rows and samples a stream."""
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
