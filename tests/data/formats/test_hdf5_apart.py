"""An HDF5 file that makes its library loop or crash costs one message, and never the process that converts it."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.processor_time import processor_s
from data.formats.convert import convert
from data.formats.hdf5 import apart
from data.formats.hdf5.apart import open_demos
from data.formats.hdf5.messages import receive, send
from data.store.dataset import Dataset
from robot.errors import InputError

h5py = pytest.importorskip("h5py", reason="the extra 'formats' is not installed")

ROWS = 2000
"""Of each episode: more than the pipe between the processes holds."""


def small(path: Path, latest: bool = False, rows: int = 3) -> Path:
    """A file that is mostly metadata, in the layout of old or of new versions of the library."""
    with h5py.File(path, "w", libver="latest" if latest else "earliest") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = "{}"
        for number in range(3):
            demo = data.create_group(f"demo_{number}")
            demo.create_dataset("actions", data=np.ones((rows, 2)), chunks=(1, 2), compression="gzip")
            demo["obs/x"] = np.full((rows, 1), number, np.float32)
            demo.attrs["model_file"], demo.attrs["words"] = "<m/>", ["a", "bb"]
        file["mask/train"] = np.array([b"demo_0"])
    return path


def endless(path: Path) -> Path:
    """A file in which one object of the heap of strings claims another size; libhdf5 2.0 loops over it for ever."""
    content = bytearray(small(path).read_bytes())
    content[content.index(b"GCOL") + 24] = 255
    path.write_bytes(content)
    return path


def fatal(path: Path) -> Path:
    """A file in which a list of words claims another type; libhdf5 2.0 then reads where no memory is."""
    content, words_type = bytearray(small(path).read_bytes()), b"\x19\x01\x01\x00\x10\x00\x00\x00"
    content[content.index(words_type, content.index(b"words\x00")) + 1] = 255
    path.write_bytes(content)
    return path


def everything(source: Path) -> None:
    opened = open_demos(source)
    try:
        for name, field in opened.fields.items():
            for episode, length in enumerate(opened.lengths.tolist()):
                assert opened.read(name, episode, 0, length).shape == (length, *field.shape)
    finally:
        opened.close()


def is_gone(pid: int) -> bool:
    """Whether a process has ended, or is a zombie that nobody waits for."""
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("latest", [False, True])
def test_flipped_bytes_end_in_data_or_in_one_message(latest, tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "SILENCE_S", 15.0)
    good = small(tmp_path / "good.hdf5", latest).read_bytes()
    near = [at for at in range(len(good)) if any(good[max(0, at - 16) : at + 16])]  # bytes that mean something
    refused = 0
    for seed in range(4):
        draw, content = random.Random(seed), bytearray(good)
        for _ in range(draw.choice([1, 2, 8])):
            content[draw.choice(near)] = draw.randrange(256)
        (tmp_path / "bad.hdf5").write_bytes(content)
        try:
            everything(tmp_path / "bad.hdf5")
        except InputError as error:
            refused += 1
            assert str(tmp_path / "bad.hdf5") in str(error) and "\n" not in str(error) and error.way_out
    assert refused


def test_a_file_that_never_ends_is_given_up_and_names_the_episode(tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "SILENCE_S", 8.0)
    source = endless(tmp_path / "in.hdf5")
    with pytest.raises(
        InputError, match=r"episode 0 \('demo_0'\).*nothing from its reader for 8 s.*skip_episodes=\[0\]"
    ):
        convert(source, tmp_path / "out", units="1", period_s=0.1)
    assert sorted(tmp_path.iterdir()) == [source]


def test_a_file_that_crashes_the_library_names_the_episode(tmp_path):
    source = fatal(tmp_path / "in.hdf5")
    with pytest.raises(InputError, match=r"episode 0 \('demo_0'\).*ended by SIGSEGV.*skip_episodes=\[0\]"):
        convert(source, tmp_path / "out", units="1", period_s=0.1)
    assert sorted(tmp_path.iterdir()) == [source]
    convert(source, tmp_path / "out", units="1", period_s=0.1, skip_episodes=[0])
    assert Dataset.open(tmp_path / "out").meta("demo").tolist() == ["demo_1", "demo_2"]


def test_the_reader_does_not_outlive_a_killed_parent_though_the_library_loops(tmp_path):
    script = (
        "from data.formats.hdf5 import apart; apart.SILENCE_S = 3.0\n"
        f"apart.open_demos({str(endless(tmp_path / 'in.hdf5'))!r})"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", script], env=environment)
    listed, give_up = Path(f"/proc/{parent.pid}/task/{parent.pid}/children"), time.monotonic() + 100
    while not (children := listed.read_text().split()):
        assert time.monotonic() < give_up
        time.sleep(0.01)
    while not is_gone(int(children[0])) and processor_s(int(children[0])) < 1:
        time.sleep(0.01)
    parent.kill()
    parent.wait()
    while not is_gone(int(children[0])):
        assert time.monotonic() < give_up
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (signal.SIGSEGV, "a reader that was ended by SIGSEGV"),
        (signal.SIGKILL, "ended by SIGKILL, perhaps for lack of memory"),
        (signal.SIGSTOP, "nothing from its reader for 3 s"),
    ],
)
def test_a_reader_that_crashes_or_stops_gives_one_message_and_nothing_is_written(sent, words, tmp_path, monkeypatch):
    source, opened = small(tmp_path / "in.hdf5", rows=ROWS), []

    def open_and_keep(*args: Any, **options: Any) -> Any:
        opened.append(open_demos(source))
        return opened[0]

    def after_rows(done: int, of: int) -> None:
        if done == ROWS:
            os.kill(opened[0].pid, sent)
            monkeypatch.setattr(apart, "SILENCE_S", 3.0)

    monkeypatch.setattr("data.formats.convert.open_source", open_and_keep)
    with pytest.raises(InputError, match=rf"in\.hdf5': key '.*', episode [012].*{words}.*skip_episodes") as caught:
        convert(source, tmp_path / "out", units="1", period_s=0.1, on_progress=after_rows)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == [source]
    assert is_gone(opened[0].pid)


def test_only_the_reader_loads_the_library(tmp_path):
    source = small(tmp_path / "in.hdf5")
    script = (
        "import sys; from data.formats.convert import convert\n"
        f"convert({str(source)!r}, {str(tmp_path / 'out')!r}, units='1', period_s=0.1)\n"
        "assert 'h5py' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


def test_messages_carry_numbers_and_refuse_other_numbers_of_bytes():
    here, there = socket.socketpair()
    with here, there:
        values = np.arange(6, dtype=np.float64)
        send(here, {"name": "grün"}, values.view(np.uint8).data)
        got = np.empty(6)
        assert receive(there, got.view(np.uint8).data) == {"name": "grün", "bytes": 48}
        assert np.array_equal(got, values)
        send(here, {})
        assert receive(there, got.view(np.uint8).data) == {"bytes": 0}
        send(here, {}, values.view(np.uint8).data)
        with pytest.raises(ValueError, match="48 bytes of numbers where there should be 8"):
            receive(there, np.empty(1).view(np.uint8).data)

    here, there = socket.socketpair()
    with there:
        here.close()
        with pytest.raises(EOFError):
            receive(there)
