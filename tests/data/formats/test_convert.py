"""Foreign demonstrations become a store of ours, or one message says why not."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr

from data.formats.convert import convert
from data.store.dataset import Dataset
from robot.errors import InputError, TillerError

ENDS = np.array([4, 9, 10])
GIVEN = {"period_s": 0.1, "units": {"state": "m m rad", "action": "m"}}


def content(**changes: np.ndarray | None) -> dict[str, np.ndarray]:
    """Ten rows of a made-up robot; a change replaces a key, None takes it away."""
    rng = np.random.default_rng(0)
    arrays = {
        "action": rng.normal(size=(10, 2)).astype(np.float32),
        "state": rng.normal(size=(10, 3)),
        "camera": rng.integers(0, 256, (10, 16, 12, 3)).astype(np.uint8),
        **changes,
    }
    return {name: array for name, array in arrays.items() if array is not None}


def write_zarr(
    path: Path, arrays: dict[str, np.ndarray], ends: np.ndarray = ENDS, compressor: str = "lz4", zarr_format: int = 2
) -> Path:
    root = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    squeeze = (
        numcodecs.Blosc(compressor, shuffle=numcodecs.Blosc.BITSHUFFLE)
        if zarr_format == 2
        else zarr.codecs.BloscCodec(cname=compressor)
    )
    for name, array in arrays.items():
        # Three rows a chunk: episodes and chunks do not end together.
        root.create_array(f"data/{name}", data=array, chunks=(3, *array.shape[1:]), compressors=squeeze)
    root.create_array("meta/episode_ends", data=ends, compressors=None)
    return path


def pack(folder: Path, inside: str = "") -> Path:
    """A zip of a store, in a folder inside or not."""
    packed = folder.with_suffix(".zip")
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"{inside}{file.relative_to(folder)}")
    return packed


def write_npz(path: Path, arrays: dict[str, np.ndarray], ends: np.ndarray = ENDS) -> Path:
    np.savez(path, **arrays, episode_ends=ends)
    return path


SHAPES = {
    "folder": lambda path, arrays: write_zarr(path, arrays),
    "folder-zstd": lambda path, arrays: write_zarr(path, arrays, compressor="zstd"),
    "folder-format-3": lambda path, arrays: write_zarr(path, arrays, zarr_format=3),
    "zip": lambda path, arrays: pack(write_zarr(path, arrays)),
    "zip-folder-inside": lambda path, arrays: pack(write_zarr(path, arrays), inside="replay.zarr/"),
    "npz": lambda path, arrays: write_npz(path.with_suffix(".npz"), arrays),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_packing_converts_to_the_same_numbers(shape, tmp_path):
    arrays = content()
    source = SHAPES[shape](tmp_path / "source.zarr", arrays)
    summary = convert(source, tmp_path / "out", **GIVEN, rename={"camera": "front.image"}, instruction="lift the cube")
    dataset = Dataset.open(tmp_path / "out")
    assert (summary.episodes, summary.rows, summary.period_s) == (3, 10, 0.1)
    assert dataset.episode_ends.tolist() == ENDS.tolist()
    assert np.array_equal(dataset.read("action"), arrays["action"])
    assert np.array_equal(dataset.read("state"), arrays["state"])
    assert np.array_equal(dataset.read("front.image"), arrays["camera"])
    assert dataset.schema.observation["state"].unit == "m m rad"
    assert dataset.schema.observation["front.image"].kind == "image"
    assert [(field.name, field.kind) for field in dataset.schema.action.fields] == [("action", "native")]
    assert dataset.episode(1).meta["instruction"] == "lift the cube"
    assert dict(summary.keys) == {"action": "action", "state": "state", "camera": "front.image"}
    assert dataset.attributes["provenance"]["keys"]["front.image"] == "camera"


def test_human_pusht_is_recognised_and_needs_no_options(pusht_image_store, pusht_human):
    dataset = Dataset.open(pusht_image_store)
    schema = dataset.schema
    assert len(dataset) == 10 and schema.period_s == 0.1
    shapes = {name: (field.shape, field.unit) for name, field in schema.row_fields.items()}
    assert shapes == {
        "image": ((96, 96, 3), "1"),
        "keypoints": ((9, 2), "px"),
        "contacts": ((1,), "1"),
        "state": ((5,), "px px px px rad"),
        "agent_position": ((2,), "px"),
        "action": ((2,), "px px"),
    }
    assert [field.name for field in schema.action.fields] == ["agent.target"]
    episode = dataset.episode(3)
    assert np.array_equal(episode.data["agent_position"], episode.data["state"][:, :2])
    with zipfile.ZipFile(pusht_human):
        original = zarr.open_group(zarr.storage.ZipStore(pusht_human, mode="r"), mode="r")
    rows = dataset.episode_slice(3)
    assert np.array_equal(episode.data["image"], original["data/img"][rows])
    assert np.array_equal(episode.data["keypoints"], original["data/keypoint"][rows])
    assert "push" in episode.meta["instruction"]


def test_a_known_set_is_recognised_without_keys_that_were_left_out(pusht_human, tmp_path):
    summary = convert(
        pusht_human,
        tmp_path / "out",
        exclude=["img", "keypoint"],
        skip_episodes=range(1, 206),
        rename={"state": "world"},
        period_s=0.2,
    )
    assert summary.notes[0] == "recognised as human demonstrations of PushT"
    assert summary.period_s == 0.2
    assert summary.units["world"] == "px px px px rad" and summary.units["agent_position"] == "px"


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (lambda images: images.astype(np.float32), "float32 to uint8"),
        (lambda images: images.astype(np.int64), "int64 to uint8"),
        (lambda images: images.astype(np.float64) / 255, "scaled from 0..1"),
        (lambda images: images.transpose(0, 3, 1, 2), "channels moved last"),
        (lambda images: (images / np.float32(255)).transpose(0, 3, 1, 2), "channels moved last, scaled"),
    ],
)
def test_images_of_other_types_scales_and_layouts_become_uint8_hwc_and_it_is_said(stored, said, tmp_path):
    images = content()["camera"]
    source = write_zarr(tmp_path / "source", content(camera=stored(images)))
    summary = convert(source, tmp_path / "out", **GIVEN)
    assert np.array_equal(Dataset.open(tmp_path / "out").read("camera"), images)
    assert any(said in note for note in summary.notes), summary.notes


def test_black_first_frames_do_not_hide_the_scale(tmp_path):
    images = np.zeros((10, 16, 12, 3), np.float32)
    images[9] = 0.5
    source = write_npz(tmp_path / "source.npz", content(camera=images))
    convert(source, tmp_path / "out", **GIVEN)
    assert Dataset.open(tmp_path / "out").read("camera")[9].tolist() == np.full((16, 12, 3), 128).tolist()


def test_grey_images_get_three_channels(tmp_path):
    grey = content()["camera"][..., :1]
    summary = convert(write_zarr(tmp_path / "source", content(camera=grey)), tmp_path / "out", **GIVEN)
    assert np.array_equal(Dataset.open(tmp_path / "out").read("camera"), np.repeat(grey, 3, axis=-1))
    assert any("grey" in note for note in summary.notes)


@pytest.mark.parametrize("value", [12.5, -1.0, 256.0, np.nan])
def test_images_that_are_none_are_refused_with_their_episode_and_row(value, tmp_path):
    images = content()["camera"].astype(np.float32)
    images[7, 2, 3, 1] = value
    with pytest.raises(InputError, match=r"'camera', episode 1, row 3: expected images of integers 0\.\.255") as caught:
        convert(write_zarr(tmp_path / "source", content(camera=images)), tmp_path / "out", **GIVEN)
    assert "exclude=[camera]" in str(caught.value)


def test_what_the_format_does_not_say_must_be_given_with_the_options_to_type(tmp_path):
    source = write_zarr(tmp_path / "source", content())
    with pytest.raises(InputError) as caught:
        convert(source, tmp_path / "out")
    for option in ("period_s=SECONDS", "units.action=UNIT", "units.state=UNIT", "units=1"):
        assert option in str(caught.value)
    assert "units.camera" not in str(caught.value)
    with pytest.raises(InputError, match=r"Add units\.state=UNIT "):
        convert(source, tmp_path / "out", period_s=0.1, units={"action": "m"})
    assert not (tmp_path / "out").exists()


def test_the_folder_one_stands_in_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(write_zarr(tmp_path / "source", content()))
    convert(".", tmp_path / "out", **GIVEN)
    dataset = Dataset.open(tmp_path / "out")
    assert dataset.attributes["provenance"]["converted_from"] == "source" and dataset.meta("source")[0] == "source"


def test_one_unit_for_all_keys(tmp_path):
    summary = convert(write_zarr(tmp_path / "source", content()), tmp_path / "out", period_s=0.05, units="1")
    assert summary.units == {"action": "1 1", "state": "1", "camera": "1"}


def test_a_person_is_asked_for_what_is_missing(tmp_path):
    answers = {"Control period": "0.05", "Unit of 'action'": " m ", "Unit of 'state'": ""}
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        return next(answer for start, answer in answers.items() if question.startswith(start))

    summary = convert(write_zarr(tmp_path / "source", content()), tmp_path / "out", ask=ask)
    assert summary.period_s == 0.05 and summary.units["action"] == "m m" and summary.units["state"] == "1"
    assert len(asked) == 3
    with pytest.raises(InputError, match="a number of seconds, got 'ten'"):
        convert(tmp_path / "source", tmp_path / "other", ask=lambda question: "ten")


def test_actions_rewards_and_stamps_are_found_by_name(tmp_path):
    arrays = content()
    actions = arrays.pop("action")
    seconds = 1000.5 + 0.1 * np.arange(10)
    source = write_npz(
        tmp_path / "source.npz",
        {
            **arrays,
            "actions": actions,
            "timestamp": seconds,
            "reward": np.arange(10.0),
            "gripper": np.arange(10, dtype=">f4"),
        },
    )
    convert(source, tmp_path / "out", period_s=0.1, units="1", kinds={"gripper": "width"})
    dataset = Dataset.open(tmp_path / "out")
    assert np.array_equal(dataset.read("action"), actions)
    assert np.array_equal(dataset.read("time_ns"), np.rint(seconds * 1e9).astype(np.int64))
    assert dataset.read("reward").tolist() == list(range(10))
    assert dataset.schema.observation["gripper"].kind == "width"
    assert dataset.read("gripper").tolist() == [[row] for row in range(10)]


def test_keys_and_episodes_can_be_left_out(tmp_path):
    arrays = content()
    source = write_zarr(tmp_path / "source", arrays)
    summary = convert(source, tmp_path / "out", **GIVEN, exclude=["camera"], skip_episodes=[1])
    dataset = Dataset.open(tmp_path / "out")
    assert summary.episodes == 2 and set(dataset.keys) == {"action", "state"}
    assert np.array_equal(dataset.read("action"), arrays["action"][[0, 1, 2, 3, 9]])


@pytest.mark.parametrize("write", [write_zarr, lambda path, *given: write_npz(path.with_suffix(".npz"), *given)])
def test_an_episode_that_is_skipped_may_be_empty_or_hold_what_is_no_image(write, tmp_path):
    images = content()["camera"].astype(np.float32)
    images[9] = np.nan
    source = write(tmp_path / "source", content(camera=images), np.array([4, 4, 9, 10]))
    refused(source, tmp_path / "out", "expected increasing ends, got 4 after 4 for episode 1")
    refused(source, tmp_path / "out", "'camera', episode 3, row 0", skip_episodes=[1])
    convert(source, tmp_path / "out", **GIVEN, skip_episodes=[1, 3])
    assert Dataset.open(tmp_path / "out").episode_ends.tolist() == [4, 9]
    assert np.array_equal(Dataset.open(tmp_path / "out").read("camera"), images[:9].astype(np.uint8))


def test_absent_chunks_are_read_as_the_source_means_them_and_said(tmp_path):
    source = write_zarr(tmp_path / "source", content(camera=None))
    (source / "data" / "state" / "1.0").unlink()
    summary = convert(source, tmp_path / "out", **GIVEN)
    assert any("'state': 1 of 4 chunks are absent" in note for note in summary.notes)
    assert not Dataset.open(tmp_path / "out").read("state")[3:6].any()


@pytest.mark.parametrize("packed", [False, True])
def test_a_buffer_that_promises_more_than_it_holds_is_refused(packed, tmp_path):
    source = write_zarr(tmp_path / "source", content(camera=None), np.array([4, 9, 2**40]))
    for name in ("action", "state"):
        metadata = source / "data" / name / ".zarray"
        values = json.loads(metadata.read_text())
        metadata.write_text(json.dumps({**values, "shape": [2**40, *values["shape"][1:]]}))
    if packed:
        source = pack(source)
    refused(source, tmp_path / "out", r"at most 200 times its .* bytes.*'state'.*exclude=\[state\]")


def test_shards_are_counted_as_shards(tmp_path):
    root = zarr.create_group(tmp_path / "source", zarr_format=3)
    root.create_array("data/action", data=np.ones((10, 2)), chunks=(2, 2), shards=(4, 2))
    root.create_array("data/state", data=np.ones((10, 3)), chunks=(2, 3), shards=(4, 3))
    root.create_array("meta/episode_ends", data=ENDS)
    assert not any("absent" in note for note in convert(tmp_path / "source", tmp_path / "whole", **GIVEN).notes)
    (tmp_path / "source" / "data" / "state" / "c" / "1" / "0").unlink()
    notes = convert(tmp_path / "source", tmp_path / "torn", **GIVEN).notes
    assert any("'state': 1 of 3 shards are absent" in note and "rows 4 to 7" in note for note in notes), notes


def test_arrays_in_groups_within_groups_are_keys_and_what_is_no_array_of_rows_is_said(tmp_path):
    arrays = content()
    source = write_zarr(
        tmp_path / "source",
        {"action": arrays["action"], "obs/state": arrays["state"], "obs/front/rgb": arrays["camera"]},
    )
    zarr.open_group(source, mode="r+").create_array("labels/x", data=np.arange(3))
    summary = convert(source, tmp_path / "out", period_s=0.1, units="1", rename={"obs/front/rgb": "camera"})
    dataset = Dataset.open(tmp_path / "out")
    assert set(dataset.keys) == {"action", "obs.state", "camera"}
    assert np.array_equal(dataset.read("obs.state"), arrays["state"])
    assert any("not read" in note and "labels" in note for note in summary.notes), summary.notes


@pytest.mark.parametrize("write", [write_npz, None])
def test_what_is_said_of_each_episode_becomes_its_facts(tmp_path, write):
    start = np.arange(9.0).reshape(3, 3)
    of_episodes = {
        "init_qpos": start,
        "person": np.array(["ann", "bob", "eve"]),
        "good": np.array([True, False, True]),
        "tries": np.array([[1], [2], [3]]),
    }
    if write is not None:
        source = write_npz(tmp_path / "source.npz", content(**of_episodes, rate=np.array(30)))
    else:
        source = write_zarr(tmp_path / "source", content())
        group = zarr.open_group(source, mode="r+")
        for name, values in of_episodes.items():
            dtype = str if name == "person" else values.dtype
            made = group.create_array(f"meta/{name}", shape=values.shape, dtype=dtype)
            made[:] = values
    summary = convert(source, tmp_path / "out", **GIVEN, rename={"person": "operator"}, skip_episodes=[1])
    dataset = Dataset.open(tmp_path / "out")
    assert dataset.meta("operator").tolist() == ["ann", "eve"] and dataset.meta("good").tolist() == [True, True]
    assert dataset.meta("tries").tolist() == [1, 3]
    assert [json.loads(each) for each in dataset.meta("init_qpos")] == [start[0].tolist(), start[2].tolist()]
    assert any("facts of each episode" in note and "init_qpos" in note for note in summary.notes)
    if write is not None:
        assert dataset.attributes["provenance"]["source_attributes"] == {"rate": 30}


def test_an_array_of_neither_rows_nor_episodes_has_a_way_out(tmp_path):
    refused(write_npz(tmp_path / "source.npz", content(gains=np.ones(7))), tmp_path / "out", r"exclude=\[gains\]")


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (lambda mask: mask.astype(np.float32), "scaled from 0..1"),
        (lambda mask: mask.astype(bool), "bool to uint8"),
        (lambda mask: mask[..., 0].astype(np.uint8) * 255, "grey repeated"),
        (lambda mask: np.concatenate([mask, mask[..., :1]], -1).astype(np.uint8) * 255, "opacity dropped"),
    ],
)
def test_masks_grey_stacks_and_images_with_opacity_become_images(tmp_path, stored, said):
    mask = np.repeat(np.random.default_rng(0).integers(0, 2, (10, 16, 12, 1)), 3, axis=-1)
    summary = convert(write_npz(tmp_path / "source.npz", content(camera=stored(mask))), tmp_path / "out", **GIVEN)
    dataset = Dataset.open(tmp_path / "out")
    assert dataset.schema.observation["camera"].kind == "image"
    assert np.array_equal(dataset.read("camera"), mask * 255)
    assert any(said in note for note in summary.notes), summary.notes


def test_a_stack_of_four_and_points_are_numbers_unless_said(tmp_path):
    arrays = content(camera=np.zeros((10, 4, 16, 12), np.uint8), cloud=np.zeros((10, 20, 3)))
    convert(write_npz(tmp_path / "source.npz", arrays), tmp_path / "out", period_s=0.1, units="1")
    kinds = {field.name: field.kind for field in Dataset.open(tmp_path / "out").schema.observation}
    assert kinds == {"state": "state", "camera": "state", "cloud": "points"}
    convert(tmp_path / "source.npz", tmp_path / "said", period_s=0.1, units="1", kinds={"camera": "image"})
    assert Dataset.open(tmp_path / "said").schema.observation["camera"].shape == (16, 12, 3)


def _file(path: Path, content: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: _file(path / "episode_0.h5").parent, "a folder of HDF5 files"),
        (lambda path: _file(path / "run.bag"), "a ROS bag"),
        (lambda path: _file(path / "run.mcap"), "a ROS bag"),
        (lambda path: _file(_file(path / "bag" / "metadata.yaml").with_name("a.db3")).parent, "a ROS bag"),
        (lambda path: _file(path / "demos.pkl"), "a pickle"),
    ],
)
def test_formats_that_are_not_read_are_recognised_and_have_a_way_out(tmp_path, make, words):
    source = make(tmp_path / "in")
    refused(source, tmp_path / "out", rf"got {words}.*np\.savez.*episode_ends")
    with pytest.raises(InputError, match=words):
        Dataset.open(source)


@pytest.mark.parametrize("name", ["set-00000-of-00001.tfrecord", "set.tfrecord-00000-of-00001"])
def test_records_of_rlds_are_refused_with_their_port(name, tmp_path):
    record = _file(tmp_path / "in" / "1.0.0" / name, b"\x00" * 16)
    refused(record.parent, tmp_path / "out", r"RLDS.*LeRobot.*'lerobot/'.*tiller data convert")


def test_a_store_is_expected_and_a_lerobot_dataset_is_there(tmp_path):
    _file(tmp_path / "in" / "meta" / "info.json", b"{}")
    with pytest.raises(InputError, match=r"got a LeRobot dataset.*tiller data convert"):
        Dataset.open(tmp_path / "in")
    refused(tmp_path / "in", tmp_path / "out", r"info.json': codebase_version: expected v2.0, v2.1 or v3.0")


def test_an_npz_is_named_where_a_dataset_is_expected(tmp_path):
    with pytest.raises(InputError, match=r"got an npz.*tiller data convert"):
        Dataset.open(write_npz(tmp_path / "source.npz", content()))


# Bad input: one message that names the thing; nothing is left behind.


def refused(source: Path, target: Path, message: str, kind: type[TillerError] = InputError, **options: Any) -> None:
    before = sorted(target.parent.iterdir())
    with pytest.raises(kind, match=message):
        convert(source, target, **{**GIVEN, **options})
    assert sorted(target.parent.iterdir()) == before


def test_paths_that_are_no_store(tmp_path):
    out = tmp_path / "out"
    refused(tmp_path / "nothing", out, "nothing at this path")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", out, "no zarr group")
    (tmp_path / "text.zip").write_text("words")
    refused(tmp_path / "text.zip", out, "no zip")
    (tmp_path / "text.npz").write_text("words")
    refused(tmp_path / "text.npz", out, "text.npz")
    refused(tmp_path / "missing.npz", out, "No such file")


def test_keys_of_different_lengths(tmp_path):
    bad = content(state=np.zeros((9, 3)))
    for source in (write_zarr(tmp_path / "source", bad), write_npz(tmp_path / "source.npz", bad)):
        refused(source, tmp_path / "out", "action 10.*state 9|state 9.*action 10")


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ([4, 4, 10], "got 4 after 4 for episode 1"),
        ([4, 3, 10], "got 3 after 4 for episode 1"),
        ([0, 10], "episode 0"),
        ([4, 11], "at most 10"),
        ([], "at least one episode"),
    ],
)
def test_episode_ends_that_do_not_fit(ends, message, tmp_path):
    ends = np.array(ends, dtype=np.int64)
    refused(write_zarr(tmp_path / "source", content(), ends), tmp_path / "out", message)
    refused(write_npz(tmp_path / "source.npz", content(), ends), tmp_path / "out", message)


def test_a_truncated_chunk_and_a_truncated_file(tmp_path):
    source = write_zarr(tmp_path / "source", content())
    chunk = source / "data" / "state" / "2.0"
    chunk.write_bytes(chunk.read_bytes()[:-20])
    refused(source, tmp_path / "out", "chunk 2 of 'data/state'", TillerError)
    packed = write_npz(tmp_path / "source.npz", content())
    packed.write_bytes(packed.read_bytes()[:-100])
    refused(packed, tmp_path / "out", "source.npz")


def test_numbers_that_are_none_are_named_by_episode_row_and_component(tmp_path):
    arrays = content()
    arrays["action"][6, 1] = np.nan
    arrays["state"][9, 0] = np.inf
    source = write_zarr(tmp_path / "source", arrays)
    refused(
        source,
        tmp_path / "out",
        r"'action', episode 1, row 2, component 1: expected a finite number, got nan\. "
        r"Leave the episode out with skip_episodes=\[1\]",
    )
    refused(source, tmp_path / "out", r"'state', episode 2, row 0, component 0", skip_episodes=[1])
    convert(source, tmp_path / "out", **GIVEN, skip_episodes=[1, 2])
    assert len(Dataset.open(tmp_path / "out")) == 1


def test_a_codec_that_is_not_installed_is_named_and_its_key_can_be_left_out(tmp_path):
    codec = "acme_wavelets"
    source = write_zarr(tmp_path / "source", content())
    metadata = source / "data" / "camera" / ".zarray"
    metadata.write_text(json.dumps({**json.loads(metadata.read_text()), "compressor": {"id": codec, "level": 50}}))
    refused(source, tmp_path / "out", f"{codec}.*exclude=\\[camera\\]")
    convert(source, tmp_path / "out", **GIVEN, exclude=["camera"])
    assert set(Dataset.open(tmp_path / "out").keys) == {"action", "state"}


def test_nothing_is_unpickled(tmp_path):
    source = write_zarr(tmp_path / "source", content())
    metadata = source / "data" / "state" / ".zarray"
    hidden = {"dtype": "|O", "fill_value": "", "filters": [{"id": "vlen-utf8"}, {"id": "pickle"}]}
    metadata.write_text(json.dumps({**json.loads(metadata.read_text()), **hidden}))
    refused(source, tmp_path / "out", "'pickle', which runs code")
    packed = write_npz(tmp_path / "source.npz", content(state=np.array([{"a": 1}] * 10, dtype=object)))
    refused(packed, tmp_path / "out", "'state'.*exclude=\\[state\\]")


def test_outputs_that_exist_or_cannot_be_written(tmp_path):
    source = write_npz(tmp_path / "source.npz", content())
    convert(source, tmp_path / "out", **GIVEN)
    refused(source, tmp_path / "out", "does not exist yet")
    assert len(Dataset.open(tmp_path / "out")) == 3
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can be written"):
        convert(source, tmp_path / "file" / "out", **GIVEN)


def test_options_that_fit_nothing(tmp_path):
    source = write_npz(tmp_path / "source.npz", content())
    out = tmp_path / "out"
    refused(source, out, "units.stat.*Did you mean 'state'", units={"stat": "m"})
    refused(source, out, "rename.cam.*Did you mean 'camera'", rename={"cam": "image"})
    refused(source, out, "both as 'state'", rename={"camera": "state"})
    refused(source, out, "one unit or 3", units={"state": "m m", "action": "m"})
    refused(source, out, "Did you mean 'image'", kinds={"camera": "imag"})
    refused(source, out, "exclude.*Did you mean 'camera'", exclude=["camra"])
    refused(source, out, "skip_episodes", skip_episodes=[3])
    refused(source, out, "pusht", preset="pushy")
    refused(source, out, "positive number", period_s=0.0)
    refused(write_npz(tmp_path / "none.npz", content(action=None)), out, "rename.KEY=action", units={"state": "m"})


def test_a_store_of_ours_needs_no_conversion(tmp_path):
    convert(write_npz(tmp_path / "source.npz", content()), tmp_path / "ours", **GIVEN)
    refused(tmp_path / "ours", tmp_path / "out", "tiller wrote")


def test_an_interruption_leaves_nothing(tmp_path):
    source = write_npz(tmp_path / "source.npz", content())

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(source, tmp_path / "out", **GIVEN, on_progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["source.npz"]


def test_the_original_is_untouched(tmp_path):
    source = write_zarr(tmp_path / "source", content())
    shutil.copytree(source, tmp_path / "copy")
    convert(source, tmp_path / "out", **GIVEN)
    for file in (tmp_path / "copy").rglob("*"):
        if file.is_file():
            assert file.read_bytes() == (source / file.relative_to(tmp_path / "copy")).read_bytes()


def stamped(path: Path, stamps: np.ndarray) -> Path:
    return write_npz(path / "source.npz", content(camera=None, timestamp=stamps))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf])
@pytest.mark.parametrize(("row", "named"), [(4, "episode 1, row 0"), (6, "episode 1, row 2"), (0, "episode 0, row 0")])
def test_stamps_that_are_not_finite_are_named_by_episode_and_row(value, row, named, tmp_path):
    seconds = 0.1 * np.arange(10)
    seconds[row] = value
    source = stamped(tmp_path, seconds)
    refused(source, tmp_path / "out", f"'timestamp', {named}: expected a finite number, got {value}")
    convert(source, tmp_path / "out", **GIVEN, skip_episodes=[int(named[8])])


def test_unsigned_stamps_beyond_64_bits_are_refused(tmp_path):
    stamps = np.uint64(2**63 - 3 * 10**8) + np.arange(10, dtype=np.uint64) * np.uint64(10**8)
    refused(stamped(tmp_path, stamps), tmp_path / "out", f"episode 0, row 3: expected a stamp in ns .* got {2**63}")


@pytest.mark.parametrize(
    ("stamps", "unit"),
    [
        (100 * np.arange(10), "ms"),
        (100_000 * np.arange(10, dtype=np.uint64), "us"),
        (1.7e18 + 1e8 * np.arange(10), "ns"),
        (100.0 * np.arange(10), "ms"),
    ],
)
def test_stamps_in_another_unit_are_refused_with_the_unit_that_fits(stamps, unit, tmp_path):
    source = stamped(tmp_path, stamps)
    refused(source, tmp_path / "out", f"'timestamp': expected stamps about 0.1 s apart.*units.timestamp={unit}")
    convert(source, tmp_path / "out", period_s=0.1, units={**GIVEN["units"], "timestamp": unit})
    time_ns = Dataset.open(tmp_path / "out").read("time_ns")
    assert np.allclose(np.diff(time_ns), 1e8, atol=256)


def test_stamps_that_fit_in_no_unit_are_refused(tmp_path):
    refused(
        stamped(tmp_path, np.zeros(10)), tmp_path / "out", r"got 0 s apart.*Correct period_s.*exclude=\[timestamp\]"
    )


def test_a_fact_beyond_64_bits_is_refused(tmp_path):
    source = write_npz(tmp_path / "source.npz", content(seed=np.array([1, 2**63 + 5, 2], np.uint64)))
    refused(source, tmp_path / "out", rf"'seed', episode 1: .* up to {2**63 - 1}, got {2**63 + 5}.*exclude=\[seed\]")
    convert(source, tmp_path / "out", **GIVEN, skip_episodes=[1])
    dataset = Dataset.open(tmp_path / "out")
    assert [dataset.episode(number).meta["seed"] for number in range(2)] == [1, 2]


def test_a_reward_that_is_no_number_or_none_of_ours_is_named_as_it_stands(tmp_path):
    reward = np.zeros(10)
    reward[7], reward[9] = 1e39, np.nan
    source = write_npz(tmp_path / "source.npz", content(reward=reward))
    refused(source, tmp_path / "out", r"'reward', episode 1, row 3: expected at most 3.4e\+38.*got 1e\+39")
    reward[7] = 0
    source = write_npz(tmp_path / "source.npz", content(reward=reward))
    refused(source, tmp_path / "out", "'reward', episode 2, row 0: expected a finite number, got nan")


def test_a_key_without_components_is_refused(tmp_path):
    arrays = content(camera=None, nothing=np.zeros((10, 0)))
    source = write_npz(tmp_path / "source.npz", arrays)
    refused(source, tmp_path / "out", r"'nothing': expected at least one number .*exclude=\[nothing\]", units="1")
    convert(source, tmp_path / "out", **GIVEN, exclude=["nothing"])


def test_long_doubles_become_float64_and_it_is_said(tmp_path):
    arrays = content(camera=None, gains=np.arange(3, dtype=np.longdouble), limits=np.ones((3, 2), np.longdouble))
    state = arrays["state"]
    arrays["state"] = state.astype(np.longdouble)
    notes = convert(write_npz(tmp_path / "source.npz", arrays), tmp_path / "out", **GIVEN).notes
    dataset = Dataset.open(tmp_path / "out")
    assert dataset.read("state").dtype == np.float64 and np.array_equal(dataset.read("state"), state)
    assert dataset.meta("gains").tolist() == [0, 1, 2]
    assert json.loads(dataset.meta("limits")[0]) == [1, 1]
    assert any("'state': " in note and note.endswith("to float64") for note in notes), notes


@pytest.mark.parametrize(
    "ends",
    [
        np.array(["4", "9", "10"]),
        np.array([4, 9, np.nan]),
        np.array([4.0, 9.0, 10.0]),
        np.array([[4], [9], [10]]),
        np.array(10),
        np.array([True, True, True]),
        np.array([], np.int64),
    ],
)
def test_ends_that_are_none_are_blamed_and_not_the_facts_beside_them(ends, tmp_path):
    source = write_npz(tmp_path / "source.npz", content(fact=np.arange(3)), ends)
    with pytest.raises(InputError, match="'episode_ends': expected") as caught:
        convert(source, tmp_path / "out", **GIVEN)
    assert "exclude" not in str(caught.value) and "np.array([20, 50, 75])" in str(caught.value)


def test_the_scale_of_images_is_that_of_the_episodes_that_are_converted(tmp_path):
    images = content()["camera"].astype(np.float64) / 255
    images[5, 0, 0, 0] = 7.0
    source = write_npz(tmp_path / "source.npz", content(camera=images))
    convert(source, tmp_path / "out", **GIVEN, skip_episodes=[1])
    assert np.array_equal(Dataset.open(tmp_path / "out").read("camera"), content()["camera"][[0, 1, 2, 3, 9]])


@pytest.mark.parametrize("scale", [1, 255])
def test_a_damaged_chunk_within_a_skipped_episode_is_not_read(scale, tmp_path):
    arrays = content()
    arrays["camera"] = arrays["camera"] / scale if scale != 1 else arrays["camera"]
    source = write_zarr(tmp_path / "source", arrays, np.array([3, 6, 10]))
    for chunk in (source / "data" / "state" / "1.0", source / "data" / "camera" / "1.0.0.0"):
        chunk.write_bytes(chunk.read_bytes()[:-20])
    refused(source, tmp_path / "out", "chunk 1 of 'data/", TillerError, skip_episodes=[2])
    convert(source, tmp_path / "out", **GIVEN, skip_episodes=[1])
    dataset = Dataset.open(tmp_path / "out")
    kept = [0, 1, 2, 6, 7, 8, 9]
    assert np.array_equal(dataset.read("state"), arrays["state"][kept])
    assert np.array_equal(dataset.read("camera"), content()["camera"][kept])


def test_actions_of_flags_are_refused_with_their_key(tmp_path):
    source = write_npz(tmp_path / "source.npz", content(action=np.ones((10, 2), bool)))
    refused(source, tmp_path / "out", r"key 'action': expected actions of .*, got bool\. .*astype")


@pytest.mark.parametrize("values", [np.arange(10.0), np.arange(3.0)])
def test_a_name_that_the_target_cannot_have_is_refused_with_rename(values, tmp_path):
    source = write_npz(tmp_path / "source.npz", content(größe=values))
    refused(source, tmp_path / "out", r"'größe': expected a name of letters.*rename\.größe=NAME", units="1")
    convert(source, tmp_path / "out", period_s=0.1, units="1", rename={"größe": "size"})


def test_a_fact_that_gives_way_to_one_of_ours_is_said(tmp_path):
    source = write_npz(tmp_path / "source.npz", content(source=np.array(["a", "b", "c"])))
    notes = convert(source, tmp_path / "out", **GIVEN).notes
    assert any("'source' is left out" in note and "rename.source=NAME" in note for note in notes), notes
    renamed = convert(source, tmp_path / "renamed", **GIVEN, rename={"source": "recorder"})
    assert Dataset.open(tmp_path / "renamed").meta("recorder").tolist() == ["a", "b", "c"]
    assert not any("left out" in note for note in renamed.notes)


def test_the_unit_1_may_be_a_number(tmp_path):
    source = write_npz(tmp_path / "source.npz", content())
    assert convert(source, tmp_path / "out", period_s=0.1, units={"state": 1, "action": 1}).units["state"] == "1"
