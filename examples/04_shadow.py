"""Shadow mode: the gate checks and computes and sends nothing. Then its flight record, through the core again.

    python examples/04_shadow.py [CONTRACT]

On a robot: `tiller deploy contract=... checkpoint=... shadow=true`; see what a policy would do before it may.
"""

import subprocess
import sys
import tempfile

import numpy as np

import tiller
from robot.description import ActionChunk

contract = sys.argv[1] if len(sys.argv) > 1 else "panda_twin"
with tempfile.TemporaryDirectory() as folder, tiller.connect(contract, shadow=True, folder=folder) as robot:
    robot.wait_until_ready()
    before, spec = robot.observe()["tcp.position"], robot.action_spec
    rows = np.tile(robot.target, (40, 1))
    rows[:, spec.slices["tcp.position"]] += np.linspace(0, 0.1, 40)[:, None] * [0, 1, 0]
    robot.execute(ActionChunk(rows, robot.clock.now_ns(), spec.period_s, 0, spec))
    # Until its last row is reached, however late the ticks of a busy machine are.
    robot.clock.sleep_until(robot.clock.monotonic_ns() + (len(rows) + 2) * spec.period_ns)
    print("the gate would have moved it by", np.round(robot.target[:3] - before, 3))
    print("it has moved by", np.round(robot.observe()["tcp.position"] - before, 3))

    record = robot.flight_record()
    subprocess.run([sys.executable, "-m", "tiller", "data", "replay", "--incident", str(record)], check=True)
