"""The gate's core: from the inputs since the last tick to the command that is sent, as a pure function.

Nothing here reads a clock, a file or a topic: the same inputs give the same bytes, so that a flight record replays.
"""

from __future__ import annotations

import numpy as np

from robot.control.trajectory import Trajectory
from robot.description.chunk import ActionChunk
from robot.safety.gate.capsules import CapsuleCheck
from robot.safety.gate.inputs import ChunkSample, GateInputs, GateOutput, Now
from robot.safety.gate.leash import Leash
from robot.safety.gate.measuring import Measuring
from robot.safety.gate.motion import Motion
from robot.safety.gate.reasons import Kind, Mode, Reason
from robot.safety.gate.settings import GateSettings
from robot.safety.gate.stages.agree import agree
from robot.safety.gate.stages.checks import refuse_start
from robot.safety.gate.stages.decide import decide
from robot.safety.gate.stages.events import handle
from robot.safety.gate.stages.fingers import Fingers
from robot.safety.gate.stages.hand_over import hand_over
from robot.safety.gate.stages.judge import judge
from robot.safety.gate.stages.measure import compare, measure
from robot.safety.gate.stages.move import move
from robot.safety.gate.stages.parts import Parts
from robot.safety.gate.stages.take import take
from robot.safety.gate.stages.tell import tell
from robot.safety.gate.stages.time import advance
from robot.safety.gate.stages.values import StreamValues
from robot.safety.gate.stages.watch import listen
from robot.safety.gate.state import GateState, Measurement, Sent


class Gate:
    """The core with its settings. It has no state of its own: `step` is a function of its arguments.

    Args:
        settings: of the robot and its twin alike.

    Attributes:
        limits: of all fields, as arrays.
        parts: settings and objects that the stages use.
    """

    def __init__(self, settings: GateSettings) -> None:
        measuring = Measuring(settings)
        check = CapsuleCheck(settings) if settings.capsules is not None else None
        self.settings, self.limits = settings, measuring.limits
        self.parts = Parts(
            settings,
            measuring,
            Motion(settings, measuring.limits, check),
            Leash(settings, measuring),
            Fingers(settings, measuring.limits),
            {name: StreamValues(settings, name) for name in settings.streams},
            0 if settings.lock_step else round(settings.lead_s * 1e9),
        )

    def step(self, state: GateState, inputs: GateInputs, now: Now) -> tuple[GateState, GateOutput]:
        """One tick.

        Args:
            state: after the last tick; `GateState()` before the first.
            inputs: received since the last tick.
            now: the moment, later than the last.

        Returns:
            The state after the tick, and the gate's output. `state` is left unchanged.
        """
        parts, was = self.parts, state.mode
        state, passed = advance(parts, state, now)
        state, requests = handle(state, inputs.events)
        watched, samples = listen(parts, state.watched, state.latch.enabled, inputs, now)
        state, restarted = measure(parts, state, watched, samples, now)
        state = hand_over(parts, state, inputs.enable_held, requests.enabling, now)
        state, rejected = take(parts, state, inputs, now)
        comparison = compare(parts, state)
        state, judgement = judge(parts, state, comparison, requests.enabling, now)
        state, agreed = agree(parts, state, comparison, judgement, requests.enabling, now)
        state, causes, unbegun = decide(parts, state, judgement.causes, requests.resetting, now)
        state, step = move(parts, state, agreed, causes, judgement, now)
        if requests.resetting and (
            state.mode is Mode.INACTIVE or any(each.kind is Kind.FAULT for each in judgement.causes)
        ):
            passed[Reason.RESET_REFUSED] = ""
        notes = {**passed, **restarted, **judgement.notes, **agreed.notes, **step.notes}
        causes = {**causes, **step.causes}
        return tell(parts, state, was, causes, notes, (*rejected, *unbegun), agreed.comparison, step, now)

    def warm_up(self) -> None:
        """Compile everything that a tick may need, before a robot waits for a command.

        Changes no state.
        """
        spec = self.settings.spec
        command = np.zeros(spec.dim)
        for field in spec.fields:
            if field.is_rotation:
                command[spec.slices[field.name]] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
        chunk = ActionChunk(command[None], 0, spec.period_s, 0, spec)
        path = Trajectory.hold(spec, command, 0).spliced(chunk, 0)
        capsules = self.settings.capsules
        sent = Sent(command, np.full(self.limits.tangent, 1e-3), path.at(1))
        joints = np.zeros(len(capsules.joints)) if capsules is not None else np.empty(0)
        measurement = Measurement(joints=joints)
        measuring, motion, leash = self.parts.measuring, self.parts.motion, self.parts.leash
        displacement, distances = measuring.distances(command, command)
        measuring.apart(distances)
        measuring.plausibility.jump(command, command + 10.0, self.settings.tick_s)
        motion.follow(sent, measurement, command, self.settings.tick_s, displacement, measuring.excess(distances))
        motion.follow(sent, measurement, command, self.settings.tick_s, displacement, (1.0,) * self.limits.groups)
        towards = np.ones(self.limits.groups, dtype=bool)
        motion.rest(sent, measurement, self.settings.tick_s, None, displacement, towards, command)
        motion.rest(sent, measurement, self.settings.tick_s, command, displacement, towards, command)
        motion.may_send(command, command + np.inf, self.settings.tick_s, sent.velocity, np.empty(0))
        leash.hold(command, sent.velocity, command, sent.velocity, command, self.settings.tick_s)
        far = command.copy()
        for field in spec.fields:
            if not field.is_rotation:
                far[spec.slices[field.name]] += 1.0
        leash.hold(command, sent.velocity, command, sent.velocity, far, self.settings.tick_s)
        sample = ChunkSample(spec.component_names, command[None], 0, spec.period_s, 0, 0)
        refuse_start(self.settings, sample, command, 0)
