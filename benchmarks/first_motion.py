"""From `tiller teleop` to the first motion of the twin: a person at the device pushes from the beginning on.

    python -m benchmarks.first_motion [--device gamepad] [--count 5] [--output FILE] [page=false ...]

Everything is started anew each time: twin, gate, supervisor, recorder, device and page. The person holds the enabling
device, and pushes once the gate waits for a command; a fault while processes start is reset, as a person would. Times
are from the start of the command: until a motion is seen, and until a take may begin.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from benchmarks.by_hand import Person, teleop
from benchmarks.pilot import Push
from robot.errors import TillerError
from robot.files import write_table

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "first_motion.csv"
MOVED_M = 0.001
AGAIN_S, LONGEST_S = 0.2, 90.0
ENABLED = ("hold no_chunk", "hold taken", "run person")
PLACE = "tcp.position"


@dataclass(frozen=True)
class Row:
    """One start.

    Args:
        device: of the person.
        motion_s: until the tool has moved by a millimetre.
        ready_s: until a take may begin.
    """

    device: str
    motion_s: float
    ready_s: float


def measure(device: str, words: list[str]) -> Row:
    """Start, and push."""
    with tempfile.TemporaryDirectory(prefix="first_motion") as folder:
        began_s = time.monotonic()
        with teleop(device, Path(folder) / "store", 0.25, *words, settle=False) as person:
            motion_s = ready_s = 0.0
            first, pushed_s = None, 0.0
            while not motion_s or not ready_s:
                now_s = time.monotonic()
                if now_s - began_s > LONGEST_S:
                    raise TillerError(f"no motion or no recorder after {LONGEST_S:g} s: gate '{person.seen.gate}'")
                if now_s - pushed_s > AGAIN_S and not motion_s:
                    pushed_s = now_s
                    push(person, now_s)
                person.look(0.01)
                place = person.seen.observation.get(PLACE)
                first = place if first is None else first
                if not motion_s and place is not None and np.linalg.norm(place - first) > MOVED_M:
                    motion_s = time.monotonic() - began_s
                    person.hand.push(Push(np.zeros(6)), now_s)
                if not ready_s and person.seen.recorder.get("state") == "ready":
                    ready_s = time.monotonic() - began_s
    return Row(device, round(motion_s, 2), round(ready_s, 2))


def push(person: Person, now_s: float) -> None:
    """What a person does who wants it to move, as soon as the page says that it may."""
    if person.seen.gate.startswith("fault"):
        person.hand.press("reset")
        person.hand.press("enable")
    if person.seen.gate in ENABLED:
        person.hand.push(Push(np.array([0.0, 0.0, 1.0, 0.0, 0.0, 0.0])), now_s)
    else:
        person.hand.hold()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="gamepad", choices=("keyboard", "gamepad"))
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--output", type=Path, default=RESULTS, help="table of the results")
    parser.add_argument("words", nargs="*", help="more of tiller teleop")
    options = parser.parse_intermixed_args()
    rows = []
    for _ in range(options.count):
        rows.append(asdict(measure(options.device, options.words)))
        print("  ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    print(f"Written to {write_table(options.output, [each.name for each in fields(Row)], rows)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
