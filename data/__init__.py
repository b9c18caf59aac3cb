"""Demonstrations and experience, on disk and in memory.

The names below are loaded when they are first used, so that `import data` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data.store.dataset import Dataset
    from data.store.episode import Episode
    from data.store.images.encoding import Encoding
    from data.store.names import Actor, Quality
    from data.store.schema import ColumnField, MetaField, Schema, StreamField
    from data.store.writing.episode_writer import EpisodeWriter

_HOMES = {
    "Dataset": "data.store.dataset",
    "Encoding": "data.store.images.encoding",
    "Episode": "data.store.episode",
    "EpisodeWriter": "data.store.writing.episode_writer",
    "Actor": "data.store.names",
    "Quality": "data.store.names",
    "ColumnField": "data.store.schema",
    "MetaField": "data.store.schema",
    "Schema": "data.store.schema",
    "StreamField": "data.store.schema",
}
__all__ = [
    "Actor",
    "ColumnField",
    "Dataset",
    "Encoding",
    "Episode",
    "EpisodeWriter",
    "MetaField",
    "Quality",
    "Schema",
    "StreamField",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'data' has no attribute '{name}'")
