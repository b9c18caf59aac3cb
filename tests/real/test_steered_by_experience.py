"""The whole way of a policy that learnt from its own decisions: steered, evaluated, deployed in the graph."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from tests.journeys.commands import TINY
from tests.real.test_by_hand import tiller
from tests.real.test_told_and_steered import deployed

LEARNING = (
    "learning.steps=200", "learning.episodes=4", "learning.warmup=4", "learning.candidates=3", "learning.updates=1",
    "learning.judged=0", "learning.critic.width=16", "learning.critic.batch_size=16",
)  # fmt: skip
LAYERS = {"best_of_k": "value", "codebook": "codebook", "dsrl_na": "noise_actor", "residual": "residual"}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("method", LAYERS)
def test_a_policy_is_steered_evaluated_and_deployed_by_one_command_each(
    ros_environment: dict[str, str], tmp_path: Path, method: str
) -> None:
    task = "task=twin/lift"
    tiller("collect", task, "episodes=4", f"output={tmp_path / 'demos'}", cwd=tmp_path)
    tiller("train", task, f"data={tmp_path / 'demos'}", f"output={tmp_path / 'policy'}", *TINY, cwd=tmp_path)
    words = (f"checkpoint={tmp_path / 'policy'}", task, "steps=3", "options.max_steps=36", "episodes=2", "most=2")
    few = ("free.steps=[]", "free.medoid=2", f"method={method}", *LEARNING)
    tiller("steer", *words, *few, f"output={tmp_path / 'steered'}", cwd=tmp_path)
    rung = tmp_path / "steered" / "rungs" / method
    measured = (f"checkpoint={rung}", task, "episodes=2", "options.max_steps=36", "videos=0")
    tiller("evaluate", *measured, f"output={tmp_path / 'measured'}", cwd=tmp_path)
    record = json.loads((tmp_path / "measured" / "evaluation.json").read_text())
    assert len(record["records"]) == 2 and record["policy"]["steering"][-1]["name"] == LAYERS[method]
    with deployed(rung, tmp_path, "twin/lift"):
        time.sleep(3)
