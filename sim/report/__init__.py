"""One page with the results of evaluations; it opens from disk, without a network."""

from sim.report.page import write_report
from sim.report.sweep import write_sweep_report

__all__ = ["write_report", "write_sweep_report"]
