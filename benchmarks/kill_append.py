"""Kill -9 a process that appends, again and again, and look at what its store then holds.

    python benchmarks/kill_append.py [--kills 200] [--seed 0] [--folder DIR]
    python benchmarks/kill_append.py --every-step

Each time a process opens the store, appends episode after episode and says so after each; it is killed at a random
instant. Then the store must open, and every episode that was said to be appended must be there, bit for bit. The table
also tells how often the kill fell into an append.

With --every-step the kills are not random: one append is killed at its first file write (after half of the bytes), at
its second, and so on, then before its first rename, and so on through all of them. After each kill the next writer must
be able to go on.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.images.encoding import Encoding
from data.store.schema import MetaField, Schema, StreamField
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.files import PARTIAL

EPISODES_A_STORE = 40
LONGEST_WAIT_S = 0.4


def schema() -> Schema:
    """One array of each sort: small images as numbers and encoded, an action, a fact in words, a fast stream."""
    images = [
        ObservationField(name, (side, side, 3), "uint8", "1", "image") for name, side in (("image", 32), ("encoded", 8))
    ]
    action = ActionSpec((ActionField("agent.target", 2, "px", "native"),), 0.1)
    return Schema(
        ObservationSpec(tuple(images)),
        action,
        0.1,
        (MetaField("instruction", "string"),),
        (StreamField("wrench", (6,), "float64", "N"),),
        encodings={"encoded": Encoding("png")},
    )


def episode(number: int) -> Episode:
    """The one episode of that number."""
    draw = np.random.default_rng(number)
    rows = int(draw.integers(20, 200))
    data: dict[str, np.ndarray] = {
        "image": draw.integers(0, 256, (rows, 32, 32, 3), dtype=np.uint8),
        "encoded": draw.integers(0, 256, (rows, 8, 8, 3), dtype=np.uint8),
        "action": draw.normal(size=(rows, 2)).astype(np.float32),
    }
    samples = rows * 10
    streams = {"wrench": (draw.normal(size=(samples, 6)), np.arange(samples, dtype=np.int64))}
    return Episode(data, {"instruction": f"take {number}"}, streams)


@dataclass(frozen=True)
class Kill:
    """What one kill left.

    Args:
        opens: the store could be opened for reading and for appending.
        lost: episodes that were acknowledged and are not there.
        changed: episodes that are there and differ from what was appended.
        torn: the kill fell into an append: files aside, or arrays longer than the commit record says.
    """

    opens: bool
    lost: int
    changed: int
    torn: bool


def write(dataset: Dataset, number: int) -> None:
    """Write an episode as a recorder does, in parts."""
    whole = episode(number)
    cuts = [0, *np.sort(np.random.default_rng(number).integers(0, len(whole), 3)).tolist(), len(whole)]
    value, time_ns = whole.streams["wrench"]
    with dataset.writer() as writer:
        for first, end in itertools.pairwise(cuts):
            writer.add({name: rows[first:end] for name, rows in whole.data.items()})
        writer.add_stream("wrench", value, time_ns)
        writer.commit(whole.meta)


def append_forever(store: Path, acknowledge: Callable[[int], object]) -> None:
    """Append episode after episode and acknowledge each when it is committed."""
    with Dataset.open(store, mode="a") as dataset:
        acknowledge(len(dataset))
        while True:
            write(dataset, len(dataset))
            acknowledge(len(dataset))


def kill_once(store: Path, wait_s: float) -> Kill:
    """Let a child append for so long, kill it, and examine the store."""
    reading, writing = os.pipe()
    child = _fork(lambda: append_forever(store, lambda count: os.write(writing, count.to_bytes(8, "little"))))
    os.close(writing)
    with os.fdopen(reading, "rb") as acknowledgements:
        ready = acknowledgements.read(8)
        time.sleep(wait_s)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        counts = ready + acknowledgements.read()
    acknowledged = int.from_bytes(counts[len(counts) - 8 :], "little")
    if not counts:
        return Kill(opens=False, lost=0, changed=0, torn=False)
    return examine(store, acknowledged)


def examine(store: Path, acknowledged: int, go_on: bool = False) -> Kill:
    """Look at a store in a child process; with `go_on` append to it too and look again."""
    reading, writing = os.pipe()

    def look() -> None:
        torn = any(store.rglob(f"*{PARTIAL}")) or _longest(store) > Dataset.open(store).rows
        lost, changed = _compare(store, acknowledged)
        if go_on:
            append_one(store)
            lost, changed = (sum(pair) for pair in zip((lost, changed), _compare(store, acknowledged + 1)))
        os.write(writing, bytes([lost, changed, torn]))

    child = _fork(look)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        found = answer.read()
    os.waitpid(child, 0)
    if len(found) != 3:
        return Kill(opens=False, lost=0, changed=0, torn=True)
    return Kill(opens=True, lost=found[0], changed=found[1], torn=bool(found[2]))


def append_one(store: Path) -> None:
    """Append the next episode."""
    with Dataset.open(store, mode="a") as dataset:
        write(dataset, len(dataset))


def _compare(store: Path, acknowledged: int) -> tuple[int, int]:
    """(episodes lost, episodes changed)."""
    dataset = Dataset.open(store)
    changed = sum(dataset.episode(index).digest() != episode(index).digest() for index in range(len(dataset)))
    return max(0, acknowledged - len(dataset)), changed


def _longest(store: Path) -> int:
    """Rows of the longest array, by the arrays' own metadata."""
    return max(json.loads(file.read_text())["shape"][0] for file in store.glob("data/*/zarr.json"))


def run(folder: Path, kills: int, seed: int) -> list[Kill]:
    """Kill so many writers at random instants, each time going on with the store that the last one left."""
    draw = random.Random(seed)
    results: list[Kill] = []
    store = folder / "store"
    while len(results) < kills:
        if not store.exists() or _committed(store) >= EPISODES_A_STORE:
            shutil.rmtree(store, ignore_errors=True)
            _wait(_fork(lambda: Dataset.create(store, schema()).close()))
        results.append(kill_once(store, draw.uniform(0, LONGEST_WAIT_S)))
        if sys.stderr.isatty():
            print(f"\r{len(results)} of {kills} kills", end="", file=sys.stderr, flush=True)
    return results


def run_every_step(folder: Path) -> list[Kill]:
    """Kill an append at each of its steps in turn, and let another writer go on after each kill."""
    sound, store = folder / "sound", folder / "store"
    _wait(_fork(lambda: _create_with_three(sound)))
    results: list[Kill] = []
    for fatal in itertools.count(1):
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(sound, store)
        _, status = os.waitpid(_fork(partial(append_and_die, store, fatal)), 0)
        if status == 0:
            return results
        results.append(examine(store, acknowledged=3, go_on=True))
    raise AssertionError


def _create_with_three(store: Path) -> None:
    with Dataset.create(store, schema()) as dataset:
        dataset.extend([episode(number) for number in range(3)])


def append_and_die(store: Path, fatal: int) -> None:
    """Append the next episode and die at step `fatal` of it, a step being a file write or a rename."""
    dataset = Dataset.open(store, mode="a")
    steps, one_at_a_time = itertools.count(1), threading.Lock()
    write_bytes, replace = Path.write_bytes, os.replace

    def step(last_act: Callable[[], object] = lambda: None) -> None:
        with one_at_a_time:
            if next(steps) == fatal:
                last_act()
                os.kill(os.getpid(), signal.SIGKILL)

    def counted_write(path: Path, content: Any) -> int:
        step(lambda: write_bytes(path, bytes(content)[: len(content) // 2]))
        return write_bytes(path, content)

    def counted_replace(source: Path, target: Path) -> None:
        step()
        replace(source, target)

    # The ignore: ours take narrower arguments than the library's, and all that a writer of stores passes.
    Path.write_bytes, os.replace = counted_write, counted_replace  # type: ignore[assignment]
    write(dataset, len(dataset))


def _committed(store: Path) -> int:
    return json.loads((store / "zarr.json").read_text())["attributes"]["tiller"]["commit"]["episodes"]


def _fork(work: Callable[[], None]) -> int:
    """Work in a child process: made before this process ever uses zarr, whose threads would not survive it."""
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except BaseException as error:
        print(f"child: {error!r}", file=sys.stderr)
        os._exit(1)


def _wait(child: int) -> None:
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"a child process ended with status {status}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--every-step", action="store_true", help="kill at each step of one append instead")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder by default")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        if options.every_step:
            results = run_every_step(Path(folder))
        else:
            results = run(Path(folder), options.kills, options.seed)
    failed = sum(not kill.opens for kill in results)
    lost, changed = sum(kill.lost for kill in results), sum(kill.changed for kill in results)
    print(f"{'kills':32}{len(results):6}")
    print(f"{'  of them within an append':32}{sum(kill.torn for kill in results):6}")
    print(f"{'stores that fail to open':32}{failed:6}")
    print(f"{'committed episodes lost':32}{lost:6}")
    print(f"{'committed episodes changed':32}{changed:6}")
    return 1 if failed or lost or changed else 0


if __name__ == "__main__":
    raise SystemExit(main())
