"""What is shown: images made small, scenes as text and triangles, rates and ages of streams that are looked at."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from imagecodecs import jpeg8_decode
from rclpy.serialization import serialize_message

from real.page.geometry import pack_scene
from real.page.reading.pictures import encoded, passes, small
from real.page.reading.raw_image import read_packed
from real.page.telling.arrivals import Arrivals
from real.page.telling.view import PageView
from real.page.telling.words import Keys
from real.ros.messages import image_message
from real.ros.reading import Refusal
from real.ros.recorder_state import RecorderState, StreamCounts
from real.ros.shapes import LARGEST_SCENE, MOST_BODIES, SceneNotice, matrices, read_scene
from robot.contract.loading import load_contract
from robot.contract.wiring import Ages
from robot.description.loading import load_robot
from robot.model.links import RobotLinks
from robot.model.shapes import Shape

pytestmark = pytest.mark.together

UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0])


def picture(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x % 256, y % 256, (x + y) % 256], axis=2).astype(np.uint8)


@pytest.mark.parametrize("size", [(480, 640), (84, 84), (481, 643), (2000, 300)])
def test_images_are_made_as_small_as_they_are_shown(size: tuple[int, int]) -> None:
    image = picture(*size)
    found = small(image, 320, 240)
    step = max(-(-size[0] // 240), -(-size[1] // 320))
    np.testing.assert_array_equal(found, image[::step, ::step])
    np.testing.assert_array_equal(small(image[..., ::-1], 320, 240), image[::step, ::step, ::-1])
    assert found.shape[0] <= 240 and found.shape[1] <= 320


def test_jpeg_passes_and_anything_else_becomes_one() -> None:
    packed = encoded(picture(60, 80), 320, 240)
    assert passes(packed) and not passes(b"\x89PNG\r\n") and not passes(b"")
    assert np.abs(jpeg8_decode(packed).astype(int) - picture(60, 80)).mean() < 20
    depth = np.full((60, 80), 1000, np.uint16)
    assert np.abs(jpeg8_decode(encoded(depth, 320, 240)).astype(int) - 127).max() < 5


def test_a_raw_image_is_read_where_it_lies() -> None:
    image = picture(47, 61)
    found = read_packed(serialize_message(image_message(image, 5_000_000_123, "a frame")))
    assert not isinstance(found, Refusal) and found[1] == 5_000_000_123
    np.testing.assert_array_equal(found[0], image)
    depth = np.arange(48, dtype=np.uint16).reshape(6, 8)
    found = read_packed(serialize_message(image_message(depth, 0)))
    assert not isinstance(found, Refusal)
    np.testing.assert_array_equal(found[0], depth)


def test_an_image_that_lies_about_itself_is_refused() -> None:
    message = image_message(picture(10, 10), 0)
    for name, value in (("height", 2**31), ("width", 11), ("step", 1), ("encoding", "bayer"), ("height", 0)):
        before = getattr(message, name)
        setattr(message, name, value)
        assert isinstance(read_packed(serialize_message(message)), Refusal), name
        setattr(message, name, before)
    packed = serialize_message(message)
    for length in (0, 3, 4, 20, 40, len(packed) - 1):
        assert isinstance(read_packed(packed[:length]), Refusal)


def test_rate_and_age_of_a_stream_that_is_looked_at() -> None:
    arrivals = Arrivals(Ages(0.01, 0.05, 0.5))
    assert (arrivals.age_s(), arrivals.rate_hz(), arrivals.level()) == (None, 0.0, "error")
    for look in range(10):
        arrivals.came(look * 0.1 - 0.004, 1 + look * 20)
        arrivals.looked(look * 0.1)
    assert arrivals.rate_hz() == pytest.approx(200) and arrivals.age_s() == pytest.approx(0.004)
    assert arrivals.level() == "ok", "it is as old as the last look, not as the page's period"
    arrivals.looked(1.2)
    assert arrivals.age_s() == pytest.approx(0.304) and arrivals.level() == "error"
    arrivals.came(1.3, 3)
    arrivals.came(1.4, 13)
    assert arrivals.rate_hz() == pytest.approx(100), "a publisher that was started anew counts anew"


def scene(count: int) -> SceneNotice:
    random = np.random.default_rng(0)
    mesh = Shape("mesh", np.zeros(3), np.zeros(3), UPRIGHT, np.ones(4), *dense_ball(random))
    box = Shape("box", np.array([0.1, 0.2, 0.3]), np.ones(3), UPRIGHT, np.array([1.0, 0.0, 0.0, 1.0]))
    return SceneNotice(tuple(f"body <b>{index}</b>" for index in range(count)), ((box, mesh),) * count)


def dense_ball(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    points = random.normal(size=(500, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points.astype(np.float32), random.integers(0, 500, (900, 3)).astype(np.int32)


@pytest.mark.parametrize("count", [1, MOST_BODIES])
def test_a_scene_fits_a_message_whatever_is_in_it(count: int) -> None:
    text = scene(count).text()
    found = read_scene(text)
    assert len(text) <= LARGEST_SCENE and isinstance(found, SceneNotice)
    assert found.names == scene(count).names
    np.testing.assert_allclose(found.shapes[0][0].size, [0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"bodies": 3}',
        '{"bodies": [{"name": "a"}]}',
        '{"bodies": [{"name": "a", "shapes": [{"kind": "moon"}]}]}',
        json.dumps({"bodies": [{"name": "a", "shapes": []}] * (MOST_BODIES + 1)}),
        "[" * 50_000,
        scene(1).text().replace("0.3", "1e999"),
        scene(1).text().replace("0.3", "NaN"),
        scene(1).text().replace('"faces":"', '"faces":"////'),
        "x" * (LARGEST_SCENE + 1),
    ],
)
def test_a_text_that_is_no_scene_is_refused(text: str) -> None:
    assert isinstance(read_scene(text), Refusal)


def test_poses_are_finite_turns_of_the_bodies_that_are_there() -> None:
    found = matrices([1, 2, 3, 0, 0, 0, 2.0], 1)
    assert not isinstance(found, Refusal)
    np.testing.assert_allclose(found[0], [[-1, 0, 0, 1], [0, -1, 0, 2], [0, 0, 1, 3]], atol=1e-12)
    for values in ([], [0.0] * 7, [np.nan, 0, 0, 1, 0, 0, 0], [1e9, 0, 0, 1, 0, 0, 0], [1.0] * 14):
        assert isinstance(matrices(values, 1), Refusal)


def test_a_scene_of_triangles_is_laid_out_as_its_index_says() -> None:
    links = RobotLinks(load_robot("panda"))
    packed = pack_scene(links.names, links.shapes)
    (length, _) = struct.unpack_from("<II", packed)
    index = json.loads(packed[8 : 8 + length])
    assert [body["name"] for body in index["bodies"]] == list(links.names) and (8 + length) % 8 == 0
    assert len(packed) == 8 + length + index["vertices"] * 16 + index["faces"] * 12 < 1 << 20
    corners = np.frombuffer(packed[-index["faces"] * 12 :], "<u4")
    assert corners.max() == index["vertices"] - 1
    assert [body["first"] for body in index["bodies"]] == list(
        np.cumsum([0] + [b["count"] for b in index["bodies"]])[:-1]
    )


def test_the_view_tells_who_drives_and_what_is_lost() -> None:
    view = PageView(load_contract("panda_twin"), Keys())

    def text(now_s: float) -> dict:
        return json.loads(view.text(now_s))

    assert text(10.0)["banner"] == {
        "state": "lost",
        "text": "no contact with the robot",
        "detail": "the gate is not heard",
    }
    view.board.state("run person", 10.0, "12:00:00")
    view.sent("person|3||", 10.0)
    view.enable(True, True, 10.0)
    assert "not heard: arm, pose" in text(10.0)["banner"]["detail"]
    for name in ("arm", "pose"):
        view.stream(name, 10.0, 5)
        view.looked(name, 10.0)
    view.recorder(
        RecorderState(
            "recording", "<i>", 3.0, verdict="saved", episodes=3, goal=9, streams={"arm": StreamCounts(9, 1, 4)}
        ),
        10.0,
    )
    shown = text(10.1)
    assert (shown["banner"]["state"], shown["driver"], shown["enable"]) == ("recording", "you", "held, taken over")
    assert shown["plan"] == {"goal": 9, "done": 3, "per_hour": None} and shown["verdicts"] == ["saved"]
    assert next(each for each in shown["streams"] if each["name"] == "arm")["drops"] == 4
    assert text(10.7)["driver"] == "nobody" and text(10.7)["enable"] == "not heard"
    assert text(13.0)["banner"]["detail"] == "the gate is silent for 3 s"
