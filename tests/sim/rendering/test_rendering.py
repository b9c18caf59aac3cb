"""Drawing without a display."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest

from sim.rendering.backend import BACKENDS, CHOICE, SceneRenderer, find_backend

ROOT = Path(__file__).parents[3]

SCENE = """
<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <camera name="front" pos="0 -2 0" xyaxes="1 0 0 0 0 1"/>
    <camera name="behind" pos="0 2 0" xyaxes="-1 0 0 0 0 1"/>
    <geom type="sphere" size="0.2" pos="-0.5 0 0.5" rgba="1 0 0 1"/>
    <geom type="sphere" size="0.2" pos="0.5 0 -0.5" rgba="0 1 0 1" group="2"/>
  </worldbody>
</mujoco>
"""

DISTANCES = """
<mujoco>
  <visual><map znear="{near}" zfar="{far}"/></visual>
  <statistic extent="{extent}" center="0 0 0"/>
  <asset><texture type="skybox" builtin="gradient" rgb1="1 1 1" rgb2="0 0 0" width="64" height="64"/></asset>
  <worldbody>
    <camera name="down" pos="0 0 3" xyaxes="1 0 0 0 1 0"/>
    <camera name="up" pos="0 0 3" xyaxes="1 0 0 0 -1 0"/>
    <camera name="high" pos="0 0 70" xyaxes="1 0 0 0 1 0"/>
    <camera name="below" pos="0 0 60" xyaxes="1 0 0 0 1 0"/>
    <geom type="plane" size="200 200 1"/>
    <geom type="box" size="0.2 0.2 0.1" pos="-0.5 0.5 0.1"/>
    <geom type="box" size="0.05 0.05 0.05" pos="0.1 -0.1 2.6"/>
  </worldbody>
</mujoco>
"""

needs_renderer = pytest.mark.skipif(find_backend() is None, reason="neither EGL nor OSMesa works on this machine")


@pytest.fixture
def scene() -> tuple[Any, Any]:
    model = mujoco.MjModel.from_xml_string(SCENE)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def patch(picture: np.ndarray, row: float, column: float) -> np.ndarray:
    """Mean colour at a place given as fractions of height and width."""
    y, x = int(row * picture.shape[0]), int(column * picture.shape[1])
    return picture[y - 3 : y + 3, x - 3 : x + 3].mean(axis=(0, 1))


@needs_renderer
def test_up_is_up_and_left_is_left(scene: tuple[Any, Any]) -> None:
    model, data = scene
    renderer = SceneRenderer(model, 120, 160)
    front, behind = renderer.draw(data, 0), renderer.draw(data, 1)
    renderer.close()
    assert front.shape == (120, 160, 3)
    assert front.dtype == np.uint8
    red, green = patch(front, 0.2, 0.27), patch(front, 0.8, 0.73)
    assert red[0] > 2 * max(red[1:])
    assert green[1] > 2 * max(green[0], green[2])
    red_from_behind = patch(behind, 0.2, 0.73)
    assert red_from_behind[0] > 2 * max(red_from_behind[1:])


@needs_renderer
def test_hidden_groups_are_not_drawn_and_two_renderers_live_together(scene: tuple[Any, Any]) -> None:
    model, data = scene
    everything, hidden = SceneRenderer(model, 100, 100), SceneRenderer(model, 64, 64, hidden_groups=(2,))
    with_green, without = everything.draw(data, 0), hidden.draw(data, 0)
    np.testing.assert_array_equal(everything.draw(data, 0), with_green)
    assert patch(with_green, 0.8, 0.73)[1] > 50
    assert patch(without, 0.8, 0.73).max() < 10
    everything.close()
    hidden.close()


@needs_renderer
@pytest.mark.parametrize(("near", "far", "extent"), [(0.01, 50, 2.0), (0.001, 50, 1.0), (0.01, 100, 1.0)])
def test_depth_is_the_distance_along_the_axis_in_millimetres(near: float, far: float, extent: float) -> None:
    model = mujoco.MjModel.from_xml_string(DISTANCES.format(near=near, far=far, extent=extent))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer = SceneRenderer(model, 120, 160)
    down, up = renderer.draw_depth(data, 0), renderer.draw_depth(data, 1)
    assert down.shape == (120, 160) and down.dtype == np.uint16
    assert abs(int(down[110, 150]) - 3000) <= 1, "the plane, in a corner as far as in the middle"
    assert abs(int(down[60, 20]) - 3000) <= 1
    place = 120 / (2 * np.tan(np.radians(45) / 2))  # pixels a unit of the image plane
    assert abs(int(down[int(60 - 0.5 / 2.8 * place), int(80 - 0.5 / 2.8 * place)]) - 2800) <= 1, "the top of the box"
    assert abs(int(down[int(60 + 0.1 / 0.35 * place), int(80 + 0.1 / 0.35 * place)]) - 350) <= 1, "the box nearby"
    assert not up.any(), "the sky is nowhere"
    colours = renderer.draw(data, 1)
    assert colours.any(), "colour images keep their sky"
    if far * extent == 100:
        assert not renderer.draw_depth(data, 2).any(), "70 m are more than a uint16 holds"
        np.testing.assert_allclose(np.median(renderer.draw_depth(data, 3)), 60_000, rtol=1e-3)
    renderer.close()


def ask(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if key not in (CHOICE, "MUJOCO_GL", "PYOPENGL_PLATFORM")}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env={**clean, **environment}, capture_output=True, text=True, cwd=ROOT)


def test_a_machine_that_cannot_draw_says_how_to_get_there() -> None:
    code = (
        "import sim\n"
        "from robot.errors import TillerError\n"
        "env = sim.make('robosuite/Lift', render=True); env.reset(seed=0)\n"
        "try: env.render()\n"
        "except TillerError as error: print(error)"
    )
    done = ask(code, **{CHOICE: "none"})
    for package in ("libegl1", "libgl1-mesa-dri", "libosmesa6"):
        assert package in done.stdout


def test_what_was_found_is_left_for_workers() -> None:
    done = ask(
        f"import os; from sim.rendering.backend import find_backend; print(find_backend(), os.environ[{CHOICE!r}])"
    )
    found, left = done.stdout.split()
    assert found in (*BACKENDS, "None")
    assert left == (found if found != "None" else "none")


def test_a_backend_that_opens_no_context_is_not_taken() -> None:
    code = "from sim.rendering.backend import find_backend; print(find_backend())"
    assert ask(code, MUJOCO_GL="egl", MUJOCO_EGL_DEVICE_ID="99").stdout == "None\n"
