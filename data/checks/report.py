"""The findings of an examination of a store, ready to print."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One finding of an examination.

    Args:
        severity: `error` (what is there cannot be used as it is), `warning` (look at it) or `note`.
        where: array path, episode, or the part of the store that it is about.
        message: what it is.
    """

    severity: str
    where: str
    message: str


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
        """The report as lines of text: the title, one line per finding, the summary."""
        width = max((len(finding.where) for finding in self.findings), default=0)
        listed = [f"  {finding.severity:7}  {finding.where:{width}}  {finding.message}" for finding in self.findings]
        return [self.title, *listed, self.summary]


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, the most severe first, otherwise in the order in which they were found."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))
