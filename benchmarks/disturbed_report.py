"""What `benchmarks.passivity_disturber` found: a table, and a figure of success against the largest force."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from policies.model.checkpoint_folder import read_json
from robot.errors import InputError
from robot.files import write_table
from sim.statistics.intervals import wilson

POOLED = ("task", "policy", "disturber", "force_n")
COLOURS = {"undisturbed": "tab:grey", "randomised": "tab:blue", "adversarial": "tab:red"}
LINES = {"random": ":", "attacker": "-"}
RECORD_SEEDS = 3


def write_report(out: Path, table: Path) -> str:
    """Write the table and the figures of all points below a folder; returns the table as lines for people.

    Raises:
        InputError: nothing is there yet.
    """
    points = read_points(out)
    if not points:
        raise InputError(
            f"report of '{out}'",
            expected="points that were evaluated",
            got="none",
            way_out="Run python -m benchmarks.passivity_disturber first",
        )
    rows = [pooled(points, key) for key in sorted({tuple(point[name] for name in POOLED) for point in points})]
    write_table(table, list(rows[0]), rows)
    for task in sorted({row["task"] for row in rows}):
        draw([row for row in rows if row["task"] == task], out / f"success_{task.replace('/', '_')}.png")
    return "\n".join(
        f"{row['task']:10} {row['policy']:12} {row['disturber']:9} {row['force_n']:6g} N  success "
        f"{row['success']:.3f} [{row['success_low']:.3f}, {row['success_high']:.3f}]  given "
        f"{row['given_j']:.3f} J  gain {row['gain'] if row['gain'] != '' else '-'}"
        for row in rows
    )


def read_points(out: Path) -> list[dict[str, Any]]:
    """All points, each with the settings of its run."""
    found = []
    for file in sorted(out.glob("*/seed*/points/*.json")):
        settings = read_json(file.parent.parent / "settings.json")
        found.append(
            {
                **{name: settings[name] for name in ("task", "seed", "attack_steps", "layouts")},
                "training_steps": settings["steps"],
                "energy_j": settings["limits"]["energy_j"],
                "trained_n": settings["limits"]["force_n"],
                **read_json(file),
            }
        )
    return found


def pooled(points: list[dict[str, Any]], key: tuple[Any, ...]) -> dict[str, Any]:
    """One row of the table: the episodes of all seeds together."""
    chosen = [point for point in points if tuple(point[name] for name in POOLED) == key]
    episodes, seeds = sum(point["episodes"] for point in chosen), len({point["seed"] for point in chosen})
    success = wilson(sum(point["success"] for point in chosen), episodes)
    metered = [point for point in chosen if point["gain"] is not None]
    first = chosen[0]
    return {
        **dict(zip(POOLED, key)),
        "trained_n": first["trained_n"],
        "energy_j": first["energy_j"],
        "layouts": " ".join(map(str, first["layouts"])),
        "training_steps": first["training_steps"],
        "seeds": seeds,
        "attack_steps": first["attack_steps"],
        "episodes": episodes,
        "success": round(success.estimate, 4),
        "success_low": round(success.low, 4),
        "success_high": round(success.high, 4),
        **{
            name: round(sum(point[name] * point["episodes"] for point in chosen) / episodes, 4)
            for name in ("steps", "given_j")
        },
        "gain": round(max(point["gain"] for point in metered), 4) if metered else "",
        "beyond_j": round(max(point["beyond_j"] for point in metered), 5) if metered else "",
        "tier": "record" if seeds >= RECORD_SEEDS else "short run",
        "date": date.today().isoformat(),
    }


def draw(rows: list[dict[str, Any]], file: Path) -> None:
    """Success against the largest force, a line for each policy and disturber, with Wilson's 95 % interval."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    for policy, colour in COLOURS.items():
        for kind, line in LINES.items():
            chosen = [row for row in rows if (row["policy"], row["disturber"]) == (policy, kind)]
            if not chosen:
                continue
            force = [row["force_n"] for row in chosen]
            axes.plot(
                force,
                [row["success"] for row in chosen],
                line,
                color=colour,
                marker="o",
                markersize=3,
                label=f"{policy}, {'its own attacker' if kind == 'attacker' else 'random pushes'}",
            )
            axes.fill_between(
                force,
                [row["success_low"] for row in chosen],
                [row["success_high"] for row in chosen],
                color=colour,
                alpha=0.1,
                linewidth=0,
            )
    first = rows[0]
    axes.axvline(first["trained_n"], color="black", linewidth=0.5)
    axes.set(
        xlabel="largest force of the disturber (N); the line: in training",
        ylabel="success",
        ylim=(-0.03, 1.03),
        title=f"{first['task']}, {first['energy_j']:g} J an episode, {first['training_steps']} steps, "
        f"{first['seeds']} seed{'s' * (first['seeds'] > 1)}",
    )
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file, dpi=150)
    pyplot.close(figure)
