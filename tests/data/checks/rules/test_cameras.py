"""Cameras that freeze, and cameras that were changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.checks.rules.thresholds import Thresholds
from data.checks.validate import validate
from data.edit.repair import repair
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.images.encoding import Encoding
from data.store.images.shards import checked, pack_shard
from data.store.schema import ColumnField, Schema
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from tests.data.checks.rules.stores import BAD, EPISODES, PERIOD_S, ROWS, Build, jpegs, only


@pytest.mark.parametrize("camera", ["front.image", "side.image"])
def test_a_camera_that_freezes_while_the_robot_moves(camera: str, build: Build) -> None:
    def freeze(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        if number == BAD:
            data[camera][20:40] = [data[camera][20]] * 20

    store = build(freeze)
    finding = only(validate(store))
    assert (finding.rule, finding.where, finding.severity) == ("frozen", f"data/{camera}", "warning")
    assert (finding.episode, finding.row) == (BAD, BAD * ROWS + 20) and finding.second == pytest.approx(1.0)
    assert "the same image for 20 rows (1.00 s)" in finding.message and "moves over" in finding.message
    assert validate(store, Thresholds(frozen_s=1.1)).findings == ()


def test_a_camera_may_show_the_same_while_nothing_moves(build: Build) -> None:
    def rest(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        for key in data:
            if key != "time_ns":
                data[key][20:40] = [data[key][20]] * 20

    assert validate(build(rest)).findings == ()


def test_images_of_another_size_spoil_their_episode(build: Build) -> None:
    store = build()
    shard = store / "data" / "front.image" / "c.0.0.0.0"
    # A camera whose size changed in the middle: rows of both, in a shard that is sound.
    small = [bytes(each) for each in jpegs(np.random.default_rng(1), EPISODES * ROWS)]
    large = jpegs(np.random.default_rng(2), 10, 64)
    first = BAD * ROWS + 12
    mixed = [checked(image) for image in (*small[:first], *large, *small[first + 10 :])]
    shard.write_bytes(pack_shard(mixed, 512))
    report = validate(store)
    finding = only(report)
    assert (finding.rule, finding.severity, finding.episode, finding.row) == ("camera", "error", BAD, first)
    assert finding.second == pytest.approx(12 * PERIOD_S)
    assert "10 images" in finding.message and "64 x 64 pixels" in finding.message and "32 x 32" in finding.message
    repaired = repair(store, store.parent / "repaired")
    assert [each.where for each in repaired.findings] == [f"episode {BAD}"]
    assert validate(store.parent / "repaired").ok


def test_a_camera_that_encodes_otherwise_from_an_episode_on(build: Build) -> None:
    def other(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        if number >= BAD:
            data["front.image"] = jpegs(np.random.default_rng(number), ROWS, quality=50)

    finding = only(validate(build(other)))
    assert (finding.rule, finding.where, finding.episode) == ("camera", "data/front.image", BAD)
    assert finding.second == 0 and "quantisation" in finding.message


def test_episodes_recorded_with_other_parameters_are_named(build: Build) -> None:
    def recording(number: int) -> str:
        return json.dumps({"contract": {"name": "lab", "operational_hash": "a" if number < BAD else "b"}})

    finding = only(validate(build(recording=recording)))
    assert (finding.rule, finding.where, finding.episode) == ("camera", "meta/recording", BAD)
    assert "contract lab (b)" in finding.message


@pytest.mark.parametrize("fact", ["[" * 100_000, '{"contract": 3}', "\x1b[2J", '{"contract": {"name": {}}}'])
def test_what_a_recording_says_may_be_anything(fact: str, build: Build) -> None:
    assert validate(build(recording=lambda number: fact)).findings == ()


def test_small_encoded_images_that_are_no_observation_are_images_too(tmp_path: Path) -> None:
    field = ObservationField("state", (1,), "float32", "1", "state")
    action = ActionSpec((ActionField("target", 1, "1", "native"),), 0.1)
    mask = ColumnField("mask", (8, 8), "uint8", "1")
    schema = Schema(ObservationSpec((field,)), action, 0.1, columns=(mask,), encodings={"mask": Encoding("png")})
    with Dataset.create(tmp_path / "store", schema) as dataset:
        for number in range(6):
            rows = np.sin(np.arange(40)[:, None] / 8 + number).astype(np.float32)
            masks = np.random.default_rng(number).integers(0, 2, (40, 8, 8), dtype=np.uint8)
            masks[10:30] = masks[10] if number == BAD else masks[10:30]
            dataset.append(Episode({"state": rows, "action": rows, "mask": masks}))
    finding = only(validate(tmp_path / "store"))
    assert (finding.rule, finding.where, finding.episode) == ("frozen", "data/mask", BAD)
    assert validate(tmp_path / "store", decode=True).findings == (finding,)


def test_a_slow_camera_repeats_its_images_and_is_not_frozen(build: Build) -> None:
    def slow(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        images = data["side.image"]
        images[:] = images[np.arange(ROWS) // 12 * 12]  # every 0.6 s
        if number == BAD:
            images[12:] = images[12]

    finding = only(validate(build(slow)))
    assert (finding.rule, finding.episode, finding.row) == ("frozen", BAD, BAD * ROWS + 12)


def test_a_camera_that_never_gives_another_image_is_frozen_in_every_episode(build: Build) -> None:
    def stuck(number: int, data: dict[str, Any], streams: dict[str, Any]) -> None:
        data["side.image"][:] = data["side.image"][0]

    findings = validate(build(stuck)).findings
    assert [(each.rule, each.episode) for each in findings] == [("frozen", number) for number in range(EPISODES)]
