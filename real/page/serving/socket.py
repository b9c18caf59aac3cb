"""One page's WebSocket: rounds of what is new, as fast as the page shows them and never faster.

Two rounds may be on their way. Only when the page has answered the older of them is the next one made, of what is
newest at that moment: a slow page gets fewer frames, and none that is old.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import WSCloseCode, WSMsgType, web

from real.page.serving.feed import Channel, Feed
from real.page.serving.rounds import ANSWER, pack_round

WINDOW = 2  # rounds on their way
PATIENCE_S = 10.0  # for which a page may be silent while rounds wait for it
LEAST_PERIOD = 0.5  # of that of `max_fps`, between two rounds
HEARTBEAT_S = 5.0
LARGEST_MESSAGE = 64  # bytes; an answer has four
MESSAGES = 4.0  # of a page, per round that it could have been sent
CLOSE_S = 1.0
FULL, ENDING = 4001, 4002  # codes of the application: too many pages, the process ends


class PageSocket:
    """Serves one page until it leaves or is sent away.

    Args:
        feed: what is shown.
        max_fps: at which the feed is published to.
    """

    def __init__(self, feed: Feed, max_fps: float) -> None:
        self._feed, self._period_s = feed, 1.0 / max_fps
        self._sent = self._answered = 0
        self._answer, self._news = asyncio.Event(), asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S,
            autoping=False,  # pings of a page are counted as its other messages are
            compress=False,
            max_msg_size=LARGEST_MESSAGE,
            timeout=CLOSE_S,
        )

    async def refuse(self, request: web.Request, reason: str) -> web.WebSocketResponse:
        """Send the page away; it can read why, as it could not from a status of HTTP."""
        await self._socket.prepare(request)
        await self._close(FULL, reason)
        return self._socket

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Serve the page of a request."""
        await self._socket.prepare(request)
        self._transport = request.transport
        self._feed.joined()
        sender = asyncio.ensure_future(self._send())
        try:
            await self._receive()
        finally:
            self._feed.left()
            sender.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await sender
            self._abort()
        return self._socket

    def wake(self) -> None:
        """Look at the feed."""
        self._news.set()

    async def end(self, reason: str) -> None:
        """Close the socket because this process ends."""
        await self._close(ENDING, reason)

    async def _send(self) -> None:
        loop, seen = asyncio.get_running_loop(), dict[Channel, int]()
        self._news.set()
        try:
            while not self._socket.closed:
                await self._news.wait()
                self._news.clear()
                began_s = loop.time()
                async with asyncio.timeout(PATIENCE_S):
                    await self._room()
                    fresh = self._feed.newer(seen)
                    if fresh:
                        self._sent += 1
                        await self._socket.send_bytes(pack_round(self._sent, fresh))
                        seen.update((channel, entry.sequence) for channel, entry in fresh.items())
                # The publisher keeps the pace; this only keeps what it publishes apart in one round.
                await asyncio.sleep(max(began_s + self._period_s * LEAST_PERIOD - loop.time(), 0.0))
        except TimeoutError:
            # Its buffers are full: a farewell would wait as well.
            self._abort()
        except ConnectionError:
            pass

    async def _room(self) -> None:
        while self._sent - self._answered >= WINDOW:
            self._answer.clear()
            await self._answer.wait()

    async def _receive(self) -> None:
        loop = asyncio.get_running_loop()
        most = MESSAGES / self._period_s
        left, at_s = most, loop.time()
        while True:
            message = await self._socket.receive()
            if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
                return
            now_s = loop.time()
            left, at_s = min(left + (now_s - at_s) * most, most) - 1.0, now_s
            if left < 0:
                await self._close(WSCloseCode.POLICY_VIOLATION, "too many messages")
                return
            if message.type is WSMsgType.PING:
                await self._socket.pong(message.data)
            elif message.type is WSMsgType.BINARY and len(message.data) == ANSWER.size:
                (number,) = ANSWER.unpack(message.data)
                if self._answered < number <= self._sent:
                    self._answered = number
                    self._answer.set()
            elif message.type is not WSMsgType.PONG:
                await self._close(WSCloseCode.POLICY_VIOLATION, "a page only answers rounds")
                return

    async def _close(self, code: int, reason: str) -> None:
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(CLOSE_S):
                await self._socket.close(code=code, message=reason.encode()[:120])

    def _abort(self) -> None:
        """Drop the connection with what waits in its buffers."""
        if self._transport is not None:
            self._transport.abort()
