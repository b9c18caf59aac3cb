"""The policy's node asks for plans as an evaluation does: seeds, samples, committed rows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")

from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from policies.loading.load import load, save_steered
from policies.steering.by_noise.noise_scale import NoiseScaled
from policies.steering.execution import Executed
from real.ros.chunks import Tag, trajectory_message
from real.ros.messages import string_message
from real.ros.reading import EpisodeNotice
from robot.contract.loading import action_spec
from robot.control.plan_request import PlanRequest, decide_plans, sample_plans
from robot.control.runner import ChunkRunner, query_seed
from robot.description import PromptSpec
from robot.description.prompt import INSTRUCTION
from tests.real.fuzzed_nodes import Fuzzed, fuzzed, sound_messages, tell
from tests.real.untrained import untrained

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


def plan_under(found: Fuzzed, reason: str, command: np.ndarray, requests: list[PlanRequest], count: int) -> int:
    """Let the node see the robot, and the gate command for a reason, until it has made so many requests more.

    Returns:
        When that began, in ns.
    """
    spec, enough, end = action_spec(found.contract), len(requests) + count, time.monotonic() + 30
    begun_ns: int = found.node.get_clock().now().nanoseconds
    while len(requests) < enough or found.node._planner.busy:
        assert time.monotonic() < end, "the policy does not plan any more"
        now_ns = found.node.get_clock().now().nanoseconds
        sent = trajectory_message(np.stack([command + 1.0, command]), spec.component_names, now_ns, 0, f"{reason}|||")
        messages = {**sound_messages(found.contract, now_ns), "gate/sent": [sent]}
        tell(found.node, messages, *(topic for topic in messages if topic not in ("episode", "clock")))
        found.node._woken()
        time.sleep(0.005)
    return begun_ns


@pytest.mark.parametrize("delay_steps", [0, 2])
def test_it_plans_on_while_a_person_drives_and_continues_the_held_command_after_that(
    delay_steps: int, ros_environment: dict[str, str]
) -> None:
    with fuzzed("policy", delay_steps=delay_steps) as found:
        found.alive()
        requests, command = asked_by(found.node), np.array([0.4, 0.1, 0.3, 1, 0, 0, 0, -1, 0, 0.02])
        plan_under(found, "policy", command, requests, 1)
        for reason in ("person", "taken"):
            del requests[:]
            begun_ns = plan_under(found, reason, command, requests, 2)
            assert all(each.stamp_ns >= begun_ns for each in requests)
            assert not any(each.prefix_weight is not None and each.prefix_weight.any() for each in requests)
        del requests[:]
        given_ns = plan_under(found, "no_chunk", command, requests, 2)
        for each in requests:
            assert each.stamp_ns >= given_ns
            if delay_steps:
                assert each.prefix is not None and each.prefix_weight is not None
                np.testing.assert_array_equal(each.prefix[:delay_steps], np.repeat(command[None], delay_steps, axis=0))
                assert each.prefix_weight.tolist() == [1.0] * delay_steps + [0.0] * (len(each.prefix) - delay_steps)
            else:
                assert each.prefix is None and each.samples == 1
        del requests[:]
        plan_under(found, "policy", command, requests, 2)
        assert requests[-1].prefix_weight is None or requests[-1].prefix_weight[delay_steps] > 0, "its own plan again"


def test_a_plan_from_before_the_robot_changed_hands_is_dropped(ros_environment: dict[str, str]) -> None:
    with fuzzed("policy") as found:
        found.alive()
        requests, node = asked_by(found.node), found.node
        command = np.array([0.4, 0.1, 0.3, 1, 0, 0, 0, -1, 0, 0.02])
        for before, after in (("policy", "person"), ("person", "no_chunk")):
            plan_under(found, before, command, requests, 1)
            node._planner.request(requests[-1])
            sent = trajectory_message(np.stack([command, command]), action_spec(found.contract).component_names, 1, 0)
            sent.header.frame_id = f"{after}|||"
            tell(node, {"gate/sent": [sent]}, "gate/sent")
            end = time.monotonic() + 30
            while node._planner.busy:
                assert time.monotonic() < end and node._planner.take() is None
                time.sleep(0.005)


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


def episode_of(number: int, instruction: str) -> dict[str, list[Any]]:
    return {"episode": [string_message(EpisodeNotice(number, 7, "twin/drawer", instruction, 100).text())]}


def instruct(node: Any, text: str) -> None:
    tell(node, {"policy/task": [string_message(text)]}, "policy/task")


def shown(node: Any) -> dict[str, str]:
    """What the node's next status says."""
    messages: list[Any] = []
    node._status.publish, publish = messages.append, node._status.publish
    node._report()
    node._status.publish = publish
    status = messages[0].status[0]
    return {"text": status.message, **{each.key: each.value for each in status.values}}


def test_the_prompt_is_the_episodes_until_another_is_given(ros_environment: dict[str, str]) -> None:
    with fuzzed("policy") as found:
        node, command = found.node, np.array([0.4, 0.1, 0.3, 1, 0, 0, 0, -1, 0, 0.02])
        requests = asked_by(node)

        def asked(count: int = 1) -> str:
            del requests[:]
            plan_under(found, "policy", command, requests, count)
            return requests[0].prompt.instruction

        tell(node, episode_of(3, "push the drawer shut"))
        assert asked() == "push the drawer shut" == shown(node)["prompt"]
        instruct(node, "pull the drawer open")
        assert asked() == "pull the drawer open" == shown(node)["prompt"]
        tell(node, episode_of(4, "push the drawer shut"))
        assert asked() == "pull the drawer open", "what is given overrides the episode"
        instruct(node, "")
        assert asked() == "push the drawer shut"
        instruct(node, "x" * 1001)
        assert node.tally.refused["policy/task"] == 1 and shown(node)["prompt"] == "push the drawer shut"
        assert shown(node)["prompt_use"] == "ignored" and not node._prompt.unread
        instruct(node, "wipe the board")
        assert "the policy reads no instruction: 'wipe the board' changes nothing" in node._prompt.unread


def test_another_prompt_drops_the_plan_in_flight_and_plans_at_once(ros_environment: dict[str, str]) -> None:
    with fuzzed("policy") as found:
        node, command = found.node, np.array([0.4, 0.1, 0.3, 1, 0, 0, 0, -1, 0, 0.02])
        requests = asked_by(node)
        plan_under(found, "policy", command, requests, 1)
        node._planner.request(requests[-1])
        instruct(node, "do something else")
        end = time.monotonic() + 30
        while node._planner.busy:
            assert time.monotonic() < end and node._planner.take() is None
            time.sleep(0.005)
        assert node._runner.chunk is None, "nothing of the old task goes on being executed"
        plan_under(found, "policy", command, requests, 1)
        node._planner.request(requests[-1])
        instruct(node, "do something else")
        while (plan := node._planner.take()) is None:
            assert time.monotonic() < end + 30
            time.sleep(0.005)
        assert plan.request is requests[-1], "the same words again change nothing"


def test_a_prompt_that_the_policy_cannot_follow_stops_planning_and_is_told(ros_environment: dict[str, str]) -> None:
    with fuzzed("policy") as found:
        node = found.node
        requests = asked_by(node)
        node._prompt.fit(PromptSpec(INSTRUCTION, ("open", "close")))
        instruct(node, "opne")
        plans = node._plans
        for _ in range(20):  # rows come and are due, and no plan is asked for
            messages = sound_messages(found.contract, node.get_clock().now().nanoseconds)
            tell(node, messages, *(topic for topic in messages if topic not in ("episode", "clock", "policy/task")))
            node._woken()
            time.sleep(0.01)
        assert node._observer.stamp_ns is not None and not requests and node._plans == plans
        assert "Did you mean 'open'?" in shown(node)["text"]
        instruct(node, "open")  # no other row comes, as in lock step
        assert [each.prompt.instruction for each in requests] == ["open"] and "open" not in shown(node)["text"]
        instruct(node, "o\x1b[31m\npen")
        text = shown(node)
        assert all(each.isprintable() for each in text["text"] + text["prompt"])


@pytest.mark.parametrize("scale", [None, 0.0, 0.5])
def test_a_published_chunk_can_be_made_again_from_its_tag_and_what_was_seen(
    scale: float | None, tmp_path: Path, ros_environment: dict[str, str]
) -> None:
    path = untrained("panda_twin", tmp_path / "base")
    if scale is not None:
        path = save_steered(NoiseScaled(load(path), noise_scale=scale), tmp_path / "steered", path)
    with fuzzed("policy", checkpoint=str(path)) as found:
        published: list[Any] = []
        found.node._chunk.publish = published.append
        requests = asked_by(found.node)
        found.alive()
        request, message = requests[0], published[0]
        tag = Tag.parse(message.header.frame_id)
        assert isinstance(tag, Tag) and tag.seed == request.seed == query_seed(found.node._seed, 0)
        again = load(path).sample({name: rows[None] for name, rows in request.window.items()}, seeds=[tag.seed])
        values = np.array([point.positions for point in message.points])
        np.testing.assert_array_equal(values, again[0, 0].astype(np.float64))


def test_a_twins_episode_says_on_the_wire_what_its_reset_drew_and_the_policy_is_told_so(
    ros_environment: dict[str, str],
) -> None:
    notices: list[Any] = []
    wanted: list[float] = []
    with fuzzed("twin", task="twin/drawer") as twin:
        twin.node._episode.publish = notices.append
        for seed in range(5):
            twin.node.set_parameters([Parameter("seed", value=seed)])
            twin.node._reset_service(Trigger.Request(), Trigger.Response())
            wanted.append(float(twin.node._world.env.twin_task.observe()["drawer.wanted"][0]))
    said: dict[str, set[float]] = {}
    with fuzzed("policy") as found:
        requests = asked_by(found.node)
        for notice, opening in zip(notices, wanted):
            tell(found.node, {"episode": [notice]}, "episode")
            del requests[:]
            plan_under(found, "policy", np.array([0.4, 0.1, 0.3, 1, 0, 0, 0, -1, 0, 0.02]), requests, 1)
            said.setdefault(requests[0].prompt.instruction, set()).add(opening)
    assert said == {"pull the drawer open": {float(np.float32(0.12))}, "push the drawer shut": {0.0}}


def test_a_policy_with_an_ensemble_is_executed_as_one(tmp_path: Path, ros_environment: dict[str, str]) -> None:
    path = untrained("panda_twin", tmp_path / "base")
    kept = save_steered(Executed(load(path), ensemble=0.1), tmp_path / "steered", path)
    with fuzzed("policy", checkpoint=str(kept)) as found:
        published: list[Any] = []
        found.node._chunk.publish = published.append
        requests = asked_by(found.node)
        plan_under(found, "policy", np.array([0.4, 0.1, 0.3, 1, 0, 0, 0, -1, 0, 0.02]), requests, 5)
        runner = ChunkRunner(load(kept).spec)
        assert runner.ensemble is not None and runner.n_action_steps == 1
        for request, message in zip(requests, published):
            runner.observe({name: rows[-1] for name, rows in request.window.items()}, request.stamp_ns)
            chunk = runner.take(decide_plans(load(kept), [request]).row(0), request)
            values = np.array([point.positions for point in message.points])
            np.testing.assert_allclose(values, runner.targets(chunk), atol=1e-6)
        assert np.abs(values[0] - chunk.values[0]).max() > 1e-6, "not the newest plan alone"
