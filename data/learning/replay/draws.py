"""Which decisions a batch is of: functions of a replay and a generator that return rows."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from data.learning.replay.replay import Replay
from data.learning.replay.schema import DEMONSTRATION
from robot.errors import InputError


class Draw(Protocol):
    """A way to draw rows (count,) of a replay, with repetition."""

    def __call__(self, replay: Replay, generator: np.random.Generator, count: int) -> np.ndarray: ...


def uniform(replay: Replay, generator: np.random.Generator, count: int) -> np.ndarray:
    """Every decision alike.

    Raises:
        InputError: an empty replay.
    """
    return generator.integers(_filled(replay), size=count)


def recent(replay: Replay, generator: np.random.Generator, count: int, *, half_life: float = 10_000.0) -> np.ndarray:
    """Newer decisions more often: one that is `half_life` decisions older half as often.

    Raises:
        InputError: an empty replay, or a half-life that is not above 0.
    """
    if not 0 < half_life < np.inf:
        raise InputError("draw: half_life", expected="a finite number above 0", got=f"{half_life:g}")
    size = _filled(replay)
    # Inverse of the truncated geometric distribution of ages.
    share = -np.expm1(-np.log(2) * size / half_life)
    age = np.floor(-np.log1p(-generator.random(count) * share) * half_life / np.log(2)).astype(np.int64)
    newest: np.ndarray = (replay.count - 1 - np.minimum(age, size - 1)) % replay.capacity
    return newest


def by_return(replay: Replay, generator: np.random.Generator, count: int, *, temperature: float = 0.1) -> np.ndarray:
    """Decisions of better episodes more often: p of a decision is proportional to exp(G / temperature), G its episode's
    return scaled to [0, 1] over the replay (Hong et al., "Harnessing Mixed Offline Reinforcement Learning Datasets via
    Trajectory Weighting", 2023).

    Raises:
        InputError: an empty replay, or a temperature that is not above 0.
    """
    if not temperature > 0:
        raise InputError("draw: temperature", expected="above 0", got=f"{temperature:g}")
    _filled(replay)
    gain = replay.returns()
    scaled = (gain - gain.max()) / max(np.ptp(gain), 1e-12)
    return _weighted(np.exp(scaled / temperature), generator, count)


def halves(replay: Replay, generator: np.random.Generator, count: int, *, demonstrations: float = 0.5) -> np.ndarray:
    """A fixed share of demonstrations, the rest of what policies did (Ball et al., "Efficient Online Reinforcement
    Learning with Offline Data", 2023); all of the other kind where there is none of one.

    Raises:
        InputError: an empty replay, or a share outside [0, 1].
    """
    if not 0 <= demonstrations <= 1:
        raise InputError("draw: demonstrations", expected="a share, 0 to 1", got=f"{demonstrations:g}")
    _filled(replay)
    shown = replay.column("version") == DEMONSTRATION
    given, own = np.flatnonzero(shown), np.flatnonzero(~shown)
    first = round(count * demonstrations) if len(given) and len(own) else count * bool(len(given))
    drawn = [
        kind[generator.integers(len(kind), size=size)] for kind, size in ((given, first), (own, count - first)) if size
    ]
    return np.concatenate(drawn) if drawn else np.zeros(0, dtype=np.int64)


def _weighted(weights: np.ndarray, generator: np.random.Generator, count: int) -> np.ndarray:
    total = np.cumsum(weights)
    return np.searchsorted(total, generator.random(count) * total[-1], side="right").clip(max=len(total) - 1)


def _filled(replay: Replay) -> int:
    if not len(replay):
        raise InputError("draw from a replay", expected="one with decisions", got="an empty one")
    return len(replay)
