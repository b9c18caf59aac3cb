"""Where a run leaves its files: a folder of its own, with the resolved configuration and a mark when it is done."""

from __future__ import annotations

import json
import math
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

import yaml

from data.store.writing.lock import LOCK_NAME, WriterLock
from data.store.writing.target import free_folder, is_occupied, writable_folder
from robot.errors import InputError, TillerError
from robot.files import FULL, unwritten, write_file

CONFIG = "config.yaml"
FINISHED = "finished.json"
HEADING = "# tiller "
ANOTHER = "Wait until it is done, or choose another output="
_WAYS_OUT = "Choose another output=; overwrite=true replaces what this verb left there"
_GOES_ON = ", and resume=true goes on with it"


@dataclass(frozen=True)
class Output:
    """An output folder that is open for one run.

    Args:
        verb: what runs.
        path: the folder.
        lock: the right to write there, until the run is marked as done or the process ends; None where what is in the
            folder has a lock of its own.
        earlier: what an earlier run left: name of a file -> its content.
    """

    verb: str
    path: Path
    lock: WriterLock | None = None
    earlier: Mapping[str, bytes] = field(default_factory=dict)

    @contextmanager
    def kept_if_used(self, books: Sequence[str] = ()) -> Iterator[None]:
        """Leave the folder as it was when the block ends with an error of ours before it has written any result.

        Args:
            books: names in the folder of what the block writes before there is any.
        """
        before, new = self._results(books), [name for name in books if not (self.path / name).exists()]
        try:
            yield
        except TillerError:
            if self._results(books).items() <= before.items():
                for name in new:
                    _remove_entry(self.path / name)
                self._restore()
            raise

    def _results(self, books: Sequence[str]) -> dict[Path, int]:
        """The files of results, all but settings, finished mark, lock and books, with the time of their last change."""
        return {
            file: file.stat().st_mtime_ns
            for file in self.path.rglob("*")
            if file.is_file()
            and file.name not in (CONFIG, FINISHED, LOCK_NAME)
            and file.relative_to(self.path).parts[0] not in books
        }

    def _restore(self) -> None:
        for name in (CONFIG, FINISHED):
            if name in self.earlier:
                write_file(self.path / name, self.earlier[name].decode())
            else:
                (self.path / name).unlink(missing_ok=True)
        if not any(file.is_file() and file.name != LOCK_NAME for file in self.path.rglob("*")):
            _empty(self.path)
            if self.path.resolve() != Path.cwd():
                self.path.rmdir()
        self._release()

    def mark(self, figures: Mapping[str, Any]) -> None:
        """Mark the run as done, with its headline figures, and let others write. What is not finite becomes null."""
        finite = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in figures.items()
        }
        with _writable(self.path / FINISHED):
            write_file(self.path / FINISHED, json.dumps(finite, indent=2, allow_nan=False) + "\n")
        self._release()

    def _release(self) -> None:
        if self.lock is not None:
            self.lock.release()

    def finish(self, figures: Mapping[str, Any]) -> None:
        """Mark the run as done and print where everything is."""
        self.mark(figures)
        print(f"Written to {self.path}")


def open_output(
    verb: str,
    values: Mapping[str, Any],
    requested: str | None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    reads: Sequence[Path | str] = (),
    resumes: bool = True,
) -> Output:
    """Make the folder of a run and write the resolved configuration into it.

    Args:
        verb: what runs.
        values: the resolved configuration.
        requested, resume, overwrite, reads, resumes: as in `claim_folder`.

    Raises:
        InputError: the folder holds something already, another run is writing there, or it cannot be written.
    """
    if not requested:
        path = _make_dated(verb)
        return begin(verb, values, path, WriterLock(path, ANOTHER))
    path = claim_folder(verb, requested, resume=resume, overwrite=overwrite, reads=reads, resumes=resumes)
    with _writable(path):
        path.mkdir(parents=True, exist_ok=True)
    lock = WriterLock(path, ANOTHER)
    if not resume:
        try:
            free_folder(path, _ways_out(resumes), (LOCK_NAME,))  # a run may have begun and ended since
        except InputError:
            lock.release()
            raise
    return begin(verb, values, path, lock)


def claim_folder(
    verb: str,
    requested: str | None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    reads: Sequence[Path | str] = (),
    resumes: bool = True,
) -> Path:
    """The folder of a run, once it is known to be free; it is not made yet.

    Args:
        verb: what runs.
        requested: the folder that was asked for; None names `outputs/<verb>/<date and time>`.
        resume: go on in a folder that an earlier run of this verb left.
        overwrite: remove what an earlier run of this verb left there. Nothing else is ever removed.
        reads: files and folders that the run reads: none of them is removed.
        resumes: whether this verb can go on with an earlier run.

    Raises:
        InputError: there is something already, or what was to be removed is being written or is read by this run.
    """
    path = Path(requested) if requested else _dated(verb)
    with _writable(path):
        if not (overwrite or resume):
            free_folder(requested or path, _ways_out(resumes), (LOCK_NAME,))
            return path
        writable_folder(requested or path, _ways_out(resumes))
        if path.exists() and not path.is_dir():
            raise InputError(f"'{path}'", expected="a folder", got="a file", way_out="Choose another output=")
        maker = written_by(path)
        if overwrite and is_occupied(path, (LOCK_NAME,)):
            _require_unread(path, reads)
            if maker != verb:
                raise _made_otherwise(verb, path, maker, "which is not removed")
            _remove(path)
        elif resume and maker not in (None, verb):
            raise _made_otherwise(verb, path, maker, "with which it does not go on")
    return path


def _ways_out(resumes: bool) -> str:
    return _WAYS_OUT + _GOES_ON * resumes


def begin(verb: str, values: Mapping[str, Any], path: Path, lock: WriterLock | None = None) -> Output:
    """Write the resolved configuration into a folder that is there, and take away the mark of an earlier end."""
    with _writable(path):
        earlier = {name: (path / name).read_bytes() for name in (CONFIG, FINISHED) if (path / name).is_file()}
        write_file(path / CONFIG, f"{HEADING}{verb}\n{yaml.safe_dump(dict(values), sort_keys=False)}")
        (path / FINISHED).unlink(missing_ok=True)
    return Output(verb, path, lock, earlier)


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    """Raise what the system refuses as one InputError, and a full disk as a TillerError."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise unwritten(path, error) from None
        raise InputError(
            f"output {path}",
            expected="a folder that can be written",
            got=error.strerror or str(error),
            way_out="Choose another output=",
        ) from None


def written_by(folder: Path) -> str | None:
    """The verb whose output a folder is; None where it has no configuration, or one of another program."""
    try:
        with open(folder / CONFIG, encoding="utf-8") as file:
            first = file.readline()
    except (OSError, UnicodeDecodeError):
        return None
    return first.removeprefix(HEADING).strip() if first.startswith(HEADING) else None


def finished_figures(path: Path) -> dict[str, Any] | None:
    """The headline figures of a run that is done, or None."""
    try:
        return json.loads((path / FINISHED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def read_kept(file: Path) -> dict[str, Any]:
    """The values of a JSON file that a run keeps for going on.

    Raises:
        InputError: it is damaged; with what to do.
    """
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        got = "" if isinstance(values, dict) else f"a {type(values).__name__}"
    except (OSError, ValueError, RecursionError) as error:
        values, got = {}, str(error)
    if got:
        raise InputError(
            f"{file}", expected="JSON that an earlier run wrote", got=got, way_out="Remove it: it is made again then"
        )
    return dict(values)


def _dated(verb: str) -> Path:
    stem = Path("outputs") / verb / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    path, copy = stem, 2
    while path.exists():
        path, copy = stem.with_name(f"{stem.name}-{copy}"), copy + 1
    return path


def _make_dated(verb: str) -> Path:
    """Make a folder that nobody else has: runs that begin in the same second get one each."""
    while True:
        path = _dated(verb)
        with _writable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.mkdir()
            except FileExistsError:
                continue
        return path


def _require_unread(path: Path, reads: Sequence[Path | str]) -> None:
    """Refuse to remove what the run is to read."""
    target = path.resolve()
    for each in reads:
        if Path(each).resolve().is_relative_to(target):
            raise InputError(
                f"output {path}",
                expected="a folder without what this run reads",
                got=f"one that holds '{each}', which overwrite=true would remove",
                way_out="Choose another output=",
            )


def _made_otherwise(verb: str, path: Path, maker: str | None, what: str) -> InputError:
    """Of a folder that another verb or program made: what is in it was not meant."""
    return InputError(
        f"output {path}",
        expected=f"a folder that 'tiller {verb}' made, with its {CONFIG}",
        got=("something else" if maker is None else f"one of 'tiller {maker}'") + f", {what}",
        way_out="Choose another output=",
    )


def _remove(path: Path) -> None:
    """Empty an earlier output."""
    locks: list[WriterLock] = []
    try:
        for folder in dict.fromkeys((path, *(file.parent for file in path.rglob(LOCK_NAME)))):
            locks.append(WriterLock(folder, ANOTHER))  # a demo's output holds a run and a dataset
        _empty(path)
    finally:
        for lock in locks:
            lock.release()


def _empty(path: Path) -> None:
    """Remove all that a folder holds, `config.yaml` last: until then it is known as ours.

    The folder stays: a shell may be in it.
    """
    for entry in sorted(path.iterdir(), key=lambda entry: entry.name == CONFIG):
        _remove_entry(entry)


def _remove_entry(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink(missing_ok=True)
