"""compare= takes an evaluation of the same seeds in the same order, and says so before any episode is run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from robot.errors import InputError
from sim.statistics.records import Evaluation
from tests.sim.statistics.made_up import evaluation
from tiller.verbs.evaluate import EvaluateOptions, require_comparable

TASK, OPTIONS = "pusht/state", EvaluateOptions(checkpoint="x", episodes=3, seed=0)


@pytest.fixture
def other(tmp_path: Path) -> Evaluation:
    return evaluation(tmp_path / "other", [True, False, True])[1]


def test_the_same_seeds_in_the_same_order_are_taken(other: Evaluation) -> None:
    require_comparable(other, TASK, OPTIONS)


def test_another_order_and_other_seeds_are_refused_with_the_episode(other: Evaluation) -> None:
    first, second, third = other.records
    with pytest.raises(InputError, match="seed of episode 1: expected 1, as in this evaluation, got 2"):
        require_comparable(replace(other, records=(first, third, second)), TASK, OPTIONS)
    with pytest.raises(InputError, match=r"seed of episode 2: .* got 7"):
        require_comparable(replace(other, records=(first, second, replace(third, seed=7))), TASK, OPTIONS)
