"""What is sent of a store: its frames as they are stored, its numbers without loss or as lines that bound them."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import Any, Iterator

import imagecodecs
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from data.store.dataset import Dataset
from robot.errors import InputError
from tests.tiller.looking.conftest import PERIOD_S, Page, looked_at, make_episode, make_store
from tiller.looking.blocks import Blocks
from tiller.looking.series import HEAD, MOST_ENTRIES, series
from tiller.looking.snapshot import Shelf

OF = {"store": 0, "generation": 0}


@pytest.fixture(scope="module")
def page(made: Path) -> Iterator[Page]:
    with looked_at(made) as served_page:
        yield served_page


def frames(page: Page, episode: int, row: int, fields: str) -> list[tuple[int, bytes]]:
    status, packed = page.get("/frames", **OF, episode=episode, row=row, fields=fields)
    assert status == 200, packed
    parts, place = [], 0
    for _ in fields.split(","):
        missing, length = struct.unpack_from("<II", packed, place)
        parts.append((missing, packed[place + 8 : place + 8 + length]))
        place += 8 + length + -length % 8
    assert place == len(packed)
    return parts


def lines(packed: bytes) -> tuple[tuple[int, ...], np.ndarray, np.ndarray, np.ndarray]:
    """Head, seconds, lows and highs (components, points) as the page reads them."""
    count, components, *rest = HEAD.unpack_from(packed)
    numbers = np.frombuffer(packed, "<f4", offset=HEAD.size)
    seconds, numbers = numbers[:count], numbers[count:].reshape(-1, count)
    low, high = numbers[:components], numbers[components:] if not rest[3] & 1 else numbers[:components]
    return (count, components, *rest), seconds, low, high


def number_of(page: Page, name: str, role: str = "observation") -> int:
    fields = page.json("/fields", **OF)
    return next(number for number, field in enumerate(fields) if (field["name"], field["role"]) == (name, role))


def test_frames_are_the_bytes_that_are_stored(page: Page, made: Path) -> None:
    front, wrist, depth = (number_of(page, name) for name in ("front", "wrist", "depth"))
    episode = make_episode(2, 32)
    for row in (0, 7, 31):
        jpeg, raw, png = frames(page, 2, row, f"{front},{wrist},{depth}")
        assert jpeg == (0, episode.data["front"][row])
        assert raw == (0, episode.data["wrist"][row].tobytes())
        assert png[0] == 0 and (imagecodecs.png_decode(png[1]) == episode.data["depth"][row]).all()


def test_numbers_at_a_row_come_without_loss(page: Page) -> None:
    episode = make_episode(1, 31)
    names = {"arm.joints": "observation", "action": "action", "intervention": "column", "reward": "column"}
    numbers = ",".join(str(number_of(page, name, role)) for name, role in names.items())
    for row in (0, 30):
        values = page.json("/values", **OF, episode=1, row=row, fields=numbers)
        for name, words in zip(names, values):
            value = np.ravel(episode.data[name][row])
            assert words == [str(each) for each in value.tolist()], name


def test_a_stream_gives_the_newest_sample_at_a_row(page: Page) -> None:
    force = number_of(page, "force", "stream")
    ((first, *_),) = page.json("/values", **OF, episode=0, row=3, fields=force)
    assert float(first) == round(3 * PERIOD_S / 0.005)


def test_lines_of_a_short_episode_are_its_numbers(page: Page) -> None:
    episode = make_episode(3, 33)
    _, packed = page.get("/series", **OF, episode=3, field=number_of(page, "tcp.wrench"), points=100)
    head, seconds, low, _ = lines(packed)
    assert head[:6] == (33, 6, 33, 0, 33, 1)
    np.testing.assert_array_equal(low.T, episode.data["tcp.wrench"])
    np.testing.assert_allclose(seconds, np.arange(33) * PERIOD_S, atol=1e-6)


def test_a_stretch_of_time_has_an_entry_more_at_either_side(page: Page) -> None:
    query = {**OF, "episode": 0, "field": number_of(page, "force", "stream"), "points": 50}
    _, packed = page.get("/series", **query, **{"from": 0.5, "to": 0.6})
    head, seconds, low, _ = lines(packed)
    assert head[2:5] == (300, 100, 121) and seconds[0] <= 0.5 and seconds[-1] >= 0.6
    np.testing.assert_array_equal(low[0], np.arange(100, 121))


@settings(max_examples=25)
@given(
    st.lists(st.floats(width=32), min_size=1, max_size=60),
    st.integers(2, 20),
)
def test_every_number_is_within_the_least_and_the_most_of_its_point(values: list[float], points: int) -> None:
    drawn = _series_of(np.array(values, np.float32)[:, None], points)
    finite = np.isfinite(values)
    assert len(drawn.seconds) <= points and drawn.odd == len(values) - finite.sum()
    bucket = -(-len(values) // points)
    for at, value in enumerate(values):
        if finite[at]:
            assert drawn.low[at // bucket, 0] <= np.float32(value) <= drawn.high[at // bucket, 0]
    if finite.any():
        shown = np.concatenate([drawn.low.ravel(), drawn.high.ravel()])
        shown = shown[np.isfinite(shown)]
        assert {shown.min(), shown.max()} <= set(np.array(values, np.float32)[finite].tolist())


def _series_of(values: np.ndarray, points: int, chunk: int = 7) -> Any:
    """The series of a store in memory that has one episode of these rows."""
    root = zarr.create_group(zarr.storage.MemoryStore())
    root.create_array("data/action", data=values, chunks=(chunk, 1))
    root.create_array("meta/episode_ends", data=np.array([len(values)]))
    shelf = Shelf.__new__(Shelf)
    shelf.blocks = Blocks()
    from data.store.consistency import Borders
    from data.store.contents import read_contents
    from data.store.location import Location
    from tiller.looking.fields import fields_of
    from tiller.looking.snapshot import Snapshot

    contents = read_contents(Location("memory", root, None))
    snapshot = Snapshot(0, 0, contents, Borders(np.array([len(values)]), len(values)), 0, fields_of(contents))
    return series(shelf, snapshot, 0, snapshot.fields[0], points)


def test_of_a_very_long_episode_a_part_of_each_point_is_looked_at_and_that_is_said() -> None:
    values = np.arange(20 * (MOST_ENTRIES + 50), dtype=np.float32)[:, None]
    drawn = _series_of(values, 20, chunk=8192)
    assert drawn.partly and len(drawn.seconds) == 20
    assert (drawn.high - drawn.low == MOST_ENTRIES - 1).all()


def test_memory_does_not_grow_with_what_is_read(made: Path) -> None:
    blocks = Blocks(kept_bytes=300_000)
    shelf = Shelf([str(made)])
    snapshot = shelf[0]
    wrist = next(field for field in snapshot.fields if field.name == "wrist")
    everything = Dataset.open(made).read("wrist")
    for row in range(0, len(everything), 3):
        np.testing.assert_array_equal(
            blocks.read(snapshot.contents, 0, wrist.path, row, row + 2), everything[row : row + 2]
        )
        assert blocks.bytes <= 300_000


def test_a_store_that_grows_is_followed_and_keeps_its_numbers(tmp_path: Path) -> None:
    store = make_store(tmp_path / "growing", episodes=1)
    with looked_at(store) as page:
        assert page.json("/episodes", **OF)["rows"] == [30]
        with Dataset.open(store, mode="a") as dataset:
            dataset.append(make_episode(5, 12))
            (record,) = page.json("/stores")
            assert (record["generation"], record["episodes"], record["problem"]) == (0, 2, "")
            assert page.json("/episodes", **OF)["rows"] == [30, 12]
            assert frames(page, 1, 11, str(number_of(page, "front"))) == [(0, make_episode(5, 12).data["front"][11])]


def test_another_store_in_its_place_is_another_one(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", episodes=2)
    with looked_at(store) as page:
        shutil.rmtree(store)
        (record,) = page.json("/stores")
        assert "nothing at this path" in record["problem"]
        status, words = page.get("/frames", **OF, episode=0, row=29, fields=str(number_of(page, "front")))
        assert status == 200 and b"none there" in words, "the camera says why there is nothing"
        assert page.get("/series", **OF, episode=0, field=0, points=9)[0] == 422
        make_store(store, episodes=2, rows=20)
        (record,) = page.json("/stores")
        assert (record["generation"], record["problem"]) == (1, "")
        assert page.get("/episodes", **OF)[0] == 409, "numbers of the store before are of nothing here"
        assert page.json("/episodes", store=0, generation=1)["rows"] == [20, 21]


def test_what_is_no_store_is_refused_before_anything_is_served(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing at this path"), looked_at(tmp_path / "none"):
        raise AssertionError


def test_a_damaged_frame_leaves_the_other_cameras(tmp_path: Path) -> None:
    store = make_store(tmp_path / "damaged", episodes=1)
    shard = next((store / "data" / "front").glob("c.*"))
    content = bytearray(shard.read_bytes())
    content[40] ^= 0xFF
    shard.write_bytes(content)
    with looked_at(store) as page:
        broken, sound = frames(page, 0, 0, f"{number_of(page, 'front')},{number_of(page, 'wrist')}")
        assert broken[0] == 1 and b"checksum" in broken[1] and sound[0] == 0
