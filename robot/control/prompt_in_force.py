"""The prompt that is in force in a graph: the one that was given, else the episode's instruction."""

from __future__ import annotations

from robot.description import PromptSpec, TaskPrompt
from robot.errors import TillerError, shortened


class PromptInForce:
    """What is to be done, from its two sources, for the policy that does it and for the recorder that notes it. A given
    instruction overrides that of an episode; an empty one leaves it to the episode.

    Args:
        given: the first given instruction.

    Attributes:
        instruction: in force.
        unfit: why the policy cannot follow it; empty where it can.
    """

    def __init__(self, given: str = "") -> None:
        self._given, self._of_episode = given, ""
        self._spec: PromptSpec | None = None
        self.instruction, self.unfit = given, ""

    @property
    def prompt(self) -> TaskPrompt:
        return TaskPrompt(self.instruction)

    @property
    def use(self) -> str:
        """What becomes of it, a use of `PromptSpec`; empty before the policy is known."""
        return self._spec.use if self._spec is not None else ""

    def fit(self, spec: PromptSpec) -> None:
        """Take what the policy does with a prompt, once it is loaded."""
        self._spec = spec
        self._update()

    def give(self, instruction: str) -> bool:
        """Take an instruction that overrides the episode's. Returns whether another one is in force now."""
        self._given = instruction
        return self._update()

    def begin_episode(self, instruction: str) -> bool:
        """Take the instruction of a new episode. Returns whether another one is in force now."""
        self._of_episode = instruction
        return self._update()

    @property
    def unread(self) -> str:
        """A sentence where an instruction was given to a policy that reads none; empty otherwise."""
        if not self._given or self._spec is None or self._spec.reads_words:
            return ""
        return f"the policy reads no instruction: {shortened(self._given)} changes nothing of what it does"

    def _update(self) -> bool:
        before, self.instruction = self.instruction, self._given or self._of_episode
        self.unfit = ""
        if self._spec is not None:
            try:
                self._spec.require(self.prompt)
            except TillerError as error:
                self.unfit = str(error)
        return self.instruction != before
