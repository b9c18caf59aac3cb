"""What an evaluation came to, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from robot.description import Policy
    from sim.statistics.records import Evaluation


def prompt_note(evaluation: Evaluation, policy: Policy) -> str:
    """A sentence where the episodes had several instructions and the policy reads none; empty otherwise."""
    if len(evaluation.instructions) < 2 or policy.spec.prompt.reads_words:
        return ""
    several = len(evaluation.instructions)
    return f"The episodes had {several} instructions, and this policy reads none (policy.prompt.name=instruction would)"


def figures(evaluation: Evaluation) -> dict[str, Any]:
    """Headline figures of an evaluation."""
    summary = evaluation.summary
    if summary is None:
        return {"episodes": 0}
    alarms = {} if summary.alarms is None else vars(summary.alarms)
    return {
        "episodes": summary.episodes,
        "success": summary.success.estimate,
        "score": summary.score.estimate,
        **{f"monitor_{name}": value for name, value in alarms.items()},
    }


def show(evaluation: Evaluation) -> None:
    """The result as a table: success with Wilson's interval, score with its bootstrap interval."""
    from rich.console import Console
    from rich.table import Table

    from sim.statistics.groups import perturbation_text, steering_text

    summary = evaluation.summary
    if summary is None:
        print("No episode was finished.")
        return
    policy = evaluation.policy
    execution = "a temporal ensemble" if evaluation.ensemble else f"{evaluation.n_action_steps} rows a plan"
    facts = [
        evaluation.task,
        perturbation_text(evaluation.options),
        f"seeds {evaluation.seed} to {evaluation.seed + evaluation.episodes - 1}",
        f"{policy.get('sampler')} in {policy.get('steps')} steps",
        execution,
        steering_text(policy),
    ]
    print(f"{', '.join(filter(None, facts))}; intervals at 95 %")
    table = Table(show_header=False)
    table.add_row("success", f"{summary.successes} of {summary.episodes} = {summary.success}")
    table.add_row("score", str(summary.score))
    table.add_row("return", f"{summary.episode_return:.4g}")
    table.add_row("length", f"{summary.length:.1f} steps")
    table.add_row("speed", f"{summary.steps_per_s:.0f} steps/s, {summary.inference_share:.0%} of it in the policy")
    p50_ms, p95_ms = evaluation.latency.p50_s * 1e3, evaluation.latency.p95_s * 1e3
    if summary.alarms is not None:
        table.add_row("monitor", summary.alarms.sentence)
    table.add_row("a plan", f"p50 {p50_ms:.1f} ms, p95 {p95_ms:.1f} ms for a batch of {evaluation.batch}")
    Console().print(table)
    for sentence in filter(None, [evaluation.divergence, *evaluation.missing_videos]):
        print(sentence)


def show_comparison(evaluation: Evaluation, other: Evaluation, name: str) -> None:
    """This evaluation against another one on the same seeds."""
    from rich.console import Console
    from rich.table import Table

    from sim.statistics.comparison import compare

    result = compare(other, evaluation)
    print(f"this one minus {name}, {result.pairs} seeds in pairs")
    table = Table(show_header=False)
    table.add_row("success", str(result.success))
    table.add_row("score", str(result.score))
    table.add_row(
        "succeeded",
        f"both {result.both}, only this one {result.only_second}, "
        f"only the other {result.only_first}, neither {result.neither}",
    )
    table.add_row("equally often?", f"McNemar p = {result.p_value:.3f}")
    Console().print(table)
