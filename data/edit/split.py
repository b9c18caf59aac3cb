"""Several stores out of one: by shares, by a fact, or by lists of episodes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data.edit.copying.copy import Progress, carry_out
from data.edit.copying.history import listed
from data.edit.copying.origin import Origin
from data.edit.copying.plan import whole
from data.edit.outcome import Outcome
from data.edit.selection import episodes_of, require_fact
from data.edit.single import edit_of, open_source
from data.learning.split import split_episodes
from data.store.names import GROUP, has_fact
from data.store.writing.resuming import require_free
from robot.errors import InputError, shortened

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MOST_PARTS = 100
_LONGEST_WORD = 40  # of a fact, in a folder's name


def split(
    source: str | Path,
    target: str | Path,
    *,
    shares: Mapping[str, float] | None = None,
    seed: int = 0,
    by: str | None = None,
    episodes: Mapping[str, str | Sequence[str | int]] | None = None,
    dry_run: bool = False,
    on_progress: Progress | None = None,
) -> Outcome:
    """Write the episodes of a store as several stores, `target/NAME`, which appear together.

    Exactly one of `shares`, `by` and `episodes` says how.

    Args:
        source: a store.
        target: a folder that does not exist yet.
        shares: name -> share of the episodes, drawn at random; they add up to 1. Members of a group, which share rows,
            come into one part.
        seed: the same one draws the same episodes.
        by: a fact: episodes of one value come into one part.
        episodes: name -> numbers and ranges; those that are in none are left out.
        dry_run: nothing is written.
        on_progress: called with episodes done and in all.

    Raises:
        InputError: shares that do not add up, an episode that is not there or in two parts, an empty part, a name that
            is no folder's, or the target exists.
        TillerError: as `carry_out`.
    """
    origin = open_source(source)
    ways = [name for name, given in (("shares", shares), ("by", by), ("episodes", episodes)) if given]
    if len(ways) != 1:
        raise InputError(
            "split",
            expected="one of shares.NAME=, by=FACT and episodes.NAME=",
            got=" and ".join(ways) or "none",
            way_out="For example shares.train=0.9 shares.test=0.1",
        )
    notes: tuple[str, ...] = ()
    if shares:
        parts, options = by_shares(origin, shares, seed), {"shares": dict(shares), "seed": seed}
        if _groups(origin) is not None:
            notes = ("groups are whole in one part",)
    elif by:
        parts, options = by_fact(origin, by), {"by": by}
    else:
        parts, options = by_lists(origin, episodes or {}), {}
    left = sorted(set(range(len(origin))) - {index for part in parts.values() for index in part})
    if left:
        notes = (*notes, f"in no part: episodes {listed(left)}")
    edits = {}
    for name, part in parts.items():
        chosen: dict[str, Any] = {**options, "part": name, "episodes": listed(part)}
        edits[name] = edit_of("split", chosen, origin, [whole(origin, 0, index) for index in part])
    require_free(target)
    if not dry_run:
        carry_out(edits, target, "splitting", on_progress or (lambda done, of: None))
    stores = [(name, len(part), sum(map(origin.length, part))) for name, part in parts.items()]
    details = tuple(f"{name}: episodes {listed(part)}" for name, part in parts.items())
    title = f"{'Would split' if dry_run else 'Split'} {origin.name} into {len(parts)} stores"
    return Outcome(title, str(target), stores, notes, details, done=not dry_run)


def by_shares(origin: Origin, shares: Mapping[str, float], seed: int) -> dict[str, list[int]]:
    """Name -> episodes, drawn at random: about such a share of them each, at least one.

    Raises:
        InputError: shares that are none or do not add up to 1, or more parts than episodes.
    """
    for name, share in shares.items():
        _require_name(name, f"shares.{name}")
        if not 0 < share <= 1:
            raise InputError(f"shares.{name}", expected="a share above 0, up to 1", got=str(share))
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise InputError("shares", expected="shares that add up to 1", got=f"{sum(shares.values()):g}")
    if len(shares) < 2:
        raise InputError("shares", expected="at least two parts", got=", ".join(shares))
    groups = _groups(origin)
    rest, left, parts = np.arange(len(origin)), 1.0, {}
    for name, share in list(shares.items())[:0:-1]:  # the first has what is left
        if len(rest) < 2:
            raise _too_few(origin, len(shares))
        kept, drawn = split_episodes(
            len(rest), min(share / left, 1 - 1e-9), seed, None if groups is None else groups[rest]
        )
        if not len(drawn):
            raise _too_few(origin, len(shares))
        parts[name], rest, left = rest[drawn].tolist(), rest[kept], left - share
    parts[next(iter(shares))] = rest.tolist()
    return {name: parts[name] for name in shares}


def by_fact(origin: Origin, fact: str) -> dict[str, list[int]]:
    """Name -> episodes of one value of a fact, in the order in which the values come; names say fact and value.

    Raises:
        InputError: the store has no such fact, or it has too many values.
    """
    require_fact(origin, fact)
    values: dict[Any, list[int]] = {}
    for index, value in enumerate(origin.all_facts[fact]):
        values.setdefault(value, []).append(index)
    if len(values) > _MOST_PARTS:
        raise InputError(
            f"'{origin.name}': by={fact}",
            expected=f"up to {_MOST_PARTS} values",
            got=f"{len(values)}",
            way_out="List the episodes of each part with episodes.NAME=",
        )
    parts: dict[str, list[int]] = {}
    for value, part in values.items():
        # Words of a fact can be anything; a folder's name cannot.
        word = re.sub(r"[^A-Za-z0-9_-]+", "-", str(value))[:_LONGEST_WORD].strip("-") or "empty"
        name, number = f"{fact}-{word.lower()}", 1
        while name in parts:
            number += 1
            name = f"{fact}-{word.lower()}-{number}"
        parts[name] = part
    return parts


def by_lists(origin: Origin, lists: Mapping[str, str | Sequence[str | int]]) -> dict[str, list[int]]:
    """Name -> episodes that are listed.

    Raises:
        InputError: an episode that is not there or in two parts, or a name that is no folder's.
    """
    parts: dict[str, list[int]] = {}
    taken: dict[int, str] = {}
    for name, given in lists.items():
        _require_name(name, f"episodes.{name}")
        numbers = episodes_of(origin, given, f"episodes.{name}")
        for number in numbers:
            if number in taken:
                raise InputError(
                    f"{origin.episode(number)}",
                    expected="one part for each episode",
                    got=f"'{taken[number]}' and '{name}'",
                )
            taken[number] = name
        parts[name] = list(numbers)
    return parts


def _groups(origin: Origin) -> np.ndarray | None:
    if not has_fact(origin.schema, GROUP):
        return None
    groups = np.array(origin.all_facts[GROUP.name], np.int64)
    return groups if (groups >= 0).any() else None


def _require_name(name: str, option: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            option,
            expected="a folder's name of up to 64 letters, digits, '_', '.', '-', a letter or digit first",
            got=shortened(name),
        )


def _too_few(origin: Origin, parts: int) -> InputError:
    return InputError(
        f"'{origin.name}'", expected=f"episodes, or groups of them, for {parts} parts",
        got=f"{len(origin)} episodes", way_out="Ask for fewer parts, or give each a larger share",
    )  # fmt: skip
