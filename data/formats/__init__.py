"""Readers of foreign formats, and what is known of published sets."""

from data.formats.opening import open_source
from data.formats.preset import Preset, find_preset, recognise
from data.formats.source import Source, SourceField

__all__ = ["Preset", "Source", "SourceField", "find_preset", "open_source", "recognise"]
