"""Is anything lost when a policy that learns from its own decisions is killed, and does it go on to the same bits?

    python -m benchmarks.kill_steer [--kills 20] [--method best_of_k] [--out FOLDER]

The shifted lift base learns for a few segments on short episodes. It is killed (SIGKILL, workers too) at random
instants: while it collects, learns or saves. Each time every decision that was committed must be there; the run that
goes on must end with the weights, moments, replay and curve of one that nobody disturbed.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.artifacts import ROOT
from benchmarks.free_steering import BASES
from data.learning.replay.segments import COMMIT
from policies.loading.load import load
from policies.model.files import read_tensors
from policies.model.policy import DiffusionPolicy
from policies.recipe.learner import LearnerConfig
from policies.steering.steered import innermost
from robot.errors import TillerError
from tiller.runs.steering import with_steering
from tiller.steering.by_learning.methods import make_way
from tiller.steering.by_learning.options import LearningOptions
from tiller.steering.by_learning.segments import CURVE, LAST, REPLAY, LearningRun
from tiller.steering.by_learning.setting import Setting

OPTIONS = LearningOptions(
    steps=6000, episodes=16, warmup=16, candidates=4, updates=4, judged=0,
    critic=LearnerConfig(width=32, batch_size=64),
)  # fmt: skip
TASK_OPTIONS = {"max_steps": 60, "perturbation": "object_pose", "severity": 5}


def open_run(folder: Path, method: str) -> LearningRun:
    """The run in a folder, begun or gone on with."""
    base = BASES["lift_shifted"]
    checkpoint = base.trained(ROOT / "artifacts")
    if checkpoint is None:
        raise TillerError("lift_shifted: no base")
    policy = with_steering(load(checkpoint), None, steps=base.steps, n_action_steps=base.rows, always=True)
    learnt = innermost(policy)
    assert isinstance(learnt, DiffusionPolicy)
    setting = Setting(policy, learnt.recipe.transforms, base.task, TASK_OPTIONS, 900_000, 0.25, False)
    return LearningRun(folder, setting, OPTIONS, make_way(method, setting, OPTIONS))


def learn(folder: Path, method: str) -> None:
    """The learner: to the end."""
    torch.set_num_threads(1)
    with open_run(folder, method) as run:
        print("begun", flush=True)
        run.run()
    print("done", flush=True)


def start(folder: Path, method: str) -> subprocess.Popen[str]:
    """A learner in a process group of its own."""
    command = [sys.executable, "-m", "benchmarks.kill_steer", "--learn", str(folder), "--method", method]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True, env=environment
    )


def committed(folder: Path) -> int:
    """Decisions that are committed."""
    file = folder / REPLAY / COMMIT
    return int(json.loads(file.read_text())["decisions"]) if file.exists() else 0


def digest(folder: Path) -> str:
    """Of what learnt, of all decisions and of the curve, without times."""
    digest = hashlib.blake2b()
    for name, tensor in sorted(read_tensors(folder / LAST / "learner.safetensors").items()):
        digest.update(name.encode() + np.ascontiguousarray(tensor.numpy()).tobytes())
    for file in sorted((folder / REPLAY).glob("segment-*")):
        digest.update(file.read_bytes())
    with (folder / CURVE).open(newline="") as lines:
        for row in csv.DictReader(lines):
            digest.update(str([(name, value) for name, value in row.items() if "_s" not in name]).encode())
    return digest.hexdigest()


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--method", default="best_of_k")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--learn", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    if options.learn is not None:
        learn(options.learn, options.method)
        return 0
    out = options.out or Path(tempfile.mkdtemp())
    began = time.monotonic()
    assert start(out / "whole", options.method).wait() == 0
    whole_s, draws = time.monotonic() - began, random.Random(0)
    kills = lost = 0
    while kills < options.kills:
        process = start(out / "killed", options.method)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(draws.random() * whole_s / 4)
        before = committed(out / "killed")
        if process.poll() is not None:  # it was done: once more from the beginning
            compare(out, options.method)
            os.rename(out / "killed", out / f"done-{kills}")
            continue
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        with open_run(out / "killed", options.method) as run:
            lost += max(before - len(run.replay), 0)
        print(f"kill {kills}: {before} decisions committed, {lost} lost in all", flush=True)
    assert start(out / "killed", options.method).wait() == 0
    same = compare(out, options.method)
    print(f"{options.method}: {kills} kills, {lost} committed decisions lost, resumed to the same bits: {same}")
    return 0 if same and not lost else 1


def compare(out: Path, method: str) -> bool:
    """Whether the run that was killed ended as the other one."""
    same = digest(out / "killed") == digest(out / "whole")
    if not same:
        print(f"{method}: the run that was killed ended otherwise")
    return same


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TillerError as error:
        sys.exit(f"{error}")
