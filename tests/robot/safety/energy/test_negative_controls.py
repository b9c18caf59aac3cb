"""The statements hold of our ledger and filter, and refuse what is known to be wrong: a check that nothing fails
checks nothing.
"""

from __future__ import annotations

import math
from typing import Any, Callable

import numpy as np
import pytest

from robot.safety.energy import Budget, EnergyLedger, TorqueFilter
from tests.robot.safety.energy import known_bad, statements
from tests.robot.safety.energy.statements import FIRST_J, PERIOD_S, RESERVE_J
from tests.robot.safety.energy.strategies import PATHS

WIDE = Budget(initial_j=FIRST_J, reserve_j=RESERVE_J, capacity_j=math.inf, power_w=math.inf)


class Ours:
    """Our ledger, as an account."""

    def __init__(self) -> None:
        self.ledger = EnergyLedger(WIDE, PERIOD_S)

    @property
    def level_j(self) -> float:
        return float(self.ledger.level_j[0])

    @property
    def supplied_j(self) -> float:
        return sum(event.joules for event in self.ledger.events)

    def reset(self) -> None:
        self.ledger.set_level(reason="reset")

    def close(self, wanted, applied, damping, velocity, before, after) -> None:
        self.ledger.close(applied, before, after)


def our_filter(path: str) -> statements.Filter:
    def apply(torque: np.ndarray, velocity: np.ndarray, level_j: float, acceleration: np.ndarray) -> np.ndarray:
        ledger = EnergyLedger(WIDE, PERIOD_S)
        ledger.set_level(level_j, reason="test")
        found: np.ndarray = TorqueFilter(ledger, acceleration, path=path).filter(torque, velocity).torque[0]
        return found

    return apply


ACCOUNTS = (
    statements.books_what_flowed,
    statements.makes_nothing_of_to_and_fro,
    statements.credits_only_what_was_realised,
    statements.tells_where_its_energy_comes_from,
)
FILTERS = (
    statements.stays_finite_and_inside,
    statements.an_empty_tank_still_brakes,
    statements.never_pulls_harder_than_asked,
)


@pytest.mark.parametrize("statement", ACCOUNTS, ids=lambda each: each.__name__)
def test_our_ledger_is_a_true_account(statement: Callable[[Any], None]):
    statement(Ours)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("statement", FILTERS, ids=lambda each: each.__name__)
def test_our_filter_is_a_sound_one(statement: Callable[[Any], None], path: str):
    statement(our_filter(path))


REFUSED = (
    (statements.books_what_flowed, known_bad.Rectangular),
    (statements.makes_nothing_of_to_and_fro, known_bad.RootState),
    (statements.books_what_flowed, known_bad.RootState),
    (statements.credits_only_what_was_realised, known_bad.CreditsWantedDamping),
    (statements.stays_finite_and_inside, known_bad.divides_by_speed),
    (statements.stays_finite_and_inside, known_bad.divides_by_speed_squared),
    (statements.never_pulls_harder_than_asked, known_bad.divides_by_speed),
    (statements.never_pulls_harder_than_asked, known_bad.divides_by_speed_squared),
    (statements.an_empty_tank_still_brakes, known_bad.fears_a_reversal),
    (statements.tells_where_its_energy_comes_from, known_bad.SilentReset),
    (statements.books_what_flowed, known_bad.ClampedAtNothing),
)


@pytest.mark.parametrize("statement, bad", REFUSED, ids=lambda each: each.__name__)
def test_what_is_known_to_be_wrong_is_refused(statement: Callable[[Any], None], bad: Any):
    with pytest.raises(AssertionError):
        statement(bad)


def test_a_bad_one_is_refused_for_its_own_fault_alone():
    """Each fails what it is there to fail, and passes the statements that it has no reason to fail."""
    statements.makes_nothing_of_to_and_fro(known_bad.Rectangular)
    statements.tells_where_its_energy_comes_from(known_bad.CreditsWantedDamping)
    statements.books_what_flowed(known_bad.SilentReset)
    statements.credits_only_what_was_realised(known_bad.SilentReset)
    statements.stays_finite_and_inside(known_bad.fears_a_reversal)
