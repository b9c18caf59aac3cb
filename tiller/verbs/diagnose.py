"""`tiller diagnose`: why a frozen policy fails on a task, and what would pay, with the evidence on one page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Sequence

from robot.description import to_json
from robot.files import write_file
from tiller.command_line.command import run_configured
from tiller.configuration.compose import Configuration
from tiller.diagnosis.options import DiagnoseOptions
from tiller.runs.output import open_output

FIGURES, PAGE = "diagnosis.json", "diagnosis.html"


def command(words: Sequence[str]) -> int:
    """Run the verb."""
    return run_configured("diagnose", DiagnoseOptions, run, words)


def run(configuration: Configuration[DiagnoseOptions]) -> int:
    """Take the measures, write diagnosis.json and diagnosis.html, and show the advice."""
    options = configuration.options
    from tiller.runs.threads import limit_threads

    limit_threads(options.threads)
    from policies.loading.folder import parts
    from tiller.diagnosis.advice import advise
    from tiller.diagnosis.page import write_diagnosis
    from tiller.diagnosis.run import diagnose
    from tiller.diagnosis.subject import open_subject
    from tiller.sheets.diagnosis import show

    subject = open_subject(options)
    settled = replace(options, task=subject.task, options=dict(subject.task_options), perturbation=None, severity=None,
                      perturbations={}, randomise=False)  # fmt: skip
    reads: list[Path | str] = [options.checkpoint, *parts(options.checkpoint)]
    reads += [options.demonstrations] if options.demonstrations else []
    output = open_output(
        "diagnose", to_json(settled), options.output, resume=options.resume, overwrite=options.overwrite, reads=reads
    )
    try:
        with output.kept_if_used():
            figures = diagnose(subject, output.path)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Stopped: the measures that have ended are in {output.path}; go on with the same command, output= that "
            "folder and resume=true"
        ) from None
    advice = advise(figures)
    about = {"checkpoint": options.checkpoint, "task": subject.task, "options": subject.task_options,
             "policy": subject.description, "n_action_steps": subject.rows}  # fmt: skip
    record = {**about, "advice": advice, "figures": figures}
    write_file(output.path / FIGURES, json.dumps(to_json(record), indent=1) + "\n")
    show(figures, advice, subject.task)
    print(f"Page: {write_diagnosis(output.path / PAGE, about, figures, advice)}")
    output.finish(
        {"success": figures.settings.base.estimate, "advice": advice[0].rung, "verdict": str(advice[0].verdict)}
    )
    return 0
