"""Runs rungs on rows of seeds, keeps every evaluation, and counts every environment step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

from tiller.steering.deadline import Deadline
from tiller.steering.options import FRESH, LEARNING, TICKETS
from tiller.steering.rung import Rung, acting

if TYPE_CHECKING:
    from sim.statistics.records import EpisodeRecord, Evaluation

EVALUATIONS = "evaluations"


@dataclass(frozen=True)
class Cost:
    """What something took.

    Args:
        steps: of environments, all of them.
        seconds: on them and on learning.
    """

    steps: int = 0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.steps + other.steps, self.seconds + other.seconds)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.steps - other.steps, self.seconds - other.seconds)


@dataclass(eq=False)
class Bench:
    """Where rungs are run.

    An evaluation that is there already is read and not run again, so that a run that goes on does the same as one that
    was never stopped.

    Args:
        task: id.
        options: of the task.
        folder: of the run.
        seed: of the first start; the rows of seeds for other uses follow from it.
        workers: processes that step environments.
        deadline: of the run.
        cost: of all so far.
        used: fresh starts that promotions have used.
        standing: what a live line says beside the figures.
    """

    task: str
    options: Mapping[str, Any]
    folder: Path
    seed: int
    workers: int
    deadline: Deadline
    cost: Cost = Cost()
    used: int = 0
    standing: str = ""

    @property
    def steps(self) -> int:
        """Environment steps so far, all of them."""
        return self.cost.steps

    @property
    def selection_seed(self) -> int:
        """The first start on which settings are chosen."""
        return self.seed

    @property
    def ticket_seed(self) -> int:
        """The first start of the search for tickets."""
        return self.seed + TICKETS

    @property
    def learning_seed(self) -> int:
        """The first start that a policy learns on."""
        return self.seed + LEARNING

    def fresh(self, number: int) -> int:
        """Take so many starts that nothing was chosen, learnt or tested on; returns the first."""
        first = self.seed + FRESH + self.used
        self.used += number
        return first

    def charge(self, steps: int, seconds: float, *, before: bool = False) -> None:
        """Count environment steps and time that were spent elsewhere.

        Args:
            steps, seconds: how many.
            before: whether they were spent before this process, and so count against its deadline.
        """
        self.cost += Cost(steps, seconds)
        if before:
            self.deadline.add(seconds)

    def is_done(self, name: str) -> bool:
        """Whether an evaluation is there."""
        return (self._folder(name) / "evaluation.json").is_file()

    def evaluate(self, rung: Rung, first: int, episodes: int, name: str) -> Evaluation:
        """The evaluation of a rung on a row of seeds.

        Args:
            rung: that acts.
            first: seed of the first episode.
            episodes: how many.
            name: of the evaluation, the folder that it is kept in.

        Raises:
            InputError: the task does not say what is a success, or the rung does not fit it.
            EvaluationFailed, EvaluationInterrupted: as of `evaluate_policy`.
        """
        from robot.description import to_json
        from sim.statistics.records import read_evaluation

        about = rung.about
        if self.is_done(name):
            evaluation = read_evaluation(self._folder(name))
            same = evaluation.seed == first and evaluation.episodes == episodes and evaluation.complete
            if (
                same
                and acting(evaluation.policy) == acting(about)
                and to_json(evaluation.options) == to_json(self.options)
            ):
                self._count(evaluation, before=True)
                return evaluation
        evaluation = self._run(rung, first, episodes, name, about)
        self._count(evaluation)
        return evaluation

    def _run(self, rung: Rung, first: int, episodes: int, name: str, about: Mapping[str, Any]) -> Evaluation:
        from sim.evaluation.rollout import BATCH, evaluate_policy
        from sim.statistics.intervals import wilson
        from tiller.runs.progress import Counter

        done, won, steps = 0, 0, self.steps
        with Counter(f"{rung.name} on {self.task}", episodes) as counter:

            def on_episode(record: EpisodeRecord) -> None:
                nonlocal done, won, steps
                done, won, steps = done + 1, won + record.success, steps + record.length
                counter.show(done, ", ".join(filter(None, [str(wilson(won, done)), f"{steps} steps", self.standing])))

            return evaluate_policy(
                rung.policy,
                self.task,
                episodes=episodes,
                seed=first,
                workers=self.workers,
                options=self.options,
                batch=BATCH,
                on_episode=on_episode,
                description=about,
                output=self._folder(name),
                overwrite=True,
            )

    def _count(self, evaluation: Evaluation, *, before: bool = False) -> None:
        self.charge(sum(record.length for record in evaluation.records), evaluation.seconds, before=before)

    def _folder(self, name: str) -> Path:
        return self.folder / EVALUATIONS / name.replace(" ", "_")


def successes(evaluation: Evaluation) -> int:
    """Episodes that succeeded."""
    return sum(record.success for record in evaluation.records)
