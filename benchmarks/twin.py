"""Speed of the twin beside robosuite and beside MuJoCo itself, in the same run.

    python benchmarks/twin.py [--rounds 5] [--steps 400] [--hand] [--cameras]

Control steps a second on one core, at 20 Hz control: `twin/lift` with its 500 Hz inner loop, contacts, limits, filter
stage and state observations, driven by the actions of its expert; robosuite's Lift with its own controller and
observations, driven by small random motions, as its users step it. The two take turns, round by round, and the median
of the rounds' ratios is given; processor time is counted, so that other work on the machine disturbs both alike.
Then: physics alone (mj_step on the same scene), resets, two workers beside one, and with `--cameras` images a second
beside `mujoco.Renderer`.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import sim
from sim.evaluation.collect import record

SEEDS = 10


class TwinRun:
    """A twin's environment fed with the actions of its expert."""

    def __init__(self, task_id: str, **options: Any) -> None:
        self.env = sim.make(task_id, **options)
        self._episodes = [(seed, record(self.env, seed).data["action"]) for seed in range(SEEDS)]

    def steps(self, count: int) -> float:
        """Take control steps; returns processor seconds a step, resets left out."""
        spent = done = 0.0
        while True:
            for seed, actions in self._episodes:
                self.env.reset(seed=seed)
                started = time.process_time()
                for action in actions:
                    self.env.step(action)
                    done += 1
                spent += time.process_time() - started
                if done >= count:
                    return spent / done

    def physics(self, count: int) -> float:
        """Processor seconds of one mj_step of the scene, in MuJoCo's own loop, at the start of an episode."""
        import mujoco

        self.env.reset(seed=0)
        model, data = self.env.scene.model, self.env.scene.data
        started = time.process_time()
        mujoco.mj_step(model, data, nstep=count)
        return (time.process_time() - started) / count

    def reset(self, count: int) -> float:
        """Seconds of a reset."""
        started = time.perf_counter()
        for seed in range(count):
            self.env.reset(seed=seed)
        return (time.perf_counter() - started) / count


class RobosuiteRun:
    """robosuite's Lift with a Panda, as its documentation makes it."""

    def __init__(self) -> None:
        from sim.tasks.robosuite.package import import_robosuite

        suite = import_robosuite()
        self.env = suite.make(
            "Lift",
            robots="Panda",
            has_renderer=False,
            has_offscreen_renderer=False,
            use_camera_obs=False,
            control_freq=20,
            ignore_done=True,
        )
        self._random = np.random.default_rng(0)

    def steps(self, count: int) -> float:
        self.env.reset()
        actions = self._random.uniform(-0.3, 0.3, (count, self.env.action_spec[0].shape[0]))
        started = time.process_time()
        for action in actions:
            self.env.step(action)
        return (time.process_time() - started) / count


def spread(values: list[float]) -> str:
    digits = 0 if np.median(values) >= 100 else 2
    middle, low, high = (f"{value:,.{digits}f}" for value in (np.median(values), min(values), max(values)))
    return f"{middle} [{low}, {high}]"


def side_by_side(rounds: int, steps: int, hand: bool) -> None:
    ours, theirs = TwinRun("twin/lift"), RobosuiteRun()
    ours.steps(50), theirs.steps(20)
    rates, peers, ratios = [], [], []
    for _ in range(rounds):
        one, other = ours.steps(steps), theirs.steps(max(steps // 6, 20))
        rates.append(1 / one)
        peers.append(1 / other)
        ratios.append(other / one)
    print(f"twin/lift            {spread(rates)} control steps/s")
    print(f"robosuite Lift       {spread(peers)} control steps/s")
    print(f"ratio                {spread(ratios)}")
    alone = [ours.physics(5000) * 1e6 for _ in range(rounds)]
    inside = 1e6 / np.median(rates) / 25
    print(f"a substep            {inside:.1f} us with everything; mj_step alone {spread(alone)} us")
    print(f"a reset              {ours.reset(200) * 1e3:.2f} ms")
    if hand:
        dexterous = TwinRun("twin/hand_grasp")
        print(f"twin/hand_grasp      {spread([1 / dexterous.steps(steps) for _ in range(rounds)])} control steps/s")
        print(f"a reset              {dexterous.reset(50) * 1e3:.2f} ms")


def workers(episodes: int) -> None:
    """Two workers beside one, with a policy that costs nothing."""
    from benchmarks.twin_hold import Hold
    from sim.evaluation.rollout import evaluate_policy

    env = sim.make("twin/lift")
    policy = Hold(env.observation_spec, env.action_spec)
    speeds: dict[int, list[float]] = {}
    for count in (1, 2, 1, 2, 1, 2):
        summary = evaluate_policy(policy, "twin/lift", episodes=episodes, seed=0, workers=count, batch=64).summary
        assert summary is not None
        speeds.setdefault(count, []).append(summary.steps_per_s)
    one, two = np.median(speeds[1]), np.median(speeds[2])
    print(f"workers              1: {one:.0f} steps/s, 2: {two:.0f} steps/s, ratio {two / one:.2f} (wall clock)")


def cameras(rounds: int) -> None:
    """Images of the twin beside MuJoCo's own renderer on the same scene, shadows and multisampling as each has them."""
    from sim.rendering.backend import require_backend

    os.environ["MUJOCO_GL"] = require_backend()
    import mujoco

    for size in (84, 256):
        env = sim.make("twin/lift", cameras=["front"], image_size=size)
        env.reset(seed=0)
        renderer, camera = env._image_renderer, env.scene.id("camera", "front")
        model, data = env.scene.model, env.scene.data
        theirs = mujoco.Renderer(model, size, size)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            theirs.scene.flags[flag] = False
        options = mujoco.MjvOption()
        for group in (0, 3):
            options.geomgroup[group] = False
        ratios, rates = [], []
        for _ in range(rounds):
            started = time.perf_counter()
            for _ in range(30):
                renderer.draw(data, camera)
            one = time.perf_counter() - started
            started = time.perf_counter()
            for _ in range(30):
                theirs.update_scene(data, camera=camera, scene_option=options)
                theirs.render()
            other = time.perf_counter() - started
            rates.append(30 / one)
            ratios.append(other / one)
        print(f"images {size:>3} px        {spread(rates)} a second; mujoco.Renderer's time / ours {spread(ratios)}")
        theirs.close()
        env.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--episodes", type=int, default=64, help="of the comparison of workers")
    parser.add_argument("--hand", action="store_true")
    parser.add_argument("--cameras", action="store_true")
    asked = parser.parse_args()
    side_by_side(asked.rounds, asked.steps, asked.hand)
    workers(asked.episodes)
    if asked.cameras:
        cameras(asked.rounds)


if __name__ == "__main__":
    main()
