"""Diagnoses of three bases that fail for different reasons, and what is known to pay on each.

    python -m benchmarks.diagnose                  all three, about half an hour on one core
    python -m benchmarks.diagnose lift_shifted     some of them
    python -m benchmarks.diagnose --table          the table of what is there

Narrow: `peg_weak`, whose chunks hardly differ in value at one state (.008 [.001, .018]). Noisy: `drawer_weak`, whose
chunks spread as widely as its data move, and decide (.029 [.018, .041]). Shifted: `lift_shifted`, whose cubes lie where
none was demonstrated. All three were measured with other rungs before, by which the first advice beyond the free
setting is judged; the thresholds of the rules were set on these bases too.
Diagnoses lie in `artifacts/diagnose` and are not taken again; the table is docs/results/diagnose.csv. Advice is made
anew from the figures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any, Iterator

from benchmarks.artifacts import RESULTS, ROOT, interval_cells, write_csv
from benchmarks.free_steering import BASES, require_known
from robot.description import from_json
from robot.errors import TillerError
from sim.statistics.intervals import Interval
from tiller.diagnosis.advice import OUTSIDE, Advice, Verdict, advise
from tiller.diagnosis.figures import Figures
from tiller.verbs.diagnose import FIGURES

CHOSEN = {"peg_weak": "narrow", "drawer_weak": "noisy", "lift_shifted": "shifted"}
WON = {
    "peg_weak": ("filtered_bc", "0.633 on 120 starts; best scale 0.492, a hundred more demonstrations 0.500"),
    "drawer_weak": ("train_longer", "0.920; best scale 0.755, filtered_bc 0.515, best of 16 at that scale 0.765"),
    "lift_shifted": ("demonstrations", "50 there 0.960; filtered_bc 0.770, best scale 0.673, best of 16 there 0.680"),
}
"""Of each base the rung beyond the free ones that was measured best, and what they came to: docs/results.md."""
SEED = 520_000
INTERVALS = (
    "success", "best_gain", "between_chunks", "within", "choice_gain", "mended", "concordance", "outside_failing",
    "outside_succeeding", "coverage_auc", "disagreement",
)  # fmt: skip
COLUMNS = (
    "base", "kind", "task", "named", "won", "agree", "measured", "pays", "may_pay", "not_known",
    "does_not_pay", "best_setting",
    *(f"{name}{end}" for name in INTERVALS for end in ("", "_low", "_high")),
    "misfit", "epochs", "where", "starts", "states", "env_steps", "minutes", "steps", "n_action_steps", "first_seed",
    "base_hash", "date",
)  # fmt: skip


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bases", nargs="*", help=f"of {', '.join(CHOSEN)}; default: all")
    parser.add_argument("--artifacts", type=Path, default=ROOT / "artifacts")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--table", action="store_true", help="write the table of what is there, and run nothing")
    options = parser.parse_args(words)
    require_known(options.bases, {name: BASES[name] for name in CHOSEN})
    for name in options.bases or CHOSEN:
        if not options.table:
            diagnose(name, options.artifacts, options.minutes)
        write_csv(RESULTS / "diagnose.csv", COLUMNS, list(rows(options.artifacts)))
    return 0


def diagnose(name: str, artifacts: Path, minutes: float) -> None:
    """Diagnose a base, unless that was done."""
    base, folder = BASES[name], artifacts / "diagnose" / name
    run = base.trained(artifacts)
    if run is None or (folder / FIGURES).exists():
        return
    command = [
        "diagnose", f"checkpoint={run}", f"task={base.task}", f"steps={base.steps}", f"n_action_steps={base.rows}",
        f"demonstrations={artifacts / base.study / 'demonstrations'}", f"seed={SEED}", f"minutes={minutes:g}",
        f"output={folder}", "resume=true", *base.words,
    ]  # fmt: skip
    print("$ tiller " + " ".join(command), flush=True)
    if subprocess.run([sys.executable, "-m", "tiller", *command], cwd=ROOT, check=False).returncode:
        raise TillerError("tiller diagnose failed. The same command goes on here")


def rows(artifacts: Path) -> Iterator[dict[str, Any]]:
    """A row of each diagnosis that is whole."""
    for name, kind in CHOSEN.items():
        file = artifacts / "diagnose" / name / FIGURES
        if not file.exists():
            continue
        record = json.loads(file.read_text(encoding="utf-8"))
        figures = from_json(Figures, record["figures"])
        advice = advise(figures)
        seconds = [json.loads(each.read_text())["seconds"] for each in (file.parent / "measures").glob("*.json")]
        named = next(each.rung for each in advice if each.rung != "free")
        chunks, coverage, critic = figures.chunks, figures.coverage, figures.critic
        yield {
            "base": name, "kind": kind, "task": record["task"], "named": named, "won": WON[name][0],
            "agree": named == WON[name][0], "measured": WON[name][1],
            **{key: _named(advice, verdict) for key, verdict in (
                ("pays", Verdict.PAYS), ("may_pay", Verdict.MAY), ("not_known", Verdict.UNKNOWN),
                ("does_not_pay", Verdict.NO))},
            "best_setting": figures.settings.best, **_intervals(figures),
            "misfit": "" if coverage is None or coverage.misfit is None else round(coverage.misfit, 3),
            "epochs": "" if figures.training.epochs is None else round(figures.training.epochs),
            "where": " ".join(each.name for each in coverage.components if each.outside >= OUTSIDE) if coverage else "",
            "starts": figures.settings.starts, "states": "" if chunks is None else chunks.states,
            "env_steps": figures.settings.env_steps + sum(each.env_steps for each in (chunks, critic) if each),
            "minutes": round(sum(seconds) / 60, 1), "steps": record["policy"]["steps"],
            "n_action_steps": record["n_action_steps"], "first_seed": figures.settings.first_seed,
            "base_hash": record["policy"]["hash"], "date": date.fromtimestamp(file.stat().st_mtime).isoformat(),
        }  # fmt: skip


def _intervals(figures: Figures) -> dict[str, Any]:
    chunks, critic, coverage = figures.chunks, figures.critic, figures.coverage
    known: dict[str, Interval | None] = {
        "success": figures.settings.base, "best_gain": figures.settings.best_gain,
        "between_chunks": chunks.between_chunks if chunks else None, "within": chunks.within if chunks else None,
        "choice_gain": chunks.gain if chunks else None, "mended": chunks.mended if chunks else None,
        "concordance": critic.concordance if critic else None,
        "outside_failing": coverage.outside_failing if coverage else None,
        "outside_succeeding": coverage.outside_succeeding if coverage else None,
        "coverage_auc": coverage.auc if coverage else None,
        "disagreement": coverage.disagreement if coverage else None,
    }  # fmt: skip
    cells: dict[str, Any] = {}
    for name, value in known.items():
        empty = {f"{name}{end}": "" for end in ("", "_low", "_high")}
        cells |= empty if value is None else interval_cells(name, value)
    return cells


def _named(advice: tuple[Advice, ...], verdict: Verdict) -> str:
    return " ".join(each.rung for each in advice if each.verdict is verdict)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TillerError as error:
        sys.exit(f"{error}")
