"""What a policy is told, as a part of it: another instruction than the episode's, or a weight of guidance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from policies.steering.steered import Steered
from robot.description import Decision, Query, TaskPrompt, decide
from robot.description.prompt import LARGEST_GUIDANCE, prompt_rows
from robot.description.ranges import Range
from robot.errors import InputError


@dataclass(frozen=True, eq=False)
class Prompted(Steered):
    """The policy with another prompt, the same for every decision.

    Args:
        policy: what is steered.
        instruction: in place of the episode's; None leaves the episode's.
        guidance: weight of classifier-free guidance; None leaves the prompt's own.

    Raises:
        InputError: neither of them, or the policy cannot follow the prompt.
    """

    instruction: str | None = None
    guidance: Annotated[float, Range(-LARGEST_GUIDANCE, LARGEST_GUIDANCE)] | None = None

    name: ClassVar[str] = "prompt"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.instruction is None and self.guidance is None:
            raise InputError("steering prompt", expected="an instruction, or a guidance weight", got="neither")
        spec = self.policy.spec.prompt
        if self.instruction is not None:
            if not spec.reads_words:
                raise InputError(
                    "steering prompt: instruction",
                    expected="a policy that reads instructions",
                    got=f"one by which they are {spec.use}" if not spec.goal else "one that reads goals",
                    way_out="Train with policy.prompt.name=language, or instruction",
                )
            spec.require(self._prompt(TaskPrompt()))
        if self.guidance not in (None, 1.0) and not spec.guidance:
            raise InputError(
                "steering prompt: guidance",
                expected="a policy that was trained with its prompt and without",
                got="one that was not",
                way_out="Train with policy.prompt.name=language (or goal) and policy.prompt.drop=0.1",
            )

    def answer(self, query: Query) -> Decision:
        """The decision of the policy below for the prompt."""
        prompts = [self._prompt(prompt) for prompt in prompt_rows(query.task, query.rows)]
        return decide(self.policy, replace(query, task=prompts))

    def _prompt(self, prompt: TaskPrompt) -> TaskPrompt:
        return replace(
            prompt,
            instruction=prompt.instruction if self.instruction is None else self.instruction,
            guidance=prompt.guidance if self.guidance is None else self.guidance,
        )
