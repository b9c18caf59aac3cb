"""Critics that choose among a policy's chunks: how often each ranks two chunks of one state rightly.

    python -m benchmarks.critics

The demo's lift policy under three Euler steps, cubes displaced by `object_pose=5`, as in `benchmarks.critic`, whose
episodes are used too. Further groups of 8 go on from one of the first three decisions: 200 to train on, 100 to judge
on. Every arm is trained by `tiller train` alike; what it sees of the base's zero-noise plan and its objective differ.
Its checkpoint is chosen by the concordance on half of the judged starts, and docs/results/critics.csv has its figures
on the other half, with intervals over starts.
"""

from __future__ import annotations

import json
import shutil
import sys
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.artifacts import RESULTS, ROOT, write_csv
from benchmarks.critic import FOLDER as EARLIER
from benchmarks.critic import collect as collect_earlier
from benchmarks.critic import tiller

FOLDER = ROOT / "artifacts" / "critics"
SETS = {"train": (830_000, 1600), "judged": (840_000, 800)}  # first seed, episodes
STEPS = {"success": 800, "iql": 1500, "cal_ql": 1500}
EVALUATIONS = 4
ARMS = [
    *((objective, plan, "mlp") for objective in STEPS for plan in ("hidden", "difference", "deviation")),
    *(("success", plan, "dueling") for plan in ("difference", "deviation")),
    ("success", "beside", "mlp"),
]
FIGURES = (
    "auc_within_state", "auc_within_state_low", "auc_within_state_high", "passed", "states", "pairs_within_state",
    "auc", "auc_low", "auc_high", "auc_first", "brier", "calibration_error", "value_less_return", "bound_rate",
)  # fmt: skip
COLUMNS = (
    "objective", "plan", "network", *FIGURES, "selection_concordance", "selection_update", "episodes", "minutes",
    "date",
)  # fmt: skip


def base() -> Path:
    return sorted((ROOT / "artifacts" / "twin_lift").glob("flow-seed0-*/checkpoints/final"))[-1].parent.parent


def collect() -> None:
    if not all((EARLIER / name).exists() for name in SETS):
        collect_earlier()
    for name, (seed, episodes) in SETS.items():
        tiller(
            "collect", "task=twin/lift", "source=checkpoint", f"checkpoint={base()}", "steps=3",
            "perturbations.object_pose=5", "groups=8", "group_decisions=3", f"episodes={episodes}", f"seed={seed}",
            f"output={FOLDER / name}", *(["resume=true"] if (FOLDER / name).exists() else []),
        )  # fmt: skip


def train(objective: str, plan: str, network: str) -> dict[str, Any]:
    """The row of the table of an arm, trained where it is missing."""
    output, plans = FOLDER / "runs" / f"{objective}-{plan}-{network}", FOLDER / "base"
    if not (output / "finished.json").exists():
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir(parents=True)
        plans.mkdir(exist_ok=True)
        (output / "base").symlink_to(plans)  # what the base plans is the same for all arms
        fit(output, objective, plan, network)
    best = output / "checkpoints" / "best"
    judgement, choice = (json.loads((best / name).read_text()) for name in ("judgement.json", "choice.json"))
    finished = json.loads((output / "finished.json").read_text())
    return {
        "objective": objective, "plan": plan, "network": network, **{name: judgement[name] for name in FIGURES},
        "selection_concordance": choice["value"], "selection_update": choice["update"],
        "episodes": judgement["episodes"], "minutes": finished["minutes"],
        "date": date.fromtimestamp(best.stat().st_mtime).isoformat(),
    }  # fmt: skip


def fit(output: Path, objective: str, plan: str, network: str) -> None:
    steps = STEPS[objective]
    tiller(
        "train", f"critic={objective}", f"critic.network.name={network}", "critic.network.width=64",
        f"critic.plan={plan}", f"base={base()}", "base_steps=3", f"data=[{EARLIER / 'train'},{FOLDER / 'train'}]",
        f"judge=[{EARLIER / 'judged'},{FOLDER / 'judged'}]", "task=twin/lift", "training=fast",
        f"training.steps={steps}", "training.warmup=50", "training.ema.decay=0.99",
        f"training.evaluate_every={steps // EVALUATIONS}", f"output={output}", "resume=true",
    )  # fmt: skip


def main() -> int:
    collect()
    rows = []
    for arm in ARMS:
        rows.append({name: "" if value is None else value for name, value in train(*arm).items()})
        write_csv(RESULTS / "critics.csv", COLUMNS, rows)
    for row in rows:
        low, high = row["auc_within_state_low"], row["auc_within_state_high"]
        name = f"{row['objective']}, {row['plan']}, {row['network']}"
        print(f"{name}: {row['auc_within_state']:.3f} [{low:.3f}, {high:.3f}], AUC {row['auc']:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
