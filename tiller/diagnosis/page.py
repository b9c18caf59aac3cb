"""The evidence of a diagnosis on one self-contained page."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any, Mapping, Sequence

from sim.report import plots
from sim.report.page import write_page
from sim.report.sections import between, card, figure, number, percent
from sim.statistics.groups import perturbation_text
from sim.statistics.intervals import Interval
from tiller.diagnosis.advice import Advice
from tiller.diagnosis.figures import FAILING, SHOWN_AT, SUCCEEDING, CoverageFigures, Figures

MARKS = {"pays": ("good", "●"), "may pay": ("good", "○"), "not known": ("muted", "?"), "does not pay": ("bad", "✕")}


def write_diagnosis(target: Path, about: Mapping[str, Any], figures: Figures, advice: Sequence[Advice]) -> Path:
    """Write the page.

    Args:
        target: the file; an earlier page of ours is replaced.
        about: checkpoint, task, options, policy, n_action_steps.
        figures, advice: of the diagnosis.
    """
    body = [
        _heading(about, figures),
        _advice(advice, about),
        _settings(figures),
        _chunks(figures),
        _critic(figures),
        _coverage(figures),
        _actions(figures),
        _failures(figures),
        _latency(figures),
        _skipped(figures),
    ]
    return write_page(target, f"{about['task']}: diagnosis", body)


def _heading(about: Mapping[str, Any], figures: Figures) -> str:
    policy, settings = about["policy"], figures.settings
    facts = [
        str(about["checkpoint"]), f"{policy.get('sampler')}, {policy.get('steps')} steps",
        f"{about['n_action_steps']} rows a plan", perturbation_text(about["options"]),
        f"{settings.starts} starts from seed {settings.first_seed} on", "intervals at 95 %",
    ]  # fmt: skip
    best = settings.named(settings.best)
    assert best is not None
    cards = [card("success as it is", percent(settings.base.estimate), between(settings.base, percent))]
    picked = f"picked on one half, counted on the other: {_points(settings.best_gain)}"
    cards.append(card("best free setting", best.name, percent(best.success.estimate), picked))
    if figures.chunks is not None:
        share = figures.chunks.share
        cards.append(
            card("variance at one state that is between chunks", percent(share.estimate), between(share, percent))
        )
    if figures.coverage is not None and figures.coverage.outside_failing is not None:
        outside = figures.coverage.outside_failing
        cards.append(card("failing starts outside the data", percent(outside.estimate), between(outside, percent)))
    muted = escape(" · ".join(fact for fact in facts if fact))
    return (
        f'<h1>Why it fails: {escape(about["task"])}</h1><p class="muted">{muted}</p>'
        f'<div class="cards">{"".join(cards)}</div>'
    )


def _advice(advice: Sequence[Advice], about: Mapping[str, Any]) -> str:
    """The ordered list, each with its evidence."""
    items = []
    for one in advice:
        colour, mark = MARKS[str(one.verdict)]
        gain = f" about {one.gain * 100:+.0f} points" if one.gain and mark in "●○" else ""
        evidence = [f'<li class="good">{escape(line)}</li>' for line in one.pro]
        evidence += [f'<li class="bad">{escape(line)}</li>' for line in one.contra]
        words = one.words.replace("CHECKPOINT", str(about["checkpoint"])).replace("TASK", str(about["task"]))
        shown = f"<p><code>tiller {escape(words)}</code></p>" if words and mark in "●○" else ""
        items.append(
            f"<li><strong>{escape(one.do)}</strong> "
            f'<span class="{colour}">{mark} {escape(str(one.verdict))}{gain}</span>'
            f"<ul>{''.join(evidence)}</ul>{shown}</li>"
        )
    note = "Green speaks for it, orange against it. Gains are estimates from what was measured, not promises."
    return f'<h2>What will pay</h2><p class="muted">{note}</p><ol>{"".join(items)}</ol>'


def _settings(figures: Figures) -> str:
    settings = figures.settings.settings
    plot = plots.intervals([each.name for each in settings], [each.success for each in settings], "success rate")
    names, gains = [each.name for each in settings[1:]], [each.gain for each in settings[1:]]
    paired = figure(plots.intervals(names, gains, "difference in success"), "over the base, in pairs") if names else ""
    rows = [
        (each.name, percent(each.success.estimate), between(each.success, percent),
         "" if number == 0 else _points(each.gain))
        for number, each in enumerate(settings)
    ]  # fmt: skip
    table = _table(("setting", "success", "interval", "over the base, paired"), rows)
    size = f"The same {figures.settings.starts} starts under each; {figures.settings.env_steps:,} environment steps."
    return (
        f'<h2>Settings that cost nothing</h2><p class="muted">{size}'
        f'</p><div class="grid">{figure(plot, "success")}{paired}</div>{table}'
    )


def _chunks(figures: Figures) -> str:
    chunks = figures.chunks
    if chunks is None:
        return ""
    parts = [("between chunks", chunks.between_chunks), ("within (later luck)", chunks.within),
             ("between states", chunks.between_states)]  # fmt: skip
    parts += [(f"between chunks, decision {key}", value) for key, value in chunks.by_decision.items()]
    gains = [("chosen, over a drawn one", chunks.gain), ("zero noise, over a drawn one", chunks.zero),
             ("chosen, over zero noise", chunks.chosen_over_zero),
             ("best of 16, were chances normal", chunks.best_of_16)]  # fmt: skip
    left = plots.intervals([name for name, _ in parts], [value for _, value in parts], "variance of success")
    right = plots.intervals([name for name, _ in gains], [value for _, value in gains], "difference in success")
    mended = f"Another try from the same state mends {_interval(chunks.mended, percent)} of the failures."
    size = f"{chunks.states} states of {chunks.starts} starts, {chunks.env_steps:,} environment steps."
    return (
        f'<h2>Does the chunk matter?</h2><p class="muted">Chunks executed at saved states, each followed by '
        f"continuations with fresh noise: {size}</p><p>{mended}</p>"
        f'<div class="grid">{figure(left, "where the variance of success lies")}'
        f"{figure(right, 'what one perfect choice would give; chosen on half of the continuations')}</div>"
    )


def _critic(figures: Figures) -> str:
    critic = figures.critic
    if critic is None:
        return ""
    cards = [
        card("concordance at one state", number(critic.concordance.estimate), between(critic.concordance),
             f"{critic.pairs} pairs of {critic.states} states"),
        card("AUC over all states", number(critic.auc.estimate), between(critic.auc), "what the state alone gives"),
        card("trained on", f"{critic.episodes} episodes", f"{critic.updates} updates, {critic.env_steps:,} steps"),
    ]  # fmt: skip
    return (
        '<h2>Can a quick critic choose?</h2><p class="muted">0.5 ranks no better than a coin; it may choose where the '
        f'lower end is above 0.55.</p><div class="cards">{"".join(cards)}</div>'
    )


def _coverage(figures: Figures) -> str:
    coverage = figures.coverage
    if coverage is None:
        return ""
    named = [("failing starts outside", coverage.outside_failing),
             ("succeeding starts outside", coverage.outside_succeeding),
             ("a failing start is farther (AUC)", coverage.auc), ("failing episodes that leave", coverage.left),
             ("succeeding episodes that leave", coverage.left_succeeding),
             ("demonstrations disagree", coverage.disagreement)]  # fmt: skip
    known = [(name, value) for name, value in named if value is not None]
    plot = plots.intervals([name for name, _ in known], [value for _, value in known], "share or chance")
    rows = [
        (each.name, f"{each.low:.4g} to {each.high:.4g}", f"{each.failing_low:.4g} to {each.failing_high:.4g}",
         "" if each.unit == "1" else each.unit, percent(each.outside), number(each.auc))
        for each in coverage.components
    ]  # fmt: skip
    heads = ("component at the start", "demonstrated", "failing, 5 to 95 %", "unit", "failing outside", "AUC")
    more = [f"{coverage.demonstrations} demonstrations, {coverage.failing} failing starts."]
    if coverage.misfit is not None:
        more.append(f"Error at demonstrated states {coverage.misfit:.2f} of what varies there.")
    if coverage.left_at is not None:
        more.append(f"Half of the failing episodes that leave the data have left at step {coverage.left_at:.0f}.")
    return (
        f'<h2>Does it fail where demonstrations are missing?</h2><p class="muted">{escape(" ".join(more))}</p>'
        f'<div class="grid">{figure(plot, "outside is beyond 99 % of the demonstrations, from one another")}'
        f"{_plane(coverage)}</div>{_table(heads, rows)}"
    )


def _plane(coverage: CoverageFigures) -> str:
    """Starts in the plane of the two components that differ most."""
    if not coverage.points:
        return ""
    styles = {
        SHOWN_AT: {"marker": "s", "color": plots.MUTED, "markersize": 3},
        FAILING: {"marker": "o", "color": plots.BAD, "markersize": 4, "markerfacecolor": "none"},
        SUCCEEDING: {"marker": "o", "color": plots.GOOD, "markersize": 4},
    }

    def draw(axes: Any) -> None:
        for name, style in styles.items():
            x, y = zip(*coverage.points[name]) if coverage.points[name] else ((), ())
            axes.plot(x, y, linestyle="none", label=name, **style)
        for axis, component in zip("xy", coverage.components):
            unit = "" if component.unit == "1" else f" ({component.unit})"
            getattr(axes, f"set_{axis}label")(f"{component.name}{unit}")
        axes.locator_params(nbins=6)
        axes.legend(frameon=False, labelcolor=plots.INK, loc="best")

    return figure(plots.svg(draw, height=3.2), "starts: squares demonstrated, rings fail, dots succeed")


def _actions(figures: Figures) -> str:
    if figures.actions is None:
        return ""
    rows = []
    for name, field in figures.actions.fields.items():
        spread = "" if field.spread is None else f"{field.spread:.3g} {field.unit}"
        shown = "" if field.demonstrated is None else f"{field.demonstrated:.3g} {field.unit}"
        ratio = "" if field.rougher is None else f"{field.rougher:.1f}"
        rows.append((name, spread, f"{field.roughness:.3g} {field.unit}", shown, ratio))
    heads = ("field", "spread of chunks at one state", "second difference", "demonstrated", "ratio")
    note = f"{figures.actions.chunks} chunks at each of {figures.actions.states} states; differences of executed rows."
    return f'<h2>What it does</h2><p class="muted">{note}</p>{_table(heads, rows)}'


def _failures(figures: Figures) -> str:
    failures = figures.failures
    if failures is None:
        return ""
    rows = [("episodes that fail", _interval(failures.failed, percent))]
    if failures.time_limit is not None:
        rows.append(("of them at the time limit", percent(failures.time_limit)))
    for name, value in (("failing", failures.steps_failed), ("succeeding", failures.steps_succeeded)):
        if value is not None:
            rows.append((f"steps of a {name} episode, median", f"{value:.0f}"))
    if failures.starts_decided is not None:
        rows.append(("starts that end alike under every setting", percent(failures.starts_decided)))
    return f"<h2>When it fails</h2>{_table(('', ''), rows)}"


def _latency(figures: Figures) -> str:
    latency = figures.latency
    if latency is None:
        return ""
    rows = [(name, f"{value:.1f} ms", f"{latency.p95_ms[name]:.1f} ms") for name, value in latency.p50_ms.items()]
    note = f"One robot on this host; {latency.rows} rows of {latency.period_ms:.0f} ms are executed per decision."
    return f'<h2>What a decision takes</h2><p class="muted">{note}</p>{_table(("setting", "p50", "p95"), rows)}'


def _skipped(figures: Figures) -> str:
    if not figures.skipped:
        return ""
    names: dict[str, list[str]] = {}
    for name, why in figures.skipped.items():
        names.setdefault(why, []).append(name)
    items = "".join(f"<dt>{escape(', '.join(each))}</dt><dd>{escape(why)}</dd>" for why, each in names.items())
    return f"<h2>Not measured</h2><dl>{items}</dl>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<h3></h3><div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _points(interval: Interval) -> str:
    return f"{interval.estimate:+.1%} [{interval.low:+.1%}, {interval.high:+.1%}]"


def _interval(interval: Interval, shown: Any = number) -> str:
    return f"{shown(interval.estimate)} [{between(interval, shown)}]"
