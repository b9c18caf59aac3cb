"""The findings of an examination of a store, ready to print."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from robot.errors import printable

SEVERITIES = ("error", "warning", "note")
SHOWN = 8
"""Findings of one rule about one array, at most, in a text; the rest are counted."""
_DEEPEST = 32  # of what another program nests in its attributes


@dataclass(frozen=True)
class Finding:
    """One finding of an examination.

    Args:
        severity: `error` (what is there cannot be used as it is), `warning` (look at it) or `note`.
        where: array path, episode, or the part of the store that it is about.
        message: what it is.
        rule: that was broken, one of `data.checks.rules.thresholds.RULES`; empty for the store's structure.
        episode: that it is in, or the first of several; None where it is in none.
        second: from the episode's first row; None where that is unknown.
        row: of the store; None where it is about no single one.
        way_out: what can be done; empty where the report's summary says it.
    """

    severity: str
    where: str
    message: str
    rule: str = ""
    episode: int | None = None
    second: float | None = None
    row: int | None = None
    way_out: str = ""

    @property
    def sentence(self) -> str:
        """The message with the rule, the episode and the second before it."""
        at = "" if self.second is None else f", {self.second:.2f} s"
        place = "" if self.episode is None else f"episode {self.episode}{at}: "
        return f"{self.rule}: {place}{self.message}" if self.rule else self.message


@dataclass(frozen=True)
class Report:
    """Findings about a store, the most severe first.

    Args:
        title: what was done with what.
        findings: sorted by severity.
        summary: the outcome in one sentence.
    """

    title: str
    findings: tuple[Finding, ...]
    summary: str

    @property
    def ok(self) -> bool:
        """Whether there are no errors."""
        return not self.count("error")

    def count(self, severity: str) -> int:
        """Number of findings of one severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def lines(self) -> list[str]:
        """The report as lines of text: the title, one line per finding, the summary, and what can be done per rule.

        Of many findings of one rule about one array the first are shown and the others counted.
        """
        width = max((len(finding.where) for finding in self.findings), default=0)
        listed: list[str] = []
        for (severity, where, rule), group in groupby(
            self.findings, lambda each: (each.severity, each.where, each.rule)
        ):
            alike = list(group)
            for finding in alike if not rule else alike[:SHOWN]:
                listed.append(f"  {severity:7}  {where:{width}}  {finding.sentence}")
            if rule and len(alike) > SHOWN:
                more = f"{len(alike) - SHOWN} more episodes; format=json lists them all"
                listed.append(f"  {severity:7}  {where:{width}}  {rule}: {more}")
        ways = {(finding.rule, finding.way_out): None for finding in self.findings if finding.rule}
        ways_out = ["", "What can be done", *(f"  {rule}: {way_out}" for rule, way_out in ways)] if ways else []
        return [printable(line) for line in (self.title, *listed, self.summary, *ways_out)]

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON values, every finding with what is known of it."""
        return {
            "title": self.title,
            "ok": self.ok,
            "counts": {severity: self.count(severity) for severity in SEVERITIES},
            "findings": [plain(vars(finding)) for finding in self.findings],
            "summary": self.summary,
        }


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, the most severe first, otherwise in the order in which they were found."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def plain(value: Any, depth: int = 0) -> Any:
    """JSON values that every program reads: a number that is not finite is null, and what is nested too deep."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth + 1) for key, item in value.items()} if depth < _DEEPEST else None
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value] if depth < _DEEPEST else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
