"""An episode is written as it happens: invisible before its commit, gone without one, the same however it was cut."""

from __future__ import annotations

import io
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from data.checks.report import Finding
from data.checks.validate import validate
from data.edit.repair import repair
from data.store.dataset import Dataset
from data.store.images.encoding import Encoding
from data.store.names import TIME
from data.store.reading import DamagedChunkError
from data.store.schema import MetaField, Schema, StreamField
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.errors import InputError

HEIGHT, WIDTH = 24, 40
FIELDS = {
    "state": ObservationField("state", (3,), "float64", "rad", "state"),
    "front": ObservationField("front", (HEIGHT, WIDTH, 3), "uint8", "1", "image"),
    "depth": ObservationField("depth", (HEIGHT, WIDTH), "uint16", "mm", "depth"),
    "wrist": ObservationField("wrist", (HEIGHT, WIDTH, 3), "uint8", "1", "image"),
}
SCHEMA = Schema(
    ObservationSpec(tuple(FIELDS.values())),
    ActionSpec((ActionField("joints", 2, "rad", "joint"),), 0.1),
    0.1,
    (MetaField("success", "bool"), MetaField("instruction", "string")),
    (StreamField("force", (3,), "float32", "N"),),
    (TIME,),
    encodings={"front": Encoding("jpeg", 80), "depth": Encoding("png"), "wrist": Encoding("as_it_came")},
)
FACTS = {"success": True, "instruction": "lift"}


def smooth(draw: np.random.Generator, rows: int) -> np.ndarray:
    """Images (rows, height, width, 3) that JPEG keeps nearly."""
    corners = draw.uniform(0, 255, (rows, 2, 2, 3))
    down, right = np.linspace(0, 1, HEIGHT)[:, None, None], np.linspace(0, 1, WIDTH)[None, :, None]
    weights = np.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right])
    return np.einsum("khwc,nkd->nhwd", weights, corners.reshape(rows, 4, 3)).round().astype(np.uint8)


def camera_jpeg(image: np.ndarray) -> bytes:
    """An image as another encoder sends it."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=70)
    return buffer.getvalue()


def rows_of(number: int, rows: int) -> dict[str, Any]:
    draw = np.random.default_rng(number)
    return {
        "state": draw.normal(size=(rows, 3)),
        "front": smooth(draw, rows),
        "depth": draw.integers(0, 5000, (rows, HEIGHT, WIDTH)).astype(np.uint16),
        "wrist": [camera_jpeg(image) for image in smooth(draw, rows)],
        "action": draw.normal(size=(rows, 2)).astype(np.float32),
        "time_ns": np.arange(rows, dtype=np.int64) * 100_000_000,
    }


def part(rows: dict[str, Any], first: int, end: int) -> dict[str, Any]:
    return {name: values[first:end] for name, values in rows.items()}


def write(dataset: Dataset, number: int, rows: int, cuts: tuple[int, ...] = ()) -> None:
    """One episode, in parts that end at these rows."""
    whole, borders = rows_of(number, rows), [0, *sorted(cut for cut in cuts if 0 < cut < rows), rows]
    force = np.random.default_rng(number).normal(size=(rows * 5, 3)).astype(np.float32)
    force_ns = np.arange(rows * 5, dtype=np.int64) * 20_000_000
    with dataset.writer() as episode:
        for first, end in pairwise(borders):
            episode.add(part(whole, first, end))
            episode.add_stream("force", force[5 * first : 5 * end], force_ns[5 * first : 5 * end])
        episode.commit({**FACTS, "instruction": f"take {number}"})


def errors_of(path: Path) -> list[Finding]:
    return [finding for finding in validate(path).findings if finding.severity == "error"]


def content(dataset: Dataset) -> Any:
    assert dataset._contents.commit is not None
    return dataset._contents.commit.to_json()


def test_what_was_written_is_read_and_by_plain_zarr_too(tmp_path: Path) -> None:
    with Dataset.create(tmp_path / "store", SCHEMA) as dataset:
        for number, rows in enumerate((5, 1, 12)):
            write(dataset, number, rows, (2, 3))
        assert dataset.rows == 18 and len(dataset) == 3
    dataset, first = Dataset.open(tmp_path / "store"), 6
    given_rows, episode = rows_of(2, 12), dataset.episode(2)
    assert episode.meta == {**FACTS, "instruction": "take 2"} and len(episode) == 12
    for name in ("state", "depth", "action", "time_ns"):
        assert np.array_equal(episode.data[name], given_rows[name])
    near = np.abs(episode.data["front"].astype(int) - given_rows["front"])
    assert 0 < near.max() < 30 and near.mean() < 3  # a loss, and a small one
    decoded = np.stack([np.asarray(Image.open(io.BytesIO(stored))) for stored in given_rows["wrist"]])
    assert np.abs(episode.data["wrist"].astype(int) - decoded).max() <= 2  # of two decoders
    assert episode.streams["force"][0].shape == (60, 3)
    root = zarr.open_group(tmp_path / "store", mode="r")
    assert np.array_equal(root["data/depth"][first:], given_rows["depth"])
    assert np.array_equal(root["data/front"][first:], episode.data["front"])
    assert root["data/wrist"].attrs["encoding"] == "as_it_came" and root["data/wrist"].shape == (18, HEIGHT, WIDTH, 3)
    _, images = dataset._contents.rows_as_stored(2, dataset.episode_slice(2))
    assert images["wrist"] == given_rows["wrist"]  # byte for byte
    assert images["front"] == [imagecodecs.jpeg8_encode(image, level=80) for image in given_rows["front"]]
    assert not errors_of(tmp_path / "store")


@settings(max_examples=8, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    cuts=st.lists(st.integers(1, 8), max_size=4).map(tuple),
    small=st.sampled_from([1, 2, 4, 8]),
)
def test_the_content_is_the_same_however_rows_come(
    sizes: list[int], cuts: tuple[int, ...], small: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("stores")
    with pytest.MonkeyPatch.context() as patch:
        # Files of a few rows, so that episodes share them and cross their borders.
        patch.setattr("data.store.layout._ROWS_A_SHARD", small)
        patch.setattr("data.store.layout._ROWS_A_CHUNK", small)
        with Dataset.create(folder / "parts", SCHEMA) as parts:
            for number, rows in enumerate(sizes):
                write(parts, number, rows, cuts)
    with Dataset.create(folder / "whole", SCHEMA) as whole:
        for number, rows in enumerate(sizes):
            write(whole, number, rows)
    assert content(Dataset.open(folder / "parts")) == content(Dataset.open(folder / "whole"))
    one, other = (Dataset.open(folder / name) for name in ("parts", "whole"))
    for index in range(len(sizes)):
        assert one.episode(index).digest() == other.episode(index).digest()
    assert not errors_of(folder / "parts")


def test_nothing_is_seen_before_the_commit_and_nothing_left_without_one(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with Dataset.create(path, SCHEMA) as dataset:
        write(dataset, 0, 4)
        files = sorted(file.relative_to(path) for file in path.rglob("*"))
        before = content(Dataset.open(path))
        with dataset.writer() as episode:
            episode.add(rows_of(1, 700))
            assert content(Dataset.open(path)) == before and len(dataset) == 1
            with pytest.raises(InputError, match="expected one episode at a time"):
                write(dataset, 2, 3)
            episode.abort()
            episode.abort()
            with pytest.raises(InputError, match="got one that was aborted"):
                episode.add(rows_of(1, 3))
        assert sorted(file.relative_to(path) for file in path.rglob("*")) == files
        with pytest.raises(ZeroDivisionError), dataset.writer() as episode:
            episode.add(rows_of(1, 700))
            raise ZeroDivisionError
        assert content(Dataset.open(path)) == before
        write(dataset, 3, 4)
        assert len(Dataset.open(path)) == 2 and dataset.episode(1).meta["instruction"] == "take 3"
        dataset.writer().add(rows_of(4, 600))  # forgotten: closing drops it
    assert len(Dataset.open(path)) == 2 and not list(path.rglob("*.partial")) and not errors_of(path)


def test_a_writer_whose_store_was_closed_takes_nothing_from_the_next_one(tmp_path: Path) -> None:
    with Dataset.create(tmp_path / "store", SCHEMA) as dataset:
        left = dataset.writer()
        left.add(rows_of(0, 600))
    with Dataset.open(tmp_path / "store", mode="a") as dataset, dataset.writer() as episode:
        episode.add(rows_of(1, 600))
        left.abort()
        with pytest.raises(InputError, match="got one that was aborted"):
            left.add(rows_of(0, 3))
        episode.commit(FACTS)
        assert np.array_equal(dataset.read("depth"), rows_of(1, 600)["depth"])


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"wrist": [b"\x89PNG nothing"] * 3},
            "'wrist', row 5: expected a JPEG of 40 x 24 pixels, got bytes that begin",
        ),
        ({"wrist": [camera_jpeg(np.zeros((24, 41, 3), np.uint8))] * 3}, "row 5.*got a JPEG of 41 x 24 pixels, 3 chann"),
        ({"wrist": [camera_jpeg(np.zeros((24, 40, 3), np.uint8))[:-9]] * 3}, "row 5.*got a JPEG without its end"),
        ({"wrist": [b""] * 3}, "row 5.*got no bytes at all"),
        ({"wrist": ["text"] * 3}, "row 5: expected the bytes of a JPEG, got str"),
        (
            {"wrist": np.zeros((3, HEIGHT, WIDTH, 3), np.uint8)},
            "'wrist': expected a list of encoded images, .* ndarray",
        ),
        ({"wrist": [camera_jpeg(np.zeros((24, 40, 3), np.uint8))] * 2}, "'wrist': expected 3 images, got 2"),
        ({"front": np.zeros((3, 24, 41, 3), np.uint8)}, r"'front': expected shape \(3, 24, 40, 3\)"),
        ({"depth": np.zeros((3, 24, 40), np.int32)}, "'depth': expected uint16, got int32"),
        ({"action": np.full((3, 2), np.nan, np.float32)}, "action, row 5, component 'joints.0': expected a finite"),
        (
            {"time_ns": np.arange(3, dtype=np.int64)},
            "'time_ns', row 5: expected a later stamp .* got 0 after 400000000",
        ),
        ({"state": np.zeros((2, 3))}, r"'state': expected shape \(3, 3\), got \(2, 3\)"),
    ],
)
def test_rows_that_do_not_fit_are_named_and_the_episode_goes_on(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with Dataset.create(tmp_path / "store", SCHEMA) as dataset, dataset.writer() as episode:
        whole = rows_of(0, 8)
        episode.add(part(whole, 0, 5))
        with pytest.raises(InputError, match=f"episode 0: {message}" if message.startswith("'") else message):
            episode.add({**part(whole, 5, 8), **change})
        assert episode.rows == 5
        episode.add(part(whole, 5, 8))
        with pytest.raises(InputError, match="episode 0: meta: expected success, instruction, got nothing for success"):
            episode.commit({"instruction": "lift"})
        episode.commit(FACTS)
        assert len(dataset) == 1 and np.array_equal(dataset.read("state"), whole["state"])


def test_streams_that_do_not_fit_and_an_episode_without_rows(tmp_path: Path) -> None:
    with Dataset.create(tmp_path / "store", SCHEMA) as dataset, dataset.writer() as episode:
        with pytest.raises(InputError, match="episode 0: expected at least one row, got none"):
            episode.commit(FACTS)
        with pytest.raises(InputError, match=r"streams: expected one of force, got 'forec'.*Did you mean 'force'"):
            episode.add_stream("forec", np.zeros((1, 3), np.float32), np.zeros(1, np.int64))
        episode.add_stream("force", np.zeros((2, 3), np.float32), np.array([5, 6]))
        with pytest.raises(InputError, match="time_ns, row 2: expected no earlier stamp than before, got 4 after 6"):
            episode.add_stream("force", np.zeros((1, 3), np.float32), np.array([4]))
        assert episode.samples == {"force": 2}


@pytest.mark.parametrize(
    "name, encoding, message",
    [
        ("state", Encoding("jpeg"), r"'state': encoding jpeg: expected rows \(height, width, 3\) of uint8"),
        ("depth", Encoding("jpeg"), "'depth': encoding jpeg"),
        ("state", Encoding("png"), "'state': encoding png"),
        ("fornt", Encoding("png"), "encoding of 'fornt'.*Did you mean 'front'"),
    ],
)
def test_an_encoding_that_does_not_fit_is_refused(name: str, encoding: Encoding, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Schema(SCHEMA.observation, SCHEMA.action, 0.1, encodings={name: encoding})


def test_encodings_out_of_range() -> None:
    with pytest.raises(InputError, match="quality: expected 1 to 100, got 0"):
        Encoding("jpeg", 0)
    with pytest.raises(InputError, match="expected one of raw, jpeg, png, as_it_came, got 'jpg'"):
        Encoding("jpg")


def test_a_damaged_shard_is_named_its_episodes_are_left_out_and_images_are_copied_byte_for_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.store.layout._ROWS_A_SHARD", 8)
    path = tmp_path / "store"
    with Dataset.create(path, SCHEMA) as dataset:
        for number in range(4):
            write(dataset, number, 6)
        kept = dataset._contents.rows_as_stored(3, dataset.episode_slice(3))[1]
    shard = path / "data/front/c.1.0.0.0"  # rows 8 to 15: of episodes 1 and 2
    bytes_ = bytearray(shard.read_bytes())
    bytes_[10] ^= 1  # of its first row
    shard.write_bytes(bytes_)
    assert ["rows 8 to 8" in finding.message for finding in errors_of(path) if finding.where == "data/front"] == [True]
    with pytest.raises(DamagedChunkError, match=r"chunk 8 of 'data/front' \(rows 8 to 8\) is damaged: its checksum"):
        Dataset.open(path).episode(1)
    repair(path, tmp_path / "sound")
    sound = Dataset.open(tmp_path / "sound")
    assert [sound.episode(index).meta["instruction"] for index in range(len(sound))] == ["take 0", "take 2", "take 3"]
    assert sound._contents.rows_as_stored(2, sound.episode_slice(2))[1] == kept
    shard.unlink()
    with pytest.raises(DamagedChunkError, match="its file is missing"):
        Dataset.open(path).episode(2)
    repair(path, tmp_path / "rest")
    assert len(Dataset.open(tmp_path / "rest")) == 2


def test_a_shard_that_is_shared_with_damaged_rows_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with Dataset.create(path, SCHEMA) as dataset:
        write(dataset, 0, 3)
        shard = path / "data/wrist/c.0.0.0.0"
        shard.write_bytes(shard.read_bytes()[:-1] + b"\0")
        with pytest.raises(DamagedChunkError, match=r"chunk 0 of 'data/wrist'.*its index is damaged"):
            write(dataset, 1, 3)
        assert len(dataset) == 1


def test_memory_is_that_of_a_file_and_the_caller_may_use_its_own_again(tmp_path: Path) -> None:
    import tracemalloc

    field = ObservationField("frame", (480, 640, 3), "uint8", "1", "image")
    schema = Schema(ObservationSpec((field,)), SCHEMA.action, 0.1, encodings={"frame": Encoding("as_it_came")})
    jpeg = camera_jpeg(np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8))
    action = np.zeros((10, 2), np.float32)
    with Dataset.create(tmp_path / "store", schema) as dataset, dataset.writer() as episode:
        tracemalloc.start()
        for number in range(100):
            action[:] = number
            episode.add({"frame": [jpeg] * 10, "action": action})
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        episode.commit({})
        assert 1000 * len(jpeg) > 150e6 and peak < 90e6  # two files of 128 images, of these uncommonly large ones
        assert np.array_equal(dataset.read("action")[:, 0], np.repeat(np.arange(100), 10))
    assert len(list((tmp_path / "store/data/frame").glob("c.*"))) == 8


def test_a_reader_in_another_thread_sees_whole_episodes_only(tmp_path: Path) -> None:
    path, seen, done = tmp_path / "store", set(), threading.Event()
    with Dataset.create(path, SCHEMA) as dataset:

        def read() -> None:
            while not done.is_set():
                store = Dataset.open(path)
                seen.add((len(store), store.rows))
                for index in range(len(store)):
                    assert len(store.episode(index).data["front"]) == 5

        thread = threading.Thread(target=read)
        thread.start()
        for number in range(6):
            write(dataset, number, 5, (1, 2))
        done.set()
        thread.join()
    assert seen <= {(number, 5 * number) for number in range(7)} and len(seen) > 1


def test_several_episodes_of_one_commit_are_those_of_a_commit_each(tmp_path: Path) -> None:
    with Dataset.create(tmp_path / "each", SCHEMA) as each, Dataset.create(tmp_path / "one", SCHEMA) as one:
        for number, rows in enumerate((5, 1, 12)):
            write(each, number, rows)
        with one.writer() as episode:
            for number, rows in enumerate((5, 1, 12)):
                force = np.random.default_rng(number).normal(size=(rows * 5, 3)).astype(np.float32)
                episode.add(rows_of(number, rows))
                episode.add_stream("force", force, np.arange(rows * 5, dtype=np.int64) * 20_000_000)
                end = episode.end if number < 2 else episode.commit
                end({**FACTS, "instruction": f"take {number}"})
                assert len(Dataset.open(tmp_path / "one")) == (0 if number < 2 else 3)
        assert one.fingerprint == each.fingerprint and one.episode_ends.tolist() == [5, 6, 18]
    assert not errors_of(tmp_path / "one")


def test_an_episode_that_has_ended_is_dropped_with_the_one_that_is_open(tmp_path: Path) -> None:
    with Dataset.create(tmp_path / "store", SCHEMA) as dataset:
        with dataset.writer() as episode:
            episode.add(rows_of(0, 5))
            episode.end(FACTS)
            with pytest.raises(InputError, match="episode 1: expected at least one row"):
                episode.end(FACTS)
            episode.add(rows_of(1, 3))
        assert len(dataset) == 0
        write(dataset, 0, 5)
        assert len(dataset) == 1


def test_several_episodes_share_a_commit_and_are_those_that_were_committed_one_by_one(tmp_path: Path) -> None:
    force = np.ones((6, 3), np.float32), np.arange(6, dtype=np.int64) * 10
    with Dataset.create(tmp_path / "one", SCHEMA) as one, Dataset.create(tmp_path / "many", SCHEMA) as many:
        with many.writer() as together:
            for number in range(3):
                rows = rows_of(number, 4 + number)
                with one.writer() as alone:
                    for writer in (alone, together):
                        writer.add(part(rows, 0, 2))
                        writer.add(part(rows, 2, 4 + number))
                        writer.add_stream("force", *force)
                    alone.commit(FACTS)
                together.end(FACTS)
                assert len(Dataset.open(tmp_path / "many")) == 0, "nothing is seen before the commit"
            with pytest.raises(InputError, match="episode 3: meta: expected success"):
                together.add(rows)
                together.commit({})
            together.commit(FACTS)
        assert many.episode_ends.tolist() == [4, 9, 15, 21]
        assert [many.episode(number).digest() for number in range(3)] == [
            one.episode(number).digest() for number in range(3)
        ]
    with Dataset.open(tmp_path / "many", mode="a") as dataset, dataset.writer() as writer:
        writer.add(rows_of(0, 3))
        writer.end(FACTS)
    assert len(Dataset.open(tmp_path / "many")) == 4, "an episode that ended and was not committed is gone"
