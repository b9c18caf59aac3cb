"""A disk that is full, to what writes: no file can grow beyond a size."""

from __future__ import annotations

import resource
import signal
from contextlib import contextmanager
from typing import Iterator


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """While it lasts no file of this process can grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
