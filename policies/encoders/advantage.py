"""Whether an action did better than was to be expected, as a condition of the policy beside what it sees."""

from __future__ import annotations

from typing import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from policies.encoders.prompt import PromptEncoder
from policies.networks.sizes import Dropout
from robot.description import PromptSpec, TaskPrompt
from robot.description.prompt import IGNORED, REFUSED
from robot.errors import InputError

ADVANTAGE = "advantage"
"""Name of it in `policy.prompt`."""
NOTHING, POSITIVE, NEGATIVE = 0, 1, 2
"""What a row of a batch says of its action: that it is not known, that it did better than expected, or worse."""
DROP = 0.3
"""Share of the windows without their indicator, where none is given."""
GAIN = 10.0
"""Of what is learnt. An optimiser moves every number by about its rate in an update, and the condition is told from
what is seen once its vectors are as large. Of two actions that nothing else tells apart, 600 updates at 1e-3 chose the
better one in 0.68 of all chunks with a gain of 1, in 0.93 with 5, and in 0.98 with 10.
"""


class AdvantageIndicator(PromptEncoder):
    """A learnt vector for `positive` and one for `negative`, added to the condition; `nothing` adds none.

    A policy learns from good and bad actions alike, each under its indicator, and acts under `positive` (Physical
    Intelligence 2025, "pi*0.6: a VLA That Learns From Experience", which writes the indicator as words). The vectors
    begin as zeros and have the size of what is seen, so that a policy that learnt without them can go on with them,
    whatever its network: before the first update it does what it did.

    Args:
        drop: share of training windows without their indicator; above 0 the policy takes a guidance weight.
        use: what becomes of an instruction: `ignored` or `refused`.
        instructions: that are not refused.
    """

    adds = True

    def __init__(self, drop: Dropout = DROP, use: str = IGNORED, instructions: Sequence[str] = ()) -> None:
        super().__init__()
        if use not in (IGNORED, REFUSED):
            raise InputError("policy.prompt.use beside an advantage", expected=f"{IGNORED} or {REFUSED}", got=str(use))
        self.spec = PromptSpec(use, tuple(instructions), guidance=drop > 0)
        self.drop = drop

    def take_size(self, seen: int) -> None:
        self.vectors = nn.Parameter(torch.zeros(2, seen))

    def read(self, prompts: Sequence[TaskPrompt]) -> Tensor:
        """`POSITIVE` for each prompt, (B,) int64: what a policy is to do."""
        super().read(prompts)
        return torch.full((len(prompts),), POSITIVE)

    def none(self, rows: int) -> Tensor:
        return torch.full((rows,), NOTHING)

    def forward(self, numbers: Tensor) -> Tensor:
        """(B,) of the numbers above to (B, C)."""
        if self.training and self.drop:
            kept = torch.rand(len(numbers), device=numbers.device) >= self.drop
            numbers = torch.where(kept, numbers, NOTHING)
        return GAIN * F.pad(self.vectors, (0, 0, 1, 0))[numbers]
