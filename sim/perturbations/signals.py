"""Perturbations between any task and its policy: noise and delay of observations, latency of actions."""

from __future__ import annotations

from collections import deque

import numpy as np

from robot.description import ObservationField, ObservationSpec
from robot.errors import InputError
from sim.perturbations.selection import EpisodeDraws, PerturbationSelection
from sim.perturbations.sizes import ObservationNoise
from sim.state.packed import SavedState
from sim.state.random import generator_state, set_generator_state

OFFERED = ("observation_noise", "observation_delay", "action_latency")
"""Perturbations that every suite has."""

_UNITS = {
    "m": "metre",
    "rad": "radian",
    "1": "unitless",
    "px": "pixel",
    "N": "newton",
    "N*m": "newton_metre",
    "mm": "depth_mm",
}

Observation = dict[str, np.ndarray]


class SignalPerturbations:
    """Perturbs observations and actions between task and policy.

    Args:
        selection: which perturbations; those of other kinds are left to the suite.
        spec: of the observation.

    Raises:
        InputError: noise for a field whose unit has no size.
    """

    def __init__(self, selection: PerturbationSelection, spec: ObservationSpec) -> None:
        self._spec = spec
        if "observation_noise" in selection.active:
            for each in spec:
                _units(each)
        self._noise: dict[str, np.ndarray] = {}
        self._random = np.random.default_rng(0)
        self._seen: deque[Observation] = deque(maxlen=1)
        self._waiting: deque[np.ndarray] = deque()

    def begin(self, draws: EpisodeDraws, observation: Observation, hold: np.ndarray) -> Observation:
        """Start an episode.

        Args:
            draws: of the episode.
            observation: the first one, as the task gives it.
            hold: (dim,) action that leaves the robot where it is.

        Returns:
            The perturbed observation.
        """
        noise, delay, latency = (draws.get(name) for name in OFFERED)
        self._noise = {} if noise is None else {each.name: _deviation(each, noise.size) for each in self._spec}
        if noise is not None:
            self._random = noise.random
        self._seen = deque(maxlen=1 + (delay.size.steps if delay else 0))
        self._waiting = deque([hold] * (latency.size.steps if latency else 0))
        return self.observe(observation)

    def observe(self, observation: Observation) -> Observation:
        """The perturbed observation."""
        self._seen.append({name: self._noisy(name, value) for name, value in observation.items()})
        return self._seen[0]

    def act(self, action: np.ndarray) -> np.ndarray:
        """The action (dim,) to execute when the policy gives the action (dim,)."""
        self._waiting.append(action)
        return self._waiting.popleft()

    def save(self) -> SavedState:
        """The state of the episode: the noise, its random generator, what is seen late and what still waits to act."""
        arrays = {f"noise/{name}": value for name, value in self._noise.items()}
        arrays |= {f"seen/{age}/{name}": row[name] for age, row in enumerate(self._seen) for name in row}
        arrays |= {f"waiting/{place}": action for place, action in enumerate(self._waiting)}
        plain = {"random": generator_state(self._random), "delay": self._seen.maxlen}
        return SavedState(arrays, plain)

    def restore(self, state: SavedState) -> None:
        """Put a state back."""
        self._noise = dict(state.part("noise").arrays)
        self._random = np.random.default_rng(0)
        set_generator_state(self._random, state.plain["random"])
        seen, waiting = state.part("seen"), state.part("waiting").arrays
        ages = sorted({int(name.partition("/")[0]) for name in seen.arrays})
        self._seen = deque((dict(seen.part(str(age)).arrays) for age in ages), maxlen=state.plain["delay"])
        self._waiting = deque(waiting[name] for name in sorted(waiting, key=int))

    def _noisy(self, name: str, value: np.ndarray) -> np.ndarray:
        if name not in self._noise:
            return value
        noisy = value + self._noise[name] * self._random.standard_normal(value.shape)
        if np.issubdtype(value.dtype, np.integer):
            limits = np.iinfo(value.dtype)
            noisy = np.clip(np.rint(noisy), limits.min, limits.max)
        return noisy.astype(value.dtype)


def _units(each: ObservationField) -> list[str]:
    """The sizes that belong to a field's components."""
    if each.kind == "image":
        return ["image_levels"]
    units = each.unit.split()
    for unit in units:
        if unit not in _UNITS:
            raise InputError(
                f"perturbation observation_noise: field '{each.name}'",
                expected=f"one in {', '.join(_UNITS)}",
                got=f"one in {unit}",
            )
    return [_UNITS[unit] for unit in units]


def _deviation(each: ObservationField, size: ObservationNoise) -> np.ndarray:
    return np.array([getattr(size, unit) for unit in _units(each)])
