"""Settings, choices and pairs, in small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.loading.load import load
from policies.steering.by_noise.ticket import Ticket
from policies.steering.by_noise.tickets import ZERO, Candidate
from sim.statistics.records import EpisodeRecord, Latency
from tests.tiller.conftest import CAR
from tiller.steering.bench import Cost
from tiller.steering.deadline import Deadline, OutOfTime
from tiller.steering.free import Execution, Measured, Setting, best_scale, free_settings, picked
from tiller.steering.promotion import LEAST, MOST, batch_of, counted
from tiller.steering.rung import Rung
from tiller.steering.tickets import TicketBench


def episode(success: bool) -> EpisodeRecord:
    return EpisodeRecord(0, 0.0, 0.0, 0.0, success, 1, True, False, Latency(1, 0.0, 0.0, 0.0))


def measured(rung: Rung, **successes: int) -> list[Measured]:
    """Scales, written s025 for .25, by their successes."""
    made = []
    for name, count in successes.items():
        scale = int(name[1:]) / 100
        setting = Setting(
            "base" if scale == 1 else f"noise_scale {scale:g}", {"name": "noise_scale", "noise_scale": scale}
        )
        made.append(Measured(setting, rung, count, 10, Cost()))
    return made


def test_noises_side_by_side_do_as_each_does_alone(car_policies: list[Path]) -> None:
    policy, options = load(car_policies[0]), {"max_steps": 16, "success_return": -0.8}
    bench, starts = TicketBench(policy, CAR, options, None, workers=1), range(600_000, 600_006)
    candidates = [ZERO, Candidate(0, 1.0), Candidate(1, 1.0), Candidate(2, 2.0)]
    together = bench(candidates, starts)
    assert bench.steps == together.size * 16
    alone = [bench.success(Ticket(policy, each.seed, each.scale), starts) for each in candidates]
    assert (together == np.stack(alone)).all() and 0 < together.mean() < 1
    assert bench(candidates, ()).shape == (4, 0)


def test_the_policys_own_steps_and_rows_are_not_tried_again() -> None:
    names = [each.name for each in free_settings(3, 8, others=(3, 5, 10), other_rows=(4, 8))]
    assert names[0] == "base" and names[-4:] == ["medoid of 16", "steps 5", "steps 10", "rows 4"]


def test_the_scale_to_collect_by_is_above_zero_even_where_zero_is_best(car_policies: list[Path]) -> None:
    rung = Rung("base", load(car_policies[0]), car_policies[0])
    assert best_scale(measured(rung, s100=4, s0=9, s25=6, s50=7, s75=7)) == (0.5, True)
    assert best_scale(measured(rung, s100=8, s0=8, s25=6)) == (1.0, False)
    assert picked(measured(rung, s100=8, s0=8)).setting.name == "base"


def test_rungs_are_the_same_where_they_act_alike(car_policies: list[Path], tmp_path: Path) -> None:
    policy, run, plain = load(car_policies[0]), car_policies[0], Execution()

    def rung(name: str, steering: dict[str, object] | None) -> Rung:
        return Rung(name, Setting(name, steering).around(policy, plain), run)

    zero = rung("zero", {"name": "noise_scale", "noise_scale": 0.0})
    assert zero.is_same(rung("ticket", {"name": "ticket", "seed": 3, "scale": 0.0}))
    assert not zero.is_same(rung("ticket", {"name": "ticket", "seed": 3, "scale": 0.5}))
    assert rung("base", None).is_same(rung("one", {"name": "noise_scale", "noise_scale": 1.0}))
    assert not zero.is_same(Rung("other", zero.policy, car_policies[1]))
    saved = load(rung("base", None).save(tmp_path / "saved"))
    assert saved.spec.sampler == policy.spec.sampler


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=50))
def test_pairs_are_counted_by_who_succeeded(won: list[tuple[bool, bool]]) -> None:
    pairs = counted([episode(one) for one, _ in won], [episode(two) for _, two in won])
    assert pairs.count == len(won)
    assert pairs.only_new - pairs.only_old == sum(two for _, two in won) - sum(one for one, _ in won)


@given(st.integers(0, 10_000))
def test_batches_grow_with_the_pairs(done: int) -> None:
    assert LEAST <= batch_of(done) <= batch_of(done + LEAST) <= MOST


def test_time_that_was_spent_before_counts() -> None:
    deadline = Deadline(1.0)
    deadline.check()
    deadline.add(61)
    assert deadline.over and deadline.left_s == 0
    with pytest.raises(OutOfTime):
        deadline.check()
    assert not Deadline(None).over
