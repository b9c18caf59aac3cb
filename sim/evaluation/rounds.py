"""The rounds of an evaluation: plan for all environments in one call, let them step, take what comes back."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Callable

import numpy as np

from robot.control.plan_request import PlanRequest, sample_plans
from robot.control.runner import ChunkRunner, query_seed
from robot.description import Policy, TaskPrompt, require_match
from robot.errors import InputError, TillerError
from sim.evaluation.lane import Order, Ready, Report, Setup
from sim.evaluation.workers import WorkerProcess
from sim.process.child import WorkerLost
from sim.process.failure import Failure
from sim.statistics.records import EpisodeRecord, Latency
from sim.tasks.info import SAY_SUCCESS


@dataclass
class Place:
    """The parent's side of one environment: its runner, the episodes it has yet to run and the one that runs.

    Args:
        lane: number of the environment.
        runner: of the policy.
        todo: numbers of the episodes to run.
        episode: number of the one that runs, None between two.
        length: steps of it so far.
        latencies: seconds of its plans.
        late: plans (samples, horizon, dim) and their request; they arrive when the runner's `delay_steps` rows have
            passed.
    """

    lane: int
    runner: ChunkRunner
    todo: deque[int]
    episode: int | None = None
    length: int = 0
    latencies: list[float] = field(default_factory=list)
    late: tuple[np.ndarray, PlanRequest] | None = None

    @property
    def now_ns(self) -> int:
        return self.length * self.runner.spec.action.period_ns

    def begin(self, seed: int, filmed: frozenset[int]) -> Order:
        """Start the next episode."""
        self.episode = self.todo.popleft()
        self.runner.reset()
        self.length, self.latencies, self.late = 0, [], None
        return Order(self.lane, seed=seed + self.episode, film=self.episode in filmed)

    def take(self, plans: np.ndarray, request: PlanRequest) -> None:
        """Take the plans (samples, horizon, dim) that answer a request of now. The first of an episode is waited for;
        any later one arrives with its delay, while the rows of the old chunk go on.
        """
        if self.runner.delay_steps and self.runner.chunk is not None:
            self.late = plans, request
        else:
            self.runner.take(plans, request)

    def slice(self) -> Order:
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
        return Order(self.lane, actions=np.stack(actions))

    def observe(self, report: Report) -> None:
        self.length = report.tally.length
        for age, row in zip(range(len(report.rows) - 1, -1, -1), report.rows):
            self.runner.observe(row, self.now_ns - age * self.runner.spec.action.period_ns)


class Rollout:
    """Runs every episode once. In a round each environment begins an episode or, planned for in one inference call,
    steps through a slice, side by side with the other workers' environments.

    Args:
        policy: plans.
        setup: of the workers.
        places: one an environment; no two may run episodes of the same number modulo `batch` at once.
        seed: of episode 0.
        batch: rows of every inference call.
        filmed: numbers of the episodes to film.
        on_episode: called with each record as its episode ends.
    """

    def __init__(
        self,
        policy: Policy,
        setup: Setup,
        places: list[Place],
        *,
        seed: int,
        batch: int,
        filmed: frozenset[int],
        on_episode: Callable[[EpisodeRecord], None],
    ):
        self.records: list[EpisodeRecord] = []
        self.latencies: list[float] = []
        self.seconds = 0.0
        self._told = False
        self._prompt = TaskPrompt()
        self._policy, self._setup, self._places = policy, setup, places
        self._seed, self._batch, self._filmed, self._on_episode = seed, batch, filmed, on_episode

    def run(self, workers: int) -> None:
        """Start the workers, run all episodes, end the workers.

        Raises:
            InputError: the policy does not fit the task, or the task has not said in any episode what success is.
            TillerError: an environment raised, or a worker has ended; the message names the seeds.
        """
        processes: list[WorkerProcess] = []
        try:
            for _ in range(min(workers, len(self._places))):
                processes.append(WorkerProcess(self._setup))
            for process in processes:
                self._meet(process.ready())
            started = time.perf_counter()
            try:
                while self._round(processes):
                    pass
            finally:
                self.seconds = time.perf_counter() - started
            self._require_told()
        finally:
            for process in processes:
                process.close()

    def _require_told(self) -> None:
        """No success in any episode is a result only where somebody has looked for it."""
        if self.records and not self._told:
            raise InputError(
                f"success of {self._setup.task_id}",
                expected="info['success'] or info['is_success'] in some step",
                got=f"neither in {len(self.records)} episodes",
                way_out=SAY_SUCCESS,
            )

    def _meet(self, ready: Ready) -> None:
        """Take what the task says about itself, once it fits the policy."""
        self._prompt = TaskPrompt(ready.task.instruction)
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
        running = [place for place in self._places if place.episode is not None]
        idle = [place for place in self._places if place.episode is None and place.todo]
        self._plan([place for place in running if place.runner.needs_plan(place.now_ns)])
        orders = [place.slice() for place in running] + [place.begin(self._seed, self._filmed) for place in idle]
        count = len(processes)
        shares = [[order for order in orders if order.lane % count == index] for index in range(count)]
        working = [(process, share) for process, share in zip(processes, shares) if share]
        for process, share in working:
            process.send(share)
        # All answers are taken before an error is raised: an episode that ended in this round is not lost.
        errors = [error for process, share in working if (error := self._collect(process, share))]
        if errors:
            raise errors[0]
        return bool(orders)

    def _plan(self, waiting: list[Place]) -> None:
        """One inference call for all who wait, each in its episode's row, copies of the first in the others' place."""
        if not waiting:
            return
        requests = {
            self._row(place): place.runner.request(
                seed=query_seed(self._episode_seed(place), place.runner.plans), prompt=self._prompt
            )
            for place in waiting
        }
        started = time.perf_counter()
        plans = sample_plans(self._policy, [requests.get(row) for row in range(self._batch)])
        seconds = time.perf_counter() - started
        self.latencies.append(seconds)
        for place in waiting:
            place.latencies.append(seconds)
            place.take(plans[self._row(place)], requests[self._row(place)])

    def _collect(self, process: WorkerProcess, share: list[Order]) -> TillerError | None:
        """Take what a worker answers to its share of the orders."""
        try:
            for answer in process.receive():
                if isinstance(answer, Failure):
                    return answer.error()
                self._take(answer)
        except WorkerLost as error:
            seeds = sorted(self._episode_seed(self._places[order.lane]) for order in share)
            return WorkerLost(f"{error} while it ran the episodes with seeds {', '.join(map(str, seeds))}")
        return None

    def _take(self, report: Report) -> None:
        place = self._places[report.lane]
        place.observe(report)
        if report.tally.ended:
            record = EpisodeRecord(**vars(report.tally), latency=Latency.of(place.latencies))
            place.episode = None
            self._told |= report.told
            self.records.append(record)
            self._on_episode(record)

    def _row(self, place: Place) -> int:
        assert place.episode is not None
        return place.episode % self._batch

    def _episode_seed(self, place: Place) -> int:
        assert place.episode is not None
        return self._seed + place.episode
