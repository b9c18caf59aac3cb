"""The advice on tables of figures: of each base what was found to pay, and of what pays nothing, why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.description import from_json, to_json
from sim.statistics.intervals import Interval
from tests.tiller.diagnosis.tables import (
    GOOD_CRITIC,
    HARDLY_TRAINED,
    SHIFTED_LIFT,
    WEAK_PEG,
    chunks_of,
    coverage_of,
    of,
)
from tiller.diagnosis.advice import RULES, Advice, Verdict, advise
from tiller.diagnosis.figures import Figures


def verdicts(figures: Figures) -> dict[str, Verdict]:
    return {each.rung: each.verdict for each in advise(figures)}


def named(figures: Figures, rung: str) -> Advice:
    return next(each for each in advise(figures) if each.rung == rung)


def test_shifted_starts_want_a_free_setting_then_demonstrations_there_or_its_own_successes() -> None:
    advice = advise(SHIFTED_LIFT)
    assert advice[0].rung == "free" and "noise_scale 0.25" in advice[0].do
    assert {advice[1].rung, advice[2].rung} == {"demonstrations", "filtered_bc"}
    assert all(each.verdict is Verdict.PAYS for each in advice[:3])
    where = named(SHIFTED_LIFT, "demonstrations")
    assert "cube.position.x is 0.32 to 0.63 m" in where.do and "0.42 to 0.58" in where.do
    assert verdicts(SHIFTED_LIFT)["train_longer"] is Verdict.NO


def test_where_chunks_are_alike_and_starts_are_covered_it_leaves_its_support() -> None:
    known = verdicts(WEAK_PEG)
    assert [each.rung for each in advise(WEAK_PEG)][:2] == ["free", "filtered_bc"]
    assert known["choice"] is Verdict.NO and known["ticket"] is Verdict.NO
    assert known["residual"] is Verdict.MAY
    more = named(WEAK_PEG, "demonstrations")
    assert more.verdict is Verdict.NO and any("a hundred more did nothing" in line for line in more.contra)


def test_one_figure_tells_that_demonstrations_help_from_that_they_do_not() -> None:
    """Lift and peg differ in much; the coverage alone turns one advice into the other."""
    for figures, coverage, verdict in (
        (SHIFTED_LIFT, WEAK_PEG.coverage, Verdict.NO),
        (WEAK_PEG, SHIFTED_LIFT.coverage, Verdict.PAYS),
    ):
        assert verdicts(replace(figures, coverage=coverage))["demonstrations"] is verdict


def test_a_hardly_trained_base_is_trained_longer_first() -> None:
    advice = advise(HARDLY_TRAINED)
    assert advice[0].rung == "train_longer" and advice[0].verdict is Verdict.PAYS
    assert verdicts(HARDLY_TRAINED)["filtered_bc"] is Verdict.NO, "its own successes are worse than demonstrations"
    assert verdicts(replace(HARDLY_TRAINED, training=WEAK_PEG.training))["train_longer"] is not Verdict.PAYS


def test_a_critic_chooses_where_chunks_differ_and_it_ranks() -> None:
    assert verdicts(SHIFTED_LIFT)["choice"] is Verdict.MAY
    assert verdicts(replace(SHIFTED_LIFT, critic=GOOD_CRITIC))["choice"] is Verdict.MAY, "little beyond zero noise"
    wide = of(0.1, 0.05, 0.15)
    room = replace(SHIFTED_LIFT, chunks=chunks_of(of(0.04, 0.02, 0.06), 0.05, wide, wide, of(0.2, 0.1, 0.3)))
    assert verdicts(replace(room, critic=GOOD_CRITIC))["choice"] is Verdict.PAYS
    assert verdicts(replace(room, critic=replace(GOOD_CRITIC, states=9)))["choice"] is Verdict.MAY
    assert verdicts(replace(room, critic=None))["choice"] is Verdict.MAY
    assert verdicts(replace(WEAK_PEG, critic=GOOD_CRITIC))["choice"] is Verdict.NO
    unsure = chunks_of(of(0.03, 0.002, 0.07), 0.05, of(0.1, 0, 0.2), of(0.1, 0, 0.2), of(0.2, 0.1, 0.3))
    known = verdicts(replace(SHIFTED_LIFT, chunks=unsure))
    assert known["choice"] is known["residual"] is Verdict.UNKNOWN
    assert verdicts(SHIFTED_LIFT)["residual"] is Verdict.NO


def test_thinly_covered_starts_may_want_demonstrations() -> None:
    thin = coverage_of(of(0.05, 0.01, 0.12), of(0.72, 0.64, 0.8))
    assert verdicts(replace(WEAK_PEG, coverage=thin))["demonstrations"] is Verdict.MAY


def test_what_was_not_measured_is_not_known_and_says_why() -> None:
    figures = Figures(
        replace(SHIFTED_LIFT.settings, settings=SHIFTED_LIFT.settings.settings[:1], best="base"),
        skipped={"chunks": "there is no noise", "coverage": "add demonstrations=DATASET"},
    )
    known = verdicts(figures)
    assert {known[each] for each in ("choice", "residual", "demonstrations", "ticket", "train_longer")} == {
        Verdict.UNKNOWN
    }
    assert named(figures, "demonstrations").contra == ("add demonstrations=DATASET",)
    assert named(figures, "choice").contra == ("there is no noise",)


def test_what_succeeds_is_left_as_it_is() -> None:
    good = replace(SHIFTED_LIFT, settings=replace(SHIFTED_LIFT.settings, base=of(0.99, 0.96, 1.0)))
    assert [each.rung for each in advise(good)] == ["nothing"]


@pytest.mark.parametrize("figures", [SHIFTED_LIFT, WEAK_PEG, HARDLY_TRAINED])
def test_figures_survive_their_file(figures: Figures) -> None:
    assert advise(from_json(Figures, to_json(figures))) == advise(figures)


def intervals(low: float, high: float) -> st.SearchStrategy[Interval]:
    numbers = st.lists(st.floats(low, high), min_size=3, max_size=3)
    return numbers.map(sorted).map(lambda three: Interval(three[1], three[0], three[2]))


@settings(max_examples=100, deadline=None)
@given(
    intervals(0, 0.95), intervals(-0.3, 0.5), intervals(0, 0.1), intervals(0, 1), intervals(0, 1), st.floats(0, 2),
    st.none() | st.floats(0, 500),
)  # fmt: skip
def test_every_rung_is_named_once_in_the_order_of_its_verdict_with_its_evidence(
    base: Interval, gain: Interval, between: Interval, outside: Interval, auc: Interval, misfit: float,
    epochs: float | None,
) -> None:  # fmt: skip
    figures = replace(
        SHIFTED_LIFT,
        settings=replace(SHIFTED_LIFT.settings, base=base, best_gain=gain),
        chunks=chunks_of(between, 0.05, gain, gain, outside),
        coverage=coverage_of(outside, auc, misfit),
        training=replace(SHIFTED_LIFT.training, epochs=epochs),
    )
    advice = advise(figures)
    assert len({each.rung for each in advice}) == len(RULES) == len(advice)
    order = [list(Verdict).index(each.verdict) for each in advice]
    assert order == sorted(order)
    assert all(each.pro or each.contra for each in advice)
    assert all(each.pro for each in advice if each.verdict is Verdict.PAYS)
    assert advice == advise(figures)
