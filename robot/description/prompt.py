"""The task that a policy is to do, and what a policy does with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Sequence

import numpy as np

from robot.errors import LISTED, InputError, nearest

IGNORED, REFUSED, INSTRUCTION = "ignored", "refused", "instruction"
PROMPT_USES = (IGNORED, REFUSED, INSTRUCTION)


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

    @property
    def parts(self) -> str:
        """What it asks for, in words for a message; empty when nothing."""
        words = [f"the instruction '{self.instruction}'"] if self.instruction else []
        words += ["a goal"] if self.goal is not None else []
        words += [f"guidance {self.guidance:g}"] if self.guidance != 1.0 else []
        return " and ".join(words)


Task = TaskPrompt | Sequence[TaskPrompt] | None
"""One prompt for all rows of a batch, one per row, or none."""


@dataclass(frozen=True)
class PromptSpec:
    """What a policy does with the prompt of a row.

    Args:
        use: `ignored`: the same chunk whatever the prompt; `refused`: the same chunk, and an error where the prompt
            asks for another task than the policy's; `instruction`: the instruction decides the chunk beside the
            observation, goals and guidance are refused.
        instructions: those that the policy was trained on; an empty list with `instruction` stands for any.

    Raises:
        InputError: there is no such use.
    """

    use: str = IGNORED
    instructions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.use not in PROMPT_USES:
            raise InputError("prompt use", expected=f"one of {', '.join(PROMPT_USES)}", got=f"'{self.use}'")

    def require(self, prompt: TaskPrompt) -> None:
        """Refuse a prompt that the policy cannot follow.

        Raises:
            InputError: it asks for what the policy refuses, or its instruction is missing or not known.
        """
        if self.use == IGNORED:
            return
        if prompt.goal is not None or prompt.guidance != 1.0:
            raise InputError("prompt", expected="an instruction alone", got=prompt.parts)
        any_instruction = self.use == INSTRUCTION and not self.instructions
        if prompt.instruction in self.instructions or (prompt.instruction and any_instruction):
            return
        if self.use == REFUSED and not prompt.instruction:
            return
        known = ", ".join(f"'{each}'" for each in self.instructions[:LISTED])
        more = f" and {len(self.instructions) - LISTED} more" if len(self.instructions) > LISTED else ""
        alternative = "none" if self.use == REFUSED else "words that say what to do"
        raise InputError(
            "instruction",
            expected=f"one that the policy was trained on: {known}{more}" if known else alternative,
            got=f"'{prompt.instruction}'" if prompt.instruction else "none",
            way_out=nearest(prompt.instruction, self.instructions) if prompt.instruction and known else None,
        )


def prompt_rows(task: Task, rows: int) -> tuple[TaskPrompt, ...]:
    """The prompt of each row of a batch; an empty one where there is none.

    Raises:
        InputError: as many prompts as rows are needed, and others came.
    """
    if task is None or isinstance(task, TaskPrompt):
        return (task or TaskPrompt(),) * rows
    if isinstance(task, str) or not all(isinstance(each, TaskPrompt) for each in task):
        raise InputError("task", expected="a TaskPrompt, or one per row", got=repr(task), way_out="TaskPrompt('...')")
    if len(task) != rows:
        raise InputError("task", expected=f"one prompt, or {rows}: one per row", got=f"{len(task)} prompts")
    return tuple(task)
