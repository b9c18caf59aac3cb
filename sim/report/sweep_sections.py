"""The parts of a sweep's page, each a piece of HTML made from its summary."""

from __future__ import annotations

from html import escape
from pathlib import PurePath
from typing import Any, Mapping, Sequence
from urllib.parse import quote

from sim.report import sweep_plots
from sim.report.sections import between, figure, number, percent
from sim.statistics.groups import STEERING, PolicyEntry
from sim.statistics.intervals import Interval
from sim.statistics.summary import Aggregate, Robustness, SweepSummary

Cells = tuple[str, str, Any]
"""Text of a table's cell, a second line, and the value it is sorted by."""


def failures(failed: Mapping[str, tuple[str, Sequence[str]]], missing: Sequence[str]) -> str:
    """Cells missing from the figures, and why."""
    notes = []
    if missing:
        notes.append(f'<p class="note">{len(missing)} runs have not been done: {escape(", ".join(missing))}</p>')
    if failed:
        runs = "".join(
            f"<details><summary><code>{escape(name)}</code>: {escape(reason)}</summary>"
            f"<pre>{escape(chr(10).join(log))}</pre></details>"
            for name, (reason, log) in failed.items()
        )
        notes.append(f'<div class="note"><p>{len(failed)} runs failed and are not in the figures.</p>{runs}</div>')
    return "".join(notes)


def success(summary: SweepSummary) -> str:
    """Success by task and policy, one plot per setting."""
    figures = []
    for setting in dict.fromkeys(one.setting for one in summary.results):
        some = [one for one in summary.results if one.setting == setting]
        tasks = list(dict.fromkeys(one.task for one in some))
        intervals = {(one.policy, one.task): one.success for one in some}
        policies = [policy.name for policy in summary.policies if any(one.policy == policy.name for one in some)]
        measured = {policy: [intervals.get((policy, task)) for task in tasks] for policy in policies}
        caption = f"Success rate with Wilson's 95% interval{f', {setting}' if setting else ''}"
        figures.append(figure(sweep_plots.grouped_intervals(tasks, measured, "success rate"), caption))
    return f'<h2>Success by task</h2><div class="grid">{"".join(figures)}</div>'


def aggregates(summary: SweepSummary) -> str:
    """Policies over tasks."""
    several = [one for one in summary.aggregates if len(one.tasks) > 1]
    figures = "".join(
        _profile(setting, [one for one in summary.aggregates if one.setting == setting])
        for setting in dict.fromkeys(one.setting for one in summary.aggregates)
    )
    if not several and not figures:
        return ""
    rows = [
        [
            (one.policy, one.setting, one.policy),
            (str(len(one.tasks)), "", len(one.tasks)),
            _rate(one.success_iqm),
            _rate(one.success_mean),
            _number(one.score_iqm),
        ]
        for one in several
    ]
    note = (
        '<p class="muted">Interquartile means of the tasks\' mean success and score, over the tasks that every '
        "policy was measured on; below four tasks they are means. Intervals: bootstrap at 95%, stratified by task "
        "(Agarwal et al. 2021).</p>"
    )
    table = _table(("policy", "tasks", "success IQM", "success mean", "score IQM"), rows) if rows else ""
    shown = f'<div class="grid">{figures}</div>' if figures else ""
    return f"<h2>Over tasks</h2>{note if rows else ''}{table}{shown}"


def comparisons(summary: SweepSummary) -> str:
    """Policies against each other on the same seeds, all tasks together first."""
    if not summary.comparisons:
        return ""
    rows = []
    for one in summary.comparisons:
        result = one.result
        task = one.task or "all tasks"
        rows.append(
            [
                (f"{one.second} − {one.first}", "", f"{one.second} {one.first}"),
                (task, one.setting, task),
                (str(result.pairs), "", result.pairs),
                _difference(result.success, "{:+.1%}"),
                _difference(result.score, "{:+.3f}"),
                (f"{result.p_value:.2g}", f"{result.only_first} against {result.only_second}", result.p_value),
            ]
        )
    note = (
        '<p class="muted">Differences with paired bootstrap intervals at 95%, resampled within each task where '
        "tasks are pooled. McNemar's exact test on the pairs that one policy alone won; p is each test's own, not "
        "corrected for their number.</p>"
    )
    headings = ("second − first", "task", "pairs", "success", "score", "McNemar p")
    return f"<h2>Paired on the same seeds</h2>{note}{_table(headings, rows)}"


def robustness(summary: SweepSummary) -> str:
    """Success against severity: a figure a perturbation and task, and the areas in a table."""
    if not summary.robustness:
        return ""
    figures = []
    for key in dict.fromkeys(map(_place, summary.robustness)):
        curves = {one.policy: one.curve for one in summary.robustness if _place(one) == key}
        figures.append(figure(sweep_plots.robustness(curves), " · ".join(part for part in key if part)))
    rows = [
        [
            (one.perturbation or "–", one.setting, one.perturbation),
            (one.policy, "", one.policy),
            (one.task or "all tasks", "", one.task or ""),
            *([("–", "", -1.0)] if one.curve.area is None else [_number(one.curve.area)]),
            _rate(one.curve.points[0].success),
            _rate(one.curve.points[-1].success),
        ]
        for one in summary.robustness
    ]
    note = (
        '<p class="muted">The area under success against severity, as a share of the range of severities: 1 for a '
        "policy that always succeeds. Where severities share their starts, its interval holds for any correlation "
        "between them.</p>"
    )
    headings = ("perturbation", "policy", "task", "area", "least severity", "greatest severity")
    return f'<h2>Robustness</h2><div class="grid">{"".join(figures)}</div>{note}{_table(headings, rows)}'


def noise_scales(summary: SweepSummary) -> str:
    """Success against the scale of the noise: a figure a task and setting, a line per policy that was steered so."""
    entries = {policy.name: policy for policy in summary.policies}
    curves: dict[tuple[str, str], dict[str, list[tuple[float, Interval]]]] = {}
    for one in summary.results:
        found = scale_of(entries[one.policy])
        if found is not None:
            family, scale = found
            curves.setdefault((one.task, one.setting), {}).setdefault(family, []).append((scale, one.success))
    figures = []
    for place, families in curves.items():
        lines = {
            name: sorted(points, key=lambda point: point[0]) for name, points in families.items() if len(points) > 1
        }
        if lines:
            plot = sweep_plots.success_against("scale of the noise", lines)
            figures.append(figure(plot, " · ".join(part for part in place if part)))
    return f'<h2>Scale of the noise</h2><div class="grid">{"".join(figures)}</div>' if figures else ""


def scale_of(policy: PolicyEntry) -> tuple[str, float] | None:
    """The policy apart from the scale of its noise, by name, and that scale: 1 where nothing steers it; None where
    something else does.
    """
    steering = list(policy.description.get(STEERING) or ())
    scale = 1.0
    if steering and steering[-1].get("name") == "noise_scale":
        scale = float(steering.pop()["noise_scale"])
    if steering:
        return None
    facts = policy.description
    folders = PurePath(str(facts.get("checkpoint") or "policy")).parts
    name = folders[-3] if len(folders) > 2 and folders[-2] == "checkpoints" else folders[-1]
    sampler = f"{facts['sampler']} in {facts['steps']} steps" if {"sampler", "steps"} <= set(facts) else ""
    execution = "ensemble" if policy.ensemble else f"{policy.n_action_steps} rows"
    return ", ".join(filter(None, (name, sampler, execution))), scale


def results(summary: SweepSummary, links: Mapping[str, str]) -> str:
    """Every result in a table that sorts, with its cells' own pages.

    Args:
        links: cell -> path of its page relative to this one.
    """
    rows = []
    for one in summary.results:
        pages = ", ".join(
            f'<a href="{quote(links[cell])}">{escape(cell)}</a>' if cell in links else escape(cell)
            for cell in one.cells
        )
        fell = f"; physics diverged in {one.diverged}" if one.diverged else ""
        rows.append(
            [
                (one.policy, "", one.policy),
                (one.task, one.setting, one.task),
                (str(one.episodes), f"{one.seeds}{fell}", one.episodes),
                _rate(one.success),
                _number(one.score),
                (number(one.score_iqm.estimate), between(one.score_iqm), one.score_iqm.estimate),
                _Html(pages),
            ]
        )
    headings = ("policy", "task", "episodes", "success", "mean score", "score IQM", "runs")
    return f"<h2>Results</h2>{_table(headings, rows)}"


def policies(summary: SweepSummary) -> str:
    """Description of each policy."""
    lines = []
    for policy in summary.policies:
        facts = {
            **policy.description,
            "executed rows a plan": policy.n_action_steps,
            **{f"ensemble {name}": value for name, value in policy.ensemble.items()},
        }
        shown = ", ".join(f"{name} {value}" for name, value in facts.items() if value not in ("", None))
        lines.append(f"<dt>{escape(policy.name)}</dt><dd>{escape(shown)}</dd>")
    return f"<h2>Policies</h2><dl>{''.join(lines)}</dl>"


def _profile(setting: str, some: Sequence[Aggregate]) -> str:
    curves = {one.policy: one.profile for one in some if one.profile is not None}
    caption = f"Performance profile over {len(some[0].tasks)} tasks{f', {setting}' if setting else ''}"
    return figure(sweep_plots.profiles(curves), caption) if curves else ""


def _place(one: Robustness) -> tuple[str, str, str]:
    return one.perturbation, one.task or "all tasks", one.setting


class _Html(str):
    """A table's cell that is HTML already."""


def _table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table class="sortable"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _cell(cell: Any) -> str:
    if isinstance(cell, _Html):
        return f"<td>{cell}</td>"
    main, more, value = cell
    return f'<td data-value="{escape(str(value))}">{escape(main)}<small>{escape(more)}</small></td>'


def _rate(interval: Interval) -> Cells:
    return percent(interval.estimate), between(interval, percent), interval.estimate


def _number(interval: Interval) -> Cells:
    return number(interval.estimate), between(interval), interval.estimate


def _difference(interval: Interval, form: str) -> Cells:
    return form.format(interval.estimate), between(interval, form.format), interval.estimate
