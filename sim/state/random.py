"""The state of a random generator as plain values."""

from __future__ import annotations

from typing import Any, Mapping

import numpy as np

from robot.errors import InputError


def generator_state(random: np.random.Generator) -> dict[str, Any]:
    """The state of a generator: a dict of names, whole numbers and lists of them."""
    return {key: _plain(value) for key, value in random.bit_generator.state.items()}


def set_generator_state(random: np.random.Generator, state: Mapping[str, Any]) -> None:
    """Continue a generator from a state.

    Raises:
        InputError: it is the state of a generator of another kind, or none.
    """
    own = random.bit_generator.state
    try:
        if state["bit_generator"] != own["bit_generator"]:
            raise ValueError(state["bit_generator"])
        random.bit_generator.state = {key: _like(own[key], state[key]) for key in own}
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise InputError("saved random generator", expected=own["bit_generator"], got=str(error)) from None


def stream_state(random: np.random.Generator) -> dict[str, Any]:
    """The state of a generator with what its `spawn` goes on from."""
    seeds = random.bit_generator.seed_seq
    spawned = {
        name: _plain(getattr(seeds, name)) for name in ("entropy", "spawn_key", "pool_size", "n_children_spawned")
    }
    return {"generator": generator_state(random), "seeds": spawned}


def stream_of(state: Mapping[str, Any]) -> np.random.Generator:
    """A generator that goes on from `stream_state`.

    Raises:
        InputError: it is no such state.
    """
    try:
        seeds = dict(state["seeds"])
        entropy = seeds.pop("entropy")
        seeds["spawn_key"] = tuple(seeds["spawn_key"])
        kind = getattr(np.random, str(state["generator"]["bit_generator"]))
        random = np.random.Generator(kind(np.random.SeedSequence(entropy, **seeds)))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise InputError("saved random generator", expected="the state of one", got=str(error)) from None
    set_generator_state(random, state["generator"])
    return random


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def _like(own: Any, saved: Any) -> Any:
    if isinstance(own, Mapping):
        return {key: _like(own[key], saved[key]) for key in own}
    return np.array(saved, dtype=own.dtype) if isinstance(own, np.ndarray) else saved
