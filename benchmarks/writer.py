"""What recording costs: two cameras of 640 x 480 pixels at 30 Hz and joints at 500 Hz through `Dataset.writer()`.

    python -m benchmarks.writer [--minutes 10] [--episode 60] [--folder DIR] [--output FILE]
    python -m benchmarks.writer --minutes 0.17 --episode 10 --output /tmp/writer.csv

Frames come raw and are stored as JPEG of quality 90, or come as a camera's JPEG and are stored as they came: those are
made before the clock starts. A frame is a sum of six coloured waves with noise of 3 grey levels, 60 to 70 kB as JPEG.
Time is virtual: rows come as fast as they are taken, one by one, each with the samples since the row before.

Processor time is that of all threads of the process, with commits. Memory is the peak of the last quarter of the
recording less that of the first, and the peak less what stood before the first row. Files are those of the store at the
end. A commit is timed by the wall, its disk with it: --folder says which, where the temporary folder is no real one.
Each case runs in a process of its own; rows go to docs/results/writer.csv.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from data.store.dataset import Dataset
from data.store.images.encoding import AS_IT_CAME, JPEG, Encoding, encode_jpeg
from data.store.names import SUCCESS, TIME
from data.store.schema import Schema, StreamField
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.files import write_table

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "writer.csv"
CASES = {"raw": Encoding(JPEG, 90), "as it came": Encoding(AS_IT_CAME)}
CAMERAS = ("front", "wrist")
HEIGHT, WIDTH, RATE_HZ, JOINTS_HZ, JOINTS = 480, 640, 30, 500, 7
FRAMES = 64  # different ones, of both cameras; a recording goes through them again and again
WAVES, NOISE = 6, 3.0


@dataclass(frozen=True)
class Row:
    """What one case cost.

    Args:
        frames: `raw` or `as it came`.
        minutes: recorded, in virtual time.
        frame_kb: a frame as it is stored.
        frames_per_cpu_s: frames a second of processor time; two cameras at 30 Hz need 60.
        wall_s: for everything.
        growth_mb, peak_mb: of memory.
        files_per_minute: of the store, a recorded minute.
        commit_p50_s, commit_p95_s: of an episode.
    """

    frames: str
    minutes: float
    episode_s: float
    frame_kb: float
    frames_per_cpu_s: float
    wall_s: float
    growth_mb: float
    peak_mb: float
    files_per_minute: float
    commit_p50_s: float
    commit_p95_s: float


def schema(encoding: Encoding) -> Schema:
    joints = ObservationField("joints", (JOINTS,), "float64", "rad", "joint")
    cameras = [ObservationField(name, (HEIGHT, WIDTH, 3), "uint8", "1", "image") for name in CAMERAS]
    return Schema(
        ObservationSpec((joints, *cameras)),
        ActionSpec((ActionField("joints", JOINTS, "rad", "joint"),), 1 / RATE_HZ),
        1 / RATE_HZ,
        (SUCCESS,),
        (StreamField("joints", (JOINTS,), "float64", "rad"),),
        (TIME,),
        encodings=dict.fromkeys(CAMERAS, encoding),
    )


def draw_frames(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Frames (FRAMES, height, width, 3) of uint8."""
    draw = np.random.default_rng(0)
    down, right = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)
    frames = np.empty((FRAMES, height, width, 3), np.uint8)
    for frame in frames:
        image = np.full((height, width, 3), 128.0)
        for _ in range(WAVES):
            (a, b), phase = draw.uniform(1, 6, 2), draw.uniform(0, 1)
            image += np.sin(2 * np.pi * (a * down + b * right + phase))[..., None] * draw.normal(0, 25, 3)
        image += draw.normal(0, NOISE, (height, width, 1))
        frame[:] = image.clip(0, 255).round()
    return frames


def memory_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def record(dataset: Dataset, frames: np.ndarray | list[bytes], rows: int, memory: list[float]) -> float:
    """Write one episode row by row; returns how long its commit took, s, and adds to the memory once a second."""
    draw = np.random.default_rng(len(dataset))
    samples = 0
    with dataset.writer() as episode:
        for row in range(rows):
            angles = draw.normal(size=(1, JOINTS))
            shown = {name: (row + camera * FRAMES // 2) % FRAMES for camera, name in enumerate(CAMERAS)}
            episode.add(
                {
                    "joints": angles,
                    **{name: frames[at : at + 1] for name, at in shown.items()},
                    "action": angles.astype(np.float32),
                    TIME.name: np.array([row * 1_000_000_000 // RATE_HZ], np.int64),
                }
            )
            due = (row + 1) * JOINTS_HZ // RATE_HZ
            stamps = np.arange(samples, due, dtype=np.int64) * (1_000_000_000 // JOINTS_HZ)
            episode.add_stream("joints", draw.normal(size=(due - samples, JOINTS)), stamps)
            samples = due
            if row % RATE_HZ == 0:
                memory.append(memory_mb())
        started = time.perf_counter()
        episode.commit({SUCCESS.name: True})
        return time.perf_counter() - started


def measure(case: str, minutes: float, episode_s: float, folder: Path) -> Row:
    """Record for so many minutes in this process."""
    drawn = draw_frames()
    jpegs = [encode_jpeg(frame, 90) for frame in drawn]
    frames = drawn if case == "raw" else jpegs
    rows, episodes = round(episode_s * RATE_HZ), max(1, round(minutes * 60 / episode_s))
    with tempfile.TemporaryDirectory(dir=folder) as store, Dataset.create(store, schema(CASES[case])) as dataset:
        before, memory = memory_mb(), list[float]()
        wall, cpu = time.perf_counter(), time.process_time()
        commits = [record(dataset, frames, rows, memory) for _ in range(episodes)]
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        files = sum(file.is_file() for file in Path(store).rglob("*"))
    quarter = -(-len(memory) // 4)
    recorded = episodes * rows / RATE_HZ / 60
    return Row(
        frames=case,
        minutes=round(recorded, 2),
        episode_s=episode_s,
        frame_kb=round(float(np.mean([len(stored) for stored in jpegs])) / 1e3, 1),
        frames_per_cpu_s=round(episodes * rows * len(CAMERAS) / cpu, 1),
        wall_s=round(wall, 1),
        growth_mb=round(max(memory[-quarter:]) - max(memory[:quarter]), 1),
        peak_mb=round(max(memory) - before, 1),
        files_per_minute=round(files / recorded, 1),
        commit_p50_s=round(float(np.percentile(commits, 50)), 3),
        commit_p95_s=round(float(np.percentile(commits, 95)), 3),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="to record of each case; a minute takes 240 MB")
    parser.add_argument("--episode", type=float, default=60, help="seconds of an episode")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder by default")
    parser.add_argument("--output", type=Path, default=RESULTS, help="table of the results")
    options = parser.parse_args()
    columns = [field.name for field in fields(Row)]
    rows = []
    print("  ".join(columns))
    for case in CASES:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as child:
            rows.append(asdict(child.submit(measure, case, options.minutes, options.episode, options.folder).result()))
        print("  ".join(str(value).rjust(len(name)) for name, value in rows[-1].items()), flush=True)
    print(f"Written to {write_table(options.output, columns, rows)}")


if __name__ == "__main__":
    main()
