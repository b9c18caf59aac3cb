"""Hashes of what a store holds of an episode, as it is stored: those that a writer notes, and the same read back."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Callable, Mapping

import numpy as np

from data.store import layout
from data.store.layout import Slot
from data.store.schema import Schema


class EntriesHash:
    """Hash of the entries of one array that are of one episode, however they are cut into blocks.

    Args:
        slot: of the array.
    """

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._begin()

    def _begin(self) -> None:
        self._content, self._entries = hashlib.blake2b(digest_size=16), 0

    def add(self, entries: np.ndarray) -> None:
        """Add numbers, (k, ...); words are no part of it."""
        self._entries += len(entries)
        if entries.dtype != object and len(entries):
            self._content.update(np.ascontiguousarray(entries).data)

    def add_image(self, stored: bytes) -> None:
        """Add an encoded image."""
        self._entries += 1
        self._content.update(f"{len(stored)} ".encode())
        self._content.update(stored)

    def digest(self) -> str:
        """Hash of the entries added since the last call: their number, type, shape and stored content."""
        slot = self._slot
        head = f"{slot.path} {slot.dtype} {slot.shape} {slot.encoding.kind} {self._entries}"
        text = f"{head} {self._content.hexdigest()}"
        self._begin()
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def episode_digest(schema: Schema, digest_of: Callable[[Slot], str], facts: Mapping[str, Any]) -> str:
    """Hash of an episode as it is stored, 32 hexadecimal digits: what `Commit.add` takes.

    Args:
        schema: of the store.
        digest_of: gives the `EntriesHash.digest` of an array of rows or samples.
        facts: of the episode.
    """
    digest = hashlib.blake2b(digest_size=16)
    for slot in sorted(layout.slots(schema), key=lambda slot: slot.path):
        if slot.per != "episode":
            digest.update(digest_of(slot).encode())
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in facts.items()}
    digest.update(json.dumps(plain, sort_keys=True).encode())
    return digest.hexdigest()
