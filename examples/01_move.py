"""Go home, go somewhere, close the gripper, and be told what cannot be done.

python examples/01_move.py [CONTRACT]
"""

import sys

import numpy as np

import tiller
from robot.errors import TillerError

contract = sys.argv[1] if len(sys.argv) > 1 else "panda_twin"
with tiller.connect(contract) as robot:
    robot.wait_until_ready()
    robot.home()
    print("home     ", np.round(robot.observe()["tcp.position"], 3))

    robot.move_to([0.5, 0.15, 0.3])  # m, in the base frame; a calm pace
    robot.move_to(position=[0.5, -0.15, 0.3], width=0.02, duration=3.0)
    print("there    ", np.round(robot.observe()["tcp.position"], 3), np.round(robot.observe()["gripper.width"], 3))

    try:
        robot.move_to([2.0, 0.0, 0.3])
    except TillerError as error:
        print("refused: ", error)
    robot.home()
