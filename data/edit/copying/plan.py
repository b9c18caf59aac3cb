"""What an edit makes: one new store, episode by episode, of episodes of one or several stores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Mapping

import numpy as np

from data.edit.copying.mapping import SourceMap
from data.edit.copying.origin import Origin
from data.store.schema import Schema
from robot.description import fingerprint, to_json

Block = dict[str, Any]
"""Name -> (k, ...) rows; of images that stay encoded a list of k."""


@dataclass(frozen=True)
class Take:
    """One episode of the new store.

    Args:
        source: number of the store that it is of.
        episode: its number there.
        first, stop: rows of that episode, of which it is made.
        facts: of the new episode, all that the new schema has.
        from_ns, until_ns: samples of streams before and from these stamps on are left out; None leaves out none.
    """

    source: int
    episode: int
    first: int
    stop: int
    facts: Mapping[str, Any]
    from_ns: int | None = None
    until_ns: int | None = None

    def has(self, time_ns: np.ndarray) -> np.ndarray:
        """(k,) bool, the samples of these stamps (k,) that it keeps."""
        kept = np.ones(len(time_ns), bool)
        if self.from_ns is not None:
            kept &= time_ns >= self.from_ns
        if self.until_ns is not None:
            kept &= time_ns < self.until_ns
        return kept


@dataclass(frozen=True, eq=False)
class Edit:
    """One new store.

    Args:
        origins: the stores that it is made of.
        maps: for each of them, where its arrays go.
        schema: of the new store.
        takes: its episodes, in order.
        attributes: of its root.
        rows: gives the rows of an episode block by block; None takes them as they are in the source.
    """

    origins: tuple[Origin, ...]
    maps: tuple[SourceMap, ...]
    schema: Schema
    takes: tuple[Take, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    rows: Callable[[Edit, Take], Iterator[Block]] | None = None

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides what is made, 16 hexadecimal digits."""
        return fingerprint(
            {
                "sources": [origin.fingerprint for origin in self.origins],
                "schema": self.schema.to_json(),
                "takes": [to_json(take) for take in self.takes],
                "attributes": to_json(self.attributes),
            }
        )


def whole(origin: Origin, number: int, index: int, facts: Mapping[str, Any] | None = None) -> Take:
    """An episode as it is.

    Args:
        origin: the store.
        number: of the store among those of the edit.
        index: of the episode.
        facts: those that change.
    """
    return Take(number, index, 0, origin.length(index), {**origin.facts(index), **(facts or {})})
