"""The gate's core: from what came in since the last tick to the command that goes out, as a pure function.

Nothing here reads a clock, a file or a topic: the same inputs give the same bytes, so that a flight record replays.
"""

from __future__ import annotations

import numpy as np

from robot.control.trajectory import Trajectory
from robot.description.chunk import ActionChunk
from robot.safety.gate import inputs as events
from robot.safety.gate.agreement import MET, accepted, compared, is_back, met_at_rest, since_last
from robot.safety.gate.capsules import CapsuleCheck
from robot.safety.gate.checks import orthonormal, refuse_form, refuse_start, refuse_time
from robot.safety.gate.inputs import ChunkSample, GateInputs, GateOutput, Now, Rejection, StateSample
from robot.safety.gate.leash import Leash
from robot.safety.gate.measuring import Measuring
from robot.safety.gate.motion import Motion
from robot.safety.gate.reasons import Kind, Mode, Reason
from robot.safety.gate.settings import GateSettings
from robot.safety.gate.state import Agreement, GateState, changed
from robot.safety.gate.watch import UNTRUSTED, Causes, listen, signal_causes, stream_causes

APART_S = 0.1  # too far from the command for so long, a robot that follows nobody was moved
RESET_S = 0.1  # in which a twin that was reset says so: until then its state has jumped
MAX_NS = 2**62
POLICY, PERSON = "policy", "person"


class Gate:
    """The core with its settings. It has no state of its own: `step` is a function of its arguments.

    Args:
        settings: of the robot and its twin alike.
    """

    def __init__(self, settings: GateSettings) -> None:
        self.settings = settings
        self._measuring = Measuring(settings)
        self.limits = self._measuring.limits
        check = CapsuleCheck(settings) if settings.capsules is not None else None
        self._motion = Motion(settings, self._measuring.limits, check)
        self._leash = Leash(settings, self._measuring)

    def step(self, state: GateState, inputs: GateInputs, now: Now) -> tuple[GateState, GateOutput]:
        """One tick.

        Args:
            state: after the last tick; `GateState()` before the first.
            inputs: what came since.
            now: the moment, later than the last.

        Returns:
            The state after the tick, and what the gate decided in it. `state` is left as it was.
        """
        tick = _Tick(self.settings, self._measuring, self._motion, self._leash, changed(state), now)
        return tick.run(inputs)

    def warm_up(self) -> None:
        """Have everything compiled that a tick may need: before a robot is listening, not in a tick that it waits for.

        Changes nothing.
        """
        spec = self.settings.spec
        command = np.zeros(spec.dim)
        for field in spec.fields:
            if field.is_rotation:
                command[spec.slices[field.name]] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
        chunk = ActionChunk(command[None], 0, spec.period_s, 0, spec)
        path = Trajectory.hold(spec, command, 0).spliced(chunk, 0)
        capsules = self.settings.capsules
        state = GateState(
            command=command,
            wanted=path.at(1),
            velocity=np.full(self.limits.tangent, 1e-3),
            joints=np.zeros(len(capsules.joints)) if capsules is not None else np.empty(0),
        )
        way, distances = self._measuring.distances(command, command)
        self._measuring.apart(distances)
        self._measuring.jump(command, command + 10.0, self.settings.tick_s)
        self._motion.follow(state, command, self.settings.tick_s, way, self._measuring.excess(distances))
        towards = np.ones(self.limits.groups, dtype=bool)
        self._motion.rest(state, self.settings.tick_s, None, way, towards, command)
        self._motion.rest(state, self.settings.tick_s, command, way, towards, command)
        self._motion.may_send(command, command + np.inf, self.settings.tick_s, False)
        self._leash.hold(command, state.velocity, command, state.velocity, command, self.settings.tick_s)
        far = command.copy()
        for field in spec.fields:
            if not field.is_rotation:
                far[spec.slices[field.name]] += 1.0
        self._leash.hold(command, state.velocity, command, state.velocity, far, self.settings.tick_s)
        sample = ChunkSample(spec.component_names, command[None], 0, spec.period_s, 0, 0)
        refuse_start(self.settings, sample, command, 0)


class _Tick:
    """One step at work, on a copy of the state that nobody else has."""

    def __init__(
        self, settings: GateSettings, measuring: Measuring, motion: Motion, leash: Leash, state: GateState, now: Now
    ) -> None:
        self.settings, self.measuring, self.motion, self.leash, self.now = settings, measuring, motion, leash, now
        self.state = state
        self.notes: Causes = {}
        self.rejected: list[Rejection] = []
        self.requested: np.ndarray | None = None
        self.way = motion.at_rest()
        self.excess: tuple[float, ...] = (0.0,) * len(settings.groups)
        self.errors: dict[str, float] = {}
        self.distances = np.empty(0)
        self.trusted = self.silent = self.enabling = False
        self.springs: tuple[float, ...] = ()
        self.lead_ns = 0 if settings.lock_step else round(settings.lead_s * 1e9)

    def run(self, inputs: GateInputs) -> tuple[GateState, GateOutput]:
        was = self.state.mode
        self._count_missed()
        self._change_epoch()
        for event in inputs.events:
            self._happen(event)
        watched, samples = listen(self.settings, self.state.watched, inputs, self.now)
        self._set(watched=watched)
        self._measure(samples)
        for chunk in inputs.person:
            self._take(chunk, PERSON)
        for chunk in inputs.chunks:
            self._take(chunk, POLICY)
        self._let_go()
        self._compare()
        causes = self._causes()
        self._agree(causes)
        self._decide(causes)
        target = self._move(causes)
        return self._finish(was, causes, target)

    def _set(self, **changes: object) -> None:
        self.state.__dict__.update(changes)  # the copy is ours until it is handed out

    # -- what came ----------------------------------------------------------------------------------------------------

    def _count_missed(self) -> None:
        last = self.state.ticked_ns
        if last is not None and not self.settings.lock_step:
            ticks = (self.now.monotonic_ns - last) * 1e-9 / self.settings.tick_s
            if ticks > 2.5:
                self.notes[Reason.TICKS_MISSED] = f"{ticks - 1:.0f}"
        self._set(ticked_ns=self.now.monotonic_ns)

    def _change_epoch(self) -> None:
        """After a jump of the source's time no stamp and no plan means anything; the robot is where it is."""
        state = self.state
        if state.epoch == self.now.epoch:
            return
        if state.epoch is not None:
            self._drop_plan()
            # A jump moves the path's time too: the step across it has a tick's length.
            tick_ns = round(self.settings.tick_s * 1e9)
            # Stamps of before say nothing of how much time has passed.
            self._set(sampled_ns={name: (MAX_NS, received) for name, (_, received) in state.sampled_ns.items()})
            self._set(
                watched=changed(state.watched, streams={}),
                time_ns=self.now.ros_ns + self.lead_ns - tick_ns,
                off_since=(),
                next_ns=None,
            )
            if self.settings.resets:
                self._set(
                    command=np.empty(0),
                    measured=np.empty(0),
                    joints=np.empty(0),
                    efforts=np.empty(0),
                    agreement=Agreement(reset=True),
                )
            if state.mode is not Mode.INACTIVE:
                self.notes[Reason.EPOCH] = f"{state.epoch} -> {self.now.epoch}"
        self._set(epoch=self.now.epoch)

    def _happen(self, event: str) -> None:
        state = self.state
        if event == events.ACTIVATE and state.mode is Mode.INACTIVE:
            self._set(
                mode=Mode.HOLD,
                enabled=False,
                blocked=None,
                fault=None,
                counts={},
                command=np.empty(0),
                measured=np.empty(0),
                agreement=Agreement(),
            )
            self._unbind()
        elif event == events.DEACTIVATE:
            self._set(mode=Mode.INACTIVE, enabled=False, fault=None)
            self._unbind()
        elif event == events.FAILED and state.mode is not Mode.INACTIVE:
            self._set(fault=Reason.INTERNAL, enabled=False)
        elif event == events.ENABLE and state.mode in (Mode.HOLD, Mode.RUN):
            self.enabling = not state.enabled
            self._set(enabled=True)
        elif event == events.DISABLE:
            self._set(enabled=False)
            self._unbind()
        elif event == events.RESET and state.mode is Mode.FAULT:
            # What is wrong is judged at the end of this tick, by `_decide`.
            self._set(fault=None, enabled=False, mode=Mode.HOLD)
            self._unbind()
            self.notes[Reason.RESET_REFUSED] = ""

    def _unbind(self) -> None:
        self._drop_plan()
        self._set(watched=self.state.watched.unbound(), blocked=None, yielding=())

    def _drop_plan(self) -> None:
        self._set(path=None, pending=None, followed=None, source="", next_ns=None)

    def _measure(self, samples: list[StateSample]) -> None:
        if not samples:
            self._set(pressed=False)
            return
        measured = self.measuring.written(self.state.measured, samples)
        joints = self.measuring.joints(self.state.joints, samples)
        elapsed_s, sampled_ns = since_last(self.measuring, self.state, samples)
        agreement = compared(self.measuring, self.state, measured, joints, elapsed_s, self.now)
        self._set(
            measured=measured,
            joints=joints,
            agreement=agreement,
            sampled_ns=sampled_ns,
            efforts=self.measuring.efforts(self.state.efforts, samples),
            pressed=self.measuring.tells_efforts(samples),
        )
        settle_ns = 0 if agreement.reset else self.settings.settle_s * 1e9
        if (
            not len(self.state.command)
            and agreement.steady_ns is not None
            and self.now.monotonic_ns - agreement.steady_ns >= settle_ns
        ):
            self._seed(self.measuring.seed(measured))

    def _seed(self, command: np.ndarray) -> None:
        """Begin anew, at rest, with a command (dim,) that leaves the robot where it is."""
        self._set(
            command=command,
            wanted=command,
            velocity=self.motion.at_rest(),
            yielding=(),
            time_ns=self.now.ros_ns + self.lead_ns,
        )

    def _take(self, chunk: ChunkSample, source: str) -> None:
        """Accept a chunk, or say why not."""
        state = self.state
        if state.mode in (Mode.INACTIVE, Mode.FAULT) or not len(state.command):
            return
        if chunk.fault:
            self._reject(chunk, Reason.CHUNK_UNREADABLE, chunk.fault)  # nobody knows whose it is
            return
        bound = state.watched.policy if source == POLICY else state.watched.person
        refusal = None
        if bound and chunk.publisher != bound:
            refusal = Reason.CHUNK_PUBLISHER, f"expected {bound}, got {chunk.publisher}"
            if source == POLICY and state.enabled:
                self._set(blocked=Reason.PUBLISHER_CHANGED)
        newest = state.pending or state.followed
        refusal = refusal or refuse_form(self.settings, chunk)
        refusal = refusal or refuse_time(
            self.settings, chunk, self.now, newest if state.source in ("", source) else None
        )
        if refusal is not None:
            self._reject(chunk, *refusal)
            return
        if not self.settings.lock_step:
            chunk = orthonormal(self.settings, chunk)
        if source == PERSON:
            self._set(watched=changed(state.watched, person=chunk.publisher, person_ns=chunk.received_ns))
            if state.source != PERSON:
                self._drop_plan()
                self._set(source=PERSON)
            self._set(pending=chunk)
        elif state.source != PERSON:  # a person always wins
            self._set(watched=changed(state.watched, policy=chunk.publisher), pending=chunk, source=POLICY)

    def _reject(self, chunk: ChunkSample, reason: Reason, detail: str) -> None:
        self.rejected.append(Rejection(chunk.chunk_id, chunk.publisher, reason, detail))
        self._count(reason)

    def _let_go(self) -> None:
        """A person who sends nothing more has let go: the policy needs a new chunk to take over."""
        heard = self.state.watched.person_ns
        if self.state.source == PERSON and (
            heard is None or (self.now.monotonic_ns - heard) * 1e-9 > self.settings.person_s
        ):
            self._drop_plan()
            self._set(watched=changed(self.state.watched, person="", person_ns=None))

    def _compare(self) -> None:
        """How far the robot is from its last command."""
        state = self.state
        if len(state.command) and len(state.measured):
            self.way, distances = self.measuring.distances(state.command, state.measured)
            self.excess, self.errors = self.measuring.excess(distances), self.measuring.errors(distances)
            self.distances = distances

    # -- what to do ---------------------------------------------------------------------------------------------------

    def _causes(self) -> Causes:
        """Everything that speaks against following a source, the gravest first."""
        state = self.state
        if state.mode is Mode.INACTIVE:
            return {}
        found = {
            **stream_causes(self.settings, state.watched, self.now),
            **signal_causes(self.settings, state.watched, self.now),
        }
        if not len(state.command):
            found.setdefault(
                Reason.NO_STATE,
                self.measuring.missing(state.measured)
                or (
                    "the arm says nothing but zeros" if self.measuring.all_zeros(state.measured) else "it has to settle"
                ),
            )
        late = found.pop(Reason.STATE_LATE, None)
        if late is not None:
            self.notes[Reason.STATE_LATE] = late
        if not state.enabled:
            found[Reason.NOT_ENABLED] = ""
        self._judge_jump(found)
        self.trusted = not self.state.agreement.jump and UNTRUSTED.isdisjoint(found)
        off = self._off(found)
        if off and state.blocked is not Reason.TRACKING:
            self._set(blocked=Reason.TRACKING, yielding=self._yields(off))
        if Reason.NOT_HELD in found:
            self._set(blocked=None, yielding=())  # who lets go and takes hold again has seen it
        if self.state.blocked is not None:
            found[self.state.blocked] = ", ".join(off)
        faults = [reason for reason in found if reason.kind is Kind.FAULT]
        holds = [reason for reason in found if reason.kind is not Kind.FAULT]
        return {reason: found[reason] for reason in (*faults, *holds)}

    def _judge_jump(self, causes: Causes) -> None:
        """Say of a state that has jumped, until it is back or a person takes it for true."""
        state, agreement = self.state, self.state.agreement
        if not agreement.jump:
            return
        if self.enabling:
            agreement = accepted(self.measuring, state, self.now)
        elif is_back(agreement, state.joints, self.measuring.apart(self.distances)):
            agreement = changed(agreement, jump="", joints=np.empty(0))
        self._set(agreement=agreement)
        age_ns = self.now.monotonic_ns - agreement.jump_ns
        if agreement.jump and not (self.settings.resets and age_ns < RESET_S * 1e9):
            causes[Reason.STATE_JUMP] = agreement.jump

    def _agree(self, causes: Causes) -> None:
        """While no source may be followed the command is where the robot is: one that was moved is not pulled back.

        Within the distance that is allowed the command stands, since one that always followed would let a soft arm
        creep; only an arm that its driver has stopped is met once when it rests, so that its release is not felt. Where
        the measured state has jumped nothing is sent, unless the gate has been enabled since before: then it stands.
        """
        state, now_ns = self.state, self.now.monotonic_ns
        if state.mode is Mode.RUN and not state.agreement.jump:
            return
        permitted = state.enabled and Reason.NOT_HELD not in causes and not self.enabling
        far = self.measuring.apart(self.distances)
        moved = bool(far.any()) and state.mode in (Mode.HOLD, Mode.FAULT)
        apart_ns = state.agreement.apart_ns
        stopped, met = met_at_rest(self.measuring, state, self.trusted and Reason.DRIVER in causes, self.now)
        if met and not moved:
            self._seed_groups(self.measuring.apart(self.distances / MET))
        if stopped is not state.agreement.stopped:
            self._set(agreement=changed(state.agreement, stopped=stopped))
        if not moved or not self.trusted or permitted:
            apart_ns = None
        elif self.enabling or (apart_ns is not None and now_ns - apart_ns >= APART_S * 1e9):
            self._seed_groups(far)
            apart_ns = None
        elif apart_ns is None:
            apart_ns = now_ns
        if apart_ns != state.agreement.apart_ns:
            self._set(agreement=changed(state.agreement, apart_ns=apart_ns))
        if state.agreement.stands and not state.enabled:
            self._set(agreement=changed(state.agreement, stands=False))
        jumped = state.agreement.jump and not state.agreement.stands
        self.silent = bool(jumped) and moved and not state.velocity.any()

    def _seed_groups(self, groups: np.ndarray) -> None:
        """Begin anew, at rest, with some groups, (groups,) bool, where the robot is."""
        names = [group.name for group, chosen in zip(self.settings.groups, groups) if chosen]
        if names:
            self.notes[Reason.SEEDED] = ", ".join(names)
            self._seed(self.measuring.seeded(self.state.command, self.state.measured, groups))
            self._compare()

    def _yields(self, groups: list[str]) -> tuple[float, ...]:
        """Of each group, how far it may go to let go of a contact: to where the robot is now, and no further."""
        return tuple(
            float(np.linalg.norm(self.way[self.motion.tangent(number)])) if group.name in groups else 0.0
            for number, group in enumerate(self.settings.groups)
        )

    def _off(self, causes: Causes) -> list[str]:
        """Groups that have not followed for too long, or were moved away from a command that a person lets stand."""
        state, since = self.state, self.state.off_since or (-1,) * len(self.settings.groups)
        held = state.mode is Mode.HOLD and state.enabled and Reason.NOT_HELD not in causes and not self.enabling
        if not self.trusted or not (state.mode is Mode.RUN or held):
            self._set(off_since=())
            return []
        time_ns = self.now.ros_ns
        excess = self.excess
        if state.leashed and len(state.wanted):
            # The leash keeps the command near a tool that is held: how far the path has gone on tells of it.
            _, distances = self.measuring.distances(state.wanted, state.measured)
            excess = tuple(map(max, excess, self.measuring.excess(distances)))
        since = tuple((start if start >= 0 else time_ns) if much > 1 else -1 for start, much in zip(since, excess))
        self._set(off_since=since)
        return [
            group.name
            for group, start in zip(self.settings.groups, since)
            if start >= 0 and (time_ns - start) * 1e-9 >= group.tracking_s
        ]

    def _decide(self, causes: Causes) -> None:
        """The mode of this tick."""
        state = self.state
        if state.mode is Mode.INACTIVE:
            return
        fault = next((reason for reason in causes if reason.kind is Kind.FAULT), None)
        refused = Reason.RESET_REFUSED in self.notes
        if fault is not None and (state.enabled or refused):
            self._set(fault=fault)
        elif refused:
            del self.notes[Reason.RESET_REFUSED]
        if self.state.fault is not None:
            self._drop_plan()
            self._set(mode=Mode.FAULT, enabled=False)
            return
        if causes:
            if state.mode is Mode.RUN:
                self._drop_plan()
            self._set(mode=Mode.HOLD)
            return
        self._follow(causes)
        self._set(mode=Mode.HOLD if causes else Mode.RUN)

    def _follow(self, causes: Causes) -> None:
        """Make the path that a source wants; say in `causes` when there is none."""
        state = self.state
        running = state.mode is Mode.RUN and state.path is not None
        chunk = state.pending
        if chunk is not None and not running:
            refusal = refuse_start(self.settings, chunk, state.command, self.now.ros_ns, state.measured)
            if refusal is not None:
                self._reject(chunk, *refusal)
                self._set(pending=None)
                chunk = None
        if chunk is not None:
            # From the last command on, or from where the path was then: without a jump either way.
            at_ns = self._since()
            base = state.path
            if not running or base is None:
                base = Trajectory.hold(self.settings.spec, state.command, at_ns)
                self._set(wanted=state.command)
            spec, values = self.settings.spec, self.measuring.ahead(chunk.values, base.at(chunk.start_ns))
            plan = ActionChunk(values, chunk.start_ns, spec.period_s, chunk.chunk_id, spec)
            self._set(path=base.spliced(plan, at_ns), followed=chunk, pending=None)
        if self.state.path is None:
            causes[Reason.NO_CHUNK] = ""
        elif self.settings.lock_step:
            if self._row() < 0:
                causes[Reason.STARVED] = ""
        elif self.state.source == POLICY and self.state.path.end_ns < self.now.ros_ns + self.lead_ns:
            causes[Reason.STARVED] = f"{(self.now.ros_ns + self.lead_ns - self.state.path.end_ns) * 1e-9:.3f} s"

    def _row(self) -> int:
        """Row of the followed chunk whose interval has begun and that was not sent yet; -1 when there is none."""
        chunk, state = self.state.followed, self.state
        if chunk is None:
            return -1
        period_ns = self.settings.spec.period_ns
        row = (self.now.ros_ns - chunk.start_ns) // period_ns
        due_ns = chunk.start_ns + row * period_ns
        sent = state.next_ns is not None and due_ns < state.next_ns
        return -1 if sent or not 0 <= row < len(chunk.values) else int(row)

    # -- the command --------------------------------------------------------------------------------------------------

    def _since(self) -> int:
        """When the last command's time was, in the path's time: two ticks ago at most."""
        longest = round(2 * self.settings.tick_s * 1e9)
        return max(self.state.time_ns, self.now.ros_ns + self.lead_ns - longest)

    def _move(self, causes: Causes) -> np.ndarray | None:
        state, settings = self.state, self.settings
        if state.mode is Mode.INACTIVE or not len(state.command):
            return None
        time_ns = self.now.ros_ns + self.lead_ns
        if settings.lock_step:
            return self._move_a_row() if state.mode is Mode.RUN else None
        dt = (time_ns - self._since()) * 1e-9
        if self.silent:
            self.notes[Reason.SILENT] = ""
            return None
        if dt <= 0:
            return state.command
        if state.mode is Mode.RUN and state.path is not None:
            self._set(yielding=())
            self.requested = state.path.at(time_ns)
            moved = self.motion.follow(state, self.requested, dt, self.way, self.excess)
        else:
            finish = state.path.targets[-1] if state.path is not None and [*causes] == [Reason.STARVED] else None
            towards = self._yields_now(causes)
            met = self.measuring.inside(state.measured, state.command) if towards.any() else state.command
            moved = self.motion.rest(state, dt, finish, self.way, towards, met)
            if state.yielding and towards.any():
                self._set(yielding=self.motion.left(state.yielding, moved, self.way, dt))
            if moved.moving and Reason.STARVED in causes:
                self.notes[Reason.TAIL] = ""
        # Where the robot was moved the command starts anew in a moment: no leash draws it there.
        measured = state.measured if self.trusted and state.agreement.apart_ns is None else np.empty(0)
        held = self.leash.hold(state.command, state.velocity, moved.target, moved.velocity, measured, dt)
        self.notes.update(moved.cuts | held.cuts)
        self.springs = held.springs
        if not self.motion.may_send(state.command, held.target, dt, bool(held.cuts)):
            return self._refuse(causes, held.target, time_ns)
        self._set(
            command=held.target, velocity=held.velocity, wanted=moved.wanted, time_ns=time_ns, leashed=bool(held.cuts)
        )
        return held.target

    def _yields_now(self, causes: Causes) -> np.ndarray:
        """Groups (groups,) bool that let go of a contact: while nothing else forbids it, asked anew in every tick."""
        if self.trusted and self.state.yielding and [*causes] == [Reason.TRACKING]:
            return np.array(self.state.yielding) > 0
        return np.zeros(len(self.settings.groups), dtype=bool)

    def _refuse(self, causes: Causes, target: np.ndarray, time_ns: int) -> np.ndarray:
        """The last command, where the next one is none that may be sent: whatever made it, it is a fault of ours."""
        worst = int(np.argmax(np.nan_to_num(np.abs(target - self.state.command), nan=np.inf)))
        causes[Reason.INTERNAL] = f"{self.settings.spec.component_names[worst]} would be {target[worst]:.6g}"
        self._drop_plan()
        self._set(
            fault=Reason.INTERNAL,
            mode=Mode.FAULT,
            enabled=False,
            velocity=self.motion.at_rest(),
            wanted=self.state.command,
            time_ns=time_ns,
            yielding=(),
        )
        return self.state.command

    def _move_a_row(self) -> np.ndarray:
        state, chunk, row = self.state, self.state.followed, self._row()
        assert chunk is not None
        self.requested = chunk.values[row]
        moved = self.motion.follow(state, self.requested, self.settings.period_s, self.way, self.excess)
        self.notes.update(moved.cuts)
        self._set(
            command=moved.target,
            velocity=moved.velocity,
            wanted=moved.wanted,
            next_ns=chunk.start_ns + (row + 1) * self.settings.spec.period_ns,
        )
        return moved.target

    # -- what is said -------------------------------------------------------------------------------------------------

    def _count(self, reason: Reason) -> None:
        self._set(counts={**self.state.counts, reason: self.state.counts.get(reason, 0) + 1})

    def _finish(self, was: Mode, causes: Causes, target: np.ndarray | None) -> tuple[GateState, GateOutput]:
        state = self.state
        if state.mode is Mode.RUN:
            main = [Reason.PERSON if state.source == PERSON else Reason.POLICY]
        elif state.mode is Mode.INACTIVE:
            main = [Reason.NOT_ACTIVE]
        else:
            latched = [] if state.fault is None else [state.fault, Reason.LATCHED]
            main = [*latched, *(reason for reason in causes if reason is not state.fault)]
        cut = [reason for reason in self.notes if reason.kind is Kind.LIMIT]
        said = list(dict.fromkeys([*main, *cut, *(reason for reason in self.notes if reason not in cut)]))
        counted = [reason for reason in said if reason.kind is not Kind.NOTE or reason is Reason.TICKS_MISSED]
        if counted:
            counts = dict(state.counts)
            for reason in counted:
                counts[reason] = counts.get(reason, 0) + 1
            self._set(counts=counts)
        followed = state.followed if state.mode is Mode.RUN else None
        row = -1
        if followed is not None and target is not None:
            time_ns = self.now.ros_ns + self.lead_ns
            row = int((time_ns - followed.start_ns) // self.settings.spec.period_ns)
            row = row if 0 <= row < len(followed.values) else -1
        output = GateOutput(
            mode=state.mode,
            target=target,
            requested=self.requested,
            reasons=tuple(said),
            details={**self.notes, **causes},
            source=state.source if state.mode is Mode.RUN else "",
            chunk_id=None if followed is None else followed.chunk_id,
            seed=None if followed is None else followed.seed,
            value=None if followed is None else followed.value,
            start_ns=None if followed is None else followed.start_ns,
            row=row,
            rejected=tuple(self.rejected),
            counts=self.state.counts,
            errors=self.errors,
            springs=self.springs,
            dump=state.mode is Mode.FAULT and was is not Mode.FAULT,
        )
        return self.state, output
