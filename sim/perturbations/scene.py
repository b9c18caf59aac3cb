"""Perturbations of a twin's scene: added when it is built, applied when an episode starts, and undone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from operator import attrgetter
from typing import Any, ClassVar, Mapping, Sequence

import mujoco
import numpy as np

from robot.description.loading import RobotDescription
from robot.errors import InputError
from sim.perturbations.selection import Draw, EpisodeDraws, PerturbationSelection
from sim.perturbations.sizes import load_sizes
from sim.perturbations.stage import Stage
from sim.twin.model.scene import Scene

CLASSES: Mapping[str, str] = {
    "object_pose": "sim.perturbations.things:ObjectPose",
    "table_height": "sim.perturbations.things:TableHeight",
    "distractors": "sim.perturbations.distractors:Distractors",
    "friction": "sim.perturbations.dynamics:Friction",
    "mass": "sim.perturbations.dynamics:Mass",
    "payload": "sim.perturbations.dynamics:Payload",
    "lighting": "sim.perturbations.appearance:Lighting",
    "textures": "sim.perturbations.appearance:Textures",
    "camera": "sim.perturbations.appearance:Camera",
}
"""Name -> `module:class` of a `ScenePerturbation`."""

SEEN_ONLY = ("lighting", "textures", "camera")
"""Perturbations that change nothing but images."""


class ScenePerturbation(ABC):
    """One perturbation of a twin's scene. Most need nothing but `apply`.

    Attributes:
        touches: fields of MuJoCo's model that `apply` may change, dotted where they are nested.
    """

    touches: ClassVar[tuple[str, ...]] = ()

    def extend(self, spec: mujoco.MjSpec, description: RobotDescription, size: Any) -> None:  # noqa: B027
        """Add to the scene, robot included, what episodes of at most this size need."""

    @abstractmethod
    def apply(self, stage: Stage, draw: Draw) -> None:
        """Change one episode after the task has placed its start and before time passes; record what was drawn."""

    def leave_out(self, stage: Stage) -> None:  # noqa: B027
        """Prepare an episode without this perturbation."""


class ScenePerturbations:
    """The perturbations of one environment's scene, in order.

    Args:
        selection: perturbations and severities; those that are not of the scene are ignored here.
    """

    def __init__(self, selection: PerturbationSelection) -> None:
        self._largest = {
            name: load_sizes(name)[severity - 1] for name, severity in selection.active.items() if name in CLASSES
        }
        self._parts: dict[str, ScenePerturbation] = {name: _load(CLASSES[name]) for name in self._largest}
        self._own: dict[str, Any] = {}

    def extend(self, spec: mujoco.MjSpec, description: RobotDescription) -> None:
        """Add to a scene, robot included, what the perturbations need in it."""
        for name, part in self._parts.items():
            part.extend(spec, description, self._largest[name])

    def bind(self, scene: Scene, things: Sequence[str] | None, cameras: Sequence[int]) -> None:
        """Set the compiled scene that every episode starts from; the arguments are those of `Stage`."""
        self._stage = Stage(scene, things, cameras)
        fields = {field for part in self._parts.values() for field in part.touches}
        self._own = {field: np.copy(attrgetter(field)(scene.model)) for field in sorted(fields)}

    def restore(self) -> None:
        """Restore the model exactly as it was bound."""
        for field, value in self._own.items():
            holder, _, name = field.rpartition(".")
            owner = attrgetter(holder)(self._stage.model) if holder else self._stage.model
            if value.ndim:
                getattr(owner, name)[...] = value
            else:
                setattr(owner, name, value.item())

    def apply(self, draws: EpisodeDraws) -> None:
        """Change the episode that the task has just placed."""
        for name, part in self._parts.items():
            draw = draws.get(name)
            if draw is None:
                part.leave_out(self._stage)
            else:
                part.apply(self._stage, draw)

    @property
    def repaint(self) -> bool:
        """Whether textures may have changed since they were handed to a renderer."""
        return "tex_data" in self._own


def require_cameras(selection: PerturbationSelection, cameras: Sequence[str]) -> None:
    """Raise an InputError for a perturbation of images where none are observed."""
    for name in SEEN_ONLY:
        if name in selection.severities and not cameras:
            raise InputError(
                f"perturbation '{name}'",
                got="none",
                expected="cameras in the observation, since it changes images alone",
                way_out="Add options.cameras=[front], or leave it out",
            )


def _load(place: str) -> ScenePerturbation:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)()  # type: ignore[no-any-return]
