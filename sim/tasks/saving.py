"""Saving and restoring an episode between two steps: what every task shares."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Mapping

import numpy as np

from robot.errors import InputError
from sim.state.packed import SavedState, pack, unpack
from sim.state.random import stream_of, stream_state

if TYPE_CHECKING:
    from robot.description import ActionSpec
    from sim.perturbations.signals import SignalPerturbations
    from sim.tasks.info import TaskInfo

Observation = dict[str, np.ndarray]
_WRONG_CONTENT = (
    KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError, RecursionError, MemoryError,
)  # fmt: skip
"""What a state raises whose bytes are sound and whose content was never saved."""


class SavesEpisodes:
    """The part of a `TaskEnv` that saves and restores. A suite with a state of its own fills in `save_suite` and
    `restore_suite`.

    Attributes:
        repeats: whether a suite that cannot save its state does the same again from the same seed under the same
            actions: then an episode is put back by repeating it.
    """

    repeats: ClassVar[bool] = False

    if TYPE_CHECKING:
        task: TaskInfo
        action_spec: ActionSpec
        np_random: np.random.Generator
        _np_random: np.random.Generator | None
        _steps: int | None
        _last: Observation
        _given: Observation
        _instruction: str
        _made_with: str
        _signals: SignalPerturbations | None

        def reset(
            self, *, seed: int | None = None, options: dict[str, Any] | None = None
        ) -> tuple[Observation, dict[str, Any]]: ...

        def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]: ...

    _begun: tuple[int | None, Mapping[str, Any]] = (None, {})
    _actions: tuple[np.ndarray, ...] | list[np.ndarray] = ()

    def save(self) -> bytes:
        """The state of the episode between two steps: all that decides what follows, perturbations, random generators
        and what is still on its way included.

        Returns:
            Bytes that `restore` of an environment takes which was made with the same task and options.

        Raises:
            InputError: the suite can neither save its state nor repeat an episode, or nothing was reset yet.
        """
        if self._steps is None:
            raise InputError(f"{self.task.id}: save", expected="reset before it")
        return pack(self._owner, SavedState.joined(self._saved_shell(), self.save_suite().within("suite")))

    def restore(self, state: bytes) -> Observation:
        """Continue an episode where it was saved, exactly.

        Args:
            state: from `save`.

        Returns:
            The observation that was handed out last before the state was saved, name -> row.

        Raises:
            InputError: no saved state, one of another task or of other options, or an episode that was put back by
                repeating it went otherwise this time. The episode goes on as before, where it can be saved.
        """
        saved = unpack(self._owner, state)
        if self._steps is None:
            self.reset(seed=0)  # what a suite makes at its first start is there then
        before: SavedState | None = None
        with suppress(InputError):
            before = SavedState.joined(self._saved_shell(), self.save_suite().within("suite"))
        try:
            self._put_back(saved)
        except (InputError, *_WRONG_CONTENT) as error:
            if before is not None:
                with suppress(InputError):
                    self._put_back(before)
            if isinstance(error, InputError):
                raise
            raise InputError(
                "saved state",
                expected=f"one that was saved of {self.task.id}",
                got=f"one whose content was changed ({type(error).__name__}: {error})",
            ) from error
        return dict(self._given)

    def _put_back(self, saved: SavedState) -> None:
        self.restore_suite(saved.part("suite"))
        self._restore_shell(saved)

    def save_suite(self) -> SavedState:
        """The suite's part of the state; by default what it takes to repeat the episode.

        Raises:
            InputError: the suite can do neither.
        """
        seed, options = self._begun
        if not self.repeats or seed is None or options:
            why = "a suite whose state cannot be saved" if not self.repeats else "a start that was not given by a seed"
            raise InputError(
                f"{self.task.id}: save",
                expected="a suite of MuJoCo, or an episode that repeats from its seed",
                got=why,
                way_out="Take a task of twin/, robosuite/, metaworld/ or maze/"
                if not self.repeats
                else "Reset by a seed",
            )
        actions = np.array(self._actions, dtype=np.float64).reshape(len(self._actions), self.action_spec.dim)
        return SavedState({"actions": actions}, {"seed": seed})

    def restore_suite(self, state: SavedState) -> None:
        """Put the suite's part of the state back; by default by repeating the episode.

        Raises:
            InputError: it is of another suite, or the episode went otherwise this time.
        """
        self.reset(seed=int(state.plain["seed"]))
        for action in state.arrays["actions"]:
            self.step(action)

    def _saved_shell(self) -> SavedState:
        """What this class itself keeps of an episode."""
        plain: dict[str, Any] = {
            "steps": self._steps,
            "instruction": self._instruction,
            "random": None if self._np_random is None else stream_state(self._np_random),
        }
        state = SavedState({**_named("last", self._last), **_named("given", self._given)}, plain)
        return state if self._signals is None else SavedState.joined(state, self._signals.save().within("signals"))

    def _restore_shell(self, saved: SavedState) -> None:
        if self.repeats and any(
            not np.array_equal(self._given[name], value, equal_nan=value.dtype.kind == "f")
            for name, value in saved.part("given").arrays.items()
        ):
            raise InputError(
                f"{self.task.id}: restore",
                expected="an environment that does the same again from the same seed under the same actions",
                got="another observation this time",
                way_out="Seed all of its randomness in reset, or leave groups out",
            )
        self._steps, self._instruction = int(saved.plain["steps"]), str(saved.plain["instruction"])
        if saved.plain["random"] is not None:
            self.np_random = stream_of(saved.plain["random"])
        self._last, self._given = dict(saved.part("last").arrays), dict(saved.part("given").arrays)
        if self._signals is not None:
            self._signals.restore(saved.part("signals"))

    @property
    def _owner(self) -> str:
        """Whose state it is: the task with all options that decide its episodes."""
        return f"{self.task.id} {self._made_with}"

    def _begin_saving(self, seed: int | None, options: Mapping[str, Any]) -> None:
        """Note how an episode begins."""
        self._begun, self._actions = (seed, options), []

    def _note_action(self, action: np.ndarray) -> None:
        """Note an action (dim,) of the episode, where it is put back by repeating it."""
        if self.repeats and isinstance(self._actions, list):
            self._actions.append(action.copy())


def _named(name: str, observation: Observation) -> dict[str, np.ndarray]:
    return {f"{name}/{key}": value for key, value in observation.items()}
