"""`tiller data info`, `validate` and `replay` on the command line: tables, JSON, exit codes, hostile names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from data.checks.info import info
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import INSTRUCTION, STRATEGY, SUCCESS, TIME
from data.store.schema import Schema
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from tests.journeys.commands import Command
from tiller.runs.replay import ReplayedEpisode
from tiller.sheets.replay import print_replay

HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202eevil\r\n"


@pytest.fixture
def tiller(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Six episodes, of which the third has an action that jumps."""
    field = ObservationField("state", (2,), "float32", "m", "state")
    action = ActionSpec((ActionField("target", 2, "m", "native"),), 0.1)
    schema = Schema(ObservationSpec((field,)), action, 0.1, (SUCCESS, INSTRUCTION, STRATEGY), (), (TIME,))
    attributes = {"robot": {"name": HOSTILE, "arms": [{"kind": "left"}, {"kind": "right"}]}, HOSTILE: [1, 2, HOSTILE]}
    with Dataset.create(tmp_path / "store", schema, attributes) as dataset:
        for number in range(6):
            rows = np.sin(np.arange(40)[:, None] / 8 + np.arange(2) + number).astype(np.float32)
            target = rows.copy()
            if number == 2:
                target[20] += 5
            data = {"state": rows, "action": target, "time_ns": np.arange(40) * 100_000_000}
            meta = {"success": number != 2, "instruction": f"{HOSTILE} take {number}", "strategy": '{"seed": 7}'}
            dataset.append(Episode(data, meta))
    return tmp_path / "store"


def shows_nothing_that_steers(text: str) -> None:
    assert all(each.isprintable() or each == "\n" for each in text), repr(text)


def test_info_shows_an_episode_a_row_and_no_raw_mapping(tiller: Command, store: Path) -> None:
    shown = tiller.succeeds("data", "info", store, "episodes=true")
    shows_nothing_that_steers(shown)
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    heading = next(number for number, line in enumerate(lines) if line.startswith("episode first row rows s"))
    assert lines[heading] == "episode first row rows s success instruction"
    assert lines[heading + 3].startswith("2 80 40 4.00 no ?[2J") and len(lines) == heading + 7
    assert "robot.arms 2 entries" in lines and not any("{" in line or "[{" in line for line in lines)
    assert "episode first row" not in " ".join(tiller.succeeds("data", "info", store).split())


def test_info_is_json_with_every_episode(tiller: Command, store: Path) -> None:
    read = json.loads(tiller.succeeds("data", "info", store, "format=json", "episodes=true"))
    assert (read["episodes"], read["rows"], read["period_s"], read["successes"]) == (6, 240, 0.1, 5)
    assert [each["first_row"] for each in read["listed"]] == list(range(0, 240, 40))
    assert read["listed"][2]["facts"]["success"] is False and read["listed"][2]["seconds"] == pytest.approx(4.0)
    assert read["attributes"]["robot"]["arms"][1] == {"kind": "right"}
    assert "listed" not in json.loads(tiller.succeeds("data", "info", store, "format=json"))


def test_validate_names_episode_second_and_way_out_and_is_json(tiller: Command, store: Path) -> None:
    shown = tiller.succeeds("data", "validate", store)
    assert "jump: episode 2, " in shown and "tiller data delete" in shown and "0 errors, 1 warnings" in shown
    read = json.loads(tiller.succeeds("data", "validate", store, "format=json"))
    (finding,) = read["findings"]
    assert (finding["rule"], finding["episode"], finding["severity"]) == ("jump", 2, "warning")
    assert finding["second"] == pytest.approx(2.0, abs=0.11) and finding["way_out"] and read["ok"]
    strict = tiller("data", "validate", store, "errors=[jump]", "format=json")
    assert strict.code == 1 and json.loads(strict.out)["counts"]["error"] == 1
    assert json.loads(tiller.succeeds("data", "validate", store, "jump=1000", "format=json"))["findings"] == []
    limited = tiller.succeeds("data", "validate", store, "limits.target.0=[-1,1]", "ignore=[jump]")
    assert "'target.0' is" in limited and "episode 2" in limited


@pytest.mark.parametrize(
    "words",
    [
        ("validate", "format=yaml"),
        ("info", "format=xml"),
        ("validate", "ignore=[jumps]"),
        ("validate", "frozen_s=0"),
        ("validate", "limits.target=[2,1]"),
        ("validate", "limits.tarhet=[1,2]"),
        ("validate", "limits.target=[1,nan]"),
    ],
)
def test_what_is_no_option_is_one_message(tiller: Command, store: Path, words: tuple[str, ...]) -> None:
    outcome = tiller("data", words[0], store, *words[1:])
    assert outcome.code == 2 and words[1].split("=")[0].split(".")[0] in outcome.message.replace("rules", "ignore")


def test_names_in_another_programs_store_steer_no_terminal(tiller: Command, tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "foreign", zarr_format=2, attributes={HOSTILE: {HOSTILE: HOSTILE}})
    name = "data/x\x1b[2J"
    root.create_array("data/action", data=np.random.default_rng(0).normal(size=(20, 2)))
    root.create_array(name, data=np.full((20, 2), np.nan), attributes={"unit": HOSTILE})
    root.create_array("meta/episode_ends", data=np.array([10, 20]))
    for words in (("info", "episodes=true"), ("info", "format=json"), ("validate",), ("validate", "format=json")):
        outcome = tiller("data", words[0], tmp_path / "foreign", *words[1:])
        shows_nothing_that_steers(outcome.out + outcome.err)
    missing = tiller("data", "info", f"{tmp_path}/no\x1b[2Jwhere")
    assert missing.code == 2
    shows_nothing_that_steers(missing.message)


def test_attributes_may_be_nested_deeper_than_anybody_reads(tiller: Command, tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "foreign", zarr_format=2)
    root.create_array("data/action", data=np.random.default_rng(0).normal(size=(20, 2)))
    root.create_array("meta/episode_ends", data=np.array([10, 20]))
    (tmp_path / "foreign" / ".zattrs").write_text('{"a": ' * 200 + "NaN" + "}" * 200)
    assert "entries" in tiller.succeeds("data", "info", tmp_path / "foreign")
    assert json.loads(tiller.succeeds("data", "info", tmp_path / "foreign", "format=json"))["rows"] == 20
    assert info(tmp_path / "foreign").rows == 20


def test_replay_names_a_row_only_where_there_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    errors = {"state": np.zeros(5), "tcp": np.array([0, 0, 0.5, 0.1, 0])}
    print_replay("twin/lift", [ReplayedEpisode(3, errors, True, 1.0)], {"state": "m", "tcp": "m"})
    lines = capsys.readouterr().out.splitlines()
    (state,) = [line for line in lines if " state " in line]
    (tcp,) = [line for line in lines if " tcp " in line]
    assert "row" not in state and "episode 3, row 2" in tcp
