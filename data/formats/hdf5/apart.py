"""An HDF5 file read by a process of its own, which is killed where it is silent and may crash."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Collection, Mapping

import numpy as np

from data.formats.hdf5.messages import receive, send
from data.formats.source import Description, SourceField
from robot.description import ActionField, from_json
from robot.errors import InputError, MissingExtraError

SILENCE_S = 30.0
"""How long a reader may be silent: for a block of 32 MB, or one demonstration of the list."""
_LEAVE_S = 2.0
_AGAIN = "Copy the file again, or write it again where it was made"


class DemosApart(Description):
    """A `Source` of an HDF5 file, read by another process; see `data.formats.hdf5.demos.Demos`.

    Args:
        path: of the file.
        exclude: keys to leave out.
        skip: episodes that nobody wants.

    Attributes:
        pid: of the process.

    Raises:
        InputError: the file is no such file, is damaged, or makes its reader hang or crash.
        MissingExtraError: h5py is not installed.
    """

    def __init__(self, path: str | Path, exclude: Collection[str], skip: Collection[int]) -> None:
        self.path = str(path)
        self._link, theirs = socket.socketpair()
        # The child imports what the parent can, from the same folders.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "data.formats.hdf5.child", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # what a library says as it crashes; the signal says enough
                pass_fds=[theirs.fileno()],
                env=environment,
                start_new_session=True,  # only the parent receives Ctrl-C
            )
        self.pid = self._process.pid
        try:
            opened = self._answer(
                {"path": self.path, "exclude": list(exclude), "skip": list(skip), "silence_s": SILENCE_S},
                f"'{self.path}'",
                _AGAIN,
            )
            super().__init__(self.path, **_as_description(self.path, opened))
        except BaseException:
            self.close()
            raise

    def read(self, name: str, episode: int, start: int, stop: int) -> np.ndarray:
        field = self.fields[name]
        rows = np.empty((max(0, min(stop, int(self.lengths[episode])) - start), *field.shape), field.dtype)
        self._answer(
            {"name": name, "episode": episode, "start": start, "stop": stop},
            f"'{self.path}': key '{name}', episode {episode}",
            f"Leave the episode out with skip_episodes=[{episode}], or copy the file again",
            rows,
        )
        return rows

    def close(self) -> None:
        self._link.close()
        try:
            self._process.wait(_LEAVE_S)  # it leaves when its link closes
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answer(
        self, request: Mapping[str, Any], where: str, way_out: str, rows: np.ndarray | None = None
    ) -> dict[str, Any]:
        """The process's answer to a request.

        Args:
            request: plain values.
            where: names what is read, for messages.
            way_out: for messages.
            rows: are filled.
        """
        self._link.settimeout(SILENCE_S)
        into = None if rows is None else rows.reshape(-1).view(np.uint8).data
        try:
            send(self._link, request)
            while (answer := receive(self._link, into)).get("kind") == "alive":
                episode = int(answer["episode"])
                where = f"'{self.path}': episode {episode} ('{str(answer['demo'])[:60]}')"
                way_out = f"Leave the episode out with skip_episodes=[{episode}], or copy the file again"
        except TimeoutError:
            self._process.kill()
            raise _damaged(
                where, f"nothing from its reader for {SILENCE_S:g} s", f"{way_out}; from a slow disk to a fast one"
            ) from None
        except (EOFError, OSError):
            raise _damaged(where, self._ended(), way_out) from None
        except (ValueError, KeyError, TypeError) as error:
            self._process.kill()
            raise _damaged(where, f"{error} from its reader", way_out) from None
        if answer["kind"] == "refused":
            raise InputError(answer["thing"], **{key: answer[key] for key in ("expected", "got", "way_out")})
        if answer["kind"] == "extra":
            raise MissingExtraError(answer["what"], answer["extra"])
        if answer["kind"] == "damaged":
            raise _damaged(where, answer["got"], way_out)
        if rows is not None and answer["bytes"] != rows.nbytes:
            raise _damaged(where, f"{answer['bytes']:,} bytes instead of {rows.nbytes:,}", way_out)
        return answer

    def _ended(self) -> str:
        """How the process ended, in words."""
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(_LEAVE_S)
            if code < 0:
                hint = ", perhaps for lack of memory" if code == -signal.SIGKILL else ""
                return f"a reader that was ended by {signal.Signals(-code).name}{hint}"
            return f"a reader that ended with exit code {code}"
        self._process.kill()
        return "a reader that closed its link"


def _damaged(where: str, got: str, way_out: str) -> InputError:
    return InputError(where, expected="an HDF5 file that can be read, whole", got=got, way_out=way_out)


def _as_description(path: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a `Description`."""
    return {
        "format": record["format"],
        "fields": {
            name: SourceField(path, name, tuple(shape), np.dtype(dtype), role, target)
            for name, shape, dtype, role, target in record["fields"]
        },
        "lengths": np.array(record["lengths"], np.int64),
        "facts": {name: _fact(kind, values) for name, (kind, values) in record["facts"].items()},
        "period_s": record["period_s"],
        "action": tuple(from_json(ActionField, each) for each in record["action"]),
        "attributes": record["attributes"],
        "notes": tuple(record["notes"]),
    }


def _fact(kind: str, values: list[Any]) -> np.ndarray:
    """(episodes,) values of numpy's kind of type; words are objects."""
    fact = np.empty(len(values), object if kind == "O" else {"b": bool, "i": np.int64, "f": np.float64}[kind])
    fact[:] = values
    return fact


def open_demos(path: str | Path, exclude: Collection[str] = (), skip: Collection[int] = ()) -> DemosApart:
    """Open an HDF5 file for reading; see `DemosApart`."""
    return DemosApart(path, exclude, skip)
