"""Messages of streams become the keys of an observation, in one way for all who read them."""

from __future__ import annotations

import struct
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from PIL import Image as Pillow
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage

from real.ros.messages import (
    header_of,
    image_message,
    joint_state_message,
    pose_message,
    values_message,
    vector_message,
    wrench_message,
)
from real.ros.streams import read_stream, state_type
from robot.contract.contract import Contract, Stream
from robot.contract.loading import describe, load_contract
from robot.control.observation.alignment import Alignment
from robot.control.observation.encoded import EncodedImage
from robot.control.observation.recordable import recordable
from robot.control.observation.sources import recording_sources
from robot.control.observation.streams import StreamReader, stream_readers
from robot.errors import InputError

pytestmark = pytest.mark.together
STAMP = 1_700_000_000_123_456_789


@pytest.fixture(scope="module")
def contract() -> Contract:
    found = load_contract("panda_twin")
    more = {
        "force": Stream("force", "wrench", 500),
        "skin": Stream("skin", "vector", 50),
        "side": Stream("side/compressed", "image", 30, size=(24, 32), compressed=True),
        "deep": Stream("deep/compressedDepth", "depth", 30, size=(24, 32), compressed=True),
        "smaller": Stream("smaller/compressed", "image", 30, size=(24, 32), compressed=True, encoding="jpeg"),
    }
    return replace(found, state={**found.state, **more})


def read(contract: Contract, name: str, message: Any, **options: Any) -> tuple[dict[str, Any], int]:
    """The message as another process gets it, read."""
    wired = deserialize_message(serialize_message(message), state_type(contract.state[name]))
    readers = options.pop("readers", None) or stream_readers(contract)
    return read_stream(contract, describe(contract), readers, name, wired, **options)


def encoded(image: np.ndarray, form: str) -> bytes:
    file = BytesIO()
    Pillow.fromarray(image).save(file, form)
    return file.getvalue()


def colour(height: int = 24, width: int = 32) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 4, columns * 4, rows + columns], -1).astype(np.uint8)


def compressed(data: bytes, form: str) -> CompressedImage:
    return CompressedImage(header=header_of(STAMP), format=form, data=data)


def test_a_wrench_has_its_forces_and_torques(contract: Contract) -> None:
    wrench = np.array([1.0, -2.0, 3.0, 0.1, -0.2, np.nextafter(0.3, 1)])
    values, stamp_ns = read(contract, "force", wrench_message(wrench, STAMP, "tool0"))
    assert stamp_ns == STAMP and list(values) == ["tcp.wrench"]
    assert values["tcp.wrench"].tobytes() == wrench.tobytes()


def test_a_vector_has_its_own_stamp_or_that_of_its_receipt(contract: Contract) -> None:
    numbers = np.arange(16.0) / 7
    values, stamp_ns = read(contract, "skin", vector_message(numbers, STAMP), received_ns=5)
    assert stamp_ns == STAMP and values["skin"].tobytes() == numbers.tobytes()
    assert read(contract, "skin", vector_message(numbers), received_ns=5)[1] == 5


def test_joints_have_their_speeds_and_efforts_where_they_are_read(contract: Contract) -> None:
    names = [joint.ros for joint in contract.maps["arm"]]
    message = joint_state_message(
        names, np.arange(7.0), STAMP, velocity=np.arange(7.0) / 10, effort=np.arange(7.0) * 10
    )
    values, stamp_ns = read(contract, "arm", message)
    assert stamp_ns == STAMP and set(values) == {*contract_joints(contract), "arm.joints"}
    readers = {"arm": StreamReader(contract, "arm", velocities=True, efforts=True)}
    values, _ = read(contract, "arm", message, readers=readers)
    np.testing.assert_array_equal(values["arm.velocities"], np.arange(7.0) / 10)
    np.testing.assert_array_equal(values["arm.efforts"], np.arange(7.0) * 10)
    bare = joint_state_message(names, np.arange(7.0), STAMP)
    assert "arm.velocities" not in read(contract, "arm", bare, readers=readers)[0]


def contract_joints(contract: Contract) -> list[str]:
    return [joint.name for joint in contract.maps["arm"]]


def test_a_poses_and_a_tasks_numbers_are_read_as_ever(contract: Contract) -> None:
    pose = pose_message(np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 0.0, 1.0]), STAMP, "base")
    values, _ = read(contract, "pose", pose)
    np.testing.assert_array_equal(values["tcp.rotation"], [1, 0, 0, 0, 1, 0])
    values, _ = read(contract, "task", values_message({"object.position": np.arange(3.0)}, STAMP))
    np.testing.assert_array_equal(values["object.position"], np.arange(3.0))


def test_a_cameras_jpeg_is_decoded_for_a_policy_and_stays_as_it_came_for_a_recorder(contract: Contract) -> None:
    data = encoded(colour(), "JPEG")
    message = compressed(data + bytes(100), "jpeg")  # the camera pads its images
    pixels, stamp_ns = read(contract, "side", message)
    assert stamp_ns == STAMP and pixels["side.image"].shape == (24, 32, 3)
    kept, _ = read(contract, "side", message, decode=False)
    image = kept["side.image"]
    assert isinstance(image, EncodedImage) and image == data
    assert (image.shape, image.dtype) == ((24, 32, 3), "uint8")
    # A contract that has it stored otherwise gets pixels, and so does what is no JPEG.
    assert isinstance(read(contract, "smaller", message, decode=False)[0]["smaller.image"], np.ndarray)
    png = read(contract, "side", compressed(encoded(colour(), "PNG"), "png"), decode=False)[0]["side.image"]
    np.testing.assert_array_equal(png, colour())
    raw = read(contract, "front", image_message(colour(), STAMP), decode=False)[0]["front.image"]
    np.testing.assert_array_equal(raw, colour())


def test_depth_in_millimetres_stays_a_png_and_depth_of_floats_is_turned_back(contract: Contract) -> None:
    depth = np.random.default_rng(0).integers(0, 65536, (24, 32)).astype(np.uint16)
    png = encoded(depth, "PNG")
    message = compressed(struct.pack("<iff", 0, 0, 0) + png, "16UC1; compressedDepth png")
    np.testing.assert_array_equal(read(contract, "deep", message)[0]["deep.depth"], depth)
    kept = read(contract, "deep", message, decode=False)[0]["deep.depth"]
    assert isinstance(kept, EncodedImage) and kept == png and (kept.shape, kept.dtype) == ((24, 32), "uint16")
    floats = compressed(struct.pack("<iff", 0, 1000.0, 0) + png, "32FC1; compressedDepth png")
    turned = read(contract, "deep", floats, decode=False)[0]["deep.depth"]
    assert isinstance(turned, np.ndarray) and turned.dtype == np.uint16


@pytest.mark.parametrize("decode", [True, False])
def test_an_image_that_is_damaged_is_refused_for_everybody(contract: Contract, decode: bool) -> None:
    data = encoded(colour(), "JPEG")
    for broken in (data[:-2], data[: len(data) // 2], b"", b"nothing"):
        with pytest.raises(InputError, match="a JPEG or a PNG, whole"):
            read(contract, "side", compressed(broken, "jpeg"), decode=decode)


def test_rows_of_a_recorder_hold_the_bytes_that_the_camera_sent(contract: Contract) -> None:
    contract = replace(contract, state={name: contract.state[name] for name in ("side", "pose")})
    spec = recordable(contract, describe(contract))
    alignment = Alignment(spec, recording_sources(contract, describe(contract), spec))
    data = encoded(colour(), "JPEG")
    values, stamp_ns = read(contract, "side", compressed(data, "jpeg"), decode=False)
    assert alignment.add("side", values, stamp_ns) == ""
    pose = pose_message(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]), STAMP, "base")
    assert alignment.add("pose", *read(contract, "pose", pose)) == ""
    row = alignment.row(STAMP)
    assert row is not None and row["side.image"] == data
    values, _ = read(contract, "side", compressed(encoded(colour(20, 32), "JPEG"), "jpeg"), decode=False)
    assert "expected uint8 (24, 32, 3), got uint8 (20, 32, 3)" in alignment.add("side", values, STAMP + 1)
