"""What an encoding of images costs and keeps: size, how fast it is written and read at random, and what it loses.

    OMP_NUM_THREADS=1 python -m benchmarks.encodings [STORE ...] [--frames 240] [--reads 400] [--output FILE]

A store is one of ours or anything that `tiller data convert` reads; each of its cameras is measured apart. Without
one: a real camera of 640 x 480 and the pictures of PushT, where they lie beside the project. Frames go through
`Dataset.writer()` with the commit, are read one by one at random from a dataset that was just opened, and are compared
with what was written. Seconds of the processor, of all threads, stand beside those of the clock: a busy machine
stretches the latter. A camera's frames may have been a video's before; noise that a video took out is not there to be
encoded, and sizes are then smaller than those of a camera's own. Rows go to docs/results/encodings.csv.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Iterator

import numpy as np

from data.formats.opening import open_source
from data.store.dataset import Dataset
from data.store.images.encoding import JPEG, PNG, RAW, Encoding
from data.store.schema import Schema
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.files import write_table

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "encodings.csv"
SHARED = Path(__file__).parents[2] / "shared" / "data"
REAL = (SHARED / "foreign" / "lerobot_v2_g1", SHARED / "pusht_human.zarr.zip")
CASES = (Encoding(RAW), Encoding(PNG), *(Encoding(JPEG, quality) for quality in (95, 90, 80)))
BLOCK = 16  # rows handed over at a time
LARGEST = 255.0


@dataclass(frozen=True)
class Row:
    """What one encoding did with one camera's frames.

    Args:
        images: the set and its field.
        encoding: and its quality.
        megabytes: of the field's files.
        written, written_cpu: frames a second of the clock, and of the processor.
        read, read_cpu: the same of single frames at random.
        psnr_db: of all values together; infinite where nothing is lost.
    """

    images: str
    shape: str
    frames: int
    encoding: str
    megabytes: float
    written: float
    written_cpu: float
    read: float
    read_cpu: float
    psnr_db: float


class Stopwatch:
    """Seconds of the clock, and of the processor in all threads."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def rates(self, count: int) -> tuple[float, float]:
        return count / (time.perf_counter() - self._wall), count / (time.process_time() - self._cpu)


def measure(images: str, frames: np.ndarray, encoding: Encoding, reads: int, folder: Path) -> Row:
    """Write frames (n, height, width, 3), and read them."""
    camera = ObservationField("camera", frames.shape[1:], "uint8", "1", "image")
    action = ActionSpec((ActionField("arm", 1, "rad", "joint"),), 0.05)
    schema = Schema(
        ObservationSpec((camera,)), action, 0.05, encodings={"camera": encoding} if encoding.of_images else {}
    )
    target = folder / "store"
    clock = Stopwatch()
    with Dataset.create(target, schema) as dataset, dataset.writer() as episode:
        for start in range(0, len(frames), BLOCK):
            block = frames[start : start + BLOCK]
            episode.add({"camera": block, "action": np.zeros((len(block), 1), np.float32)})
        episode.commit({})
    written = clock.rates(len(frames))
    size = sum(file.stat().st_size for file in (target / "data" / "camera").rglob("*") if file.is_file())
    opened = Dataset.open(target)
    order = np.random.default_rng(0).integers(0, len(frames), reads)
    clock = Stopwatch()
    for row in order:
        opened.read("camera", int(row), int(row) + 1)
    read = clock.rates(reads)
    squares = [
        np.square(opened.read("camera", at, at + BLOCK).astype(np.float64) - frames[at : at + BLOCK]).sum()
        for at in range(0, len(frames), BLOCK)
    ]
    error = sum(squares) / frames.size
    psnr = 10 * math.log10(LARGEST**2 / error) if error else math.inf
    shape = " x ".join(map(str, (frames.shape[2], frames.shape[1], *frames.shape[3:])))
    name = f"{encoding.kind} {encoding.quality}" if encoding.kind == JPEG else encoding.kind
    return Row(images, shape, len(frames), name, size / 1e6, *written, *read, psnr)


def cameras(path: Path, count: int) -> Iterator[tuple[str, np.ndarray]]:
    """The first frames of each colour camera of a store, as they follow each other."""
    dataset = Dataset.open(path) if (path / "zarr.json").exists() else None
    if dataset is not None and dataset.schema is not None:
        for seen in dataset.schema.observation.fields:
            if seen.kind == "image":
                yield f"{path.name}, {seen.name}", dataset.read(seen.name, 0, min(count, dataset.rows))
        return
    source = open_source(path)
    there = [number for number in range(len(source.lengths)) if number not in source.missing]
    for name, field in source.fields.items():
        if len(field.shape) == 3 and field.shape[-1] == 3:
            blocks, rows = [], 0
            for number in there:
                stop = min(count - rows, int(source.lengths[number]))
                blocks.append(np.asarray(source.read(name, number, 0, stop), np.uint8))
                rows += stop
                if rows == count:
                    break
            yield f"{path.name}, {name}", np.concatenate(blocks)
    source.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stores", type=Path, nargs="*")
    parser.add_argument("--frames", type=int, default=240)
    parser.add_argument("--reads", type=int, default=400)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    stores = options.stores or [path for path in REAL if path.exists()]
    if not stores:
        print(f"skipped: no real images at {SHARED}; give a store")
        return
    rows = []
    print("| images | encoding | MB | written frames/s (a CPU second) | read at random | PSNR, dB |")
    print("|---|---|---|---|---|---|")
    for path in stores:
        for images, frames in cameras(path, options.frames):
            for case in CASES:
                with tempfile.TemporaryDirectory() as folder:
                    row = measure(images, frames, case, options.reads, Path(folder))
                rows.append(row)
                psnr = "nothing lost" if math.isinf(row.psnr_db) else f"{row.psnr_db:.1f}"
                print(
                    f"| {row.images}, {row.shape} | {row.encoding} | {row.megabytes:.1f} "
                    f"| {row.written:.0f} ({row.written_cpu:.0f}) | {row.read:.0f} ({row.read_cpu:.0f}) | {psnr} |",
                    flush=True,
                )
    write_table(options.output, tuple(field.name for field in fields(Row)), [asdict(row) for row in rows])


if __name__ == "__main__":
    main()
