"""What many evaluations say together, on made-up evaluations written and read as real ones are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from robot.errors import InputError
from sim.statistics.comparison import compare
from sim.statistics.groups import policy_names
from sim.statistics.intervals import mcnemar, wilson
from sim.statistics.summary import summarise
from tests.sim.statistics.made_up import evaluation

GOOD, BAD = [True] * 8 + [False] * 2, [True] * 3 + [False] * 7


def test_disjoint_seeds_of_one_policy_are_one_result(tmp_path: Path) -> None:
    summary = summarise([evaluation(tmp_path / "second", BAD, seed=1000), evaluation(tmp_path / "first", GOOD)])
    (result,) = summary.results
    assert (result.successes, result.episodes, result.seeds) == (11, 20, "0-9, 1000-1009")
    assert result.success == wilson(11, 20) and result.cells == ("second", "first")
    assert not summary.comparisons and not summary.robustness


def test_diverged_episodes_are_counted(tmp_path: Path) -> None:
    name, one = evaluation(tmp_path / "runs", BAD)
    fallen = replace(one, records=(replace(one.records[3], diverged="The physics diverged"), *one.records[4:]))
    (result,) = summarise([(name, fallen)]).results
    assert (result.diverged, result.successes, result.episodes) == (1, 0, 7)


def test_seeds_that_overlap_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="seed 5 both in one and in two"):
        summarise([evaluation(tmp_path / "one", GOOD), evaluation(tmp_path / "two", GOOD, seed=5)])


def test_policies_are_named_by_what_tells_them_apart(tmp_path: Path) -> None:
    def names(*given: tuple[str, int]) -> list[str]:
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        return policy_names(
            [
                evaluation(folder / f"{number}", GOOD, policy=path, steps=steps)[1]
                for number, (path, steps) in enumerate(given)
            ]
        )

    assert names(("/x/runs/a/checkpoints/final", 3), ("/x/runs/b/checkpoints/final", 3)) == ["a", "b"]
    assert names(("/x/runs/a/checkpoints/final", 3)) == ["a"]
    assert names(("runs/a", 3), ("runs/a", 10)) == ["a steps=3", "a steps=10"]
    assert names(("runs/a", 3), ("runs/a/a", 3)) == ["runs/a", "runs/a/a"], "short names would be the same"


def test_policies_meet_on_the_seeds_that_both_have(tmp_path: Path) -> None:
    _, first = named_first = evaluation(tmp_path / "first", BAD)
    _, second = named_second = evaluation(tmp_path / "second", GOOD, policy="runs/b")
    (versus,) = summarise([named_first, named_second]).comparisons
    assert versus.result == compare(first, second)
    extra = evaluation(tmp_path / "more", GOOD, seed=50)  # on which the second was not measured
    (versus,) = summarise([named_first, named_second, extra]).comparisons
    assert versus.result == compare(first, second)


def test_pooled_comparison_sums_the_pairs_of_all_tasks(tmp_path: Path) -> None:
    named = [
        evaluation(tmp_path / f"{policy}-{task}", wins, policy=f"runs/{policy}", task=task)
        for policy, task, wins in (
            ("a", "pusht/state", BAD),
            ("a", "pusht/image", BAD),
            ("b", "pusht/state", GOOD),
            ("b", "pusht/image", BAD),
        )
    ]
    pooled, state, image = summarise(named).comparisons
    assert (pooled.task, state.task, image.task) == (None, "pusht/state", "pusht/image")
    assert pooled.result.pairs == 20 and pooled.result.only_second == 5 and pooled.result.only_first == 0
    assert pooled.result.success.estimate == pytest.approx(0.25)
    assert pooled.result.p_value == mcnemar(0, 5)
    assert image.result.success.low == image.result.success.high == 0


def test_settings_are_not_pooled(tmp_path: Path) -> None:
    """The same starts at five severities are not five times as many independent pairs."""
    named = [
        evaluation(
            tmp_path / f"{policy}-{severity}",
            wins,
            policy=f"runs/{policy}",
            options={"perturbation": "friction", "severity": severity},
        )
        for policy, wins in (("a", BAD), ("b", GOOD))
        for severity in (1, 2, 3)
    ]
    assert [(one.task, one.setting, one.result.pairs) for one in summarise(named).comparisons] == [
        ("pusht/state", f"friction {severity}", 10) for severity in (1, 2, 3)
    ]


def test_policies_over_tasks_are_those_that_all_were_measured_on(tmp_path: Path) -> None:
    named = [
        evaluation(tmp_path / f"{policy}-{task}", GOOD, policy=f"runs/{policy}", task=f"pusht/{task}")
        for policy, task in (("a", "state"), ("a", "image"), ("a", "keypoints"), ("b", "state"), ("b", "image"))
    ]
    aggregates = summarise(named).aggregates
    assert [one.policy for one in aggregates] == ["a", "b"]
    assert all(one.tasks == ("pusht/state", "pusht/image") for one in aggregates)
    assert all(one.success_iqm.estimate == pytest.approx(0.8) for one in aggregates)
    assert all(one.profile is None for one in aggregates), "scores say no more than success does"


def test_options_that_differ_are_settings_and_the_others_are_left_out(tmp_path: Path) -> None:
    named = [
        evaluation(tmp_path / f"{steps}", GOOD, options={"max_steps": steps, "render_size": 96}) for steps in (10, 20)
    ]
    results = summarise(named).results
    assert [result.setting for result in results] == ["max_steps=10", "max_steps=20"]


def perturbed(tmp_path: Path, how: str) -> list:
    """Two policies on two tasks at four severities of friction, unperturbed among them."""
    made = []
    for policy, loss in (("a", 1), ("b", 3)):
        for task in ("lift", "stack"):
            for severity in (0, 1, 3, 5):
                options = {
                    "both names": {"perturbation": "friction", "severity": severity},
                    "a mapping": {"perturbations": {"friction": severity}},
                    "severity 0 bare": {"perturbation": "friction", "severity": severity} if severity else {},
                }[how]
                wins = 18 - loss * severity
                made.append(
                    evaluation(
                        tmp_path / f"{policy}{task}{severity}",
                        [True] * wins + [False] * (20 - wins),
                        policy=f"runs/{policy}",
                        task=f"twin/{task}",
                        options=options,
                    )
                )
    return made


@pytest.mark.parametrize("how", ["both names", "a mapping", "severity 0 bare"])
def test_severities_make_a_curve_for_each_policy_and_task_and_over_tasks(tmp_path: Path, how: str) -> None:
    curves = {(one.policy, one.task): one for one in summarise(perturbed(tmp_path, how)).robustness}
    assert set(curves) == {(policy, task) for policy in "ab" for task in ("twin/lift", "twin/stack", None)}
    assert {one.perturbation for one in curves.values()} == {"friction"}
    lift, both = curves["b", "twin/lift"].curve, curves["b", None].curve
    assert [point.severity for point in lift.points] == [0, 1, 3, 5]
    assert [point.successes for point in lift.points] == [18, 15, 9, 3]
    assert [point.episodes for point in both.points] == [40] * 4
    assert lift.area is not None and both.area is not None
    assert lift.area.estimate == pytest.approx((16.5 + 2 * 12 + 2 * 6) / 20 / 5) == both.area.estimate
    assert both.area.high - both.area.low < lift.area.high - lift.area.low, "more episodes say more"


def test_perturbations_of_different_severity_at_once_are_no_curve(tmp_path: Path) -> None:
    named = [
        evaluation(tmp_path / f"{mass}", GOOD, options={"perturbations": {"friction": 2, "mass": mass}})
        for mass in (1, 3)
    ]
    summary = summarise(named)
    assert [result.perturbation for result in summary.results] == ["friction+mass"] * 2
    assert [result.severity for result in summary.results] == [None, None] and not summary.robustness


def test_same_evaluations_give_the_same_summary(tmp_path: Path) -> None:
    named = perturbed(tmp_path, "both names")
    assert summarise(named) == summarise(named)
