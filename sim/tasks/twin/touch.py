"""Contacts of a hand's fingers with objects."""

from __future__ import annotations

from typing import Iterable

import mujoco
import numpy as np

from robot.errors import InputError
from sim.twin.model.scene import Scene

FINGERS = ("pinky", "ring", "middle", "index", "thumb")
THUMB = FINGERS.index("thumb")


class Touch:
    """Contacts between the fingers of the first limb's hand and chosen geoms.

    Args:
        scene: compiled.
        geoms: ids of the geoms whose contacts count.

    Raises:
        InputError: a finger is missing among the joints of the hand.
    """

    def __init__(self, scene: Scene, geoms: Iterable[int]) -> None:
        self._data, model = scene.data, scene.model
        self._thing = np.zeros(model.ngeom, dtype=bool)
        self._thing[list(geoms)] = True
        # Geom -> finger; the last index is for geoms of no finger.
        self._finger = np.full(model.ngeom, len(FINGERS))
        limb = scene.description.limbs[0]
        for number, finger in enumerate(FINGERS):
            names = [name for name in limb.tool.joints if finger in name]
            moved = [model.jnt_bodyid[scene.id("joint", limb.element(name))] for name in names]
            if not moved:
                raise InputError(
                    f"hand of {scene.description.spec.name}",
                    expected=f"a joint of the {finger} finger",
                    got=", ".join(limb.tool.joints),
                )
            for geom in range(model.ngeom):
                if any(_carries(model, int(body), int(model.geom_bodyid[geom])) for body in moved):
                    self._finger[geom] = number

    def read(self) -> np.ndarray:
        """Whether each finger touches, (5,) bool in the order of `FINGERS`."""
        touching = np.zeros(len(FINGERS) + 1, dtype=bool)
        pairs = self._data.contact.geom
        thing = self._thing[pairs]
        touching[self._finger[pairs[:, 0]][thing[:, 1]]] = True
        touching[self._finger[pairs[:, 1]][thing[:, 0]]] = True
        return touching[:-1]


def _carries(model: mujoco.MjModel, body: int, other: int) -> bool:
    while other > body:
        other = int(model.body_parentid[other])
    return other == body
