"""How long a person waits for the recorder: for the answer to start and discard, and from save until it is ready again.

    python -m benchmarks.recorder_requests [--takes 8] [--take 6]

Takes of `benchmarks.recorder_rig` with cameras that publish JPEG, beside a policy; one in two is kept.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmarks.recorder_rig import Rig, contract_at, scratch
from robot.errors import TillerError

SETTLE_S = 2.0


def measure(takes: int, take_s: float, folder: Path) -> dict[str, list[float]]:
    """Milliseconds of each request."""
    found: dict[str, list[float]] = {"start": [], "discard": [], "save to ready": []}
    with Rig(contract_at(folder, compressed=True), folder) as rig:
        rig.play("drivers", "cameras", "policy")
        rig.record(folder / "store")
        recorder = rig.recorder
        recorder.until_state("ready", within_s=60.0)
        recorder.wait(SETTLE_S)
        for number in range(takes):
            recorder.until_state("ready")
            began_s = time.monotonic()
            refused = recorder.ask("start")
            found["start"].append(1e3 * (time.monotonic() - began_s))
            if refused:
                raise TillerError(refused)
            recorder.wait(take_s)
            began_s = time.monotonic()
            if number % 2:
                recorder.ask("discard")
                found["discard"].append(1e3 * (time.monotonic() - began_s))
            else:
                recorder.save()
                recorder.until_state("ready")
                found["save to ready"].append(1e3 * (time.monotonic() - began_s))
            recorder.wait(1.0)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--takes", type=int, default=8)
    parser.add_argument("--take", type=float, default=6.0, help="seconds of a take")
    options = parser.parse_args()
    with scratch() as folder:
        for name, values in measure(options.takes, options.take, Path(folder)).items():
            print(f"{name}: {', '.join(f'{value:.0f}' for value in sorted(values))} ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
