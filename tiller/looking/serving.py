"""The process of the page: from the stores' paths to a server that runs until it is interrupted."""

from __future__ import annotations

import signal
import webbrowser
from contextlib import contextmanager
from threading import Event
from typing import Iterator, Sequence

from real.page.memory import keep_freed_memory
from real.page.serving.access import Access, new_token, require_token
from real.page.serving.server import PageServer, listening, page_address
from robot.errors import InputError
from tiller.looking.routes import Looking
from tiller.looking.snapshot import Shelf


@contextmanager
def served(paths: Sequence[str], host: str, port: int, token: str) -> Iterator[tuple[PageServer, str]]:
    """A server of a page of stores.

    Args:
        paths: of the stores.
        host, port: where; port 0 takes a free one.
        token: of the page.

    Returns:
        The server, and its address without the token.

    Raises:
        InputError: there is no store at a path, or the address cannot be had.
    """
    looking = Looking(Shelf(paths))
    listener = listening(host, port)
    port = listener.getsockname()[1]
    server = PageServer(listener, Access(token, host, port), looking.site)
    server.start()
    try:
        if server.error:
            raise InputError("page", expected="a server that starts", got=server.error)
        yield server, page_address(host, port)
    finally:
        server.stop()


def serve(paths: Sequence[str], host: str, port: int, token: str, in_browser: bool) -> int:
    """Serve a page of stores until Ctrl-C or SIGTERM; prints its address.

    Args:
        paths, host, port: as for `served`.
        token: of the page; empty makes one, which the printed address has.
        in_browser: open it.

    Raises:
        InputError: as for `served`.
    """
    made = "" if token else new_token()
    keep_freed_memory()
    stop = Event()
    before = {each: signal.signal(each, lambda *_: stop.set()) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        with served(paths, host, port, made or require_token(token)) as (server, address):
            print(f"view: {address}{f'#{made}' if made else ''}", flush=True)
            if in_browser and not webbrowser.open(f"{address}#{made or token}"):
                print("no browser opens here: open the address above", flush=True)
            while not stop.wait(0.5):
                if server.error:
                    raise InputError("page", expected="a server that runs", got=server.error)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    return 0
