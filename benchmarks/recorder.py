"""What recording a robot takes and loses: two cameras of 640 x 480 pixels at 30 Hz, joints at 500 Hz, a gate at 200 Hz.

    python -m benchmarks.recorder [--seconds 300] [--take 60] [--cameras jpeg raw] [--folder DIR] [--output FILE]
    python -m benchmarks.recorder --seconds 20 --take 10 --output /tmp/recorder.csv

A recorder in its own process records takes one after another, each saved when the next begins, while drivers, cameras
and a policy's process share the machine with it (`benchmarks.recorder_rig`). Cameras publish JPEG, which is stored as
it came, or raw pictures, which are stored as JPEG of quality 90.

Lost is what was published between the first and the last message of a take and did not reach the recorder's callback;
the gate's commands and the joints are counted in the store itself. Latency is from the stamp, set when a message is
published, to the callback: the worst take's. Processor time and memory are of the recorder's process, saving included.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Mapping

import numpy as np

from benchmarks.recorder_rig import AHEAD_NS, CAMERAS, SENT, Rig, contract_at, scratch
from data.store.dataset import Dataset
from real.recorder.recording import COMMAND, RECORDING
from robot.files import write_table

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "recorder.csv"
CASES = {"jpeg": True, "raw": False}
SETTLE_S = 2.0


@dataclass(frozen=True)
class Row:
    """One stream, or the process, of one case.

    Args:
        cameras: `jpeg` or `raw`.
        stream: of the contract, `gate/sent`, or `process`.
        seconds: recorded.
        published, lost: messages.
        p50_ms, p99_ms: from stamp to callback.
        cpu_percent: of a core.
        start_mb, end_mb: memory of the process.
        files: of the store.
    """

    cameras: str
    stream: str
    seconds: float
    published: int | None = None
    lost: int | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_percent: float | None = None
    start_mb: float | None = None
    end_mb: float | None = None
    files: int | None = None


def missing(published: np.ndarray, received: np.ndarray) -> tuple[int, int]:
    """Messages between the first and the last that came, and those of them that did not."""
    between = published[(published >= received[0]) & (published <= received[-1])]
    return len(between), int((~np.isin(between, received)).sum())


def streams_of(case: str, dataset: Dataset, stamps: Mapping[str, np.ndarray], ahead_ns: int) -> list[Row]:
    """A row per stream, over all takes."""
    takes = [json.loads(dataset.meta(RECORDING.name)[at])["streams"] for at in range(len(dataset))]
    assert dataset.period_s is not None, "a store that the recorder wrote has a period"
    seconds = round(dataset.rows * dataset.period_s, 1)
    rows = []
    for name in (*takes[0], SENT):
        published = lost = 0
        quantiles = []
        for at, take in enumerate(takes):
            if name in CAMERAS:  # a row has only the frame that is nearest to its moment
                first, last = take[name]["span_ns"]
                here = int(((stamps[name] >= first) & (stamps[name] <= last)).sum())
                published, lost = published + here, lost + here - take[name]["received"]
            else:
                _, kept = dataset.episode(at).streams[COMMAND if name == SENT else name]
                here, gone = missing(stamps[name] + (ahead_ns if name == SENT else 0), kept)
                published, lost = published + here, lost + gone
            if name in take:
                quantiles.append(take[name]["latency_ms"])
        p50, p99 = (max(each[place] for each in quantiles) for place in (1, 3)) if quantiles else (None, None)
        rows.append(Row(case, name, seconds, published, lost, p50, p99))
    return rows


def measure(case: str, seconds: float, take_s: float, folder: Path, policy: bool) -> list[Row]:
    """Record for so many seconds."""
    store = folder / "store"
    contract = contract_at(folder, compressed=CASES[case])
    with Rig(contract, folder) as rig:
        rig.play("drivers", "cameras", *(["policy"] if policy else []))
        rig.record(store)
        recorder = rig.recorder
        recorder.until_state("ready", within_s=60.0)
        recorder.wait(SETTLE_S)
        start_mb, used_s, spent_s = rig.memory_mb("recorder"), rig.cpu_s("recorder"), 0.0
        for _ in range(max(1, round(seconds / take_s))):
            recorder.start()
            recorder.wait(take_s)
            recorder.save()
            spent_s += take_s
        used_s, end_mb = rig.cpu_s("recorder") - used_s, rig.memory_mb("recorder")
        for name in ("recorder", "cameras", "drivers"):
            rig.end(name)
        stamps = rig.stamps()
    with Dataset.open(store) as dataset:
        rows = streams_of(case, dataset, stamps, AHEAD_NS)
    files = sum(each.is_file() for each in store.rglob("*"))
    share = round(100 * used_s / spent_s, 1)
    whole = Row(
        case,
        "process",
        rows[0].seconds,
        cpu_percent=share,
        start_mb=round(start_mb, 1),
        end_mb=round(end_mb, 1),
        files=files,
    )
    return [*rows, whole]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0, help="to record of each case")
    parser.add_argument("--take", type=float, default=60.0, help="seconds of a take")
    parser.add_argument("--cameras", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--no-policy", action="store_true", help="without a policy that reads the same cameras")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder by default")
    parser.add_argument("--output", type=Path, default=RESULTS, help="table of the results")
    options = parser.parse_args()
    columns = [field.name for field in fields(Row)]
    rows = []
    print("  ".join(columns))
    for case in options.cameras:
        with scratch(options.folder) as folder:
            for row in measure(case, options.seconds, options.take, Path(folder), not options.no_policy):
                rows.append({name: "" if value is None else value for name, value in asdict(row).items()})
                print("  ".join(str(value).rjust(len(name)) for name, value in rows[-1].items()), flush=True)
    print(f"Written to {write_table(options.output, columns, rows)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
