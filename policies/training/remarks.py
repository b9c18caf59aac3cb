"""What a person should know of the data before a training begins, a line each."""

from __future__ import annotations

from typing import Iterator, Sequence

import numpy as np

from data.learning.statistics import LEAST_RANGE, LEAST_SHARE
from data.learning.windows import Windows
from data.store.dataset import Dataset
from data.store.names import SUCCESS, acting_policies, has_fact
from data.store.schema import ACTION
from policies.training.demonstrations import Demonstrations
from robot.description import PromptSpec
from robot.errors import shortened

_FEWEST_STEPS = 16
"""A component that moves by fewer steps of float32 has lost its motion."""


def known_instructions(prompt: PromptSpec) -> Iterator[str]:
    """A line on the instructions that are learnt, where some are."""
    known = prompt.instructions
    if known:
        more = f" and {len(known) - 4} more" if len(known) > 4 else ""
        listed = ", ".join(map(shortened, known[:4]))
        verb = "Reads" if prompt.reads_words else "Refuses others than"
        yield f"{verb} {len(known)} instruction{'s' * (len(known) > 1)}: {listed}{more}"


def doubtful_episodes(data: Demonstrations, base: str | None) -> Iterator[str]:
    """Sentences on episodes that all ended alike, and on a base (its hash) that acted in none of them."""
    chosen = [(each, episodes) for each, episodes in zip(data.datasets, data.training) if len(episodes)]
    ends = [np.asarray(each.meta(SUCCESS.name), bool)[own] for each, own in chosen if has_fact(each.schema, SUCCESS)]
    if ends and len(np.unique(np.concatenate(ends))) == 1:
        ended = "with" if ends[0][0] else "without"
        yield f"All episodes ended {ended} success: nothing in them tells a good chunk from a bad one. Add others"
    acted = {str(known["hash"]) for each, _ in chosen for known in acting_policies(each.attributes) if "hash" in known}
    if base is not None and acted and base not in acted:
        yield (
            f"The base of hash {base} acted in none of these episodes, but {', '.join(sorted(acted)[:4])} did: a "
            "critic ranks the chunks that it has seen. Collect some with source=checkpoint and the base"
        )


def lost_in_float32(datasets: Sequence[Dataset], windows: Sequence[Windows]) -> Iterator[str]:
    """A warning for each key whose motion float32 rounds to a constant, or to a few numbers."""
    for data, each in zip(datasets, windows):
        yield from _lost(data, each)


def _lost(data: Dataset, windows: Windows) -> Iterator[str]:
    assert data.schema is not None
    for name in (*(key.name for key in windows.observation if not key.is_image), ACTION):
        stored = windows.stored_range(name)
        if stored is None:
            continue
        rows = windows.action_rows() if name == ACTION else windows.observation_rows(name)
        units = data.schema.row_fields[name].unit.split()
        low, high = rows.min(axis=0).ravel(), rows.max(axis=0).ravel()
        steps = np.spacing(np.maximum(abs(low), abs(high)))
        for index, moved in enumerate(stored.ravel()):
            least = LEAST_RANGE.get(units[index % len(units)] if units else "", LEAST_SHARE)
            if moved < least or moved >= _FEWEST_STEPS * steps[index]:
                continue
            is_constant = "is constant" if low[index] == high[index] else "is nearly constant"
            yield (
                f"Warning: '{name}' {is_constant} in float32 in component {index}: it changes by {moved:.3g} around "
                f"{high[index]:.3g}, where float32 has steps of {steps[index]:.3g}. Store it less a constant offset"
                + ("" if name == ACTION else ", or leave the key out of policy.observation")
            )
