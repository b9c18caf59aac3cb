"""The facts of a task that all measurements on it must share."""

from __future__ import annotations

from dataclasses import dataclass

SAY_SUCCESS = (
    "Say what counts as success: options.success_reward= for a step with at least that reward, or "
    "options.success_return= for an episode with at least that sum of rewards"
)


@dataclass(frozen=True)
class TaskInfo:
    """One row of the table of tasks.

    Args:
        id: `suite/name`, as `sim.make` takes it.
        control_hz: actions per second.
        max_steps: steps after which an episode is truncated.
        n_action_steps: rows of a chunk that evaluation executes before the next plan, by default.
        success: what counts as success, in words.
        score: what `info["score"]` measures, in words; an episode's score is its maximum.
        instruction: what to do, in words as for a person.
    """

    id: str
    control_hz: float
    max_steps: int
    n_action_steps: int
    success: str
    score: str
    instruction: str

    @property
    def period_s(self) -> float:
        """Control period, s."""
        return 1.0 / self.control_hz

    @property
    def suite(self) -> str:
        """The part of the id before the slash."""
        return self.id.partition("/")[0]
