"""Examine a store: every chunk is read, every number looked at, and all that is wrong is listed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.checks.blame import Blame
from data.checks.judgement import judge
from data.checks.report import SEVERITIES, Finding, Report, sort_findings
from data.checks.rules.thresholds import Thresholds
from data.store.contents import read_contents
from data.store.location import locate

_REPAIR = "'tiller data repair' writes a new store of the sound episodes"


def validate(path: str | Path, thresholds: Thresholds | None = None, *, decode: bool = False) -> Report:
    """Examine a store without changing it.

    Args:
        path: a folder, a zip or a URL, written by tiller or not.
        thresholds: of the rules; None for the usual ones.
        decode: decode encoded images too; else their checksums and headers are looked at.

    Returns:
        A report; `report.ok` is False when the store must be repaired before it can be used, or breaks a rule that
        `thresholds.errors` names. `repair` leaves out every episode that one of the former errors spoils.

    Raises:
        InputError: there is no store at all, or a limit of the thresholds is of what it does not have.
    """
    contents = read_contents(locate(path))
    judgement = judge(contents, thresholds or Thresholds(), decode=decode)
    errors = [blame.finding or _error(blame) for blame in judgement.blames]
    findings = sort_findings([*errors, *judgement.remarks])
    counts = {severity: sum(finding.severity == severity for finding in findings) for severity in SEVERITIES}
    summary = (
        f"{judgement.episodes} episodes, {contents.rows} rows: {counts['error']} errors, {counts['warning']} warnings"
    )
    if errors:
        sound = judgement.episodes - int(judgement.spoilt.sum())
        summary += (
            f". 'tiller data repair {contents.name} TARGET' writes a new store of the {sound} sound episodes"
            if sound
            else ". No episode is sound, so 'tiller data repair' has none to keep"
        )
    return Report(f"Validation of {contents.name}", findings, summary)


def _error(blame: Blame) -> Finding:
    """An error of the store itself, with the first episode that it spoils."""
    if not blame.episodes.any():
        return Finding("error", blame.where, blame.message)
    first = int(np.argmax(blame.episodes))
    return Finding("error", blame.where, blame.message, episode=first, way_out=_REPAIR)
