"""The task that a policy is to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

import numpy as np


@dataclass(frozen=True, eq=False)
class TaskPrompt:
    """A task in words, as a goal, or both.

    Args:
        instruction: in plain words; empty when there is none.
        goal: an observation to reach (name -> array), or None.
        guidance: classifier-free guidance weight; 1 is the conditional policy itself.
    """

    instruction: str = ""
    goal: Mapping[str, np.ndarray] | None = None
    guidance: float = 1.0
