"""Is anything lost of a replay on disk when its writer is killed, and does a run go on as if it had not been?

    python -m benchmarks.kill_replay [--kills 200] [--out FOLDER]

A writer adds decisions, commits them, draws from them and folds what it drew into a digest; now and then it keeps a
checkpoint. It is killed (SIGKILL) at random instants. Each time all decisions that it had reported as committed must be
there and whole; the run that goes on from its checkpoint must end with the digest of one that was never killed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from data.learning.replay.draws import uniform
from data.learning.replay.replay import Replay
from data.learning.replay.schema import Key, ReplaySchema
from data.learning.replay.transitions import transitions
from robot.files import write_file

SCHEMA = ReplaySchema({"state": Key((1, 6))}, dim=2, rows=4)
EPISODES, KEPT_EVERY = 3, 20
SEGMENT_BYTES = 50 * SCHEMA.dtype.itemsize


def state(numbers: np.ndarray) -> np.ndarray:
    """What decisions of these numbers see: every one something else."""
    return (numbers[:, None, None] * np.arange(1, 7)).astype(np.float32)


def write(folder: Path, steps: int) -> None:
    """The writer: `steps` calls of `add` from where the checkpoint was; reports how many decisions are committed."""
    replay = Replay.open(folder / "replay", SCHEMA, segment_bytes=SEGMENT_BYTES)
    kept = folder / "checkpoint.json"
    step, digest = 0, ""
    if kept.exists():
        values = json.loads(kept.read_text())
        step, digest = values["step"], values["digest"]
        replay.restore({"count": np.array(values["count"])})
    elif replay.count:
        replay.restore({"count": np.array(0)})
    while step < steps:
        generator = np.random.default_rng([7, step])
        numbers = replay.count + np.arange(EPISODES)
        ended = generator.random(EPISODES) < 0.2
        replay.add(
            window={"state": state(numbers)},
            next_window={"state": state(numbers + EPISODES)},
            executed=generator.normal(size=(EPISODES, 4, 2)),
            reward=generator.normal(size=(EPISODES, 4)),
            terminated=ended,
            truncated=np.zeros(EPISODES, bool),
            episode=replay.begin(EPISODES),
        )
        replay.commit()
        os.write(1, f"{replay.count}\n".encode())
        batch = transitions(replay, uniform(replay, generator, 64), gamma=0.99, n_steps=2)
        drawn = hashlib.blake2b(digest.encode())
        for values in (batch.action, batch.reward, batch.observation["state"]):
            drawn.update(np.ascontiguousarray(values).tobytes())
        digest, step = drawn.hexdigest(), step + 1
        if step % KEPT_EVERY == 0:
            write_file(kept, json.dumps({"step": step, "digest": digest, "count": replay.count}))
    write_file(folder / "done.json", json.dumps({"digest": digest, "count": replay.count}))
    replay.close()


def start(folder: Path, steps: int) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.kill_replay", "--write", str(folder), "--steps", str(steps)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def lost(folder: Path, committed: int) -> int:
    """Decisions of those that were reported as committed which are gone or changed."""
    replay = Replay.open(folder / "replay", SCHEMA, writable=False)
    there = min(len(replay), committed)
    found = replay.column("window.state", np.arange(there))
    wrong = int((found != state(np.arange(there))).any(axis=(1, 2)).sum())
    replay.close()
    return committed - there + wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.write:
        write(asked.write, asked.steps)
        return 0
    draws, gone, tried, reported = random.Random(asked.seed), 0, 0, 0
    steps = 80 * asked.kills  # a kill comes after some 40 of them
    with tempfile.TemporaryDirectory() as place:
        whole, parts = Path(place) / "whole", Path(place) / "parts"
        while tried < asked.kills:
            process = start(parts, steps)
            assert process.stdout is not None
            first = process.stdout.readline()  # the interpreter has started: from here on it writes
            time.sleep(draws.uniform(0.0, 0.15))
            process.kill()
            lines = (first + process.stdout.read()).split()
            process.wait()
            if not lines:
                break
            tried, reported = tried + 1, int(lines[-1])
            gone += lost(parts, reported)
            if (parts / "done.json").exists():
                break
        start(parts, steps).communicate()
        start(whole, steps).communicate()
        ended = [json.loads((folder / "done.json").read_text()) for folder in (whole, parts)]
    same = ended[0] == ended[1]
    print(f"{tried} kills, {ended[0]['count']} decisions: {gone} committed ones lost; resumed runs end alike: {same}")
    return int(bool(gone) or not same)


if __name__ == "__main__":
    sys.exit(main())
