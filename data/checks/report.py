"""What an examination of a store found, ready to print."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

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
        """No errors."""
        return not self.count("error")

    def count(self, severity: str) -> int:
        """Findings of one severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def lines(self) -> list[str]:
        """As text: the title, a line a finding, the summary."""
        width = max((len(finding.where) for finding in self.findings), default=0)
        listed = [f"  {finding.severity:7}  {finding.where:{width}}  {finding.message}" for finding in self.findings]
        return [self.title, *listed, self.summary]


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The most severe first, otherwise in the order in which they were found."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))
