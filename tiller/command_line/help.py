"""The `--help` text of a verb: its groups with their choices, its keys with defaults, one line each."""

from __future__ import annotations

import inspect
import re
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Mapping, get_args, get_type_hints

from robot.folders import configs_folder
from tiller.configuration.compose import choices_of, compose, first_line, groups_of


def help_text(verb: str, kind: type) -> str:
    """What a verb does, the choices of its groups and its keys with defaults, one line each."""
    summary = first_line(configs_folder() / f"{verb}.yaml")
    lines = [f"usage: tiller {verb} [key=value ...] [-m key=a,b,c ...]", "", f"{summary}."]
    for group, chosen in groups_of(verb).items():
        choices = choices_of(group)
        lines += ["", f"{group}=" + (f"  (default {chosen})" if chosen else "")]
        lines += columns([(f"  {name}", text) for name, text in choices.items()])
    defaults = compose(verb, kind, [f"{key}=-" for key in _required(kind)]).values
    lines += ["", "keys"]
    lines += columns(list(key_lines(kind, defaults, "  ")))
    lines += [
        "",
        f"A sweep: tiller {verb} -m key=a,b,c runs every combination, each with an output of its own;",
        "jobs=N runs N at a time, and the same output= again runs only what is missing.",
        "",
    ]
    lines += launcher_lines()
    return "\n".join(lines)


def launcher_lines() -> list[str]:
    """Where the runs of a sweep may run, and the keys of each launcher that are not left to its own defaults."""
    from tiller.sweep.launchers import LAUNCHERS

    keys = {
        name: ", ".join(field.name for field in fields(kind) if field.name != "jobs")
        for name, kind in LAUNCHERS.items()
    }
    rows = [(f"  {name}", f"{text}; launcher.KEY= with {keys[name]}") for name, text in choices_of("launcher").items()]
    return ["launcher=  of a sweep (default local)", *columns(rows)]


def key_lines(kind: type, values: Mapping[str, Any], indent: str, prefix: str = "") -> list[tuple[str, str]]:
    hints, texts = get_type_hints(kind), argument_texts(kind)
    lines: list[tuple[str, str]] = []
    required = _required(kind)
    for field in fields(kind):  # type: ignore[arg-type]
        name, text = prefix + field.name, texts.get(field.name, "")
        default = values.get(field.name, _default(field))
        if is_dataclass(hints[field.name]):
            nested = default if isinstance(default, Mapping) else {}
            lines += key_lines(hints[field.name], nested, indent, f"{name}.")  # type: ignore[arg-type]
        else:
            shown = "(required)" if field.name in required and not prefix else _shown(default)
            lines.append((f"{indent}{name}={shown}", text))
            inside = next((each for each in get_args(hints[field.name]) if is_dataclass(each)), None)
            if inside is not None and default is None:
                lines += key_lines(inside, {}, indent, f"{name}.")  # type: ignore[arg-type]
    return lines


def argument_texts(kind: type) -> dict[str, str]:
    """The text of each field in the `Args` of a docstring, and in those of the classes that it extends."""
    texts: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        _, _, arguments = inspect.cleandoc(each.__doc__ or "").partition("Args:\n")
        for names, text in re.findall(r"^    (\w[\w, ]*): (.*(?:\n {5,}.*)*)", arguments, re.MULTILINE):
            for name in names.split(", "):
                texts[name] = " ".join(text.split()).replace("`", "").replace("None", "null")
    return texts


def _required(kind: type) -> list[str]:
    return [
        field.name
        for field in fields(kind)  # type: ignore[arg-type]
        if field.default is MISSING and field.default_factory is MISSING and not is_dataclass(field.type)
    ]


def _default(field: Any) -> Any:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else None


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return str(value)


def columns(rows: list[tuple[str, str]], widest: int = 44) -> list[str]:
    """Two columns; a left side that is too wide is on a line of its own."""
    width = max((len(left) for left, _ in rows if len(left) <= widest), default=0)
    lines = []
    for left, right in rows:
        if len(left) > width and right:
            lines += [left, " " * (width + 2) + right]
        else:
            lines.append(f"{left.ljust(width)}  {right}".rstrip())
    return lines
