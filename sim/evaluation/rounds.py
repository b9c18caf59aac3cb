"""The rounds of an evaluation: plan for all environments in one call, step them, receive the results."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Callable

import numpy as np

from robot.control.plan_request import PlanRequest, decide_plans
from robot.control.runner import ChunkRunner, query_seed
from robot.description import Decision, Policy, TaskPrompt, require_match
from robot.errors import InputError, TillerError
from sim.evaluation.env_runner import EnvConfig, EnvSpecs, Reset, StepResult, Steps
from sim.evaluation.workers import WorkerProcess
from sim.process.child import WorkerLost
from sim.process.failure import Failure
from sim.statistics.records import EpisodeRecord, Latency
from sim.tasks.info import SAY_SUCCESS


@dataclass
class EnvSession:
    """The parent's side of one environment: what plans for it, the episodes yet to run and the one that runs.

    Args:
        env: number of the environment.
        runner: of the policy.
        todo: numbers of the episodes to run.
        episode: number of the one that runs, None between two.
        length: steps of it so far.
        latencies: seconds of its plans.
        late: a decision and its request; it arrives when the runner's `delay_steps` rows have passed.
        prompt: of the episode that runs.
    """

    env: int
    runner: ChunkRunner
    todo: deque[int]
    episode: int | None = None
    length: int = 0
    latencies: list[float] = field(default_factory=list)
    late: tuple[Decision, PlanRequest] | None = None
    prompt: TaskPrompt = TaskPrompt()

    @property
    def now_ns(self) -> int:
        return self.length * self.runner.spec.action.period_ns

    def begin(self, seed: int, filmed: frozenset[int]) -> Reset:
        """Start the next episode."""
        self.episode = self.todo.popleft()
        self.runner.reset()
        self.length, self.latencies, self.late = 0, [], None
        return Reset(self.env, seed + self.episode, self.episode in filmed)

    def take(self, decision: Decision, request: PlanRequest) -> None:
        """Take the decision of a request of now. The first of an episode is waited for; any later one arrives with its
        delay, while the rows of the old chunk go on.
        """
        if self.runner.delay_steps and self.runner.chunk is not None:
            self.late = decision, request
        else:
            self.runner.take(decision, request)

    def steps(self) -> Steps:
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
        return Steps(self.env, np.stack(actions))

    def observe(self, result: StepResult) -> None:
        """Take the newest observations."""
        self.length = result.episode.length
        if not self.length:
            self.prompt = TaskPrompt(result.instruction)
        for age, row in zip(range(len(result.rows) - 1, -1, -1), result.rows):
            self.runner.observe(row, self.now_ns - age * self.runner.spec.action.period_ns)


class Rollout:
    """Runs every episode once. In a round each environment begins an episode or, planned for in one inference call,
    steps through a slice, side by side with the other workers' environments.

    Args:
        policy: plans.
        config: of the workers.
        sessions: one per environment; no two may run episodes of the same number modulo `batch` at once.
        seed: of episode 0.
        batch: rows of every inference call.
        filmed: numbers of the episodes to film.
        on_episode: called with each record as its episode ends.
    """

    def __init__(
        self,
        policy: Policy,
        config: EnvConfig,
        sessions: list[EnvSession],
        *,
        seed: int,
        batch: int,
        filmed: frozenset[int],
        on_episode: Callable[[EpisodeRecord], None],
    ):
        self.records: list[EpisodeRecord] = []
        self.latencies: list[float] = []
        self.seconds = 0.0
        self.instructions: Counter[str] = Counter()
        self._reports_success = False
        self._policy, self._config, self._sessions = policy, config, sessions
        self._seed, self._batch, self._filmed, self._on_episode = seed, batch, filmed, on_episode

    def run(self, workers: int) -> None:
        """Start the workers, run all episodes, end the workers.

        Raises:
            InputError: the policy does not fit the task, or none of the task's episodes reports on success.
            TillerError: an environment raised, or a worker has ended; the message names the seeds.
        """
        processes: list[WorkerProcess] = []
        try:
            for _ in range(min(workers, len(self._sessions))):
                processes.append(WorkerProcess(self._config))
            for process in processes:
                self._meet(process.ready())
            started = time.perf_counter()
            try:
                while self._round(processes):
                    pass
            finally:
                self.seconds = time.perf_counter() - started
            self._require_success_reported()
        finally:
            for process in processes:
                process.close()

    def _require_success_reported(self) -> None:
        """Raise an InputError if no episode reports on success: it was then never measured."""
        if self.records and not self._reports_success:
            raise InputError(
                f"success of {self._config.task_id}",
                expected="info['success'] or info['is_success'] in some step",
                got=f"neither in {len(self.records)} episodes",
                way_out=SAY_SUCCESS,
            )

    def _meet(self, ready: EnvSpecs) -> None:
        """Check that the task's specs match the policy's."""
        require_match(
            self._policy.spec.observation,
            ready.observation,
            self._policy.spec.action,
            ready.action,
            left="policy",
            right=f"task {ready.task.id}",
            way_out="Evaluate on the task that the policy was trained for, or train one for this task",
        )

    def _round(self, processes: list[WorkerProcess]) -> bool:
        """One round; False when there is nothing left to do."""
        running = [session for session in self._sessions if session.episode is not None]
        idle = [session for session in self._sessions if session.episode is None and session.todo]
        self._plan([session for session in running if session.runner.needs_plan(session.now_ns)])
        commands: list[Reset | Steps] = [session.steps() for session in running]
        commands += [session.begin(self._seed, self._filmed) for session in idle]
        count = len(processes)
        shares = [[command for command in commands if command.env % count == index] for index in range(count)]
        working = [(process, share) for process, share in zip(processes, shares) if share]
        for process, share in working:
            process.send(share)
        # All answers are taken before an error is raised: an episode that ended in this round is not lost.
        errors = [error for process, share in working if (error := self._collect(process, share))]
        if errors:
            raise errors[0]
        return bool(commands)

    def _plan(self, waiting: list[EnvSession]) -> None:
        """One inference call for all waiting sessions, each in its episode's row; copies of one fill the others."""
        if not waiting:
            return
        requests = {
            self._row(session): session.runner.request(
                seed=query_seed(self._episode_seed(session), session.runner.plans), prompt=session.prompt
            )
            for session in waiting
        }
        started = time.perf_counter()
        decisions = decide_plans(self._policy, [requests.get(row) for row in range(self._batch)])
        seconds = time.perf_counter() - started
        self.latencies.append(seconds)
        for session in waiting:
            session.latencies.append(seconds)
            session.take(decisions.row(self._row(session)), requests[self._row(session)])

    def _collect(self, process: WorkerProcess, share: list[Reset | Steps]) -> TillerError | None:
        """Receive a worker's results of its share of the commands."""
        try:
            for answer in process.receive():
                if isinstance(answer, Failure):
                    return answer.error()
                self._take(answer)
        except WorkerLost as error:
            seeds = sorted(self._episode_seed(self._sessions[command.env]) for command in share)
            return WorkerLost(f"{error} while it ran the episodes with seeds {', '.join(map(str, seeds))}")
        return None

    def _take(self, result: StepResult) -> None:
        session = self._sessions[result.env]
        session.observe(result)
        if result.episode.ended:
            record = EpisodeRecord(**vars(result.episode), latency=Latency.of(session.latencies))
            session.episode = None
            self._reports_success |= result.reports_success
            self.records.append(record)
            self.instructions[session.prompt.instruction] += 1
            self._on_episode(record)

    def _row(self, session: EnvSession) -> int:
        assert session.episode is not None
        return session.episode % self._batch

    def _episode_seed(self, session: EnvSession) -> int:
        assert session.episode is not None
        return self._seed + session.episode
