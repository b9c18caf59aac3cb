"""Windows a second out of the human PushT demonstrations, beside a torch DataLoader and LeRobot.

    OMP_NUM_THREADS=1 python -m benchmarks.windows ../shared/data/pusht_human.zarr.zip
    OMP_NUM_THREADS=1 TILLER_LEROBOT_PYTHON=PATH/bin/python python -m benchmarks.windows STORE

A window is a 16-step action and a 2-step observation, the state or the image; a batch has 256. Every figure is the
median of several rounds in one process. Beside LeRobot the same rows are stored by each in its own way, the images of
ours as JPEG of quality 90 and as numbers; its images come as float32 between 0 and 1, ours as they were taken. The
second column counts the process's own CPU seconds, of all its threads, so that other work on the machine weighs less:
where it is far above the first, the machine was busy.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

import numpy as np

from data.edit.delete import delete
from data.edit.recode import recode
from data.formats.convert import convert
from data.learning.windows import Windows
from data.store.dataset import Dataset
from robot.description import History, ObservationSpec

BATCH, HORIZON, STEPS, ROUNDS = 256, 16, 2, 5
CACHE_BYTES = 256 * 2**20
LEROBOT_EPISODES = 60  # its speed does not hang on their number, and writing all takes minutes
LEROBOT_IMAGE_EPISODES = 20
LEROBOT_PYTHON = "TILLER_LEROBOT_PYTHON"
LEROBOT_SCRIPT = Path(__file__).with_name("lerobot_windows.py")


@dataclass(frozen=True)
class Spec:
    """What decides a window."""

    observation: ObservationSpec
    horizon: int


class Rate(NamedTuple):
    """Windows a second of the clock on the wall, and of the process's CPU time (NaN where others work for it)."""

    wall: float
    cpu: float


class Stopwatch:
    """Counts windows from its making on."""

    def __init__(self) -> None:
        self.windows = 0
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    @property
    def wall_s(self) -> float:
        return time.perf_counter() - self._wall

    def rate(self) -> Rate:
        return Rate(self.windows / self.wall_s, self.windows / (time.process_time() - self._cpu))


@dataclass(frozen=True)
class Row:
    """One line of the table; `gate` is the figure to reach, 0 where there is none."""

    what: str
    rate: Rate
    gate: float = 0


def measure(gather: Callable[[np.ndarray], Any], order: np.ndarray, seconds: float) -> Rate:
    """Windows a second, the median over rounds, going through the order batch after batch."""
    position, rates = 0, []
    for _ in range(ROUNDS):
        clock = Stopwatch()
        while clock.wall_s < seconds:
            if position + BATCH > len(order):
                position = 0
            gather(order[position : position + BATCH])
            position, clock.windows = position + BATCH, clock.windows + BATCH
        rates.append(clock.rate())
    return Rate(*np.median(rates, axis=0))


def windows_of(dataset: Dataset, name: str, **options: Any) -> Windows:
    assert dataset.schema is not None
    observation = dataset.schema.observation.select([name]).with_history(History(STEPS))
    return Windows(dataset, Spec(observation, HORIZON), **options)


def our_rows(dataset: Dataset, seconds: float) -> Iterator[Row]:
    generator = np.random.default_rng(0)
    state = windows_of(dataset, "state")
    yield Row("state, in memory", measure(state.gather, state.order(generator), seconds), 2_000_000)
    yield Row("state, a bare gather of the same numbers", bare_gather(state, generator, seconds))
    images = windows_of(dataset, "image", memory_bytes=2**40)
    yield Row("images, in memory", measure(images.gather, images.order(generator), seconds), 100_000)
    yield Row("images, in memory, a DataLoader over samples, 0 workers", torch_loader(images, "image", seconds))
    del images
    streamed = windows_of(dataset, "image", memory_bytes=CACHE_BYTES)
    in_chunks = measure(streamed.gather, streamed.order(generator), seconds)
    yield Row("images, streamed, in the order of `Windows.order`", in_chunks, 2_000)
    uniform = measure(streamed.gather, generator.permutation(len(streamed)), seconds)
    yield Row("images, streamed, uniformly at random", uniform)


def bare_gather(windows: Windows, generator: np.random.Generator, seconds: float) -> Rate:
    """The least that can be done: index two arrays, no edges, no padding mask."""
    state, action = windows.observation_rows("state"), windows.action_rows()
    past, ahead = np.arange(1 - STEPS, 1), np.arange(HORIZON)

    def gather(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return state.take(rows[:, None] + past, axis=0), action.take(rows[:, None] + ahead, axis=0)

    inner = generator.permutation(len(windows) - HORIZON - STEPS) + STEPS
    return measure(gather, inner, seconds)


def torch_loader(windows: Windows, name: str, seconds: float, workers: int = 0) -> Rate:
    """A DataLoader that calls a dataset a sample at a time, on the same arrays in memory."""
    import torch

    observation, action = windows.observation_rows(name), windows.action_rows()
    first, last = windows.episode_bounds()
    past, ahead = np.arange(1 - STEPS, 1), np.arange(HORIZON)

    class Samples(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
        def __len__(self) -> int:
            return len(action)

        def __getitem__(self, row: int) -> dict[str, torch.Tensor]:
            rows = row + ahead
            return {
                name: torch.from_numpy(observation[np.maximum(row + past, first[row])]),
                "action": torch.from_numpy(action[np.minimum(rows, last[row])]),
                "is_pad": torch.from_numpy(rows > last[row]),
            }

    loader = torch.utils.data.DataLoader(Samples(), batch_size=BATCH, shuffle=True, num_workers=workers, drop_last=True)
    batches = iter(loader)
    next(batches)
    clock = Stopwatch()
    for _ in batches:
        clock.windows += BATCH
        if clock.wall_s > 3 * seconds:
            break
    return clock.rate() if workers == 0 else Rate(clock.rate().wall, math.nan)


def lerobot_rows(python: Path | None, dataset: Dataset, folder: Path, seconds: float) -> Iterator[Row]:
    """LeRobot's own dataset of the same rows, measured by the Python of an environment that has it, and ours."""
    if python is None:
        print(f"LeRobot: skipped, {LEROBOT_PYTHON} names no Python of an environment that has it", file=sys.stderr)
        return
    ends = dataset.episode_ends[:LEROBOT_EPISODES]
    arrays = {name: dataset.read(name, 0, int(ends[-1])) for name in ("state", "action")}
    yield from _measured_by(python, {**arrays, "episode_ends": ends}, folder / "states")
    assert dataset.schema is not None
    if "image" not in (field.name for field in dataset.schema.observation.fields):
        return
    ends = dataset.episode_ends[:LEROBOT_IMAGE_EPISODES]
    arrays = {name: dataset.read(name, 0, int(ends[-1])) for name in ("state", "action", "image")}
    delete(dataset.path, folder / "raw", episodes=range(len(ends), len(dataset)))
    recode(folder / "raw", folder / "jpeg", encodings={"image": "jpeg"}, quality=90)
    for encoding in ("jpeg", "raw"):
        stored = Dataset.open(folder / encoding)
        size = sum(file.stat().st_size for file in (folder / encoding).rglob("*") if file.is_file()) / 1e6
        for where, held in (("in memory", 2**40), ("read at random", 0)):
            windows = windows_of(stored, "image", memory_bytes=held)
            order = np.random.default_rng(0).permutation(len(windows))
            rate = measure(windows.gather, order, seconds)
            yield Row(f"the images beside LeRobot's as {encoding} ({size:.0f} MB), {where}", rate)
    yield from _measured_by(python, {**arrays, "episode_ends": ends}, folder / "images")


def _measured_by(python: Path, arrays: dict[str, np.ndarray], folder: Path) -> Iterator[Row]:
    folder.mkdir()
    np.savez(folder / "arrays.npz", **arrays)
    command = [str(python), str(LEROBOT_SCRIPT), str(folder / "arrays.npz"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    if done.returncode:
        print(f"LeRobot: not all, {python} said: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
    for line in done.stdout.splitlines():
        if line.count("\t") == 2:
            what, rate, size = line.split("\t")
            yield Row(f"{what} ({float(size):.0f} MB)", Rate(float(rate), math.nan))


def opened(path: Path, folder: Path) -> Dataset:
    """The store at a path, converted first where it is not ours."""
    dataset = Dataset.open(path)
    if dataset.schema is not None:
        return dataset
    target = folder / "pusht"
    start = time.perf_counter()
    summary = convert(path, target)
    print(f"converted {summary.rows} rows in {time.perf_counter() - start:.1f} s", file=sys.stderr)
    return Dataset.open(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path, help="PushT demonstrations with images: the published zip, or one of ours")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a round")
    options = parser.parse_args()
    python = Path(os.environ[LEROBOT_PYTHON]) if os.environ.get(LEROBOT_PYTHON) else None
    with tempfile.TemporaryDirectory() as folder:
        dataset = opened(options.store, Path(folder))
        state = windows_of(dataset, "state")
        rows = [
            *our_rows(dataset, options.seconds),
            *(
                Row(
                    f"state, a DataLoader over samples, {workers} workers",
                    torch_loader(state, "state", options.seconds, workers),
                )
                for workers in (0, 2)
            ),
            *lerobot_rows(python, dataset, Path(folder), options.seconds),
        ]
    print("| windows of 16 actions and 2 observations, batch 256 | windows/s | a CPU second | to reach |")
    print("|---|---|---|---|")
    for row in rows:
        cpu = "" if math.isnan(row.rate.cpu) else f"{row.rate.cpu:,.0f}"
        gate = f"{row.gate:,.0f}" if row.gate else ""
        print(f"| {row.what} | {row.rate.wall:,.0f} | {cpu} | {gate} |")


if __name__ == "__main__":
    main()
