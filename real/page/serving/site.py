"""What a server of a page serves: files, requests that need a session, and what begins and ends with it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Awaitable, Callable, Mapping

from aiohttp import web

from real.page.serving.files import PageFile

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LARGEST_BODY = 1024  # bytes of a request, enough for a token


@dataclass(frozen=True)
class Route:
    """Requests of one path and method. They are answered to who has a session, and to nobody else.

    Args:
        path: as it stands in an address.
        answer: called on the server's loop, which it must not keep busy.
        method: GET, or one that changes something.
        origin_needed: whether also a GET has to say that it comes from the page itself.
    """

    path: str
    answer: Handler
    method: str = "GET"
    origin_needed: bool = False


def _nothing(loop: asyncio.AbstractEventLoop) -> None:
    pass


async def _no_end() -> None:
    pass


@dataclass(frozen=True)
class Site:
    """All that is served at one address.

    Args:
        files: path -> file, for everybody who can reach the server.
        routes: for who has a session.
        begin: called on the server's thread before the first request.
        end: called there after the last one, to send away who is still connected.
        largest_body: bytes of a request.
    """

    files: Mapping[str, PageFile]
    routes: tuple[Route, ...]
    begin: Callable[[asyncio.AbstractEventLoop], None] = _nothing
    end: Callable[[], Awaitable[None]] = _no_end
    largest_body: int = LARGEST_BODY
