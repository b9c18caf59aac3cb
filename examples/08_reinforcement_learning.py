"""A library of reinforcement learning that knows nothing of tiller trains on one of its tasks.

pip install stable-baselines3
python examples/08_reinforcement_learning.py [STEPS]
"""

import sys

from gymnasium.wrappers import FlattenObservation
from stable_baselines3 import SAC
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

import tiller  # registers tiller/SUITE-NAME-v0 with Gymnasium

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000

# Bounded changes of the measured pose in [-1, 1], and a reward before the first success. The observation's keys have
# dots (`tcp.position`), which Stable-Baselines3's policies for dicts do not take: one vector of all.
options = {"action": "delta", "reward": "native"}
env = make_vec_env("tiller/twin-lift-v0", seed=0, env_kwargs=options, wrapper_class=FlattenObservation)
env = VecNormalize(env, norm_reward=False)  # metres and rotations on one scale
network = {"net_arch": [128, 128]}
model = SAC("MlpPolicy", env, gamma=0.95, ent_coef="auto_0.1", learning_starts=500, policy_kwargs=network)
model.learn(steps)

successes = episodes = 0
env.training = False
observation = env.reset()
while episodes < 10:
    action, _ = model.predict(observation, deterministic=True)
    observation, reward, over, (info,) = env.step(action)
    if over[0]:
        episodes, successes = episodes + 1, successes + info["success"]
print(f"tiller {tiller.__version__}: {successes} of 10 episodes succeed after {steps} steps")
# The absolute target that the last change came to, which is what demonstrations and policies of tiller hold.
print(f"last target: {info['action'].round(3)}")
