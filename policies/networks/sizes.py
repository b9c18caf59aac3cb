"""How large the parts of a network may be."""

from __future__ import annotations

from typing import Annotated

from robot.description.ranges import Range

Width = Annotated[int, Range(1, 65_536)]
"""Features of a layer."""

Depth = Annotated[int, Range(0, 1024)]
"""Blocks one after another."""

Dropout = Annotated[float, Range(0, 1, below=True)]
"""Probability."""
