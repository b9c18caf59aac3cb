"""The parent's side of one environment of a rollout."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterator

import numpy as np

from robot.control.plan_request import PlanRequest
from robot.control.runner import ChunkRunner
from robot.description import Decision, TaskPrompt
from robot.monitoring.moment import Moment
from robot.monitoring.monitor import Verdict, Watch
from sim.evaluation.env_runner import EpisodeProgress, Reset, StepResult, Steps
from sim.evaluation.order import Order
from sim.statistics.monitored import Alarm, Monitored


@dataclass
class EnvSession:
    """The parent's side of one environment: what plans for it, the episodes yet to run and the one that runs.

    Args:
        env: number of the environment.
        runner: of the policy.
        orders: the episodes to run; each is asked for when the one before has ended.
        order: the one that runs, None between two.
        length: steps of it so far.
        latencies: seconds of its plans.
        late: a decision and its request; it arrives when the runner's `delay_steps` rows have passed.
        prompt: of the episode that runs.
        decided: the newest decision and its request.
        before: runner and result before it, where states are asked for.
        episode: its result so far.
        watch: tells whether the policy is failing; None for nobody.
        holds: whether an alarm ends the episode.
        verdicts: of the watch on the episode that runs.
        alarm: the first of them.
    """

    env: int
    runner: ChunkRunner
    orders: Iterator[Order]
    order: Order | None = None
    length: int = 0
    latencies: list[float] = field(default_factory=list)
    late: tuple[Decision, PlanRequest] | None = None
    prompt: TaskPrompt = TaskPrompt()
    decided: tuple[Decision, PlanRequest] | None = None
    before: tuple[ChunkRunner, EpisodeProgress] | None = None
    episode: EpisodeProgress | None = None
    watch: Watch | None = None
    holds: bool = False
    verdicts: list[Verdict] = field(default_factory=list)
    alarm: Alarm | None = None

    @property
    def now_ns(self) -> int:
        return self.length * self.runner.spec.action.period_ns

    def begin(self, filmed: frozenset[int] = frozenset()) -> Reset | None:
        """Start the next episode; None where there is none."""
        self.order = order = next(self.orders, None)
        if order is None:
            return None
        self.length, self.latencies, self.late = 0, [], None
        self.verdicts, self.alarm = [], None
        if self.watch is not None:
            self.watch.reset()
        if order.branch is None:
            self.runner.reset()
            return Reset(self.env, order.seed, order.number in filmed)
        self.runner = order.branch.runner.fork()
        self.prompt = TaskPrompt(order.branch.instruction)
        return Reset(self.env, order.seed, state=order.branch.state, episode=order.branch.episode)

    def take(self, decision: Decision, request: PlanRequest) -> None:
        """Take the decision of a request of now. The first of an episode is waited for; any later one arrives with its
        delay, while the rows of the old chunk go on.
        """
        self.decided = decision, request
        if self.watch is not None:
            best, period_ns = self.runner.best(decision, request), self.runner.spec.action.period_ns
            self._note(self.watch.add(Moment.of(request, decision, best, period_ns)))
        if self.runner.delay_steps and self.runner.chunk is not None:
            self.late = decision, request
        else:
            self.runner.take(decision, request)

    def _note(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        if verdict.alarm and self.alarm is None:
            self.alarm = Alarm(
                verdict.number, self.length, verdict.name, verdict.score, verdict.threshold, verdict.reason
            )

    @property
    def held(self) -> bool:
        """Whether the episode ends now, as there was an alarm."""
        return self.holds and self.alarm is not None

    @property
    def monitored(self) -> Monitored | None:
        """What the watch said of the episode so far; None without one."""
        if self.watch is None:
            return None
        scores = {
            score.name: tuple(verdict.scores[number] for verdict in self.verdicts)
            for number, score in enumerate(self.watch.monitor.scores)
        }
        return Monitored(scores, self.alarm, self.held)

    def steps(self, save: bool = False) -> Steps:
        """All actions up to the next plan."""
        runner, period_ns = self.runner, self.runner.spec.action.period_ns
        now_ns, actions = self.now_ns, []
        if self.late is None:
            actions.append(runner.action(now_ns))
            now_ns += period_ns
        else:
            for _ in range(runner.delay_steps):
                actions.append(runner.action(now_ns))
                now_ns += period_ns
            runner.take(*self.late)  # its first rows are in the past now
            self.late = None
        while not runner.needs_plan(now_ns):
            actions.append(runner.action(now_ns))
            now_ns += period_ns
        return Steps(self.env, np.stack(actions), save)

    def observe(self, result: StepResult) -> None:
        """Take the newest observations."""
        self.length, self.episode = result.episode.length, result.episode
        if not self.length:
            self.prompt = TaskPrompt(result.instruction)
        for age, row in zip(range(len(result.rows) - 1, -1, -1), result.rows):
            self.runner.observe(row, self.now_ns - age * self.runner.spec.action.period_ns)
