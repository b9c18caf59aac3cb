"""A monitor beside the policy's node: an alarm stops the robot where it is, asks for a person, and ends with one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from policies.loading.load import identity, load
from policies.model.provenance import Provenance
from policies.monitoring.checkpoint import MonitoredPolicy, save_monitor
from policies.recipe.monitor import MonitorRecipe
from real.policy.watching import Watching, standing
from real.ros.chunks import trajectory_message
from real.ros.signals import ERROR, OK, WARN
from robot.contract.loading import action_spec
from robot.control.runner import ChunkRunner
from robot.errors import InputError
from robot.monitoring.band import Band
from robot.monitoring.monitor import Monitor
from robot.monitoring.scores import Disagreement
from tests.real.fuzzed_nodes import Fuzzed, fuzzed, sound_messages, tell
from tests.real.untrained import untrained

pytestmark = pytest.mark.together

COMMAND = np.array([0.4, 0.1, 0.3, 1, 0, 0, 0, -1, 0, 0.02])


def watched(folder: Path) -> tuple[Path, Path]:
    """A checkpoint, and a monitor of it for which two chunks that are not the same are an alarm."""
    path = untrained("panda_twin", folder / "policy")
    policy = load(path)
    band = Band(np.zeros((1, 1)), np.ones((1, 1)), 0.0, 0.1, 30)
    monitor = Monitor((Disagreement(np.ones(policy.spec.action.dim)),), band, None, policy.spec.n_action_steps)
    made_for = MonitoredPolicy(identity(path, policy), str(path), "euler", 10, policy.spec.n_action_steps)
    recipe = MonitorRecipe(scores=("disagreement",), alpha=0.1)
    return path, save_monitor(monitor, folder / "monitor", recipe, made_for, Provenance())


def see(found: Fuzzed, reason: str, seconds: float, until: Any = lambda: False) -> None:
    """Let the node see the robot for so long, and the gate command for a reason."""
    spec, end = action_spec(found.contract), time.monotonic() + seconds
    while time.monotonic() < end and not until():
        now_ns = found.node.get_clock().now().nanoseconds
        sent = trajectory_message(np.stack([COMMAND, COMMAND]), spec.component_names, now_ns, 0, f"{reason}|||")
        messages = {**sound_messages(found.contract, now_ns), "gate/sent": [sent]}
        tell(found.node, messages, *(topic for topic in messages if topic not in ("episode", "clock")))
        found.node._woken()
        time.sleep(0.005)


def status(node: Any) -> tuple[bytes, str, dict[str, str]]:
    messages: list[Any] = []
    node._status.publish, publish = messages.append, node._status.publish
    node._report()
    node._status.publish = publish
    shown = messages[0].status[0]
    return shown.level, shown.message, {each.key: each.value for each in shown.values}


def test_an_alarm_stops_the_robot_and_asks_for_a_person_who_ends_it(
    tmp_path: Path, ros_environment: dict[str, str]
) -> None:
    checkpoint, monitor = watched(tmp_path)
    with fuzzed("policy", checkpoint=str(checkpoint), monitor=str(monitor)) as found:
        node, published = found.node, []
        node._chunk.publish = published.append
        see(found, "policy", 30, until=lambda: node._watching.holding)
        assert node._watching.holding
        count = len(published)
        plan, values = (np.array([point.positions for point in each.points]) for each in published[-2:])
        assert (values == values[0]).all() and (plan == values[0]).all(axis=1).any(), "a row of the plan before"
        level, text, numbers = status(node)
        assert level == ERROR and "held, a person is needed: disagreement" in text and numbers["alarms"] == "1"
        assert "decision 1" in text and numbers["monitor"].startswith("disagreement")
        for reason in ("policy", "starved", "no_chunk", "not_enabled"):
            see(found, reason, 0.3)
        node._begin()  # as when streams have paused
        see(found, "policy", 0.3)
        assert len(published) == count and not node._planner.busy, "nothing follows by itself"
        see(found, "person", 0.2)
        see(found, "taken", 0.2)
        assert node._watching.holding and len(published) == count
        see(found, "no_chunk", 30, until=lambda: len(published) > count)
        assert not node._watching.holding and status(node)[0] == OK
        assert "held" not in status(node)[1] and status(node)[2]["alarms"] == "1"
        see(found, "policy", 30, until=lambda: node._watching.holding)
        assert node._watching.alarms == 2, "it watches again"
        tell(node, {"episode": sound_messages(found.contract, number=9)["episode"]}, "episode")
        assert not node._watching.holding, "an episode begins without an alarm"


def test_an_alarm_that_is_only_written_down_lets_the_policy_go_on(
    tmp_path: Path, ros_environment: dict[str, str]
) -> None:
    checkpoint, monitor = watched(tmp_path)
    with fuzzed("policy", checkpoint=str(checkpoint), monitor=str(monitor), monitor_action="record") as found:
        node = found.node
        see(found, "policy", 30, until=lambda: node._plans >= 4)
        level, text, numbers = status(node)
        assert node._plans >= 4 and level == WARN and "a person should look" in text and numbers["alarms"] == "1"


def test_without_a_monitor_the_status_says_nothing_of_one(ros_environment: dict[str, str]) -> None:
    with fuzzed("policy") as found:
        found.alive()
        assert not {"monitor", "alarms"} & set(status(found.node)[2])


def test_plans_that_nobody_executes_are_no_decisions_of_an_episode(
    tmp_path: Path, ros_environment: dict[str, str]
) -> None:
    checkpoint, monitor = watched(tmp_path)
    with fuzzed("policy", checkpoint=str(checkpoint), monitor=str(monitor)) as found:
        see(found, "not_enabled", 30, until=lambda: found.node._plans >= 3)
        assert found.node._plans >= 3 and not found.node._watching.holding


def test_a_monitor_of_another_policy_is_refused(tmp_path: Path) -> None:
    checkpoint, monitor = watched(tmp_path)
    with pytest.raises(InputError, match="nothing there"):
        Watching(str(tmp_path / "nowhere"), "hold")
    with pytest.raises(InputError, match="the policy that it was made for"):
        Watching(str(monitor), "hold").load(str(checkpoint), "cpu", None, 3)
    watching = Watching(str(monitor), "hold")
    policy = watching.load(str(checkpoint), "cpu", None, None)
    with pytest.raises(InputError, match="rows executed per plan"):
        watching.fit(ChunkRunner(policy.spec, n_action_steps=2))


def test_the_rows_that_stop_the_robot_reach_into_the_future(tmp_path: Path) -> None:
    spec = load(untrained("panda_twin", tmp_path / "policy")).spec
    runner, period_ns = ChunkRunner(spec), spec.action.period_ns
    runner.observe({"tcp.position": np.zeros(3, np.float32)}, 0)
    assert standing(runner, 0, 0) is None, "nothing is executed"
    plan = np.arange(float(spec.horizon))[:, None] + np.zeros(spec.action.dim)
    runner.accept(plan)
    for late in (0.0, 0.99, 1.0, 2.5):
        stamp_ns = 3 * period_ns
        now_ns = stamp_ns + int(late * period_ns)
        rows = standing(runner, stamp_ns, now_ns)
        assert rows is not None and (rows == plan[3 + int(late)]).all(), "the row that is due now"
        assert stamp_ns + len(rows) * period_ns > now_ns + period_ns, "it is not past when it comes"
