"""Which reader a path is for."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Collection

from data.formats.source import Source

_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_ENDINGS = (".hdf5", ".h5", ".hdf", ".he5")


def open_source(
    path: str | Path, *, exclude: Collection[str] = (), skip: Collection[int] = (), ignore_names: bool = False
) -> Source:
    """Open a foreign store for reading, by what is at the path and not by its name.

    Args:
        path: a zarr folder, a zip of one (with or without a folder inside), an fsspec URL of either, an npz, HDF5
            with an episode a group, or a LeRobot dataset.
        exclude: keys to leave out.
        skip: episodes that nobody wants, which may be empty or have ends that make no sense.
        ignore_names: whether names of numbers are left out, which may be wrong then.

    Raises:
        InputError: the path is none of these, or what it holds is inconsistent.
        MissingExtraError: the library that reads the format is not installed.
    """
    if _is_npz(path):
        from data.formats.arrays.npz import open_npz

        return open_npz(path, exclude, skip)
    if _is_hdf5(path):
        from data.formats.hdf5.apart import open_demos

        return open_demos(path, exclude, skip)
    if (Path(path) / "meta" / "info.json").is_file():
        from data.formats.lerobot.reader import open_lerobot

        return open_lerobot(path, exclude, skip, ignore_names)
    from data.formats.arrays.replay_zarr import open_replay_zarr

    return open_replay_zarr(path, exclude, skip)


def _is_hdf5(path: str | Path) -> bool:
    """Whether a file begins as HDF5 does, or is called so."""
    if not Path(path).is_file():
        return False
    with Path(path).open("rb") as file:
        beginning = file.read(len(_HDF5))
    return beginning == _HDF5 or str(path).lower().endswith(_HDF5_ENDINGS)


def _is_npz(path: str | Path) -> bool:
    """Whether a file is an archive of numpy's arrays, or is called so and is nothing else that can be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        return any("/" not in name and name.endswith(".npy") for name in names)
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return str(path).endswith(".npz")
