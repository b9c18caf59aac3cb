"""Dirt goes where a sponge rubs with 5 to 15 N, and nowhere else; the force that is read is the force that presses."""

from __future__ import annotations

import json
from typing import Any, Iterator

import mujoco
import numpy as np
import pytest

import sim
from robot.control.rotation import quat_wxyz_from_matrix
from sim.evaluation.collect import record
from sim.experts.twin.wipe import ORDERS
from sim.tasks.twin.wipe import BAND_N, DIRT, MARKS, MIDDLE, NO_DIRT, PAD_HALF, PAD_STIFFNESS

PERIOD_NS = 50_000_000


@pytest.fixture(scope="module")
def env() -> Iterator[Any]:
    made: Any = sim.make("twin/wipe")
    yield made
    made.close()


@pytest.fixture(scope="module")
def kept() -> list[float]:
    """Of each of the episodes, the part of its way that was rubbed within the band."""
    return []


@pytest.fixture(scope="module")
def episodes(env: Any, kept: list[float]) -> list[Any]:
    found = []
    for seed in range(8):
        found.append(record(env, seed))
        kept.append(env.twin_task.kept)
    return found


class Rubber:
    """Rubs the sponge along the stroke without a hand: forces on its pad, given by hand.

    Args:
        env: of the task.
        seed: of the board and the stroke.
    """

    def __init__(self, env: Any, seed: int = 2) -> None:
        env.reset(seed=seed)
        self.env, self.scene, self.task = env, env.scene, env.twin_task
        scene = self.scene
        self.model, self.data = scene.model, scene.data
        self.sponge, self.pad = scene.id("body", "sponge"), scene.id("body", "sponge_pad")
        seen = self.task.observe()
        start, end = seen["stroke.start"].astype(float), seen["stroke.end"].astype(float)
        self.along = (end - start) / np.linalg.norm(end - start)
        self.normal = self.data.xmat[scene.id("body", "board")].reshape(3, 3)[:, 2].copy()
        side = np.cross(self.normal, self.along)
        turn = np.stack([self.along, side, self.normal], axis=1)
        scene.put("sponge", start + MIDDLE * self.normal, quat_wxyz=quat_wxyz_from_matrix(turn))
        self.data.qvel[:] = 0
        mujoco.mj_forward(self.model, self.data)

    def go(self, force: float, speed: float, rows: int) -> None:
        """Press with `force` N besides the weight, move with `speed` m/s along the stroke, for some control periods."""
        weight = 0.07 * self.model.opt.gravity
        for _ in range(rows):
            for _ in range(5):
                moving = self.data.cvel[self.pad, 3:] @ self.along
                pull = np.clip(0.4 * force * np.sign(speed) + 3.0 * (speed - moving), -20, 20)
                # What gravity does is taken away, so that the force asked for is all there is.
                self.data.xfrc_applied[self.sponge, :3] = -force * self.normal - weight
                self.data.xfrc_applied[self.pad, :3] = pull * self.along
                self.env.robot.run_for(PERIOD_NS // 5)
            self.task.update()

    def done(self) -> None:
        self.data.xfrc_applied[:] = 0


def summed(scene: Any) -> float:
    """N: normal forces of all contacts of pad and board."""
    mujoco.mj_forward(scene.model, scene.data)
    total, one = 0.0, np.zeros(6)
    for number, contact in enumerate(scene.data.contact):
        if {scene.model.geom(geom).name for geom in contact.geom} == {"sponge_pad", "board"}:
            mujoco.mj_contactForce(scene.model, scene.data, number, one)
            total += one[0]
    return total


@pytest.mark.parametrize("force", [2.0, 10.0, 18.0])
def test_the_force_read_is_what_presses_and_what_the_contacts_sum_to(env: Any, force: float) -> None:
    rubber = Rubber(env)
    rubber.go(force, 0.0, 10)
    assert env.twin_task.force == pytest.approx(force, rel=0.01)
    assert summed(env.scene) == pytest.approx(force, rel=0.01)
    # The pad's own weight lies on the board, not on the spring.
    spring = env.scene.data.joint("sponge_pad").qpos[0] * PAD_STIFFNESS
    assert spring == pytest.approx(force - 0.02 * 9.81, rel=0.01)
    rubber.done()


@pytest.mark.parametrize(("force", "cleans"), [(3.5, False), (6.0, True), (10.0, True), (14.0, True), (17.0, False)])
def test_only_a_force_in_the_band_cleans(env: Any, force: float, cleans: bool) -> None:
    rubber = Rubber(env)
    rubber.go(force, 0.0, 6)
    rubber.go(force, 0.1, 30)
    assert env.twin_task.clean.any() == cleans
    assert env.twin_task.kept == (pytest.approx(1.0, abs=0.1) if cleans else 0.0)
    rubber.done()


def test_pressing_without_rubbing_cleans_nothing(env: Any) -> None:
    rubber = Rubber(env)
    rubber.go(10.0, 0.0, 40)
    assert not env.twin_task.clean.any()
    rubber.done()


def test_only_what_the_pad_has_rubbed_over_is_clean(env: Any) -> None:
    rubber = Rubber(env)
    rubber.go(10.0, 0.0, 6)
    rubber.go(10.0, 0.1, 13)
    seen, clean = env.twin_task.observe(), env.twin_task.clean
    np.testing.assert_array_equal(seen["stroke.dirt"], ~clean)
    reached = (rubber.data.xpos[rubber.pad] - seen["stroke.start"]) @ rubber.along + PAD_HALF[0]
    places = np.linspace(0, np.linalg.norm(seen["stroke.end"] - seen["stroke.start"]), MARKS)
    assert clean.any() and not clean[places > reached - 0.03 + 0.006].any()
    colours = env.scene.model.site_rgba[[env.scene.id("site", f"mark{number}") for number in range(MARKS)]]
    np.testing.assert_allclose(colours, np.where(clean[:, None], NO_DIRT, DIRT), rtol=1e-6)
    assert env.twin_task.score() == clean.mean() and not env.twin_task.success()
    rubber.done()


def test_a_reset_brings_the_dirt_back(env: Any) -> None:
    rubber = Rubber(env)
    rubber.go(10.0, 0.1, 30)
    rubber.done()
    assert env.twin_task.clean.any()
    seen, _ = env.reset(seed=5)
    assert seen["stroke.dirt"].all() and env.twin_task.score() == 0.0 and env.twin_task.kept == 0.0
    sites = [env.scene.id("site", f"mark{number}") for number in range(MARKS)]
    np.testing.assert_allclose(env.scene.model.site_rgba[sites], np.tile(DIRT, (MARKS, 1)), rtol=1e-6)


def test_the_stroke_lies_on_the_board_and_the_sponge_beside_it(env: Any) -> None:
    tilts = []
    for seed in range(60):
        seen, _ = env.reset(seed=seed)
        board = env.scene.data.xmat[env.scene.id("body", "board")].reshape(3, 3)
        for end in ("stroke.start", "stroke.end"):
            x, y, z = board.T @ (seen[end] - seen["board.position"])
            assert abs(z) < 1e-6 and max(abs(x), abs(y)) < 0.13
        assert np.linalg.norm(seen["stroke.end"] - seen["stroke.start"]) == pytest.approx(0.16, abs=1e-5)
        tilts.append(np.arccos(board[2, 2]))
        touching = {env.scene.model.geom(number).name for number in env.scene.data.contact.geom.ravel()}
        assert touching <= {"sponge_pad", "table"}
    assert max(tilts) > 0.1 and max(tilts) <= 0.12


def test_the_expert_wipes_in_every_order_and_stays_in_the_band(episodes: list[Any], kept: list[float]) -> None:
    assert all(bool(each.meta["success"]) for each in episodes)
    assert len(kept) == len(episodes) and min(kept) >= 0.9
    assert {json.loads(each.meta["strategy"])["order"] for each in episodes} == set(ORDERS)


def test_the_expert_holds_the_force_that_it_drew(episodes: list[Any]) -> None:
    for episode in episodes:
        felt, aim = episode.data["sponge.force"][:, 0], json.loads(episode.meta["strategy"])["force"]
        assert felt.max() < BAND_N[1] + 1
        assert np.median(felt[felt > BAND_N[0]]) == pytest.approx(aim, abs=1.5)


def test_the_wrist_feels_what_the_board_does(episodes: list[Any]) -> None:
    for episode in episodes:
        rubbing = episode.data["sponge.force"][:, 0] > BAND_N[0]
        along_normal = episode.data["tcp.wrench"][rubbing, 2]
        weight = 0.07 * 9.81
        assert np.median(episode.data["sponge.force"][rubbing, 0] - along_normal) == pytest.approx(weight, abs=0.5)


def test_dirt_only_ever_gets_less(episodes: list[Any]) -> None:
    for episode in episodes:
        assert (np.diff(episode.data["stroke.dirt"], axis=0) <= 0).all()


def test_another_arm_wipes_too() -> None:
    env: Any = sim.make("twin/wipe", robot="ur5e")
    for seed in range(3):
        assert record(env, seed).meta["success"] and env.twin_task.kept >= 0.9
    env.close()
