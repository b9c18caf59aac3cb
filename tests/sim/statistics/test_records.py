"""Records, their summary, and the file that holds both."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.errors import InputError
from sim.statistics.comparison import compare
from sim.statistics.intervals import bootstrap, mcnemar, wilson
from sim.statistics.records import EpisodeRecord, Evaluation, Latency, read_evaluation, write_evaluation


def record(seed: int, score: float, success: bool, length: int = 100) -> EpisodeRecord:
    return EpisodeRecord(
        seed, float(success), float(success), score, success, length, success, not success, Latency(3, 0.01, 0.02, 0.03)
    )


def evaluation(records: tuple[EpisodeRecord, ...], **changes) -> Evaluation:
    facts = dict(
        task="pusht/state",
        options={"max_steps": 300},
        policy={"checkpoint": "a"},
        seed=10,
        episodes=len(records),
        n_action_steps=8,
        batch=4,
        workers=2,
        records=records,
        latency=Latency(9, 0.01, 0.02, 0.03),
        seconds=2.0,
        inference_seconds=0.5,
    )
    return Evaluation(**{**facts, **changes})


FOUR = tuple(record(10 + i, [1.0, 0.5, 1.0, 0.25][i], i % 2 == 0, 50 * (i + 1)) for i in range(4))

latencies = st.builds(Latency, st.integers(0, 1000), *[st.floats(0, 10)] * 3)
records = st.builds(
    EpisodeRecord,
    st.integers(0, 2**40),
    *[st.floats(-1e6, 1e6)] * 3,
    st.booleans(),
    st.integers(1, 10**6),
    st.booleans(),
    st.booleans(),
    latencies,
    st.none() | st.just("videos/a.mp4"),
)


@settings(max_examples=20)  # each example is synced to disk
@given(st.lists(records, max_size=3, unique_by=lambda record: record.seed), st.text(max_size=20))
def test_what_is_written_reads_back_the_same(tmp_path_factory, some: list[EpisodeRecord], words: str) -> None:
    folder = tmp_path_factory.mktemp("evaluation")
    asked = evaluation(tuple(some), policy={"name": words, "sampler": {"steps": 3}}, ended=words)
    assert read_evaluation(write_evaluation(asked, folder / "evaluation.json")) == asked
    assert [path.name for path in folder.iterdir()] == ["evaluation.json"]


def test_the_summary_says_what_the_records_say() -> None:
    summary = evaluation(FOUR).summary
    assert summary is not None
    assert (summary.episodes, summary.successes, summary.steps, summary.length) == (4, 2, 500, 125)
    assert summary.success == wilson(2, 4)
    assert summary.score == bootstrap([1.0, 0.5, 1.0, 0.25])
    assert (summary.steps_per_s, summary.inference_share) == (250, 0.25)
    assert evaluation(()).summary is None


def test_the_file_shows_the_summary_to_whoever_opens_it(tmp_path: Path) -> None:
    document = json.loads(write_evaluation(evaluation(FOUR), tmp_path / "evaluation.json").read_text())
    assert document["summary"]["success"]["estimate"] == 0.5
    assert document["records"][3]["seed"] == 13


def break_schema(document: dict) -> None:
    document["schema"] = 99


def break_key(document: dict) -> None:
    document["record"] = document.pop("records")


def break_type(document: dict) -> None:
    document["records"][0]["success"] = "yes"


def break_missing(document: dict) -> None:
    del document["records"][1]["seed"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(break_schema, "schema 1"), (break_key, "records"), (break_type, r"\[0\].success"), (break_missing, "seed")],
)
def test_a_file_that_is_no_evaluation_is_named(tmp_path: Path, spoil, words: str) -> None:
    path = write_evaluation(evaluation(FOUR), tmp_path / "evaluation.json")
    document = json.loads(path.read_text())
    spoil(document)
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=words):
        read_evaluation(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("score", float("nan"), r"records\[2\]\.score: expected a finite number, got nan"),
        ("episode_return", float("inf"), r"records\[2\]\.episode_return"),
        ("seed", 11, r"records\[2\]\.seed: expected another one than records\[1\], got 11"),
        ("seed", -1, r"records\[2\]\.seed"),
        ("length", -3, r"records\[2\]\.length"),
        ("length", 0, r"records\[2\]\.length: expected at least 1, got 0"),
        ("latency", {"queries": 1, "p50_s": -1.0, "p95_s": 0.0, "max_s": 0.0}, r"records\[2\]\.latency\.p50_s"),
    ],
)
def test_a_record_with_a_number_that_no_episode_has_is_named(tmp_path: Path, key: str, value, words: str) -> None:
    path = write_evaluation(evaluation(FOUR), tmp_path / "evaluation.json")
    document = json.loads(path.read_text())
    document["records"][2][key] = value
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=words):
        read_evaluation(path)


@pytest.mark.parametrize(("key", "value"), [("seconds", -1.0), ("seconds", float("nan")), ("episodes", -3)])
def test_an_evaluation_with_a_negative_or_undefined_total_is_refused(tmp_path: Path, key: str, value: float) -> None:
    path = write_evaluation(evaluation(FOUR), tmp_path / "evaluation.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(InputError, match=rf"evaluation\.json\.{key}"):
        read_evaluation(path)


def test_more_records_than_episodes_are_refused(tmp_path: Path) -> None:
    path = write_evaluation(evaluation(FOUR, episodes=3), tmp_path / "evaluation.json")
    with pytest.raises(InputError, match="at most the 3 of episodes, got 4"):
        read_evaluation(path)


@pytest.mark.parametrize("text", [None, "", "{", "[1, 2]", pytest.param("[" * 100_000, id="deep")])
def test_a_missing_or_torn_file_is_named(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "evaluation.json").write_text(text)
    with pytest.raises(InputError, match=r"evaluation\.json"):
        read_evaluation(tmp_path / "evaluation.json")


def test_an_output_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="file"):
        write_evaluation(evaluation(FOUR), tmp_path / "file" / "evaluation.json")


def test_a_comparison_pairs_the_seeds() -> None:
    better = tuple(replace(one, success=True, score=one.score + 0.1) for one in FOUR)
    comparison = compare(evaluation(FOUR), evaluation(better))
    assert (comparison.both, comparison.only_first, comparison.only_second, comparison.neither) == (2, 0, 2, 0)
    assert comparison.success.estimate == 0.5 and comparison.score.estimate == pytest.approx(0.1)
    assert comparison.score.low == pytest.approx(0.1), "pairs that all differ alike leave no doubt"
    assert comparison.p_value == mcnemar(0, 2)
    same = compare(evaluation(FOUR), evaluation(FOUR))
    assert same.p_value == 1 and same.score.low == same.score.high == 0


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (evaluation(FOUR, task="pusht/image"), "pusht/image"),
        (evaluation(FOUR, options={}), "max_steps"),
        (evaluation(FOUR[1:]), r"1 only in the first \(10 .. 10\)"),
        (evaluation(tuple(replace(one, seed=one.seed + 1) for one in FOUR)), "1 only in the second"),
    ],
)
def test_what_cannot_be_paired_is_refused(other: Evaluation, words: str) -> None:
    with pytest.raises(InputError, match=words):
        compare(evaluation(FOUR), other)
