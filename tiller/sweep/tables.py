"""A sweep's summary on the terminal."""

from __future__ import annotations

from typing import Any, Mapping

from sim.statistics.intervals import Interval
from sim.statistics.summary import SweepSummary

MOST_POLICIES = 5
"""Columns that a terminal has room for; the page and the files have all of them."""


def show_summary(summary: SweepSummary) -> None:
    """Success by task and policy, policies over tasks, paired comparisons, robustness."""
    from rich.console import Console

    console = Console(markup=False)  # names may hold brackets
    console.print(success_table(summary))
    if any(one.result.pairs for one in summary.comparisons):
        console.print(comparison_table(summary))
    if summary.robustness:
        console.print(robustness_table(summary))


def success_table(summary: SweepSummary) -> Any:
    """One row per task and setting, one column per policy; the interquartile mean over tasks below."""
    policies = [policy.name for policy in summary.policies][:MOST_POLICIES]
    results = {(one.task, one.setting, one.policy): one for one in summary.results}
    rows = list(dict.fromkeys((one.task, one.setting) for one in summary.results))
    with_settings = any(setting for _, setting in rows)
    table = _table("success rate with its 95 % interval", "task", *(["setting"] if with_settings else []), *policies)
    for task, setting in rows:
        cells = [results.get((task, setting, policy)) for policy in policies]
        shown = ["-" if one is None else f"{rate(one.success)}  {one.successes}/{one.episodes}" for one in cells]
        table.add_row(task, *([setting] if with_settings else []), *shown)
    over_tasks: dict[str, dict[str, str]] = {}
    for one in summary.aggregates:
        if len(one.tasks) > 1:
            over_tasks.setdefault(one.setting, {})[one.policy] = f"{rate(one.success_iqm)}  {len(one.tasks)} tasks"
    if over_tasks:
        table.add_section()
    for setting, by_policy in over_tasks.items():
        table.add_row("IQM over tasks", *([setting] if with_settings else []), *_in_order(by_policy, policies))
    left_out = len(summary.policies) - len(policies)
    table.caption = f"{left_out} more policies are in the report" if left_out else None
    return table


def comparison_table(summary: SweepSummary) -> Any:
    """Pairs of policies over all tasks, or on the one task that they share, in each setting."""
    with_settings = any(one.setting for one in summary.comparisons)
    table = _table(
        "second minus first, on the same seeds",
        "first",
        "second",
        "task",
        *(["setting"] if with_settings else []),
        "pairs",
        "success",
        "only 1st / 2nd",
        "McNemar p",
    )
    pooled = {(one.first, one.second, one.setting) for one in summary.comparisons if one.task is None}
    for one in summary.comparisons:
        if one.task is not None and (one.first, one.second, one.setting) in pooled:
            continue
        result = one.result
        table.add_row(
            one.first,
            one.second,
            one.task or "all tasks",
            *([one.setting] if with_settings else []),
            str(result.pairs),
            rate(result.success, "+.2f"),
            f"{result.only_first} / {result.only_second}",
            f"{result.p_value:.2g}",
        )
    return table


def robustness_table(summary: SweepSummary) -> Any:
    """Area under success against severity, one row per curve."""
    with_settings = any(one.setting for one in summary.robustness)
    table = _table(
        "area under success against severity",
        "perturbation",
        "policy",
        "task",
        *(["setting"] if with_settings else []),
        "severities",
        "area",
    )
    for one in summary.robustness:
        levels = " ".join(f"{point.severity:g}" for point in one.curve.points)
        table.add_row(
            one.perturbation or "-",
            one.policy,
            one.task or "all tasks",
            *([one.setting] if with_settings else []),
            levels,
            rate(one.curve.area) if one.curve.area else "-",
        )
    return table


def rate(interval: Interval, form: str = ".2f") -> str:
    """An estimate with its interval, short."""
    return f"{interval.estimate:{form}} [{interval.low:{form}}, {interval.high:{form}}]"


def _table(title: str, *columns: str) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _in_order(by_policy: Mapping[str, str], policies: list[str]) -> list[str]:
    return [by_policy.get(policy, "-") for policy in policies]
