"""Arrays in an npz are streamed, whatever their size, and a file that lies about them is refused."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.formats import open_source
from data.formats.convert import convert
from data.store.dataset import Dataset
from robot.errors import InputError

ENDS = np.array([4, 9, 10])
ARRAYS = {"action": np.arange(20.0).reshape(10, 2), "state": np.arange(30.0).reshape(10, 3), "episode_ends": ENDS}


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=True)
    return file.getvalue()


def packed(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def members(**changes: bytes) -> dict[str, bytes]:
    return {**{name: npy(array) for name, array in ARRAYS.items()}, **changes}


def refused(source: Path, message: str) -> None:
    before = sorted(source.parent.iterdir())
    with pytest.raises(InputError, match=message) as caught:
        convert(source, source.parent / "out", period_s=0.1, units="1")
    assert str(source) in str(caught.value)
    assert sorted(source.parent.iterdir()) == before


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_compression_and_both_orders_of_axes_convert_to_the_same_numbers(method, tmp_path):
    source = packed(tmp_path / "in.npz", members(state=npy(np.asfortranarray(ARRAYS["state"]))), method)
    convert(source, tmp_path / "out", period_s=0.1, units="1")
    dataset = Dataset.open(tmp_path / "out")
    assert np.array_equal(dataset.read("state"), ARRAYS["state"])
    assert np.array_equal(dataset.read("action"), ARRAYS["action"])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(1, 5)), min_size=1, max_size=12))
def test_rows_can_be_read_in_any_order(tmp_path_factory, reads):
    path = tmp_path_factory.mktemp("npz") / "in.npz"
    np.savez_compressed(path, **ARRAYS)
    source = open_source(path)
    starts = [0, 4, 9]
    for episode, start, count in reads:
        start = min(start, int(source.lengths[episode]) - 1)
        stop = min(start + count, int(source.lengths[episode]))
        rows = source.read("state", episode, start, stop)
        assert np.array_equal(rows, ARRAYS["state"][starts[episode] + start : starts[episode] + stop])
    source.close()


def test_an_npz_of_one_long_episode_is_never_in_memory_as_a_whole(tmp_path, monkeypatch):
    for part in ("arrays.concatenated", "writing"):
        monkeypatch.setattr(f"data.formats.{part}.BLOCK_BYTES", 2**21)
    rows, side = 1000, 128
    images = np.zeros((rows, side, side, 3), np.uint8)
    images[:, 3, 4] = np.arange(rows)[:, None] % 256
    source = tmp_path / "in.npz"
    np.savez(source, camera=images, action=np.ones((rows, 2)), episode_ends=np.array([rows]))
    tracemalloc.start()
    convert(source, tmp_path / "out", period_s=0.1, units="1")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.7 * images.nbytes, f"{peak / 2**20:.0f} MiB for {images.nbytes / 2**20:.0f} MiB"
    assert np.array_equal(Dataset.open(tmp_path / "out").read("camera"), images)


def test_a_file_is_recognised_by_what_is_in_it(tmp_path):
    source = packed(tmp_path / "demos.zip", members())
    assert convert(source, tmp_path / "out", period_s=0.1, units="1").format == "npz"


def test_a_bomb_is_refused_before_its_rows_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr("data.formats.bounds.NEVER_TOO_LARGE", 2**20)
    content = members(state=npy(np.zeros((2**16, 64))))
    bomb = packed(tmp_path / "in.npz", content, zipfile.ZIP_DEFLATED)
    refused(bomb, r"at most 200 times its .* bytes, got 33,554.*'state'.*exclude=\[state\]")
    content = members(camera=npy(np.zeros((10, 64, 64, 3), np.uint8)))
    convert(packed(bomb, content), tmp_path / "out", period_s=0.1, units="1")


def test_what_an_array_declares_must_be_in_the_file(tmp_path):
    content = npy(ARRAYS["state"])
    refused(packed(tmp_path / "a.npz", members(state=content.replace(b"(10, 3), ", b"(1010, 3)"))), "'state'.*24,240")
    refused(packed(tmp_path / "b.npz", members(state=content[:-8])), r"'state'.*exclude=\[state\], or copy")
    refused(packed(tmp_path / "c.npz", members(state=b"words")), "'state'.*magic")
    wide = io.BytesIO()
    np.lib.format.write_array_header_1_0(wide, {"descr": "<f8", "fortran_order": False, "shape": (10, 2**60)})
    refused(packed(tmp_path / "d.npz", members(state=wide.getvalue())), "'state'")
    refused(packed(tmp_path / "e.npz", members(state=npy(np.array([{}] * 10)))), "'state'.*Python objects")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_byte_is_noticed(method, tmp_path):
    source = packed(tmp_path / "in.npz", members(), method)
    with zipfile.ZipFile(source) as archive:
        info = archive.getinfo("state.npy")
    content = bytearray(source.read_bytes())
    at = info.header_offset + 30 + len("state.npy") + info.compress_size - 20
    content[at] ^= 0xFF
    source.write_bytes(content)
    refused(source, r"array 'state': expected an intact array.*exclude=\[state\], or copy the file again")


def test_stamps_that_fall_are_named_by_the_episode_of_the_source(tmp_path):
    stamps = 0.1 * np.arange(10)
    stamps[6] = stamps[5]
    source = tmp_path / "in.npz"
    np.savez(source, **ARRAYS, timestamp=stamps)
    refused(source, r"episode 1: 'time_ns', row 2: expected a later stamp.*skip_episodes=\[1\]")
    convert(source, tmp_path / "out", period_s=0.1, units="1", skip_episodes=[1])
    with pytest.raises(InputError, match=r"episode 1: 'time_ns', row 2"):
        convert(source, tmp_path / "other", period_s=0.1, units="1", skip_episodes=[0])
