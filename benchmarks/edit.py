"""How long a merge of two large stores takes beside copying them and hashing source and target, and in how much memory.

    python -m benchmarks.edit [--gb 2] [--repeats 1] [--folder DIR] [--raw] [--recode]

The stores hold what a recording does: two cameras of 640 x 480 as JPEG, joints, an action, facts, a wrench at 500 Hz.
Of their frames a few hundred are different. The other side is `cp -r` of both, `sync`, and `b2sum` of sources and
copies. Seconds of the processor stand beside those of the clock, as a busy machine stretches the latter. With --raw
the frames are numbers, which are compressed again; with --recode 200 MB of JPEG are encoded as PNG too, which is for
the processor and not for the disk.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.store.dataset import Dataset
from data.store.images.encoding import Encoding
from data.store.names import INSTRUCTION, SUCCESS, TIME
from data.store.schema import Schema, StreamField
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec

CAMERAS = ("front", "wrist")
DIFFERENT = 200
ROWS, SAMPLES_A_ROW = 400, 25


def schema(raw: bool = False) -> Schema:
    """Of a recording at 20 Hz."""
    joints = ObservationField("joints", (7,), "float32", "rad", "joint")
    cameras = [ObservationField(name, (480, 640, 3), "uint8", "1", "image") for name in CAMERAS]
    return Schema(
        ObservationSpec((joints, *cameras)),
        ActionSpec((ActionField("arm", 7, "rad", "joint"),), 0.05),
        0.05,
        (INSTRUCTION, SUCCESS),
        (StreamField("wrench", (6,), "float64", "N N N N*m N*m N*m"),),
        (TIME,),
        encodings={} if raw else {name: Encoding("as_it_came") for name in CAMERAS},
    )


def pictures() -> list[bytes]:
    """JPEGs of about the size of a real scene's."""
    import imagecodecs

    draw = np.random.default_rng(0)
    images = []
    for _ in range(DIFFERENT):
        coarse = draw.integers(0, 256, (60, 80, 3)).repeat(8, axis=0).repeat(8, axis=1)
        fine = draw.normal(scale=8, size=coarse.shape)
        images.append(bytes(imagecodecs.jpeg8_encode(np.clip(coarse + fine, 0, 255).astype(np.uint8), level=90)))
    return images


def fill(path: Path, gigabytes: float, images: list[bytes], seed: int, raw: bool = False) -> None:
    """Make a store of so much."""
    import imagecodecs

    draw = np.random.default_rng(seed)
    rows = ROWS // 10 if raw else ROWS
    pixels = [imagecodecs.jpeg8_decode(image) for image in images[: DIFFERENT // 10]] if raw else []
    with Dataset.create(path, schema(raw)) as dataset:
        written, number = 0, 0
        while written < gigabytes * 1e9:
            time_ns = (number * 2 * rows + np.arange(rows)) * 50_000_000
            chosen: dict[str, Any] = {}
            for name in CAMERAS:
                shown = draw.integers(0, len(pixels or images), rows)
                chosen[name] = np.stack([pixels[index] for index in shown]) if raw else [images[i] for i in shown]
            numbers = {name: draw.normal(size=(rows, 7)).astype(np.float32) for name in ("joints", "action")}
            with dataset.writer() as writer:
                writer.add({**numbers, **chosen, "time_ns": time_ns})
                stamps = time_ns[0] + np.arange(rows * SAMPLES_A_ROW) * 2_000_000
                writer.add_stream("wrench", draw.normal(size=(len(stamps), 6)), stamps)
                writer.commit({"instruction": f"take {number}", "success": True})
            written = sum(file.stat().st_size for file in (path / "data").rglob("*") if file.is_file())
            number += 1


@dataclass(frozen=True)
class Cost:
    """What a process and its children took: seconds by the clock and of the processor, MB of memory at most."""

    seconds: float
    processor_s: float
    memory_mb: float


def measured(*command: str) -> Cost:
    """Run a command in a process of its own."""
    begun = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with status {status}")
    return Cost(time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def edited(*words: str) -> Cost:
    """`tiller data WORDS`."""
    return measured(sys.executable, "-m", "tiller", "data", *words)


def copied(sources: list[Path], target: Path) -> Cost:
    """A plain copy with the hashes of all files of both sides."""
    given, folders = " ".join(f"'{each}'" for each in sources), " ".join(f"'{each}'" for each in (*sources, target))
    return measured(
        "bash",
        "-c",
        f"mkdir '{target}' && cp -r {given} '{target}' && sync && find {folders} -type f -print0 | xargs -0 b2sum",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gb", type=float, default=2.0, help="of each store")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder by default")
    parser.add_argument("--raw", action="store_true", help="frames are stored as numbers")
    parser.add_argument("--recode", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        place, images = Path(folder), pictures()
        sources = [place / "a", place / "b"]
        for seed, source in enumerate(sources):
            fill(source, options.gb, images, seed, options.raw)
        size = sum(file.stat().st_size for source in sources for file in source.rglob("*") if file.is_file())
        kind = "numbers" if options.raw else f"JPEGs of {np.mean([len(image) for image in images]) / 1e3:.0f} kB"
        print(f"two stores of {size / 2e9:.2f} GB, frames as {kind}", flush=True)
        ratios = []
        for _ in range(options.repeats):
            plain = copied(sources, place / "copy")
            shutil.rmtree(place / "copy")
            merged = edited("merge", *map(str, sources), str(place / "merged"))
            shutil.rmtree(place / "merged")
            ratios.append(merged.seconds / plain.seconds)
            print("                         clock   processor  memory")
            for name, cost in (("cp -r, sync, b2sum", plain), ("merge", merged)):
                print(f"{name:20}{cost.seconds:8.1f} s{cost.processor_s:10.1f} s{cost.memory_mb:6.0f} MB")
            print(f"merge: {ratios[-1]:.2f} times by the clock", flush=True)
        if options.recode:
            fill(place / "c", 0.2, images, 7)
            cost = edited("recode", str(place / "c"), str(place / "png"), "encodings.front=png")
            print(
                f"recode of 200 MB of JPEG, one of two cameras into PNG: {cost.seconds:.1f} s, {cost.memory_mb:.0f} MB"
            )
    return 0 if np.median(ratios) <= 2 else 1


if __name__ == "__main__":
    raise SystemExit(main())
