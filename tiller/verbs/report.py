"""`tiller report FOLDER ... [output=FILE]`: one HTML page over evaluations and training runs, or over a sweep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from robot.errors import InputError

EVALUATION, METRICS = "evaluation.json", "metrics.csv"


@dataclass(frozen=True)
class ReportOptions:
    """What `tiller report` takes.

    Args:
        output: the page to write; null makes report.html in the first folder.
        overwrite: replace a file that is no report of tiller.
    """

    output: str | None = None
    overwrite: bool = False


HELP = """\
usage: tiller report FOLDER ... [key=value ...]

One HTML page over evaluations and training runs. The others are compared with the first evaluation.
A folder may also be a sweep: everything measured below it is taken. A sweep of evaluations alone is
summed up: success by task and policy, policies over tasks and against each other, robustness.

keys"""


def command(words: Sequence[str]) -> int:
    """Find what the folders hold and write the page."""
    from tiller.command_line.help import columns, key_lines
    from tiller.command_line.words import read_options, split_words

    if any(word in ("-h", "--help") for word in words):
        print("\n".join([HELP, *columns(key_lines(ReportOptions, {}, "  "))]))
        return 0
    paths, rest = split_words(words, ReportOptions)
    options = read_options("report", ReportOptions, rest)
    if not paths:
        raise InputError(
            "tiller report",
            expected="folders of evaluations or training runs",
            got="none",
            way_out="usage: tiller report FOLDER ...",
        )
    if "" in paths:
        raise InputError("a folder of tiller report", expected="a path", got="''", way_out="'.' is the current folder")
    page = Path(options.output) if options.output else Path(paths[0]) / "report.html"
    if len(paths) == 1 and _is_evaluation_sweep(Path(paths[0])):
        from tiller.sweep.evaluations import write_summary
        from tiller.sweep.tables import show_summary

        show_summary(write_summary(Path(paths[0]), page, overwrite=options.overwrite))
        print(f"Written to {page}")
        return 0
    from sim.report import write_report

    sources = [source for path in paths for source in sources_in(Path(path))]
    print(f"Written to {write_report(sources, page, overwrite=options.overwrite)}")
    return 0


def _is_evaluation_sweep(path: Path) -> bool:
    from tiller.sweep.record import read_sweep

    sweep = read_sweep(path)
    return sweep is not None and sweep.verb == "evaluate"


def sources_in(path: Path) -> list[Path]:
    """What can be reported of a path: an evaluation, else all evaluations below it, else a training run.

    Raises:
        InputError: none of these.
    """
    if path.is_file() or (path / EVALUATION).is_file():
        return [path]
    for name in (EVALUATION, METRICS):
        folders = sorted(file.parent for file in path.rglob(name))
        if folders:
            return folders
    raise InputError(
        f"report of {path}",
        expected=f"a folder with {EVALUATION} or {METRICS}, or such folders below it",
        got="none" if path.exists() else "nothing at this path",
        way_out="Evaluate a checkpoint first: tiller evaluate --help",
    )
