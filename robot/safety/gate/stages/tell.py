"""The output of a tick: its command and mode, with its reasons counted."""

from __future__ import annotations

from typing import Iterable, Mapping

from robot.safety.gate.inputs import ChunkSample, GateOutput, Now, Rejection
from robot.safety.gate.reasons import Kind, Mode, Reason
from robot.safety.gate.stages.measure import Comparison
from robot.safety.gate.stages.move import Step
from robot.safety.gate.stages.parts import Parts
from robot.safety.gate.stages.take import PERSON
from robot.safety.gate.stages.watch import Causes
from robot.safety.gate.state import GateState


def tell(
    parts: Parts,
    state: GateState,
    was: Mode,
    causes: Causes,
    notes: Causes,
    rejected: tuple[Rejection, ...],
    comparison: Comparison,
    step: Step,
    now: Now,
) -> tuple[GateState, GateOutput]:
    """The state with its moment and its counted reasons, and the gate's output.

    Args:
        parts: of the gate.
        state: after all decisions.
        was: the mode before the tick.
        causes: why no source is followed.
        notes: other reported reasons.
        rejected: chunks that were refused.
        comparison: of the robot with its last command.
        step: the command that is sent.
        now: the moment.
    """
    cut = [reason for reason in notes if reason.kind is Kind.LIMIT]
    reasons = tuple(dict.fromkeys([*_main(state, causes), *cut, *(each for each in notes if each not in cut)]))
    counted = [each.reason for each in rejected]
    counted += [each for each in reasons if each.kind is not Kind.NOTE or each is Reason.TICKS_MISSED]
    counts = _counted(state.counts, counted) if counted else state.counts
    state = state.ticked(now.epoch, now.monotonic_ns, counts)
    runs = state.mode is Mode.RUN
    followed = state.plan.followed if runs else None
    output = GateOutput(
        mode=state.mode,
        target=step.target,
        requested=step.requested,
        reasons=reasons,
        details={**notes, **causes},
        source=state.plan.source if runs else "",
        chunk_id=None if followed is None else followed.chunk_id,
        seed=None if followed is None else followed.seed,
        value=None if followed is None else followed.value,
        start_ns=None if followed is None else followed.start_ns,
        row=-1 if followed is None or step.target is None else _row(parts, followed, now),
        rejected=rejected,
        counts=state.counts,
        errors=comparison.errors,
        springs=step.springs,
        dump=state.mode is Mode.FAULT and was is not Mode.FAULT,
    )
    return state, output


def _main(state: GateState, causes: Causes) -> list[Reason]:
    """Why the gate is in its mode."""
    if state.mode is Mode.RUN:
        return [Reason.PERSON if state.plan.source == PERSON else Reason.POLICY]
    if state.mode is Mode.INACTIVE:
        return [Reason.NOT_ACTIVE]
    fault = state.latch.fault
    latched = [] if fault is None else [fault, Reason.LATCHED]
    return [*latched, *(reason for reason in causes if reason is not fault)]


def _counted(counts: Mapping[Reason, int], reasons: Iterable[Reason]) -> dict[Reason, int]:
    result = dict(counts)
    for reason in reasons:
        result[reason] = result.get(reason, 0) + 1
    return result


def _row(parts: Parts, chunk: ChunkSample, now: Now) -> int:
    """Row of the chunk that the command of this tick is for; -1 beyond its rows."""
    row = int((parts.path_ns(now) - chunk.start_ns) // parts.settings.spec.period_ns)
    return row if 0 <= row < len(chunk.values) else -1
