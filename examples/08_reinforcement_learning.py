"""A library of reinforcement learning that knows nothing of tiller trains on one of its tasks.

pip install stable-baselines3
python examples/08_reinforcement_learning.py [STEPS]
"""

import sys

import gymnasium
from gymnasium.wrappers import FlattenObservation
from stable_baselines3 import SAC

import tiller  # registers tiller/SUITE-NAME-v0 with Gymnasium

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000

# Bounded changes of the measured pose in [-1, 1], and a reward before the first success. The observation's keys have
# dots (`tcp.position`), which Stable-Baselines3's policies for dicts do not take: one vector of all does.
env = FlattenObservation(gymnasium.make("tiller/twin-lift-v0", action="delta", reward="native"))
model = SAC("MlpPolicy", env, gamma=0.95, learning_starts=1000, train_freq=2, policy_kwargs={"net_arch": [128, 128]})
model.learn(steps)

successes = 0
for seed in range(10):
    observation, info = env.reset(seed=seed)
    terminated = truncated = False
    while not (terminated or truncated):
        action, _ = model.predict(observation, deterministic=True)
        observation, reward, terminated, truncated, info = env.step(action)
    successes += info["success"]
print(f"tiller {tiller.__version__}: {successes} of 10 episodes succeed after {steps} steps")
# The absolute target that the last change came to, which is what demonstrations and policies of tiller hold.
print(f"last target: {info['action'].round(3)}")
