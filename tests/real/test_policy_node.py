"""The policy's node asks for plans as an evaluation does: seeds, samples, committed rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from robot.control.plan_request import PlanRequest, sample_plans
from robot.control.runner import ChunkRunner, query_seed
from tests.real.fuzzed_nodes import fuzzed

pytestmark = pytest.mark.together


def asked_by(node: Any) -> list[PlanRequest]:
    """Requests of a node from now on, as they are made."""
    requests: list[PlanRequest] = []
    pass_on = node._planner.request

    def noted(request: PlanRequest) -> None:
        requests.append(request)
        pass_on(request)

    node._planner.request = noted
    return requests


@pytest.mark.parametrize("delay_steps", [0, 2])
def test_the_first_plan_of_an_episode_is_the_one_that_an_evaluation_makes(
    delay_steps: int, ros_environment: dict[str, str]
) -> None:
    with fuzzed("policy", delay_steps=delay_steps) as found:
        node = found.node
        requests = asked_by(node)
        found.alive()  # an episode of seed `node._seed` begins, and is planned for
        asked, policy = requests[0], node._planner.policy
        assert asked.number == 0 and asked.seed == query_seed(node._seed, 0)
        runner = ChunkRunner(policy.spec, delay_steps=delay_steps)
        for row in range(len(asked.window["tcp.position"])):
            runner.observe({name: rows[row] for name, rows in asked.window.items()}, (row + 1) * 10**8)
        evaluated = runner.request(seed=asked.seed)
        for name, rows in evaluated.window.items():
            np.testing.assert_array_equal(asked.window[name], rows)
        assert asked.samples == evaluated.samples == (8 if delay_steps else 1)
        np.testing.assert_array_equal(sample_plans(policy, [asked]), sample_plans(policy, [evaluated]))


def test_a_delay_that_the_node_measures_draws_several_plans_and_commits_rows(ros_environment: dict[str, str]) -> None:
    with fuzzed("policy", delay_steps=-1) as found:
        requests = asked_by(found.node)
        found.alive()
        assert requests[0].samples == 1 and requests[0].prefix is None, "nothing has been measured yet"
        found.alive()
        assert found.node._runner.delay_steps >= 1
        assert requests[-1].samples == 8 and requests[-1].prefix is not None
