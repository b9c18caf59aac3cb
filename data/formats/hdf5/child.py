"""The process that reads an HDF5 file: `python -m data.formats.hdf5.child FD`.

libhdf5 can loop or crash on a damaged file, and nothing in the same process can stop it then.
"""

from __future__ import annotations

import resource
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

import numpy as np

from data.formats.hdf5.messages import receive, send
from data.formats.source import Description
from robot.description import to_json
from robot.errors import InputError, MissingExtraError, one_line

_MOST_BYTES = 4 * 2**30  # of addresses: a damaged file may ask for any


def main() -> None:
    """Answer until the other end closes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (_least(hard, _MOST_BYTES), hard))
    with socket.socket(fileno=int(sys.argv[1])) as link, suppress(EOFError, OSError):
        _serve(link)


def _serve(link: socket.socket) -> None:
    request = receive(link)
    limit_s = 2 * float(request["silence_s"])

    def alive(episode: int, name: str) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        send(link, {"kind": "alive", "episode": episode, "demo": name})
        signal.setitimer(signal.ITIMER_REAL, limit_s)

    source = None
    while True:
        # Who asks kills this process where it is silent; if that one is gone too, the kernel does.
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        rows = memoryview(b"")
        try:
            if source is None:
                from data.formats.hdf5.demos import Demos

                source = Demos(request["path"], request["exclude"], request["skip"], alive)
                record = described(source)
            else:
                values = source.read(request["name"], request["episode"], request["start"], request["stop"])
                record = {"kind": "rows", "shape": values.shape, "dtype": values.dtype.str}
                rows = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
        except InputError as error:
            record = {"kind": "refused"} | {key: getattr(error, key) for key in ("thing", "expected", "got", "way_out")}
        except MissingExtraError as error:
            record = {"kind": "extra", "what": error.what, "extra": error.extra}
        except Exception as error:  # whatever a library raises for a damaged file is said of the file
            record = {"kind": "damaged", "got": ascii(f"{type(error).__name__}: {one_line(error)}")[1:-1][:300]}
        signal.setitimer(signal.ITIMER_REAL, 0)  # who asks may be stopped, and take nothing for long
        send(link, record, rows)
        request = receive(link)


def described(source: Description) -> dict[str, Any]:
    """A source's attributes as a record; `as_description` reads it."""
    return {
        "kind": "description",
        "format": source.format,
        "fields": [
            [name, list(field.shape), field.dtype.str, field.role, field.target]
            for name, field in source.fields.items()
        ],
        "lengths": source.lengths.tolist(),
        "facts": {name: [values.dtype.kind, values.tolist()] for name, values in source.facts.items()},
        "period_s": source.period_s,
        "action": to_json(source.action),
        "attributes": source.attributes,
        "notes": list(source.notes),
    }


def _least(limit: int, other: int) -> int:
    return other if limit == resource.RLIM_INFINITY else min(limit, other)


if __name__ == "__main__":
    main()
