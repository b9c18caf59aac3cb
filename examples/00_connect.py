"""Connect to a robot, and look.

    python examples/00_connect.py [CONTRACT]

`panda_twin` starts the twin's graph (twin, gate, supervisor) beside this program, and ends it with it. When a graph is
there already (`tiller deploy contract=panda_twin`), or the contract is a robot's, the program joins that one.
"""

import sys

import numpy as np

import tiller

contract = sys.argv[1] if len(sys.argv) > 1 else "panda_twin"
with tiller.connect(contract) as robot:
    robot.wait_until_ready()
    print(f"{robot.spec.name}: the gate is {robot.state}")
    print(f"an action: {', '.join(robot.action_spec.component_names)}, every {robot.action_spec.period_s} s")
    for name, value in robot.observe().items():
        print(f"{name:16} {np.round(value, 3)}")
