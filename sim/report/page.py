"""The page as a whole: which evaluations, which order, one file."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import Sequence

from robot.errors import InputError
from robot.files import unwritten, write_result
from sim.report import sections
from sim.report.learning import FILE_NAME as METRICS_NAME
from sim.report.learning import find_metrics, read_curves
from sim.statistics.groups import perturbation_text, steering_text
from sim.statistics.records import FILE_NAME, PARTIAL_NAME, Evaluation, read_evaluation

GENERATOR = '<meta name="generator" content="tiller report">'
"""Marks a page of ours: such a page may be overwritten, any other file is not touched."""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{generator}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<main>
{body}
</main>
<script>
{script}
</script>
</body>
</html>
"""


def write_report(
    sources: Path | str | Sequence[Path | str],
    target: Path | str | None = None,
    *,
    metrics: Path | str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write `report.html` from the files of evaluations and training.

    Args:
        sources: folders of evaluations, or their `evaluation.json`; with two or more, the others are compared with the
            first. A folder with nothing but `metrics.csv` gives a page with its learning curve.
        target: the page; `report.html` in the folder of the first source when None.
        metrics: `metrics.csv` of a training run; looked for beside the sources and their checkpoints when None.
        overwrite: replace a file that is no report of ours.

    Returns:
        The path of the page.

    Raises:
        InputError: a source holds nothing to report or cannot be read, or the target is taken or cannot be written.
        TillerError: the disk is full or fails.
    """
    paths = [Path(source) for source in ([sources] if isinstance(sources, (str, os.PathLike)) else sources)]
    if not paths:
        raise InputError("report", expected="at least one evaluation", got="none")
    files = [_evaluation_file(path) for path in paths]
    folder = paths[0] if paths[0].is_dir() else paths[0].parent
    target = Path(target) if target is not None else folder / "report.html"
    _check_target(target, overwrite)
    evaluations = [(file, read_evaluation(file)) for file in files if file is not None]
    names = _names([file for file, _ in evaluations])
    curves = [Path(metrics)] if metrics is not None else _metrics(paths, evaluations)
    body = [_heading(names, [one for _, one in evaluations], folder)]
    if len(evaluations) > 1:
        body.append(sections.comparison(names, [one for _, one in evaluations]))
    for name, (file, evaluation) in zip(names, evaluations):
        body.append(_evaluation(name if len(evaluations) > 1 else "", evaluation, file.parent, target.parent))
    body += [sections.learning(read_curves(file), file) for file in curves]
    return write_page(target, _title([one for _, one in evaluations], folder), body, overwrite=overwrite)


def write_page(target: Path, title: str, body: Sequence[str], *, overwrite: bool = False) -> Path:
    """Write a self-contained page, whole or not at all.

    Args:
        target: the file.
        title: as text.
        body: its parts as HTML; empty ones are left out.
        overwrite: replace a file that is no report of ours.

    Raises:
        InputError: the target is taken or cannot be written.
        TillerError: the disk is full or fails.
    """
    _check_target(target, overwrite)
    here = Path(__file__).parent
    page = _PAGE.format(
        generator=GENERATOR,
        title=escape(title),
        style=(here / "style.css").read_text(encoding="utf-8"),
        script=(here / "sort.js").read_text(encoding="utf-8"),
        body="\n".join(part for part in body if part),
    )
    return write_result(target, page)


def _evaluation_file(source: Path) -> Path | None:
    """The evaluation of a source; None for a folder that has a learning curve only."""
    if not source.is_dir():
        return source
    for name in (FILE_NAME, PARTIAL_NAME):
        if (source / name).is_file():
            return source / name
    if (source / METRICS_NAME).is_file():
        return None
    raise InputError(
        f"report of {source}",
        expected=f"a folder with {FILE_NAME} or {METRICS_NAME}",
        got="neither",
        way_out="Evaluate a checkpoint first",
    )


def _metrics(sources: Sequence[Path], found: Sequence[tuple[Path, Evaluation]]) -> list[Path]:
    """Learning curves beside the sources and those of the runs that were evaluated, each once."""
    files = [find_metrics(source, None) for source in sources]
    files += [find_metrics(file.parent, evaluation.policy.get("checkpoint")) for file, evaluation in found]
    return list({file.resolve(): file for file in files if file is not None}.values())


def _check_target(target: Path, overwrite: bool) -> None:
    if target.is_dir():
        raise InputError(
            f"report {target}", expected="a file", got="a folder", way_out=f"Give output={target / 'report.html'}"
        )
    try:
        if overwrite or not target.exists():
            return
        with target.open(encoding="utf-8", errors="replace") as file:
            ours = GENERATOR in file.read(1000)
    except OSError as error:
        raise unwritten(target, error) from error
    if not ours:
        raise InputError(
            f"report {target}",
            expected="a new file or an older report",
            got="another file",
            way_out="Give another output, or overwrite=true",
        )


def _names(files: Sequence[Path]) -> list[str]:
    """Unique names of the evaluations: their folders' names, with as many parents as that takes."""
    folders = [file.resolve().parent.parts for file in files]
    for depth in range(1, max(map(len, folders), default=1) + 1):
        names = ["/".join(parts[-depth:]) for parts in folders]
        if len(set(names)) == len(names):
            return names
    return [f"{number + 1}" for number in range(len(files))]


def _title(evaluations: Sequence[Evaluation], folder: Path) -> str:
    tasks = list(dict.fromkeys(evaluation.task for evaluation in evaluations))
    return f"{', '.join(tasks)}: evaluation" if tasks else f"{folder.resolve().name}: training"


def _heading(names: Sequence[str], evaluations: Sequence[Evaluation], folder: Path) -> str:
    lines = [f"<h1>{escape(_title(evaluations, folder))}</h1>"]
    if len(evaluations) == 1:
        lines.append(f'<p class="muted">{escape(_description(evaluations[0]))}</p>')
    elif evaluations:
        lines.append(f'<p class="muted">{escape(" · ".join(names))}</p>')
    return "\n".join(lines)


def _description(evaluation: Evaluation) -> str:
    """Policy and episodes in one line."""
    policy = evaluation.policy
    sampler = f"{policy['sampler']}, {policy['steps']} steps" if {"sampler", "steps"} <= set(policy) else ""
    seeds = f"{evaluation.episodes} episodes, seeds {evaluation.seed} to {evaluation.seed + evaluation.episodes - 1}"
    steering, perturbation = steering_text(policy), perturbation_text(evaluation.options)
    facts = (str(policy.get("checkpoint", "")), sampler, steering, perturbation, seeds)
    return " · ".join(part for part in facts if part)


def _evaluation(name: str, evaluation: Evaluation, folder: Path, page_folder: Path) -> str:
    parts = [
        f'<h2>{escape(name)}</h2><p class="muted">{escape(_description(evaluation))}</p>' if name else "",
        sections.headline(evaluation),
        sections.distributions(evaluation),
        sections.videos(evaluation, folder, page_folder),
        sections.records(evaluation),
        sections.provenance(evaluation),
    ]
    return "\n".join(part for part in parts if part)
