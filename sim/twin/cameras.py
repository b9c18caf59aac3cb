"""Cameras of a scene, rendered in a process of their own at their own pace: always from the newest state.

The caller hands over states and never waits; a state that the renderer had no time for is skipped.
The parent holds a `CameraProcess`; the child runs this module.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple

import mujoco
import numpy as np

from robot.errors import InputError, TillerError, nearest
from sim.process.child import ChildProcess, be_child
from sim.process.failure import Failure, failure
from sim.rendering.backend import SceneRenderer, require_backend
from sim.twin.model.assembly import FELT
from sim.twin.model.scene import Scene

_HIDDEN_GROUPS = (FELT, 3)
_MODEL = "scene.mjb"


@dataclass(frozen=True, eq=False)
class Picture:
    """An image of a camera.

    Args:
        pixels: (height, width, 3) uint8 RGB.
        stamp_ns: when, by the clock of the twin.
    """

    pixels: np.ndarray
    stamp_ns: int


class _Order(NamedTuple):
    """The child's parameters: a compiled model, ids of its cameras, the size of the images in pixels."""

    model: bytes
    cameras: tuple[int, ...]
    height: int
    width: int


class _State(NamedTuple):
    """A moment of the scene, enough to draw it."""

    stamp_ns: int
    qpos: np.ndarray
    mocap_pos: np.ndarray
    mocap_quat: np.ndarray


class CameraProcess:
    """Draws some cameras of a scene in another process.

    Args:
        scene: as it looks now; later changes of textures have no effect.
        cameras: their names.
        height, width: of the images in pixels.

    Raises:
        InputError: the scene has no such camera, or `cameras` is empty.
        TillerError: there is nothing to draw with.
    """

    def __init__(self, scene: Scene, cameras: tuple[str, ...], *, height: int, width: int) -> None:
        known = scene.names("camera")
        if not cameras:
            raise InputError("cameras", expected=f"one or more of {', '.join(known)}", got="none")
        for name in cameras:
            if name not in known:
                raise InputError(
                    f"camera '{name}'", expected=f"one of {', '.join(known)}", way_out=nearest(name, known)
                )
        require_backend()  # probed here; the environment passes the result to the child
        self.cameras, self.frames = cameras, 0
        self._newest: _State | None = None
        self._pictures: dict[str, Picture] = {}
        self._error: TillerError | None = None
        self._change = threading.Condition()
        self._closing = False
        saved = np.empty(mujoco.mj_sizeModel(scene.model), dtype=np.uint8)
        mujoco.mj_saveModel(scene.model, None, saved)
        self._child = ChildProcess("sim.twin.cameras")
        numbers = tuple(scene.id("camera", name) for name in cameras)
        self._child.tell(tuple(_Order(saved.tobytes(), numbers, height, width)))
        ready = self._child.answer()
        if isinstance(ready, Failure):
            self._child.close()
            raise ready.error()
        self._courier = threading.Thread(target=self._carry, name="cameras", daemon=True)
        self._courier.start()

    def show(self, data: mujoco.MjData, stamp_ns: int) -> None:
        """Hand over the state of the scene; returns at once, whatever the renderer does."""
        state = _State(stamp_ns, data.qpos.copy(), data.mocap_pos.copy(), data.mocap_quat.copy())
        with self._change:
            self._newest = state
            self._change.notify_all()

    def pictures(self) -> dict[str, Picture]:
        """The latest picture of each camera; empty before the first.

        Raises:
            TillerError: the renderer has failed.
        """
        if self._error is not None:
            raise self._error
        return self._pictures

    def wait(self, after_ns: int, timeout_s: float = 10.0) -> dict[str, Picture]:
        """Pictures of a state stamped `after_ns` or later, once they are drawn.

        Raises:
            TillerError: the renderer has failed, or none came in time.
        """

        def arrived() -> bool:
            newest = next(iter(self._pictures.values()), None)
            return self._error is not None or (newest is not None and newest.stamp_ns >= after_ns)

        with self._change:
            if not self._change.wait_for(arrived, timeout_s):
                raise TillerError(f"No picture from {after_ns} ns or later came within {timeout_s} s. Show the scene")
        return self.pictures()

    def close(self) -> None:
        """End the process."""
        with self._change:
            self._closing = True
            self._change.notify_all()
        self._courier.join(5.0)
        self._child.close()

    def _carry(self) -> None:
        """Send the newest state to the child and take its pictures, until closed."""
        while True:
            with self._change:
                self._change.wait_for(lambda: self._newest is not None or self._closing)
                state, self._newest = self._newest, None
                if self._closing or state is None:
                    return
            try:
                self._child.tell(tuple(state))
                answer = self._child.answer()
                if isinstance(answer, Failure):
                    raise answer.error()
            except TillerError as error:
                with self._change:
                    self._error = error
                    self._change.notify_all()
                return
            with self._change:
                self._pictures = {name: Picture(pixels, state.stamp_ns) for name, pixels in zip(self.cameras, answer)}
                self.frames += 1
                self._change.notify_all()


def serve(connection: Connection) -> None:
    """Serve as a renderer until the parent closes its end."""
    order = _Order(*connection.recv())
    try:
        model = mujoco.MjModel.from_binary_path(_MODEL, {_MODEL: order.model})
        data = mujoco.MjData(model)
        renderer = SceneRenderer(model, order.height, order.width, hidden_groups=_HIDDEN_GROUPS)
        connection.send(None)
        while True:
            state = _State(*connection.recv())
            data.qpos[:], data.mocap_pos[:], data.mocap_quat[:] = state.qpos, state.mocap_pos, state.mocap_quat
            # Only what a picture depends on: no contacts, no forces.
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            mujoco.mj_camlight(model, data)
            mujoco.mj_tendon(model, data)
            connection.send([renderer.draw(data, camera) for camera in order.cameras])
    except (EOFError, OSError):
        raise
    except Exception as error:
        connection.send(failure(error, "renderer"))


if __name__ == "__main__":
    be_child(serve)
