"""Which streams of a twin are due: each at its rate, or at that of the slowest driver that measures it."""

from __future__ import annotations

from robot.contract.contract import Contract
from robot.contract.loading import stream_names
from sim.drivers.driven import DrivenTwin


class StreamSchedule:
    """Moments at which streams are published, in the time of the faults.

    Args:
        contract: of the robot.
        driven: the twin with its drivers.
    """

    def __init__(self, contract: Contract, driven: DrivenTwin) -> None:
        self._contract, self._driven = contract, driven
        self._due_ns: dict[str, int] = {}

    def reset(self) -> None:
        """Make everything due: time begins anew."""
        self._due_ns = {}

    def is_due(self, name: str, now_ns: int) -> bool:
        """Whether a stream is to be published now; it is due again a period later."""
        rate_hz = min([self._contract.state[name].rate_hz, *self._driver_rates(name)])
        due_ns = self._due_ns.get(name, now_ns)
        if now_ns < due_ns:
            return False
        # The next by the schedule; what was missed altogether is not made up for, and no state is published twice.
        self._due_ns[name] = max(due_ns + round(1e9 / rate_hz), now_ns + 1)
        return True

    def _driver_rates(self, name: str) -> list[float]:
        """How often the drivers measure whose joints a stream has."""
        joints = set(stream_names(self._contract, name))
        return [
            port.driver.state_hz
            for port in self._driven.ports.values()
            if port.driver.state_hz and joints & set(port.fields)
        ]
