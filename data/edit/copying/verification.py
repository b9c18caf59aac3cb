"""Whether a store holds what was written: the hash of every episode, computed from what is read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from data.edit.copying.blocks import block_rows
from data.edit.copying.origin import Origin
from data.store.digests import EntriesHash, episode_digest
from data.store.layout import Slot
from data.store.record import Commit
from robot.errors import TillerError

_HASHERS = 2  # threads
_SAMPLES = 1 << 18  # that are read at once


def require_same_content(path: Path, episodes: int, named: str) -> tuple[str, ...]:
    """Read a store back and compare it with what its writer noted, episode by episode.

    Args:
        path: of the store.
        episodes: that it should have.
        named: how to name it in a message.

    Returns:
        (episodes,) hash of the content of each.

    Raises:
        TillerError: it reads otherwise than it was written.
    """
    origin = Origin(path)
    commit, digests = Commit(), []
    # Hashing lets go of the interpreter's lock: arrays are hashed side by side.
    with ThreadPoolExecutor(_HASHERS, thread_name_prefix="hash") as threads:
        for index in range(len(origin)):
            digests.append(content_digest(origin, index, threads.map))
            samples = {name: _length(origin.samples(name, index)) for name in origin.schema.stream_fields}
            commit = commit.add(origin.length(index), samples, digests[-1])
    if commit != origin.contents.commit or len(origin) != episodes:
        raise TillerError(
            f"'{named}': what was written reads otherwise than it was written, in one of {len(origin)} episodes of "
            f"{episodes}. Nothing is left of it. Look at the disk and the memory of this machine, and do the same again"
        )
    return tuple(digests)


def content_digest(origin: Origin, index: int, each: Callable[..., Iterable[str]] = map) -> str:
    """Hash of an episode as it is stored, 32 hexadecimal digits: equal ones have equal rows, samples and facts.

    Args:
        origin: the store.
        index: of the episode.
        each: hashes arrays, as `map` does one after the other.

    Raises:
        DamagedChunkError: a chunk is missing or broken.
    """
    rows, step = origin.rows(index), block_rows(origin.schema)

    def hashed(slot: Slot) -> str:
        entries = EntriesHash(slot)
        stream = slot.path.split("/")[1]
        part = rows if slot.per == "row" else origin.samples(stream, index)
        for start in range(part.start, part.stop, step if slot.per == "row" else _SAMPLES):
            stop = min(start + (step if slot.per == "row" else _SAMPLES), part.stop)
            if slot.encoding.of_images:
                for stored in origin.frames(slot.path, start, stop):
                    entries.add_image(stored)
            else:
                entries.add(origin.read(slot.path, start, stop))
        return entries.digest()

    slots = [slot for slot in origin.contents.slots.values() if slot.per != "episode"]
    digests = dict(zip((slot.path for slot in slots), each(hashed, slots)))
    return episode_digest(origin.schema, lambda slot: digests[slot.path], origin.facts(index))


def _length(part: slice) -> int:
    return int(part.stop - part.start)
