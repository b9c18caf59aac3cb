"""What a run finds damaged, or is asked for wrongly: one message that names it, before anything is run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.journeys.commands import Command
from tests.tiller.conftest import CAR
from tests.tiller.steering.conftest import WORDS
from tests.tiller.steering.test_segments import METHODS, Whole, digest, open_run
from tiller.runs.differences import first_difference
from tiller.steering.by_learning.segments import CURVE, LAST

__all__ = ["METHODS"]


@pytest.fixture(scope="module")
def whole(car_policies: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return Whole(car_policies[0], tmp_path_factory.mktemp("damaged"))


@pytest.fixture
def tiller(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.mark.parametrize("content", [b"step,seg\nx\0\xff", b"", b"step\n1\n\0\0\0"])
def test_a_damaged_curve_is_written_anew(
    whole: Whole, car_policies: list[Path], tmp_path: Path, content: bytes
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole["best_of_k"], folder)
    (folder / CURVE).write_bytes(content)
    with open_run(folder, car_policies[0]) as run:
        assert run.run()
    assert digest(folder) == digest(whole["best_of_k"])


@pytest.mark.parametrize("content", ["[]", "{", "\0", '{"state": {}, "options": [], "learner": 3}', '{"state": 1}'])
def test_a_damaged_state_is_named_with_a_way_out(
    whole: Whole, car_policies: list[Path], tmp_path: Path, content: str
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole["best_of_k"], folder)
    (folder / LAST / "state.json").write_text(content)
    with open_run(folder, car_policies[0]) as run, pytest.raises(Exception, match=r"state\.json.*remove") as raised:
        run.run()
    assert type(raised.value).__name__ == "InputError"


def test_what_is_asked_for_wrongly_is_refused_at_once(
    car_policies: list[Path], tmp_path: Path, tiller: Command
) -> None:
    own = ("steer", f"checkpoint={car_policies[0]}", *WORDS)
    rows = tiller(*own, f"output={tmp_path / 'rows'}", "free.rows=[999]")
    assert rows.code == 2 and "free.rows" in rows.message and not (tmp_path / "rows" / "evaluations").exists()
    inside = car_policies[0] / "checkpoints" / "final" / "out"
    lost = tiller(*own, f"output={inside}")
    assert lost.code == 2 and "inside the checkpoint" in lost.message and not inside.exists()
    for verb in ("steer", "diagnose"):
        gone = tiller(verb, f"checkpoint={tmp_path / 'gone'}", f"output={tmp_path / 'out'}")
        assert gone.code == 2 and "nothing there" in gone.message and "task" not in gone.message


def test_options_differ_by_one_name(climbed: Path, car_policies: list[Path], tmp_path: Path, tiller: Command) -> None:
    output = tmp_path / "run"
    shutil.copytree(climbed, output, symlinks=True)
    again = ("steer", f"checkpoint={car_policies[0]}", f"output={output}", "resume=true", *WORDS)
    other = tiller(*again, "learning.updates=0")
    assert other.code == 2 and "learning.updates: expected 1" in other.message and len(other.message) < 300
    (output / "steer.json").write_text("[]")
    damaged = tiller(*again)
    assert damaged.code == 2 and "steer.json" in damaged.message and "Remove it" in damaged.message


def test_damaged_measures_of_a_diagnosis_are_named(car_policies: list[Path], tmp_path: Path, tiller: Command) -> None:
    words = (
        "diagnose", f"checkpoint={car_policies[0]}", f"task={CAR}", "options.max_steps=8",
        "options.success_return=-0.8", "minutes=0.01", f"output={tmp_path / 'why'}",
    )  # fmt: skip
    tiller(*words)
    measures = sorted((tmp_path / "why" / "measures").glob("*.json"))
    for file, content in ((measures[0], b"\xff"), (measures[0], b"[]"), (tmp_path / "why" / "subject.json", b"[]")):
        before = file.read_bytes()
        file.write_bytes(content)
        result = tiller(*words, "resume=true")
        assert result.code == 2 and file.name in result.message and "Remove it" in result.message
        file.write_bytes(before)


def test_the_first_difference_is_named() -> None:
    before = {"a": 1, "b": {"c": [1, 2], "d": {"e": 1}}}
    assert first_difference(before, json.loads(json.dumps(before))) is None
    assert first_difference(before, {"a": 1, "b": {"c": (1, 2), "d": {"e": 1}}}) is None
    assert first_difference(before, {"a": 2}) == ("a", "1", "2")
    assert first_difference(before, {"b": {"c": [1, 3], "d": {"e": 1}}}, "x") == ("x.b.c", "[1, 2]", "[1, 3]")
    assert first_difference(before, {"b": {"c": [1, 2], "d": {}}}) == ("b.d.e", "1", "nothing")
