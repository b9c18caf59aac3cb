"""Learning in segments: what is kept, counted and refused, and that a kill changes nothing."""

from __future__ import annotations

import csv
import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.learning.replay.schema import CUT_OFF
from policies.loading.load import load
from policies.model.files import read_tensors
from policies.recipe.actors import NoiseOptions, ResidualOptions
from policies.recipe.learner import LearnerConfig
from policies.steering.registry import steer
from policies.steering.steered import innermost
from robot.description import Query, decide
from robot.errors import InputError
from tests.tiller.conftest import CAR, PATIENCE_S, ROOT
from tiller.steering.by_learning.methods import make_way
from tiller.steering.by_learning.options import LearningOptions
from tiller.steering.by_learning.segments import CURVE, LAST, REPLAY, LearningRun
from tiller.steering.by_learning.setting import Setting

OPTIONS = LearningOptions(
    steps=400, episodes=6, warmup=8, candidates=4, updates=2, judged=0,
    critic=LearnerConfig(width=16, depth=1, batch_size=16, n_steps=2), noise=NoiseOptions(after=10),
    residual=ResidualOptions(after=10, delta={"action": 0.2}),
)  # fmt: skip
TASK_OPTIONS = {"max_steps": 20, "success_return": -0.8}
SLOW = ("codebook", "dsrl_sac", "residual")
METHODS = ("best_of_k", "dsrl_na", *(pytest.param(method, marks=pytest.mark.slow) for method in SLOW))


def setting(checkpoint: Path, **changes: Any) -> Setting:
    policy = load(checkpoint)
    recipe: Any = innermost(policy).recipe  # type: ignore[attr-defined]
    made = Setting(policy, recipe.transforms, CAR, TASK_OPTIONS, 900_000, 0.5, False)
    return replace(made, **changes)


def open_run(
    folder: Path, checkpoint: Path, method: str = "best_of_k", options: LearningOptions = OPTIONS, **more: Any
) -> LearningRun:
    own = setting(checkpoint, **more)
    return LearningRun(folder, own, options, make_way(method, own, options))


def digest(folder: Path) -> dict[str, str]:
    """Of what learnt, of the replay and of the curve, without its times."""
    hashes = {
        name: _hash(tensor.numpy()) for name, tensor in read_tensors(folder / LAST / "learner.safetensors").items()
    }
    for file in sorted((folder / REPLAY).glob("segment-*")):
        hashes[file.name] = _hash(np.frombuffer(file.read_bytes(), np.uint8))
    with (folder / CURVE).open(newline="") as file:
        rows = [{name: value for name, value in row.items() if "_s" not in name} for row in csv.DictReader(file)]
    return {**hashes, "curve": str(rows)}


def _hash(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


class Whole:
    """Runs of each method that nobody disturbed, made when they are first asked for."""

    def __init__(self, checkpoint: Path, folder: Path) -> None:
        self.checkpoint, self.folder = checkpoint, folder

    def __getitem__(self, method: str) -> Path:
        folder = self.folder / method
        if not folder.exists():
            with open_run(folder, self.checkpoint, method) as run:
                assert run.run()
                assert run.learner is not None
                run.way.save(run.learner, folder)
        return folder


@pytest.fixture(scope="module")
def whole(car_policies: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return Whole(car_policies[0], tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("method", METHODS)
def test_a_run_that_is_left_after_each_segment_is_the_same(
    whole: Whole, car_policies: list[Path], tmp_path: Path, method: str
) -> None:
    for _ in range(20):
        with open_run(tmp_path / "run", car_policies[0], method) as run:
            before = run.state.segments
            assert run.run(segments=1)
            if run.state.segments == before:
                break
    assert digest(tmp_path / "run") == digest(whole[method])


def test_steps_are_those_of_the_environment(whole: Whole, car_policies: list[Path]) -> None:
    with open_run(whole["best_of_k"], car_policies[0]) as run:
        run.run(segments=0)
        version, length = run.replay.column("version"), run.replay.column("length")
        episode, terminated = run.replay.column("episode"), run.replay.column("terminated")
        assert run.state.steps == length[version != CUT_OFF].sum() == run.experience.steps()
        ended = np.unique(episode[terminated])
        assert (version == CUT_OFF).sum() == len(np.unique(episode)) - len(ended), "each is cut off, or ended"
        rows = np.flatnonzero(version == CUT_OFF)
        assert np.isfinite(run.replay.column("candidates", rows)).all()
    with (whole["best_of_k"] / CURVE).open(newline="") as file:
        curve = list(csv.DictReader(file))
    assert int(curve[-1]["step"]) == run.state.steps
    assert int(float(curve[-1]["episodes"])) == len(np.unique(episode)) == 8 + 6 * (len(curve) - 1)


@pytest.mark.parametrize("method", METHODS)
def test_what_was_learnt_steers(whole: Whole, car_policies: list[Path], method: str) -> None:
    policy = load(car_policies[0])
    with open_run(whole[method], car_policies[0], method) as run:
        steered: Any = policy
        (layers,) = run.way.layers(whole[method]).values()
        for each in layers:
            steered = steer(steered, each)
    window = {key.name: np.zeros((3, key.history.steps, *key.shape), np.float32) for key in policy.spec.observation}
    decision = decide(steered, Query(window, seeds=[1, 2, 3]))
    assert decision.chunk.shape[:2] == (3, 1)
    assert (decision.value is None) == method.startswith("dsrl"), "actors of noises ask no critic"
    if method == "best_of_k":
        assert decision.candidates is not None and decision.candidates.shape[2] == OPTIONS.candidates


def test_another_task_base_or_option_is_refused(whole: Whole, car_policies: list[Path], tmp_path: Path) -> None:
    folder = whole["best_of_k"]
    with pytest.raises(InputError, match="base"):
        open_run(folder, car_policies[1])
    with pytest.raises(InputError, match="task"):
        open_run(folder, car_policies[0], task="gym/Pendulum-v1")
    with pytest.raises(InputError, match="way"):
        open_run(folder, car_policies[0], "codebook")
    other = open_run(folder, car_policies[0], options=replace(OPTIONS, greedy=0.1))
    with other, pytest.raises(InputError, match=r"learning\.greedy"):
        other.run()


def test_two_learners_on_one_replay_are_refused(car_policies: list[Path], tmp_path: Path) -> None:
    with open_run(tmp_path / "run", car_policies[0]), pytest.raises(InputError, match=r"writer|process"):
        open_run(tmp_path / "run", car_policies[0])


def test_demonstrations_come_first_with_what_the_base_draws_there(car_policies: list[Path], tmp_path: Path) -> None:
    demonstrations = str(car_policies[0].parent / "dataset")
    with pytest.raises(InputError, match="rewards"):
        open_run(tmp_path / "run", car_policies[0], demonstrations=(demonstrations,))


LEARNS = """
import sys
from pathlib import Path
from tests.tiller.steering.test_segments import open_run
with open_run(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]) as run:
    print("begun", flush=True)
    run.run()
    print("done", flush=True)
"""


@pytest.mark.parametrize("method", METHODS)
def test_a_kill_loses_nothing_that_was_committed(
    whole: Whole, car_policies: list[Path], tmp_path: Path, method: str
) -> None:
    folder, draws, committed = tmp_path / "run", random.Random(4), 0
    command = [sys.executable, "-c", LEARNS, str(folder), str(car_policies[0]), method]
    for _ in range(3):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        time.sleep(3 * draws.random())
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        with open_run(folder, car_policies[0], method) as run:
            assert len(run.replay) >= committed
            committed = len(run.replay)
    with open_run(folder, car_policies[0], method) as run:
        assert run.run()
    assert digest(folder) == digest(whole[method])


def test_a_full_disk_is_waited_for(car_policies: list[Path], whole: Whole, tmp_path: Path, capfd: Any) -> None:
    """Files may not grow for a while: the run says so, waits, and goes on to the same end."""
    with open_run(tmp_path / "run", car_policies[0]) as run:
        run.patience.wait_s = 0.05
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        free = threading.Timer(2.0, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard)))
        try:
            run._resume()
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
            free.start()
            assert run.run()
        finally:
            free.join(PATIENCE_S)
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
    said = capfd.readouterr().err
    assert "Waiting" in said and "room on the disk again" in said
    assert digest(tmp_path / "run") == digest(whole["best_of_k"])
