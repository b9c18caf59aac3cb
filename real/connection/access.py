"""Whether a gate would follow this program, what prevents it, and how the program takes it over."""

from __future__ import annotations

import time
import warnings

import numpy as np

from real.connection.link import STARTING_S, Link
from real.connection.obstacles import PEOPLES, WAITING, differs, missing, obstacle
from robot.contract.contract import Contract
from robot.errors import TillerError
from robot.safety.gate.reasons import Reason

OTHER_S = 1.0  # after so long without a chunk another source counts as ended
HEARD_S = 0.5  # within which the gate's state follows its answer to a service
SETTLING_S = 1.0  # within which a twin's gate enables itself once nothing is missing
ACCEPT_S = 1.0  # within which the gate reports whether it accepts a chunk or a request


class GateAccess:
    """A program's hold on the gate of a graph that it has joined.

    Args:
        link: to the graph.
        contract: of the robot.
        namespace: of its topics.
    """

    def __init__(self, link: Link, contract: Contract, namespace: str) -> None:
        self._link, self._contract, self._namespace = link, contract, namespace
        self._subscriptions = link.subscriptions
        self._was_ready = False

    @property
    def state(self) -> str:
        """The gate's mode and reason, `run policy` or `hold no_chunk`; empty before its first message."""
        return self._subscriptions.line

    @property
    def target(self) -> np.ndarray:
        """See `RosRobot.target`."""
        self.require_there()
        if self._subscriptions.sent is None or time.monotonic() - self._subscriptions.sent_s > OTHER_S:
            raise TillerError(
                f"nothing comes on '{self._namespace}/gate/sent': the gate is {self.state}. "
                "robot.wait_until_ready() says what it lacks"
            )
        return self._subscriptions.sent.target.copy()

    def wait_until_ready(self, timeout: float = STARTING_S) -> None:
        """See `RosRobot.wait_until_ready`."""
        graph, deadline = self._link.graph, time.monotonic() + timeout

        def there() -> bool:
            return (
                not missing(self._subscriptions, self._contract, self._namespace)
                and self._subscriptions.sent is not None
            )

        def decided() -> bool:
            return (graph is not None and graph.ended) or (
                there() and (self._subscriptions.mode == "fault" or not self.obstacle(peoples=False))
            )

        while True:
            self._subscriptions.until(decided, deadline - time.monotonic())
            starting = graph is not None and not graph.ended and not self._was_ready
            if self._subscriptions.mode != "fault" or not there() or not starting or time.monotonic() > deadline:
                break
            # A twin that starts on a busy machine may pause until the gate faults; nobody has moved it yet.
            self._link.call("gate/reset")
            self._subscriptions.until(lambda: self._subscriptions.mode != "fault", ACCEPT_S)
            self._link.enable(True)
        self.require_there()
        problem = self.obstacle(peoples=False)
        if problem or self._subscriptions.sent is None:
            raise TillerError(problem or f"the gate has sent nothing in {timeout:g} s. It is {self.state}")
        other = differs(self._subscriptions, self._contract) if not self._was_ready else ""
        if other:
            warnings.warn(other, stacklevel=3)
        if self._contract.operator == "none" and not self._was_ready:
            self._subscriptions.until(lambda: self._subscriptions.reason is not Reason.NOT_ENABLED, SETTLING_S)
        self._was_ready = True

    def enable(self) -> None:
        """See `RosRobot.enable`."""
        self.require_there()
        if self._subscriptions.reason in (*PEOPLES, *WAITING):
            self._link.enable(False)  # releases a binding to another source and a block
            self._subscriptions.until(lambda: self._subscriptions.reason is Reason.NOT_ENABLED, HEARD_S)
        answer = self._link.enable(True)
        if not answer.success:
            raise TillerError(self.obstacle() or answer.message)
        self._link.seize()
        waiting = [reason for reason in PEOPLES if reason is not Reason.NOT_HELD]
        if not self._subscriptions.until(lambda: self._subscriptions.reason not in waiting, ACCEPT_S):
            raise TillerError(self.obstacle())

    def recover(self) -> None:
        """See `RosRobot.recover`."""
        self.require_there()
        if self._subscriptions.mode == "fault":
            self._link.call("gate/reset")
            if not self._subscriptions.until(lambda: self._subscriptions.mode != "fault", ACCEPT_S):
                raise TillerError(f"the cause of the fault is still there: {self.obstacle()}")
        self.enable()

    def stop(self) -> None:
        """See `RosRobot.stop`."""
        others = self.others()
        if self._subscriptions.mode == "run" or others:
            self._link.enable(False)
            if not others:
                self._link.enable(True)

    def require_there(self) -> None:
        """Check that the graph is there and that every stream of it publishes.

        Raises:
            TillerError: what is missing.
        """
        if self._link.graph is not None and self._link.graph.ended:
            raise TillerError(f"the robot's graph has ended: {self._link.graph.why()}")
        lacking = missing(self._subscriptions, self._contract, self._namespace)
        if lacking:
            raise TillerError(lacking)

    def obstacle(self, peoples: bool = True) -> str:
        """Why the gate does not follow this program, for people; empty when it does.

        Args:
            peoples: whether reasons that a person or the program can end at will count.
        """
        return obstacle(self._subscriptions, self._contract, () if peoples else PEOPLES)

    def others(self) -> bool:
        """Whether another source sends chunks."""
        return (
            self._subscriptions.sender not in ("", self._link.session)
            and time.monotonic() - self._subscriptions.sender_s < OTHER_S
        )

    def take(self) -> None:
        """Make the gate follow this program.

        A gate is bound to the source of the last chunk. It is taken over only where it follows nobody.
        """
        self.require_there()
        if self.others():
            raise TillerError(
                "another source sends chunks to this gate. End it, or stop it with robot.stop(), then robot.enable()"
            )
        problem = self.obstacle()
        if problem:
            raise TillerError(problem)
        if not self._link.bound:
            self.enable()
