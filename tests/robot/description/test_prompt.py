"""What becomes of a prompt: ignored, refused or followed, and one per row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from robot.description import PromptSpec, TaskPrompt
from robot.description.prompt import GOAL, IGNORED, INSTRUCTION, REFUSED, prompt_rows
from robot.errors import InputError

WORDS = ("pull the drawer open", "push the drawer shut")


@pytest.mark.parametrize(
    ("spec", "prompt", "message"),
    [
        (PromptSpec(IGNORED), TaskPrompt("anything", guidance=3.0), None),
        (PromptSpec(REFUSED), TaskPrompt(), None),
        (PromptSpec(REFUSED), TaskPrompt("open"), "expected none, got 'open'"),
        (PromptSpec(REFUSED, WORDS), TaskPrompt(WORDS[1]), None),
        (PromptSpec(REFUSED, WORDS), TaskPrompt("wipe the board"), "one that the policy was trained on: 'pull"),
        (PromptSpec(INSTRUCTION, WORDS), TaskPrompt(WORDS[0]), None),
        (PromptSpec(INSTRUCTION, WORDS), TaskPrompt("push the drawer shot"), "Did you mean 'push the drawer shut'"),
        (PromptSpec(INSTRUCTION, WORDS), TaskPrompt(), "got none"),
        (PromptSpec(INSTRUCTION), TaskPrompt("whatever is said"), None),
        (PromptSpec(INSTRUCTION), TaskPrompt(), "words that say what to do"),
        (PromptSpec(INSTRUCTION, WORDS), TaskPrompt(WORDS[0], goal={"x": np.zeros(1)}), "an instruction alone"),
        (PromptSpec(INSTRUCTION, WORDS), TaskPrompt(WORDS[0], guidance=2.0), r"guidance.*got 2"),
    ],
)
def test_a_prompt_is_followed_ignored_or_refused_as_the_policy_says(
    spec: PromptSpec, prompt: TaskPrompt, message: str | None
) -> None:
    if message is None:
        spec.require(prompt)
    else:
        with pytest.raises(InputError, match=message):
            spec.require(prompt)


def test_an_unknown_use_is_refused() -> None:
    with pytest.raises(InputError, match="one of ignored, refused, instruction"):
        PromptSpec("obeyed")


def test_rows_have_one_prompt_each() -> None:
    one, two = TaskPrompt("one"), TaskPrompt("two")
    assert prompt_rows(one, 3) == (one, one, one)
    assert prompt_rows([one, two], 2) == (one, two)
    assert [each.parts for each in prompt_rows(None, 2)] == ["", ""]
    with pytest.raises(InputError, match=r"one per row.*2 prompts"):
        prompt_rows([one, two], 3)
    for wrong in (3, "words", [one, "two"], iter([one])):
        with pytest.raises(InputError, match=r"task: expected a TaskPrompt"):
            prompt_rows(wrong, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "saying"),
    [
        ((3,), "prompt: instruction: expected words.*got 3"),
        ((None,), "prompt: instruction.*got None"),
        (("x", 3), "prompt: goal.*got 3"),
        (("x", None, "2"), "prompt: guidance: expected a number.*got '2'"),
        (("x", None, None), "prompt: guidance.*got None"),
        (("x", None, True), "prompt: guidance.*got True"),
    ],
)
def test_a_prompt_of_another_type_is_refused(values: tuple[Any, ...], saying: str) -> None:
    with pytest.raises(InputError, match=saying):
        TaskPrompt(*values)
    assert TaskPrompt("x", guidance=np.float32(2)).parts == "the instruction 'x' and guidance 2"  # type: ignore[arg-type]


def test_a_goal_of_words_is_no_goal() -> None:
    with pytest.raises(InputError, match=r"goal 'x': expected finite numbers"):
        PromptSpec(GOAL, goal={"x": (2,)}).require(TaskPrompt(goal={"x": np.array(["a", "b"])}))


@pytest.mark.parametrize("use", [REFUSED, INSTRUCTION])
def test_a_long_instruction_is_cut_in_a_refusal(use: str) -> None:
    long = "put the red cube on the blue one " * 350
    for known, words in (((long, "open"), long + "x"), ((long, "open"), "put"), (WORDS, long)):
        with pytest.raises(InputError, match=r"instruction: expected") as refusal:
            PromptSpec(use, known).require(TaskPrompt(words))
        assert len(str(refusal.value)) < 600
    assert len(TaskPrompt(long).parts) < 150 and f"({len(long)} characters)" in TaskPrompt(long).parts
