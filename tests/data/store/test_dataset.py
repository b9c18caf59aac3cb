"""What is appended is read back bit for bit, by us and by any zarr reader, from folders, zips and URLs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from data.store import layout
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.schema import ColumnField, MetaField, Schema, StreamField
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.errors import InputError

DTYPES = ("float32", "float64", "float16", "uint8", "uint16", "int16", "int32", "int64", "bool")


def same(one: Episode, other: Episode) -> bool:
    """Equal in every bit, name, type and fact."""
    return one.digest() == other.digest() and list(one.data) == list(other.data)


@st.composite
def schemas_and_episodes(draw: st.DrawFn) -> tuple[Schema, list[Episode], int]:
    """A schema with arrays of any type, episodes that fit it, and a number of bytes a chunk."""
    shapes = hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)
    observation = ObservationSpec(
        tuple(
            ObservationField(f"o{index}", draw(shapes), draw(st.sampled_from(DTYPES)), "1", "state")
            for index in range(draw(st.integers(0, 2)))
        )
    )
    columns = tuple(
        ColumnField(f"c{index}", draw(shapes), draw(st.sampled_from(DTYPES)), "1")
        for index in range(draw(st.integers(0, 2)))
    )
    streams = tuple(
        StreamField(f"s{index}", draw(shapes), draw(st.sampled_from(DTYPES)), "1")
        for index in range(draw(st.integers(0, 1)))
    )
    meta = (
        MetaField("text", "string"),
        MetaField("flag", "bool"),
        MetaField("count", "int64"),
        MetaField("number", "float64"),
    )
    action = ActionSpec((ActionField("target", draw(st.integers(1, 3)), "m", "native"),), 0.05)
    schema = Schema(observation, action, 0.05, meta, streams, columns, draw(st.sampled_from(["float32", "float64"])))
    episodes = [draw(_episodes(schema)) for _ in range(draw(st.integers(1, 5)))]
    return schema, episodes, draw(st.sampled_from([1, 64, 1 << 20]))


@st.composite
def _episodes(draw: st.DrawFn, schema: Schema) -> Episode:
    rows, samples = draw(st.integers(1, 20)), draw(st.integers(0, 30))
    data = {
        name: draw(
            hnp.arrays(
                field.dtype,
                (rows, *field.shape),
                elements={"allow_nan": name != "action", "allow_infinity": name != "action"}
                if field.dtype.startswith("float")
                else None,
            )
        )
        for name, field in schema.row_fields.items()
    }
    meta = {
        "text": draw(st.text(st.characters(codec="utf-8"), max_size=20)),
        "flag": draw(st.booleans()),
        "count": draw(st.integers(-(2**63), 2**63 - 1)),
        "number": draw(st.floats(allow_nan=False)),
    }
    streams = {
        name: (draw(hnp.arrays(field.dtype, (samples, *field.shape))), np.sort(draw(hnp.arrays(np.int64, samples))))
        for name, field in schema.stream_fields.items()
    }
    return Episode(data, meta, streams)


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(case=schemas_and_episodes(), sessions=st.integers(1, 3))
def test_any_episodes_read_back_bit_for_bit(
    case: tuple[Schema, list[Episode], int], sessions: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema, episodes, bytes_a_chunk = case
    monkeypatch.setattr(layout, "_BYTES_A_CHUNK", bytes_a_chunk)
    path = tmp_path / "store"
    shutil.rmtree(path, ignore_errors=True)
    Dataset.create(path, schema).close()
    for part in np.array_split(np.arange(len(episodes)), sessions):
        with Dataset.open(path, mode="a") as dataset:
            for index in part:
                dataset.append(episodes[index])
            assert len(dataset) == (part[-1] + 1 if len(part) else len(dataset))
    read = Dataset.open(path)
    assert read.schema == schema
    assert read.episode_ends.tolist() == np.cumsum([len(episode) for episode in episodes]).tolist()
    for index, episode in enumerate(episodes):
        assert same(read.episode(index), episode)
    for name in schema.row_fields:
        whole = np.concatenate([episode.data[name] for episode in episodes])
        plain = zarr.open_array(path / "data" / name, mode="r")[:]
        assert plain.dtype == whole.dtype and plain.tobytes() == whole.tobytes()


def test_a_batch_in_one_commit_equals_one_commit_each(tmp_path: Path, schema: Schema, make_episode: Any) -> None:
    episodes = [make_episode(number, rows=5 + number) for number in range(6)]
    with Dataset.create(tmp_path / "each", schema) as each, Dataset.create(tmp_path / "batch", schema) as batch:
        for episode in episodes:
            each.append(episode)
        batch.extend(episodes[:4])
        batch.extend([])
        batch.extend(episodes[4:])
        assert each.fingerprint == batch.fingerprint
        assert each.episode_ends.tolist() == batch.episode_ends.tolist()
    for index, episode in enumerate(episodes):
        assert same(Dataset.open(tmp_path / "batch").episode(index), episode)


def test_plain_zarr_reads_the_same_arrays(store: Path, make_episode: Any) -> None:
    root = zarr.open_group(store, mode="r")
    episodes = [make_episode(number, rows=8 + number) for number in range(4)]
    assert root["meta/episode_ends"][:].tolist() == [8, 17, 27, 38]
    assert root["meta/instruction"][:].tolist() == [episode.meta["instruction"] for episode in episodes]
    assert root["meta/success"][:].tolist() == [True, False, True, False]
    assert root["meta/stream_ends/wrench"][:].tolist() == [80, 170, 270, 380]
    for name in ("state", "image", "action", "time_ns", "reward"):
        whole = np.concatenate([episode.data[name] for episode in episodes])
        assert root[f"data/{name}"][:].tobytes() == whole.tobytes()
    assert root["data/state"].attrs["unit"] == "px px px px rad"
    assert {path for path, _ in root.members(max_depth=None)} >= {"streams/wrench/value", "streams/wrench/time_ns"}


def test_attributes_tell_period_software_and_what_was_given(store: Path) -> None:
    attributes = Dataset.open(store).attributes
    assert attributes["control_period_s"] == 0.1
    assert attributes["cameras"] == {"image": {"model": "none"}}
    assert attributes["software"]["zarr"] == zarr.__version__


def test_another_process_appends_and_a_reader_sees_it_after_refresh_only(store: Path, make_episode: Any) -> None:
    reader = Dataset.open(store)
    before, fingerprint = [reader.episode(index) for index in range(4)], reader.fingerprint
    program = (
        "import sys, numpy as np\n"
        "from data.store.dataset import Dataset\n"
        "with Dataset.open(sys.argv[1], mode='a') as dataset:\n"
        "    for index in range(3):\n"
        "        dataset.append(dataset.episode(index))\n"
    )
    subprocess.run([sys.executable, "-c", program, str(store)], check=True, cwd=Path(__file__).parents[3])
    assert len(reader) == 4 and reader.rows == 38 and reader.array("state").shape == (38, 5)
    assert all(same(reader.episode(index), before[index]) for index in range(4))
    assert reader.fingerprint == fingerprint
    reader.refresh()
    assert len(reader) == 7 and reader.rows == 38 + 27
    assert all(same(reader.episode(4 + index), before[index]) for index in range(3))
    assert reader.fingerprint != fingerprint


@pytest.mark.parametrize("fatal", [0, 5, 20, -1])
def test_an_interrupt_while_appending_leaves_the_dataset_usable(
    fatal: int, store: Path, make_episode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, renamed = os.replace, []

    def interrupted(source: Any, target: Any) -> None:
        commits = Path(target) == store / "zarr.json"
        if not commits and len(renamed) == fatal:
            raise KeyboardInterrupt
        renamed.append(target)
        replace(source, target)
        if commits and fatal == -1:
            raise KeyboardInterrupt

    with Dataset.open(store, mode="a") as dataset:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(os, "replace", interrupted)
            dataset.append(make_episode(4))
        committed = 5 if fatal == -1 else 4
        dataset.append(make_episode(committed))
        assert len(dataset) == committed + 1
        assert same(dataset.episode(committed), make_episode(committed))
    read = Dataset.open(store)
    assert len(read) == committed + 1
    for number in range(4, len(read)):
        assert same(read.episode(number), make_episode(number))


def test_the_fingerprint_follows_the_content_and_not_the_place(
    tmp_path: Path, schema: Schema, make_episode: Any
) -> None:
    def build(name: str, numbers: list[int]) -> str:
        with Dataset.create(tmp_path / name, schema) as dataset:
            dataset.extend([make_episode(number) for number in numbers])
            return dataset.fingerprint

    first = build("first", [0, 1])
    assert build("same", [0, 1]) == first
    assert build("order", [1, 0]) != first
    assert build("longer", [0, 1, 2]) != first
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    assert Dataset.open(tmp_path / "copy").fingerprint == first


def test_chosen_arrays_of_one_episode_and_episodes_from_the_end(store: Path, make_episode: Any) -> None:
    dataset = Dataset.open(store)
    assert list(dataset.episode(1, names=["action"]).data) == ["action"]
    assert same(dataset.episode(-1), dataset.episode(3))
    assert dataset.meta("seed").tolist() == [0, 1, 2, 3]
    assert dataset.read("state", 8, 17).tobytes() == make_episode(1, rows=9).data["state"].tobytes()
    with pytest.raises(InputError, match="expected 0 to 3, got 4"):
        dataset.episode(4)
    with pytest.raises(InputError, match="Did you mean 'state'"):
        dataset.array("stat")
    with pytest.raises(InputError, match="Did you mean 'seed'"):
        dataset.meta("sed")


def test_a_new_store_has_no_episodes_and_can_be_read(tmp_path: Path, schema: Schema) -> None:
    Dataset.create(tmp_path / "store", schema).close()
    dataset = Dataset.open(tmp_path / "store")
    assert len(dataset) == 0 and dataset.rows == 0
    assert dataset.read("state").shape == (0, 5)


def test_creating_takes_an_empty_folder_and_nothing_else(tmp_path: Path, schema: Schema, store: Path) -> None:
    (tmp_path / "empty").mkdir()
    Dataset.create(tmp_path / "empty", schema).close()
    (tmp_path / "file").write_text("words")
    for taken in (store, tmp_path / "file"):
        with pytest.raises(InputError, match="nothing is overwritten"):
            Dataset.create(taken, schema)
    with pytest.raises(InputError, match="expected a local folder"):
        Dataset.create("memory://somewhere", schema)
    with pytest.raises(InputError, match="expected a place that can be written"):
        Dataset.create(tmp_path / "file" / "store", schema)
    assert len(Dataset.open(store)) == 4


def _zip(folder: Path, target: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, os.path.join(inside, file.relative_to(folder)))
    return target


@pytest.mark.parametrize("inside", ["", "push.zarr", "a/b/push.zarr"])
def test_a_zip_is_read_wherever_the_store_lies_in_it(inside: str, store: Path, tmp_path: Path) -> None:
    path = _zip(store, tmp_path / "store.zip", inside)
    packed, folder = Dataset.open(path), Dataset.open(store)
    assert packed.fingerprint == folder.fingerprint
    assert all(same(packed.episode(index), folder.episode(index)) for index in range(4))


def test_urls_of_folders_and_zips_are_read(store: Path, tmp_path: Path) -> None:
    import fsspec

    folder, archive = Dataset.open(store), _zip(store, tmp_path / "store.zip", "push.zarr")
    memory = fsspec.filesystem("memory")
    memory.put(str(store), "/tests/store", recursive=True)
    try:
        for url in (f"file://{store}", f"file://{archive}", "memory://tests/store"):
            remote = Dataset.open(url)
            assert all(same(remote.episode(index), folder.episode(index)) for index in range(4)), url
            with pytest.raises(InputError, match=r"got a remote URL.*tiller data convert"):
                Dataset.open(url, mode="a")
    finally:
        memory.rm("/tests", recursive=True)


def test_appending_to_what_cannot_be_appended_to_says_how_to_go_on(
    store: Path, tmp_path: Path, pusht_human: Path
) -> None:
    archive = _zip(store, tmp_path / "store.zip")
    with zipfile.ZipFile(pusht_human) as packed:
        packed.extractall(tmp_path / "foreign", [name for name in packed.namelist() if "img" not in name])
    for path, what in ((archive, "a zip file"), (tmp_path / "foreign", "a store that tiller did not write")):
        with pytest.raises(InputError, match=f"got {what}.*tiller data convert") as caught:
            Dataset.open(path, mode="a")
        assert caught.value.exit_code == 2
    with pytest.raises(InputError, match="open for appending"):
        Dataset.open(store).append(Dataset.open(store).episode(0))


def test_a_foreign_store_opens_without_a_schema(pusht_human: Path) -> None:
    dataset = Dataset.open(pusht_human)
    assert dataset.schema is None and dataset.period_s is None
    assert dataset.keys == ("action", "img", "keypoint", "n_contacts", "state")
    assert len(dataset) == 206 and dataset.rows == 25650
    episode = dataset.episode(0, names=["action", "state"])
    assert episode.data["action"].shape == (161, 2) and episode.meta == {}


def test_a_store_of_version_1_is_read_and_appended_to(make_episode: Any, tmp_path: Path) -> None:
    path = tmp_path / "store"
    with zipfile.ZipFile(Path(__file__).with_name("version1.zarr.zip")) as packed:
        packed.extractall(path)
    dataset = Dataset.open(path)
    assert dataset.fingerprint == "44f991d14a46ecf4"  # as the version that wrote it has it
    assert [dataset.episode(index).digest() for index in range(2)] == [
        "718b9a1f2f820214fdc885f4c0827ba2",
        "0457ac1fb15f7050793ff9c75303dc71",
    ]
    with Dataset.open(path, mode="a") as dataset:
        dataset.append(make_episode(2, rows=4))
    dataset = Dataset.open(path)
    assert len(dataset) == 3 and dataset.episode(2).digest() == make_episode(2, rows=4).digest()
    assert json.loads((path / "zarr.json").read_text())["attributes"]["tiller"]["schema_version"] == 1
