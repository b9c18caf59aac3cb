"""The page of a running graph, for the person who drives and records: cameras, robot, state; nothing commands.

Subscriptions, drawing and words are parts in `real.page`, the server is a thread of its own. What is left here is when
what is shown is made anew.

The token of the page comes from the environment (`TILLER_PAGE_TOKEN`), from the parameter `token`, or is made here.
Only one that is made here is printed.
"""

from __future__ import annotations

import os
import time
from typing import Sequence

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage

from real.page.drawing import PageDrawing
from real.page.memory import keep_freed_memory
from real.page.reading.pictures import encoded, passes
from real.page.reading.polling import Taken
from real.page.reading.raw_image import read_packed
from real.page.reading.subscriptions import PageSubscriptions
from real.page.serving.access import Access, new_token, require_token
from real.page.serving.feed import Channel, Feed, Kind
from real.page.serving.live import LivePages
from real.page.serving.server import PageServer, listening, page_address
from real.page.telling.view import PageView
from real.page.telling.words import Keys
from real.process.parameters import declare
from real.process.run import run_node
from real.ros import qos
from real.ros.clock import RosClock
from real.ros.guarded import Guarded
from real.ros.reading import Refusal
from real.ros.signals import ERROR, OK, status_message
from real.ros.streams import read_image, stamp_ns_of
from robot.contract.loading import describe, load_contract
from robot.errors import InputError

TOKEN = "TILLER_PAGE_TOKEN"
PORT = 8765
STATE_S, STATUS_S = 0.2, 0.5
LEFT_S = 3.0  # after the last page, for which cameras are still read: a page that is loaded anew comes back


class PageNode(Guarded):
    """The page's process.

    Topics: in, the contract's states, its cameras while a page is open, `gate/state`, `gate/sent`, `status`,
    `enable_held`, `recorder/state`, `twin/scene`, `twin/poses`; out, `status` alone.
    """

    def __init__(self) -> None:
        super().__init__("page")
        keep_freed_memory()
        contract = load_contract(declare(self, "contract", "panda_twin", "name or file of the robot's contract"))
        host = declare(self, "host", "127.0.0.1", "address on which the page is served")
        port = declare(self, "port", PORT, "on which it is served; 0 takes a free one", low=0, high=65535)
        given = declare(self, "token", "", f"of the page; empty takes {TOKEN}, or makes one")
        max_fps = declare(self, "max_fps", 15.0, "images of each camera per second, at most", low=1.0, high=60.0)
        self._width = declare(self, "width", 320, "of images, px at most", low=16, high=4096)
        self._height = declare(self, "height", 240, "of images, px at most", low=16, high=4096)
        device = declare(self, "device", "keyboard", "of the person who drives; names its keys")
        bindings = declare(self, "bindings", "", "name or file of what the keys do; empty is the device's own")
        self._contract = contract
        self._feed = Feed()
        self._drawing = PageDrawing(describe(contract), self._feed)
        self._view = PageView(contract, Keys.of(device, bindings))
        self._page_subscriptions = PageSubscriptions(self, contract, self._view, self._drawing.world)
        self._clock_ = RosClock(self)
        self._status = self.create_publisher(DiagnosticArray, "status", qos.STATUS)
        self._viewed_s = float("-inf")
        self._frames = 0
        # The environment of a process can be read by its user alone, its command line by everybody.
        inherited = os.environ.pop(TOKEN, "")
        token = require_token(given or inherited) if given or inherited else new_token()
        listener = listening(host, port)
        port = listener.getsockname()[1]
        self._server = PageServer(listener, Access(token, host, port), LivePages(self._feed, max_fps).site)
        self._server.start()
        if self._server.error:
            raise InputError("page", expected="a server that starts", got=self._server.error)
        self._address = page_address(host, port)
        print(f"page: {self._address}{'' if given or inherited else f'#{token}'}", flush=True)
        if self._drawing.problem:
            self.get_logger().warning(f"the robot is not drawn: {self._drawing.problem}")
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0 / max_fps, self._show, clock=steady)
        self.create_timer(STATE_S, self._tell, clock=steady)
        self.create_timer(STATUS_S, self._report, clock=steady)

    def on_stop(self) -> None:
        """End the server."""
        self._server.stop()
        self._page_subscriptions.close()

    def _show(self) -> None:
        """Images and poses, while somebody looks."""
        now_s = time.monotonic()
        if self._feed.viewers:
            self._viewed_s = now_s
        self._page_subscriptions.watch(now_s - self._viewed_s < LEFT_S)
        if not self._feed.viewers:
            return
        for number, name in enumerate(self._contract.cameras):
            self._show_image(number, name)
        self._drawing.move(self._page_subscriptions.joints())
        poses = self._page_subscriptions.poses()
        if poses is not None:
            refusal = self._drawing.world_moves(poses.data)
            if refusal is not None:
                self.refuse("twin/poses", refusal)
        self._feed.wake()

    def _show_image(self, number: int, name: str) -> None:
        taken = self._page_subscriptions.image(name)
        if taken is None:
            return
        stream = self._contract.state[name]
        try:
            found = self._compressed(taken) if stream.compressed else self._raw(taken)
        except Exception as error:  # bytes that passed as a message, and are no image all the same
            found = Refusal(f"{type(error).__name__}: {error}")
        if isinstance(found, Refusal):
            self.refuse(stream.topic, found)
            return
        body, stamp_ns = found
        self._feed.publish(Channel(Kind.CAMERA, number), body, stamp_ns)
        self._frames += 1

    def _raw(self, taken: Taken) -> tuple[bytes, int] | Refusal:
        """A JPEG of a raw image, and its stamp."""
        found = read_packed(taken.packed)
        if isinstance(found, Refusal):
            return found
        return encoded(found[0], self._width, self._height), found[1]

    def _compressed(self, taken: Taken) -> tuple[bytes, int]:
        """A JPEG as it came, or one of what else a compressed image is."""
        message = deserialize_message(taken.packed, CompressedImage)
        body = bytes(message.data)
        if not passes(body):
            body = encoded(read_image(message), self._width, self._height)
        return body, stamp_ns_of(message)

    def _tell(self) -> None:
        """The state in words."""
        if self._feed.viewers:
            self._page_subscriptions.look()
            self._feed.publish(Channel(Kind.STATE), self._view.text(time.monotonic()))

    def _report(self) -> None:
        numbers = {"pages": self._feed.viewers, "frames": self._frames, **self.tally.numbers()}
        level, text = OK, f"served at {self._address}"
        if self._server.error:
            level, text = ERROR, f"the server has ended: {self._server.error}"
        elif self.tally.errors or self._server.faults.count:
            level, text = ERROR, f"{text}; failed: {self.tally.last or self._server.faults.last}"
        self._status.publish(status_message("page", level, text, numbers, self._clock_.now_ns()))


def main(args: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run_node(PageNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
