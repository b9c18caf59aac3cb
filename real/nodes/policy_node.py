"""A policy in the graph: it reads the contract's streams and publishes chunks of targets.

The observation is put together as in training (`robot.control.observation`), the runner is that of the evaluation
(`robot.control.runner`), and inference runs beside the executor (`real.policy.planner`). A chunk is stamped with the
observation that it was made from; what of it has passed by when it comes, the gate leaves out.

Where a monitor watches its decisions, an alarm holds the robot and asks for a person (`real.policy.watching`).

While a person has the robot, or the gate holds it, it goes on planning from what it observes: its chunks show what it
would do. Such a plan continues no other, and the first one after a person has given the robot back is made from an
observation that came after that.
"""

from __future__ import annotations

import math
import secrets
from functools import partial
from typing import Sequence

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from real.graph.graph import DEVICES
from real.policy.execution import Execution
from real.policy.planner import Plan, Planner
from real.policy.source import embodiment_on, require_source
from real.policy.watching import Watching, standing
from real.process.parameters import declare
from real.process.run import Stop, run_node
from real.ros import qos
from real.ros.chunks import Tag, chunk_message
from real.ros.guarded import Guarded
from real.ros.messages import epoch_of
from real.ros.reading import Refusal, printable, read_episode, read_instruction
from real.ros.signals import ERROR, OK, WARN, status_message
from real.ros.streams import StateMessage, read_stream, subscribe
from robot.contract.loading import action_spec, describe, load_contract, semantic_hash
from robot.control.observation.observer import Observer
from robot.control.observation.sources import offered, stream_sources
from robot.control.observation.streams import stream_readers
from robot.control.prompt_in_force import PromptInForce
from robot.control.runner import ChunkRunner, query_seed
from robot.description import Policy, require_match
from robot.description.decision import require_execution
from robot.errors import InputError, TillerError
from robot.monitoring.monitor import ACTIONS, HOLD
from robot.safety.gate.actor import Actor

STATUS_S = 0.5
POLL_S = 0.002
QUANTILE = 0.95


class PolicyNode(Guarded):
    """The policy's process.

    Topics: in, the contract's streams, `gate/sent`, `policy/task` (latched) and `episode` of a twin; out,
    `policy/chunk` and `status`. Services: `~/start`, `~/stop` (Trigger).

    The prompt in force is that of `policy/task`, before the first of its messages the parameter `instruction`; where
    that is empty, the instruction of the episode, which comes with its epoch.
    """

    def __init__(self) -> None:
        super().__init__("policy")
        self._contract = load_contract(declare(self, "contract", "panda_twin", "name or file of the robot's contract"))
        checkpoint = declare(self, "checkpoint", "", "folder of the policy; or of a dataset, with #EPISODE, to replay")
        if not checkpoint:
            raise InputError(
                "parameter 'checkpoint'",
                expected="the folder of a policy",
                got="nothing",
                way_out="-p checkpoint:=outputs/train/...",
            )
        require_source(checkpoint, self._contract)
        self._prompt = PromptInForce(
            declare(self, "instruction", "", "what to do, until policy/task says so; empty leaves it to the task")
        )
        self._seed = declare(self, "seed", 0, "of the noise, where no twin's episode gives one", low=0, high=2**63 - 1)
        self._rows = declare(self, "n_action_steps", 0, "rows executed a plan; 0 is the policy's own", low=0, high=1000)
        self._delay = declare(
            self,
            "delay_steps",
            0,
            "rows that pass while a plan is made: it continues them; -1 takes the 95th percentile of the latency",
            low=-1,
            high=100,
        )
        self._lock_step = declare(self, "lock_step", False, "time stands still while a plan is made")
        sampler = declare(self, "sampler", "", "how actions are drawn; empty is the policy's own")
        steps = declare(self, "steps", 0, "of the sampler; 0 is the policy's own", low=0, high=1000)
        device = declare(self, "device", "cpu", "where it computes", choices=DEVICES)
        monitor = declare(self, "monitor", "", "folder of a monitor that watches the policy; empty for none")
        action = declare(self, "monitor_action", HOLD, "what an alarm of it does", choices=ACTIONS)
        self._watching = Watching(monitor, action)
        self._running = declare(self, "autostart", True, "plan as soon as there is something to see")

        self._session = secrets.token_hex(4)
        self.ending: Stop | None = None
        self._runner: ChunkRunner | None = None
        self._observer: Observer | None = None
        self._epoch: int | None = None
        self._early: tuple[str, StateMessage] | None = None
        self._plans = self._refused = self._handed_ns = 0
        self._planned = False  # in this episode
        self._logged_prompt = ("", "")
        self._readers = stream_readers(self._contract)
        self._description = describe(self._contract)
        self._execution = Execution(action_spec(self._contract))

        self._chunk = self.create_publisher(JointTrajectory, "policy/chunk", qos.COMMAND)
        self._status = self.create_publisher(DiagnosticArray, "status", qos.STATUS)
        self.create_subscription(String, "episode", self._new_episode, qos.LATCHED)
        self.create_subscription(String, "policy/task", self._task_came, qos.LATCHED)
        self.create_subscription(JointTrajectory, "gate/sent", self._executed, qos.STATE, raw=True)
        self.create_service(Trigger, "~/start", self._start_service)
        self.create_service(Trigger, "~/stop", self._stop_service)
        self.create_timer(STATUS_S, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME))
        # The events executor takes no guard conditions: while the planner works, a timer looks for its plans.
        self._waiting = self.create_timer(POLL_S, self._woken, clock=Clock(clock_type=ClockType.STEADY_TIME))
        embodiment = declare(self, "embodiment", "", "of a policy of several; empty takes that of task or contract")
        task = declare(self, "task", "", "of the twin, whose name an embodiment may have")
        chosen = partial(embodiment_on, semantic_hash(self._contract), embodiment, task)
        load = partial(self._watching.load, checkpoint, device, sampler or None, steps or None, chosen)
        self._planner = Planner(load)

    @property
    def ready(self) -> bool:
        """Whether the policy is loaded and has made its first plans."""
        return self._observer is not None

    def on_stop(self) -> None:
        self._planner.close()

    # -- observations -------------------------------------------------------------------------------------------------

    def _fit(self, policy: Policy) -> None:
        """Compare the policy with the contract, and subscribe to what it observes.

        Raises:
            InputError: they do not fit; both are shown.
        """
        spec, contract = policy.spec, self._contract
        made_for = getattr(policy, "semantic_hash", None)
        if made_for is not None and made_for != semantic_hash(contract):
            expected = f"one made for contract '{contract.name}', {semantic_hash(contract)}"
            raise InputError(
                "checkpoint", expected=expected, got=made_for, way_out="Deploy it on the robot that it was trained for"
            )
        require_match(
            spec.observation,
            # The image of a twin's task has the size that the policy was trained with.
            offered(contract, self._description, spec.observation, own_sizes=not self._lock_step),
            spec.action,
            action_spec(contract),
            left="the policy",
            right=f"contract '{contract.name}'",
            way_out="Take the policy's own robot, or train for this one",
        )
        self._prompt.fit(spec.prompt)
        self._tell_of_prompt()
        self._runner = ChunkRunner(spec, n_action_steps=self._rows or None, delay_steps=max(self._delay, 0))
        require_execution(policy, self._runner.n_action_steps)
        self._watching.fit(self._runner)
        sources = stream_sources(contract, self._description, spec.observation)
        self._observer = Observer(spec.observation, sources, spec.action.period_ns)
        self._readers = stream_readers(contract, spec.observation)
        for name in self._observer.streams:
            subscribe(self, contract.state[name], partial(self._see, name))

    def _see(self, name: str, message: StateMessage) -> Refusal | None:
        assert self._observer is not None
        if self._contract.state[name].type == "values":
            epoch = epoch_of(message.header.frame_id)
            if epoch is not None and epoch != self._epoch:
                # Messages of two topics come in either order: an early one waits for its episode, a late one is lost.
                self._early = (name, message) if epoch > (self._epoch or 0) else None
                return None
        now_ns = self.get_clock().now().nanoseconds  # 0 before the first `/clock`
        values, stamp_ns = read_stream(
            self._contract, self._description, self._readers, name, message, received_ns=now_ns
        )
        refused = self._observer.add(name, values, stamp_ns, now_ns or None)
        if refused:
            return Refusal(refused)
        self._look()
        return None

    def _look(self) -> None:
        """Take the rows that are due, and ask for a plan when it is time."""
        observer, runner = self._observer, self._runner
        if observer is None or runner is None or not self._running:
            return
        if observer.interrupted:
            self._begin()
        for row in observer.due():
            runner.observe(row.values, row.stamp_ns)
            self._request_plan()

    def _request_plan(self) -> None:
        runner, observer = self._runner, self._observer
        assert runner is not None and observer is not None and observer.stamp_ns is not None
        if (
            self._planner.busy
            or self._prompt.unfit
            or self._watching.holding
            or not runner.needs_plan(observer.stamp_ns)
        ):
            return
        # The first plan of an episode is the one that an evaluation makes.
        if self._planned and self._execution.actor not in (None, Actor.POLICY):
            if observer.stamp_ns < self._handed_ns:
                return
            runner.interrupt(self._execution.held)
        self._waiting.reset()
        seed = query_seed(self._seed, runner.plans)
        self._planner.request(runner.request(seed=seed, prompt=self._prompt.prompt))

    # -- execution ----------------------------------------------------------------------------------------------------

    def _executed(self, packed: bytes) -> Refusal | None:
        """Note who acts on the robot; where that is no longer the policy, its next plan is due."""
        execution = self._execution
        before = execution.actor
        refusal = execution.add(packed, self.get_clock().now().nanoseconds)
        self._watching.handed(before, execution.actor)
        if execution.actor is before or before is None or execution.actor is Actor.POLICY or self._runner is None:
            return refusal
        self._runner.interrupt()
        if Actor.PERSON in (before, execution.actor):
            # What is being planned was observed before the robot changed hands.
            self._planner.drop()
            self._handed_ns = execution.changed_ns
        return refusal

    # -- publishing ---------------------------------------------------------------------------------------------------

    def _woken(self) -> None:
        """Look whether something is ready in the planner's thread."""
        if self._planner.error:
            self.ending = Stop(self._planner.error, code=2)
            return
        if self._observer is None and self._planner.policy is not None:
            try:
                self._fit(self._planner.policy)
            except TillerError as error:
                self.ending = Stop(str(error), code=error.exit_code)
                return
            self._begin()
        while (plan := self._planner.take()) is not None:
            self._publish_plan(plan)
        if self.ready and not self._planner.busy:
            self._waiting.cancel()
            self._look()
            if self._observer is not None and self._observer.stamp_ns is not None:
                self._request_plan()

    def _publish_plan(self, plan: Plan) -> None:
        runner, request = self._runner, plan.request
        assert runner is not None
        try:
            if plan.decision is None:
                raise TillerError(f"plan {request.number}: {plan.error}")
            verdict = self._watching.judge(plan, runner, self._execution.actor)
            if verdict is not None and verdict.alarm:
                self.get_logger().warning(self._watching.text, throttle_duration_sec=1.0)
                if self._watching.holding:
                    self._stand(request.stamp_ns)
                    return
            chunk = runner.take(plan.decision, request)
        except TillerError as error:
            self._refused += 1
            self.get_logger().error(str(error), throttle_duration_sec=1.0)
            return
        # Where time stands still nothing bridges the wait for the next plan: rows after the executed ones are not sent.
        targets = runner.targets(chunk)
        rows = targets[: runner.n_action_steps] if self._lock_step else targets
        self._send(rows, chunk.start_ns, Tag(self._session, self._epoch, chunk.chunk_id, request.seed, chunk.value))
        self._plans += 1
        self._planned = True
        if self._delay < 0:
            passing = math.ceil(self._planner.latency_s(QUANTILE) / runner.spec.action.period_s)
            runner.delay_steps = min(passing, runner.most_delay_steps)

    def _stand(self, stamp_ns: int) -> None:
        """Stop the robot where it is: what it executes ends there, and no further chunk comes."""
        runner = self._runner
        assert runner is not None
        rows = standing(runner, stamp_ns, self.get_clock().now().nanoseconds)
        if rows is not None:
            self._send(rows, stamp_ns, Tag(self._session, self._epoch, runner.plans))
        runner.interrupt()

    def _send(self, rows: np.ndarray, start_ns: int, tag: Tag) -> None:
        assert self._runner is not None
        spec = self._runner.spec.action
        values = np.asarray(rows, dtype=np.float64)
        self._chunk.publish(chunk_message(values, spec.component_names, start_ns, spec.period_ns, tag))

    # -- episodes -----------------------------------------------------------------------------------------------------

    def _new_episode(self, message: String) -> Refusal | None:
        """Begin a twin's new episode: earlier observations do not count."""
        episode = read_episode(message.data)
        if isinstance(episode, Refusal):
            return episode
        if episode.epoch == self._epoch:
            return None
        self._epoch, self._seed, self._planned = episode.epoch, episode.seed, False
        self._prompt.begin_episode(episode.instruction)
        self._tell_of_prompt()
        self._watching.begin()
        self._begin()
        early, self._early = self._early, None
        return self._see(*early) if early is not None and self.ready else None

    def _task_came(self, message: String) -> Refusal | None:
        """Do something else from now on; an empty text leaves it to the episode."""
        instruction = read_instruction(message.data)
        if isinstance(instruction, Refusal):
            return instruction
        changed = self._prompt.give(instruction)
        self._tell_of_prompt()
        if changed:
            # What is being planned, and what is being executed, is for another task.
            self._planner.drop()
            self._watching.restart()
            if self._runner is not None and self._observer is not None:
                self._runner.interrupt()
                self._look()
                if self._running and self._observer.stamp_ns is not None:
                    self._request_plan()  # in lock step no other row comes
        return None

    def _tell_of_prompt(self) -> None:
        """Log a prompt that is new, and what becomes of it."""
        told = self._prompt.instruction, self._prompt.unfit or self._prompt.unread
        if told != self._logged_prompt:
            self._logged_prompt = told
            self.get_logger().info(f"the prompt in force: {printable(told[0]) or 'none'}")
            if told[1]:
                self.get_logger().warning(printable(told[1]))

    def _begin(self) -> None:
        self._planner.drop()
        self._handed_ns = 0
        self._watching.restart()
        if self._observer is not None and self._runner is not None:
            self._observer.reset()
            self._runner.reset()
            getattr(self._planner.policy, "start", lambda: None)()

    def _start_service(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if not self._running:
            self._running = True
            self._watching.begin()
            self._begin()
        response.success, response.message = True, "planning"
        return response

    def _stop_service(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._running = False
        self._begin()
        response.success, response.message = True, "stopped: the gate comes to a stand when its chunk has ended"
        return response

    def _report(self) -> None:
        if self.tally.errors:
            level, text = ERROR, f"{self.tally.errors} times something failed, last {self.tally.last}"
        elif self._observer is None:
            level, text = WARN, "loading"
        elif not self._running:
            level, text = WARN, "stopped"
        elif self._prompt.unfit:
            level, text = ERROR, printable(self._prompt.unfit)
        elif self._observer.silent:
            level, text = WARN, f"waiting for {', '.join(self._observer.silent)}"
        elif self._watching.text:
            level, text = ERROR if self._watching.holding else WARN, printable(self._watching.text)
        elif self._refused:
            level, text = ERROR, f"{self._refused} plans refused"
        else:
            person = self._execution.actor is Actor.PERSON
            level, text = OK, "planning, while a person has the robot" if person else "planning"
        numbers = {
            "plans": self._plans,
            "refused": self._refused,
            "session": self._session,
            "prompt": printable(self._prompt.instruction),
            "prompt_use": self._prompt.use,
            "latency_p50_ms": f"{self._planner.latency_s(0.5) * 1e3:.1f}",
            "latency_p95_ms": f"{self._planner.latency_s(QUANTILE) * 1e3:.1f}",
            "delay_steps": self._runner.delay_steps if self._runner else "",
            **self._watching.numbers(),
            **self.tally.numbers(),
        }
        self._status.publish(status_message("policy", level, text, numbers, self.get_clock().now().nanoseconds))


def main(args: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run_node(PolicyNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
