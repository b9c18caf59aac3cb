"""Does a policy that knows its energy budget need the filter less? The 2 x 2 grid {agnostic, aware} x {none, filter}.

    python -m benchmarks.passivity_grid [--seeds 2] [--algorithm ppo|sac] [--steps N] [--out artifacts/passivity_grid]
    python -m benchmarks.passivity_grid --report

Agnostic is trained without cost and without the tank in its observation. Aware sees the tank and pays for an empty one
(`--cost tank`), or for energy beyond the budget by a multiplier (`--cost multiplier`), or both. Each policy is
evaluated without and with the filter, on the layouts that it was trained on and on held-out ones, on the same episodes.
What is finished is not done again; what was interrupted goes on. `--report` writes docs/results/passivity_grid.csv, and
beside the runs `report.md`, whose falsifiers were written before the run, and figures of energy over time.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.passivity_maze import MazeRows, deployed_budget, evaluate
from benchmarks.passivity_report import FILTERS, POLICIES, begin_report, write_cell, write_report
from policies.rl import ActorPolicy, RunConfig, VectorEnvironment, train
from policies.safe import BudgetObserved, ConstrainedSac, ConstrainedSacConfig, Gains, Ppo, PpoConfig
from robot.description import from_json
from robot.errors import InputError, TillerError
from robot.safety.energy.budget import Budget
from sim.maze import HELD_OUT

ROOT = Path(__file__).resolve().parent.parent
ROWS = 64
STEPS = {"ppo": 2_129_920, "sac": 500_000}
SEGMENT = {"ppo": 20 * 128 * ROWS, "sac": 32_768}
COSTS = ("tank", "multiplier", "both")
EMPTY = -0.1  # earned by a step with an empty tank: ten times what a step costs
SAC = ConstrainedSacConfig(learning_rate=1e-3)
PPO = PpoConfig(learning_rate=2e-3, passes=5, target_divergence=0.04)
GAINS = {"ppo": Gains(0.1, 0.02, 0.01, most=20.0), "sac": Gains(0.01, 0.001, 0.001, most=20.0)}
EVALUATION_SEED = 100_000
SETTINGS = "settings.json"


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each policy")
    parser.add_argument("--algorithm", choices=tuple(STEPS), default="ppo")
    parser.add_argument("--cost", choices=COSTS, default="tank", help="what makes the aware policy aware")
    parser.add_argument("--steps", type=int, help="of the environment, a training")
    parser.add_argument("--layouts", default="1,2,3,4", help="to train on")
    parser.add_argument("--episodes", type=int, default=100, help="of each evaluation")
    parser.add_argument("--filtered-training", action="store_true", help="let the filter act in training too")
    parser.add_argument("--out", type=Path, default=ROOT / "artifacts" / "passivity_grid")
    parser.add_argument("--table", type=Path, default=ROOT / "docs" / "results" / "passivity_grid.csv")
    parser.add_argument("--report", action="store_true", help="only write the table, the figures and the verdicts")
    asked = parser.parse_args(words)
    if not asked.report:
        torch.set_num_threads(1)
        run(asked)
    print(write_report(asked.out, asked.table, read_settings(asked.out)["table"]))
    return 0


def run(asked: argparse.Namespace) -> None:
    """Train and evaluate what is missing."""
    layouts = tuple(int(number) for number in asked.layouts.split(","))
    steps = asked.steps or STEPS[asked.algorithm]
    choices = {
        "algorithm": asked.algorithm,
        "cost": asked.cost,
        "steps": steps,
        "layouts": list(layouts),
        "filtered_training": asked.filtered_training,
        "episodes": asked.episodes,
    }
    budget = settle(asked.out, choices)
    for seed in range(asked.seeds):
        for policy in POLICIES:
            folder = asked.out / f"{policy}-seed{seed}"
            trained = trained_policy(folder, policy, seed, budget, choices)
            for name, numbers in (("training", layouts), ("held_out", HELD_OUT)):
                for how in FILTERS:
                    cell = folder / f"{name}-{how}"
                    if (cell / "episodes.csv").exists():
                        continue
                    episodes, levels = evaluate(
                        trained.act,
                        sees_tank=sees_tank(policy, asked.cost),
                        budget=budget,
                        count=asked.episodes,
                        layouts=numbers,
                        seed=EVALUATION_SEED,
                        enforce=how == "filter",
                    )
                    write_cell(cell, episodes, levels)
                    print(
                        f"{folder.name} {name} {how}: {sum(row['success'] for row in episodes)} of {len(episodes)}, "
                        f"{sum(row['overdraft_j'] > 0 for row in episodes)} overdrawn",
                        flush=True,
                    )


def settle(out: Path, choices: dict[str, Any]) -> Budget:
    """The budget of a grid; written with its choices and the falsifiers before anything is trained.

    Raises:
        InputError: the folder holds a grid with other choices.
    """
    file = out / SETTINGS
    if file.exists():
        told = read_settings(out)
        if told["choices"] != choices:
            raise InputError(
                f"grid '{out}'",
                expected=str(told["choices"]),
                got=str(choices),
                way_out="Give the same choices, or another --out",
            )
        return from_json(Budget, told["budget"], where=str(file))
    budget, says = deployed_budget()
    begin_report(out, f"{says}. Choices: {json.dumps(choices)}.")
    table = {
        "algorithm": choices["algorithm"],
        "cost": choices["cost"],
        "train_steps": choices["steps"],
        "train_layouts": " ".join(map(str, choices["layouts"])),
        "initial_j": budget.initial_j,
        "budget_hash": budget.hash,
    }
    file.write_text(json.dumps({"choices": choices, "budget": asdict(budget), "table": table}, indent=2) + "\n")
    return budget


def read_settings(out: Path) -> dict[str, Any]:
    if not (out / SETTINGS).exists():
        raise InputError(
            f"grid '{out}'",
            expected="one that was begun",
            got=f"no {SETTINGS}",
            way_out="Run it without --report first",
        )
    found: dict[str, Any] = json.loads((out / SETTINGS).read_text())
    return found


def sees_tank(policy: str, cost: str) -> bool:
    return policy == "aware" and cost != "multiplier"


def trained_policy(folder: Path, policy: str, seed: int, budget: Budget, choices: dict[str, Any]) -> ActorPolicy:
    """The policy of a folder, trained where it is not yet.

    Raises:
        TillerError: it was stopped.
    """
    if (folder / "policy").is_dir():
        return ActorPolicy.load(folder / "policy")

    def make(episodes_of: int) -> VectorEnvironment:
        rows = MazeRows(
            episodes_of, rows=ROWS, layouts=choices["layouts"], budget=budget, enforce=choices["filtered_training"]
        )
        return BudgetObserved(rows, EMPTY) if sees_tank(policy, choices["cost"]) else rows

    algorithm = choices["algorithm"]
    gains = GAINS[algorithm] if policy == "aware" and choices["cost"] != "tank" else None
    one = make(0)
    agent: ConstrainedSac | Ppo
    if algorithm == "sac":
        agent = ConstrainedSac(one.observation_size, one.action_size, replace(SAC, gains=gains), seed)
    else:
        agent = Ppo(one.observation_size, one.action_size, replace(PPO, gains=gains), seed)
    segment = SEGMENT[algorithm]
    config = RunConfig(choices["steps"], segment=segment, log_every=segment // 4, seed=seed)
    trained = train(
        make,
        agent,
        config,
        folder,
        report=lambda line: print(line, flush=True),
        notes={"budget": asdict(budget), "budget_hash": budget.hash, "choices": choices, "seed": seed},
    )
    if trained is None:
        raise TillerError(f"'{folder}' was stopped. The same command goes on here")
    return trained


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TillerError as error:
        sys.exit(f"{error}")
