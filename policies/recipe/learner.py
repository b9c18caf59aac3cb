"""How learners from experience learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from policies.recipe.critic import DEVIATION, DIFFERENCE, PLANS
from robot.description.ranges import Range, Share
from robot.description.record import require_ranges
from robot.errors import InputError, nearest


@dataclass(frozen=True)
class LearnerConfig:
    """How a critic of chunks learns, and what learns on it.

    Args:
        members: of its ensemble, two or more of which judge.
        width, depth: of its hidden layers.
        network: `mlp`, or `dueling`: the value of the state apart from that of a chunk.
        plan: how it sees chunks beside the zero-noise plan: `difference`, `beside` or `deviation` (`CriticRecipe`).
        gamma: discount of a control step.
        n_steps: decisions whose rewards are summed before the critic's own value: more of them trust what the policy
            did there, and less what the critic makes of it.
        target_rate: of the target network.
        learning_rate: of all.
        batch_size: decisions of an update.
        seed: of weights and batches.
    """

    members: Annotated[int, Range(2, 100)] = 2
    width: Annotated[int, Range(1, 65_536)] = 64
    depth: Annotated[int, Range(0, 100)] = 2
    network: str = "mlp"
    plan: str = DEVIATION
    gamma: Share = 0.99
    n_steps: Annotated[int, Range(1, 10_000)] = 4
    target_rate: Share = 0.01
    learning_rate: Annotated[float, Range(0, 1, above=True)] = 3e-4
    batch_size: Annotated[int, Range(1, 1_000_000)] = 256
    seed: Annotated[int, Range(0, 2**31 - 1)] = 0

    def __post_init__(self) -> None:
        require_ranges(self, "learner")
        require_plan(self.plan, "learner")


def require_plan(plan: str, thing: str) -> None:
    """Refuse a way to see chunks beside their plan that does not exist.

    Raises:
        InputError: names those that do.
    """
    if plan not in PLANS[1:]:
        raise InputError(
            f"{thing}: plan", expected=f"one of {', '.join(PLANS[1:])}", got=plan,
            way_out=nearest(plan, (DIFFERENCE, DEVIATION)),
        )  # fmt: skip
