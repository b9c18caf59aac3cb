"""From `configs/` and overrides to a typed, frozen dataclass. Hydra composes; unknown names stop here."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, Iterable, Mapping, Sequence, TypeVar, get_args, get_origin, get_type_hints

import yaml

from robot.description import from_json
from robot.errors import InputError, nearest
from robot.folders import configs_folder
from tiller.configuration.overrides import (
    Override,
    hint_of,
    is_mapping,
    is_optional_word,
    looks_like_several,
    parse_overrides,
    unquoted,
    value_of,
    without_none,
)

T = TypeVar("T")

# A task has a file only where it has defaults of its own, so any name is let through to the room that knows tasks.
OPEN_GROUPS = ("task",)
NO_FILE = "none"
"""The choice that Hydra gets for a task without a file, whose name may have letters that Hydra does not read."""


@dataclass(frozen=True)
class Configuration(Generic[T]):
    """The configuration of one run.

    Args:
        options: the typed values.
        values: the same as plain values, as they are written beside the output.
        choices: group -> the file chosen in it.
    """

    options: T
    values: Mapping[str, Any]
    choices: Mapping[str, str | None]


def first_line(file: Path) -> str:
    """The first comment of a file that is no directive: what the file is, in one line."""
    for line in file.read_text(encoding="utf-8").splitlines():
        text = line.lstrip("# ").strip()
        if line.startswith("#") and text and not text.startswith("@package"):
            return text.rstrip(".")
    return ""


def groups_of(verb: str) -> dict[str, str | None]:
    """The groups that a verb's file chooses from, with the choice it makes."""
    document = yaml.safe_load((configs_folder() / f"{verb}.yaml").read_text(encoding="utf-8")) or {}
    groups = {}
    for entry in document.get("defaults", ()):
        if isinstance(entry, dict):
            (group, choice), *_ = entry.items()
            groups[str(group).split()[-1].lstrip("/")] = choice
    return groups


def choices_of(group: str) -> dict[str, str]:
    """Every choice of a group with the line that describes it."""
    folder = configs_folder() / group
    return {str(file.relative_to(folder).with_suffix("")): first_line(file) for file in sorted(folder.rglob("*.yaml"))}


def known_keys(kind: type, prefix: str = "") -> list[str]:
    """Dotted names of everything that a dataclass of dataclasses holds."""
    hints = get_type_hints(kind)
    names: list[str] = []
    for field in fields(kind):  # type: ignore[arg-type]
        names.append(prefix + field.name)
        if is_dataclass(hints[field.name]):
            names += known_keys(hints[field.name], f"{prefix}{field.name}.")
    return names


def compose(verb: str, kind: type[T], overrides: Sequence[str]) -> Configuration[T]:
    """Compose a verb's configuration.

    Args:
        verb: the name of its file in `configs/`.
        kind: the dataclass behind it.
        overrides: `key=value` or `group=choice`, as `tiller.configuration.overrides` reads them.

    Raises:
        InputError: an override that cannot be read, a key or a choice that is not known, a value of another type, a
            key that must be given and is not.
    """
    groups = groups_of(verb)
    parsed = parse_overrides([full_task(word) for word in overrides])
    for override in parsed:
        _check(verb, override, kind, groups)
    choices = {each.key: unquoted(each.text) for each in parsed if each.key in groups}
    files = tuple(f"{group}={choice if choice in choices_of(group) else NO_FILE}" for group, choice in choices.items())
    values, chosen = deepcopy(_composed(verb, files))
    chosen |= {group: None if choice == "null" else choice for group, choice in choices.items()}
    typed = [override for override in parsed if override.key not in groups]
    for override in typed:
        _forget_options(values, kind, override)
    for override in typed:
        set_value(values, kind, override.key, override.text)
    if "task" in groups:
        values["task"] = chosen["task"]
    _require(verb, kind, values)
    return Configuration(from_json(kind, values, where=""), values, chosen)


@cache
def _composed(verb: str, choices: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, str | None]]:
    """Plain values and choices of a verb's file with these choices in its groups. Kept: a sweep asks for the same ones
    in every cell, and Hydra takes 20 ms.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        with initialize_config_dir(str(configs_folder()), version_base="1.3", job_name=verb):
            composed = hydra_compose(verb, list(choices), return_hydra_config=True)
        chosen = {group: composed.hydra.runtime.choices.get(group) for group in groups_of(verb)}
        OmegaConf.set_struct(composed, False)
        del composed["hydra"]
        values: dict[str, Any] = OmegaConf.to_container(composed, resolve=True)  # type: ignore[assignment]
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(f"configuration of {verb}: {str(error).splitlines()[0]}") from None
    return values, chosen


def full_task(word: str) -> str:
    """`task=lift` means `task=twin/lift`: the twin's tasks are known by their bare names too."""
    key, _, names = word.partition("=")
    if key != "task":
        return word
    from sim.tasks.twin import names as known

    return "task=" + ",".join(f"twin/{name}" if name in known() else name for name in names.split(","))


def _check(verb: str, override: Override, kind: type, groups: Mapping[str, str | None]) -> None:
    """Refuse an override whose key or, in a group, whose choice is not known."""
    key = override.key
    hint = str if key in groups else hint_of(kind, path_of(kind, key.split(".")))
    if looks_like_several(hint, override.text):
        raise InputError(
            f"'{override.line}'",
            expected="one value",
            got="several",
            way_out=f"Add -m to run a sweep over them, or quote it if it is one: '{key}=\"{override.text}\"'",
        )
    if key in groups:
        choice, known = unquoted(override.text), choices_of(key)
        if key not in OPEN_GROUPS and choice not in known:
            raise InputError(f"{key}={choice}", expected=f"a choice of '{key}'", way_out=nearest(choice, known))
    else:
        require_known(verb, key, kind, groups)
    if is_optional_word(hint) and not unquoted(override.text):
        raise InputError(
            f"{key}=",
            expected="a word, or null where there is none",
            got="an empty one",
            way_out=f"Leave {key}= out, or see whether a variable of the shell that stands behind it is set",
        )


def require_known(verb: str, key: str, kind: type, groups: Iterable[str] = ()) -> None:
    """Refuse a dotted key that a dataclass does not have, offering the nearest it has."""
    if not _is_known(kind, key.split(".")):
        names = [*groups, *known_keys(kind)]
        raise InputError(
            f"'{key}'",
            expected=f"a key of tiller {verb}",
            way_out=nearest(key, names) if names else "It takes no options",
        )


def set_value(values: dict[str, Any], kind: Any, key: str, text: str) -> None:
    """Set what a dotted key of a dataclass means in its plain values to what was typed for it."""
    put(values, kind, key, value_of(hint_of(kind, path_of(kind, key.split("."))), text))


def _forget_options(values: dict[str, Any], kind: type, override: Override) -> None:
    """Where another part is named than a file names, the options in the file are of that one, and not of this."""
    *parents, last = path_of(kind, override.key.split("."))
    if last != "name" or not parents or not is_mapping(without_none(hint_of(kind, parents))):
        return
    *above, part = parents
    for each in above:
        values = values.get(each) or {}
    options = values.get(part)
    if isinstance(options, dict) and options.get("name") not in (None, unquoted(override.text)):
        values[part] = {}


def put(values: dict[str, Any], kind: Any, key: str, value: Any) -> None:
    """Set what a dotted key of a dataclass means in its plain values; a mapping is merged into one that is there."""
    *parents, last = path_of(kind, key.split("."))
    for part in parents:
        if not isinstance(values.get(part), dict):
            values[part] = {}
        values = values[part]
    if isinstance(value, dict) and isinstance(values.get(last), dict):
        value = {**values[last], **value}
    values[last] = value


def path_of(kind: Any, parts: list[str]) -> list[str]:
    """The keys that dotted `parts` mean. Names of data have dots themselves: `history.tcp.position.steps` is the field
    `steps` of the entry `tcp.position` of `history`.
    """
    hint = get_type_hints(kind).get(parts[0]) if is_dataclass(kind) else None
    rest = parts[1:]
    if not rest:
        return parts
    if hint is Any:
        return [parts[0], ".".join(rest)]
    of_names = get_origin(hint) is not None and get_args(hint)[:1] == (str,) and len(get_args(hint)) == 2
    if not of_names or get_args(hint)[1] is Any:
        return [parts[0], *(path_of(hint, rest) if is_dataclass(hint) else rest)]
    entry = get_args(hint)[1]
    tail = rest[-1:] if len(rest) > 1 and is_dataclass(entry) and rest[-1] in get_type_hints(entry) else []
    return [parts[0], ".".join(rest[: len(rest) - len(tail)]), *tail]


def _is_known(kind: Any, parts: list[str]) -> bool:
    """Whether dotted `parts` name a field, or an entry of an open mapping, of a dataclass."""
    if not parts or not is_dataclass(kind):
        return True
    hint = get_type_hints(kind).get(parts[0])
    return hint is not None and _is_known(hint, parts[1:])


def _require(verb: str, kind: type, values: Mapping[str, Any]) -> None:
    for field in fields(kind):  # type: ignore[arg-type]
        without_default = field.default is MISSING and field.default_factory is MISSING
        if values.get(field.name, "???" if without_default else None) == "???":
            raise InputError(
                f"'{field.name}'",
                expected="a value",
                got="nothing",
                way_out=f"Add {field.name}=... to tiller {verb}; see tiller {verb} --help",
            )
