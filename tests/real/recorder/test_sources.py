"""What a recorder makes of the messages of each type of stream, and what it refuses by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from data.store.images.encoding import encode_jpeg
from real.recorder.incoming.sources import Measurement, RecordedStreams
from real.ros.reading import EpisodeNotice, Refusal
from robot.control.observation.encoded import EncodedImage
from robot.description import ObservationField, ObservationSpec
from robot.errors import InputError
from tests.real.recorder.contracts import (
    SMALL,
    as_jpeg,
    as_png,
    compressed,
    joints,
    picture,
    pose,
    raw,
    robot_contract,
    vector,
    wrench,
)

pytestmark = pytest.mark.together

NOW = 1_700_000_000_000_000_000
MS = 1_000_000
IMAGE = {"topic": "cam", "type": "image", "rate_hz": 30}
DEPTH = {"topic": "cam", "type": "depth", "rate_hz": 30}
CAMERAS = ("front", "wrist")


def camera(folder: Path, **stream: Any) -> RecordedStreams:
    """Streams of a robot with one camera `cam` in the place of its own."""
    return RecordedStreams(robot_contract(folder, without=CAMERAS, cam={**IMAGE, **stream}), ["cam"])


class Camera:
    """A driver whose messages are noted and read one after another, 33 ms apart."""

    def __init__(self, streams: RecordedStreams, name: str = "cam") -> None:
        self.streams, self.name, self._number = streams, name, 0

    def sees(self, make: Any) -> Measurement | Refusal:
        self._number += 1
        stamp = NOW + self._number * 33 * MS
        packed, now_s = make(stamp), self._number * 0.033
        refused = self.streams.note(self.name, packed, stamp + 5 * MS, now_s)
        if refused is not None:
            return refused
        if not self.streams._encodings and not self.streams.unknown:
            self.streams.observation(None)
        return self.streams.read(self.name, packed, stamp + 5 * MS, now_s)

    def gets(self, make: Any) -> Any:
        found = self.sees(make)
        assert isinstance(found, Measurement), found
        return next(iter(found.values.values()))

    def refuses(self, make: Any) -> str:
        found = self.sees(make)
        assert isinstance(found, Refusal)
        watch = self.streams.watches[self.name]
        assert watch.trouble(self._number * 0.033) == found.reason and watch.refused > 0
        return found.reason


def test_numbers_are_read_and_kept_at_their_own_rate(tmp_path: Path) -> None:
    force = {"topic": "ft", "type": "wrench", "rate_hz": 500, "use": "record"}
    glove = {"topic": "glove", "type": "vector", "rate_hz": 50, "use": "record"}
    streams = RecordedStreams(robot_contract(tmp_path, force=force, glove=glove), [])
    assert streams.names == ("arm", "pose", "gripper", "force", "glove") and streams.unknown == ("glove",)

    def read(name: str, packed: bytes) -> Measurement:
        assert streams.note(name, packed, NOW, 1.0) is None
        found = streams.read(name, packed, NOW, 1.0)
        assert isinstance(found, Measurement) and found.stamp_ns == NOW
        return found

    arm, moved = read("arm", joints(NOW)), read("pose", pose(NOW))
    assert arm.sample is not None and arm.sample.tolist() == [0.1] * 7 and arm.values["arm.joints"].shape == (7,)
    assert moved.sample is not None and moved.sample.shape == (9,) and moved.values["tcp.position"][0] == 0.45
    width = read("gripper", joints(NOW, "gripper", 0.02)).sample
    assert width is not None and width.tolist() == [0.04]
    pressed = read("force", wrench(NOW, 3.0))
    assert pressed.sample is not None and pressed.sample.tolist() == [3.0] * 6
    glove_values = read("glove", vector([1, 2, 3]))
    assert glove_values.sample is None and glove_values.values["glove"].tolist() == [1, 2, 3]
    assert not streams.unknown
    spec, encodings = streams.observation(None)
    sizes = {field.name: field.shape for field in spec}
    assert sizes["glove"] == (3,) and sizes["tcp.wrench"] == (6,) and sizes["arm.joints"] == (7,) and not encodings


def test_a_vector_of_another_length_and_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    glove = {"topic": "glove", "type": "vector", "rate_hz": 50, "use": "record"}
    streams = RecordedStreams(robot_contract(tmp_path, glove=glove), [])
    driver = Camera(streams, "glove")
    assert "0 numbers" in driver.refuses(lambda stamp: vector([]))
    driver.gets(lambda stamp: vector([1, 2, 3]))
    assert driver.refuses(lambda stamp: vector([1, 2])) == "2 numbers, before 3"
    nowhere = streams.read("pose", pose(NOW, (np.nan, 0.0, 0.3)), NOW, 1.0)
    assert isinstance(nowhere, Refusal) and "not finite" in nowhere.reason
    assert isinstance(streams.note("arm", b"\x00\x01\x00", NOW, 1.0), Refusal)
    assert isinstance(streams.read("arm", b"\x00\x01\x00\x00bytes", NOW, 1.0), Refusal)


def test_what_a_twins_task_measures_is_recorded_and_the_cameras(tmp_path: Path) -> None:
    driver = Camera(camera(tmp_path))
    driver.gets(lambda stamp: raw(picture(), stamp))
    cube = ObservationField("cube.position", (3,), "float32", "m", "state")
    drawn = ObservationField("front.image", (84, 84, 3), "uint8", "1", "image")
    notice = EpisodeNotice(1, 0, "twin/lift", "lift", 100, ObservationSpec((cube, drawn)))
    spec, encodings = driver.streams.observation(notice)
    assert spec.names == ("cube.position", "cam.image") and encodings["cam.image"].kind == "jpeg"


def test_a_raw_camera_gives_pixels_and_another_size_later_is_refused(tmp_path: Path) -> None:
    driver = Camera(camera(tmp_path))
    seen = driver.gets(lambda stamp: raw(picture(1), stamp))
    np.testing.assert_array_equal(seen, picture(1))
    assert driver.refuses(lambda stamp: raw(picture(2, 48, 64), stamp)) == "colour of 64 x 48, before colour of 32 x 24"
    assert "grey of 32 x 24" in driver.refuses(lambda stamp: raw(picture()[..., 0], stamp))
    np.testing.assert_array_equal(driver.gets(lambda stamp: raw(picture(3), stamp)), picture(3))


@pytest.mark.parametrize(
    "stream, image, words",
    [
        ({}, picture()[..., 0], "grey of 32 x 24, a camera of type image is expected"),
        ({}, np.ones(SMALL, np.uint16), "depth of 32 x 24, a camera of type image"),
        ({"type": "depth"}, picture(), "colour of 32 x 24, a camera of type depth"),
        ({"size": [48, 64]}, picture(), "colour of 32 x 24, the contract says 64 x 48"),
    ],
)
def test_a_first_picture_that_is_none_of_its_camera_is_refused(
    tmp_path: Path, stream: dict[str, Any], image: np.ndarray, words: str
) -> None:
    driver = Camera(camera(tmp_path, **stream))
    assert words in driver.refuses(lambda stamp: raw(image, stamp))
    assert driver.streams.unknown == ("cam",)


def test_a_jpeg_is_kept_as_it_came_and_what_is_none_is_refused_later(tmp_path: Path) -> None:
    driver = Camera(camera(tmp_path, compressed=True))
    seen = driver.gets(lambda stamp: as_jpeg(picture(1), stamp))
    assert isinstance(seen, EncodedImage) and bytes(seen) == encode_jpeg(picture(1), 90)
    assert driver.streams._encodings["cam.image"].kind == "as_it_came"
    assert driver.refuses(lambda stamp: as_png(picture(2), stamp)) == "no JPEG, as those before were"
    assert "colour of 64 x 48" in driver.refuses(lambda stamp: as_jpeg(picture(2, 48, 64), stamp))
    assert "without its end" in driver.refuses(lambda stamp: compressed(encode_jpeg(picture(2), 90)[:-50], stamp))
    assert isinstance(driver.gets(lambda stamp: as_jpeg(picture(3), stamp)), EncodedImage)


def test_png_over_a_compressed_topic_is_stored_as_png_and_so_is_what_comes_as_jpeg_then(tmp_path: Path) -> None:
    driver = Camera(camera(tmp_path, compressed=True))
    np.testing.assert_array_equal(driver.gets(lambda stamp: as_png(picture(1), stamp)), picture(1))
    assert driver.streams._encodings["cam.image"].kind == "png"
    later = driver.gets(lambda stamp: as_jpeg(picture(2), stamp))
    assert isinstance(later, np.ndarray) and later.shape == (*SMALL, 3)


def test_where_the_contract_says_how_pictures_are_stored_it_holds(tmp_path: Path) -> None:
    came = Camera(camera(tmp_path / "came", compressed=True, encoding="as_it_came"))
    assert "no JPEG" in came.refuses(lambda stamp: as_png(picture(), stamp))
    exact = Camera(camera(tmp_path / "exact", compressed=True, encoding="png"))
    assert isinstance(exact.gets(lambda stamp: as_png(picture(), stamp)), EncodedImage)
    assert isinstance(exact.gets(lambda stamp: as_jpeg(picture(), stamp)), np.ndarray)
    raw_pixels = Camera(camera(tmp_path / "raw", compressed=True, encoding="raw"))
    assert isinstance(raw_pixels.gets(lambda stamp: as_jpeg(picture(), stamp)), np.ndarray)


def test_depth_is_png_whether_it_comes_so_or_raw(tmp_path: Path) -> None:
    far = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32)
    plain = Camera(camera(tmp_path / "plain", **DEPTH))
    np.testing.assert_array_equal(plain.gets(lambda stamp: raw(far, stamp)), far)
    packed = Camera(camera(tmp_path / "packed", **DEPTH, compressed=True))
    seen = packed.gets(lambda stamp: as_png(far, stamp))
    assert isinstance(seen, EncodedImage) and seen.shape == (24, 32) and seen.dtype == "uint16"
    assert packed.streams._encodings["cam.depth"].kind == plain.streams._encodings["cam.depth"].kind == "png"


def test_a_camera_that_the_contract_lacks_is_named_and_one_that_is_not_chosen_needs_no_size(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="wrist"):
        RecordedStreams(robot_contract(tmp_path), ["writs"])
    blind = RecordedStreams(robot_contract(tmp_path, without=CAMERAS, cam=IMAGE), [])
    spec, encodings = blind.observation(None)
    assert not encodings and "arm.joints" in spec.names
