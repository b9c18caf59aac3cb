"""The errors a person reads: one message that names the thing, what was expected, what was given and the way out."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Iterable


class TillerError(Exception):
    """A valid request failed. The command line prints the message and exits with `exit_code`."""

    exit_code = 1


class InputError(TillerError, ValueError):
    """A request was invalid.

    Args:
        thing: what the message is about, for example a path, a key or an option.
        expected: what tiller needed there.
        got: what was given instead.
        way_out: the next thing to do or type.
    """

    exit_code = 2

    def __init__(self, thing: str, *, expected: str | None = None, got: str | None = None, way_out: str | None = None):
        self.thing, self.expected, self.got, self.way_out = thing, expected, got, way_out
        facts = ", ".join(part for part in (expected and f"expected {expected}", got and f"got {got}") if part)
        message = f"{thing}: {facts}" if facts else thing
        super().__init__(f"{message.rstrip('.')}. {way_out}" if way_out else message)


class DivergedError(TillerError):
    """The state of a simulation has diverged; it is unusable until it is reset."""


class MissingExtraError(TillerError):
    """An optional part is not installed.

    Args:
        what: the part that was requested.
        extra: the extra of the tiller package that installs it.
    """

    exit_code = 2

    def __init__(self, what: str, extra: str):
        self.what, self.extra = what, extra
        super().__init__(f"{what} is not installed. Get it with: pip install 'tiller[{extra}]'")


def one_line(error: Exception) -> str:
    """The message of another library's error, without its line breaks."""
    return " ".join(str(error).split()) or type(error).__name__


def printable(words: str) -> str:
    """Words of a file for a person: `?` for what nothing can show, and so for what steers a terminal."""
    return "".join(each if each.isprintable() else "?" for each in words)


LONGEST = 80  # characters, at most, of somebody's words in a message


def cut(words: str) -> str:
    """Words for a message: of at most 80 characters, and a mark for what nothing can show."""
    shown = printable(words[:LONGEST])
    return shown if len(words) <= LONGEST else f"{shown[: LONGEST - 3]}..."


def shortened(words: str) -> str:
    """Words for a message as `cut` gives them, quoted, and how many characters there are where they are cut."""
    return f"'{cut(words)}'" + (f" ({len(words)} characters)" if len(words) > LONGEST else "")


LISTED = 20  # names, at most, in a list of choices


def nearest(word: str, choices: Iterable[str]) -> str:
    """A sentence that offers the nearest right name, or lists the choices when none is near.

    Names with a path are also near by their last part alone: `lfit` finds `twin/lift`.
    """
    known = sorted(str(choice) for choice in choices)
    tails = {name.rpartition("/")[2]: name for name in reversed(known)}
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    near = near or [tails[tail] for tail in get_close_matches(word.rpartition("/")[2], tails, n=1, cutoff=0.5)]
    if near:
        return f"Did you mean '{near[0]}'?"
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    return f"Choose from: {', '.join(known[:LISTED]) or '(nothing)'}{more}"
