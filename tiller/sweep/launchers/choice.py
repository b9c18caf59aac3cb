"""`launcher=NAME launcher.KEY=VALUE jobs=N` to a launcher."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Sequence

import yaml

from robot.description import from_json
from robot.errors import InputError, MissingExtraError, nearest
from robot.folders import configs_folder
from tiller.configuration.compose import require_known, set_value
from tiller.configuration.overrides import hint_of, looks_like_several, parse_overrides, unquoted
from tiller.sweep.launchers.launcher import Launcher
from tiller.sweep.launchers.options import LocalOptions, Options, RayOptions, SlurmOptions

GROUP = "launcher"
LAUNCHERS: dict[str, type[Options]] = {"local": LocalOptions, "ray": RayOptions, "slurm": SlurmOptions}
"""Name of a launcher -> its options."""

EXTRAS: dict[type[Options], tuple[str, str]] = {RayOptions: ("ray", "ray"), SlurmOptions: ("submitit", "slurm")}
"""Options of a launcher -> the package that it needs, and the extra of tiller that brings it."""


def is_launcher_word(word: str) -> bool:
    """Whether an override is about how runs are launched, not about the runs."""
    key = word.partition("=")[0]
    return key in ("jobs", GROUP) or key.startswith(f"{GROUP}.")


def read_launcher(words: Sequence[str]) -> Options:
    """The options of the launcher that overrides name; `local` where none is named.

    Args:
        words: those for which `is_launcher_word` holds. `jobs=` is short for `launcher.jobs=`.

    Raises:
        InputError: no such launcher, no such option of it, or a value that does not fit.
    """
    parsed = parse_overrides([f"{GROUP}.{word}" if word.startswith("jobs=") else word for word in words])
    names = [each.text for each in parsed if each.key == GROUP]
    name = unquoted(names[-1]) if names else "local"
    kind = LAUNCHERS.get(name, LocalOptions)
    for each in parsed:
        hint = str if each.key == GROUP else hint_of(kind, each.key.split(".")[1:])
        if looks_like_several(hint, each.text):
            raise InputError(f"'{each.line}'", expected="one value for the whole sweep", got="several")
    if name not in LAUNCHERS:
        raise InputError(f"{GROUP}={name}", expected="a launcher", way_out=nearest(name, LAUNCHERS))
    file = configs_folder() / GROUP / f"{name}.yaml"
    values: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    for override in parsed:
        if override.key != GROUP:
            key = override.key.removeprefix(f"{GROUP}.")
            require_known(f"-m {GROUP}={name}", key, kind)
            set_value(values, kind, key, override.text)
    return from_json(kind, values, where=GROUP)


def require_installed(options: Options) -> None:
    """Refuse before anything is written a launcher whose package is missing.

    Raises:
        MissingExtraError: which extra brings it.
    """
    package, extra = EXTRAS.get(type(options), (None, ""))
    if package is not None and find_spec(package) is None:
        raise MissingExtraError(f"'{package}', which the launcher needs,", extra)


def open_launcher(options: Options, folder: str) -> Launcher:
    """A launcher for a sweep, whose package is installed.

    Args:
        options: as `read_launcher` gives them.
        folder: of the sweep, for what the launcher itself has to write.

    Raises:
        InputError: no Ray cluster answers at the address, or this machine does not submit to SLURM.
    """
    if isinstance(options, RayOptions):
        from tiller.sweep.launchers.ray_cluster import RayLauncher

        return RayLauncher(options)
    if isinstance(options, SlurmOptions):
        from tiller.sweep.launchers.slurm import SlurmLauncher

        return SlurmLauncher(options, folder)
    from tiller.sweep.launchers.local import LocalLauncher

    return LocalLauncher(options)
