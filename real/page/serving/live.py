"""The site of a running graph: the page's files, and a socket with the newest of everything. Nothing commands."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from real.page.serving.feed import Feed
from real.page.serving.files import page_files
from real.page.serving.site import Route, Site
from real.page.serving.socket import PageSocket

MOST_PAGES = 4


class LivePages:
    """The pages that look at a feed.

    Args:
        feed: what is shown.
        max_fps: at which the feed is published to.
    """

    def __init__(self, feed: Feed, max_fps: float) -> None:
        self._feed, self._max_fps = feed, max_fps
        self._pages: set[PageSocket] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def site(self) -> Site:
        """What a server serves of them."""
        socket = Route("/socket", self._socket, origin_needed=True)
        return Site(page_files(), (socket,), self._begin, self._end)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._feed.woken = self._wake

    async def _end(self) -> None:
        await asyncio.gather(*(page.end("the page's process has ended") for page in self._pages))

    def _wake(self) -> None:
        """Have the pages look at the feed; called on another thread."""
        assert self._loop is not None
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        for page in self._pages:
            page.wake()

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        page = PageSocket(self._feed, self._max_fps)
        if len(self._pages) >= MOST_PAGES:
            return await page.refuse(request, f"{MOST_PAGES} pages are open already: close one")
        self._pages.add(page)
        try:
            return await page.serve(request)
        finally:
            self._pages.discard(page)
