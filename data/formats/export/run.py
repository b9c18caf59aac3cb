"""A store in the format of another program: written beside its final path, read back and compared, then renamed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from data.formats.export.compare import require_same
from data.store.dataset import Dataset
from data.store.names import require_schema
from data.store.writing.durable import sync_all
from data.store.writing.staging import written_aside
from data.store.writing.target import free_folder, is_occupied, writable_folder
from robot.errors import InputError, nearest

LEROBOT, ZARR2 = "lerobot", "zarr2"
FORMATS = (LEROBOT, ZARR2)
IMAGE, VIDEO = "image", "video"


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        target: path, as given.
        format: one of `FORMATS`.
        episodes, rows: written.
        keys: (name in the store, name in the target).
        notes: what was changed or left out, in words.
    """

    target: str
    format: str
    episodes: int
    rows: int
    keys: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def export(
    store: str | Path,
    target: str | Path,
    *,
    format: str = LEROBOT,
    images: str = IMAGE,
    on_progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """Write a store for another program; the target appears whole or not at all.

    Args:
        store: that tiller wrote.
        target: a folder that does not exist yet; of `zarr2` also a file that ends with `.zip`.
        format: `lerobot` (v3.0) or `zarr2`, the replay buffer of the diffusion-policy family.
        images: of `lerobot`: `image`, each as it is stored or as PNG, exact; or `video`, H.264 with a loss.
        on_progress: called with rows done and rows in all.

    Raises:
        InputError: no such store or format, something that the format cannot hold, or the target exists.
        TillerError: the disk is full or fails, or what was written is not what was read.
        MissingExtraError: a library of the extra `formats` is not installed.
    """
    for option, value, known in (("format", format, FORMATS), ("images", images, (IMAGE, VIDEO))):
        if value not in known:
            raise InputError(option, expected=" or ".join(known), got=f"'{value}'", way_out=nearest(value, known))
    dataset = Dataset.open(store)
    schema = require_schema(store, dataset.schema)
    if not len(dataset):
        raise InputError(f"'{store}'", expected="at least one episode", got="none")
    zipped = format == ZARR2 and str(target).endswith(".zip")
    folder = _free_file(target) if zipped else free_folder(target)

    def show(rows: int) -> None:
        if on_progress:
            on_progress(rows, dataset.rows)

    with written_aside(folder, str(target), "exporting") as aside:
        aside.parent.mkdir(parents=True, exist_ok=True)
        if format == ZARR2:
            from data.formats.export.zarr2 import pack, write_zarr2

            keys, notes = write_zarr2(dataset, schema, aside, show)
            require_same(dataset, aside, keys, exact=frozenset(old for old, _ in keys))
            if zipped:
                pack(aside)
        else:
            from data.formats.export.lerobot import write_lerobot

            keys, notes, exact = write_lerobot(dataset, schema, aside, images, show)
            require_same(dataset, aside, keys, exact)
        _sync(aside)
    return Exported(str(target), format, len(dataset), dataset.rows, keys, notes)


def _free_file(target: str | Path) -> Path:
    """A path at which a file can be made.

    Raises:
        InputError: something is there already, or it is within a store.
    """
    way_out = "Choose another path; nothing is overwritten"
    file = writable_folder(target, way_out)
    if file.is_dir() or is_occupied(file):
        raise InputError(
            f"'{target}'", expected="a file that does not exist yet", got="something there", way_out=way_out
        )
    return file


def _sync(written: Path) -> None:
    """Force everything that was written to the disk."""
    paths = [written] if written.is_file() else [written, *written.rglob("*")]
    with ThreadPoolExecutor(8) as threads:
        sync_all(threads, paths)
