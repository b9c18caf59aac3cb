"""Readers of foreign formats, and what is known of published sets."""

from data.sources.opening import open_source
from data.sources.preset import Preset, find_preset, recognise
from data.sources.source import Source, SourceArray

__all__ = ["Preset", "Source", "SourceArray", "find_preset", "open_source", "recognise"]
