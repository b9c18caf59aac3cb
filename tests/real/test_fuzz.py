"""No message ends a node: every subscription of every node takes anything, and the node works as before."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from tests.real.fuzzed_nodes import NODES, fuzzed

pytestmark = pytest.mark.together

FEW, MANY = 150, 4000


@pytest.mark.parametrize("name", NODES)
def test_no_message_ends_a_node(name: str, ros_environment: dict[str, str]) -> None:
    _require_works(name, FEW, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", NODES)
def test_no_message_of_many_ends_a_node(name: str, ros_environment: dict[str, str]) -> None:
    _require_works(name, MANY, seed=2)


def _require_works(name: str, messages: int, seed: int) -> None:
    with fuzzed(name, seed) as found:
        found.alive()
        said = found.run(messages)
        tally = found.node.tally
        assert not tally.errors, tally.last
        found.alive()
        # Of one message in two the bytes are no message any more.
        assert said / 20 < tally.refused.total() < said or "twin" in name
        assert not tally.errors, tally.last
