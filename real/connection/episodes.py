"""Episodes on the twin of a running graph: reset it to a seed, wait for the outcome, note it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable

import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from real.process.run import leave, make_executor
from real.ros import qos
from real.ros.guarded import Guarded, turn
from real.ros.messages import values_of
from real.ros.reading import EpisodeNotice, Refusal, read_episode, read_outcome
from robot.errors import TillerError

TURN_S = 0.02


@dataclass(frozen=True)
class GraphEpisode:
    """How one episode ended.

    Args:
        seed: of its start.
        success, terminated: as the task reports them.
        score: largest within the episode.
        steps: control periods that passed.
    """

    seed: int
    success: bool
    terminated: bool
    score: float
    steps: int


class EpisodeClient:
    """Runs episodes on a twin that is running.

    Args:
        namespace: of the graph.
    """

    def __init__(self, namespace: str = "") -> None:
        rclpy.init()
        self._executor = make_executor()
        self.node = Guarded("episodes", namespace=namespace)
        self._executor.add_node(self.node)
        self._episode: EpisodeNotice | None = None
        self._outcomes: list[dict[str, float]] = []
        self.gate, self.faults = "", 0
        self.node.create_subscription(String, "episode", self._new_episode, qos.LATCHED)
        self.node.create_subscription(String, "gate/state", self._gate_state_came, qos.LATCHED)
        self.node.create_subscription(JointState, "outcome", self._came, qos.STATUS)
        self._reset: Any = self.node.create_client(Trigger, "twin/reset")
        self._gate_reset: Any = self.node.create_client(Trigger, "gate/reset")
        self._enable: Any = self.node.create_client(SetBool, "gate/enable")
        self._set: Any = self.node.create_client(SetParameters, "twin/set_parameters")

    def close(self) -> None:
        """Leave the graph."""
        leave(self.node, self._executor)

    def until(self, condition: Callable[[], Any], what: str, within_s: float) -> None:
        """Process messages until a condition holds.

        Raises:
            TillerError: it did not in time.
        """
        deadline = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline:
                raise TillerError(f"waited {within_s:g} s for {what}; the gate says '{self.gate}'")
            turn(self.node, self._executor, TURN_S)

    def wait_until_there(self, within_s: float = 60.0) -> None:
        """Wait until twin and gate are there, and the gate follows chunks or reports why it does not."""
        self.until(lambda: self._reset.service_is_ready() and self._set.service_is_ready(), "the twin", within_s)
        self.until(
            lambda: self._episode and self.gate.startswith(("run", "fault", "hold no_chunk", "hold starved")),
            "the gate",
            within_s,
        )

    def episode(self, seed: int, within_s: float = 120.0) -> GraphEpisode:
        """Begin the episode of a seed and wait for its end. A fault of before is reset, as a person would."""
        if self.gate.startswith("fault"):
            self.faults += 1
            self._call(self._gate_reset, Trigger.Request())
            self._call(self._enable, SetBool.Request(data=True))
            self.until(lambda: not self.gate.startswith("fault"), "the gate's reset", 10.0)
        self._call(self._set, SetParameters.Request(parameters=[Parameter("seed", value=seed).to_parameter_msg()]))
        before = self._episode.epoch if self._episode is not None else -1
        self._outcomes.clear()
        self._call(self._reset, Trigger.Request())
        self.until(lambda: self._begun(before, seed), "the reset", 10.0)
        self.until(lambda: any(self._ended(one) for one in self._outcomes), f"the end of episode {seed}", within_s)
        # Outcomes from before the reset may still arrive after it: an episode counts its own periods from zero.
        end = next(index for index, one in enumerate(self._outcomes) if self._ended(one))
        seen = self._outcomes[: end + 1]
        last = seen[-1]
        return GraphEpisode(
            seed, bool(last["success"]), bool(last["terminated"]), max(one["score"] for one in seen), int(last["steps"])
        )

    def _begun(self, before: int, seed: int) -> bool:
        return self._episode is not None and self._episode.epoch > before and self._episode.seed == seed

    @staticmethod
    def _ended(outcome: dict[str, float]) -> bool:
        return bool(outcome["terminated"] or outcome["truncated"])

    def _call(self, client: Any, request: Any) -> Any:
        future = client.call_async(request)
        self.until(future.done, client.srv_name, 10.0)
        return future.result()

    def _new_episode(self, message: String) -> Refusal | None:
        episode = read_episode(message.data)
        if isinstance(episode, Refusal):
            return episode
        self._episode = episode
        self._outcomes.clear()
        return None

    def _gate_state_came(self, message: String) -> None:
        self.gate = message.data

    def _came(self, message: JointState) -> Refusal | None:
        outcome = read_outcome(values_of(message))
        if isinstance(outcome, Refusal):
            return outcome
        self._outcomes.append(outcome)
        return None
