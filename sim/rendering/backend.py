"""Draw MuJoCo scenes without a display, on EGL or on OSMesa, whichever works here.

Which one works is probed once, in a child process: a broken driver can end the process that tries it, and the first
OpenGL platform that a process loads stays for good. The result is kept in the environment for workers.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from robot.errors import TillerError

BACKENDS = ("egl", "osmesa")
CHOICE = "TILLER_GL"  # environment variable: the backend that works, or `none`

_PROBE = "from sim.rendering.backend import open_context; open_context({backend!r}, 16, 16).free()"
_PROBE_SECONDS = 60
_FARTHEST_MM = 65535.0  # largest uint16


@cache
def find_backend() -> str | None:
    """The first of EGL and OSMesa that opens an off-screen context here; None where neither does.

    `MUJOCO_GL` set to one of them beforehand decides which one is tried.
    """
    known = os.environ.get(CHOICE)
    if known:
        return known if known in BACKENDS else None
    wished = os.environ.get("MUJOCO_GL", "").lower()
    candidates = (wished,) if wished in BACKENDS else BACKENDS
    backend_here = next((backend for backend in candidates if _opens(backend)), None)
    os.environ[CHOICE] = backend_here or "none"
    return backend_here


def require_backend() -> str:
    """The backend to draw with, set as MuJoCo's own choice too.

    Raises:
        TillerError: neither works; the message names the packages to install.
    """
    backend = find_backend()
    if backend is None:
        raise TillerError(
            "Nothing to draw with: neither EGL nor OSMesa opens an off-screen OpenGL context here. On Debian or Ubuntu "
            "get one of them with: apt install libegl1 libgl1-mesa-dri (EGL), or apt install libosmesa6 (OSMesa). "
            f"If one was just installed, unset {CHOICE} and MUJOCO_GL"
        )
    os.environ["MUJOCO_GL"] = backend
    return backend


def open_context(backend: str, width: int, height: int) -> Any:
    """An off-screen OpenGL context of MuJoCo's for images up to (height, width), made current."""
    os.environ["PYOPENGL_PLATFORM"] = backend
    context = import_module(f"mujoco.{backend}").GLContext(width, height)
    context.make_current()
    return context


class SceneRenderer:
    """Colour and depth images of one model, from any of its cameras. Fast: no shadows, reflections or multisampling.

    Args:
        model: the `mujoco.MjModel`.
        height, width: of the images in pixels.
        hidden_groups: groups of geoms that are not drawn, such as collision shapes.
    """

    def __init__(self, model: Any, height: int, width: int, *, hidden_groups: tuple[int, ...] = ()) -> None:
        import mujoco

        self._mujoco, self._model = mujoco, model
        self._context = open_context(require_backend(), width, height)
        model.vis.global_.offwidth = max(width, model.vis.global_.offwidth)
        model.vis.global_.offheight = max(height, model.vis.global_.offheight)
        model.vis.quality.offsamples = 0
        model.vis.quality.shadowsize = 0  # a map of shadows that are not drawn takes 64 MB
        self._gpu = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        # 1 at the near plane, 0 at the far one: floats are dense near 0, where distance is coarse in the buffer.
        self._gpu.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._gpu)
        self._scene = mujoco.MjvScene(model, maxgeom=2000)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._scene.flags[flag] = False
        self._options = mujoco.MjvOption()
        for group in hidden_groups:
            self._options.geomgroup[group] = False
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._view = mujoco.MjrRect(0, 0, width, height)
        self._pixels = np.empty((height, width, 3), dtype=np.uint8)
        self._buffer = np.empty((height, width), dtype=np.float32)

    def draw(self, data: Any, camera: int) -> np.ndarray:
        """The scene of an `mujoco.MjData` from the camera with that id, (height, width, 3) uint8 RGB."""
        self._render(data, camera, sky=True)
        self._mujoco.mjr_readPixels(self._pixels, None, self._view, self._gpu)
        return self._pixels[::-1].copy()  # OpenGL's rows start at the bottom

    def draw_depth(self, data: Any, camera: int) -> np.ndarray:
        """Depth along the camera's axis, (height, width) uint16 mm.

        0 where nothing is hit, and beyond 65.535 m.
        """
        self._render(data, camera, sky=False)  # the sky is a box, of some size
        self._mujoco.mjr_readPixels(None, self._buffer, self._view, self._gpu)
        extent, planes = self._model.stat.extent, self._model.vis.map
        near, far = planes.znear * extent, planes.zfar * extent
        # With 1 at the near plane and 0 at the far one, the perspective division inverts to this.
        mm = 1000.0 * near * far / (near + self._buffer[::-1].astype(np.float64) * (far - near))
        seen = (self._buffer[::-1] > 0.0) & (mm <= _FARTHEST_MM)
        return np.where(seen, np.rint(mm), 0.0).astype(np.uint16)

    def _render(self, data: Any, camera: int, *, sky: bool) -> None:
        mujoco = self._mujoco
        self._context.make_current()
        self._camera.fixedcamid = camera
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SKYBOX] = sky
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(self._model, data, self._options, None, self._camera, everything, self._scene)
        mujoco.mjr_render(self._view, self._scene, self._gpu)

    def repaint(self) -> None:
        """Upload the model's textures again after a change: the renderer has a copy."""
        self._context.make_current()
        for texture in range(self._model.ntex):
            self._mujoco.mjr_uploadTexture(self._model, self._gpu, texture)

    def close(self) -> None:
        self._gpu.free()
        self._context.free()


def _opens(backend: str) -> bool:
    environment = {**os.environ, "MUJOCO_GL": backend, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environment.pop("PYOPENGL_PLATFORM", None)
    command = [sys.executable, "-c", _PROBE.format(backend=backend)]
    try:
        return subprocess.run(command, env=environment, capture_output=True, timeout=_PROBE_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False
