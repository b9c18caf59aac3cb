"""What learning from a frozen policy's own decisions takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from policies.recipe.actors import NoiseOptions, ResidualOptions
from policies.recipe.learner import LearnerConfig
from robot.description.ranges import Count, Range, Share
from robot.description.record import require_ranges
from robot.errors import InputError

SHUFFLED = "shuffled"


@dataclass(frozen=True)
class LearningOptions:
    """Learning from the base's own decisions.

    Args:
        steps: of the environment, after which no segment begins.
        minutes: of one method, after which no segment begins.
        episodes: of a segment: they are run, then learnt from, then all is saved.
        warmup: episodes of the first segment, which act as the best free rung does.
        candidates: chunks that are drawn at a decision, the zero-noise plan among them.
        scale: of the others' noise; null takes the best free one above 0.
        updates: of the learners, per decision of a segment.
        greedy: share of the decisions, after the first segment, that what was learnt decides at most.
        tolerance: how far success may fall below that of the first segment: the share begins at a quarter of `greedy`,
            halves after a segment that fell further, and doubles after any other; null for all of it at once.
        temperature: of that choice, on values standardised over the candidates; 0 takes the best.
        demonstrations: whether recorded episodes are learnt from too, where there are any.
        groups: episodes of the base that go on in groups of 8 from one state each. They are run first and learnt from
            as demonstrations are: they tell chunks of one state apart. None where a task's states cannot be put back.
        gate: what the lower end of the concordance within a state must exceed for a critic to choose; 0 lets any.
        judged: episodes, in groups of 8, that the critic is judged on; 0 judges none, and then there is no gate.
        margin: of a second rung of best_of_k, which executes what the rung below does at every state where not all
            members of the critic value the best chunk more than that by this much; null for none.
        control: `shuffled` deals out anew what came of the episodes: nothing can be learnt then.
        critic: the critic of chunks, which all learn on.
        noise: the actors of noises, of `dsrl_na` and `dsrl_sac`.
        residual: the actor of offsets.
    """

    steps: Count = 300_000
    minutes: Annotated[float, Range(0, 1e6, above=True)] = 20.0
    episodes: Count = 64
    warmup: Count = 128
    candidates: Annotated[int, Range(2, 256)] = 16
    scale: Annotated[float, Range(0, 100, above=True)] | None = None
    updates: Annotated[float, Range(0, 1000)] = 3.0
    greedy: Share = 0.8
    tolerance: Share | None = 0.05
    temperature: Annotated[float, Range(0, 1000)] = 0.5
    demonstrations: bool = True
    groups: Annotated[int, Range(0, 1_000_000)] = 0
    gate: Share = 0.55
    judged: Annotated[int, Range(0, 1_000_000)] = 320
    margin: Annotated[float, Range(0, 1)] | None = None
    control: str | None = None
    critic: LearnerConfig = field(default_factory=LearnerConfig)
    noise: NoiseOptions = field(default_factory=NoiseOptions)
    residual: ResidualOptions = field(default_factory=ResidualOptions)

    def __post_init__(self) -> None:
        require_ranges(self, "learning")
        if self.control not in (None, SHUFFLED):
            raise InputError("learning.control", expected=f"null or {SHUFFLED}", got=str(self.control))
