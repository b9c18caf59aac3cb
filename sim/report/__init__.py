"""One page that shows what evaluations found; it opens from disk, without a network."""

from sim.report.page import write_report

__all__ = ["write_report"]
