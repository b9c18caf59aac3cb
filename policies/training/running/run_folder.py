"""The output folder of a training run.

checkpoints/step-00005000   folders, the newest one and those that are kept
checkpoints/last            a link to the newest, moved in one atomic step
checkpoints/final           the checkpoint to use, once the run is done
checkpoints/best            the one to use instead, of a run that chooses among its checkpoints
metrics.csv, tensorboard/
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator

from data.store.writing.lock import WriterLock
from policies.model.checkpoint_folder import read_json
from policies.model.files import new_checkpoint, write_json
from robot.description import from_json, to_json
from robot.errors import InputError
from robot.files import point_link, remove_partial

CHOICE = "choice.json"


@dataclass(frozen=True)
class Choice:
    """Why a checkpoint was chosen: it had the largest of a number.

    Args:
        by: the number's name.
        value: that it had.
        update: after which.
    """

    by: str
    value: float
    update: int


@dataclass(frozen=True)
class RunFolder:
    """The paths of what a run writes.

    Args:
        path: the output folder.
        keep_every: checkpoints at multiples of this stay; 0 keeps the newest only.
    """

    path: Path
    keep_every: int = 0

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        return self.checkpoints / "last"

    @property
    def final(self) -> Path:
        return self.checkpoints / "final"

    @property
    def best(self) -> Path:
        return self.checkpoints / "best"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @contextmanager
    def claimed(self, resume: bool) -> Iterator[None]:
        """Make the folder, or find the run in it, and be the only one to write there.

        Raises:
            InputError: a run is there and none was to be resumed, none is there and one was, one is there that has lost
                its last checkpoint, it is not writable, or another process trains there.
        """
        self._require(resume)
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"output '{self.path}'", expected="a folder that can be written", got=str(error)
            ) from error
        lock = WriterLock(self.checkpoints, "Wait until it is done, or choose another output")
        try:
            self._require(resume)  # another run may have been at work until now
            remove_partial(self.checkpoints)
            yield
        finally:
            lock.release()

    def _require(self, resume: bool) -> None:
        if not self.last.is_dir() and (self.last.is_symlink() or self.final.exists()):
            gone = f"a link to '{self.last.readlink()}', which is gone" if self.last.is_symlink() else "none"
            raise InputError(
                f"output '{self.path}': {self.last.relative_to(self.path)}",
                expected="the last checkpoint of the run that is there, to go on from",
                got=gone,
                way_out="Put it back, add overwrite=true to train anew in its place, or choose another output",
            )
        if resume and not self.last.is_dir():
            raise InputError(
                f"resume from '{self.path}'",
                expected="a run that has saved a checkpoint",
                got="no checkpoints/last there",
                way_out="Leave resume out to start a new run",
            )
        if not resume and self.last.is_dir():
            raise InputError(
                f"output '{self.path}'",
                expected="a folder without a training run",
                got="one that has one",
                way_out="Add resume=true to go on with it, or choose another output",
            )

    def save(self, step: int, write: Callable[[Path], None]) -> Path:
        """Write a checkpoint of an update, make it the last one, and drop those that are not kept."""
        folder = self.checkpoints / f"step-{step:08d}"
        with new_checkpoint(folder) as partial:
            write(partial)
        self._point_last_at(folder)
        for other in self.checkpoints.glob("step-*"):
            if other != folder and not self._kept(int(other.name.removeprefix("step-"))):
                shutil.rmtree(other)
        return folder

    def save_final(self, write: Callable[[Path], None]) -> Path:
        """Write the checkpoint that others use."""
        with new_checkpoint(self.final) as partial:
            write(partial)
        return self.final

    def save_best(self, choice: Choice, write: Callable[[Path], None]) -> Path:
        """Write the checkpoint that was chosen, in place of the one that was before."""
        with new_checkpoint(self.best) as partial:
            write(partial)
            write_json(partial / CHOICE, to_json(choice))
        return self.best

    def choice(self) -> Choice | None:
        """Which checkpoint was chosen, and why; None where none was.

        Raises:
            InputError: the record of it cannot be read.
        """
        path = self.best / CHOICE
        return from_json(Choice, read_json(path), where=str(path)) if path.is_file() else None

    def _point_last_at(self, folder: Path) -> None:
        if self.last.is_dir() and not self.last.is_symlink():  # a run that was copied with its links resolved
            shutil.rmtree(self.last)
        point_link(self.last, folder.name)

    def _kept(self, step: int) -> bool:
        return self.keep_every > 0 and step % self.keep_every == 0
