"""A server of the page without ROS, and raw requests to it."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import Iterator

import aiohttp

from real.page.serving.access import Access, new_token
from real.page.serving.feed import Channel, Feed, Kind
from real.page.serving.live import LivePages
from real.page.serving.server import PageServer, listening

FPS = 50.0


class Served:
    """A running server, with a state in its feed."""

    def __init__(self) -> None:
        listener = listening("127.0.0.1", 0)
        self.port = listener.getsockname()[1]
        self.token, self.feed = new_token(), Feed()
        self.access = Access(self.token, "127.0.0.1", self.port)
        self.server = PageServer(listener, self.access, LivePages(self.feed, FPS).site)
        self.feed.publish(Channel(Kind.STATE), b'{"banner": {}}')
        self.server.start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def show(self, number: int, body: bytes) -> None:
        """Publish an image."""
        self.feed.publish(Channel(Kind.CAMERA, number), body)
        self.feed.wake()

    def raw(self, request: str | bytes, hang_up: bool = False) -> str:
        """The answer to a request as it stands, until the server closes; `hang_up` closes this end of it before."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5.0) as connection:
            connection.sendall(request.encode() if isinstance(request, str) else request)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            try:
                while part := connection.recv(1 << 16):
                    answer += part
            except ConnectionResetError:
                pass
            return answer.decode("latin-1")

    def get(self, path: str, host: str = "", *headers: str, method: str = "GET", body: str = "") -> str:
        """The answer to a request with a `Host` and further headers."""
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {host or f'127.0.0.1:{self.port}'}",
            "Connection: close",
            *headers,
        ]
        if body:
            lines += [f"Content-Length: {len(body)}", "Content-Type: application/json"]
        return self.raw("\r\n".join(lines) + "\r\n\r\n" + body)

    def client(self) -> aiohttp.ClientSession:
        """A browser's part, with the cookie."""
        return aiohttp.ClientSession(headers={"Origin": self.origin, "Cookie": self.cookie})

    @property
    def cookie(self) -> str:
        return f"{self.access.cookie}={self.access.session}"

    @property
    def alive(self) -> bool:
        """Whether it still answers, and nothing of it failed."""
        return not self.server.error and not self.server.faults.count and status(self.get("/")) == 200


def status(answer: str) -> int:
    """The status of an answer; 0 for none."""
    return int(answer.split(" ", 2)[1]) if answer else 0


@contextmanager
def served() -> Iterator[Served]:
    found = Served()
    try:
        yield found
    finally:
        found.server.stop()
