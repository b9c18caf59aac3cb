"""What the journeys share: small datasets and policies trained for a second."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.journeys.commands import TINY, Command
from tiller.cli import main


@pytest.fixture
def tiller(capsys: pytest.CaptureFixture[str]) -> Command:
    """`tiller` in this process."""
    return Command(capsys)


def write_pusht_npz(path: Path, episodes: int = 3) -> Path:
    """PushT from gym-pusht itself, with a hand that wanders: as others would bring it, without names or units."""
    import sim

    random = np.random.default_rng(0)
    env = sim.make("pusht/state")
    states, actions, ends = [], [], []
    for seed in range(episodes):
        observation, _ = env.reset(seed=seed)
        for _ in range(30):
            target = np.clip(observation["state"][:2] + random.uniform(-40, 40, 2), 0, 512)
            states.append(observation["state"])
            actions.append(target)
            observation, *_ = env.step(target)
        ends.append(len(states))
    env.close()
    np.savez(
        path,
        state=np.array(states, np.float32),
        action=np.array(actions, np.float32),
        episode_ends=np.array(ends, np.int64),
    )
    return path


PUSHT_MEANING = (
    "period_s=0.1",
    "units.state='px px px px rad'",
    "units.action=px",
    "action=[{name: agent.target, size: 2, unit: px, kind: native}]",
)


@pytest.fixture(scope="session")
def pusht_npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pusht_npz(tmp_path_factory.mktemp("pusht") / "demos.npz")


@pytest.fixture(scope="session")
def pusht_dataset(pusht_npz: Path) -> Path:
    """A dataset of PushT that `tiller data convert` made."""
    target = pusht_npz.with_name("dataset")
    assert main(["data", "convert", str(pusht_npz), str(target), *PUSHT_MEANING]) == 0
    return target


@pytest.fixture(scope="session")
def pusht_run(pusht_dataset: Path) -> Path:
    """The output of a training run for `pusht/state`."""
    target = pusht_dataset.with_name("run")
    assert main(["train", "task=pusht/state", f"data={pusht_dataset}", f"output={target}", *TINY]) == 0
    return target


@pytest.fixture
def own_run(pusht_run: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(pusht_run, tmp_path / "run", symlinks=True))
