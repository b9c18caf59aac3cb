"""What a new store was made of: kept in the attributes of its root, with the edits before."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any, Iterable, Mapping, Sequence

from data.edit.copying.origin import Origin
from data.edit.copying.plan import Take
from robot.description import to_json

EDITS = "edits"
"""Attribute of a store: the edits that it was made by, the oldest first."""
_OF_THE_WRITING = ("software", "control_period_s", EDITS)  # written anew


def edited_attributes(
    verb: str,
    options: Mapping[str, Any],
    origins: Sequence[Origin],
    takes: Iterable[Take],
    kept: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The attributes of a store that an edit makes.

    Args:
        verb: that makes it.
        options: of the verb, those that decide what is made.
        origins: the stores that it is made of.
        takes: its episodes.
        kept: attributes that it has of them; None for all of a single one.

    Returns:
        The attributes that are kept, and `edits`: of each its verb, options and sources, with path, fingerprint and the
        numbers of the episodes that were taken. Of several sources each also has its own edits, and the attributes that
        did not become those of the new store.
    """
    attributes = dict(origins[0].attributes if kept is None else kept)
    by_source: dict[int, list[int]] = {number: [] for number in range(len(origins))}
    for take in takes:
        by_source[take.source].append(take.episode)
    sources = []
    for number, origin in enumerate(origins):
        source = {
            "path": origin.absolute_name,
            "fingerprint": origin.fingerprint,
            "episodes": len(origin),
            "taken": listed(by_source[number]),
            "software": origin.attributes.get("software"),
        }
        if kept is not None:
            others = {
                key: value
                for key, value in origin.attributes.items()
                if key not in _OF_THE_WRITING and attributes.get(key) != value
            }
            source |= {"attributes": others, EDITS: list(_edits(origin))}
        sources.append(source)
    entry = {"verb": verb, "options": to_json(options), "sources": sources, "tiller": _version()}
    before = [] if kept is not None else _edits(origins[0])
    plain = {key: value for key, value in attributes.items() if key not in _OF_THE_WRITING}
    return {**plain, EDITS: [*before, entry]}


def listed(episodes: Sequence[int]) -> str:
    """Numbers of episodes in their order, those that follow each other as one range: `0-3,7`."""
    parts: list[list[int]] = []
    for episode in episodes:
        if parts and parts[-1][1] + 1 == episode:
            parts[-1][1] = episode
        else:
            parts.append([episode, episode])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def _edits(origin: Origin) -> Sequence[Any]:
    edits = origin.attributes.get(EDITS)
    return edits if isinstance(edits, (list, tuple)) else ()


def _version() -> str:
    try:
        return version("tiller")
    except PackageNotFoundError:
        return "not installed"
