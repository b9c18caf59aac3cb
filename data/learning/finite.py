"""Numbers that nothing can be learnt from are refused by the place where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data.learning.windows import Windows
from data.store.schema import ACTION
from robot.errors import InputError

if TYPE_CHECKING:
    from data.store.dataset import Dataset

_WINDOWS_AT_ONCE = 4096


def require_finite(dataset: Dataset, windows: Windows) -> None:
    """Refuse windows that see a NaN or an infinity, images aside, or that have one among the actions that count.

    Args:
        dataset: that they are of.
        windows: without streamed keys.

    Raises:
        InputError: names dataset, key and the first such episode.
    """
    keys = [key.name for key in windows.observation if not key.is_image]
    rows = [*map(windows.observation_rows, keys), windows.action_rows()]
    if all(np.isfinite(each).all() for each in rows):
        return
    # A row that was taken back may hold anything, as long as no window needs it.
    for start in range(0, len(windows), _WINDOWS_AT_ONCE):
        batch = windows.gather(np.arange(start, min(start + _WINDOWS_AT_ONCE, len(windows))))
        counted = np.where(batch.is_pad[..., None], 0, batch.action)
        for name, values in (*((key, batch.observation[key]) for key in keys), (ACTION, counted)):
            wrong = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
            if wrong.any():
                raise InputError(
                    f"'{dataset.path}': '{name}' of episode {batch.episode[wrong][0]}",
                    expected="finite numbers",
                    got="NaN or infinity",
                    way_out="Convert the demonstrations again without that episode (skip_episodes)"
                    + ("" if name == ACTION else ", or leave the key out of policy.observation"),
                )
