"""How quality is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from robot.description.ranges import Finite, Range, Seed


@dataclass(frozen=True)
class QualityOptions:
    """How quality is measured.

    Args:
        k: nearest rows of other episodes that an action is compared with.
        rows: of all episodes that are compared with one another; of longer sets a part of each episode.
        seed: of the draw of rows and paths, where there are more episodes than can be compared.
        return_min: return of the worst behaviour, at which TQ is 0; null takes 0 where all returns are 0 or 1, else the
            least of the store.
        return_max: return of the best behaviour, at which TQ is 1; null takes 1 there, else the most of the store.
    """

    k: Annotated[int, Range(1, 1000)] = 5
    rows: Annotated[int, Range(100, 100_000)] = 6_000
    seed: Seed = 0
    return_min: Finite | None = None
    return_max: Finite | None = None
