"""Energy: a budget, a ledger that is exact, and filters that keep a controller within the budget."""

from robot.safety.energy.budget import Budget, budget_names, load_budget
from robot.safety.energy.ledger import EnergyLedger, LedgerRow, SupplyEvent
from robot.safety.energy.setpoint.filter import SetpointFilter, SetpointResult
from robot.safety.energy.tank import REASONS
from robot.safety.energy.torque.filter import TorqueFilter, TorqueResult
from robot.safety.energy.torque.kernel import worst_case

__all__ = [
    "REASONS",
    "Budget",
    "EnergyLedger",
    "LedgerRow",
    "SetpointFilter",
    "SetpointResult",
    "SupplyEvent",
    "TorqueFilter",
    "TorqueResult",
    "budget_names",
    "load_budget",
    "worst_case",
]
