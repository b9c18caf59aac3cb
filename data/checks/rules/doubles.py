"""Episodes that hold the same."""

from __future__ import annotations

import hashlib

import numpy as np

from data.checks.blame import Judgement
from data.checks.rules.spans import Spans
from data.store import layout
from data.store.names import TIME

DIGEST_BYTES = 16
NOT_COMPARED = (layout.row_path(TIME.name), layout.row_path("timestamp"))
"""Arrays that may differ in a double: a copy that was imported again may begin at another time."""


class Digests:
    """The digest of each episode over the arrays that are read, one after the other.

    Args:
        spans: the episodes.

    Attributes:
        content: (episodes,) of 16 bytes.
    """

    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        self.content = [b""] * len(spans)

    def of(self, path: str, spans: Spans) -> ArrayDigests:
        """What reads one more array, of rows or of samples."""
        return ArrayDigests(self, path, spans)

    def join(self, path: str, episode: int, digest: bytes) -> None:
        """Add what one array holds of an episode."""
        at = int(np.searchsorted(self._spans.episodes, episode))
        if at < len(self.content) and self._spans.episodes[at] == episode:
            whole = self.content[at] + path.encode("utf-8", "surrogatepass") + digest
            self.content[at] = hashlib.blake2b(whole, digest_size=DIGEST_BYTES).digest()


class ArrayDigests:
    """Looks at the entries of one array; images count as they are stored."""

    def __init__(self, digests: Digests, path: str, spans: Spans) -> None:
        self._digests, self._path, self._spans = digests, path, spans
        self._at, self._state = -1, hashlib.blake2b(digest_size=DIGEST_BYTES)

    def add(self, first: int, entries: np.ndarray | list[bytes]) -> None:
        """Look at the entries from `first` on."""
        for at, start, end in self._spans.within(first, first + len(entries)):
            if at != self._at:
                self.close()
                self._at, self._state = at, hashlib.blake2b(digest_size=DIGEST_BYTES)
            part = entries[start - first : end - first]
            if isinstance(part, np.ndarray):
                self._state.update(repr(part.tolist()).encode() if part.dtype.hasobject else part.tobytes())
            else:
                for image in part:
                    self._state.update(len(image).to_bytes(8, "little") + image)

    def close(self) -> None:
        """End the last episode."""
        if self._at >= 0:
            self._digests.join(self._path, int(self._spans.episodes[self._at]), self._state.digest())
        self._at = -1


def judge_doubles(judgement: Judgement, digests: Digests) -> None:
    """Judge episodes that hold the same rows and samples as one before: they count twice, and a split may have one of
    them on each side.
    """
    spans, first = judgement.spans, dict[bytes, int]()
    for number, start, end, content in zip(
        spans.episodes.tolist(), spans.starts.tolist(), spans.ends.tolist(), digests.content
    ):
        if judgement.spoilt[number] or not content:
            continue
        earlier = first.setdefault(content, number)
        if earlier != number:
            judgement.suspect(
                "doubled",
                layout.EPISODE_ENDS,
                f"its {end - start} rows are those of episode {earlier}",
                episode=number,
                row=start,
            )
