"""The parts of the page, each a piece of HTML made from an evaluation."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from pathlib import Path
from typing import Any, Mapping, Sequence
from urllib.parse import quote

from robot.errors import InputError
from sim.report import plots
from sim.report.learning import Curve
from sim.statistics.comparison import compare
from sim.statistics.intervals import Interval
from sim.statistics.records import EpisodeRecord, Evaluation

VIDEO_BYTES = 4_000_000
"""Largest video that is put into the page itself; a larger one is linked."""


def headline(evaluation: Evaluation) -> str:
    """The main figures."""
    summary = evaluation.summary
    warning = ""
    if not evaluation.complete:
        warning = (
            f'<p class="note">Ended early, {len(evaluation.records)} of {evaluation.episodes} episodes: '
            f"{escape(evaluation.ended)}</p>"
        )
    if summary is None:
        return warning
    if evaluation.divergence:
        warning += f'<p class="note">{escape(evaluation.divergence)}</p>'
    if summary.alarms is not None:
        warning += f'<p class="note">Monitor: {escape(summary.alarms.sentence)}</p>'
    latency = evaluation.latency
    cards = [
        (
            "success rate",
            percent(summary.success.estimate),
            f"95% interval {between(summary.success, percent)}",
            f"{summary.successes} of {summary.episodes} episodes",
        ),
        (
            "mean score",
            number(summary.score.estimate),
            f"95% interval {between(summary.score)}",
            f"mean of the middle half {number(summary.score_iqm.estimate)}",
        ),
        (
            "mean length",
            f"{summary.length:.1f} steps",
            f"mean return {number(summary.episode_return)}",
            f"{summary.steps} steps in all",
        ),
        (
            "a plan",
            f"{latency.p50_s * 1e3:.1f} ms",
            f"p95 {latency.p95_s * 1e3:.1f}, slowest {latency.max_s * 1e3:.1f}",
            f"median call of {evaluation.batch} rows",
        ),
    ]
    return f'{warning}<div class="cards">{"".join(card(*each) for each in cards)}</div>'


def distributions(evaluation: Evaluation) -> str:
    """Distributions of scores and lengths."""
    records = evaluation.records
    if not records:
        return ""
    figures = [
        (plots.score_histogram(records), "Scores"),
        (plots.scores_by_seed(records), "Score of each episode"),
        (plots.length_histogram(records), "Lengths"),
    ]
    legend = '<p class="muted"><span class="good">●</span> success &ensp; <span class="bad">○</span> failure</p>'
    return f'<h3>Episodes</h3>{legend}<div class="grid">{"".join(figure(*each) for each in figures)}</div>'


def videos(evaluation: Evaluation, folder: Path, page_folder: Path) -> str:
    """The filmed episodes: in the page when they are small, linked from it when not; and why some have no video."""
    films = "".join(
        _video(record, folder / record.video, page_folder)
        for record in evaluation.records
        if record.video and (folder / record.video).is_file()
    )
    missing = "".join(f'<p class="muted">{escape(sentence)}</p>' for sentence in evaluation.missing_videos)
    films = f'<div class="videos">{films}</div>' if films else ""
    return f"<h3>Videos</h3>{films}{missing}" if films or missing else ""


def records(evaluation: Evaluation) -> str:
    """Every episode in a table that sorts."""
    if not evaluation.records:
        return ""
    headings = ("seed", "success", "score", "return", "max reward", "length", "ended by", "plans", "p50 ms", "p95 ms")
    cells = [_record_cells(record) for record in evaluation.records]
    rows = "".join(f"<tr>{''.join(_cell(*cell) for cell in row)}</tr>" for row in cells)
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    table = f'<table class="sortable"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<h3>Records</h3><div class="scroll">{table}</div>'


def provenance(evaluation: Evaluation) -> str:
    """Provenance: all that a repetition needs."""
    facts: dict[str, Any] = {
        "command": evaluation.command,
        "task": evaluation.task,
        **{f"option {name}": value for name, value in evaluation.options.items()},
        "seeds": f"{evaluation.seed} to {evaluation.seed + evaluation.episodes - 1}",
        **{f"policy {name}": value for name, value in _flat(evaluation.policy)},
        "executed rows a plan": evaluation.n_action_steps,
        **{f"ensemble {name}": value for name, value in evaluation.ensemble.items()},
        "rows a plan comes late": evaluation.delay_steps or None,
        **{f"monitor {name}": value for name, value in _flat(evaluation.monitor)},
        "inference batch": evaluation.batch,
        "workers": evaluation.workers,
        "wall clock": _wall_clock(evaluation),
        "versions": ", ".join(f"{name} {version}" for name, version in evaluation.versions.items()),
    }
    known = [(name, value) for name, value in facts.items() if value not in ("", None)]
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{_fact(name, value)}</dd>" for name, value in known)
    return f"<h3>Provenance</h3><dl>{lines}</dl>"


def comparison(names: Sequence[str], evaluations: Sequence[Evaluation]) -> str:
    """All evaluations side by side, and each paired with the first one where their seeds agree."""
    measured = [(name, one, one.summary) for name, one in zip(names, evaluations) if one.summary is not None]
    if len(measured) < 2:
        return ""
    figures = "".join(
        figure(plots.intervals([name for name, _, _ in measured], values, label), f"{label} with its 95% interval")
        for label, values in (
            ("success rate", [summary.success for _, _, summary in measured]),
            ("mean score", [summary.score for _, _, summary in measured]),
        )
    )
    first_name, first, _ = measured[0]
    rows = []
    for name, one, summary in measured:
        cells = [
            (name, one.task),
            (percent(summary.success.estimate), between(summary.success, percent)),
            (number(summary.score.estimate), between(summary.score)),
            (f"{one.latency.p50_s * 1e3:.1f}", f"{one.batch} rows"),
            *(_paired(first, one) if one is not first else [("–", "")] * 3),
        ]
        shown = (f"<td>{escape(main)}<small>{escape(more)}</small></td>" for main, more in cells)
        rows.append(f"<tr>{''.join(shown)}</tr>")
    headings = (
        "",
        "success rate",
        "mean score",
        "plan p50 ms",
        f"success − {first_name}",
        f"score − {first_name}",
        "McNemar p",
    )
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    table = f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    return f'<h2>Comparison</h2><div class="grid">{figures}</div><h3>Paired on the same seeds</h3>{table}'


def learning(panels: Mapping[str, Sequence[Curve]], source: Path) -> str:
    """The learning curves of the policy."""
    if not panels:
        return ""
    figures = "".join(figure(plots.learning_curve(title, curves), title) for title, curves in panels.items())
    return (
        f'<h2>Learning curve</h2><div class="grid">{figures}</div>'
        f'<p class="muted">from <code>{escape(str(source))}</code></p>'
    )


def percent(value: float) -> str:
    return f"{value:.1%}"


def number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.1f}"


def between(interval: Interval, shown: Any = number) -> str:
    return f"{shown(interval.low)} to {shown(interval.high)}"


def _paired(first: Evaluation, second: Evaluation) -> list[tuple[str, str]]:
    """Differences in success and score, and McNemar's p with the pairs that only one side won."""
    try:
        result = compare(first, second)
    except InputError:
        return [("–", "other episodes")] * 3
    return [
        (f"{result.success.estimate:+.1%}", between(result.success, "{:+.1%}".format)),
        (f"{result.score.estimate:+.3f}", between(result.score, "{:+.3f}".format)),
        (f"{result.p_value:.2g}", f"{result.only_first} against {result.only_second}"),
    ]


def card(label: str, value: str, *more: str) -> str:
    """A figure with its name and what else there is to say of it."""
    lines = [("label", label), ("value", value), *(("more", line) for line in more)]
    return f'<div class="card">{"".join(f"""<div class="{kind}">{escape(text)}</div>""" for kind, text in lines)}</div>'


def figure(svg: str, caption: str) -> str:
    """A plot with its caption."""
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _video(record: EpisodeRecord, path: Path, page_folder: Path) -> str:
    if path.stat().st_size <= VIDEO_BYTES:
        source = f"data:video/mp4;base64,{b64encode(path.read_bytes()).decode()}"
    elif path.is_relative_to(page_folder):
        source = quote(str(path.relative_to(page_folder)))
    else:
        source = path.resolve().as_uri()
    caption = f"seed {record.seed} · {_outcome(record)} · score {number(record.score)} · {record.length} steps"
    return (
        f'<figure><video controls muted loop playsinline preload="metadata" src="{source}"></video>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _outcome(record: EpisodeRecord) -> str:
    return '<span class="good">● success</span>' if record.success else '<span class="bad">○ failure</span>'


def _record_cells(record: EpisodeRecord) -> list[tuple[str, float | str]]:
    """(shown, sorted by) of each column."""
    numbers = [record.score, record.episode_return, record.max_reward]
    times = [1e3 * record.latency.p50_s, 1e3 * record.latency.p95_s]
    held = record.monitor is not None and record.monitor.held
    ended = "diverged physics" if record.diverged else "the task" if record.terminated else "the time limit"
    ended = "an alarm" if held else ended
    return [
        (str(record.seed), record.seed),
        (_outcome(record), int(record.success)),
        *((number(value), value) for value in numbers),
        (str(record.length), record.length),
        (ended, ended),
        (str(record.latency.queries), record.latency.queries),
        *((f"{value:.1f}", value) for value in times),
    ]


def _cell(shown: str, value: float | str) -> str:
    return f'<td data-value="{escape(str(value))}">{shown}</td>'


def _fact(name: str, value: Any) -> str:
    text = escape(str(value))
    return f"<code>{text}</code>" if name in ("command", "policy checkpoint", "policy hash") else text


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested mappings as `outer.inner` names."""
    pairs: list[tuple[str, Any]] = []
    for name, value in values.items():
        pairs += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(f"{prefix}{name}", value)]
    return pairs


def _wall_clock(evaluation: Evaluation) -> str:
    summary = evaluation.summary
    if summary is None:
        return ""
    return (
        f"{evaluation.seconds:.1f} s, {summary.steps_per_s:.0f} steps/s, "
        f"{summary.inference_share:.0%} of it in the policy"
    )
