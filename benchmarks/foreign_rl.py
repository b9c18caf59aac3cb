"""A library that knows nothing of tiller learns one of its tasks: Stable-Baselines3's SAC on `tiller/twin-lift-v0`.

    python -m benchmarks.foreign_rl [--minutes 20] [--seed 0] [--rounds 30]

Actions are changes (`action="delta"`), the reward is the task's own (`reward="native"`), one core does it all. Shown
are the steps a second with SAC's own learning left out and with it; the rate of what `gymnasium.make` returns over that
of the bare environment under the same executed actions, measured in turns, as the median over pairs with a bootstrap
over them; and the success of what was learnt on 50 starts that it did not learn from. The settings of SAC were chosen
with other training seeds and starts. A line is added to docs/results/foreign_rl.csv.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gymnasium
import numpy as np
import torch
from gymnasium.wrappers import FlattenObservation
from stable_baselines3 import SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

import sim
import tiller  # registers the tasks
from sim.statistics.intervals import wilson

ID, TASK = "tiller/twin-lift-v0", "twin/lift"
OPTIONS = {"action": "delta", "reward": "native"}
RESULTS = Path(__file__).parents[1] / "docs" / "results" / "foreign_rl.csv"
EPISODES, FIRST_SEED = 50, 100_000
STEPS = 100  # of a round, from one reset
SETTINGS: dict[str, Any] = {
    "gamma": 0.95,  # lifting takes about 40 steps, and each stage of it pays by itself
    "learning_rate": 5e-4,
    "learning_starts": 1000,
    "ent_coef": "auto_0.1",  # from 1 on, thousands of steps pass in which entropy is worth more than the task
    "buffer_size": 300_000,
    "policy_kwargs": {"net_arch": [128, 128]},
}


class TimedSAC(SAC):
    """SAC that adds up the seconds of its own learning in `learning_s`."""

    learning_s = 0.0

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        started = time.perf_counter()
        super().train(gradient_steps, batch_size)
        self.learning_s += time.perf_counter() - started


class Until(BaseCallback):
    """Ends training when its time is over, and says every minute how it goes."""

    def __init__(self, minutes: float) -> None:
        super().__init__()
        self.ends, self.says = time.perf_counter() + 60 * minutes, time.perf_counter() + 60

    def _on_step(self) -> bool:
        now = time.perf_counter()
        if now > self.says:
            self.says += 60
            last = list(self.model.ep_info_buffer or ())
            steps, pays = (np.mean([each[key] for each in last]) for key in "lr")
            print(f"{self.num_timesteps:8} steps   episodes of {steps:5.1f} steps, return {pays:7.2f}", flush=True)
        return now < self.ends


def rates(rounds: int) -> np.ndarray:
    """Steps a second (rounds, 2) of the registered environment and of the bare one, under the same executed actions.

    The bare one's set-point starts from the measured pose too, so that both step the same physics.
    """
    registered: Any = gymnasium.make(ID, **OPTIONS)
    bare: Any = sim.make(TASK)
    random, pairs = np.random.default_rng(0), np.empty((rounds, 2))
    for number in range(rounds + 1):
        changes = random.uniform(-1, 1, (STEPS, registered.action_space.shape[0])).astype(np.float32)
        registered.reset(seed=number)
        targets = [registered.step(change)[-1]["action"] for change in changes]
        for side in (0, 1) if number % 2 else (1, 0):
            env, actions = ((registered, changes), (bare, targets))[side]
            env.reset(seed=number)
            spent = 0.0
            for action in actions:
                if env is bare:
                    bare.robot.stop()
                started = time.perf_counter()
                env.step(action)
                spent += time.perf_counter() - started
            if number:  # the first round warms up
                pairs[number - 1, side] = STEPS / spent
    registered.close()
    bare.close()
    return pairs


def learnt(minutes: float, seed: int) -> tuple[TimedSAC, float]:
    """SAC after some minutes, and the seconds that they came to."""
    # Positions are tenths of a metre, entries of a rotation up to 1: without normalising the network sees the latter.
    env = VecNormalize(make_vec_env(ID, env_kwargs=OPTIONS, wrapper_class=FlattenObservation), norm_reward=False)
    model = TimedSAC("MlpPolicy", env, seed=seed, device="cpu", **SETTINGS)
    started = time.perf_counter()
    model.learn(10**9, callback=Until(minutes))
    return model, time.perf_counter() - started


def successes(model: SAC, first_seed: int) -> int:
    """Episodes, of `EPISODES` from a seed on, in which the mean of its actions succeeds."""
    env: Any = FlattenObservation(gymnasium.make(ID, **OPTIONS))
    statistics, count = model.get_vec_normalize_env(), 0
    assert statistics is not None, "a model of `learnt` has seen normalised observations"
    for seed in range(first_seed, first_seed + EPISODES):
        observation, info = env.reset(seed=seed)
        over = False
        while not over:
            action, _ = model.predict(statistics.normalize_obs(observation), deterministic=True)
            observation, _, terminated, truncated, info = env.step(action)
            over = terminated or truncated
        count += info["success"]
    env.close()
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED, help="of the starts that are evaluated")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    torch.set_num_threads(1)

    pairs = rates(given.rounds)
    ratios = pairs[:, 0] / pairs[:, 1]
    drawn = np.random.default_rng(0).choice(ratios, (2000, len(ratios)))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    made, bare = np.median(pairs, axis=0)
    print(
        f"gymnasium.make {made:.0f}, sim.make {bare:.0f} steps/s: ratio {np.median(ratios):.3f} [{low:.3f}, {high:.3f}]"
    )

    model, seconds = learnt(given.minutes, given.seed)
    steps, without = model.num_timesteps, seconds - model.learning_s
    print(f"SAC: {steps} steps, {steps / without:.0f} steps/s without its learning, {steps / seconds:.0f} with it")
    won = successes(model, given.first_seed)
    interval = wilson(won, EPISODES)
    print(f"success on {EPISODES} starts: {won} of {EPISODES}, {interval}")

    row = {
        "task": ID,
        "minutes": given.minutes,
        "training_seed": given.seed,
        "steps": steps,
        "steps_per_s_without_learning": round(steps / without, 1),
        "steps_per_s": round(steps / seconds, 1),
        "made_steps_per_s": round(float(made), 1),
        "bare_steps_per_s": round(float(bare), 1),
        "ratio": round(float(np.median(ratios)), 3),
        "ratio_low": round(float(low), 3),
        "ratio_high": round(float(high), 3),
        "episodes": EPISODES,
        "first_seed": given.first_seed,
        "success": interval.estimate,
        "success_low": round(interval.low, 4),
        "success_high": round(interval.high, 4),
        "tiller": tiller.__version__,
        "date": date.today().isoformat(),
    }
    fresh = not given.output.exists()
    with given.output.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main()
