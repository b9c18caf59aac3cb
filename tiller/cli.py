"""`tiller VERB [overrides]`: find the verb, run it, and turn what went wrong into one message and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib import import_module
from typing import Sequence

VERBS = {
    "demo": "the whole journey in minutes: collect, train, evaluate, report on the twin's task lift",
    "doctor": "what works on this machine, what is missing and how to get it; or one robot, checked and drawn",
    "data": "look at datasets, check, convert, edit, repair or replay them",
    "collect": "record episodes of a scripted expert or of a policy",
    "teleop": "drive a robot or its twin by hand, see it, and record episodes",
    "train": "train a policy, or a critic, on a dataset or several",
    "steer": "a better policy out of a checkpoint and a task, rung by rung, as far as a paired test prefers it",
    "evaluate": "measure a policy on a task: success rate, score, intervals, videos",
    "diagnose": "why a policy fails on a task, and what would pay, with the evidence on one page",
    "deploy": "the ROS 2 graph of a robot or its twin: gate, policy, supervisor, as supervised processes",
    "node": "one node of that graph",
    "calibrate": "measure instead of choosing: the energy budget of a task",
    "report": "one HTML page over training runs and evaluations",
}
INTERRUPTED = 130
OWN_SIGNALS = ("deploy", "teleop", "node")  # processes of a robot, which end in their own order


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        argv: the words after `tiller`; None takes those of this process.

    Returns:
        0 done, 1 ran and failed, 2 wrong arguments, 130 stopped by Ctrl-C, SIGTERM or a closed terminal.
    """
    try:
        code = _answer(list(sys.argv[1:] if argv is None else argv))
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where it is known what a closed pipe means
        return code
    except BrokenPipeError:
        # The reader of a pipe (head, less) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _answer(words: list[str]) -> int:
    """Run a command line, with what went wrong as one message."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if words[0] == "--version":
        from tiller import __version__

        print(__version__)
        return 0
    verb, rest = words[0], words[1:]
    debug = os.environ.get("TILLER_DEBUG", "") not in ("", "0")
    from robot.errors import TillerError, printable

    try:
        with _stoppable(verb):
            return _run(verb, rest)
    except KeyboardInterrupt as stop:
        with suppress(OSError):  # the terminal may be what was closed
            print(f"\n{str(stop) or 'Stopped'}.", file=sys.stderr, flush=True)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except TillerError as error:
        if debug:
            raise
        # Names in a message may come from anybody's file: none of them steers the terminal.
        print(f"tiller {verb}: " + "\n".join(map(printable, str(error).split("\n"))), file=sys.stderr)
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        message = str(error).strip() or "no message"
        print(
            f"tiller {verb}: unexpected {type(error).__name__}: {message}\n"
            "This is a fault of tiller. Run it again with TILLER_DEBUG=1 to see where it happened.",
            file=sys.stderr,
        )
        return 1


def overview() -> str:
    """The verbs with one line each."""
    width = max(map(len, VERBS))
    lines = [f"  {verb.ljust(width)}  {line}" for verb, line in VERBS.items()]
    return "\n".join(
        [
            "usage: tiller VERB [key=value ...]",
            "",
            *lines,
            "",
            "tiller VERB --help   the options of a verb",
            "tiller VERB -m ...   a sweep: every combination of key=a,b,c",
        ]
    )


def _run(verb: str, words: list[str]) -> int:
    from robot.errors import InputError, nearest

    if verb not in VERBS:
        raise InputError(f"'{verb}'", expected="a verb", way_out=nearest(verb, VERBS))
    return import_module(f"tiller.verbs.{verb}").command(words)


def _stoppable(verb: str) -> AbstractContextManager[object]:
    """SIGTERM and a closed terminal stop a verb as Ctrl-C does: it keeps what it has."""
    if verb in OWN_SIGNALS:
        return nullcontext()
    from policies.training.running.interruption import Interruption

    return Interruption((signal.SIGTERM, signal.SIGHUP), at_once=True)


def entry() -> None:
    """The console script."""
    sys.exit(main())
