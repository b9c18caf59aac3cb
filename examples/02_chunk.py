"""Execute chunks of actions, as a policy makes them: a circle, a second of it at a time.

    python examples/02_chunk.py [CONTRACT]

A chunk starts at a moment, and each of its rows is due a period later. The next one is sent before the last has ended;
the gate goes over from one to the other without a jump, and brings the robot to a stand when none comes.
"""

import sys

import numpy as np

import tiller
from robot.description import ActionChunk

RADIUS, TURN_S, ROWS, EXECUTED = 0.06, 6.0, 20, 10

contract = sys.argv[1] if len(sys.argv) > 1 else "panda_twin"
with tiller.connect(contract) as robot:
    robot.wait_until_ready()
    robot.home()
    spec, clock, home = robot.action_spec, robot.clock, robot.target
    position = spec.slices["tcp.position"]
    begin = clock.now_ns()
    for number in range(round(TURN_S / spec.period_s / EXECUTED)):
        first = number * EXECUTED
        steps = np.minimum(first + np.arange(1, ROWS + 1), TURN_S / spec.period_s)
        share = steps * spec.period_s / TURN_S
        angle = 2 * np.pi * share * share * (3 - 2 * share)  # from rest to rest
        rows = np.tile(home, (ROWS, 1))
        rows[:, position] += np.stack([RADIUS * (np.cos(angle) - 1), RADIUS * np.sin(angle), 0 * angle], axis=1)
        robot.execute(ActionChunk(rows, begin + first * spec.period_ns, spec.period_s, number, spec))
        print(f"{number:2}  {robot.state:16} {np.round(robot.observe()['tcp.position'], 3)}")
        due_in_ns = begin + (first + EXECUTED) * spec.period_ns - clock.now_ns()
        clock.sleep_until(clock.monotonic_ns() + due_in_ns)
    robot.home()
    print("the gate is", robot.state)
