"""Which episodes are learnt from and which are held out."""

from __future__ import annotations

from typing import Hashable, Sequence

import numpy as np

from data.store.dataset import Dataset
from data.store.names import GROUP, SEED, has_fact
from robot.errors import InputError


def split_episodes(
    n: int, validation: float = 0.02, seed: int = 0, groups: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw whole episodes for validation, so that no window of them is ever trained on.

    Args:
        n: number of episodes.
        validation: share held out, 0 to below 1. Any share above 0 holds out at least one episode and leaves at
            least one to train on; a single episode is always trained on.
        seed: the same seed draws the same episodes.
        groups: (n,) number of each episode's group, -1 for none. The members of a group share rows, so that it is held
            out whole or not at all; None where there are no groups.

    Returns:
        (train, validation): sorted int64 episode indices, disjoint, together 0..n-1.

    Raises:
        InputError: no episodes, or a share outside [0, 1).
    """
    if n < 1:
        raise InputError("episodes to split", expected="at least 1", got=str(n))
    if not 0 <= validation < 1:
        raise InputError("validation", expected="a share from 0 to below 1", got=str(validation))
    if groups is not None and (groups >= 0).any():
        alone = groups.max() + 1 + np.arange(n)
        of = np.unique(np.where(groups >= 0, groups, alone), return_inverse=True)[1]
        units = np.random.default_rng(seed).permutation(int(of.max()) + 1)
        until = np.cumsum(np.bincount(of)[units])  # episodes held out with so many of the units
        count = int(np.searchsorted(until, n * validation)) + 1 if validation else 0
        held_out = units[: min(count, len(units) - 1)]
        return np.flatnonzero(~np.isin(of, held_out)), np.flatnonzero(np.isin(of, held_out))
    count = min(max(round(n * validation), 1), n - 1) if validation else 0
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[count:]), np.sort(order[:count])


def starts_of(data: Dataset) -> list[Hashable]:
    """What tells the start of each episode apart, also between datasets: its task and seed, else its group, else the
    episode itself.
    """
    count = len(data)
    task, own = str(data.attributes.get("task", "")), data.fingerprint
    seeds = np.asarray(data.meta(SEED.name)).tolist() if has_fact(data.schema, SEED) else [-1] * count
    groups = np.asarray(data.meta(GROUP.name)).tolist() if has_fact(data.schema, GROUP) else [-1] * count
    return [
        (task, seed) if seed >= 0 else (own, "group", group) if group >= 0 else (own, "episode", index)
        for index, (seed, group) in enumerate(zip(seeds, groups))
    ]


def require_different(datasets: Sequence[Dataset], why: str, way_out: str) -> None:
    """Refuse datasets of which two hold the same.

    Args:
        datasets: of any number.
        why: they have to differ.
        way_out: for a person who gave one twice.

    Raises:
        InputError: the same one twice, be it under two paths.
    """
    if len({each.fingerprint for each in datasets}) < len(datasets):
        raise InputError("data", expected=f"different datasets: {why}", got="the same one twice", way_out=way_out)
