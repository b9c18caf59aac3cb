"""The state of MuJoCo: what its integrator continues from, what sensors show of the last step, and what of the model an
episode has changed.
"""

from __future__ import annotations

from typing import Any, Iterable

import mujoco
import numpy as np

from robot.errors import InputError
from sim.state.packed import SavedState

_INTEGRATED = mujoco.mjtState.mjSTATE_INTEGRATION
# Of the second half of a step, which `mj_step1` does not make again: readings and warm starts of it may be used.
_LAST_STEP = (
    "qacc", "qacc_smooth", "qfrc_actuator", "qfrc_smooth", "qfrc_constraint", "qfrc_inverse", "actuator_force",
    "sensordata", "cacc", "cfrc_int", "cfrc_ext", "qH", "qHDiagInv", "qLD", "qLDiagInv",
)  # fmt: skip
# Shapes of things: megabytes that no episode changes.
_FIXED = ("mesh_", "bvh_", "oct_", "flex_", "hfield_", "skin_", "tuple_", "text_", "key_", "name", "paths", "plugin_")
# Numbers of the model that are no arrays of its own.
_SCALARS = ("stat.meaninertia", "stat.meanmass", "stat.meansize", "stat.extent")
_MORE = ("opt.gravity", "opt.wind", "stat.center", "vis.headlight.ambient", "vis.headlight.diffuse")


class MujocoState:
    """Saves and restores a model and its data.

    Args:
        model, data: MuJoCo's. The model as it is now is what changes are noted against: two environments that were made
            alike can take each other's states.
        repainted: whether episodes change textures, which may be many megabytes.
    """

    def __init__(self, model: Any, data: Any, *, repainted: bool = False) -> None:
        self.model, self.data = model, data
        self._size = mujoco.mj_stateSize(model, _INTEGRATED)
        self._arrays = {name: array for name, array in _changeable(model) if repainted or name != "tex_data"}
        self._own = {name: array.tobytes() for name, array in self._arrays.items()}
        self._last = {name: getattr(data, name) for name in _LAST_STEP if hasattr(data, name)}

    def save(self) -> SavedState:
        """The present state."""
        state = np.empty(self._size)
        mujoco.mj_getState(self.model, self.data, state, _INTEGRATED)
        arrays = {"integrated": state, "warnings": self.data.warning.number.copy()}
        arrays |= {f"last/{name}": array.copy() for name, array in self._last.items()}
        arrays |= {
            f"model/{name}": array.copy() for name, array in self._arrays.items() if array.tobytes() != self._own[name]
        }
        plain = {name: _scalar(self.model, name) for name in _SCALARS}
        return SavedState(arrays, plain)

    def restore(self, state: SavedState) -> None:
        """Put a state back; what follows from it for positions and velocities is computed.

        Raises:
            InputError: it is of another model.
        """
        arrays = state.arrays
        changed = {name[6:]: value for name, value in arrays.items() if name.startswith("model/")}
        fits = arrays["integrated"].shape == (self._size,) and all(
            name in self._arrays and self._arrays[name].shape == value.shape for name, value in changed.items()
        )
        if not fits:
            raise InputError("saved state", expected="one of the same model", got="one of another")
        for name, array in self._arrays.items():
            if name in changed:
                array[...] = changed[name]
            elif array.tobytes() != self._own[name]:
                array[...] = np.frombuffer(self._own[name], array.dtype).reshape(array.shape)
        for name, value in state.plain.items():
            if name in _SCALARS and value is not None:
                owner, _, field = name.rpartition(".")
                setattr(getattr(self.model, owner), field, value)
        mujoco.mj_setState(self.model, self.data, arrays["integrated"], _INTEGRATED)
        mujoco.mj_step1(self.model, self.data)
        for name, own in self._last.items():
            own[...] = arrays[f"last/{name}"]
        self.data.warning.number[:] = arrays["warnings"]


def _changeable(model: Any) -> Iterable[tuple[str, np.ndarray]]:
    """Name -> array of the model that an episode may change."""
    for name in dir(model):
        if name.startswith(("_", *_FIXED)):
            continue
        value = getattr(model, name)
        if isinstance(value, np.ndarray) and value.size and value.dtype.kind in "biuf" and value.flags.writeable:
            yield name, value
    for name in _MORE:
        *owners, field = name.split(".")
        value = model
        for owner in owners:
            value = getattr(value, owner)
        yield name, getattr(value, field)


def _scalar(model: Any, name: str) -> float | None:
    owner, _, field = name.rpartition(".")
    value = getattr(getattr(model, owner), field, None)
    return None if value is None else float(value)
