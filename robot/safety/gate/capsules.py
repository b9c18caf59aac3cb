"""Distances of links from one another and from the table: a capsule per link, MuJoCo's kinematics, segments in closed
form.

An approach is allowed at the speed from which it can still be braked before the least distance, v = sqrt(2 a (d -
d_stop)); so it slows down from `slow_m` on and ends at `stop_m`. Motion away from an obstacle is never slowed down.
"""

from __future__ import annotations

import mujoco
import numpy as np

from robot.compiled import compiled
from robot.errors import InputError
from robot.safety.gate.limits import GROUP, TANGENT_FIRST, limits_of
from robot.safety.gate.settings import CapsuleSettings, GateSettings

_AHEAD_S = 1e-3  # over which an approach is measured
_DAMPING = 0.05  # of the inverse of the tcp's Jacobian, near singularities


class CapsuleCheck:
    """The share of a step that may be taken. Calls are independent of one another.

    A robot that is commanded by its tcp is taken to move its joints by the least motion that moves the tcp so: motion
    in its null space is seen only once it has happened.

    Args:
        settings: of a gate that has capsules.

    Raises:
        InputError: the model lacks what the settings name.
    """

    def __init__(self, settings: GateSettings) -> None:
        assert settings.capsules is not None
        self._settings: CapsuleSettings = settings.capsules
        capsules = settings.capsules
        try:
            self._model = mujoco.MjModel.from_xml_string(capsules.model)
        except ValueError as error:
            raise InputError("capsules: model", expected="an MJCF that MuJoCo reads", got=str(error)) from error
        model = self._model
        self._data = mujoco.MjData(model)
        self._qpos = np.array([model.jnt_qposadr[self._id("joint", name)] for name in capsules.joints], dtype=np.int64)
        self._dof = {name: int(model.jnt_dofadr[self._id("joint", name)]) for name in capsules.joints}
        self._pairs = np.array([[self._id("geom", name) for name in pair] for pair in capsules.pairs], dtype=np.int64)
        self._pairs = self._pairs.reshape(-1, 2)
        limits = limits_of(settings)
        firsts = {
            field.name: (int(row[TANGENT_FIRST]), int(row[GROUP])) for field, row in zip(settings.fields, limits.part)
        }
        self.moves = np.zeros(limits.groups, dtype=bool)
        """(groups,) bool, the groups that move links."""
        self._sites: list[tuple[int, int, int | None]] = []
        for site, field in capsules.tcps.items():
            first, group = firsts[field]
            turn = firsts.get(field.replace("position", "rotation"))
            self._sites.append((self._id("site", site), first, None if turn is None else turn[0]))
            self.moves[group] = True
        self._joints: list[tuple[int, np.ndarray]] = []
        for field, names in capsules.fields.items():
            first, group = firsts[field]
            self._joints.append((first, np.array([self._dof[name] for name in names])))
            self.moves[group] = True

    def distances(self, joints: np.ndarray) -> np.ndarray:
        """The distance of each pair (pairs,), m; negative where they overlap.

        Args:
            joints: (n,) positions, in the settings' order.
        """
        data, result = self._data, np.empty(len(self._pairs))
        data.qpos[self._qpos] = joints
        mujoco.mj_kinematics(self._model, data)
        write_pair_distances(
            self._pairs, self._model.geom_type, self._model.geom_size, data.geom_xpos, data.geom_xmat, result
        )
        return result

    def share(self, joints: np.ndarray, desired: np.ndarray, dt: float) -> tuple[float, str]:
        """The share of a velocity that is allowed, 0 to 1, and the pair that limits it.

        Args:
            joints: (n,) measured positions.
            desired: (tangent,) velocity of the command.
            dt: s for which it is held.
        """
        near = self.distances(joints)
        close = np.flatnonzero(near < self._settings.slow_m)
        if not len(close):
            return 1.0, ""
        rates = self._rates(desired)
        ahead = self.distances(joints + _AHEAD_S * rates)
        approach = (near - ahead)[close] / _AHEAD_S
        left = np.maximum(near[close] - self._settings.stop_m - np.maximum(approach, 0) * dt, 0.0)
        allowed = np.sqrt(2 * self._settings.deceleration * left)
        shares = np.where(approach > 1e-6, np.minimum(allowed / np.maximum(approach, 1e-6), 1.0), 1.0)
        worst = int(np.argmin(shares))
        first, second = self._settings.pairs[close[worst]]
        return float(shares[worst]), f"{first} and {second}: {near[close[worst]]:.3f} m"

    def _rates(self, desired: np.ndarray) -> np.ndarray:
        """Joint rates (n,) of a velocity (tangent,), by the kinematics of the last call of `distances`."""
        model, data = self._model, self._data
        rates = np.zeros(model.nv)
        if self._sites:
            mujoco.mj_comPos(model, data)
        for site, first, turn in self._sites:
            jacobian = np.zeros((6, model.nv))
            mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], site)
            rows = 6 if turn is not None else 3
            twist = np.concatenate([desired[first : first + 3], desired[turn : turn + 3] if turn is not None else []])
            jacobian = jacobian[:rows]
            rates += jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + _DAMPING**2 * np.eye(rows), twist)
        for first, dofs in self._joints:
            rates[dofs] = desired[first : first + len(dofs)]
        return rates[list(self._dof.values())]

    def _id(self, kind: str, name: str) -> int:
        number = mujoco.mj_name2id(self._model, getattr(mujoco.mjtObj, f"mjOBJ_{kind.upper()}"), name)
        if number < 0:
            raise InputError(f"capsules: {kind} '{name}'", expected=f"a {kind} of the model", got="none of that name")
        return int(number)


@compiled
def segment_distance(p: np.ndarray, u: np.ndarray, q: np.ndarray, v: np.ndarray) -> float:
    """The distance of two segments p + s u and q + t v, s and t in [-1, 1]; u and v (3,) may be zero.

    After Ericson, "Real-Time Collision Detection" (2005), 5.1.9, with the segments' middles for their ends.
    """
    a, b, e, c, f = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(3):
        r = p[i] - q[i]
        a += u[i] * u[i]
        b += u[i] * v[i]
        e += v[i] * v[i]
        c += u[i] * r
        f += v[i] * r
    s = 0.0
    if a > 0.0:
        area = a * e - b * b
        if area > 1e-12 * a * e:
            s = min(max((b * f - c * e) / area, -1.0), 1.0)
        else:
            s = min(max(-c / a, -1.0), 1.0)
    t = 0.0
    if e > 0.0:
        t = (b * s + f) / e
        if t < -1.0 or t > 1.0:
            t = min(max(t, -1.0), 1.0)
            if a > 0.0:
                s = min(max((b * t - c) / a, -1.0), 1.0)
    total = 0.0
    for i in range(3):
        between = p[i] + s * u[i] - q[i] - t * v[i]
        total += between * between
    return float(np.sqrt(total))


@compiled
def write_pair_distances(
    pairs: np.ndarray,
    kinds: np.ndarray,
    sizes: np.ndarray,
    positions: np.ndarray,
    frames: np.ndarray,
    result: np.ndarray,
) -> None:
    """Write the distances of pairs of geoms: capsules and spheres from one another, and from planes.

    Args:
        pairs: (pairs, 2) geoms; a plane comes first.
        kinds: (geoms,) of MuJoCo: 0 plane, 2 sphere, 3 capsule.
        sizes: (geoms, 3) radius and half length.
        positions, frames: (geoms, 3) positions and (geoms, 9) rotation matrices.
        result: (pairs,) m, written.
    """
    u, v = np.empty(3), np.empty(3)
    for k in range(len(pairs)):
        first, second = pairs[k, 0], pairs[k, 1]
        half = sizes[second, 1] if kinds[second] == 3 else 0.0
        for i in range(3):
            v[i] = frames[second, 3 * i + 2] * half
        if kinds[first] == 0:
            height, slope = 0.0, 0.0
            for i in range(3):
                height += (positions[second, i] - positions[first, i]) * frames[first, 3 * i + 2]
                slope += v[i] * frames[first, 3 * i + 2]
            result[k] = height - abs(slope) - sizes[second, 0]
        else:
            half = sizes[first, 1] if kinds[first] == 3 else 0.0
            for i in range(3):
                u[i] = frames[first, 3 * i + 2] * half
            result[k] = segment_distance(positions[first], u, positions[second], v) - sizes[first, 0] - sizes[second, 0]
