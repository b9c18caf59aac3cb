"""The observation of any Gymnasium environment as named rows: images as uint8 RGB, everything else as float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping

import numpy as np
from gymnasium import spaces

from robot.description import ObservationField
from robot.description.image_shape import can_be_image, looks_like_image
from robot.errors import InputError, nearest, one_line
from sim.rendering.pictures import as_rgb

OBSERVATION = "observation"  # the one key of an environment whose observation is a plain array
MEND = "Mend the environment, or its observation_space"


@dataclass(frozen=True)
class Leaf:
    """One key of the observation.

    Args:
        path: keys of the nested Dicts that lead to it, text or whole numbers.
        space: as declared.
        image: whether it is seen as an image, (height, width, 3) uint8 RGB; else as float32 numbers.
    """

    path: tuple[Any, ...]
    space: spaces.Space[Any]
    image: bool

    @property
    def name(self) -> str:
        return ".".join(map(str, self.path)) or OBSERVATION

    def find(self, observation: Any) -> Any:
        """Its value in an observation."""
        for part in self.path:
            if not isinstance(observation, Mapping) or part not in observation:
                kind = type(observation).__name__
                got = sorted(map(str, observation)) if isinstance(observation, Mapping) else [kind]
                raise InputError(
                    f"observation '{self.name}'",
                    expected=f"a key '{part}', as the space declares",
                    got=", ".join(got) or "nothing",
                    way_out=MEND,
                )
            observation = observation[part]
        return observation

    def row(self, value: Any) -> np.ndarray:
        """The value as it is observed, checked against its space."""
        declared = self.space.shape if isinstance(self.space, spaces.Box) else None
        try:
            flat = np.asarray(value) if declared is not None else spaces.flatten(self.space, value)
            numbers = flat if self.image else np.atleast_1d(np.asarray(flat, dtype=np.float32))
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise InputError(
                f"observation '{self.name}'",
                expected=f"what {self.space} declares",
                got=f"{type(value).__name__} ({one_line(error)})",
                way_out=MEND,
            ) from error
        if declared is not None and np.shape(flat) != declared:
            raise InputError(
                f"observation '{self.name}'",
                expected=f"shape {declared}, as its space declares",
                got=str(np.shape(flat)),
                way_out=MEND,
            )
        return as_rgb(flat, f"observation '{self.name}'", white=_white(self.space)) if self.image else numbers


def _leaves(space: spaces.Space[Any], kinds: Mapping[str, str], path: tuple[Any, ...] = ()) -> Iterator[Leaf]:
    """The spaces within nested Dicts."""
    if isinstance(space, spaces.Dict):
        for key, part in space.spaces.items():
            yield from _leaves(part, kinds, (*path, key))
    elif isinstance(space, spaces.Box) or space.is_np_flattenable:
        name = ".".join(map(str, path)) or OBSERVATION
        image = kinds[name] == "image" if name in kinds else _is_image(space)
        if image and name in kinds and not _can_be_image(space):
            raise InputError(f"option kinds.{name}", expected="the key of an image", got=str(space))
        yield Leaf(path, space, image)
    else:
        raise InputError(
            f"observation '{'.'.join(map(str, path)) or OBSERVATION}'", expected="a space of fixed size", got=str(space)
        )


def leaves_of(space: spaces.Space[Any], kinds: Mapping[str, str], name: str) -> dict[str, Leaf]:
    """Key -> leaf, nested keys joined by dots.

    Args:
        space: of the whole observation.
        kinds: key -> `image` or `state`, where it is given.
        name: of the task, for messages.

    Raises:
        InputError: two keys have one name, a space has no fixed size, or a kind is of no key or fits none.
    """
    leaves = list(_leaves(space, kinds))
    named = {leaf.name: leaf for leaf in leaves}
    if len(named) < len(leaves):
        double = next(leaf.name for leaf in leaves if named[leaf.name] is not leaf)
        raise InputError(
            f"observation of gym/{name}",
            expected="keys that differ when joined by dots",
            got=f"'{double}' twice",
            way_out="Rename one of them in the environment",
        )
    for key in kinds:
        if key not in named:
            raise InputError(
                f"option kinds.{key} of gym/{name}",
                expected="a key of the observation",
                got=f"'{key}'",
                way_out=nearest(key, named),
            )
    return named


def _is_image(space: spaces.Space[Any]) -> bool:
    """Whether a space declares images: bytes that are grey, RGB or RGBA, with channels last or first.

    Four channels first are more often a stack of grey images, and so numbers.
    """
    shape = space.shape
    if space.dtype != np.uint8 or not isinstance(space, spaces.Box) or shape is None:
        return False
    if len(shape) == 3 and shape[-1] == 3:
        return True
    return looks_like_image(shape)


def _can_be_image(space: spaces.Space[Any]) -> bool:
    return isinstance(space, spaces.Box) and space.shape is not None and can_be_image(space.shape)


def _white(space: spaces.Space[Any]) -> float:
    """The number that means full brightness, by the declared range."""
    return 1.0 if isinstance(space, spaces.Box) and space.dtype.kind == "f" and space.high.max() <= 1 else 255.0


def field_of(leaf: Leaf) -> ObservationField:
    """The observation's spec of a key."""
    if not leaf.image:
        row = leaf.row(leaf.space.sample())
        return ObservationField(leaf.name, row.shape, row.dtype.name, "1", "state")
    shape = as_rgb(np.zeros(leaf.space.shape or (), np.uint8), leaf.name).shape
    return ObservationField(leaf.name, shape, "uint8", "1", "image")
