"""A policy's decisions with what came of them, and another try from the moment before one.

python examples/07_decisions.py CHECKPOINT [TASK]
"""

import sys
from itertools import islice

import numpy as np

import tiller
from sim.evaluation.decisions import decided_again
from sim.evaluation.experience import decisions

checkpoint, task = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "twin/lift"
policy = tiller.load(checkpoint)
env = tiller.make(task)
for record in islice(decisions(policy, task, seed=500_000, save=True), 6):
    print(
        f"seed {record.order.seed}, decision {record.request.number}: {len(record.executed)} rows executed, "
        f"reward {record.trace.reward.sum():g}, terminated {record.trace.terminated[-1]}, "
        f"made again to the bit: {np.array_equal(decided_again(policy, record).chunk, record.decision.chunk)}"
    )
    env.restore(record.branch.state)  # the moment before the decision, in an environment of our own
    total = 0.0
    for action in record.executed:
        observation, reward, terminated, truncated, info = env.step(action)
        total += reward
    same = all(np.array_equal(observation[name], value) for name, value in record.trace.last.items())
    print(f"    stepped again from there: reward {total:g}, the same observation: {same}")
