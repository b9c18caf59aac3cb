"""What every configured verb shares: `--help`, `-m`, and one typed configuration for one run."""

from __future__ import annotations

from typing import Any, Callable, Sequence, TypeVar

from robot.errors import InputError
from tiller.configuration.compose import Configuration, compose

T = TypeVar("T")
HELP = ("-h", "--help")
MULTIRUN = ("-m", "--multirun")


def run_configured(
    verb: str, kind: type[T], run: Callable[[Configuration[T]], int], words: Sequence[str], **sweep: Any
) -> int:
    """Run a verb whose options come from `configs/<verb>.yaml`.

    Args:
        verb: its name.
        kind: the dataclass of its options; the docstring's `Args` are the help.
        run: does it, and returns the exit code.
        words: of the command line, after the verb.
        sweep: the verb's own part of a sweep, as `tiller.sweep.run_sweep` takes it.
    """
    if any(word in HELP for word in words):
        from tiller.command_line.help import help_text

        print(help_text(verb, kind))
        return 0
    if any(word in MULTIRUN for word in words):
        from tiller.sweep import run_sweep

        return run_sweep(verb, kind, [word for word in words if word not in MULTIRUN], **sweep)
    for word in words:
        if word.startswith(("launcher=", "launcher.", "jobs=")):
            raise InputError(
                f"'{word}'",
                expected="a sweep, which is what launchers are for",
                got="a single run",
                way_out=f"tiller {verb} -m {word} key=a,b,c runs every combination",
            )
    return run(compose(verb, kind, words))
