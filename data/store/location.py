"""Where a store is: a folder, a zip (also with the store in a folder inside), or an fsspec URL."""

from __future__ import annotations

import json
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

import zarr
from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.errors import ZarrUserWarning
from zarr.storage import FsspecStore, LocalStore, ZipStore

from data.store.foreign.formats import refuse_known_format
from data.store.writing.target import is_url
from robot.errors import InputError

_GROUP_FILES = ("zarr.json", ".zgroup")


@dataclass(frozen=True)
class Location:
    """An opened store.

    Args:
        name: as the person gave it, for messages.
        group: the root group, read only.
        folder: the local folder, or None where nothing can be written.
    """

    name: str
    group: zarr.Group
    folder: Path | None

    @property
    def kind(self) -> str:
        """`folder`, `zip` or `url`."""
        if self.folder is not None:
            return "folder"
        return "zip" if isinstance(self.group.store, ZipStore) else "url"


def children(location: Location, path: str) -> tuple[str, ...]:
    """Sorted names of what is in a group."""

    async def collect() -> list[str]:
        group = location.group.store_path / path
        return [name async for name in group.store.list_dir(group.path)]

    return tuple(sorted(name for name in sync(collect()) if name != "zarr.json" and not name.startswith(".")))


def is_group(location: Location, path: str) -> bool:
    """Whether a group of either format is at a path."""
    if file_content(location, f"{path}/.zgroup") is not None:
        return True
    try:
        return json.loads(file_content(location, f"{path}/zarr.json") or b"{}").get("node_type") == "group"
    except (ValueError, AttributeError):
        return False


def file_content(location: Location, path: str) -> bytes | None:
    """The content of a file of a store; None where there is none.

    Raises:
        OSError: it cannot be read.
    """

    async def read() -> bytes | None:
        content = await (location.group.store_path / path).get(default_buffer_prototype())
        return None if content is None else content.to_bytes()

    return sync(read())


def locate(path: str | Path) -> Location:
    """Open the root group of a store for reading.

    Args:
        path: a folder, a zip file, or an fsspec URL of either.

    Raises:
        InputError: there is nothing there, or no store.
    """
    name = str(path)
    if is_url(path):
        refuse_known_format(name)
        return Location(name, _open_url(name), None)
    local = Path(path)
    try:
        local.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # said below
    except (OSError, ValueError) as error:  # a name that is too long, a folder that may not be read
        got = getattr(error, "strerror", None) or str(error)
        raise InputError(f"'{name}'", expected="a store: a folder, a zip or a URL", got=got) from error
    if local.exists() and not any((local / file).is_file() for file in _GROUP_FILES):
        refuse_known_format(local)
    if local.suffix == ".npz" and local.exists():
        raise InputError(
            f"'{name}'",
            expected="a store: a folder, a zip or a URL",
            got="an npz",
            way_out=f"Make one of it with: tiller data convert {name} TARGET",
        )
    if local.is_dir():
        return Location(name, _open_group(LocalStore(local, read_only=True), "", name), local)
    if not local.exists():
        raise InputError(f"'{name}'", expected="a store: a folder, a zip or a URL", got="nothing at this path")
    if not zipfile.is_zipfile(local):
        raise InputError(
            f"'{name}'", expected="a store: a folder, a zip or a URL", got="a file that is no zip, or not a whole one"
        )
    with zipfile.ZipFile(local) as archive:
        prefix = _store_inside(archive.namelist(), name)
    return Location(name, _open_group(ZipStore(local, mode="r"), prefix, name), None)


def _open_url(url: str) -> zarr.Group:
    try:
        if url.endswith(".zip"):
            from fsspec.core import url_to_fs

            archive, _ = url_to_fs(f"zip::{url}")
            url = f"zip://{_store_inside(archive.find(''), url)}::{url}"
        store = FsspecStore.from_url(url, read_only=True)
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"'{url}'", expected="an fsspec URL that can be read", got=str(error)) from error
    return _open_group(store, "", url)


def _open_group(store: Store, prefix: str, name: str) -> zarr.Group:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZarrUserWarning)
        try:
            return zarr.open_group(store, path=prefix, mode="r", use_consolidated=False)
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(
                f"'{name}'", expected="a store with data/ and meta/episode_ends", got="no zarr group there"
            ) from None
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise InputError(
                f"'{name}'", expected="a zarr group of format 2 or 3", got=f"metadata that cannot be read ({error})"
            ) from error


def _store_inside(names: Iterable[str], where: str) -> str:
    """The folder of an archive in which `data/` and the group's metadata are; empty for its top."""
    files = set(names)
    tops = {
        name[: -len(ending)]
        for name in files
        for ending in _GROUP_FILES
        if name.endswith(ending) and any(f"{name[: -len(ending)]}data/{group}" in files for group in _GROUP_FILES)
    }
    if len(tops) != 1:
        got = f"several: {', '.join(sorted(tops))}" if tops else "none"
        raise InputError(f"'{where}'", expected="one store in the archive", got=got)
    return tops.pop().rstrip("/")
