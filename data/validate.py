"""Examine a store: every chunk is read, every number looked at, and all that is wrong is listed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data import layout
from data.consistency import array_problems, ends_problem, unequal_lengths
from data.contents import Contents, read_contents
from data.location import locate
from data.reading import DamagedChunkError
from data.report import Finding, Report, sort_findings
from data.scan import Scan, is_image, scan
from data.schema import ACTION, TIME
from robot.errors import InputError

# A row that comes this many periods after the one before means that one is missing or late.
_GAP_PERIODS = 1.5


def validate(path: str | Path) -> Report:
    """Examine a store without changing it.

    Args:
        path: a folder, a zip or a URL, written by tiller or not.

    Returns:
        A report; `report.ok` is False when the store must be repaired before it can be used.

    Raises:
        InputError: there is no store at all.
    """
    contents = read_contents(locate(path))
    findings = list(_check_structure(contents))
    ends, problems = _check_ends(contents)
    findings += problems
    for array_path in contents.stored:
        if not array_path.startswith(("meta/episode_ends", "meta/stream_ends")):
            findings += _check_array(contents, array_path, ends)
    if ends is not None and len(ends):
        findings += _check_row_times(contents, ends)
        for name in contents.stream_keys:
            findings += _check_stream(contents, name, len(ends))
    errors, warnings = (sum(finding.severity == kind for finding in findings) for kind in ("error", "warning"))
    summary = f"{0 if ends is None else len(ends)} episodes, {contents.rows} rows: {errors} errors, {warnings} warnings"
    if errors:
        summary += f". 'tiller data repair {contents.name} TARGET' writes a new store of the sound episodes"
    return Report(f"Validation of {contents.name}", sort_findings(findings), summary)


def _check_structure(contents: Contents) -> Iterator[Finding]:
    for path, problem in array_problems(contents):
        yield Finding("error", path, problem)
    unequal = unequal_lengths(contents.row_lengths)
    if unequal:
        yield Finding("error", "data", unequal)
    if contents.schema is None:
        yield Finding("warning", "attributes", "no schema, so units and control period are unknown; "
                      f"'tiller data convert {contents.name} TARGET' records them")
    if ACTION not in contents.keys:
        yield Finding("error", layout.row_path(ACTION), "there are no actions")


def _check_ends(contents: Contents) -> tuple[np.ndarray | None, list[Finding]]:
    """The episode ends where they can be used, and what is wrong with them."""
    try:
        ends = contents.read(layout.EPISODE_ENDS)
    except (InputError, DamagedChunkError) as error:
        return None, [Finding("error", layout.EPISODE_ENDS, str(error))]
    problem = ends_problem(ends, contents.rows)
    if problem:
        return None, [Finding("error", layout.EPISODE_ENDS, problem)]
    if not len(ends):
        return ends, [Finding("note", layout.EPISODE_ENDS, "no episodes yet")]
    if ends[-1] < contents.rows:
        left = f"{contents.rows - ends[-1]} rows after the last episode belong to none"
        return ends, [Finding("warning", layout.EPISODE_ENDS, left)]
    return ends, []


def _check_array(contents: Contents, path: str, ends: np.ndarray | None) -> Iterator[Finding]:
    """Damage, numbers that are none, components that never change, images of another type."""
    try:
        seen = scan(contents, path)
    except InputError as error:
        yield Finding("error", path, str(error))
        return
    for damage in seen.damaged:
        yield Finding("error", path, f"chunk {damage.chunk} is damaged: {damage.reason}{_touched(path, damage, ends)}")
    if not path.startswith("data/"):
        return
    if seen.first_not_finite is not None:
        row, component = seen.first_not_finite
        name = _component(contents, path, component)
        yield Finding("error", path, f"{seen.not_finite} numbers are NaN or infinite, the first in row {row}"
                      f"{_of_episode(row, ends)}, component {name}")
    shape, dtype = contents.array(path).shape, contents.array(path).dtype
    if is_image(shape) and dtype != np.uint8:
        yield Finding("warning", path, f"images of {dtype}, tiller's are uint8; 'tiller data convert' changes them")
    yield from _check_constant(contents, path, seen)


def _check_constant(contents: Contents, path: str, seen: Scan) -> Iterator[Finding]:
    if seen.rows > 1 and len(seen.constant):
        names = [_component(contents, path, int(index)) for index in seen.constant]
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        yield Finding("note", path, f"never changes in component {shown}" if seen.low is not None and seen.low.size > 1
                      else "never changes")


def _check_row_times(contents: Contents, ends: np.ndarray) -> Iterator[Finding]:
    """Stamps that do not increase, and rows that came late."""
    path = layout.row_path(TIME.name)
    if path not in contents.stored or contents.schema is None:
        return
    try:
        time_ns = contents.read(path, 0, int(ends[-1]))
    except (InputError, DamagedChunkError):
        return  # the scan has said so
    steps = np.diff(time_ns)
    within = np.ones(len(steps), bool)
    within[ends[:-1] - 1] = False
    back = np.flatnonzero(within & (steps <= 0))
    if len(back):
        row = int(back[0]) + 1
        yield Finding("error", path, f"{len(back)} stamps do not come after the one before, the first in row {row}"
                      f"{_of_episode(row, ends)}")
    gaps = np.flatnonzero(within & (steps > _GAP_PERIODS * contents.schema.period_s * 1e9))
    if len(gaps):
        worst = int(gaps[np.argmax(steps[gaps])])
        yield Finding("warning", path, f"{len(gaps)} rows came more than {_GAP_PERIODS} periods after the one before, "
                      f"the worst {steps[worst] / 1e9:.3f} s, in row {worst + 1}{_of_episode(worst + 1, ends)}")


def _check_stream(contents: Contents, name: str, episodes: int) -> Iterator[Finding]:
    """Ends that do not fit the samples, and stamps that decrease within an episode."""
    _, time_path, ends_path = layout.stream_paths(name)
    if time_path not in contents.stored or ends_path not in contents.stored:
        return
    samples = contents.committed[time_path]
    try:
        ends = contents.read(ends_path, 0, episodes)
        time_ns = contents.read(time_path, 0, samples)
    except (InputError, DamagedChunkError) as error:
        yield Finding("error", ends_path, str(error))
        return
    if (np.diff(ends, prepend=0) < 0).any() or ends[-1] != samples:
        yield Finding("error", ends_path, f"expected ends up to {samples} that never decrease, got up to {ends.max()}")
        return
    inner = np.setdiff1d(np.arange(1, samples), ends)
    back = inner[time_ns[inner] < time_ns[inner - 1]]
    if len(back):
        yield Finding("error", time_path, f"{len(back)} stamps are earlier than the one before, "
                      f"the first in sample {back[0]}")


def _component(contents: Contents, path: str, index: int) -> str:
    if contents.schema is not None and path == layout.row_path(ACTION):
        return f"'{contents.schema.action.component_names[index]}'"
    return str(index)


def _of_episode(row: int, ends: np.ndarray | None) -> str:
    return "" if ends is None else f" (episode {np.searchsorted(ends, row, side='right')})"


def _touched(path: str, damage: DamagedChunkError, ends: np.ndarray | None) -> str:
    """Which episodes lose rows by a damaged chunk."""
    first, end = damage.rows
    if not path.startswith("data/") or ends is None:
        return f" (entries {first} to {end - 1})"
    episodes = np.searchsorted(ends, [first, end - 1], side="right")
    return f" (rows {first} to {end - 1}, episodes {episodes[0]} to {episodes[1]})"
