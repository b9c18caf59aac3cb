"""The rounds of an evaluation: plan for all environments in one call, step them, receive the results."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import Callable, Iterator

import numpy as np

from robot.control.plan_request import decide_plans
from robot.control.runner import query_seed
from robot.description import Policy, require_match
from robot.description.decision import require_execution
from robot.errors import InputError, TillerError
from sim.evaluation.action_noise import ActionNoise
from sim.evaluation.decisions import DecisionRecord
from sim.evaluation.env_runner import EnvConfig, EnvSpecs, Hold, Reset, StepResult, Steps
from sim.evaluation.order import Branch, Order
from sim.evaluation.session import EnvSession
from sim.evaluation.workers import WorkerProcess
from sim.process.child import WorkerLost
from sim.process.failure import Failure
from sim.statistics.records import EpisodeRecord, Latency
from sim.tasks.info import SAY_SUCCESS


class Rollout:
    """Runs every episode that is ordered. In a round each environment begins an episode or, planned for in one
    inference call, steps through a slice, side by side with the other workers' environments.

    Args:
        policy: plans.
        config: of the workers.
        sessions: one per environment; no two may run episodes of the same number modulo `batch` at once.
        batch: rows of every inference call.
        filmed: numbers of the episodes to film.
        on_episode: called with each episode and its record as it ends.
        on_begin: called with each episode that begins and its first result.
        on_decision: called with each decision, once the steps up to the next one are known; needs a traced `config`.
        save: whether states are saved before each decision of episodes that begin at a start, for branches.
        needs_success: whether a task that never reports on success is refused in the end.
        keep: whether records and latencies are kept; a rollout without an end must not.
        noise: on the actions, which are float32 then, as a store holds them; None leaves them as they are.
    """

    def __init__(
        self,
        policy: Policy,
        config: EnvConfig,
        sessions: list[EnvSession],
        *,
        batch: int,
        filmed: frozenset[int] = frozenset(),
        on_episode: Callable[[Order, EpisodeRecord], None] = lambda order, record: None,
        on_begin: Callable[[Order, StepResult], None] = lambda order, result: None,
        on_decision: Callable[[DecisionRecord], None] | None = None,
        save: bool = False,
        needs_success: bool = True,
        keep: bool = True,
        noise: ActionNoise | None = None,
    ):
        if on_decision is not None and not config.traced:
            raise InputError("on_decision", expected="a traced EnvConfig", got="one that tells no steps")
        for session in sessions:
            require_execution(policy, session.runner.n_action_steps)
        self.records: list[EpisodeRecord] = []
        self.latencies: list[float] = []
        self.seconds = 0.0
        self.instructions: Counter[str] = Counter()
        self._reports_success, self._stopped, self._keep = not needs_success, False, keep
        self._policy, self._config, self._sessions = policy, config, sessions
        self._batch, self._filmed, self._save, self._noise = batch, filmed, save, noise
        self._on_episode, self._on_begin, self._on_decision = on_episode, on_begin, on_decision

    def stop(self) -> None:
        """End after this round; episodes that have not ended are dropped."""
        self._stopped = True

    def run(self, workers: int) -> None:
        """Start the workers, run all episodes, end the workers.

        Raises:
            InputError: the policy does not fit the task, or none of the task's episodes reports on success.
            TillerError: an environment raised, or a worker has ended; the message names the seeds.
        """
        for _ in self.rounds(workers):
            pass

    def steer_by(self, policy: Policy) -> None:
        """Plan by another policy from the next round on, of the same spec.

        Raises:
            InputError: it plans otherwise.
        """
        if policy.spec != self._policy.spec:
            raise InputError("policy of a rollout", expected="the spec that the rollout began with", got="another one")
        for session in self._sessions:
            require_execution(policy, session.runner.n_action_steps)
        self._policy = policy

    def rounds(self, workers: int, *, waits: bool = False) -> Iterator[None]:
        """`run` round by round, for a caller that takes what the callbacks were given in between.

        Args:
            workers: processes.
            waits: yield where there is nothing to do, in place of the end: more may be ordered.
        """
        processes: list[WorkerProcess] = []
        try:
            for _ in range(min(workers, len(self._sessions))):
                processes.append(WorkerProcess(self._config))
            for process in processes:
                self._meet(process.ready())
            while not self._stopped:
                started = time.perf_counter()
                try:
                    more = self._round(processes)
                finally:
                    self.seconds += time.perf_counter() - started
                if not more and not waits:
                    break
                yield
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
        running = [session for session in self._sessions if session.order is not None]
        idle = [session for session in self._sessions if session.order is None]
        self._plan([session for session in running if session.runner.needs_plan(session.now_ns)])
        commands: list[Reset | Steps | Hold] = [
            Hold(session.env) if session.held else self._steps(session) for session in running
        ]
        commands += [begun for session in idle if (begun := session.begin(self._filmed)) is not None]
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

    def _steps(self, session: EnvSession) -> Steps:
        order = self._order(session)
        steps = session.steps(self._save and order.branch is None)
        if self._noise is None:
            return steps
        random, spec = np.random.default_rng([order.noise, 3, session.length]), session.runner.spec.action
        noisy = np.stack([self._noise.apply(spec, each, random) for each in steps.actions])
        return replace(steps, actions=noisy.astype(np.float32))

    def _plan(self, waiting: list[EnvSession]) -> None:
        """One inference call for all waiting sessions, each in its episode's row; copies of one fill the others."""
        if not waiting:
            return
        requests = {
            self._row(session): session.runner.request(
                seed=query_seed(self._order(session).noise, session.runner.plans), prompt=session.prompt
            )
            for session in waiting
        }
        started = time.perf_counter()
        decisions = decide_plans(self._policy, [requests.get(row) for row in range(self._batch)])
        seconds = time.perf_counter() - started
        if self._keep:
            self.latencies.append(seconds)
        for session in waiting:
            session.latencies.append(seconds)
            if self._save and session.episode is not None:
                session.before = session.runner.fork(), replace(session.episode)
            session.take(decisions.row(self._row(session)), requests[self._row(session)])

    def _collect(self, process: WorkerProcess, share: list[Reset | Steps | Hold]) -> TillerError | None:
        """Receive a worker's results of its share of the commands."""
        try:
            for command, answer in zip(share, process.receive()):
                if isinstance(answer, Failure):
                    return answer.error()
                self._take(command, answer)
        except WorkerLost as error:
            seeds = sorted(self._order(self._sessions[command.env]).seed for command in share)
            return WorkerLost(f"{error} while it ran the episodes with seeds {', '.join(map(str, seeds))}")
        return None

    def _take(self, command: Reset | Steps | Hold, result: StepResult) -> None:
        session = self._sessions[result.env]
        order = self._order(session)
        session.observe(result)
        if isinstance(command, Reset):
            self._on_begin(order, result)
        elif self._on_decision is not None and isinstance(command, Steps):
            self._on_decision(self._record(session, command, result))
        if result.episode.ended:
            latency = Latency.of(session.latencies)
            record = EpisodeRecord(**vars(result.episode), latency=latency, monitor=session.monitored)
            session.order = None
            self._reports_success |= result.reports_success
            if self._keep:
                self.records.append(record)
                self.instructions[session.prompt.instruction] += 1
            self._on_episode(order, record)

    def _record(self, session: EnvSession, command: Steps, result: StepResult) -> DecisionRecord:
        """The decision that a session's last steps followed from."""
        assert session.decided is not None and result.trace is not None
        (decision, request), branch = session.decided, None
        if result.state is not None and session.before is not None:
            branch = Branch(result.state, *session.before, session.prompt.instruction)
        return DecisionRecord(
            self._order(session),
            request,
            decision,
            self._batch,
            self._row(session),
            command.actions[: len(result.trace.reward)],
            result.trace,
            session.runner.window(),
            replace(result.episode),
            branch,
        )

    def _row(self, session: EnvSession) -> int:
        return self._order(session).number % self._batch

    @staticmethod
    def _order(session: EnvSession) -> Order:
        assert session.order is not None
        return session.order
