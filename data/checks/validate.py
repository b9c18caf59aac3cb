"""Examine a store: every chunk is read, every number looked at, and all that is wrong is listed."""

from __future__ import annotations

from pathlib import Path

from data.checks.judgement import judge
from data.checks.report import Finding, Report, sort_findings
from data.store.contents import read_contents
from data.store.location import locate


def validate(path: str | Path) -> Report:
    """Examine a store without changing it.

    Args:
        path: a folder, a zip or a URL, written by tiller or not.

    Returns:
        A report; `report.ok` is False when the store must be repaired before it can be used. `repair` leaves
        out every episode that one of its errors spoils.

    Raises:
        InputError: there is no store at all.
    """
    contents = read_contents(locate(path))
    judgement = judge(contents)
    errors = [Finding("error", blame.where, blame.message) for blame in judgement.blames]
    findings = sort_findings([*errors, *judgement.remarks])
    warnings = sum(finding.severity == "warning" for finding in findings)
    summary = f"{judgement.episodes} episodes, {contents.rows} rows: {len(errors)} errors, {warnings} warnings"
    if errors:
        sound = judgement.episodes - int(judgement.spoilt.sum())
        summary += (
            f". 'tiller data repair {contents.name} TARGET' writes a new store of the {sound} sound episodes"
            if sound
            else ". No episode is sound, so 'tiller data repair' has none to keep"
        )
    return Report(f"Validation of {contents.name}", findings, summary)
