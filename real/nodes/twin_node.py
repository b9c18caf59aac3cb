"""A robot in simulation, with a task or alone, behind the topics of the real one's driver.

`real time`: the physics keeps pace with a steady clock, at `speed`; commands go through emulations of the controllers
that the contract names, and states come at the contract's rates. `lock_step`: time stands still until a command comes;
each takes one control period, exactly as a step of the environment, and the observation that follows is published.
States, images, commands, schedule and report are parts in `real.twin`; what is left, more than three hundred lines, is
the order in which they act in either time.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Sequence

import numpy as np
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from real.process.parameters import declare
from real.process.run import run_node
from real.ros import qos
from real.ros.guarded import Guarded
from real.ros.messages import epoch_frame, stamp_of, values_message
from real.ros.reading import INT64, EpisodeNotice
from real.twin.images import TwinImages, image_size
from real.twin.publishers import TwinPublishers
from real.twin.report import TwinReport
from real.twin.scene import TwinScene
from real.twin.schedule import StreamSchedule
from real.twin.subscriptions import TwinSubscriptions
from robot.contract.loading import load_contract
from robot.errors import InputError, TillerError
from sim.drivers import RUNNING, Command, DrivenTwin, Faults, Pacer, parse_fault
from sim.drivers.exact import AHEAD_NS
from sim.drivers.ports import make_ports
from sim.drivers.senses import NAMED, Senses
from sim.drivers.world import World

START_NS = 1_000_000_000  # simulation time at a reset: a time of zero means "no time yet" to ROS
SHORTEST_TICK_S, LONGEST_TICK_S = 0.002, 0.01
IDLE_S = 0.1  # lock-step: how often the driver publishes its state
REPEATED_S = 0.5  # lock-step: how often a start is published until somebody acts on it


class TwinNode(Guarded):
    """The twin's process.

    Topics: the contract's states and commands; `outcome` (JointState: success, score, terminated, truncated, steps,
    once per control period), `episode` (String, latched: JSON with epoch, seed, task, instruction, max_steps), `/clock`
    when asked, `status` where the contract gives its arms a budget of energy, `twin/scene` (String, latched) and
    `twin/poses` (while subscribed to) of what is no robot. Services: `~/reset` (Trigger: the episode
    of the parameter `seed`), `~/set_pause` (SetBool), `~/step` (Trigger: one control period while it is paused or in
    lock-step, holding).
    """

    def __init__(self) -> None:
        super().__init__("twin", start_parameter_services=True)
        contract = load_contract(declare(self, "contract", "panda_twin", "name or file of the robot's contract"))
        task = declare(self, "task", "", "of the twin, such as twin/lift; empty for the robot alone")
        speed = declare(self, "speed", 1.0, "seconds of the twin in a second", low=0.05, high=20.0)
        self._lock_step = declare(self, "lock_step", False, "time stands still until a command comes")
        with_clock = declare(self, "clock", False, "publish the twin's time on /clock")
        self._simulated = with_clock or self._lock_step
        self._contract, self._task = contract, task
        self._images = declare(self, "images", True, "draw what the contract's cameras see, while somebody listens")
        if contract.plant != "twin":
            raise InputError(f"contract '{contract.name}': plant", expected="twin", got=contract.plant)
        size = image_size(contract) if self._images else None
        self._world = World(contract, task, image_size=size or (0, 0))
        self._robot = self._world.robot
        self._driven = DrivenTwin(self._robot, make_ports(contract, self._robot.description))
        self._senses = Senses(contract, self._robot)
        self._schedule = StreamSchedule(contract, self._driven)
        self._twin_publishers = TwinPublishers(self, contract, lambda: self._driven.faults)
        self._camera_images = TwinImages(contract, self._world, self._twin_publishers, size, self._lock_step)
        self._twin_scene = TwinScene(self, self._robot.scene)
        self._twin_subscriptions = TwinSubscriptions(self, contract, self._receive)
        if self._lock_step and [sink.via for sink in contract.sinks.values()] != ["twin"]:
            raise InputError(
                f"contract '{contract.name}' in lock-step",
                expected="one sink, via twin",
                got=", ".join(sink.via for sink in contract.sinks.values()),
            )
        self._outcome = self.create_publisher(JointState, "outcome", qos.STATUS)
        self._episode = self.create_publisher(String, "episode", qos.LATCHED)
        self._time = self.create_publisher(ClockMessage, "/clock", qos.CLOCK) if self._simulated else None
        self.create_service(Trigger, "~/reset", self._reset_service)
        self.create_service(SetBool, "~/set_pause", self._pause_service)
        self.create_service(Trigger, "~/step", self._step_service)

        self._epoch, self._paused, self._error = 0, False, ""
        self._repeated_ns = 0
        self._report = TwinReport(self, contract, self._driven, self._twin_publishers)
        declare(self, "seed", 0, "of the episode that a reset starts", low=0, high=INT64[1], read_only=False)
        self._set_faults(declare(self, "faults", [""], "lines, as sim/drivers/faults.py says", read_only=False))
        self.add_on_set_parameters_callback(self._parameters_set)
        self._step_ns = round(self._robot.scene.model.opt.timestep * 1e9)
        self._pacer = Pacer(self._step_ns, speed, time.monotonic_ns())
        self._driven.advance(1)  # machine code is loaded before time begins
        self._reset()
        fastest = max([stream.rate_hz for stream in contract.state.values()], default=0.0) * speed
        tick_s = IDLE_S if self._lock_step else min(max(1 / max(fastest, 1), SHORTEST_TICK_S), LONGEST_TICK_S)
        # Steady, whatever time ROS has: a clock that this node makes cannot drive it.
        self.create_timer(
            tick_s, self._idle if self._lock_step else self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def on_stop(self) -> None:
        """End the renderer."""
        self._camera_images.close()
        self._world.close()

    def on_failure(self, what: str, error: Exception) -> None:
        """Stop the physics until a reset; the driver reports why."""
        self._error = f"error: {what}: {type(error).__name__}: {error}"

    # -- time ---------------------------------------------------------------------------------------------------------

    @property
    def _offset_ns(self) -> int:
        """ROS's time less the twin's."""
        ahead_ns = round(self._driven.faults.sizes(self._driven.now_ns).get("clock", 0.0) * 1e9)
        twin_ns = self._robot.clock.now_ns()
        return ahead_ns + (START_NS if self._simulated else self.get_clock().now().nanoseconds - twin_ns)

    def _tick(self) -> None:
        now_ns = time.monotonic_ns()
        if self._driven.faults.reset_due(self._driven.now_ns):
            self._reset()
        if self._paused or self._error:
            self._pacer.restart(now_ns)
        else:
            steps = self._pacer.due(now_ns)
            if steps:
                self._advance(steps)
                self._publish(all_now=False)
        self._report_state(now_ns)

    def _idle(self) -> None:
        now_ns = time.monotonic_ns()
        if self._driven.faults.reset_due(self._driven.now_ns):
            self._reset()
        elif self._world.steps == 0 and now_ns - self._repeated_ns > REPEATED_S * 1e9:
            # Who joins before the first step of an episode must see its start; nobody acts twice on one stamp.
            self._publish(all_now=True)
        self._twin_publishers.deliver(self._driven.now_ns)
        self._report_state(now_ns)

    def _advance(self, steps: int) -> None:
        """Step the physics; the task is updated at the end of each control period."""
        period_steps = self._robot.action_spec.period_ns // self._step_ns
        try:
            while steps > 0:
                passed = self._robot.clock.now_ns() // self._step_ns % period_steps
                taken = min(steps, period_steps - passed)
                self._driven.advance(taken)
                steps -= taken
                if passed + taken == period_steps:
                    self._world.period_passed()
                    self._publish_outcome(self._robot.clock.now_ns() + self._offset_ns)
        except TillerError as error:
            self._error = f"error: {error}"
            self.get_logger().error(str(error))

    def _reset(self) -> None:
        self._driven.brake(False)
        self._seed = int(self.get_parameter("seed").value)
        self._world.reset(self._seed)
        self._driven.start()
        self._epoch, self._error = self._epoch + 1, ""
        self._schedule.reset()
        self._camera_images.reset()
        self._twin_scene.reset()
        env = self._world.env
        episode = EpisodeNotice(
            self._epoch,
            self._seed,
            self._task,
            self._world.instruction,
            env.task.max_steps if env is not None else None,
            env.observation_spec if env is not None else None,
        )
        self._episode.publish(String(data=episode.text()))
        self._publish(all_now=True)
        self._pacer.restart(time.monotonic_ns())

    # -- commands and services ----------------------------------------------------------------------------------------

    def _receive(self, name: str, command: Command) -> None:
        if self._contract.sinks[name].via == "crisp_stiffness":
            self._driven.stiffen(command)
        elif not self._lock_step:
            stamp_ns = command.stamp_ns - self._offset_ns if command.stamp_ns else 0
            self._driven.receive(name, replace(command, stamp_ns=stamp_ns))
        elif not self._paused and not self._error:
            for each in self._driven.faults.passed(f"command/{name}", command, self._driven.now_ns):
                self._obey(each)

    def _obey(self, command: Command) -> None:
        """Take one control period for one command, in lock-step; a command for a past state is ignored."""
        now_ns = self._robot.clock.now_ns() + self._offset_ns
        if command.stamp_ns and not now_ns <= command.stamp_ns <= now_ns + AHEAD_NS:
            self.get_logger().warning(
                f"a command for {command.stamp_ns} ns is not one for {now_ns} ns", throttle_duration_sec=1.0
            )
            return
        kinds = self._driven.faults.sizes(self._driven.now_ns)
        self._driven.brake("brakes" in kinds or "silent_brakes" in kinds)
        try:
            self._world.step(command.values)
        except TillerError as error:
            self.get_logger().error(str(error))
            return
        self._publish(all_now=True)

    def _parameters_set(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            if parameter.name == "use_sim_time":
                return SetParametersResult(successful=False, reason="parameter 'use_sim_time': fixed while it runs")
            if parameter.name == "seed" and (type(parameter.value) is not int or parameter.value < 0):
                return SetParametersResult(
                    successful=False,
                    reason=f"parameter 'seed': expected a whole number from 0 to {INT64[1]}, got {parameter.value}",
                )
            try:
                if parameter.name == "faults":
                    self._set_faults(parameter.value)
            except InputError as error:
                return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _set_faults(self, lines: Sequence[str] | None) -> None:
        streams = [f"state/{name}" for name in self._contract.state]
        streams += [f"command/{name}" for name in self._contract.sinks]
        faults = tuple(parse_fault(line, streams) for line in lines or () if line.strip())
        self._driven.faults = Faults(faults, self._driven.now_ns)

    def _reset_service(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._reset()
        response.success, response.message = True, f"epoch {self._epoch}, seed {self._seed}"
        return response

    def _pause_service(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._paused = request.data
        response.success, response.message = True, "paused" if self._paused else RUNNING
        return response

    def _step_service(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._paused or self._lock_step
        response.message = "one control period" if response.success else "Time runs by itself: pause it first"
        if self._lock_step:
            self._obey(Command(self._robot.target))
        elif response.success:
            self._advance(self._robot.action_spec.period_ns // self._step_ns)
            self._publish(all_now=True)
        return response

    # -- publishing ---------------------------------------------------------------------------------------------------

    def _publish(self, all_now: bool) -> None:
        """Publish what is due, the observation last: whoever waits for it has the rest."""
        faults_ns, twin_ns = self._driven.now_ns, self._robot.clock.now_ns()
        stamp_ns = twin_ns + self._offset_ns
        if self._time is not None:
            self._time.publish(ClockMessage(clock=stamp_of(stamp_ns)))
        due = [name for name in self._contract.state if all_now or self._schedule.is_due(name, faults_ns)]
        types = {name: self._contract.state[name].type for name in due}
        if any(kind in NAMED for kind in types.values()):
            measured = self._senses.values()
        for name, kind in types.items():
            if kind in NAMED:
                message = self._senses.message(name, measured, stamp_ns, self._contract.frames.base)
                self._twin_publishers.say(name, message, faults_ns)
        self._camera_images.publish(types, stamp_ns - twin_ns, faults_ns)
        if self._lock_step:
            self._publish_outcome(stamp_ns)
            self._repeated_ns = time.monotonic_ns()
        for name, kind in types.items():
            if kind == "values":
                if not self._lock_step:
                    self._world.look()
                numbers = {
                    key: np.asarray(value, dtype=np.float64)
                    for key, value in self._world.observation.items()
                    if value.dtype.kind == "f"
                }
                message = values_message(numbers, stamp_ns)
                self._twin_publishers.say(
                    name,
                    Command(
                        np.frombuffer(message.position),
                        tuple(message.name),
                        stamp_ns=stamp_ns,
                        frame=epoch_frame(self._epoch),
                    ),
                    faults_ns,
                )
        self._twin_publishers.deliver(faults_ns)
        self._twin_scene.publish(time.monotonic_ns(), stamp_ns)

    def _publish_outcome(self, stamp_ns: int) -> None:
        if self._world.outcome:
            self._outcome.publish(
                values_message({key: np.array([value]) for key, value in self._world.outcome.items()}, stamp_ns)
            )

    def _report_state(self, now_ns: int) -> None:
        state = self._error or ("paused" if self._paused else self._driven.state)
        self._report.publish(state, self._epoch, self._robot.clock.now_ns() + self._offset_ns, now_ns)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run_node(TwinNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
