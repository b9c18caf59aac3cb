"""Messages that nobody means: a million to all nodes in this process, ten thousand over the wire to a gate that runs.

`python -m benchmarks.gate_fuzz` does both; `--messages`, `--wire` say how many (0 leaves one out). The status is 1
where something failed: an error was counted, a node works no more, a process ended, or a command left the limits.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

CONTRACT = "panda_twin_crisp"
BURST, PAUSE_S = 5, 0.01  # messages at once over the wire, and the rest between them
SETTLED_S = 3.0
EVERY, HORIZON = 25, 16  # turns between two chunks, and their rows


def in_process(messages: int) -> bool:
    """The same number of messages to each subscription of every node; returns whether all is well."""
    from tests.real.fuzzed_nodes import NODES, fuzzed
    from tests.real.fuzzing import subscriptions

    counts: dict[str, int] = {}
    for name in NODES:
        with fuzzed(name) as found:
            counts[name] = len(subscriptions(found.node))
    each = -(-messages // sum(counts.values()))
    print(f"{'node':<18} {'topics':>6} {'messages':>9} {'refused':>9} {'errors':>6} {'s':>6}", flush=True)
    total, well = np.zeros(4), True
    for name in NODES:
        began = time.monotonic()
        # Every refusal is a line: of a million they would fill the disk.
        with (
            open(os.devnull, "w") as nowhere,
            redirect_stderr(nowhere),
            redirect_stdout(nowhere),
            fuzzed(name, seed=5) as found,
        ):
            said = found.run(each, every=25)
            works = _works(found)
            tally = found.node.tally
        row = np.array([said, tally.refused.total(), tally.errors, time.monotonic() - began])
        total += row
        well = well and not tally.errors and works
        print(
            f"{name:<18} {counts[name]:>6} {said:>9} {int(row[1]):>9} {tally.errors:>6} {row[3]:>6.0f}"
            + ("" if works else "  WORKS NO MORE")
            + (f"  {tally.last}" if tally.errors else ""),
            flush=True,
        )
    said, refused, errors, seconds = total
    print(f"{'all':<18} {sum(counts.values()):>6} {int(said):>9} {int(refused):>9} {int(errors):>6} {seconds:>6.0f}")
    return well


def _works(found: Any) -> bool:
    try:
        found.alive()
    except AssertionError:
        return False
    return True


def over_the_wire(messages: int) -> bool:
    """Messages to a gate and a twin that run, beside a run of the same length without; returns whether all is well."""
    from benchmarks.gate_rig import Rig
    from robot.contract.loading import contract_folder

    with Rig(contract_folder() / f"{CONTRACT}.yaml") as rig:
        watch = Watch(rig)
        rig.start("twin", words=("images=false",))
        rig.wait(rig.driven, "the twin")
        rig.start("supervisor", words=("view=lines",))
        rig.mode = ""
        rig.start("gate")
        rig.wait(lambda: rig.mode, "the gate")
        rig.listen(SETTLED_S)
        turns = messages // BURST
        quiet = watch.measure(turns, lambda: None)
        # What the machine takes to send them shows where other processes than these read the same.
        elsewhere = WireFuzz(rig, messages, "elsewhere/")
        others = [
            rig.node.create_subscription(kind, topic, lambda packed: None, 10, raw=True)
            for topic, kind in elsewhere.topics.items()
        ]
        rig.listen(SETTLED_S)
        beside = watch.measure(turns, elsewhere.burst)
        for other in others:
            rig.node.destroy_subscription(other)
        elsewhere.end()
        fuzz = WireFuzz(rig, messages)
        rig.listen(SETTLED_S)
        fuzzed = watch.measure(turns, fuzz.burst)
        rig.listen(SETTLED_S)
        ended = rig.ended()
        print(f"over the wire: {fuzz.said} messages on {len(fuzz.publishers)} topics")
        for words, row in (("without", quiet), ("elsewhere", beside), ("with", fuzzed)):
            print(
                f"{words:>9}: {row.commands} commands in {row.seconds:.0f} s, {row.running:.0%} of them of chunks; "
                f"between two p50 {row.p50_ms:.3f}, p99.9 {row.p999_ms:.3f}, largest {row.largest_ms:.2f} ms, "
                f"of its ticks p99.9 {row.ticks} ms; outside of the limits {row.outside}, "
                f"not finite {row.infinite}"
            )
        print(
            f"the gate: {watch.numbers('unread')} unread, {watch.numbers('errors')} errors; "
            f"ended: {', '.join(ended) or 'none'}"
        )
        return (
            not ended
            and not fuzzed.outside
            and not fuzzed.infinite
            and watch.numbers("errors") == "0"
            and fuzzed.commands > 0.5 * quiet.commands
        )


class Row:
    """What the gate sent in a while: how many commands, how far apart, and how many were outside of the limits.

    It says itself how late its ticks come: while a new episode begins no command is due.
    """

    def __init__(
        self,
        seconds: float,
        moments: np.ndarray,
        targets: np.ndarray,
        reasons: list[str],
        low: np.ndarray,
        high: np.ndarray,
        ticks: str,
    ) -> None:
        self.seconds, self.commands, self.ticks = seconds, len(moments), ticks
        self.running = sum(reason == "policy" for reason in reasons) / max(len(reasons), 1)
        periods = np.diff(moments) * 1e-6 if len(moments) > 1 else np.array([np.inf])
        self.p50_ms, self.p999_ms = (float(np.quantile(periods, share)) for share in (0.5, 0.999))
        self.largest_ms = float(periods.max())
        self.infinite = int((~np.isfinite(targets).all(axis=1)).sum())
        self.outside = int(((targets < low - 1e-6) | (targets > high + 1e-6)).any(axis=1).sum())


class Watch:
    """Hears what the gate sends and says of itself."""

    def __init__(self, rig: Any) -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        from trajectory_msgs.msg import JointTrajectory

        from real.ros import qos
        from real.ros.guarded import Guarded
        from real.ros.messages import time_of
        from real.ros.signals import status_of
        from robot.contract.loading import describe
        from robot.safety.gate.from_contract import gate_settings

        self._rig = rig
        settings = gate_settings(rig.contract, describe(rig.contract))
        self._low, self._high = np.full(settings.spec.dim, -np.inf), np.full(settings.spec.dim, np.inf)
        for part in (part for group in settings.groups for part in group.parts):
            if part.low:
                where = settings.spec.slices[part.field]
                self._low[where], self._high[where] = part.low, part.high
        self._moments: list[int] = []
        self._targets: list[np.ndarray] = []
        self._reasons: list[str] = []
        self._status: dict[str, str] = {}
        self._chunks = 0
        self._chunk = rig.node.create_publisher(JointTrajectory, "policy/chunk", qos.COMMAND)

        def sent(message: Any) -> None:
            # The fuzz speaks on other topics: what comes here is the gate's.
            self._moments.append(time_of(message.header.stamp))
            self._targets.append(np.array(message.points[-1].positions))
            self._reasons.append(message.header.frame_id.partition("|")[0])

        def status(message: Any) -> None:
            found = status_of(message).get("gate")
            if found is not None and "errors" in found[2]:
                self._status = found[2]

        assert isinstance(rig.node, Guarded)
        rig.node.create_subscription(JointTrajectory, "gate/sent", sent, qos.STATUS)
        rig.node.create_subscription(DiagnosticArray, "status", status, qos.STATUS)

    def numbers(self, name: str) -> str:
        return self._status.get(name, "?")

    def measure(self, turns: int, burst: Any) -> Row:
        """Turn so often, with a burst of messages each time, and now and then a chunk and a person who enables."""
        from std_srvs.srv import Trigger

        reset = self._rig.node.create_client(Trigger, "gate/reset")
        for each in (self._moments, self._targets, self._reasons):
            each.clear()
        began = time.monotonic()
        for turn in range(turns):
            burst()
            self._rig.listen(PAUSE_S)
            if turn % EVERY == 0 and self._targets:
                reset.call_async(Trigger.Request())
                self._rig.enable()
                self._follow()
        return Row(
            time.monotonic() - began,
            np.array(self._moments),
            np.array(self._targets).reshape(len(self._targets), -1),
            list(self._reasons),
            self._low,
            self._high,
            self.numbers("period_p999_ms"),
        )

    def _follow(self) -> None:
        """A chunk that stands where the command is."""
        from real.ros.chunks import Tag, chunk_message
        from robot.contract.loading import action_spec

        spec = action_spec(self._rig.contract)
        self._chunks += 1
        rows = np.repeat(self._targets[-1][None], HORIZON, axis=0)
        now_ns = self._rig.node.get_clock().now().nanoseconds
        self._chunk.publish(
            chunk_message(rows, spec.component_names, now_ns, spec.period_ns, Tag("rig", None, self._chunks))
        )


class WireFuzz:
    """Publishes messages that nobody means on everything that gate, twin and supervisor read; on commands last of all,
    where a second publisher stops the robot for good.
    """

    def __init__(self, rig: Any, messages: int, prefix: str = "") -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        from sensor_msgs.msg import JointState, Joy
        from std_msgs.msg import Header, String
        from trajectory_msgs.msg import JointTrajectory

        from real.ros.streams import COMMAND_TYPES, state_type
        from tests.real.fuzzed_nodes import sound_messages
        from tests.real.fuzzing import Fuzzer

        contract = rig.contract
        heard: dict[str, type] = {
            "policy/chunk": JointTrajectory,
            "teleop/target": JointTrajectory,
            "alive": Header,
            "enable_held": Joy,
            "episode": String,
            "gate/state": String,
            "outcome": JointState,
            "status": DiagnosticArray,
        }
        heard |= {stream.topic: state_type(stream) for stream in contract.state.values()}
        commands = {sink.topic: COMMAND_TYPES[sink.via] for sink in contract.sinks.values()}
        self.topics = {prefix + topic: kind for topic, kind in (heard | commands).items()}
        self._node, self._latched = rig.node, (f"{prefix}episode", f"{prefix}gate/state")
        self.publishers: dict[str, Any] = {}
        for topic in heard:
            self._publisher(prefix + topic)
        # Drawn before anything is measured: to make them takes longer than to send them.
        fuzzer, random = Fuzzer(9, sound_messages(contract)), np.random.default_rng(9)
        self._messages: list[tuple[str, bytes]] = []
        while len(self._messages) < messages:
            among = list(heard if len(self._messages) < 0.9 * messages else commands)
            topic = among[random.integers(len(among))]
            packed = fuzzer.draw(self.topics[prefix + topic], topic)
            if packed:
                self._messages.append((prefix + topic, packed))
        self.said = 0

    def _publisher(self, topic: str) -> Any:
        from real.ros import qos

        if topic not in self.publishers:
            profile = qos.LATCHED if topic in self._latched else qos.STATE_OUT
            self.publishers[topic] = self._node.create_publisher(self.topics[topic], topic, profile)
        return self.publishers[topic]

    def burst(self) -> None:
        """The next messages."""
        for topic, packed in self._messages[self.said : self.said + BURST]:
            self._publisher(topic).publish(packed)
            self.said += 1

    def end(self) -> None:
        """Publish no more."""
        for publisher in self.publishers.values():
            self._node.destroy_publisher(publisher)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000, help="in this process, all nodes together")
    parser.add_argument("--wire", type=int, default=10_000, help="over the wire")
    asked = parser.parse_args()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("ROS_DOMAIN_ID", str(20 + os.getpid() % 80))
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("ROS_LOG_DIR", str(Path(folder) / "log"))
        well = (not asked.messages or in_process(asked.messages)) & (not asked.wire or over_the_wire(asked.wire))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
