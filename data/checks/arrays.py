"""What is wrong with the arrays of a store: absent or damaged chunks, numbers that are not finite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data.checks.blame import SHOWN, Blame, Judgement, listed
from data.checks.scan import Scan, Watch, scan
from data.store import layout
from data.store.consistency import Borders
from data.store.contents import Contents
from data.store.reading import absent_rows
from data.store.schema import ACTION
from robot.errors import InputError


def judge_array(
    judgement: Judgement,
    path: str,
    streams: dict[str, Borders],
    watches: Sequence[Watch] = (),
    *,
    decode: bool = False,
) -> None:
    """Judge one array: damage, shape and type against the schema, numbers that are not finite, constant components.

    Args:
        judgement: what is known so far; is added to.
        path: of the array.
        streams: name -> where the samples of each episode begin and end.
        watches: what looks at the entries meanwhile.
        decode: decode encoded images too.
    """
    contents = judgement.contents
    try:
        array = contents.array(path)
        looked_at = path.startswith("data/") and contents.schema is None
        absent = absent_rows(array) if looked_at else []
        lost = [(rows.first, rows.end) for rows in absent if rows.whole]
        partly = [(rows.first, rows.end) for rows in absent if not rows.whole]
        seen = scan(contents, path, lost, watches, decode=decode)
    except InputError as error:
        judgement.blame(path, str(error), judgement.all)
        return
    slot = contents.slots.get(path)
    stored = "string" if array.dtype.kind in "OTU" else array.dtype.name
    declared = None if slot is None else slot.dtype if slot.dtype == "string" else np.dtype(slot.dtype).name
    if slot is not None and (array.shape[1:], stored) != (slot.shape, declared):
        judgement.blame(
            path,
            f"expected entries of shape {slot.shape} of {declared} by the schema, got {array.shape[1:]} of {stored}",
            judgement.all,
        )
        return
    for damage in seen.damaged:
        first, end = damage.rows
        episodes = _of_entries(judgement, path, first, end, streams)
        held = f"{'rows' if path.startswith('data/') else 'entries'} {first} to {end - 1}"
        touched = f", {listed(episodes)}" if path.startswith("data/") and episodes.any() else ""
        judgement.blame_used(
            path,
            f"chunk {damage.chunk} is damaged: {damage.reason} ({held}{touched})",
            episodes,
            f"chunk {damage.chunk} of '{path}' is damaged: {damage.reason}",
        )
    if path.startswith("data/"):
        _judge_absent(judgement, path, seen, lost, whole=True)
        _judge_absent(judgement, path, seen, partly, whole=False)
        _judge_numbers(judgement, path, seen)
        _judge_misfits(judgement, path, seen)


def _judge_misfits(judgement: Judgement, path: str, seen: Scan) -> None:
    """Judge images of another size, number of channels or codec than their array's: what a camera sends after a
    change of its settings. Nothing can decode them as rows of the array, so their episodes are lost to it.
    """
    if judgement.borders is None:
        return
    for first, end, what in seen.misfits:
        episodes = judgement.borders.between(first, end)
        for episode in np.flatnonzero(episodes).tolist():
            row = max(first, int(judgement.borders.starts[episode]))
            count = min(end, int(judgement.borders.ends[episode])) - row
            message = f"{count} images, the first of row {row}, are {what}"
            finding = judgement.finding("error", "camera", path, message, episode=episode, row=row)
            blamed = judgement.none
            blamed[episode] = True
            judgement.blames.append(Blame(path, message, blamed, finding=finding))
        if not episodes.any():
            judgement.blame_used(path, f"{end - first} images from row {first} on are {what}", episodes)


def _judge_absent(judgement: Judgement, path: str, seen: Scan, absent: list[tuple[int, int]], *, whole: bool) -> None:
    """Judge absent chunks: zarr leaves out those that hold its fill value only, a torn copy loses others.

    Where no present row holds nothing but the fill value, a whole chunk of such rows was never written. Of a single
    component that is not said: it may well be zero for many rows, and only there.
    """
    if not absent or judgement.borders is None:
        return
    rows = np.concatenate([np.arange(first, end) for first, end in absent])
    fill = judgement.contents.array(path).fill_value
    message = (
        f"{len(absent)} chunks are absent{'' if whole else ' in some components'}, "
        f"the first of rows {absent[0][0]} to {absent[0][1] - 1}, "
        f"and read as the fill value {fill}"
    )
    if whole and seen.rows > len(rows) and not seen.fill_rows:
        judgement.blame_used(path, f"{message}, which no row that is there consists of", judgement.borders.of(rows))
    else:
        judgement.remark("warning", path, f"{message}: left out as there was nothing else in them, or lost in a copy")


def _judge_numbers(judgement: Judgement, path: str, seen: Scan) -> None:
    contents = judgement.contents
    if len(seen.not_finite_rows):
        row, component = seen.first_not_finite
        episodes = judgement.none if judgement.borders is None else judgement.borders.of(seen.not_finite_rows)
        judgement.blame_used(
            path,
            f"{seen.not_finite} numbers are NaN or infinite, the first in row {row}"
            f"{judgement.of_row(row)}, component {_component(contents, path, component)}",
            episodes,
        )
    if contents.is_image(path) and contents.array(path).dtype != np.uint8:
        judgement.remark(
            "warning",
            path,
            f"images of {contents.array(path).dtype}, tiller's are uint8; 'tiller data convert' changes them",
        )
    if seen.rows > 1 and len(seen.constant):
        names = [_component(contents, path, int(index)) for index in seen.constant]
        shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        judgement.remark(
            "note",
            path,
            f"never changes in component {shown}" if seen.low is not None and seen.low.size > 1 else "never changes",
        )


def _of_entries(judgement: Judgement, path: str, first: int, end: int, streams: dict[str, Borders]) -> np.ndarray:
    """(episodes,) bool, those that lose something with entries first..end-1 of an array."""
    if path.startswith("data/"):
        return judgement.none if judgement.borders is None else judgement.borders.between(first, end)
    if path.startswith("streams/"):
        borders = streams.get(path.split("/")[1])
        return judgement.all if borders is None else borders.between(first, end)
    if path in judgement.contents.odd_meta:
        return judgement.none
    touched = judgement.none
    touched[first:end] = True
    return touched


def _component(contents: Contents, path: str, index: int) -> str:
    if contents.schema is not None and path == layout.row_path(ACTION):
        return f"'{contents.schema.action.component_names[index]}'"
    return str(index)
