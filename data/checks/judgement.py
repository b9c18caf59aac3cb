"""Which episodes of a store can be used, and why the others cannot: validation and repair both stand on this."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from data.checks.report import Finding
from data.checks.scan import Scan, scan
from data.store import layout
from data.store.consistency import Borders, array_problems, ends_problem, no_list_of_ends, unequal_lengths
from data.store.contents import Contents
from data.store.reading import DamagedChunkError, absent_rows
from data.store.schema import ACTION, TIME
from robot.errors import InputError

# A row that comes this many periods after the one before means that one is missing or late.
_GAP_PERIODS = 1.5
_SHOWN = 8


@dataclass(frozen=True, eq=False)
class Blame:
    """An error in a store.

    Args:
        where: array path, or the part of the store that it is about.
        message: what it is.
        episodes: (episodes,) bool, those that it spoils; none of them where a copy into a new store mends it.
        cause: the same for one of these episodes; empty for where and message.
    """

    where: str
    message: str
    episodes: np.ndarray
    cause: str = ""


@dataclass(eq=False)
class Judgement:
    """What is wrong with a store.

    Args:
        contents: of the store.
        borders: where episodes begin and end; None where nobody knows.

    Attributes:
        blames: the errors.
        remarks: warnings and notes, which spoil nothing.
    """

    contents: Contents
    borders: Borders | None
    blames: list[Blame] = field(default_factory=list)
    remarks: list[Finding] = field(default_factory=list)

    @property
    def episodes(self) -> int:
        """Episodes, sound or not."""
        return 0 if self.borders is None else len(self.borders.ends)

    @property
    def spoilt(self) -> np.ndarray:
        """(episodes,) bool."""
        return np.any([self.none, *(blame.episodes for blame in self.blames)], axis=0)

    @property
    def none(self) -> np.ndarray:
        """(episodes,) bool, no episode."""
        return np.zeros(self.episodes, bool)

    @property
    def all(self) -> np.ndarray:
        """(episodes,) bool, every episode."""
        return np.ones(self.episodes, bool)

    def blame(self, where: str, message: str, episodes: np.ndarray | None = None) -> None:
        """Note an error that spoils these episodes, none by default."""
        self.blames.append(Blame(where, message, self.none if episodes is None else episodes))

    def blame_used(self, where: str, message: str, episodes: np.ndarray, cause: str = "") -> None:
        """Note an error that spoils these episodes, and only a warning where no episode uses what is wrong."""
        if episodes.any():
            self.blames.append(Blame(where, message, episodes, cause))
        else:
            self.remark("warning", where, f"{message}; no episode that can be used has part in it")

    def remark(self, severity: str, where: str, message: str) -> None:
        """Note what spoils nothing."""
        self.remarks.append(Finding(severity, where, message))

    def why(self, episode: int) -> str:
        """The errors that spoil an episode, in words; empty where none does."""
        reasons = [blame for blame in self.blames if blame.episodes[episode]]
        return "; ".join(reason.cause or f"'{reason.where}': {reason.message}" for reason in reasons)

    def of_row(self, row: int) -> str:
        """Which episode a row belongs to, in words for a message."""
        found = self.none if self.borders is None else self.borders.of(np.array([row]))
        return f" (episode {int(np.argmax(found))})" if found.any() else ""


def judge(contents: Contents) -> Judgement:
    """Read every chunk of a store and look at every number.

    Args:
        contents: of a store, sound or not.

    Returns:
        All that is wrong; where the episode ends cannot be read as a list of integers, every other error is listed too.
    """
    borders, problem = _borders(contents)
    judgement = Judgement(contents, borders)
    _judge_structure(judgement)
    if problem:
        judgement.blame(layout.EPISODE_ENDS, problem)
    elif borders is not None:
        _judge_ends(judgement, borders)
    streams = _judge_stream_ends(judgement)
    for path in contents.stored:
        if not path.startswith((layout.EPISODE_ENDS, "meta/stream_ends")):
            _judge_array(judgement, path, streams)
    if borders is not None:
        _judge_row_times(judgement, borders)
        for name, samples in streams.items():
            _judge_stream_times(judgement, name, samples)
    return judgement


def _borders(contents: Contents) -> tuple[Borders | None, str | None]:
    """The episode ends, or why they cannot be read as such."""
    try:
        ends = contents.read(layout.EPISODE_ENDS)
    except (InputError, DamagedChunkError) as error:
        return None, str(error)
    problem = no_list_of_ends(ends)
    return (None, problem) if problem else (Borders(ends.astype(np.int64), contents.rows), None)


def _judge_structure(judgement: Judgement) -> None:
    contents = judgement.contents
    for path, problem in array_problems(contents):
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
        judgement.blame(path, f"{problem}; {_listed(unusable)} cannot be used", unusable)
    elif not len(borders.ends):
        judgement.remark("note", path, "no episodes yet")
    elif borders.ends[-1] < rows:
        left = rows - borders.ends[-1]
        judgement.remark("warning", path, f"{left} rows after the last episode belong to none")


def _judge_stream_ends(judgement: Judgement) -> dict[str, Borders]:
    """Stream -> where its samples of each episode begin and end, of those streams whose ends can be read."""
    contents = judgement.contents
    found: dict[str, Borders] = {}
    for name in contents.stream_keys:
        _, time_path, path = layout.stream_paths(name)
        if path not in contents.stored or time_path not in contents.stored:
            continue  # the structure has said so
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
                f"samples of {_listed(unknown)} are not known",
                unknown,
            )
        found[name] = borders
    return found


def _judge_array(judgement: Judgement, path: str, streams: dict[str, Borders]) -> None:
    """Damage, another shape or type than the schema's, numbers that are none, components that never change."""
    contents = judgement.contents
    try:
        array = contents.array(path)
        absent = absent_rows(array) if path.startswith("data/") and contents.schema is None else []
        seen = scan(contents, path, absent)
    except InputError as error:
        judgement.blame(path, str(error), judgement.all)
        return
    slot = contents.slots.get(path)
    kept = "string" if array.dtype.kind in "OTU" else array.dtype.name
    declared = None if slot is None else slot.dtype if slot.dtype == "string" else np.dtype(slot.dtype).name
    if slot is not None and (array.shape[1:], kept) != (slot.shape, declared):
        judgement.blame(
            path,
            f"expected entries of shape {slot.shape} of {declared} by the schema, got {array.shape[1:]} of {kept}",
            judgement.all,
        )
        return
    for damage in seen.damaged:
        first, end = damage.rows
        episodes = _of_entries(judgement, path, first, end, streams)
        held = f"{'rows' if path.startswith('data/') else 'entries'} {first} to {end - 1}"
        touched = f", {_listed(episodes)}" if path.startswith("data/") and episodes.any() else ""
        judgement.blame_used(
            path,
            f"chunk {damage.chunk} is damaged: {damage.reason} ({held}{touched})",
            episodes,
            f"chunk {damage.chunk} of '{path}' is damaged: {damage.reason}",
        )
    if path.startswith("data/"):
        _judge_absent(judgement, path, seen, absent)
        _judge_numbers(judgement, path, seen)


def _judge_absent(judgement: Judgement, path: str, seen: Scan, absent: list[tuple[int, int]]) -> None:
    """Chunks that are not there: zarr leaves out those that hold its fill value only, a torn copy loses others.

    Where no row that is there holds nothing but the fill value, a whole chunk of such rows was never written.
    """
    if not absent or judgement.borders is None:
        return
    rows = np.concatenate([np.arange(first, end) for first, end in absent])
    fill = judgement.contents.array(path).fill_value
    what = (
        f"{len(absent)} chunks are absent, the first of rows {absent[0][0]} to {absent[0][1] - 1}, "
        f"and read as the fill value {fill}"
    )
    if seen.rows > len(rows) and not seen.fill_rows:
        judgement.blame_used(path, f"{what}, which no row that is there consists of", judgement.borders.of(rows))
    else:
        judgement.remark("warning", path, f"{what}: left out as there was nothing else in them, or lost in a copy")


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
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        judgement.remark(
            "note",
            path,
            f"never changes in component {shown}" if seen.low is not None and seen.low.size > 1 else "never changes",
        )


def _judge_row_times(judgement: Judgement, borders: Borders) -> None:
    """Stamps that do not increase, and rows that came late."""
    contents, path = judgement.contents, layout.row_path(TIME.name)
    if path not in contents.stored or contents.schema is None:
        return
    time_ns, known = _readable(contents, path, contents.rows)
    before, after = time_ns[:-1], time_ns[1:]  # compared, as their difference may not fit into 64 bits
    steps = after.astype(np.float64) - before
    rows = np.arange(1, len(time_ns))
    within = known[1:] & known[:-1] & ~np.isin(rows, borders.starts[borders.usable])
    back = rows[within & (after <= before)]
    if len(back):
        judgement.blame_used(
            path,
            f"{len(back)} stamps do not come after the one before, the first in row {back[0]}"
            f"{judgement.of_row(back[0])}",
            borders.of(back),
        )
    gaps = rows[within & (steps > _GAP_PERIODS * contents.schema.period_s * 1e9)]
    if len(gaps):
        worst = int(gaps[np.argmax(steps[gaps - 1])])
        judgement.remark(
            "warning",
            path,
            f"{len(gaps)} rows came more than {_GAP_PERIODS} periods after the one "
            f"before, the worst {steps[worst - 1] / 1e9:.3f} s, in row {worst}{judgement.of_row(worst)}",
        )


def _judge_stream_times(judgement: Judgement, name: str, borders: Borders) -> None:
    """Stamps of samples that decrease within an episode."""
    _, path, _ = layout.stream_paths(name)
    time_ns, known = _readable(judgement.contents, path, borders.entries)
    samples = np.arange(1, len(time_ns))
    within = known[1:] & known[:-1] & ~np.isin(samples, borders.starts[borders.known])
    back = samples[within & (time_ns[1:] < time_ns[:-1])]
    if len(back):
        judgement.blame_used(
            path, f"{len(back)} stamps are earlier than the one before, the first in sample {back[0]}", borders.of(back)
        )


def _readable(contents: Contents, path: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first entries of an array of integers, and which of them lie in chunks that can be read."""
    values, known = np.zeros(count, np.int64), np.zeros(count, bool)
    try:
        step = contents.array(path).chunks[0]
    except InputError:
        return values, known  # the scan has said so
    for start in range(0, count, step):
        rows = slice(start, min(start + step, count))
        try:
            read = contents.read(path, rows.start, rows.stop)
        except DamagedChunkError:
            continue
        if read.shape == values[rows].shape and read.dtype.kind in "iu":
            values[rows], known[rows] = read, True
    return values, known


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


def _listed(episodes: np.ndarray) -> str:
    """Episodes in words: `episode 3`, `episodes 1 to 4`, `episodes 1, 5, 9`."""
    numbers = np.flatnonzero(episodes)
    if len(numbers) == 1:
        return f"episode {numbers[0]}"
    if len(numbers) == numbers[-1] - numbers[0] + 1:
        return f"episodes {numbers[0]} to {numbers[-1]}"
    more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    return f"episodes {', '.join(map(str, numbers[:_SHOWN]))}{more}"
