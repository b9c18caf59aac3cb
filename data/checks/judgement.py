"""Which episodes of a store can be used, and why the others cannot: validation and repair both use this."""

from __future__ import annotations

import numpy as np

from data.checks.arrays import judge_array
from data.checks.blame import Judgement, listed
from data.checks.rules.behaviour import Watches
from data.checks.rules.meanings import judge_meanings
from data.checks.rules.thresholds import Thresholds
from data.checks.rules.times import judge_row_times, judge_stream_times
from data.store import layout
from data.store.consistency import Borders, array_problems, ends_array_problem, ends_problem, unequal_lengths
from data.store.contents import Contents
from data.store.reading import DamagedChunkError
from data.store.schema import ACTION
from robot.errors import InputError


def judge(contents: Contents, thresholds: Thresholds | None = None, *, decode: bool = False) -> Judgement:
    """Read every chunk of a store, once, and look at every number.

    Args:
        contents: of a store, sound or not.
        thresholds: of the rules by which episodes that can be used are judged too; None leaves these out.
        decode: decode encoded images too; else their checksums and headers are looked at.

    Returns:
        All that is wrong; where the episode ends cannot be read as a list of integers, every other error is listed too.

    Raises:
        InputError: a limit of the thresholds is of what the store does not have.
    """
    borders, problem = _borders(contents)
    judgement = Judgement(contents, borders, thresholds)
    _judge_structure(judgement)
    if problem:
        judgement.blame(layout.EPISODE_ENDS, problem)
    elif borders is not None:
        _judge_ends(judgement, borders)
    streams = _judge_stream_ends(judgement)
    watches = Watches(judgement, streams) if thresholds is not None and borders is not None else None
    for path in contents.stored:
        if not path.startswith((layout.EPISODE_ENDS, "meta/stream_ends")):
            looking = [] if watches is None else watches.of(path)
            judge_array(judgement, path, streams, looking, decode=decode)
    if borders is not None:
        judge_row_times(judgement, borders)
        judge_meanings(judgement, borders)
        for name, samples in streams.items():
            judge_stream_times(judgement, name, samples)
    if watches is not None:
        watches.judge()
    return judgement


def _borders(contents: Contents) -> tuple[Borders | None, str | None]:
    """The episode ends, or why they cannot be read as such."""
    try:
        ends = contents.read(layout.EPISODE_ENDS)
    except (InputError, DamagedChunkError) as error:
        return None, str(error)
    problem = ends_array_problem(ends)
    return (None, problem) if problem else (Borders(ends.astype(np.int64), contents.rows), None)


def _judge_structure(judgement: Judgement) -> None:
    contents = judgement.contents
    for path, problem in array_problems(contents):
        if path == layout.EPISODE_ENDS and judgement.borders is None:
            continue  # reported as the reason why there are no borders
        judgement.blame(path, problem, judgement.none if path in contents.stored else judgement.all)
    if unequal := unequal_lengths(contents.row_lengths):
        judgement.blame("data", unequal)
    if contents.schema is None:
        judgement.remark(
            "warning",
            "attributes",
            "no schema, so units and control period are unknown; "
            f"'tiller data convert {contents.name} TARGET' records them",
        )
    for path in contents.odd_meta:
        judgement.remark(
            "warning",
            path,
            f"{contents.stored[path]} entries beside {judgement.episodes} episodes: "
            "no fact of each, so it is left alone and not copied",
        )
    for path in contents.others:
        judgement.remark("warning", path, "no array of rows or of episodes, so it is left alone and not copied")
    if ACTION not in contents.keys:
        judgement.blame(layout.row_path(ACTION), "there are no actions", judgement.all)


def _judge_ends(judgement: Judgement, borders: Borders) -> None:
    path, rows = layout.EPISODE_ENDS, judgement.contents.rows
    problem = ends_problem(borders.ends, rows)
    if problem:
        unusable = ~borders.usable
        judgement.blame(path, f"{problem}; {listed(unusable)} cannot be used", unusable)
    elif not len(borders.ends):
        judgement.remark("note", path, "no episodes yet")
    elif borders.ends[-1] < rows:
        left = rows - borders.ends[-1]
        judgement.remark("warning", path, f"{left} rows after the last episode belong to none")


def _judge_stream_ends(judgement: Judgement) -> dict[str, Borders]:
    """Stream -> where its samples of each episode begin and end, of those streams whose ends can be read."""
    contents = judgement.contents
    streams: dict[str, Borders] = {}
    for name in contents.stream_keys:
        _, time_path, path = layout.stream_paths(name)
        if path not in contents.stored or time_path not in contents.stored:
            continue  # reported with the structure
        samples = contents.committed[time_path]
        try:
            ends = contents.read(path, 0, judgement.episodes)
        except (InputError, DamagedChunkError) as error:
            judgement.blame(path, str(error), judgement.all)
            continue
        if ends.shape != (judgement.episodes,) or ends.dtype.kind not in "iu":
            judgement.blame(path, f"expected a list of integers, got {ends.shape} of {ends.dtype}", judgement.all)
            continue
        borders = Borders(ends.astype(np.int64), samples)
        unknown = ~borders.known
        if len(ends) and ends[-1] != samples:
            unknown[-1] = True
        if unknown.any():
            judgement.blame(
                path,
                f"expected ends up to {samples} that never decrease, got up to {ends.max()}; the "
                f"samples of {listed(unknown)} are not known",
                unknown,
            )
        streams[name] = borders
    return streams
