"""The energy budget of the twin: what joints are accelerated with, what the filter costs, what it does to contacts and
to experts.

    python -m benchmarks.twin_energy                            # all but the experts
    python -m benchmarks.twin_energy experts --episodes 200     # paired, with picked budgets

accelerations: 99.9th percentile of each joint's, of an arm told wild set-points above and below a stiff table.
speed: control steps a second with ledger and filter, beside the same without, in turns, in processor time.
force: largest force on the table under the same wild set-points, without and with budgets.
experts: success of `lift`, `place` with an object of 0.5 kg, `peg` and `wipe` with and without a budget on the same
seeds, and the share of steps that the filters changed. Rows go to docs/results/twin_energy.csv.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import mujoco
import numpy as np

import sim
from robot.description.loading import load_robot
from robot.safety.energy import Budget, load_budget
from robot.safety.energy.picking import pick
from sim.evaluation.energy_log import collect, gravity_of
from sim.experts import make_expert
from sim.statistics.intervals import wilson
from sim.tasks.twin.env import TwinEnv
from sim.twin.model.scene import compile_scene, new_scene
from sim.twin.robot import TwinRobot
from tiller.sheets.budget import write_budget

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "twin_energy.csv"
TASKS = {"twin/lift": None, "twin/place": 0.5, "twin/peg": None, "twin/wipe": None}  # kg of the object, where given
PERIOD_S = 0.05


def on_a_table(budget: Budget | None) -> TwinRobot:
    """A Panda at a table as stiff as MuJoCo makes it at this step."""
    description = load_robot("panda")
    scene = compile_scene(new_scene(0.002), description)
    scene.model.geom_solref[:] = (0.004, 1.0)
    scene.model.geom_solimp[:, :2] = (0.99, 0.999)
    return TwinRobot(scene, description.action_spec(PERIOD_S), budget=budget)


def wild(twin: TwinRobot, seed: int, seconds: float) -> tuple[np.ndarray, float]:
    """Set-points that jump, down into the table and up again every 1.6 s, and about at each.

    Returns:
        Accelerations of the joints (steps, 7), and the largest force of all contacts with what does not move, N.
    """
    random, rest, model, data = np.random.default_rng(seed), twin.target, twin.scene.model, twin.scene.data
    speeds, largest, found = [data.qvel[:7].copy()], 0.0, np.zeros(6)
    for step in range(round(seconds / 0.002)):
        if step % 800 == 0:
            target = rest.copy()
            target[:2] += random.uniform((-0.15, -0.25), (0.15, 0.25))
            target[2] = random.uniform(-0.15, -0.03) if step % 1600 == 0 else random.uniform(0.03, 0.1)
        twin.track(target, target)
        speeds.append(data.qvel[:7].copy())
        force = 0.0
        for number in range(data.ncon):
            if any(int(model.body_weldid[model.geom_bodyid[geom]]) == 0 for geom in data.contact[number].geom):
                mujoco.mj_contactForce(model, data, number, found)
                force += float(np.linalg.norm(found[:3]))
        largest = max(largest, force)
    return np.diff(np.array(speeds), axis=0) / 0.002, largest


def accelerations() -> None:
    for name in (None, "table_top"):
        found = np.concatenate(
            [wild(on_a_table(load_budget(name) if name else None), seed, 20.0)[0] for seed in range(3)]
        )
        per_joint = np.percentile(np.abs(found), 99.9, axis=0)
        told = " ".join(f"{each:.0f}" for each in per_joint)
        print(f"accelerations, P99.9, {name or 'no budget'}: {told} rad/s^2")


def speed(rounds: int = 7, steps: int = 400) -> None:
    plain, guarded = on_a_table(None), on_a_table(load_budget("table_top"))
    ratios, rates = [], []
    for number in range(rounds):
        spent = {}
        for name, twin in (("plain", plain), ("guarded", guarded))[:: 1 if number % 2 else -1]:
            twin.reset()
            random, rest = np.random.default_rng(number), twin.target
            started = time.process_time()
            for _ in range(steps):
                target = rest.copy()
                target[:3] += random.uniform(-0.05, 0.05, 3)
                twin.hold(target)
            spent[name] = time.process_time() - started
        ratios.append(spent["plain"] / spent["guarded"])
        rates.append(steps / spent["guarded"])
    print(
        f"speed: {np.median(rates):.0f} control steps/s with ledger and filter, {np.median(ratios):.3f} times that "
        f"without [{min(ratios):.3f}, {max(ratios):.3f}]"
    )


def force(seeds: int = 5) -> None:
    names = (None, "far", "table_top", "near")
    peaks = {
        name: [wild(on_a_table(load_budget(name) if name else None), seed, 20.0)[1] for seed in range(seeds)]
        for name in names
    }
    for name, found in peaks.items():
        print(
            f"force: {name or 'none':>10}: median of the peaks {np.median(found):.0f} N, largest {max(found):.0f} N, "
            f"{np.median(found) / np.median(peaks[None]):.3f} of without"
        )


def run(env: TwinEnv, task_id: str, seed: int) -> tuple[bool, dict[str, float]]:
    expert = make_expert(task_id)
    observation, info = env.reset(seed=seed)
    expert.reset(observation, np.random.default_rng([seed, 1]))
    terminated = truncated = False
    while not terminated and not truncated:
        observation, _, terminated, truncated, info = env.step(expert.act(observation))
    return bool(info["success"]), {name: float(info[name]) for name in info if name.startswith("energy_")}


def made(task_id: str, kg: float | None, **options: Any) -> TwinEnv:
    env = sim.make(task_id, **options)
    assert isinstance(env, TwinEnv)
    if kg is not None:
        model = env.scene.model
        body = model.body("object").id
        factor = kg / model.body_mass[body]
        model.body_mass[body] *= factor
        model.body_inertia[body] *= factor
        mujoco.mj_setConst(model, env.scene.data)
    return env


def picked(task_id: str, kg: float | None, folder: Path) -> Path:
    """The task's budget; where it is missing it is picked from 20 episodes of the expert, as by `tiller calibrate`."""
    file = folder / f"{task_id.rpartition('/')[2]}{'' if kg is None else f'_{kg:g}kg'}.yaml"
    if not file.exists():
        env = made(task_id, kg)
        found = pick(
            list(collect(env, make_expert(task_id), 20)),
            robot=env.robot.spec.name,
            gravity=gravity_of(env.robot.description),
            provenance=f"20 episodes of the expert of {task_id}",
        )
        write_budget(file, found, {"task": task_id, "object_kg": kg})
        env.close()
    return file


def experts(episodes: int, first_seed: int, budgets: Path) -> None:
    rows = []
    for task_id, kg in TASKS.items():
        name = picked(task_id, kg, budgets)
        print(f"{task_id:12} {load_budget(str(name)).describe()}", flush=True)
        plain, guarded = made(task_id, kg), made(task_id, kg, budget=str(name))
        pairs = [
            (run(plain, task_id, seed), run(guarded, task_id, seed))
            for seed in range(first_seed, first_seed + episodes)
        ]
        without, with_it = ([each[side][0] for each in pairs] for side in (0, 1))
        changed = np.mean([each[1][1]["energy_changed"] for each in pairs])
        overdrafts = sum(each[1][1]["energy_overdrafts"] for each in pairs)
        lost = sum(before and not after for before, after in zip(without, with_it))
        won = sum(after and not before for before, after in zip(without, with_it))
        rates = [wilson(sum(each), episodes) for each in (without, with_it)]
        rows.append(
            [
                task_id,
                kg or "",
                episodes,
                first_seed,
                sum(without),
                sum(with_it),
                lost,
                won,
                f"{changed:.5f}",
                int(overdrafts),
            ]
        )
        print(
            f"{task_id:12} without {rates[0].estimate:.3f} [{rates[0].low:.3f}, {rates[0].high:.3f}], with "
            f"{rates[1].estimate:.3f} [{rates[1].low:.3f}, {rates[1].high:.3f}], lost {lost}, won {won}, steps "
            f"changed {changed:.3%}, overdrafts {overdrafts:.0f}",
            flush=True,
        )
    part = RESULTS.with_suffix(".part")
    with part.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(
            [
                "task",
                "object_kg",
                "episodes",
                "first_seed",
                "successes_without",
                "successes_with",
                "lost",
                "won",
                "steps_changed",
                "overdrafts",
            ]
        )
        table.writerows(rows)
    part.replace(RESULTS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what",
        nargs="?",
        choices=["accelerations", "speed", "force", "experts"],
        help="one of them; all but the experts, unless told",
    )
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=100_000, help="of the first episode")
    parser.add_argument(
        "--budgets",
        type=Path,
        default=Path("artifacts/budgets"),
        help="folder of picked budgets; what is not there is picked",
    )
    asked = parser.parse_args()
    for each in (asked.what,) if asked.what else ("accelerations", "speed", "force"):
        if each == "experts":
            experts(asked.episodes, asked.seed, asked.budgets)
        else:
            {"accelerations": accelerations, "speed": speed, "force": force}[each]()


if __name__ == "__main__":
    main()
