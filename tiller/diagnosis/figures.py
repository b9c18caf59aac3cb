"""What a diagnosis measures: plain facts with their intervals, as diagnosis.json holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping

from sim.statistics.intervals import Interval

SHOWN_AT, FAILING, SUCCEEDING = "demonstrated", "failing", "succeeding"
"""Kinds of starts."""


@dataclass(frozen=True)
class Setting:
    """One way to run the policy that costs no training.

    Args:
        name: for people, such as `noise_scale 0.5`.
        noise_scale: of its noise; 1 is the policy's own.
        steps: of its sampler; 0 where it has none.
        success: over the starts.
        gain: over the base on the same starts, in pairs.
    """

    name: str
    noise_scale: float
    steps: int
    success: Interval
    gain: Interval


@dataclass(frozen=True)
class SettingsFigures:
    """Success over noise scale and sampler steps, on the same starts.

    Args:
        base: success of the policy as it was given.
        settings: all of them, the base first.
        best: name of the one with the most successes; the first of equal ones.
        best_gain: what choosing the best of them gives over the base: the choice is made on one half of the starts and
            counted on the other, both ways.
        starts, env_steps: that it took.
        first_seed: of the starts.
        outcomes: name of a setting -> success (0 or 1) of each start.
    """

    base: Interval
    settings: tuple[Setting, ...]
    best: str
    best_gain: Interval
    starts: int
    env_steps: int
    first_seed: int
    outcomes: Mapping[str, tuple[int, ...]]

    def named(self, name: str) -> Setting | None:
        """The setting of a name, if it was measured."""
        return next((each for each in self.settings if each.name == name), None)


@dataclass(frozen=True)
class ChunksFigures:
    """Variance of success at one state, and what choosing one chunk would give; see `sim.statistics.nested`.

    Args:
        mean, between_chunks, within, between_states, share, gain, zero, chosen_over_zero: as in `NestedVariance`.
        best_of_16: what a perfect choice among 16 chunks at one decision would add, were chances normal around their
            mean: 1.77 deviations.
        mended: of failures, the share that another try from the same state would mend.
        by_decision: number of a decision -> variance between chunks there.
        starts, states, env_steps: that it took.
    """

    mean: Interval
    between_chunks: Interval
    within: Interval
    between_states: Interval
    share: Interval
    gain: Interval
    zero: Interval
    chosen_over_zero: Interval
    best_of_16: Interval
    mended: Interval
    by_decision: Mapping[str, Interval]
    starts: int
    states: int
    env_steps: int


@dataclass(frozen=True)
class CriticFigures:
    """A quick verifier, and whether it ranks chunks of one state rightly.

    Args:
        concordance: share of pairs of a success and a failure, of different chunks at one state, in order.
        auc: over all chunks of those states: that a state is good is more easily learnt than that a chunk is.
        states, pairs: that it was judged on; their starts were not trained on.
        episodes, updates, env_steps: that it was trained with.
    """

    concordance: Interval
    auc: Interval
    states: int
    pairs: int
    episodes: int
    updates: int
    env_steps: int


@dataclass(frozen=True)
class FieldMotion:
    """A field of the action in its own unit; rotations in degrees.

    Args:
        unit: of all.
        spread: root mean square distance of chunks that are drawn at one state from their mean, at the last row
            executed, the median over states; None where chunks do not differ.
        roughness: root mean square of second differences of consecutive executed rows, the median over episodes.
        demonstrated: the same of the demonstrations; None without.
    """

    unit: str
    spread: float | None
    roughness: float
    demonstrated: float | None = None

    @property
    def rougher(self) -> float | None:
        """Roughness in that of the demonstrations."""
        if self.demonstrated is None or self.demonstrated <= 0:
            return None
        return self.roughness / self.demonstrated


@dataclass(frozen=True)
class ActionsFigures:
    """Spread and roughness of actions.

    Args:
        fields: by the action's names.
        states, chunks: that spread was measured at, drawn at each.
        episodes: that roughness was measured on.
    """

    fields: Mapping[str, FieldMotion]
    states: int
    chunks: int
    episodes: int


@dataclass(frozen=True)
class Component:
    """One component of the observation at the start of an episode.

    Args:
        name: such as `cube.position.x`.
        unit: of what follows.
        low, high: demonstrated starts lie between them.
        outside: of failing starts, the share outside.
        failing_low, failing_high: 5 % and 95 % quantiles of the failing starts.
        auc: chance that the distance from the demonstrated mean is larger at a failing start than at a succeeding one.
    """

    name: str
    unit: str
    low: float
    high: float
    outside: float
    failing_low: float
    failing_high: float
    auc: float


@dataclass(frozen=True)
class CoverageFigures:
    """Whether it fails where demonstrations are missing, and whether those that are there agree.

    Args:
        auc: chance that a failing start is farther from the demonstrated ones than a succeeding one.
        outside_failing, outside_succeeding: shares of the starts beyond `radius`.
        radius: 99 % quantile of the distance of a demonstrated start from the nearest other one, in deviations.
        components: those that differ most first.
        demonstrations: that there are.
        failing: starts that fail.
        disagreement: mean square difference of what two demonstrations do at similar states, in that of two at any
            states: 0 where the state decides the action, 1 where it says nothing.
        misfit: mean square error of the policy's zero-noise chunk at demonstrated states, in the variance of what is
            demonstrated there: 0 fits, 1 is no better than the mean motion. None where chunks do not start from noise.
        left: of failing episodes, the share that leaves the demonstrated states; None where none failed.
        left_succeeding: of succeeding ones.
        left_at: control step at which half of the failing ones that leave have left; None where none does.
        points: in the plane of the first two components, the demonstrated starts, those that fail and those that
            succeed.
    """

    auc: Interval | None
    outside_failing: Interval | None
    outside_succeeding: Interval | None
    radius: float
    components: tuple[Component, ...]
    demonstrations: int
    failing: int
    disagreement: Interval
    misfit: float | None
    left: Interval | None
    left_succeeding: Interval | None
    left_at: float | None
    points: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class LatencyFigures:
    """Time of one decision on this host.

    Args:
        p50_ms, p95_ms: setting -> milliseconds of one decision for one robot.
        period_ms: of control.
        rows: executed per decision, at the base.
    """

    p50_ms: Mapping[str, float]
    p95_ms: Mapping[str, float]
    period_ms: float
    rows: int


@dataclass(frozen=True)
class FailuresFigures:
    """When episodes end, and how.

    Args:
        failed: episodes of all that were run as the base.
        time_limit: share of failures that ended at the time limit; the others ended earlier.
        steps_failed, steps_succeeded: median lengths; None where there are none.
        starts_decided: share of starts that succeed, or fail, under every setting that was tried.
    """

    failed: Interval
    time_limit: float | None
    steps_failed: float | None
    steps_succeeded: float | None
    starts_decided: float | None


@dataclass(frozen=True)
class TrainingFigures:
    """How long the policy was trained, as its checkpoint and run say.

    Args:
        updates: of the optimiser; None where it is not known.
        epochs: times that every window was seen; None where it is not known.
    """

    updates: int | None = None
    epochs: float | None = None


@dataclass(frozen=True)
class Figures:
    """All that a diagnosis knows; None where a measure was skipped.

    Args:
        skipped: name of a measure -> why.
    """

    settings: SettingsFigures
    chunks: ChunksFigures | None = None
    critic: CriticFigures | None = None
    actions: ActionsFigures | None = None
    coverage: CoverageFigures | None = None
    latency: LatencyFigures | None = None
    failures: FailuresFigures | None = None
    training: TrainingFigures = TrainingFigures()
    skipped: Mapping[str, str] = field(default_factory=dict)
