"""A person moves the robot, and this program watches.

    python examples/05_teleoperation.py [CONTRACT] [SECONDS]

In a second terminal: `tiller node teleop device=keyboard contract=CONTRACT` (or device=gamepad). There `e` takes hold
of the enabling device and `w s a d r f` move. A person always wins over a policy or a program, without a jump.
"""

import sys
import time

import numpy as np

import tiller

contract = sys.argv[1] if len(sys.argv) > 1 else "panda_twin"
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
with tiller.connect(contract) as robot:
    robot.wait_until_ready()
    print(f"Now, in another terminal: tiller node teleop device=keyboard contract={contract}", flush=True)
    said, end = "", time.monotonic() + seconds
    while time.monotonic() < end:
        if robot.state != said:
            said = robot.state
            print(f"{said:16} {np.round(robot.observe()['tcp.position'], 3)}", flush=True)
        time.sleep(0.02)
