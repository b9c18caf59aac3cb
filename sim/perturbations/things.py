"""Perturbations of poses: the task's things displaced, the table higher or lower."""

from __future__ import annotations

import numpy as np

from sim.perturbations.scene import ScenePerturbation
from sim.perturbations.selection import Draw
from sim.perturbations.stage import Stage, turned
from sim.twin.model.scene import TABLE_HALF

EDGE_M = 0.04  # from the edge of the table to the middle of a thing, at least
TRIES = 60
SHRINK = 0.95  # per try


class ObjectPose(ScenePerturbation):
    """Each of the task's things starts elsewhere, on the table and free of whatever it did not touch before."""

    touches = ("body_pos", "body_quat")

    def apply(self, stage: Stage, draw: Draw) -> None:
        before = stage.touching()
        for body in stage.things:
            draw.record[stage.model.body(body).name] = _move(stage, body, draw, before)


def _move(stage: Stage, body: int, draw: Draw, allowed: set[tuple[int, int]]) -> dict[str, list[float] | float]:
    """Move one thing; a try that ends in a collision is repeated, a little shorter, in another direction."""
    position, quat = stage.pose(body)
    own_position, own_quat = position.copy(), quat.copy()
    table = stage.model.body_pos[stage.table]
    edge = np.array(TABLE_HALF[:2]) - EDGE_M
    was_on_table = (abs(own_position[:2] - table[:2]) < edge).all()
    for number in range(TRIES):
        angle, side = draw.random.uniform(-np.pi, np.pi), draw.random.choice([-1.0, 1.0])
        offset = draw.size.offset_m * SHRINK**number * np.array([np.cos(angle), np.sin(angle)])
        turn = float(side * draw.size.turn_rad)
        position[:2] = own_position[:2] + offset
        quat[:] = turned(own_quat, np.array([0.0, 0.0, turn]))
        on_table = (abs(position[:2] - table[:2]) < edge).all()
        if (on_table or not was_on_table) and stage.touching() <= allowed:
            return {"offset_m": offset.round(4).tolist(), "turn_rad": round(turn, 4)}
    position[:], quat[:] = own_position, own_quat
    return {"offset_m": [0.0, 0.0], "turn_rad": 0.0}


class TableHeight(ScenePerturbation):
    """The table with everything on it is moved up or down; robot, floor, lamps and cameras stay."""

    touches = ("body_pos", "site_pos", "geom_pos")

    def apply(self, stage: Stage, draw: Draw) -> None:
        model = stage.model
        offset = float(draw.random.choice([-1.0, 1.0])) * draw.size.offset_m
        for body in (stage.table, *stage.on_table):
            stage.pose(body)[0][2] += offset
        # Marks that a task put into the world itself: what can be touched there is the floor alone.
        model.site_pos[model.site_bodyid == 0, 2] += offset
        marks = (model.geom_bodyid == 0) & ((model.geom_contype | model.geom_conaffinity) == 0)
        marks[stage.scene.id("geom", "floor")] = False
        model.geom_pos[marks, 2] += offset
        draw.record["offset_m"] = round(offset, 4)
