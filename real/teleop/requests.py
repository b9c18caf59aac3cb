"""What a person asks other nodes for: the gate's and the recorder's services, and what they answer."""

from __future__ import annotations

import time
from typing import Any, Callable

from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from real.ros import qos
from real.ros.guarded import Guarded
from real.ros.reading import Refusal
from real.ros.recorder_state import RecorderState, read_recorder

# Event -> service; the gate's enable and the recorder's pause and label take a boolean.
SERVICES = {
    "enable": "gate/enable",
    "reset": "gate/reset",
    "start": "recorder/start",
    "save": "recorder/save",
    "discard": "recorder/discard",
    "success": "recorder/label",
    "failure": "recorder/label",
    "pause": "recorder/pause",
}
BOOLEAN = ("gate/enable", "recorder/label", "recorder/pause")
AGAIN_S = 60.0  # in which a recorder has to be ready after a discarded take, or `redo` is given up
SILENT_S = 3.0  # after the last message of a recorder, which sends two a second, there is none


class Requests:
    """The services of gate and recorder, called without waiting.

    Args:
        node: that calls them.

    Attributes:
        answer: the newest answer, for a person.
    """

    def __init__(self, node: Guarded) -> None:
        self._node, self.answer = node, ""
        self._clients: dict[str, Any] = {
            name: node.create_client(SetBool if name in BOOLEAN else Trigger, name) for name in set(SERVICES.values())
        }
        self._state: RecorderState | None = None
        self._state_s = self._redo_until_s = float("-inf")
        node.create_subscription(String, "recorder/state", self._state_came, qos.LATCHED)

    @property
    def recorder(self) -> RecorderState | None:
        """The recorder's newest state; None while there is none."""
        return self._state if time.monotonic() - self._state_s < SILENT_S else None

    def ask(self, event: str) -> None:
        """Do what an event asks for; another event than those of gate and recorder is none of this."""
        if event == "redo":
            self._call("redo", "recorder/discard", self._redo)
        elif event in SERVICES:
            self._redo_until_s = float("-inf")  # another wish of the person's
            self._call(event, SERVICES[event])

    def turn(self) -> None:
        """Start the take again that `redo` has discarded, once the recorder is ready."""
        if self._redo_until_s == float("-inf"):
            return
        recorder = self.recorder
        if recorder is not None and recorder.state == "ready":
            self._redo_until_s = float("-inf")
            self._call("redo", "recorder/start")
        elif time.monotonic() > self._redo_until_s or (recorder is not None and recorder.state == "failed"):
            self._redo_until_s = float("-inf")
            self.answer = "redo: discarded, and the recorder was not ready to start again"

    def _call(self, event: str, service: str, then: Callable[[], None] | None = None) -> None:
        client = self._clients[service]
        if not client.service_is_ready():
            self.answer = f"{event}: there is no {service.partition('/')[0]}"
            return
        if service in BOOLEAN:
            paused = self._state is not None and self._state.state == "paused"
            request: Any = SetBool.Request(data=not paused if event == "pause" else event != "failure")
        else:
            request = Trigger.Request()
        self.answer = f"{event} ..."
        client.call_async(request).add_done_callback(lambda future: self._answered(event, future, then))

    def _redo(self) -> None:
        self._redo_until_s = time.monotonic() + AGAIN_S

    def _answered(self, event: str, future: Any, then: Callable[[], None] | None) -> None:
        try:
            response = future.result()
        except Exception as error:
            self._node.failed(f"service for {event}", error)
            return
        said = ("ok", "refused")[not response.success]
        self.answer = f"{event}: {', '.join(each for each in (said, response.message) if each)}"
        self._node.get_logger().info(self.answer)
        if response.success and then is not None:
            then()

    def _state_came(self, message: String) -> Refusal | None:
        state = read_recorder(message.data)
        if isinstance(state, Refusal):
            return state
        self._state, self._state_s = state, time.monotonic()
        return None
