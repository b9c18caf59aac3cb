"""The server of a page, in a thread of its own: files, a session for a token, and requests for who has one.

What its process does never waits for it, and its end ends nothing else.
"""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress
from threading import Event, Thread
from typing import Any

from aiohttp import web

from real.page.serving.access import Access
from real.page.serving.faults import ServerFaults
from real.page.serving.site import Handler, Route, Site
from robot.errors import InputError

MOST_CONNECTIONS = 64
FIRST_REQUEST_S = 5.0  # within which a connection has to ask for something
KEEP_ALIVE_S = 15.0
BODY_S = 5.0
LONGEST_LINE, LONGEST_HEADER, MOST_HEADERS = 2048, 4096, 64
SEND_BUFFER = 256 << 10  # of the system: what waits there is old when it is read
START_S, STOP_S = 5.0, 3.0

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "tiller",
}


def page_address(host: str, port: int) -> str:
    """The address of a page, without its token."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
        host: an address of this machine, or a name of one.
        port: 0 takes a free one.

    Raises:
        InputError: the host is none of this machine's, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            listener.bind(address)
            listener.listen(MOST_CONNECTIONS)
        except OSError:
            listener.close()
            raise
    except (OSError, UnicodeError, OverflowError) as error:
        raise InputError(
            f"page at {host}, port {port}",
            expected="an address of this machine and a port that is free",
            got=getattr(error, "strerror", None) or str(error),
            way_out="port=0 takes a free port",
        ) from None
    return listener


class PageServer:
    """Serves the page until it is stopped.

    Args:
        listener: of `listening`; this takes it over.
        access: who may look.
        site: what is served.

    Attributes:
        error: why it ended by itself; empty while it has not.
        faults: what failed in it.
    """

    def __init__(self, listener: socket.socket, access: Access, site: Site) -> None:
        self._listener, self._access, self._site = listener, access, site
        self._with_origin = {route.path for route in site.routes if route.origin_needed}
        self._silent: set[Any] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started = Event()
        self.error, self.faults = "", ServerFaults()
        self._thread = Thread(target=self._run, name="page", daemon=True)

    def start(self) -> None:
        """Start the thread; returns when requests are answered."""
        self._thread.start()
        self._started.wait(START_S)

    def stop(self) -> None:
        """End the thread, and tell the pages."""
        if self._loop is not None and self._stop is not None:
            with suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_S)

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"
        finally:
            self._started.set()
            self._listener.close()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(middlewares=[self._guard], client_max_size=self._site.largest_body)
        app.on_response_prepare.append(_add_headers)
        app.router.add_get("/session", self._known)
        app.router.add_post("/session", self._enter)
        for route in self._site.routes:
            app.router.add_route(route.method, route.path, self._for_session(route))
        for path in self._site.files:
            app.router.add_get(path, self._file)
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=self.faults.logger,
            keepalive_timeout=KEEP_ALIVE_S,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_HEADER,
            max_headers=MOST_HEADERS,
            lingering_time=1.0,
            handler_cancellation=True,
        )
        await runner.setup()
        server = await self._loop.create_server(lambda: self._protocol(runner), sock=self._listener)
        self._site.begin(self._loop)
        self._started.set()
        try:
            await self._stop.wait()
        finally:
            server.close()
            await self._site.end()
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_S / 2):
                    await runner.cleanup()

    def _protocol(self, runner: web.AppRunner) -> asyncio.Protocol:
        """What reads a new connection: nothing, when there are too many."""
        assert runner.server is not None and self._loop is not None
        if len(runner.server.connections) >= MOST_CONNECTIONS:
            return _Refusing()
        protocol = runner.server()
        self._silent.add(protocol)
        self._loop.call_later(FIRST_REQUEST_S, self._hurry, protocol)
        return protocol

    def _hurry(self, protocol: Any) -> None:
        """Drop a connection that has not asked for anything: aiohttp waits for ever for the end of a first header."""
        if protocol in self._silent:
            self._silent.discard(protocol)
            if protocol.transport is not None:
                protocol.transport.abort()

    # -- requests -----------------------------------------------------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in what comes from the page itself, whatever it asks for."""
        self._silent.discard(request.protocol)
        hosts, origins = request.headers.getall("Host", []), request.headers.getall("Origin", [])
        local = request.get_extra_info("sockname")
        host = hosts[0] if len(hosts) == 1 else ""
        if local is None or not self._access.host_allowed(host, local[0]):
            raise web.HTTPMisdirectedRequest(text="this address is not the page's: open the one that was printed\n")
        needed = request.method != "GET" or request.path in self._with_origin
        origin = origins[0] if origins else None
        if len(origins) > 1 or not self._access.origin_allowed(origin, host, needed):
            raise web.HTTPForbidden(text="requests of other pages are refused\n")
        # A link on another site may lead here, and shows the page's files at most.
        linked = request.path in self._site.files and request.headers.get("Sec-Fetch-Mode") == "navigate"
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and not linked:
            raise web.HTTPForbidden(text="requests of other pages are refused\n")
        return await handler(request)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        file = self._site.files[request.path]
        return web.Response(body=file.body, content_type=file.content_type, charset="utf-8")

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        """A session for the token."""
        attempts = self._access.attempts
        wait_s = attempts.wait_s(self._now_s)
        if wait_s > 0:
            return web.Response(
                status=429, headers={"Retry-After": str(int(wait_s) + 1)}, text="too many wrong tokens\n"
            )
        if not self._access.token_allowed(await _token(request)):
            attempts.failed()
            raise web.HTTPForbidden(text="another token than this page's: open the address that was printed\n")
        response = web.Response(status=204)
        response.set_cookie(self._access.cookie, self._access.session, path="/", httponly=True, samesite="Strict")
        return response

    async def _known(self, request: web.Request) -> web.StreamResponse:
        """Whether the browser has a session."""
        self._require_session(request)
        return web.Response(status=204)

    def _for_session(self, route: Route) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            self._require_session(request)
            return await route.answer(request)

        return answer

    def _require_session(self, request: web.Request) -> None:
        if not self._access.session_allowed(request.cookies.get(self._access.cookie, "")):
            raise web.HTTPUnauthorized(text="no session: open the address that was printed\n")

    @property
    def _now_s(self) -> float:
        assert self._loop is not None
        return self._loop.time()


class _Refusing(asyncio.Protocol):
    """Closes a connection at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


async def _token(request: web.Request) -> str:
    """The token in a body; empty where there is none to be read."""
    try:
        async with asyncio.timeout(BODY_S):
            record = json.loads(await request.text())
    except (ValueError, RecursionError, LookupError):
        return ""
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    token = record.get("token") if isinstance(record, dict) else None
    return token if isinstance(token, str) else ""


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
