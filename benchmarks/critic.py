"""The first critic: success of a chunk on a shifted `twin/lift`, from 200 episodes, stopped in the middle and resumed.

    python -m benchmarks.critic

Groups of 8 episodes of the demo's lift policy (three Euler steps, cubes displaced by `object_pose=5`) are collected:
200 episodes to train on and 400 to judge on. The critic is trained by `tiller train` in one piece, and again stopped in
the middle and resumed: both must have the same bits. docs/results/critic_success.csv has its AUC over all chunks and
within one state, and its calibration; the picture lies beside the run. Width and updates were chosen by the validation
loss of the training episodes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

from benchmarks.artifacts import RESULTS, ROOT, write_csv

FOLDER = ROOT / "artifacts" / "critic"
STEPS, MIDDLE = 200, 90
COLUMNS = (
    "episodes", "judged_episodes", "auc", "auc_low", "auc_high", "auc_first", "auc_within_state",
    "auc_within_state_low", "auc_within_state_high", "states", "pairs_within_state", "brier", "calibration_error",
    "same_bits_resumed", "minutes", "date",
)  # fmt: skip
SETS = {"train": (700_000, 200), "judged": (720_000, 400)}  # first seed, episodes


def tiller(*words: str) -> None:
    print("$ tiller " + " ".join(words), flush=True)
    subprocess.run([sys.executable, "-m", "tiller", *words], check=True, cwd=ROOT)


def collect() -> None:
    base = sorted((ROOT / "artifacts" / "twin_lift").glob("flow-seed0-*/checkpoints/final"))
    if not base:
        sys.exit("Train the base first: python benchmarks/artifacts.py twin_lift")
    for name, (seed, episodes) in SETS.items():
        tiller(
            "collect", "task=twin/lift", "source=checkpoint", f"checkpoint={base[-1].parent.parent}", "steps=3",
            "perturbations.object_pose=5", "groups=8", f"episodes={episodes}", f"seed={seed}",
            f"output={FOLDER / name}", *(["resume=true"] if (FOLDER / name).exists() else []),
        )  # fmt: skip


def train(name: str, *words: str) -> Path:
    output = FOLDER / name
    tiller(
        "train", "critic=success", "critic.network.width=64", f"data={FOLDER / 'train'}", f"judge={FOLDER / 'judged'}",
        "task=twin/lift", "training=fast", f"training.steps={STEPS}", "training.warmup=50", f"output={output}", *words,
    )  # fmt: skip
    return output


def main() -> int:
    collect()
    whole = train("whole", "overwrite=true")
    train("parts", "overwrite=true", f"training.stop_after={MIDDLE}")
    parts = train("parts", "resume=true")
    weights = [(run / "checkpoints" / "final" / "model.safetensors").read_bytes() for run in (whole, parts)]
    figures = json.loads((whole / "finished.json").read_text())
    row = {
        **figures, "episodes": SETS["train"][1], "judged_episodes": SETS["judged"][1],
        "same_bits_resumed": weights[0] == weights[1], "date": date.today().isoformat(),
    }  # fmt: skip
    write_csv(RESULTS / "critic_success.csv", COLUMNS, [{name: row.get(name, "") for name in COLUMNS}])
    print(f"resumed in the middle, same bits: {weights[0] == weights[1]}")
    return int(weights[0] != weights[1])


if __name__ == "__main__":
    sys.exit(main())
