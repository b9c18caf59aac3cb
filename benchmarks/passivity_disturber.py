"""Does training against a learnt, energy-budgeted disturber make a policy hold better than random pushes do?

    python -m benchmarks.passivity_disturber [--task maze|twin/lift] [--steps N] [--seeds 1]
                                             [--out artifacts/passivity_disturber]
    python -m benchmarks.passivity_disturber --report

Three policies see as many environment steps each: `undisturbed`; `randomised`, pushed at random (domain randomisation);
`adversarial`, against a disturber that learns beside it. Then a new disturber is trained against each of them, frozen
(`--attack-steps`), and success is measured against the largest force: under random pushes, and under that attacker. All
pushes are bounded in newtons and in joules, and held for 100 ms. In the maze the finite gain W_env / (W_dist + E_0) is
measured too: by how much what the walls were given stayed below what the disturber gave and the tank had.

What is finished is not done again; what was interrupted goes on. `--report` writes docs/results/passivity_disturber.csv
and, beside the runs, success_<task>.png.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.disturbed_report import write_report
from benchmarks.disturbed_rows import Game, make_game
from policies.model.checkpoint_folder import read_json
from policies.model.files import write_json
from policies.rl import ActorPolicy, RunConfig, train
from policies.rl.state import stream
from policies.safe import Ppo, PpoConfig
from policies.safe.disturber import LEARNT, NONE, RANDOM, Attacked, Duel, DuelConfig, drawn_pushes
from policies.training.running.interruption import Interruption
from robot.errors import InputError, TillerError
from robot.files import write_file
from robot.safety.energy.budget import load_budget
from sim.disturbances.disturbance import PushLimits
from sim.maze.options import MAX_STEPS
from sim.maze.plans import TRAINING

POLICIES = {"undisturbed": NONE, "randomised": RANDOM, "adversarial": LEARNT}
KINDS = ("random", "attacker")
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)  # of the largest force of the training
MAZE = {
    "steps": 2_000_000,
    "rows": 64,
    "segment": 100_000,
    "episodes": 200,
    "force_n": 8.0,
    "energy_j": 0.5,
    "ppo": PpoConfig(steps=64, passes=8),
    "best": 0.06,
    "price": 0.02,
}
TWIN = {
    "steps": 200_000,
    "rows": 8,
    "segment": 4_096,
    "episodes": 100,
    "force_n": 1.5,
    "energy_j": 0.15,
    "ppo": PpoConfig(steps=32, batch_size=64, learning_rate=1e-3, passes=8, log_std=-1.2),
    "best": 0.03,
    "price": 0.02,
}
EVALUATION_SEED = 100_000
QUIET, FULL = 0.4, 0.7  # of the training: until it begins, and until the reach is whole


def main(arguments: list[str] | None = None) -> int:
    asked = parsed(arguments)
    torch.set_num_threads(1)
    try:
        if asked.report:
            print(write_report(asked.out, Path("docs/results/passivity_disturber.csv")))
            return 0
        for seed in range(asked.seeds):
            if not run(asked, seed):
                print("Stopped: the same command goes on.")
                return 1
    except TillerError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.passivity_disturber",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--task", default="maze", help="maze or twin/lift")
    parser.add_argument("--steps", type=int, help="environment steps of each policy's training")
    parser.add_argument("--attack-steps", type=int, help="of each attacker's training; a half of --steps")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each policy")
    parser.add_argument("--episodes", type=int, help="of each point of the curves")
    parser.add_argument("--force", type=float, help="largest force in training, N")
    parser.add_argument("--joules", type=float, help="E_d, J, that a disturber may give in an episode")
    parser.add_argument("--intensity", default="force", help="what the disturber pays for: force or energy")
    parser.add_argument("--layouts", default=",".join(map(str, TRAINING)), help="of the maze")
    parser.add_argument("--out", type=Path, default=Path("artifacts/passivity_disturber"))
    parser.add_argument("--report", action="store_true", help="write the table and the figures of what is there")
    asked = parser.parse_args(arguments)
    chosen = MAZE if asked.task == "maze" else TWIN
    if asked.task not in ("maze", "twin/lift"):
        parser.error(f"--task: expected maze or twin/lift, got {asked.task}")
    for name, key in (("steps", "steps"), ("episodes", "episodes"), ("force", "force_n"), ("joules", "energy_j")):
        if getattr(asked, name) is None:
            setattr(asked, name, chosen[key])
    asked.attack_steps = asked.attack_steps or asked.steps // 2
    asked.layouts = tuple(int(number) for number in asked.layouts.split(","))
    return asked


def run(asked: argparse.Namespace, seed: int) -> bool:
    """Train and evaluate all policies of one seed; whether it came to its end."""
    chosen = MAZE if asked.task == "maze" else TWIN
    folder = asked.out / asked.task.replace("/", "_") / f"seed{seed}"
    ppo: Any = chosen["ppo"]
    game = DuelConfig(
        ppo,
        replace(ppo, log_std=-0.5),
        intensity=asked.intensity,
        price=float(str(chosen["price"])),
        best=float(str(chosen["best"])),
        quiet=int(QUIET * asked.steps),
        full_after=max(int(FULL * asked.steps), 1),
    )
    limits = PushLimits(force_n=asked.force, energy_j=asked.joules)
    more = {"layouts": asked.layouts, "budget": load_budget("maze")} if asked.task == "maze" else {}
    keep_settings(
        folder / "settings.json",
        {
            "task": asked.task,
            "steps": asked.steps,
            "attack_steps": asked.attack_steps,
            "limits": asdict(limits),
            "layouts": list(asked.layouts) if more else [],
            "price": game.price,
            "best": game.best,
            "intensity": game.intensity,
            "seed": seed,
        },
    )

    def make(limits: PushLimits, seed: int, rows: int = int(str(chosen["rows"])), **other: Any) -> Game:
        return make_game(asked.task, seed, rows, limits, **more, **other)

    def attacked(policy: ActorPolicy, seed: int) -> Attacked:
        return Attacked(make(limits, seed), policy, example.observed, game)

    example = make(limits, 0, 1)
    config = RunConfig(asked.steps, segment=int(str(chosen["segment"])), seed=seed, log_every=max(asked.steps // 40, 1))
    for name, opponent in POLICIES.items():
        agent = Duel(
            example.observed,
            example.observation_size,
            example.actions,
            example.disturbances,
            replace(game, opponent=opponent),
            seed,
        )
        policy = train(partial(make, limits), agent, config, folder / name, notes={"opponent": opponent}, report=print)
        if policy is None:
            return False
        attacker = train(
            partial(attacked, policy),
            Ppo(example.observation_size, example.disturbances, game.disturber, stream(seed, 9)),
            replace(config, steps=asked.attack_steps),
            folder / f"{name}-attacker",
            report=print,
        )
        if attacker is None or not evaluate_all(asked, folder, name, policy, attacker, make, limits):
            return False
    return True


def keep_settings(file: Path, settings: dict[str, Any]) -> None:
    """Write down what a run was begun with; refuse to go on with another.

    Raises:
        InputError: a setting differs.
    """
    if file.is_file():
        began = read_json(file)
        for name, value in settings.items():
            if began.get(name) != value:
                raise InputError(
                    f"run '{file.parent}': {name}",
                    expected=f"{began.get(name)}, as it began",
                    got=str(value),
                    way_out="Give the same choices, or another --out",
                )
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, settings)


def evaluate_all(
    asked: argparse.Namespace,
    folder: Path,
    name: str,
    policy: ActorPolicy,
    attacker: ActorPolicy,
    make: Any,
    limits: PushLimits,
) -> bool:
    """The points of a policy's curves that are not there yet; whether it came to its end."""
    with Interruption() as interruption:
        for kind in KINDS:
            for share in SHARES:
                file = folder / "points" / f"{name}-{kind}-{share:g}.json"
                if file.is_file() and read_json(file)["episodes"] == asked.episodes:
                    continue
                found = evaluate(
                    make,
                    replace(limits, force_n=share * limits.force_n),
                    policy,
                    attacker if kind == "attacker" else None,
                    asked.episodes,
                    asked.task == "maze",
                )
                point = {"policy": name, "disturber": kind, "force_n": share * limits.force_n, **found}
                write_file(file, json.dumps(point))
                print(
                    f"{folder.name} {name} {kind} {share * limits.force_n:g} N: success {found['success']}"
                    f"/{found['episodes']}",
                    flush=True,
                )
                if interruption.requested:
                    return False
    return True


def evaluate(
    make: Any, limits: PushLimits, policy: ActorPolicy, attacker: ActorPolicy | None, episodes: int, maze: bool
) -> dict[str, Any]:
    """Episodes that begin alike for all policies, strengths and disturbers; None pushes at random.

    Returns:
        Successes, and of the episodes the joules that the disturber gave, and the largest W_env / (W_dist + E_0) and
        W_env - W_dist - E_0 at any time (maze).
    """
    total = {"success": 0, "episodes": 0, "steps": 0, "given_j": 0.0, "gain": 0.0, "beyond_j": -np.inf}
    rows = episodes if maze else 10
    for first in range(0, episodes, rows):
        rows = min(rows, episodes - first)
        more = {"restart": False} if maze else {"seeds": range(EVALUATION_SEED + first, EVALUATION_SEED + first + rows)}
        game = make(limits, EVALUATION_SEED, rows, **more)
        initial_j = game.batch.budget.initial_j if maze else np.inf
        random = np.random.default_rng(EVALUATION_SEED + first)
        observation, going = game.reset(), np.ones(rows, dtype=bool)
        given, taken = np.zeros(rows), np.zeros(rows)
        for _ in range(MAX_STEPS):
            push = drawn_pushes(rows, game.disturbances, random) if attacker is None else attacker.act(observation)
            step = game.step(np.concatenate([policy.act(observation[:, : game.observed]), push], axis=1))
            given, taken = given + game.pushed.given_j, taken + game.pushed.taken_j
            total["gain"] = max(total["gain"], float((taken / (np.maximum(given, 0) + initial_j))[going].max()))
            total["beyond_j"] = max(total["beyond_j"], float((taken - given - initial_j)[going].max()))
            ended = going & step.done
            total["success"] += int(step.success[ended].sum())
            total["given_j"] += float(given[ended].sum())
            total["episodes"] += int(ended.sum())
            total["steps"] += int(going.sum())
            going &= ~step.done
            observation = step.observation
            if not going.any():
                break
    return {
        **total,
        "given_j": total["given_j"] / episodes,
        "steps": total["steps"] / episodes,
        "beyond_j": total["beyond_j"] if maze else None,
        "gain": total["gain"] if maze else None,
    }


if __name__ == "__main__":
    sys.exit(main())
