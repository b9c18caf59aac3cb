"""Damaged metadata of one array is one error that names it; the array is neither forgotten nor a traceback."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import zarr

from data.checks.info import info
from data.checks.validate import validate
from data.edit.repair import repair
from data.formats.convert import convert
from data.store.dataset import Dataset
from robot.errors import InputError, TillerError

Harm = Callable[[dict[str, Any]], bytes | None]


def _store(path: Path, zarr_format: Any) -> Path:
    root = zarr.create_group(path, zarr_format=zarr_format)
    values = np.random.default_rng(0).normal(size=(75, 2)).astype(np.float32)
    for key in ("state", "action"):
        root.create_array(f"data/{key}", data=values, chunks=(8, 2))
    root.create_array("meta/success", data=np.array([True, False, True]))
    root.create_array("meta/episode_ends", data=np.array([20, 50, 75]))
    return path


def _with(**changes: Any) -> Harm:
    return lambda metadata: json.dumps({**metadata, **changes}).encode()


def _without(key: str) -> Harm:
    return lambda metadata: json.dumps({name: value for name, value in metadata.items() if name != key}).encode()


BOTH: dict[str, Harm] = {
    "cut": lambda metadata: json.dumps(metadata).encode()[:40],
    "empty": lambda metadata: b"",
    "not UTF-8": lambda metadata: b'{"shape": "\xff\xfe"}',
    "deleted": lambda metadata: None,
    "a list": lambda metadata: b"[1]",
    "shape of one number": lambda metadata: b'{"shape": 75}',
    "shape only": lambda metadata: b'{"shape": [75, 2]}',
    "shape of words": lambda metadata: json.dumps({"shape": ["a"], "zarr_format": metadata["zarr_format"]}).encode(),
    "negative shape": _with(shape=[-75, 2]),
    "without fill value": _without("fill_value"),
    "an unknown fill value": _with(fill_value="xyz"),
}
HARMS: list[tuple[int, str, Harm]] = [
    *((zarr_format, name, harm) for zarr_format in (2, 3) for name, harm in BOTH.items()),
    (2, "empty chunks", _with(chunks=[0, 2])),
    (2, "unknown type", _with(dtype="banana")),
    (2, "no compressor", _with(compressor=5)),
    (3, "unknown type", _with(data_type="banana")),
    (3, "no chunk grid", _without("chunk_grid")),
    (3, "no codecs", _with(codecs=5)),
]


@pytest.mark.parametrize(
    ("zarr_format", "harm"),
    [pytest.param(zarr_format, harm, id=f"{name}, format {zarr_format}") for zarr_format, name, harm in HARMS],
)
def test_damaged_metadata_is_one_error_and_the_array_is_not_forgotten(
    zarr_format: int, harm: Harm, tmp_path: Path
) -> None:
    source = _store(tmp_path / "source", zarr_format)
    for key in ("data/state", "meta/episode_ends"):
        file = source / key / {2: ".zarray", 3: "zarr.json"}[zarr_format]
        sound = file.read_text()
        content = harm(json.loads(sound))
        file.unlink()
        if content is not None:
            file.write_bytes(content)
        errors = [finding for finding in validate(source).findings if finding.severity == "error"]
        assert [error.where for error in errors] == [key], errors
        with pytest.raises(TillerError, match=key):
            repair(source, tmp_path / "repaired")
        with pytest.raises(InputError, match=key) as caught:
            convert(source, tmp_path / "converted", period_s=0.1, units="1")
        if key == "data/state":
            assert "exclude=[state]" in str(caught.value)
            assert info(source).rows == 75
            assert Dataset.open(source).episode(0, names=["action"]).data["action"].shape == (20, 2)
            convert(source, tmp_path / "converted", period_s=0.1, units="1", exclude=["state"])
            assert Dataset.open(tmp_path / "converted").keys == ("action",)
            shutil.rmtree(tmp_path / "converted")
        else:
            with pytest.raises(InputError, match=key):
                info(source)
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["source"]
        file.write_text(sound)


def test_info_and_validation_say_which_metadata_cannot_be_read_and_why(tmp_path: Path) -> None:
    source = _store(tmp_path / "source", 2)
    (source / "data/state/.zarray").write_bytes(b"")
    (source / "meta/success/.zarray").write_text('{"zarr_format": 2, "shape": [-3]}')
    facts = [value for name, value in info(source).facts() if name == "cannot be read"]
    assert facts == ["data/state: an empty '.zarray'", "meta/success: a '.zarray' with 'shape' [-3]"]
    messages = {finding.where: finding.message for finding in validate(source).findings}
    assert messages["data/state"] == (
        f"the array's metadata cannot be read: an empty '.zarray'. 'tiller data convert {source} TARGET' leaves it "
        "out with exclude=[state]"
    )
    assert "exclude=[success]" in messages["meta/success"]
    convert(source, tmp_path / "converted", period_s=0.1, units="1", exclude=["state", "success"])


def test_damaged_metadata_of_a_store_of_ours_is_one_error(store: Path) -> None:
    (store / "data/state/zarr.json").write_bytes(b"{")
    errors = [finding for finding in validate(store).findings if finding.severity == "error"]
    assert [error.where for error in errors] == ["data/state"]
    assert "metadata cannot be read: a 'zarr.json' that is no JSON" in errors[0].message
    with pytest.raises(InputError, match="metadata cannot be read"):
        Dataset.open(store)
