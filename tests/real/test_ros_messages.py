"""Arrays come out of messages as they went in, here and across processes."""

from __future__ import annotations

import signal
import time
from itertools import product

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image
from trajectory_msgs.msg import JointTrajectory

from real.ros.chunks import Tag, chunk_message, chunk_sample
from real.ros.messages import (
    compressed_array,
    image_array,
    image_message,
    joint_state_values,
    pose_message,
    pose_values,
    stamp_of,
    time_of,
    values_message,
    values_of,
    vector_message,
    vector_of,
)
from real.ros.signals import ERROR, OK, WARN, driver_message, driver_sample, enable_message, enable_signal
from robot.errors import InputError
from tests.real.conftest import MATCH_S

pytestmark = pytest.mark.together

STAMP = 1_700_000_000_123_456_789
NAMES = ("tcp.position.0", "tcp.position.1", "gripper.width")


def wired(message):
    """The message as another process gets it."""
    return deserialize_message(serialize_message(message), type(message))


def test_a_stamp_keeps_its_nanoseconds() -> None:
    assert time_of(stamp_of(STAMP)) == STAMP
    assert time_of(stamp_of(0)) == 0


@pytest.mark.parametrize("shape, kind", [((48, 64, 3), np.uint8), ((48, 64), np.uint8), ((48, 64), np.uint16)])
def test_an_image_comes_out_as_it_went_in(shape, kind) -> None:
    image = np.random.default_rng(0).integers(0, np.iinfo(kind).max, shape).astype(kind)
    out = image_array(wired(image_message(image[::-1], STAMP, "front")))  # a view that is not contiguous
    np.testing.assert_array_equal(out, image[::-1])
    assert out.dtype == kind


def test_drivers_may_pad_rows_turn_colours_and_swap_bytes() -> None:
    random = np.random.default_rng(1)
    rgb = random.integers(0, 255, (4, 5, 3)).astype(np.uint8)
    padded = np.zeros((4, 20), np.uint8)
    padded[:, :15] = rgb[..., ::-1].reshape(4, 15)
    message = Image(height=4, width=5, encoding="bgr8", step=20, data=padded.tobytes())
    np.testing.assert_array_equal(image_array(message), rgb)
    alpha = np.concatenate([rgb[..., ::-1], np.full((4, 5, 1), 255, np.uint8)], axis=-1)
    message = Image(height=4, width=5, encoding="bgra8", step=20, data=alpha.tobytes())
    np.testing.assert_array_equal(image_array(message), rgb)
    depth = random.integers(0, 65535, (4, 5)).astype(np.uint16)
    message = Image(height=4, width=5, encoding="16UC1", step=10, is_bigendian=1, data=depth.astype(">u2").tobytes())
    np.testing.assert_array_equal(image_array(message), depth)


@pytest.mark.parametrize(
    "message, part",
    [
        (Image(height=4, width=5, encoding="bayer", step=5, data=bytes(20)), "encoding 'bayer'"),
        (Image(height=4, width=5, encoding="rgb8", step=15, data=bytes(50)), "50 bytes"),
        (Image(height=4, width=5, encoding="rgb8", step=5, data=bytes(60)), "steps of 5"),
    ],
)
def test_an_image_that_cannot_be_read_says_why(message, part) -> None:
    with pytest.raises(InputError, match=part):
        image_array(message)


def test_a_compressed_image_is_read_and_a_broken_one_refused() -> None:
    from io import BytesIO

    from PIL import Image as Pillow

    image = np.random.default_rng(2).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    file = BytesIO()
    Pillow.fromarray(image).save(file, "PNG")
    np.testing.assert_array_equal(compressed_array(CompressedImage(format="png", data=file.getvalue())), image)
    with pytest.raises(InputError, match="a JPEG or a PNG"):
        compressed_array(CompressedImage(format="png", data=b"nothing"))


def test_values_keep_every_bit() -> None:
    values = {
        "tcp.position": np.array([0.1, -0.2, np.nextafter(1, 2)]),
        "gripper.width": np.array([0.04]),
        "object": np.arange(12.0) / 7,
    }
    message = wired(values_message(values, STAMP))
    found = values_of(message)
    assert {name: value.tobytes() for name, value in found.items()} == {
        name: value.tobytes() for name, value in values.items()
    }
    assert time_of(message.header.stamp) == STAMP


def test_a_joint_state_of_the_wrong_size_has_no_position() -> None:
    message = values_message({"a": np.ones(1), "b": np.ones(1)}, STAMP)
    message.position = message.position[:1]
    names, position, velocity, effort = joint_state_values(message)
    assert names == ("a", "b") and len(position) == len(velocity) == len(effort) == 0


def test_a_vector_carries_its_stamp_and_a_foreign_one_has_none() -> None:
    values = np.random.default_rng(3).normal(size=10)
    found, stamp, tag = vector_of(wired(vector_message(values, STAMP, "17/3")))
    assert found.tobytes() == values.tobytes() and (stamp, tag) == (STAMP, "17/3")
    found, stamp, tag = vector_of(wired(vector_message(values)))
    assert found.tobytes() == values.tobytes() and (stamp, tag) == (None, "")


def test_a_pose_keeps_every_bit() -> None:
    position, turn = np.array([0.1, 0.2, 0.3]), np.array([0.5, -0.5, 0.5, -0.5])
    found = pose_values(wired(pose_message(position, turn, STAMP, "base")))
    assert found[0].tobytes() == position.tobytes() and found[1].tobytes() == turn.tobytes()


def test_a_chunk_keeps_every_bit_and_its_tag() -> None:
    values = np.random.default_rng(4).normal(size=(16, 3))
    tag = Tag("run-7", epoch=2, chunk_id=41, seed=123456789, value=0.1 + 0.2)
    sample = chunk_sample(wired(chunk_message(values, NAMES, STAMP, 50_000_000, tag)), 5, period_s=0.1)
    assert sample.values.tobytes() == values.tobytes() and sample.names == NAMES
    assert (sample.start_ns, sample.period_s, sample.received_ns) == (STAMP, 0.05, 5)
    assert (sample.session, sample.epoch, sample.chunk_id) == ("run-7", 2, 41)
    assert (sample.seed, sample.value) == (123456789, 0.1 + 0.2)


def test_a_chunk_of_a_stranger_is_read_without_a_tag() -> None:
    message = chunk_message(np.ones((1, 3)), NAMES, STAMP, 0, Tag())
    message.header.frame_id = "base_link"
    sample = chunk_sample(message, 5, period_s=0.05)
    assert (sample.chunk_id, sample.epoch, sample.seed, sample.period_s) == (0, None, None, 0.05)


def test_broken_chunks_come_out_so_that_the_gate_can_name_them() -> None:
    message = chunk_message(np.ones((3, 3)), NAMES, STAMP, 50_000_000, Tag())
    message.points[1].positions = [1.0]
    assert chunk_sample(message, 0, 0.05).values.shape == (3, 0)
    message = chunk_message(np.ones((3, 3)), NAMES, STAMP, 50_000_000, Tag())
    message.points[2].time_from_start.nanosec += 1000
    assert np.isnan(chunk_sample(message, 0, 0.05).period_s)
    assert chunk_sample(JointTrajectory(), 0, 0.05).values.shape == (0, 0)


def test_a_session_may_not_look_like_more_than_one_part() -> None:
    with pytest.raises(InputError, match="without '/'"):
        str(Tag("a/b"))


def test_an_enabling_device_without_a_button_is_not_held() -> None:
    message = enable_message(True, STAMP, "me")
    assert enable_signal(wired(message), 1).held
    message.buttons = []
    assert not enable_signal(message, 1).held
    assert not enable_signal(enable_message(False, STAMP, "me"), 1).held


def test_an_enabling_device_tells_a_take_and_one_with_a_single_button_takes_nothing() -> None:
    for held, taken in product((False, True), repeat=2):
        signal = enable_signal(wired(enable_message(held, STAMP, "me", taken)), 1)
        assert (signal.held, signal.taken, signal.publisher) == (held, taken, "me")
    message = enable_message(True, STAMP, "me", True)
    message.buttons = [1]
    assert enable_signal(message, 1).held and not enable_signal(message, 1).taken


def test_a_driver_is_what_its_worst_line_says() -> None:
    assert driver_sample(wired(driver_message("running", STAMP)), 1).state == "running"
    message = driver_message("running", STAMP)
    message.status.append(driver_message("protective stop", STAMP).status[0])
    assert driver_sample(message, 1).state == "protective stop"
    message.status = []
    assert driver_sample(message, 1).state != "running"


PUBLISHER = """
import sys
import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from real.ros.messages import image_message, values_message
from real.ros.qos import IMAGE, STATE_OUT
from real.process.run import run_node

class Camera(Node):
    def __init__(self):
        super().__init__("camera")
        self.images = self.create_publisher(Image, "image", IMAGE)
        self.states = self.create_publisher(JointState, "state", STATE_OUT)
        self.frame = 0
        self.create_timer(1 / 30, self.tick)

    def tick(self):
        if not self.images.get_subscription_count() or not self.states.get_subscription_count():
            return
        self.frame += 1
        random = np.random.default_rng(self.frame)
        self.states.publish(values_message({"x": random.normal(size=3)}, self.frame))
        self.images.publish(image_message(random.integers(0, 256, (480, 640, 3), np.uint8), self.frame))

sys.exit(run_node(Camera))
"""


@pytest.mark.alone  # a reader that other tests hold up misses frames
def test_images_of_another_process_arrive_whole_with_the_profile(
    program, ros_environment, tmp_path, monkeypatch
) -> None:
    import rclpy
    from sensor_msgs.msg import JointState

    from real.process.profile import write_profile
    from real.ros.qos import IMAGE, STATE

    profile = write_profile(tmp_path / "profile", environment={})
    for name, value in profile.environment.items():
        monkeypatch.setenv(name, value)
    camera = program(PUBLISHER)
    images: list[Image] = []
    states: list[JointState] = []
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("reader", context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    node.create_subscription(Image, "image", images.append, IMAGE)
    node.create_subscription(JointState, "state", states.append, STATE)
    deadline = time.monotonic() + MATCH_S + 8
    while (len(images) < 45 or len(states) < 45) and time.monotonic() < deadline:
        executor.spin_once(timeout_sec=0.05)
    node.destroy_node()
    rclpy.shutdown(context=context)
    camera.signal(signal.SIGINT)
    frames = [time_of(message.header.stamp) for message in images]
    assert len(images) >= 45
    # Most, not all: the first one may be sent to a reader that is matched on one side alone.
    assert len(frames) / (frames[-1] - frames[0] + 1) > 0.9
    for message in images[::9]:
        random = np.random.default_rng(time_of(message.header.stamp))
        random.normal(size=3)
        np.testing.assert_array_equal(image_array(message), random.integers(0, 256, (480, 640, 3), np.uint8))
    for message in states[::9]:
        expected = np.random.default_rng(time_of(message.header.stamp)).normal(size=3)
        assert values_of(message)["x"].tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("lines", "runs"),
    [
        ([(OK, "running")], True),
        ([(WARN, "running")], True),
        ([(ERROR, "running")], False),
        ([(b"\x03", "running")], False),
        ([(OK, "protective stop"), (OK, "running")], False),
        ([(OK, "running"), (OK, "protective stop")], False),
        ([], False),
    ],
)
def test_a_driver_runs_the_robot_only_where_its_worst_line_says_so(lines: list[tuple[bytes, str]], runs: bool) -> None:
    """A line at the level of an error with the text of a driver that runs was believed."""
    message = DiagnosticArray(status=[DiagnosticStatus(level=level, message=text) for level, text in lines])
    assert (driver_sample(message, 0).state == "running") == runs
