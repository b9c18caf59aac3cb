"""Actions of a simulator's controller as the absolute poses that it made of them, by replay where that can be done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Collection, Mapping, Protocol

import numpy as np

from data.formats.hdf5.demos import STAY_NATIVE
from data.formats.source import Description, Rows, Source, kept_episodes
from robot.description import ActionField
from robot.errors import InputError, TillerError, one_line

STATES, OF_DEMO = "states", "actions"
_LARGEST_ERROR_M = 1e-3  # after one action: 5e-5 where all is the same, and 3.5e-3 with a stiffness of 120 for 150
_EPISODES, _STEPS = 3, 4  # that are stepped before the rest is believed


class Unfit(TillerError):
    """Recorded actions cannot be replayed here; the message says why."""


class Replay(Protocol):
    """The controller that recorded actions were for.

    Attributes:
        fields: of an absolute action.
        note: what is made, in words.
    """

    fields: tuple[ActionField, ...]
    note: str

    def absolute(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """(rows, size) the targets that it makes of actions (rows, n), each in the state (rows, m) before it.

        Raises:
            Unfit: they are of another size, or not finite.
        """

    def error(self, state: np.ndarray, action: np.ndarray, following: np.ndarray) -> float:
        """How far an action leads past the recorded state after it: m, of the tool, with its rotation.

        Raises:
            Unfit: as `absolute`.
        """

    def close(self) -> None:
        """End its simulation."""


FindReplay = Callable[[Mapping[str, Any]], Replay]
"""Attributes of a file -> its controller; raises `Unfit`."""


class AbsoluteActions(Description):
    """A `Source` with absolute actions in place of those that its file has.

    Args:
        source: with states and actions.
        made: the controller; it is closed with the source.
    """

    def __init__(self, source: Source, made: Replay) -> None:
        size = sum(field.size for field in made.fields)
        action = replace(source.fields[OF_DEMO], shape=(size,), dtype=np.dtype(np.float64))
        super().__init__(
            source.path,
            source.format,
            {**source.fields, OF_DEMO: action},
            source.lengths,
            source.facts,
            source.missing,
            source.period_s,
            made.fields,
            source.attributes,
            (*(note for note in source.notes if not note.startswith(STAY_NATIVE)), made.note),
            source.streams,
        )
        self._source, self._made = source, made

    def read(self, name: str, episode: int, start: int, stop: int) -> Rows:
        rows = self._source.read(name, episode, start, stop)
        if name != OF_DEMO:
            return rows
        states = np.asarray(self._source.read(STATES, episode, start, stop))
        try:
            return self._made.absolute(states, np.asarray(rows))
        except Unfit as error:
            raise InputError(
                f"'{self.path}', episode {episode}",
                expected="states and actions that the controller can replay",
                got=str(error),
                way_out=f"Leave the episode out with skip_episodes=[{episode}], or keep the actions as they are with "
                "actions=native",
            ) from error

    def close(self) -> None:
        self._made.close()
        self._source.close()


def with_absolute(source: Source, find: FindReplay, skip: Collection[int]) -> Source:
    """A source with absolute actions where they can be made, else itself with the reason among its notes.

    Args:
        source: any; one without states or without the attributes of a simulator stays as it is.
        find: finds the controller.
        skip: episodes that are not converted.
    """
    kept = kept_episodes(source, skip)
    if not kept or not any(note.startswith(STAY_NATIVE) for note in source.notes):
        return source
    made = None
    try:
        if STATES not in source.fields:
            raise Unfit(f"there is no '{STATES}'")
        made = find(source.attributes)
        _require_same(source, made, kept)
        return AbsoluteActions(source, made)
    except Unfit as error:
        if made is not None:
            made.close()
        assert isinstance(source, Description)
        source.notes = (*source.notes, f"absolute actions are not made: {one_line(error)}")
        return source


def _require_same(source: Source, made: Replay, kept: list[int]) -> None:
    """Refuse a controller that does not lead from a recorded state to the next."""
    for episode in sorted({kept[round(at)] for at in np.linspace(0, len(kept) - 1, _EPISODES)}):
        length = int(source.lengths[episode])
        for row in sorted({round(at) for at in np.linspace(0, length - 2, _STEPS)}) if length > 1 else ():
            states = np.asarray(source.read(STATES, episode, row, row + 2))
            actions = np.asarray(source.read(OF_DEMO, episode, row, row + 1))
            error = made.error(states[0], actions[0], states[1])
            if not error <= _LARGEST_ERROR_M:
                raise Unfit(
                    f"episode {episode}, row {row}: the same action leads {error:.2g} m past the recorded state"
                )
