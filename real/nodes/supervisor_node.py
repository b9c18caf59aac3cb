"""The sign of life that the gate needs, and the state of the whole graph in the terminal.

Without `alive` the gate holds the robot after 150 ms. So `~/stop` ceases it, and so does the end of this process: a
stop is the absence of a signal, which nothing can lose. It is no emergency stop.

Parameters: `contract`, `view` (page, lines, or auto: a page on a terminal).
"""

from __future__ import annotations

import secrets
import time
from functools import partial
from typing import Sequence

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from std_msgs.msg import Header, String
from std_srvs.srv import Trigger

from real.process.parameters import declare
from real.process.run import run_node
from real.ros import qos
from real.ros.clock import RosClock
from real.ros.guarded import Guarded
from real.ros.reading import Refusal, shown
from real.ros.signals import ERROR, OK, WARN, alive_message, status_message, status_of
from real.ros.streams import state_type
from real.supervision.board import BAD, GOOD, POOR, Board, line_of, page_of
from real.supervision.screen import Screen
from robot.contract.loading import load_contract

ALIVE_HZ = 50.0
PAGE_S, LINE_S, STATUS_S = 0.25, 10.0, 0.5
VIEWS = ("auto", "page", "lines")
LEVELS = {OK: GOOD, WARN: POOR, ERROR: BAD}


class SupervisorNode(Guarded):
    """The supervisor's process.

    Topics: out, `alive` (Header, 50 Hz), `status`; in, `status` of everybody, `gate/state`, and the contract's states
    but the images: they are many bytes, and a twin draws none that nobody looks at. Services: `~/stop` and `~/resume`
    (Trigger).
    """

    def __init__(self) -> None:
        super().__init__("supervisor")
        contract = load_contract(declare(self, "contract", "panda_twin", "name or file of the robot's contract"))
        view = declare(self, "view", "auto", "a page that is painted over, or lines", choices=VIEWS)
        self._title = f"{contract.name}   {self.get_namespace()}"
        self._clock_ = RosClock(self)
        self._session = secrets.token_hex(4)
        self._stopped = False
        self._alive_count = 0
        streams = {name: stream for name, stream in contract.policy_streams.items() if not stream.is_camera}
        self._board = Board({name: stream.ages(contract.staleness) for name, stream in streams.items()})
        self._screen = Screen()
        self._paged = view == "page" or (view == "auto" and self._screen.is_terminal)
        self._alive = self.create_publisher(Header, "alive", qos.STATE_OUT)
        self._status = self.create_publisher(DiagnosticArray, "status", qos.STATUS)
        for name, stream in streams.items():
            # Raw: only that it came is of interest, and two hundred messages a second are not unpacked for that.
            self.create_subscription(
                state_type(stream), stream.topic, partial(self._stream_came, name), qos.STATE, raw=True
            )
        self.create_subscription(DiagnosticArray, "status", self._status_came, qos.STATUS)
        self.create_subscription(String, "gate/state", self._state_came, qos.LATCHED)
        self.create_service(Trigger, "~/stop", self._stop_service)
        self.create_service(Trigger, "~/resume", self._resume_service)
        # Steady: signs of life continue while a twin's time is paused.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1 / ALIVE_HZ, self._live, clock=steady)
        self.create_timer(STATUS_S, self._report, clock=steady)
        self.create_timer(PAGE_S if self._paged else LINE_S, self._show, clock=steady)

    def on_stop(self) -> None:
        self._screen.close(line_of(self._board, time.monotonic(), "no more sign of life") if self._paged else "")

    # -- sign of life -------------------------------------------------------------------------------------------------

    def _live(self) -> None:
        if not self._stopped:
            self._alive.publish(alive_message(self._clock_.now_ns(), self._session))
            self._alive_count += 1

    def _others(self) -> int:
        """Number of other publishers of `alive`: with one of them, silence here stops nothing."""
        return self.count_publishers(self.resolve_topic_name("alive")) - 1

    def _stop_service(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._stopped = True
        others = self._others()
        response.success = others <= 0
        response.message = (
            "the sign of life has ended: the gate holds the robot"
            if response.success
            else f"the sign of life has ended here, and {others} more on 'alive' keep the gate running: end them"
        )
        self._show()
        return response

    def _resume_service(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._stopped
        response.message = "the robot may move again" if self._stopped else "it was not stopped"
        self._stopped = False
        self._show()
        return response

    # -- subscriptions ------------------------------------------------------------------------------------------------

    def _stream_came(self, name: str, message: bytes) -> None:
        self._board.stream(name, time.monotonic())

    def _status_came(self, message: DiagnosticArray) -> Refusal | None:
        for name, (level, text, values) in status_of(message).items():
            if name != "supervisor" and not self._board.status(
                name, LEVELS.get(level, BAD), text, values, time.monotonic()
            ):
                return Refusal(f"a status of {shown(name)}: the board is full")
        return None

    def _state_came(self, message: String) -> None:
        if self._board.state(message.data, time.monotonic(), time.strftime("%H:%M:%S")):
            self._show()

    # -- what is shown ------------------------------------------------------------------------------------------------

    def _alive_text(self) -> str:
        if self._stopped:
            return "STOPPED here: no sign of life; ~/resume goes on"
        others = self._others()
        return f"{others} more publish 'alive': a stop here stops nothing" if others > 0 else "alive"

    def _show(self) -> None:
        now_s = time.monotonic()
        if self._paged:
            self._screen.page(
                page_of(self._board, now_s, f"{self._title}   {time.strftime('%H:%M:%S')}", self._alive_text())
            )
        else:
            self._screen.line(line_of(self._board, now_s, self._alive_text()))

    def _report(self) -> None:
        level, text = (WARN, "stopped") if self._stopped else (OK, "alive")
        if not self._stopped and self._others() > 0:
            level, text = ERROR, self._alive_text()
        elif self.tally.errors:
            level, text = ERROR, f"{text}; failed: {self.tally.last}"
        numbers = {"alive": self._alive_count, **self.tally.numbers()}
        self._status.publish(status_message("supervisor", level, text, numbers, self._clock_.now_ns()))


def main(args: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run_node(SupervisorNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
