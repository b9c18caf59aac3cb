"""Words of a command line that takes paths beside its key=value options."""

from __future__ import annotations

import re
from typing import Any, Sequence

from robot.description import from_json

_OPTION = re.compile(r"[A-Za-z_][\w.]*=")


def split_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Paths, and options; a path whose name begins like an option is written with `./` before it."""
    paths = [word for word in words if not _OPTION.match(word) and not word.startswith("-")]
    return paths, [word for word in words if word not in paths]


def read_options(verb: str, kind: type, words: Sequence[str]) -> Any:
    """The typed options that key=value words give.

    Raises:
        InputError: a word that is no override, a key that is not known, or a value of another type.
    """
    from tiller.configuration import parse_overrides, put, require_known

    values: dict[str, Any] = {}
    for override in parse_overrides(words):
        require_known(verb, override.key_or_group, kind)
        put(values, kind, override.key_or_group, override.value())
    return from_json(kind, values, where="")
