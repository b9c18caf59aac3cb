"""The store of a recording: of one robot, rate, task and set of cameras, and refused with a table for another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.images.encoding import Encoding
from data.store.schema import ACTION, Schema
from real.recorder.recording import bytes_per_second, disk_minutes, open_recording, recording_schema, require_place
from robot.contract.contract import Contract
from robot.description import ObservationField, ObservationSpec
from robot.errors import InputError
from tests.real.recorder.contracts import SMALL, picture, robot_contract

pytestmark = pytest.mark.together

JOINTS = ObservationField("arm.joints", (7,), "float32", "rad", "joint")
FRONT = ObservationField("front.image", (*SMALL, 3), "uint8", "1", "image")
TASK = "twin/lift"


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    return robot_contract(tmp_path_factory.mktemp("contract"))


def schema(contract: Contract, *fields: ObservationField, encoding: str = "jpeg") -> Schema:
    fields = fields or (JOINTS, FRONT)
    images = {field.name: Encoding(encoding) for field in fields if field.is_image}
    return recording_schema(contract, ObservationSpec(fields), images)


def episode(schema: Schema, rows: int = 3) -> Episode:
    data: dict[str, Any] = {
        name: np.zeros((rows, *field.shape), field.dtype) for name, field in schema.row_fields.items()
    }
    data["front.image"] = np.stack([picture(number) for number in range(rows)])
    data["time_ns"] = np.arange(rows, dtype=np.int64)
    kinds: dict[str, Any] = {"string": "", "bool": True, "int64": 5, "float64": 0.0}
    meta = {name: kinds[field.dtype] for name, field in schema.meta_fields.items()}
    streams = {
        name: (np.zeros((2, *field.shape)), np.arange(2, dtype=np.int64))
        for name, field in schema.stream_fields.items()
    }
    return Episode(data, meta, streams)


def refusal(folder: Path, contract: Contract, schema: Schema, task: str = TASK) -> str:
    with pytest.raises(InputError) as caught:
        open_recording(folder, contract, schema, task)
    assert "Take another output=, or the robot, task= and cameras= that it was made with" in str(caught.value)
    with Dataset.open(folder, mode="a"):  # a refusal leaves no lock behind
        return str(caught.value)


def test_a_recording_is_made_and_goes_on_when_it_is_opened_again(tmp_path: Path, contract: Contract) -> None:
    own, folder = schema(contract), tmp_path / "new" / "store"
    require_place(folder, contract, TASK)
    for count in (1, 2):
        with open_recording(folder, contract, own, TASK) as dataset:
            dataset.append(episode(own))
            assert len(dataset) == count
        require_place(folder, contract, TASK)
    recorded = Dataset.open(folder)
    assert recorded.attributes["task"] == TASK and recorded.schema == own
    assert recorded.attributes["contract"]["operational"]["state"]["front"]["topic"] == "front/color/image_raw"


def test_a_recording_of_something_else_is_refused_with_what_differs(tmp_path: Path, contract: Contract) -> None:
    folder = tmp_path / "store"
    open_recording(folder, contract, schema(contract), TASK).close()
    assert "twin/push" in refusal(folder, contract, schema(contract), "twin/push")
    slower = replace(contract, period_s=0.1)
    lines = refusal(folder, slower, schema(slower))
    assert "period_s" in lines and "0.05" in lines and "0.1" in lines and "contract" in lines
    larger = replace(FRONT, shape=(48, 64, 3))
    assert "column front.image" in refusal(folder, contract, schema(contract, JOINTS, larger))
    wrist = replace(FRONT, name="wrist.image")
    lines = refusal(folder, contract, schema(contract, JOINTS, FRONT, wrist))
    assert "column wrist.image" in lines and "encoding of wrist.image" in lines
    assert "encoding of front.image" in refusal(folder, contract, schema(contract, encoding="png"))
    with pytest.raises(InputError, match="twin/push"):
        require_place(folder, contract, "twin/push")


def test_a_place_with_other_files_is_refused_before_anything_is_started(tmp_path: Path, contract: Contract) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for place, got in ((tmp_path, "other files"), (tmp_path / "notes.txt", "a file")):
        with pytest.raises(InputError, match=got):
            require_place(place, contract, "")
        with pytest.raises(InputError):
            open_recording(place, contract, schema(contract), "")
    assert (tmp_path / "notes.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    require_place(tmp_path / "empty", contract, "")


def test_a_recording_holds_every_number_of_its_streams_and_says_their_units(contract: Contract) -> None:
    own = schema(contract)
    fields = own.stream_fields
    assert tuple(fields) == ("command", "arm", "pose", "gripper")
    assert fields["arm"].shape == (7,) and fields["arm"].unit == " ".join(["rad"] * 7)
    assert fields["gripper"].unit == "m" and fields["pose"].shape == (9,)
    assert fields["command"].shape == (own.row_fields[ACTION].shape) == (10,)


def test_how_long_a_disk_lasts_counts_pictures_rows_and_streams(tmp_path: Path, contract: Contract) -> None:
    without = bytes_per_second(schema(contract, JOINTS), contract)
    with_camera = bytes_per_second(schema(contract), contract)
    assert with_camera - without == pytest.approx(24 * 32 * 0.25 / 0.05)
    assert without > 200 * 8 * (10 + 7 + 9 + 1)
    assert disk_minutes(tmp_path / "not" / "there", 1e6) == pytest.approx(disk_minutes(tmp_path, 1e6), rel=0.01)
