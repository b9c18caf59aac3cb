"""Stores of some episodes of others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Sequence

if TYPE_CHECKING:
    import numpy as np

    from data.store.schema import ColumnField

COMMITTED_AT_ONCE = 16
"""Episodes: a commit of each takes longer than to write it."""


def copied(
    source: Any,
    episodes: Sequence[int],
    target: Path,
    columns: Mapping[ColumnField, Sequence[np.ndarray]] | None = None,
) -> None:
    """A store of some episodes of another; those that are there already are not written again.

    Args:
        source: dataset that they are of.
        episodes: their numbers.
        target: of the store.
        columns: further columns, with the rows (n,) of each of these episodes; where they are fewer than the episode's,
            it is cut to as many, and its streams are left out.
    """
    from data.store.dataset import Dataset

    further = dict(columns or {})
    if (target / "zarr.json").is_file():
        copy = Dataset.open(target, mode="a")
    else:
        streams = () if further else source.schema.streams
        schema = replace(source.schema, columns=(*source.schema.columns, *further), streams=streams)
        copy = Dataset.create(target, schema, attributes=_own_attributes(source))
    with copy:
        for start in range(len(copy), len(episodes), COMMITTED_AT_ONCE):
            parts = []
            for place in range(start, min(start + COMMITTED_AT_ONCE, len(episodes))):
                episode = source.episode(episodes[place])
                rows = {column.name: values[place] for column, values in further.items()}
                if rows:
                    length = min(map(len, rows.values()))
                    kept = {name: array[:length] for name, array in episode.data.items()}
                    episode = replace(episode, data={**kept, **rows}, streams={})
                parts.append(episode)
            copy.extend(parts)


def _own_attributes(source: Any) -> Mapping[str, Any]:
    """What a collection noted of itself."""
    names = ("task", "task_options", "collection", "contract")
    return {name: source.attributes[name] for name in names if name in source.attributes}
