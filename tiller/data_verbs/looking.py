"""`tiller data view PATH...`: stores in a browser, and marks of their episodes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated

from robot.description.ranges import Range

TOKEN = "TILLER_PAGE_TOKEN"


@dataclass(frozen=True)
class ViewOptions:
    """What `tiller data view` takes.

    Args:
        port: on which the page is served; 0 takes a free one.
        host: address on which it is served.
        open: open it in the browser of this desktop.
    """

    port: Annotated[int, Range(0, 65535)] = 0
    host: str = "127.0.0.1"
    open: bool = False


def view(*words: str | ViewOptions) -> int:
    """Serve a page of stores until Ctrl-C."""
    from tiller.looking.serving import serve

    *paths, options = words
    assert isinstance(options, ViewOptions)
    # The environment of a process can be read by its user alone, its command line by everybody.
    return serve([str(path) for path in paths], options.host, options.port, os.environ.pop(TOKEN, ""), options.open)
