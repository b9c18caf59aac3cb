"""Kill -9 a recorder at random instants, again and again, and look at what its store then holds.

    python -m benchmarks.kill_recorder [--kills 100] [--seed 0] [--folder DIR] [--output FILE]

A recorder's process records take after take of a synthetic robot (`benchmarks.recorder_rig`): joints at 500 Hz, two
small cameras, a gate. It is killed at a random instant, in a take or in the saving of one. Then every episode that it
had said to be saved must be there and whole, the one that was open must be gone, and the next recorder, which goes on
with the same store, must say what was lost.

A store takes ten kills. The table is written after each kill, and a call that finds one goes on behind its last row.
"""

from __future__ import annotations

import argparse
import csv
import random
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from threading import Timer
from typing import Any, Callable, Mapping

from benchmarks.recorder_rig import RecorderClient, Rig, contract_at, scratch
from data.checks.validate import validate
from data.store.dataset import Dataset
from robot.errors import TillerError
from robot.files import write_table

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "kill_recorder.csv"
KILLS_A_STORE = 10
LONGEST_WAIT_S, LONGEST_TAKE_S = 6.0, 1.5
SIZE = 96, 128
LAST_WORDS_S = 0.3
TAKING = "recording", "paused", "ended", "saving"
DROPPED = "was not committed: dropped"


@dataclass(frozen=True)
class Kill:
    """What one kill left.

    Args:
        kill: its number.
        during: the recorder's state, as it was last said.
        after_s: since it was ready.
        said: episodes that it had said to be saved, those of earlier recorders among them.
        found: episodes of the store; one more than `said` was committed in the moment of the kill.
        lost: episodes that were said and are not there.
        changed: episodes that differ from what they were after an earlier kill, or cannot be read.
        whole: the store has no error.
        rows: of the open take, as they were last said; half a second of them may be missing.
        reported: the next recorder said that an episode was dropped.
    """

    kill: int
    during: str
    after_s: float
    said: int
    found: int
    lost: int
    changed: int
    whole: bool
    rows: int
    reported: bool

    @property
    def silent(self) -> bool:
        """Whether rows were lost and nobody said so."""
        return self.during in TAKING and self.rows > 0 and self.found == self.said and not self.reported

    @property
    def false_alarm(self) -> bool:
        """Whether a loss was reported where there was no take."""
        return self.during not in TAKING and self.reported


COLUMNS = [field.name for field in fields(Kill)]


def record_until(client: RecorderClient, draw: random.Random, ends: list[Mapping[str, Any]]) -> None:
    """Take after take, until there is no recorder any more."""
    while not ends:
        client.start()
        client.wait(draw.uniform(0.1, LONGEST_TAKE_S))
        if draw.random() < 0.2:
            client.ask("discard")
            client.until_state("ready")
        else:
            client.save(success=draw.random() < 0.8)


def kill_once(rig: Rig, store: Path, number: int, draw: random.Random, digests: list[str]) -> Kill:
    """Let a recorder record for a while, kill it, and examine the store.

    Args:
        rig: whose recorder is ready.
        store: of the recorder.
        number: of the kill.
        draw: decides when.
        digests: of the episodes, which are brought up to date.
    """
    client, process, ends = rig.recorder, rig.processes["recorder"], list[Mapping[str, Any]]()
    wait_s, began_s = draw.uniform(0, LONGEST_WAIT_S), time.monotonic()

    def kill() -> None:
        ends.append(client.state)
        process.kill()

    timer = Timer(wait_s, kill)
    timer.start()
    try:
        record_until(client, draw, ends)
    except TillerError:
        if not ends:
            raise
    finally:
        timer.join()
    after_s = time.monotonic() - began_s
    rig.kill("recorder")
    client.wait(LAST_WORDS_S)
    said = int(client.state["episodes"])
    found, changed, whole = examine(store, digests)
    during, rows = ends[0]["state"], int(ends[0]["rows"])
    return Kill(number, during, round(after_s, 2), said, found, max(0, said - found), changed, whole, rows, False)


def examine(store: Path, digests: list[str]) -> tuple[int, int, bool]:
    """Episodes, those of them that changed or cannot be read, and whether the store is without errors."""
    changed = 0
    with Dataset.open(store) as dataset:
        for index in range(len(dataset)):
            digest = ""
            with suppress(TillerError):
                digest = dataset.episode(index).digest()
            if index == len(digests):
                digests.append(digest)
            changed += digest != digests[index] or not digest
        found = len(dataset)
    return found, changed, validate(store).ok


def run(kills: int, seed: int, folder: Path, output: Path) -> list[Kill]:
    """Kill so many recorders, and go on behind those that a table has."""
    results = read(output)
    folder.mkdir(parents=True, exist_ok=True)
    with Rig(contract_at(folder, compressed=False, size=SIZE), folder) as rig:
        rig.play("drivers", "cameras")
        store, digests = folder / "store", list[str]()
        begin(rig, store)
        while len(results) < kills:
            if results and len(results) % KILLS_A_STORE == 0 and digests:
                rig.end("recorder")
                shutil.rmtree(store)
                digests = []
                begin(rig, store)
            draw = random.Random(f"{seed}/{len(results)}")
            killed = kill_once(rig, store, len(results), draw, digests)
            begin(rig, store)
            results.append(replace(killed, reported=DROPPED in rig.log("recorder")))
            write_table(output, COLUMNS, [asdict(each) for each in results])
            if sys.stderr.isatty():
                print(f"\r{len(results)} of {kills} kills", end="", file=sys.stderr, flush=True)
    return results


def begin(rig: Rig, store: Path) -> None:
    """Start a recorder that is ready, with a log of its own."""
    (rig.folder / "recorder.log").unlink(missing_ok=True)
    rig.record(store)
    rig.recorder.until_state("ready", within_s=60.0)


def read(output: Path) -> list[Kill]:
    """The kills of a table; none where there is none."""
    if not output.exists():
        return []
    kinds: dict[str, Callable[[str], Any]] = {
        "int": int, "float": float, "str": str, "bool": lambda text: text == "True",
    }  # fmt: skip
    with output.open(newline="", encoding="utf-8") as file:
        return [
            Kill(**{field.name: kinds[str(field.type)](row[field.name]) for field in fields(Kill)})
            for row in csv.DictReader(file)
        ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder by default")
    parser.add_argument("--output", type=Path, default=RESULTS, help="table of the results")
    options = parser.parse_args()
    with scratch(options.folder) as folder:
        results = run(options.kills, options.seed, Path(folder), options.output)
    stores = {kill.kill // KILLS_A_STORE: kill.found for kill in results}  # what each held after its last kill
    taking = [kill for kill in results if kill.during in TAKING]
    failures = {
        "episodes that were said to be saved and are lost": sum(kill.lost for kill in results),
        "episodes that changed or cannot be read": sum(kill.changed for kill in results),
        "stores with an error": sum(not kill.whole for kill in results),
        "losses that the next recorder was silent about": sum(kill.silent for kill in results),
        "losses that it reported and that were none": sum(kill.false_alarm for kill in results),
    }
    print(f"{'kills':56}{len(results):6}")
    print(f"{'  of them in a take or in the saving of one':56}{len(taking):6}")
    print(f"{'episodes saved':56}{sum(stores.values()):6}")
    for what, count in failures.items():
        print(f"{what:56}{count:6}")
    return 1 if any(failures.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
