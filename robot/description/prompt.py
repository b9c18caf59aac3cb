"""The task that a policy is to do, and what a policy does with it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Sequence

import numpy as np

from robot.errors import LISTED, InputError, cut, nearest, shortened

IGNORED, REFUSED, INSTRUCTION, LANGUAGE, GOAL = "ignored", "refused", "instruction", "language", "goal"
PROMPT_USES = (IGNORED, REFUSED, INSTRUCTION, LANGUAGE, GOAL)
LARGEST_GUIDANCE = 100.0


@dataclass(frozen=True, eq=False)
class TaskPrompt:
    """A task in words, as a goal, or both.

    Args:
        instruction: in plain words; empty when there is none.
        goal: an observation to reach (name -> array), or None.
        guidance: classifier-free guidance weight; 1 is the conditional policy itself.

    Raises:
        InputError: a value of another type.
    """

    instruction: str = ""
    goal: Mapping[str, np.ndarray] | None = None
    guidance: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.instruction, str):
            raise InputError("prompt: instruction", expected="words, '' for none", got=repr(self.instruction))
        if self.goal is not None and not isinstance(self.goal, Mapping):
            raise InputError("prompt: goal", expected="names with their values, or None", got=repr(self.goal))
        if not isinstance(self.guidance, Real) or isinstance(self.guidance, bool):
            raise InputError("prompt: guidance", expected="a number, 1 for none", got=repr(self.guidance))

    @property
    def parts(self) -> str:
        """What it asks for, in words for a message; empty when nothing."""
        words = [f"the instruction {shortened(self.instruction)}"] if self.instruction else []
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
            asks for another task than the policy's; `instruction`: the instruction, one of those of the training,
            decides the chunk beside the observation; `language`: an instruction in any words does, or none; `goal`: an
            observation to reach does.
        instructions: those that the policy was trained on; an empty list with `instruction` stands for any.
        goal: keys of the goal, name -> shape of one row.
        guidance: whether it was trained without its prompt, or what stands for one, too: it takes a guidance weight.

    Raises:
        InputError: there is no such use.
    """

    use: str = IGNORED
    instructions: tuple[str, ...] = ()
    goal: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    guidance: bool = False

    def __post_init__(self) -> None:
        if self.use not in PROMPT_USES:
            raise InputError("prompt use", expected=f"one of {', '.join(PROMPT_USES)}", got=f"'{self.use}'")

    @property
    def reads_words(self) -> bool:
        """Whether an instruction decides what the policy does."""
        return self.use in (INSTRUCTION, LANGUAGE)

    def require(self, prompt: TaskPrompt) -> None:
        """Refuse a prompt that the policy cannot follow.

        Raises:
            InputError: it asks for what the policy refuses, or its instruction or goal is missing, not known or of
                another shape.
        """
        if self.use == IGNORED and not self.guidance:
            return
        if prompt.guidance != 1.0 and not self.guidance:
            raise InputError(
                "prompt: guidance",
                expected="1, for a policy that was always trained with its prompt",
                got=f"{prompt.guidance:g}",
                way_out="Train with policy.prompt.drop=0.1" if self.use in (LANGUAGE, GOAL) else None,
            )
        if not math.isfinite(prompt.guidance) or abs(prompt.guidance) > LARGEST_GUIDANCE:
            raise InputError(
                "prompt: guidance",
                expected=f"-{LARGEST_GUIDANCE:g} to {LARGEST_GUIDANCE:g}",
                got=f"{prompt.guidance:g}",
            )
        if self.use == IGNORED:
            return
        if self.use == GOAL:
            return self._require_goal(prompt)
        if prompt.goal is not None:
            raise InputError("prompt", expected="an instruction alone", got=prompt.parts)
        if self.use == LANGUAGE:
            return
        any_instruction = self.use == INSTRUCTION and not self.instructions
        if prompt.instruction in self.instructions or (prompt.instruction and any_instruction):
            return
        if self.use == REFUSED and not prompt.instruction:
            return
        known = ", ".join(map(shortened, self.instructions[:LISTED]))
        more = f" and {len(self.instructions) - LISTED} more" if len(self.instructions) > LISTED else ""
        alternative = "none" if self.use == REFUSED else "words that say what to do"
        raise InputError(
            "instruction",
            expected=f"one that the policy was trained on: {known}{more}" if known else alternative,
            got=shortened(prompt.instruction) if prompt.instruction else "none",
            way_out=nearest(cut(prompt.instruction), map(cut, self.instructions))
            if prompt.instruction and known
            else None,
        )

    def _require_goal(self, prompt: TaskPrompt) -> None:
        if prompt.goal is None and self.guidance:
            return
        expected = ", ".join(f"{name} {shape}" for name, shape in self.goal.items())
        if prompt.goal is None:
            raise InputError("goal", expected=expected, got=prompt.parts or "none")
        for name, shape in self.goal.items():
            value = prompt.goal.get(name)
            if value is None or np.shape(value) != tuple(shape):
                raise InputError(
                    f"goal '{name}'",
                    expected=f"{tuple(shape)}, as a row of the observation",
                    got=f"only {', '.join(prompt.goal) or 'nothing'}" if value is None else str(np.shape(value)),
                )
            try:
                finite = np.isfinite(np.asarray(value, np.float64)).all()
            except (TypeError, ValueError):
                raise InputError(f"goal '{name}'", expected="finite numbers", got="something else") from None
            if not finite:
                raise InputError(f"goal '{name}'", expected="finite numbers", got="NaN or infinity")


def prompt_rows(task: Task, rows: int) -> tuple[TaskPrompt, ...]:
    """The prompt of each row of a batch; an empty one where there is none.

    Raises:
        InputError: as many prompts as rows are needed, and others came.
    """
    if task is None or isinstance(task, TaskPrompt):
        return (task or TaskPrompt(),) * rows
    prompts = isinstance(task, Collection) and not isinstance(task, str)
    if not prompts or not all(isinstance(each, TaskPrompt) for each in task):
        got = cut(repr(task))
        raise InputError("task", expected="a TaskPrompt, or one per row", got=got, way_out="TaskPrompt('...')")
    if len(task) != rows:
        raise InputError("task", expected=f"one prompt, or {rows}: one per row", got=f"{len(task)} prompts")
    return tuple(task)
