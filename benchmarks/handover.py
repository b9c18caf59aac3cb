"""What the robot feels when a person takes it over and gives it back: jumps of the command at hand-overs in a graph.

    python -m benchmarks.handover [--count 100] [--contract panda_twin] [--task twin/lift]
        [--checkpoint PATH] [--delay-steps -1]

Twin, gate, supervisor and policy run, each a process. A scripted enabling device takes the robot at a random moment,
moves its tool upwards or aside at a random speed (or rests), and gives it back; with a task each pair is in an episode
of its own, and one in which the gate stops the robot for another reason is done again. Both directions are measured,
from the commands on `gate/sent`. What is finished is kept in a table (`--table`) and not done again.

Position jumps where a step is longer than the speed on either side of it makes it: so much, in mm, is the figure.
Velocity jumps by its change from one tick to the next; beside it stands the largest such change of the policy's own
path in the half second before. Without a checkpoint the policy is one with fresh weights, whose rows are noise.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, Sequence

import numpy as np

from real.connection.hosting import OwnGraph
from real.graph.graph import Deployment, processes
from real.process.profile import write_profile
from robot.contract.loading import action_spec, describe, load_contract
from robot.errors import TillerError
from robot.safety.gate.actor import Actor
from robot.safety.gate.from_contract import gate_settings
from robot.safety.gate.limits import LimitArrays, write_difference
from robot.safety.gate.measuring import Measuring

if TYPE_CHECKING:
    from benchmarks.scripted_person import ScriptedPerson

TABLE = Path("outputs/handover.csv")
WINDOW_S = 0.15  # after a change of hands, in which the robot may still come to a stand
OWN_S = 0.5  # before it
LATEST_S = 2.0  # after a policy has begun
ATTEMPTS = 5
FASTEST = 0.2  # of the person: m/s, or rad/s
POSITION_MM, ANGULAR = 1.0, 0.05


@dataclass(frozen=True)
class HandOver:
    """One change of hands.

    Args:
        number: of the pair of a take and a give.
        direction: `take` or `give`.
        speed: of the person, m/s or rad/s; 0 at rest.
        position_mm: step of the tool (or, in mrad, of the joints) beyond the speed on either side.
        linear, angular: largest change of velocity between two ticks, m/s and rad/s.
        own_mm, own_linear, own_angular: the same of the path before.
        pause_s: in which the robot was held between the two.
    """

    number: int
    direction: str
    speed: float
    position_mm: float
    linear: float
    angular: float
    own_mm: float
    own_linear: float
    own_angular: float
    pause_s: float


@dataclass(frozen=True, eq=False)
class Command:
    """A command of the gate: its moment, ns, (dim,) target, and who acts."""

    time_ns: int
    target: np.ndarray
    actor: Actor


class Jumps:
    """Measures commands.

    Args:
        contract: name or file of the robot's.
    """

    def __init__(self, contract: str) -> None:
        made = load_contract(contract)
        self.spec = action_spec(made)
        self._limits: LimitArrays = Measuring(gate_settings(made, describe(made))).limits
        kinds = [(field.kind, field.is_rotation, 3 if field.is_rotation else field.size) for field in self.spec.fields]
        turns = [is_rotation or kind == "joint" for kind, is_rotation, size in kinds for _ in range(size)]
        moves = [kind == "pose" and not is_rotation for kind, is_rotation, size in kinds for _ in range(size)]
        self._angular, self._linear = np.array(turns), np.array(moves)

    def between(self, commands: Sequence[Command], begin_ns: int, end_ns: int) -> tuple[float, float, float]:
        """Jump of position (mm), and largest changes of the linear and angular velocity, within a time."""
        chosen = [each for each in commands if begin_ns <= each.time_ns <= end_ns]
        pairs = [(a, b) for a, b in pairwise(chosen) if b.time_ns > a.time_ns]
        if len(pairs) < 3:
            return (float("nan"),) * 3
        dt = np.array([(b.time_ns - a.time_ns) * 1e-9 for a, b in pairs])
        velocity = np.array([self._step(a.target, b.target) for a, b in pairs]) / dt[:, None]
        linear, angular = velocity[:, self._linear], velocity[:, self._angular]
        moved = np.linalg.norm(linear if linear.shape[1] else angular, axis=1)
        beyond = (moved[1:-1] - np.maximum(moved[:-2], moved[2:])) * dt[1:-1]
        change, turn = (
            float(np.linalg.norm(np.diff(each, axis=0), axis=1).max(initial=0.0)) for each in (linear, angular)
        )
        return float(max(beyond.max(), 0.0) * 1e3), change, turn

    def _step(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        result = np.empty(self._limits.tangent)
        write_difference(self._limits, first, second, result)
        return result


def measured(jumps: Jumps, commands: Sequence[Command], number: int, direction: str, speed: float) -> HandOver:
    """The hand-over that some commands show, the policy's before (of a take) or the person's (of a give)."""
    before, after = (Actor.POLICY, Actor.PERSON) if direction == "take" else (Actor.PERSON, Actor.POLICY)
    actors = [each.actor for each in commands]
    since = actors.index(after, actors.index(before))
    left_ns = next(each.time_ns for each in reversed(commands[:since]) if each.actor is before)
    taken_ns = commands[since].time_ns
    window_ns = round(WINDOW_S * 1e9)
    parts = [jumps.between(commands, at_ns - window_ns // 5, at_ns + window_ns) for at_ns in (left_ns, taken_ns)]
    position, linear, angular = np.nanmax(parts, axis=0).tolist()
    own_mm, own_linear, own_angular = jumps.between(commands, left_ns - round(OWN_S * 1e9), left_ns)
    pause_s = (taken_ns - left_ns) * 1e-9
    return HandOver(number, direction, speed, position, linear, angular, own_mm, own_linear, own_angular, pause_s)


def hand_overs(contract: str, task: str, first: int, count: int) -> Iterator[tuple[HandOver, HandOver]]:
    """Take the robot over and give it back in the graph that runs: pairs from a number on, each with its own seed."""
    from benchmarks.scripted_person import ScriptedPerson

    jumps = Jumps(contract)
    person = ScriptedPerson(jumps.spec)
    try:
        person.until(lambda: person.actor is Actor.POLICY, "a policy that is followed", 120.0)
        for number in range(first, first + count):
            yield _pair(person, jumps, task, number)
    finally:
        person.close()


def _pair(person: ScriptedPerson, jumps: Jumps, task: str, number: int) -> tuple[HandOver, HandOver]:
    """A take and a give."""
    for attempt in range(ATTEMPTS):
        random = np.random.default_rng([number, attempt])
        speed, direction = float(random.choice([0.0, random.uniform(0.02, FASTEST)])), random.normal(size=3)
        direction[2] = abs(direction[2])
        try:
            if task:  # a policy knows the way to the task's end, and nothing of what comes after it
                person.reset()
            person.until(lambda: person.actor is Actor.POLICY, "the policy before a take", 20.0)
            person.commands.clear()
            person.spin(random.uniform(OWN_S, LATEST_S))
            person.take(direction, speed)
            person.until(lambda: person.actor is Actor.PERSON, "the person", 5.0)
            person.spin(random.uniform(OWN_S, 2.0))
            taken = measured(jumps, person.commands, number, "take", speed)
            person.commands.clear()
            person.spin(OWN_S)
            person.give()
            person.until(lambda: person.actor is Actor.POLICY, "the policy after a give", 20.0)
            person.spin(2 * WINDOW_S)
            return taken, measured(jumps, person.commands, number, "give", speed)
        except (TillerError, ValueError) as error:  # no such change of hands among the commands
            print(f"\npair {number} again: {error}", flush=True)
            person.enable_anew()
    raise TillerError(f"pair {number}: the robot did not change hands in {ATTEMPTS} attempts")


def run(
    contract: str, task: str, checkpoint: str, delay_steps: int, first: int, count: int
) -> Iterator[tuple[HandOver, ...]]:
    """A graph of its own, and hand-overs in it."""
    folder = Path(tempfile.mkdtemp(prefix="handover"))
    if not checkpoint:
        from tests.real.untrained import untrained

        checkpoint = str(untrained(contract, folder / "policy"))
    deployment = Deployment(
        contract=contract,
        twin=True,
        task=task,
        checkpoint=checkpoint,
        delay_steps=delay_steps,
        records=str(folder),
        parameters={"twin": {"images": False}},
    )
    profile = write_profile(folder, participants=len(processes(deployment)) + 4)
    os.environ.update(profile.environment)
    graph = OwnGraph(deployment, profile.environment, folder)
    try:
        yield from hand_overs(contract, task, first, count)
    finally:
        graph.close()


def finished(table: Path) -> list[HandOver]:
    """The hand-overs in a table, whole pairs alone."""
    if not table.exists():
        return []
    with table.open(newline="") as file:
        rows = [
            HandOver(int(row["number"]), row["direction"], *(float(row[field.name]) for field in fields(HandOver)[2:]))
            for row in csv.DictReader(file)
        ]
    return rows[: len(rows) // 2 * 2]


def report(rows: Sequence[HandOver]) -> None:
    """Print the largest and the median of every figure, per direction."""
    print(f"{'':6}{'n':>5}  {'beyond its speed, mm':>22}  {'change of velocity: m/s':>26}  {'rad/s':>16}  pause, s")
    for direction in ("take", "give"):
        own = [row for row in rows if row.direction == direction]
        if own:
            values = np.array([[row.position_mm, row.linear, row.angular, row.pause_s] for row in own])
            (p, v, w, s), (p50, v50, w50, s50) = values.max(axis=0), np.median(values, axis=0)
            print(
                f"{direction:6}{len(own):5}  {p:10.4f} ({p50:8.4f})  {v:14.4f} ({v50:8.4f})  {w:8.4f} ({w50:.4f})  "
                f"{s:.3f} ({s50:.3f})"
            )
    policys = [(row.own_mm, row.own_linear, row.own_angular) for row in rows if row.direction == "take"]
    own_mm, own_linear, own_angular = np.nanmax(policys, axis=0).tolist()
    print(
        f"largest (median); the policy's own path: {own_mm:.4f} mm, {own_linear:.4f} m/s and {own_angular:.4f} rad/s "
        "between two ticks"
    )
    good = sum(row.position_mm < POSITION_MM and row.angular < own_angular + ANGULAR for row in rows)
    print(f"under {POSITION_MM:g} mm, and under {ANGULAR:g} rad/s beyond the policy's own path: {good} of {len(rows)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="of takes, and of gives")
    parser.add_argument("--contract", default="panda_twin", help="of a twin")
    parser.add_argument("--task", default="", help="of the twin, for a policy that sees what the task measures")
    parser.add_argument("--checkpoint", default="", help="folder of a policy, or of a dataset with #EPISODE")
    parser.add_argument("--delay-steps", type=int, default=-1, help="rows that pass while a plan is made; -1 measures")
    parser.add_argument("--table", type=Path, default=TABLE)
    asked = parser.parse_args()
    os.environ.setdefault("ROS_DOMAIN_ID", str(20 + os.getpid() % 80))
    rows = finished(asked.table)
    asked.table.parent.mkdir(parents=True, exist_ok=True)
    with asked.table.open("w", newline="") as file:
        table = csv.DictWriter(file, [field.name for field in fields(HandOver)], lineterminator="\n")
        table.writeheader()
        table.writerows(map(asdict, rows))
        missing = asked.count - len(rows) // 2
        pairs = (
            run(asked.contract, asked.task, asked.checkpoint, asked.delay_steps, len(rows) // 2, missing)
            if missing > 0
            else ()
        )
        for pair in pairs:
            rows.extend(pair)
            table.writerows(map(asdict, pair))
            file.flush()
            print(f"\r{len(rows) // 2} of {asked.count}", end="", flush=True)
    print()
    report(rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
