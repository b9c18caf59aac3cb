"""The arithmetic of the set-point filter on whole batches in numpy: the reference of the kernel."""

from __future__ import annotations

import numpy as np

from robot.safety.energy.setpoint.kernel import SLACK_J
from robot.safety.energy.tank import INVALID, LATENCY, LEASH, LIMIT_FORCE, LIMIT_POWER, NONE, TANK


def filter_offsets_numpy(
    offset: np.ndarray,
    stiffness: np.ndarray,
    old_offset: np.ndarray,
    old_stiffness: np.ndarray,
    blocks: np.ndarray,
    margins: np.ndarray,
    room_tank: np.ndarray,
    room_power: float,
    spring: float,
    force: float,
    softens: bool,
    factors: np.ndarray,
    reasons: np.ndarray,
) -> None:
    """The reference of `filter_offsets`: the same arithmetic on whole batches."""
    factors[:], reasons[:] = 1.0, NONE
    finite = (
        np.isfinite(offset).all(axis=1) & np.isfinite(old_offset).all(axis=1) & np.isfinite(stiffness).all(axis=(1, 2))
    )
    offset, old_offset = (np.where(finite[:, None], each, 0.0) for each in (offset, old_offset))
    stiffness = np.where(finite[:, None, None], stiffness, 0.0)

    def energy(offset: np.ndarray, stiffness: np.ndarray) -> np.ndarray:
        stored: np.ndarray = 0.5 * np.maximum(np.einsum("bi,bij,bj->b", offset, stiffness, offset), 0.0)
        return stored

    def spread(matrix: np.ndarray) -> np.ndarray:
        total = np.zeros(len(matrix))
        for (first, last), margin in zip(blocks, margins):
            total += np.sqrt(np.abs(matrix[:, first:last, first:last]).sum(axis=2).max(axis=1)) * margin
        return total

    def turned(matrix: np.ndarray) -> np.ndarray:
        total = np.zeros(len(matrix))
        for number, ((first, last), margin) in enumerate(zip(blocks, margins)):
            total += np.abs(matrix[:, first:last, first:last]).sum(axis=2).max(axis=1) * margin**2
            for (low, high), other in zip(blocks[:number], margins[:number]):
                total += 2 * np.sqrt((matrix[:, first:last, low:high] ** 2).sum(axis=(1, 2))) * margin * other
        return total

    after, before = energy(offset, stiffness), energy(old_offset, old_stiffness)
    reach, old_reach = spread(stiffness), spread(old_stiffness)
    least = 0.5 * np.maximum(0.0, np.sqrt(2 * before) - old_reach) ** 2
    most = 0.5 * (np.sqrt(2 * after) + reach) ** 2
    new = np.einsum("bij,bj->bi", stiffness, offset)
    pulled = new - np.einsum("bij,bj->bi", old_stiffness, old_offset)
    change = after - before + 0.5 * turned(stiffness - old_stiffness)
    for (first, last), margin in zip(blocks, margins):
        change += np.sqrt((pulled[:, first:last] ** 2).sum(axis=1)) * margin
    own = slice(*blocks[0])
    push = np.sqrt((new[:, own] ** 2).sum(axis=1))
    filled = before + room_power
    refused = (
        (np.minimum(most - least, change) > room_tank + SLACK_J)
        | (most > spring + SLACK_J)
        | (after > filled + SLACK_J)
    )
    allowed = np.minimum(spring, least + room_tank)
    reasons[refused] = np.select(
        [
            (after <= spring) & (after - before <= np.minimum(room_tank, room_power)),
            np.minimum(least + room_tank, filled) >= spring,
            room_tank <= room_power,
        ],
        [LATENCY, LEASH, TANK],
        LIMIT_POWER,
    )[refused]
    root, brim = np.sqrt(2 * np.where(refused, allowed, 0.0)), np.sqrt(2 * filled)
    unchanged = np.sqrt(2 * energy(offset, old_stiffness))
    fits = (unchanged + old_reach <= root) & (unchanged <= brim)
    with np.errstate(divide="ignore", invalid="ignore"):
        if softens:
            caused, hopeless = refused & fits, refused & ~fits & (reach > root)
            least_soft = np.fmin(np.fmin(1.0, allowed / most), filled / after)
            factors[caused, 1] = least_soft[caused]
            factors[hopeless, 1] = np.minimum(1.0, (root / reach) ** 2)[hopeless]
        length = np.sqrt(2 * after * factors[:, 1])
        drawn = refused & ~(fits & softens) & (length > 0)
        left = np.maximum(root - reach * np.sqrt(factors[:, 1]), 0.0)
        factors[drawn, 0] = np.minimum(np.minimum(1.0, left / length), brim / length)[drawn]
    pushed = push * factors[:, 0] * factors[:, 1]
    strong = pushed > force
    if strong.any():
        reasons[strong] = LIMIT_FORCE
        was = np.sqrt((np.einsum("bij,bj->bi", old_stiffness, offset)[:, own] ** 2).sum(axis=1))
        soften = strong & softens & (was * factors[:, 0] <= force)
        factors[soften, 1] *= force / pushed[soften]
        factors[strong & ~soften, 0] *= force / pushed[strong & ~soften]
    factors[~finite], reasons[~finite] = 0.0, INVALID
