"""The table of mutations goes with the source: each still finds its text, and the tests that are to notice it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.mutations import ROOT, Mutation, apply, chosen
from robot.errors import InputError

ASKED_FOR = tuple(f"M{number}" for number in range(1, 15))


def test_every_mutation_that_was_asked_for_is_in_the_table():
    assert {each.name for each in chosen([])} >= set(ASKED_FOR)
    assert [each.name for each in chosen(["M6"])] == ["M6", "M6b"]
    with pytest.raises(InputError, match="Did you mean"):
        chosen(["M99"])


@pytest.mark.parametrize("mutation", chosen([]), ids=lambda each: each.name)
def test_a_mutation_finds_its_text_once_and_its_tests(mutation: Mutation, tmp_path: Path):
    for change in mutation.changes:
        target = tmp_path / change.file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((ROOT / change.file).read_text(encoding="utf-8"), encoding="utf-8")
    before = apply(mutation, tmp_path)
    assert all(file.read_text(encoding="utf-8") != text for file, text in before.items())
    for file in before:
        compile(file.read_text(encoding="utf-8"), str(file), "exec")
    for test in mutation.tests:
        file, _, name = test.partition("::")
        assert name in (ROOT / file).read_text(encoding="utf-8")


def test_a_text_that_is_not_there_once_changes_nothing(tmp_path: Path):
    mutation = chosen(["M7"])[0]
    (file,) = {tmp_path / change.file for change in mutation.changes}
    file.parent.mkdir(parents=True)
    for text in ("nothing of it\n", 2 * mutation.changes[0].old):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match="exactly once"):
            apply(mutation, tmp_path)
        assert file.read_text(encoding="utf-8") == text
