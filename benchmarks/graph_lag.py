"""How far behind its own recording a graph runs in real time: twin, gate, supervisor and an oracle, each a process.

    python -m benchmarks.graph_lag DATASET [--episodes 5] [--task twin/lift] [--contract panda_twin]

The policy node replays an episode of the dataset in chunks. Row i of it is to be reached (i + 1) periods after the
observation that the first chunk is stamped with; achieved is what comes at the driver's side, at the moment for which
it is stamped, or when it comes where that is later. The lag is where the cross-correlation of both is largest, all
fields that move together, to a fraction of a millisecond.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np

from data.store.dataset import Dataset
from real.graph.graph import Deployment, processes
from real.graph.processes import run_processes
from real.process.profile import write_profile
from robot.contract.loading import action_spec, load_contract
from robot.control.trajectory import Trajectory
from robot.description.action import ActionSpec
from robot.errors import TillerError

GRID_NS = 1_000_000
SHORTEST_S = 0.5
FARTHEST = 100  # ms of lag that are looked at, either way
MOVES = 1e-3  # standard deviation of a component, m or without unit, that counts


def lag_ms(
    spec: ActionSpec, actions: np.ndarray, start_ns: int, times_ns: np.ndarray, read_command: np.ndarray
) -> tuple[float, float]:
    """Lag in ms, and what is left of the distance there (root of the mean square, m).

    Args:
        spec: of the action.
        actions: (rows, dim) as recorded.
        start_ns: of the first chunk.
        times_ns: (k,) when targets took effect.
        read_command: (k, dim) these targets.
    """
    ends = start_ns + spec.period_ns * np.arange(1, len(actions) + 1, dtype=np.int64)
    recorded = Trajectory(spec, ends, actions)
    first, last = max(int(ends[0]), int(times_ns[0])), min(int(ends[-1]), int(times_ns[-1]))
    grid = np.arange(first + FARTHEST * GRID_NS, last - FARTHEST * GRID_NS, GRID_NS, dtype=np.int64)
    if len(grid) * GRID_NS < SHORTEST_S * 1e9:
        raise TillerError(f"{(last - first) * 1e-9:.2f} s of the episode came through: too little to tell a lag")
    achieved = np.stack([np.interp(grid - first, times_ns - first, column) for column in read_command.T], axis=1)
    moving = achieved.std(axis=0) > MOVES
    scale = achieved[:, moving].std(axis=0)

    def correlation(lag: int) -> float:
        wanted = recorded.at(grid - lag * GRID_NS)[:, moving]
        a, b = (part - part.mean(axis=0) for part in (achieved[:, moving], wanted))
        return float(((a * b) / scale**2).sum() / np.sqrt(((a / scale) ** 2).sum() * ((b / scale) ** 2).sum()))

    found = np.array([correlation(lag) for lag in range(-FARTHEST, FARTHEST + 1)])
    best = int(np.clip(found.argmax(), 1, len(found) - 2))
    before, at, after = found[best - 1 : best + 2]
    lag = best - FARTHEST + (before - after) / (2 * (before - 2 * at + after))
    place = next(spec.slices[field.name] for field in spec.fields)
    left = achieved[:, place] - recorded.at(grid - round(lag * GRID_NS))[:, place]
    return float(lag), float(np.sqrt((left**2).sum(axis=1).mean()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--episodes", type=int, default=5)
    parser.add_argument("--task", default="twin/lift")
    parser.add_argument("--contract", default="panda_twin")
    asked = parser.parse_args()
    os.environ.setdefault("ROS_DOMAIN_ID", str(20 + os.getpid() % 80))
    lags = []
    for number in range(asked.episodes):
        lag, left = episode(asked.dataset, number, asked.task, asked.contract)
        lags.append(lag)
        print(f"episode {number}: lag {lag:.2f} ms, {left * 1e3:.2f} mm are left", flush=True)
    print(f"lag: median {np.median(lags):.2f} ms, largest {max(lags, key=abs):.2f} ms of {len(lags)} episodes")
    return 0


def episode(path: Path, number: int, task: str, contract: str) -> tuple[float, float]:
    """One episode of the dataset through a graph of its own."""
    recorded = Dataset.open(path).episode(number)
    actions, seed = np.asarray(recorded.data["action"], dtype=np.float64), int(recorded.meta.get("seed", 0))
    folder = Path(tempfile.mkdtemp(prefix="lag"))
    wanted = processes(
        Deployment(
            contract=contract,
            twin=True,
            task=task,
            checkpoint=f"{path}#{number}",
            seed=seed,
            records=str(folder),
            parameters={"twin": {"images": False}},
        )
    )
    profile = write_profile(folder, participants=len(wanted) + 4)
    os.environ.update(profile.environment)
    stop = threading.Event()
    graph = threading.Thread(target=run_processes, args=(wanted, profile.environment, folder, stop))
    graph.start()
    try:
        start_ns, times_ns, read_command = _replayed(contract, seed)
    finally:
        stop.set()
        graph.join()
    return lag_ms(action_spec(load_contract(contract)), actions, start_ns, times_ns, read_command)


def _replayed(contract: str, seed: int) -> tuple[int, np.ndarray, np.ndarray]:
    """Start of the first chunk, and when which target took effect, of one episode of a graph that is coming up."""
    import time

    from std_msgs.msg import Float64MultiArray
    from trajectory_msgs.msg import JointTrajectory

    from real.connection.episodes import EpisodeClient
    from real.ros import qos
    from real.ros.messages import time_of
    from real.ros.streams import CommandReading, read_command

    topic = next(iter(load_contract(contract).sinks.values())).topic
    starts: list[tuple[int, int]] = []
    came: list[tuple[int, Any]] = []
    client = EpisodeClient()

    def effective(command: CommandReading) -> tuple[int, Any]:
        return max(time.time_ns(), command.stamp_ns), command.values.copy()

    try:
        client.node.create_subscription(
            JointTrajectory,
            "policy/chunk",
            lambda message: starts.append((time.time_ns(), time_of(message.header.stamp))),
            qos.COMMAND,
        )
        client.node.create_subscription(
            Float64MultiArray, topic, lambda message: came.append(effective(read_command(message))), qos.COMMAND
        )
        client.wait_until_there()
        client.until(lambda: starts and client.gate.startswith(("run", "fault")), "the first chunk", 60.0)
        begun_ns = time.time_ns()
        client.episode(seed)
        ended_ns = time.time_ns()
    finally:
        client.close()
    start_ns = next(stamp for at, stamp in starts if at > begun_ns and stamp > begun_ns)
    while_it_ran = [(at, values) for at, values in came if start_ns <= at <= ended_ns]
    return start_ns, np.array([at for at, _ in while_it_ran], dtype=np.int64), np.array([v for _, v in while_it_ran])


if __name__ == "__main__":
    raise SystemExit(main())
