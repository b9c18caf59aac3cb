"""Whether the policy is failing while it acts on a robot: an alarm holds the robot, and a person is asked for.

A robot is held by what is there for it: the policy commands the target where the robot is, sends no further chunk, and
the gate holds when the last one has ended. A person takes the robot over as always. When the robot is given back the
policy plans again, and the monitor begins anew: what it remembers is of another course of things.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import numpy as np

from policies.model.checkpoint_folder import MONITOR_RECORD, find
from real.policy.planner import Plan
from real.policy.source import load_source, split
from robot.control.runner import ChunkRunner
from robot.description import Policy, PolicySpec
from robot.errors import InputError
from robot.monitoring.moment import Moment
from robot.monitoring.monitor import HOLD, Monitor, Verdict, Watch
from robot.safety.gate.actor import Actor


class Watching:
    """Judges the plans that are executed. Decisions count from the moment on at which the policy acts: the plans that
    it makes while the gate holds the robot, or a person has it, are none of an episode's.

    Args:
        path: of the monitor; empty for none.
        action: of an alarm, of `robot.monitoring.monitor.ACTIONS`.

    Raises:
        InputError: there is no monitor.
    """

    def __init__(self, path: str, action: str) -> None:
        self._folder = find(Path(path), MONITOR_RECORD) if path else None
        self._holds = action == HOLD
        self._monitor: Monitor | None = None
        self._watch: Watch | None = None
        self.newest: Verdict | None = None
        self.alarm: Verdict | None = None
        self.alarms = 0

    def load(
        self,
        checkpoint: str,
        device: str,
        sampler: str | None,
        steps: int | None,
        embodiment: str | Callable[[PolicySpec], str] = "",
    ) -> Policy:
        """`load_source`, with the monitor, and in the decisions what it reads. Heavy imports happen here.

        Raises:
            InputError: the monitor is another policy's.
        """
        policy = load_source(checkpoint, device, sampler, steps, embodiment)
        if self._folder is None:
            return policy
        path, episode = split(checkpoint)
        if episode is not None:
            raise InputError("monitor", expected="a policy to watch", got="a recorded episode")
        from policies.loading.load import identity
        from policies.monitoring.checkpoint import load_monitor

        self._monitor = load_monitor(self._folder, device)
        self._monitor.require(self._monitor.n_action_steps, identity(path, policy))
        return self._monitor.prepared(policy)

    def fit(self, runner: ChunkRunner) -> None:
        """Begin to watch plans of a runner.

        Raises:
            InputError: it executes another number of rows than the monitor knows.
        """
        if self._monitor is not None:
            self._monitor.require(runner.n_action_steps)
            self._watch = self._monitor.watch()

    @property
    def holding(self) -> bool:
        """Whether an alarm holds the robot."""
        return self._holds and self.alarm is not None

    def begin(self) -> None:
        """Begin an episode, without an alarm."""
        self.newest = self.alarm = None
        self.restart()

    def restart(self) -> None:
        """Count decisions anew: what was planned before is not gone on with. An alarm stays."""
        if self._watch is not None:
            self._watch.reset()

    def handed(self, before: Actor | None, after: Actor | None) -> None:
        """Note who acts on the robot: a person who gives it back ends an alarm."""
        if before is Actor.PERSON and after is not Actor.PERSON:
            self.begin()

    def judge(self, plan: Plan, runner: ChunkRunner, actor: Actor | None) -> Verdict | None:
        """Judge a plan that is to be executed.

        Args:
            plan: with its decision.
            runner: that would execute it.
            actor: whose command the robot follows now.

        Returns:
            The verdict; None where nobody watches, or a person has the robot.
        """
        if self._watch is None or plan.decision is None or actor is Actor.PERSON:
            return None
        if actor is not Actor.POLICY:
            self.restart()
        best = runner.best(plan.decision, plan.request)
        verdict = self._watch.add(Moment.of(plan.request, plan.decision, best, runner.spec.action.period_ns))
        self.newest = verdict
        if verdict.alarm and self.alarm is None:
            self.alarm, self.alarms = verdict, self.alarms + 1
        return verdict

    @property
    def text(self) -> str:
        """What a person reads of an alarm; empty without one."""
        if self.alarm is None:
            return ""
        what = "held, a person is needed" if self.holding else "planning, but a person should look"
        return f"{what}: {self.alarm.reason}"

    def numbers(self) -> dict[str, object]:
        """For the status; empty where nobody watches."""
        if self._watch is None:
            return {}
        newest = self.newest
        score = "" if newest is None else f"{newest.name} {newest.score:.3g} of {newest.threshold:.3g}"
        return {"monitor": score, "alarms": self.alarms}


def standing(runner: ChunkRunner, stamp_ns: int, now_ns: int) -> np.ndarray | None:
    """Rows (n, dim) of a chunk that stops the robot where its command is: each is the row that is due now.

    Args:
        runner: whose chunk is executed.
        stamp_ns: at which the rows begin.
        now_ns: the present.

    Returns:
        As many rows as have passed since then, and two more; None where nothing is executed.
    """
    if runner.chunk is None:
        return None
    passed = max(0, now_ns - stamp_ns) // runner.spec.action.period_ns
    return np.repeat(runner.action(now_ns)[None], passed + 2, axis=0)
