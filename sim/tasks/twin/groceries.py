"""Things from a kitchen, of robosuite's assets: one body that wears all of them, one at a time."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from robot.model.assets import asset
from sim.twin.model.assembly import FELT, HIDDEN, SCENE_BIT, SEEN
from sim.twin.model.scene import Scene

BODY = "object"
FRICTION, ROLLING = (0.9, 0.01, 0.0005), (0.9, 0.01, 0.002)  # a lemon does not roll for long
FOOT = 0.002  # m, radius of the four balls that an object stands on
STEP = 0.0005  # m by which they protrude below it: nothing else of it touches the table
_BOX, _CYLINDER = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER
_ELLIPSOID, _SPHERE = mujoco.mjtGeom.mjGEOM_ELLIPSOID, mujoco.mjtGeom.mjGEOM_SPHERE


@dataclass(frozen=True)
class CollisionShape:
    """A collision shape.

    Args:
        shape: of MuJoCo's.
        size: m, as MuJoCo expects it for that shape.
        height: m of its middle above that of the object.
    """

    shape: mujoco.mjtGeom
    size: tuple[float, ...]
    height: float = 0.0


@dataclass(frozen=True)
class Grocery:
    """One object.

    Args:
        name: in words.
        file: within robosuite's objects.
        half: (3,) m, half its extent along its own axes.
        middle: m, height of its middle above the origin of its mesh.
        mass_kg: full.
        parts: its collision shapes.
        stands: on feet; else it may roll.
        colour: instead of the file's texture.
    """

    name: str
    file: str
    half: tuple[float, float, float]
    middle: float
    mass_kg: float
    parts: tuple[CollisionShape, ...]
    stands: bool = True
    colour: tuple[float, float, float, float] | None = None

    @property
    def inertia(self) -> np.ndarray:
        """(3,) kg*m^2, as of a cuboid of its size."""
        squares = np.square(self.half)
        return self.mass_kg / 3 * (squares.sum() - squares)


GROCERIES = (
    Grocery("can", "can.xml", (0.025, 0.025, 0.04), -0.0003, 0.3, (CollisionShape(_CYLINDER, (0.025, 0.04)),)),
    Grocery(
        "bottle",
        "bottle.xml",
        (0.0285, 0.0285, 0.08),
        0.0151,
        0.4,
        (CollisionShape(_CYLINDER, (0.0285, 0.045), -0.035), CollisionShape(_CYLINDER, (0.015, 0.035), 0.045)),
        colour=(0.25, 0.5, 0.35, 1.0),
    ),
    Grocery("milk carton", "milk.xml", (0.02, 0.02, 0.072), 0.011, 0.3, (CollisionShape(_BOX, (0.02, 0.02, 0.072)),)),
    Grocery(
        "loaf of bread", "bread.xml", (0.024, 0.02, 0.024), 0.0007, 0.08, (CollisionShape(_BOX, (0.024, 0.02, 0.024)),)
    ),
    Grocery(
        "lemon",
        "lemon.xml",
        (0.034, 0.02, 0.02),
        0.0001,
        0.1,
        (CollisionShape(_ELLIPSOID, (0.034, 0.02, 0.02)),),
        stands=False,
    ),
    Grocery("cereal box", "cereal.xml", (0.05, 0.015, 0.075), 0.0, 0.25, (CollisionShape(_BOX, (0.05, 0.015, 0.075)),)),
)


def add_groceries(spec: mujoco.MjSpec) -> None:
    """Add the body `object` with all that it may wear."""
    body = spec.worldbody.add_body(
        name=BODY,
        pos=[0.5, 0, 0.1],
        explicitinertial=True,
        mass=GROCERIES[0].mass_kg,
        ipos=[0, 0, 0],
        inertia=GROCERIES[0].inertia.tolist(),
    )
    body.add_freejoint(name=BODY)
    # All are compiled as colliding: MuJoCo skips bodies that had no colliding geom then.
    for number, grocery in enumerate(GROCERIES):
        _add_seen(spec, body, grocery, number)
        friction, condim = (FRICTION, 4) if grocery.stands else (ROLLING, 6)
        for part in grocery.parts:
            body.add_geom(
                name=f"{BODY}_{number}_part_{grocery.parts.index(part)}",
                type=part.shape,
                size=[*part.size, 0.0, 0.0][:3],
                pos=[0, 0, part.height],
                group=FELT,
                contype=SCENE_BIT,
                conaffinity=SCENE_BIT,
                friction=list(friction),
                condim=condim,
            )
        if grocery.stands:
            _add_feet(body, grocery, number)


def _add_seen(spec: mujoco.MjSpec, body: mujoco.MjsBody, grocery: Grocery, number: int) -> None:
    """Its mesh and texture, in a body of no mass."""
    file = mujoco.MjSpec.from_file(str(asset(f"robosuite:objects/{grocery.file}")))
    seen = file.body("object")
    for geom in list(seen.geoms)[1:]:
        file.delete(geom)  # the same mesh again
    geom = seen.geoms[0]
    geom.name, geom.group, geom.mass, geom.contype, geom.conaffinity = "seen", HIDDEN, 0.0, 0, 0
    if grocery.colour is not None:
        geom.material, geom.rgba = "", list(grocery.colour)
        for element in (*file.materials, *file.textures):
            file.delete(element)
    body.add_frame(pos=[0, 0, -grocery.middle]).attach_body(seen, f"{BODY}_{number}_", "")


def _add_feet(body: mujoco.MjsBody, grocery: Grocery, number: int) -> None:
    """Four balls near the rim of its bottom. An object on a flat face would tremble on the single contact point that
    MuJoCo finds for a cylinder on a box.
    """
    round_ = grocery.parts[0].shape == _CYLINDER
    x, y = (np.array(grocery.half[:2]) - FOOT) * (np.sqrt(0.5) if round_ else 1.0)
    for foot, (right, front) in enumerate(((1, 1), (1, -1), (-1, 1), (-1, -1))):
        body.add_geom(
            type=_SPHERE,
            size=[FOOT, 0, 0],
            pos=[right * x, front * y, FOOT - STEP - grocery.half[2]],
            group=FELT,
            contype=SCENE_BIT,
            conaffinity=SCENE_BIT,
            friction=list(FRICTION),
            condim=4,
            name=f"{BODY}_{number}_foot_{foot}",
        )


class Wardrobe:
    """Dresses the body `object` of a compiled scene.

    Args:
        scene: with `add_groceries` in it.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene, self._scratch = scene, mujoco.MjData(scene.model)
        self._body = scene.id("body", BODY)
        names = scene.names("geom")
        self.felt = [
            [
                scene.id("geom", name)
                for name in names
                if name.startswith((f"{BODY}_{number}_part", f"{BODY}_{number}_foot"))
            ]
            for number in range(len(GROCERIES))
        ]
        self._seen = [scene.id("geom", f"{BODY}_{number}_seen") for number in range(len(GROCERIES))]

    def wear(self, number: int) -> Grocery:
        """Give the body the looks, contacts and mass of this object. Its pose does not change."""
        model, grocery = self._scene.model, GROCERIES[number]
        for other, (felt, seen) in enumerate(zip(self.felt, self._seen)):
            worn = other == number
            model.geom_contype[felt] = model.geom_conaffinity[felt] = SCENE_BIT if worn else 0
            model.geom_group[seen] = SEEN if worn else HIDDEN
        model.body_mass[self._body], model.body_inertia[self._body] = grocery.mass_kg, grocery.inertia
        mujoco.mj_setConst(model, self._scratch)  # weights of constraints follow from masses
        return grocery
