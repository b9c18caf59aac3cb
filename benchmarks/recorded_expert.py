"""Whether what is recorded in real time can be done again: a scripted expert drives a graph, its episodes are replayed.

    python -m benchmarks.recorded_expert [--episodes 20] [--seed 0] [--speed 1] [--clock] [--store DIR] [--output FILE]

The expert of `twin/lift` sees the twin's topics and publishes chunks as a policy does, each stamped with the
observation that it saw; twin, gate and recorder are processes and keep real time. Each episode is recorded through the
recorder's services, an attempt that fails is discarded. Then the recorded actions are put into the
environment from the recorded seed (`tiller data replay`): an episode counts when the cube is lifted again. The same
expert in one process, without a graph, is the control.

Lag is how much later the replay is where the recording was: the shift of the tcp's path that leaves least between both.
With --store the recording stays, and the next call goes on behind its last episode.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Mapping

import numpy as np

from benchmarks.recorder_rig import RecorderClient, scratch
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import SEED
from robot.contract.loading import action_spec, load_contract
from robot.errors import TillerError
from robot.files import write_table
from tiller.runs.replay import replay_episode, shared_spec

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "recorded_expert.csv"
CONTRACT, TASK = "panda_twin", "twin/lift"
PLACE, CUBE = "tcp.position", "cube.position"
HORIZON = 4  # rows of a chunk: the gate holds where the next one is later than that
START_S, LONGEST_S, ATTEMPTS = 90.0, 60.0, 3
FARTHEST_MS = 100
ENDS = "the task is done", "the time is up"


@dataclass(frozen=True)
class Row:
    """One episode.

    Args:
        recorded: in a `graph`, or in one `process`.
        seed: of its start.
        rows: recorded.
        again: the cube was lifted in the replay.
        lag_ms: of the replay behind the recording.
        tcp_mm, cube_mm: largest distance between replay and recording, and the cube's at the end.
    """

    recorded: str
    seed: int
    rows: int
    again: bool
    lag_ms: float
    tcp_mm: float
    cube_mm: float


# Replay


class Traced:
    """An environment that keeps the path of its tcp."""

    def __init__(self, env: Any) -> None:
        self._env, self.path = env, list[np.ndarray]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def reset(self, **options: Any) -> Any:
        result = self._env.reset(**options)
        self.path = [np.array(result[0][PLACE])]
        return result

    def step(self, action: np.ndarray) -> Any:
        result = self._env.step(action)
        self.path.append(np.array(result[0][PLACE]))
        return result


def lag_ms(recorded: np.ndarray, replayed: np.ndarray, period_s: float) -> float:
    """How much later a path, (n, 3) at both, is where another was, ms."""
    times = np.arange(len(recorded)) * period_s * 1e3
    grid = np.arange(FARTHEST_MS, times[-1] - FARTHEST_MS)

    def at(path: np.ndarray, moments: np.ndarray) -> np.ndarray:
        return np.stack([np.interp(moments, times, column) for column in path.T], axis=1)

    left = [
        float(((at(replayed, grid + shift) - at(recorded, grid)) ** 2).sum())
        for shift in range(-FARTHEST_MS, FARTHEST_MS + 1)
    ]
    best = int(np.clip(np.argmin(left), 1, len(left) - 2))
    before, here, after = left[best - 1 : best + 2]
    curvature = before - 2 * here + after
    return best - FARTHEST_MS + ((before - after) / (2 * curvature) if curvature > 0 else 0.0)


def replayed(env: Any, number: int, episode: Episode, keys: tuple[str, ...], recorded: str) -> Row:
    """Put the actions of an episode into the environment."""
    traced = Traced(env)
    result = replay_episode(traced, number, episode, keys)
    rows = len(episode.data["action"])
    return Row(
        recorded,
        int(episode.meta[SEED.name]),
        rows,
        result.success,
        round(lag_ms(np.asarray(episode.data[PLACE], np.float64), np.stack(traced.path[:rows]), env.task.period_s), 1),
        round(1e3 * float(result.errors[PLACE].max()), 2),
        round(1e3 * float(result.errors[CUBE][-1]), 2),
    )


# Recording


class Driver:
    """The expert in a graph.

    Args:
        speed: of the twin, against real time.
    """

    def __init__(self, speed: float) -> None:
        import rclpy
        from sensor_msgs.msg import JointState
        from std_msgs.msg import String
        from std_srvs.srv import SetBool, Trigger
        from trajectory_msgs.msg import JointTrajectory

        from real.process.run import make_executor
        from real.ros import qos
        from real.ros.guarded import Guarded, turn
        from sim.experts import make_expert

        rclpy.init(args=[])
        self._node, self._executor = Guarded("expert"), make_executor()
        self._executor.add_node(self._node)
        self.recorder = RecorderClient(self._node, lambda seconds: turn(self._node, self._executor, seconds))
        self._spec, self._expert, self._speed = action_spec(load_contract(CONTRACT)), make_expert(TASK), speed
        self._observation: Mapping[str, np.ndarray] = {}
        self._epoch: int | None = None
        self._driving, self._chunks, self._gate = False, 0, ""
        self._before: np.ndarray | None = None  # the last action
        self._sender = self._node.create_publisher(JointTrajectory, "policy/chunk", qos.COMMAND)
        self._node.create_subscription(JointState, "observation", self._observed, qos.STATE)
        self._node.create_subscription(String, "episode", self._begun, qos.LATCHED)
        self._node.create_subscription(String, "gate/state", self._gated, qos.LATCHED)
        self._reset: tuple[Any, Any] = self._node.create_client(Trigger, "gate/reset"), Trigger.Request()
        self._enable: tuple[Any, Any] = self._node.create_client(SetBool, "gate/enable"), SetBool.Request(data=True)

    def close(self) -> None:
        """Leave the graph."""
        from real.process.run import leave

        leave(self._node, self._executor)

    def record(self) -> bool:
        """Record an attempt at the twin's episode; whether it has succeeded and was saved."""
        recorder = self.recorder
        recorder.until_state("ready", within_s=START_S)
        self._recover()
        seed, epoch = int(recorder.state["seed"]), self._epoch
        recorder.until(lambda: self._observation and self._epoch is not None, "the twin's observation")
        recorder.start()
        self._expert.reset(self._observation, np.random.default_rng([seed, 1]))
        self._driving, self._before = True, None
        try:
            # A twin's episode ends with its label; what ends a take otherwise leaves it without one.
            recorder.until(self._ended, "the end of the episode", LONGEST_S / min(self._speed, 1.0))
        finally:
            self._driving = False
        lifted = recorder.state["label"] == "success"
        if lifted:
            recorder.save()
        else:
            print(f"not lifted: {recorder.state['reason']}", flush=True)
            recorder.ask("discard")
        recorder.until(lambda: self._epoch != epoch, "the twin's reset")
        return lifted

    def _plan(self, action: np.ndarray) -> np.ndarray:
        """A chunk (HORIZON, dim) that goes on as the action does, until the next one comes: to stand still for the
        milliseconds in between, in every period, is a motion that no rows of actions can tell.
        """
        values = np.repeat(action[None].astype(np.float64), HORIZON, axis=0)
        if self._before is not None:
            part = self._spec.slices[PLACE]
            values[1:, part] += action[part] - self._before[part]
        self._before = action
        return values

    def _ended(self) -> bool:
        state = self.recorder.state
        return state["state"] == "ended" and (bool(state["label"]) or state["reason"] not in ENDS)

    def _recover(self) -> None:
        if self._gate.startswith("fault"):
            for client, request in (self._reset, self._enable):
                future = client.call_async(request)
                self.recorder.until(future.done, client.srv_name)

    def _begun(self, message: Any) -> None:
        self._epoch, self._observation = json.loads(message.data)["epoch"], {}

    def _gated(self, message: Any) -> None:
        self._gate = message.data

    def _observed(self, message: Any) -> None:
        from real.ros.chunks import Tag, chunk_message
        from real.ros.messages import time_of, values_of

        self._observation = {name: value.astype(np.float32) for name, value in values_of(message).items()}
        if not self._driving:
            return
        self._chunks += 1
        values = self._plan(self._expert.act(self._observation))
        stamp_ns, tag = time_of(message.header.stamp), Tag("expert", self._epoch, self._chunks)
        self._sender.publish(chunk_message(values, self._spec.component_names, stamp_ns, self._spec.period_ns, tag))


def record(store: Path, folder: Path, episodes: int, seed: int, speed: float, clock: bool) -> int:
    """Record until a store has so many episodes; the attempts that failed."""
    from real.graph.graph import Deployment, processes
    from real.graph.processes import run_processes
    from real.process.profile import write_profile

    there = len(Dataset.open(store)) if (store / "zarr.json").exists() else 0
    if there >= episodes:
        return 0
    recorder = {"cameras": ["none"], "time_limit": True, "source": f"scripted expert of {TASK}"}
    wanted = processes(
        Deployment(
            contract=CONTRACT,
            twin=True,
            task=TASK,
            seed=seed + there,
            speed=speed,
            clock=clock,
            record=str(store),
            records=str(folder),
            parameters={"twin": {"images": False}, "recorder": recorder},
        )
    )
    os.environ.setdefault("ROS_DOMAIN_ID", str(20 + os.getpid() % 80))
    os.environ.setdefault("ROS_LOG_DIR", str(folder / "log"))
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    profile = write_profile(folder, participants=len(wanted) + 4)
    os.environ.update(profile.environment)
    stop = threading.Event()
    graph = threading.Thread(target=run_processes, args=(wanted, profile.environment, folder, stop, False))
    graph.start()
    driver = Driver(speed)
    failed = tries = 0
    try:
        while there < episodes:
            if driver.record():
                there, tries = there + 1, 0
                print(f"{there} of {episodes}: {driver.recorder.state['verdict']}", flush=True)
            else:
                failed, tries = failed + 1, tries + 1
                print(f"failed: {driver.recorder.state['verdict']}", flush=True)
            if tries == ATTEMPTS:
                raise TillerError(f"the expert failed {tries} times at one start; logs are in {folder}")
    finally:
        driver.close()
        stop.set()
        graph.join()
    return failed


def in_process(env: Any, seeds: list[int]) -> list[Episode]:
    """Episodes of the expert without a graph."""
    from sim.evaluation.collect import record as collected

    return [collected(env, seed) for seed in seeds]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the first start")
    parser.add_argument("--speed", type=float, default=1.0, help="of the twin against real time; with --clock")
    parser.add_argument("--clock", action="store_true", help="stamps are the twin's own time")
    parser.add_argument("--store", type=Path, help="the recording, which stays; a temporary one by default")
    parser.add_argument("--output", type=Path, default=RESULTS, help="table of the results")
    options = parser.parse_args()
    from sim import make

    with scratch() as temporary:
        folder = Path(temporary)
        store = options.store or folder / "store"
        failed = record(store, folder, options.episodes, options.seed, options.speed, options.clock)
        env = make(TASK)
        with Dataset.open(store) as dataset:
            keys = tuple(shared_spec(dataset, env).names)
            episodes = [dataset.episode(number) for number in range(options.episodes)]
    rows = [replayed(env, number, episode, keys, "graph") for number, episode in enumerate(episodes)]
    control = in_process(env, [row.seed for row in rows])
    rows += [replayed(env, number, episode, keys, "process") for number, episode in enumerate(control)]
    columns = [field.name for field in fields(Row)]
    print("  ".join(columns))
    for row in map(asdict, rows):
        print("  ".join(str(value).rjust(len(name)) for name, value in row.items()))
    for recorded in ("graph", "process"):
        own = [row for row in rows if row.recorded == recorded]
        lag = np.median([row.lag_ms for row in own])
        print(f"{recorded}: {sum(row.again for row in own)} of {len(own)} lifted again, median lag {lag:.1f} ms")
    print(f"{failed} attempts in real time failed and were discarded")
    print(f"Written to {write_table(options.output, columns, map(asdict, rows))}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
