"""A store that cannot be used is refused with one message that names what is wrong and the way out."""

from __future__ import annotations

import importlib
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from data.edit.repair import repair
from data.formats.convert import convert
from data.store.dataset import Dataset
from data.store.reading import DamagedChunkError
from data.store.writing.target import free_folder
from robot.errors import InputError


def _foreign(path: Path, lengths: dict[str, int], ends: list[int], zarr_format: Any = 2) -> Path:
    """A replay buffer as other programs write it."""
    root = zarr.create_group(path, zarr_format=zarr_format)
    for name, length in lengths.items():
        root.create_array(f"data/{name}", data=np.ones((length, 2), np.float32), chunks=(16, 2))
    root.create_array("meta/episode_ends", data=np.array(ends, np.int64))
    return path


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_sound_foreign_store_of_either_format_is_read(tmp_path: Path, zarr_format: int) -> None:
    dataset = Dataset.open(_foreign(tmp_path / "foreign", {"action": 30, "state": 30}, [10, 30], zarr_format))
    assert dataset.keys == ("action", "state") and len(dataset) == 2
    assert dataset.episode(1).data["state"].shape == (20, 2)


def test_a_path_that_is_no_store(tmp_path: Path, store: Path) -> None:
    (tmp_path / "words.txt").write_text("words")
    (tmp_path / "empty").mkdir()
    zarr.create_group(tmp_path / "bare")
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.writestr("readme.txt", "words")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for name in ("a", "b"):
            for file in ("zarr.json", "data/zarr.json"):
                archive.writestr(f"{name}/{file}", "{}")
    for name, message in {
        "missing": "nothing at this path",
        "words.txt": "a file that is no zip",
        "empty": "no zarr group there",
        "bare": "without arrays under data/",
        "none.zip": "expected one store in the archive, got none",
        "two.zip": "expected one store in the archive, got several: a/, b/",
    }.items():
        with pytest.raises(InputError, match=message) as caught:
            Dataset.open(tmp_path / name)
        assert name in str(caught.value) and caught.value.exit_code == 2
    with pytest.raises(InputError, match="expected an fsspec URL that can be read"):
        Dataset.open("nosuchprotocol://host/store")
    with pytest.raises(InputError, match="no zarr group there"):
        Dataset.open(f"file://{tmp_path}/missing")
    with pytest.raises(InputError, match="expected an fsspec URL that can be read"):
        Dataset.open(f"file://{tmp_path}/missing.zip")
    with pytest.raises(InputError, match="expected 'r' or 'a', got 'w'"):
        Dataset.open(store, mode="w")  # type: ignore[arg-type]


def test_a_name_that_is_too_long_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="File name too long"):
        Dataset.open(tmp_path / ("a" * 300))
    with pytest.raises(InputError, match="File name too long"):
        free_folder(tmp_path / ("a" * 300) / "store")
    with pytest.raises(InputError, match="File name too long"):
        free_folder(tmp_path / ("a" * 300))


@pytest.mark.parametrize("within", ["x", "data/x", "data/state/x/y"])
def test_a_target_within_a_store_is_refused(within: str, tmp_path: Path) -> None:
    source = _foreign(tmp_path / "source", {"action": 30, "state": 30}, [10, 30])
    before = sorted(source.rglob("*"))
    with pytest.raises(InputError, match="expected a folder outside every store"):
        repair(source, source / within)
    with pytest.raises(InputError, match="expected a folder outside every store"):
        convert(source, source / within, period_s=0.1, units="1")
    assert sorted(source.rglob("*")) == before


def test_keys_of_different_lengths(tmp_path: Path) -> None:
    path = _foreign(tmp_path / "foreign", {"action": 30, "state": 29}, [10, 30])
    with pytest.raises(InputError, match=r"arrays of equal length, got action 30, state 29.*tiller data validate"):
        Dataset.open(path)


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ([10, 10, 30], "expected increasing ends, got 10 after 10 for episode 1"),
        ([20, 10, 30], "expected increasing ends, got 10 after 20 for episode 1"),
        ([0, 30], "expected increasing ends, got 0 after 0 for episode 0"),
        (
            [2**63 - 1, -(2**63)],
            "expected increasing ends, got -9223372036854775808 after 9223372036854775807 for episode 1",
        ),
        ([10, 31], "expected at most 30, the number of rows, got 31 for episode 1"),
    ],
)
def test_episode_ends_that_make_no_sense(tmp_path: Path, ends: list[int], message: str) -> None:
    with pytest.raises(InputError, match=f"episode_ends: {message}"):
        Dataset.open(_foreign(tmp_path / "foreign", {"action": 30}, ends))


def test_no_episode_ends_at_all(tmp_path: Path) -> None:
    path = _foreign(tmp_path / "foreign", {"action": 30}, [30])
    shutil.rmtree(path / "meta" / "episode_ends")
    with pytest.raises(InputError, match=r"meta/episode_ends.*none there"):
        Dataset.open(path)


@pytest.mark.parametrize("harm", ["truncate", "flip", "remove"])
def test_a_damaged_chunk_is_named_with_its_rows_and_the_sound_ones_are_read(
    harm: str, tmp_path: Path, schema: Any, make_episode: Any
) -> None:
    path = tmp_path / "store"
    with Dataset.create(path, schema) as dataset:
        dataset.extend([make_episode(number, rows=2000) for number in range(2)])
    chunk = path / "data" / "image" / "c.2.0.0.0"
    content = bytearray(chunk.read_bytes())
    if harm == "remove":
        chunk.unlink()
    elif harm == "truncate":
        chunk.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 1
        chunk.write_bytes(content)
    dataset = Dataset.open(path)
    first, end = 2048, 3072
    with pytest.raises(
        DamagedChunkError,
        match=rf"chunk 2 of 'data/image' \(rows {first} to {end - 1}\) is damaged.*"
        "tiller data repair",
    ) as caught:
        dataset.episode(1)
    assert caught.value.exit_code == 1 and (caught.value.chunk, caught.value.rows) == (2, (first, end))
    assert dataset.episode(0).digest() == make_episode(0, rows=2000).digest()
    assert dataset.episode(1, names=["action", "state"]).data["action"].shape == (2000, 2)


def test_a_truncated_chunk_of_a_foreign_store(tmp_path: Path) -> None:
    path = _foreign(tmp_path / "foreign", {"action": 40}, [40])
    chunk = path / "data" / "action" / "1.0"
    chunk.write_bytes(chunk.read_bytes()[:8])
    with pytest.raises(DamagedChunkError, match=r"chunk 1 of 'data/action' \(rows 16 to 31\)"):
        Dataset.open(path).episode(0)


def test_a_codec_that_is_not_installed_is_named_and_the_other_keys_are_read(tmp_path: Path) -> None:
    path = _foreign(tmp_path / "foreign", {"action": 30, "camera0_rgb": 30}, [30])
    metadata = json.loads((path / "data/camera0_rgb/.zarray").read_text())
    metadata["compressor"] = {"id": "acme_wavelets", "level": 50}
    (path / "data/camera0_rgb/.zarray").write_text(json.dumps(metadata))
    dataset = Dataset.open(path)
    assert dataset.keys == ("action", "camera0_rgb")
    assert dataset.episode(0, names=["action"]).data["action"].shape == (30, 2)
    with pytest.raises(InputError, match=r"camera0_rgb.*codec 'acme_wavelets'.*Install the package that brings it"):
        dataset.array("camera0_rgb")


@pytest.mark.parametrize("codec", ["Jpeg2k", "Jpegxl", "Png"])
def test_images_that_others_encoded_are_read(tmp_path: Path, codec: str) -> None:
    path = _foreign(tmp_path / "foreign", {"action": 30}, [30])
    codecs = importlib.import_module("imagecodecs.numcodecs")
    codecs.register_codecs(verbose=False)
    images = np.random.default_rng(0).integers(0, 256, (30, 24, 32, 3), dtype=np.uint8)
    squeeze = getattr(codecs, codec)(
        **({"reversible": True} if codec == "Jpeg2k" else {"lossless": True} if codec == "Jpegxl" else {})
    )
    zarr.open_group(path, mode="r+").create_array("data/image", data=images, chunks=(1, 24, 32, 3), compressors=squeeze)
    assert np.array_equal(Dataset.open(path).read("image"), images)


def test_a_store_of_another_schema_version_and_one_with_a_misspelt_record(store: Path) -> None:
    text = (store / "zarr.json").read_text()
    root = json.loads(text)
    root["attributes"]["tiller"]["schema_version"] = 99
    (store / "zarr.json").write_text(json.dumps(root))
    with pytest.raises(InputError, match="schema version: expected 1 or 2, got 99"):
        Dataset.open(store)
    root = json.loads(text)
    root["attributes"]["tiller"]["commit"]["rowz"] = root["attributes"]["tiller"]["commit"].pop("rows")
    (store / "zarr.json").write_text(json.dumps(root))
    with pytest.raises(InputError, match="Did you mean 'rows'"):
        Dataset.open(store)
    (store / "zarr.json").write_text(text[:100])
    with pytest.raises(InputError, match="metadata that cannot be read"):
        Dataset.open(store)


def test_an_array_that_is_missing_or_shorter_than_what_was_committed(store: Path) -> None:
    metadata = json.loads((store / "data/state/zarr.json").read_text())
    metadata["shape"][0] = 30
    (store / "data/state/zarr.json").write_text(json.dumps(metadata))
    for mode in ("r", "a"):
        with pytest.raises(InputError, match=r"'data/state'.*expected 38 entries.*got 30"):
            Dataset.open(store, mode=mode)  # type: ignore[arg-type]
    shutil.rmtree(store / "data/state")
    with pytest.raises(InputError, match=r"'data/state'.*none that can be read"):
        Dataset.open(store)


def test_an_append_does_not_bury_damage_in_the_chunk_that_it_would_rewrite(store: Path, make_episode: Any) -> None:
    chunk = store / "data" / "state" / "c.0.0"
    content = chunk.read_bytes()
    for harm in (chunk.unlink, lambda: chunk.write_bytes(content[:50])):
        harm()
        with Dataset.open(store, mode="a") as dataset:
            with pytest.raises(DamagedChunkError, match=r"chunk 0 of 'data/state' \(rows 0 to 37\) is damaged"):
                dataset.append(make_episode(4))
            assert len(dataset) == 4
    chunk.write_bytes(content)
    with Dataset.open(store, mode="a") as dataset:
        dataset.append(make_episode(4))
        assert dataset.episode(4).digest() == make_episode(4).digest()
