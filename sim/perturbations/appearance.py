"""Perturbations of what a twin looks like: light, colours and patterns, cameras. Nothing but images changes."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from robot.description.loading import RobotDescription
from sim.perturbations.scene import ScenePerturbation
from sim.perturbations.selection import Draw
from sim.perturbations.stage import Stage, any_direction, turned

PATTERN = "pattern"
_BUILTIN = mujoco.mjtBuiltin
# Kind of pattern, how often it repeats along each side, how dark its second colour is.
PATTERNS = (
    (_BUILTIN.mjBUILTIN_CHECKER, 3.0, 0.55),
    (_BUILTIN.mjBUILTIN_CHECKER, 10.0, 0.8),
    (_BUILTIN.mjBUILTIN_GRADIENT, 1.0, 0.4),
    (_BUILTIN.mjBUILTIN_GRADIENT, 6.0, 0.7),
)
_UNSAID = np.float32(0.5), np.float32(0.5), np.float32(0.5), np.float32(1.0)  # a geom's colour where none is given


class Lighting(ScenePerturbation):
    """Lamps shine from another direction; lamps and headlight are brighter or darker, and tinted."""

    touches = ("light_dir", "light_diffuse", "vis.headlight.ambient", "vis.headlight.diffuse")

    def apply(self, stage: Stage, draw: Draw) -> None:
        model, random, size = stage.model, draw.random, draw.size
        tilt = size.tilt_rad * _level_direction(random)
        gain = float(size.gain ** random.choice([-1.0, 1.0]))
        tint = 1.0 + size.tint * random.uniform(-1.0, 1.0, 3)
        for lamp in range(model.nlight):
            mujoco.mju_rotVecQuat(model.light_dir[lamp], model.light_dir[lamp].copy(), turned(_STRAIGHT, tilt))
        model.light_diffuse[:] *= (gain * tint).astype(np.float32)
        for part in (model.vis.headlight.ambient, model.vis.headlight.diffuse):
            part[:] = part * gain * tint
        draw.record.update(tilt_rad=tilt.round(3).tolist(), gain=round(gain, 3), tint=tint.round(3).tolist())


class Textures(ScenePerturbation):
    """Table, floor, background and things take other colours; table and floor may take a pattern."""

    touches = ("geom_rgba", "geom_matid", "tex_data")

    def extend(self, spec: mujoco.MjSpec, description: RobotDescription, size: Any) -> None:
        for number, (kind, repeat, dark) in enumerate(PATTERNS):
            name = f"{PATTERN}{number}"
            spec.add_texture(
                name=name,
                type=mujoco.mjtTexture.mjTEXTURE_2D,
                builtin=kind,
                width=128,
                height=128,
                rgb1=[1.0, 1.0, 1.0],
                rgb2=[dark] * 3,
            )
            material = spec.add_material(name=name, texrepeat=[repeat, repeat])
            material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name

    def apply(self, stage: Stage, draw: Draw) -> None:
        model, random, mix = stage.model, draw.random, draw.size.mix
        ground = [stage.scene.id("geom", "table"), stage.scene.id("geom", "floor")]
        # One colour per body, so that its parts look alike.
        for geoms in [np.array([each]) for each in ground] + [stage.geoms_of([body]) for body in stage.task]:
            colour = random.uniform(0.0, 1.0, 3)
            for geom in geoms:
                model.geom_rgba[geom, :3] = (1 - mix) * _colour(model, geom) + mix * colour
        self._paint_sky(model, mix, random.uniform(0.0, 1.0, 3))
        choices = random.integers(len(PATTERNS), size=len(ground))
        if draw.size.patterned:
            for geom, choice in zip(ground, choices):
                model.geom_matid[geom] = model.material(f"{PATTERN}{choice}").id
            draw.record["patterns"] = choices.tolist()

    @staticmethod
    def _paint_sky(model: mujoco.MjModel, mix: float, colour: np.ndarray) -> None:
        sky = model.texture("sky").id
        start, channels = model.tex_adr[sky], model.tex_nchannel[sky]
        pixels = model.tex_data[start : start + model.tex_height[sky] * model.tex_width[sky] * channels]
        rows = pixels.reshape(-1, channels)
        rows[:, :3] = np.rint((1 - mix) * rows[:, :3] + mix * 255 * colour)


class Camera(ScenePerturbation):
    """Each observed camera is moved, turned and zoomed by itself."""

    touches = ("cam_pos", "cam_quat", "cam_fovy")

    def apply(self, stage: Stage, draw: Draw) -> None:
        model, random, size = stage.model, draw.random, draw.size
        for camera in stage.cameras:
            offset, turn = size.offset_m * any_direction(random), size.turn_rad * any_direction(random)
            view = float(size.view_deg * random.choice([-1.0, 1.0]))
            model.cam_pos[camera] += offset
            model.cam_quat[camera] = turned(model.cam_quat[camera], turn)
            model.cam_fovy[camera] += view
            draw.record[model.camera(camera).name] = {
                "offset_m": offset.round(4).tolist(),
                "turn_rad": turn.round(4).tolist(),
                "view_deg": view,
            }


_STRAIGHT = np.array([1.0, 0.0, 0.0, 0.0])


def _level_direction(random: np.random.Generator) -> np.ndarray:
    angle = random.uniform(-np.pi, np.pi)
    return np.array([np.cos(angle), np.sin(angle), 0.0])


def _colour(model: mujoco.MjModel, geom: int) -> np.ndarray:
    """The colour (3,) that a geom is drawn in: its own, or that of its material where it has none."""
    material = model.geom_matid[geom]
    unsaid = material >= 0 and tuple(model.geom_rgba[geom]) == _UNSAID
    return (model.mat_rgba[material] if unsaid else model.geom_rgba[geom])[:3].copy()
