"""How large what a file declares may be: a few bytes can promise more than a disk or a memory holds."""

from __future__ import annotations

from typing import Mapping

from robot.errors import InputError

LARGEST_ROW = 2**28
"""Bytes of a row of one key."""
LARGEST_WORDS = 2**20
"""Characters of words that are taken over from a file."""
_LARGEST_RATIO = 200  # of what is declared to what the files hold; images that are nearly black reach about 100
NEVER_TOO_LARGE = 2**30
"""Bytes that may be squeezed as much as can be."""


def require_likely(path: str, declared: Mapping[str, int], size: int) -> None:
    """Refuse small files that would fill the disk.

    Args:
        path: for the message.
        declared: key -> bytes as numbers.
        size: of the files, bytes.

    Raises:
        InputError: names the largest key.
    """
    total = sum(declared.values())
    if total <= max(NEVER_TOO_LARGE, _LARGEST_RATIO * size):
        return
    largest = max(declared, key=lambda key: declared[key])
    raise InputError(
        f"'{path}'",
        expected=f"arrays of at most {_LARGEST_RATIO} times its {size:,} bytes",
        got=f"{total:,} bytes, most of them in '{largest}'",
        way_out=f"Leave it out with exclude=[{largest}]; if the arrays are meant, write them without compression",
    )
