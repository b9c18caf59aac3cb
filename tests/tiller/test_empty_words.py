"""Words that would be ignored, or mean the current folder unseen, are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.commands import Command


@pytest.mark.parametrize(
    "words, expected",
    [
        (("report", ""), "expected a path, got ''"),
        (("evaluate", "checkpoint=", "task=pusht/state"), "expected the folder of a training run"),
        (("deploy", "contract=panda_twin", "checkpoint="), "checkpoint=: expected a word, or null where there is none"),
        (("evaluate", "checkpoint=x", "task=pusht/state", "compare=''"), "compare=: expected a word, or null"),
        (("collect", "task=twin/lift", "output="), "output=: expected a word, or null"),
        (("train", "data=nowhere", "options.max_steps=3"), "expected a task that they are of, got max_steps"),
    ],
)
def test_an_empty_path_and_options_of_no_task_are_refused(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "metrics.csv").write_text("step,loss\n1,0.5\n")
    result = Command(capsys)(*words)
    assert result.code == 2 and expected in result.message
