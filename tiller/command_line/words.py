"""Words of a command line that takes paths beside its key=value options."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any, Sequence

from robot.description import from_json

_OPTION = re.compile(r"[A-Za-z_][\w.]*=")


def split_words(words: Sequence[str], kind: type) -> tuple[list[str], list[str]]:
    """Paths, and options; a path whose name begins like an option is written with `./` before it.

    Args:
        words: of the command line.
        kind: dataclass of the options, whose entries may have any name: `rename.left arm=joints`.
    """
    known = tuple(f"{field.name}." for field in fields(kind))
    options = [
        word
        for word in words
        if word.startswith("-") or _OPTION.match(word) or (word.startswith(known) and "=" in word)
    ]
    return [word for word in words if word not in options], options


def read_options(verb: str, kind: type, words: Sequence[str]) -> Any:
    """The typed options that key=value words give.

    Raises:
        InputError: a word that is no override, a key that is not known, or a value of another type.
    """
    from tiller.configuration.compose import require_known, set_value
    from tiller.configuration.overrides import parse_overrides

    values: dict[str, Any] = {}
    for override in parse_overrides(words):
        require_known(verb, override.key, kind)
        set_value(values, kind, override.key, override.text)
    return from_json(kind, values, where="")
