"""What the tests of steering share: one small ladder on the mountain car, climbed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiller.cli import main

WORDS = (
    "episodes=8",
    "most=16",
    "options.max_steps=16",
    "options.success_return=-0.8",
    "tickets.candidates=4",
    "tickets.starts=2",
    "cloning.episodes=16",
    "cloning.updates=20",
    "free.steps=[3]",
    "free.medoid=4",
    "learning.steps=150",
    "learning.episodes=4",
    "learning.warmup=4",
    "learning.candidates=3",
    "learning.updates=1",
    "learning.judged=0",
    "learning.margin=0.001",
    "learning.critic.width=8",
    "learning.critic.batch_size=16",
)


def steer(policy: Path, output: Path, *words: str) -> int:
    """Exit code of `tiller steer` in this process."""
    return main(["steer", f"checkpoint={policy}", f"output={output}", *WORDS, *words])


@pytest.fixture(scope="session")
def climbed(car_policies: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a whole ladder."""
    output = tmp_path_factory.mktemp("ladder") / "run"
    assert steer(car_policies[0], output) == 0
    return output
