"""What the twin reports of itself: the state of its driver, and its arms' budgets of energy."""

from __future__ import annotations

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray

from real.ros import qos
from real.ros.guarded import Guarded
from real.ros.messages import epoch_frame
from real.ros.signals import ERROR, OK, WARN, status_message
from real.twin.publishers import TwinPublishers
from robot.contract.contract import Contract
from sim.drivers import Command, DrivenTwin
from sim.twin.energy import EnergyState, energy_info, energy_status

STATUS_S = 0.5
LEVELS = {"ok": OK, "warn": WARN, "error": ERROR}


class TwinReport:
    """Publishes both in steady time: also while the twin's time stands still.

    Args:
        node: the twin's.
        contract: of the robot; `status` is published where it gives its arms a budget.
        driven: the twin behind its drivers.
        publishers: of its states.
    """

    def __init__(self, node: Guarded, contract: Contract, driven: DrivenTwin, publishers: TwinPublishers) -> None:
        self._node, self._driven, self._publishers = node, driven, publishers
        self._streams = {name: each for name, each in contract.state.items() if each.type == "driver_state"}
        self._status = node.create_publisher(DiagnosticArray, "status", qos.STATUS) if driven.robot.budget else None
        self._status_due_ns = self._driver_due_ns = 0
        self._energy: EnergyState | None = None

    def publish(self, driver_state: str, epoch: int, stamp_ns: int, now_ns: int) -> None:
        """Publish what is due.

        Args:
            driver_state: `running`, or why the robot does not move.
            epoch: of the twin's time.
            stamp_ns: ROS's time of the twin.
            now_ns: monotonic.
        """
        if self._status is not None and now_ns >= self._status_due_ns:
            self._status_due_ns = now_ns + round(STATUS_S * 1e9)
            energy = self._driven.robot.energy
            level, text = energy_status(energy, self._energy)
            numbers = {name: f"{value:.4f}" for name, value in energy_info(energy).items()} | self._node.tally.numbers()
            self._energy = energy
            self._status.publish(status_message("twin", LEVELS[level], text, numbers, stamp_ns))
        for name, stream in self._streams.items():
            if now_ns >= self._driver_due_ns:
                self._driver_due_ns = now_ns + round(1e9 / stream.rate_hz)
                self._publishers.say(
                    name,
                    Command(np.zeros(1), (driver_state,), stamp_ns=stamp_ns, frame=epoch_frame(epoch)),
                    self._driven.now_ns,
                )
