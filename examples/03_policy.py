"""Run a policy on the twin of its task, and watch the gate.

    python examples/03_policy.py CHECKPOINT [CONTRACT] [TASK]

CHECKPOINT is what `tiller train` wrote, or a dataset with #EPISODE, whose recorded actions are then sent.
"""

import sys
import time

import tiller

checkpoint, contract, task = (*sys.argv[1:], *("panda_twin", "twin/lift")[len(sys.argv) - 2 :])
with tiller.connect(contract, task=task, checkpoint=checkpoint) as robot:
    robot.wait_until_ready(120)
    robot.reset(seed=0)  # the episode begins; the policy plans as soon as it sees it
    said, deadline = "", time.monotonic() + 120
    while not robot.outcome.get("terminated") and not robot.outcome.get("truncated") and time.monotonic() < deadline:
        if robot.state != said:
            said = robot.state
            print(f"{robot.outcome.get('steps', 0):4.0f} steps  {said}", flush=True)
        time.sleep(0.02)
    robot.disable()
    print(f"success {robot.outcome.get('success', 0):.0f} after {robot.outcome.get('steps', 0):.0f} steps")
