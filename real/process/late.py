"""A service whose answer may be sent after its callback has returned.

An `async def` callback that awaits a future does that on the events executor. The single-threaded executor runs nothing
else of the node while one waits: it keeps the callback group, and is stepped instead of other work.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Callable

from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node


class LateService:
    """A service that its node answers when it is ready to.

    Args:
        node: whose it is.
        kind: of the service.
        name: of the service.
        asked: called with the request, the response to fill in, and a function that sends it: at once or later, once,
            on the node's thread.
    """

    def __init__(
        self, node: Node, kind: type, name: str, asked: Callable[[Any, Any, Callable[[], None]], None]
    ) -> None:
        self._asked, self._request = asked, None
        service = node.create_service(kind, name, self._came)
        self._send = service.send_response
        # Executors call it with what the callback returned, right after it.
        service.send_response = self._send_later  # type: ignore[method-assign]

    def _came(self, request: Any, response: Any) -> Any:
        self._request = request
        return response

    def _send_later(self, response: Any, header: Any) -> None:
        def answer() -> None:
            # The client is gone, or the node is.
            with suppress(rclpy_implementation.RCLError, rclpy_implementation.InvalidHandle):
                self._send(response, header)

        self._asked(self._request, response, answer)
