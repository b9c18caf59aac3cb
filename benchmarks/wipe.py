"""How much of its way the expert of `twin/wipe` presses with 5 to 15 N.

    python -m benchmarks.wipe [--episodes 500] [--seed 0]

The way is what the sponge rubs over the dirty stroke; the share of it in the band is given over all ways together, and
for the worst episode.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import sim
from sim.evaluation.collect import record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of the first episode")
    asked = parser.parse_args()
    env: Any = sim.make("twin/wipe")
    succeeded, ways, kept = 0, [], []
    for seed in range(asked.seed, asked.seed + asked.episodes):
        succeeded += bool(record(env, seed).meta["success"])
        ways.append(env.twin_task.rubbed_m)
        kept.append(env.twin_task.kept)
    share = np.average(kept, weights=ways)
    print(
        f"wiped {succeeded} of {asked.episodes}; in band on {share:.4f} of all ways, "
        f"on {min(kept):.3f} of the worst; at least 0.9 in {np.mean(np.array(kept) >= 0.9):.3f} of episodes"
    )


if __name__ == "__main__":
    main()
