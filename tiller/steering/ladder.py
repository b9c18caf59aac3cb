"""The climb: what is free first, then one method after the other, each against the best rung so far."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Sequence

from robot.errors import InputError
from sim.statistics.sequential import PairedTest
from tiller.steering.bench import Cost
from tiller.steering.climb import METHODS, REQUIREMENTS, Climb, order
from tiller.steering.deadline import OutOfTime
from tiller.steering.free import BASE, Measured, best_scale, measure, of_options, picked, possible
from tiller.steering.options import LADDER
from tiller.steering.promotion import OUT_OF_TIME, promote
from tiller.steering.record import NOT_POSSIBLE, Record, Row, met
from tiller.steering.rung import Rung

BEST = "checkpoints/final"
"""Of the run's folder: the best rung so far."""
RUNGS = "rungs"
"""Of the run's folder: every candidate as a checkpoint, also those that the test did not prefer."""
SAME = "acts as the best rung does"


class Ladder:
    """One climb, from the base to the best rung.

    Args:
        climb: with the base as its best rung.

    Raises:
        InputError: the one method that was chosen cannot work with this base.
    """

    def __init__(self, climb: Climb) -> None:
        options = climb.options
        self.climb, self.record = climb, Record(climb)
        self._test = PairedTest(options.error, options.worth, options.most)
        self._met, self._spent = 0, Cost()
        self._methods = list[str]()
        for name in order(options):
            try:
                REQUIREMENTS.get(name, lambda climb: None)(climb)
                self._methods.append(name)
            except InputError as error:
                if options.method != LADDER:
                    raise
                print(f"Without {name}: {error}")
                self.record.rows.append(Row(name, name, NOT_POSSIBLE, note=str(error)))

    def run(self) -> Rung:
        """Climb; returns the best rung, which is saved whenever it changes.

        Raises:
            InputError: the base does not fit the task.
            KeyboardInterrupt: it was stopped; what was done is kept.
        """
        with self.record:
            self._free()
            for name in self._methods:
                self._try(name)
        return self.climb.best

    def _free(self) -> None:
        """Choose among what is free; the base stays the best rung until the test prefers the choice."""
        climb, options = self.climb, self.climb.options
        settings = of_options(climb.base, options.free)
        tried = list(possible(climb.loaded, climb.checkpoint, climb.execution, settings))
        for setting, _, reason in tried:
            if reason:
                self.record.add(Row("free", setting.name, NOT_POSSIBLE, note=reason))
        rungs = [(setting, rung) for setting, rung, _ in tried if rung is not None]
        measured = measure(climb.bench, "free", rungs, options.episodes)
        climb.scale, climb.zero_is_best = best_scale(measured)
        climb.best = measured[0].rung
        climb.best.save(climb.folder / BEST)
        chosen = picked(measured)
        for each in measured:
            rung = replace(each.rung, figures=_chosen_at(each))
            if each is not chosen:
                self._add("free", rung, each.cost)
            elif chosen.setting.name == BASE:
                self._add("free", rung, each.cost, verdict="the best of these")
        if chosen.setting.name != BASE:
            self._meet("free", replace(chosen.rung, figures=_chosen_at(chosen)), chosen.cost)

    def _try(self, name: str) -> None:
        climb = self.climb
        before = climb.bench.cost
        try:
            made = METHODS[name](climb)
        except OutOfTime:
            self._add(name, name, climb.bench.cost - before, verdict=OUT_OF_TIME)
            return
        except InputError as error:
            if climb.options.method != LADDER:
                raise
            self._add(name, name, climb.bench.cost - before, verdict=NOT_POSSIBLE, note=str(error))
            return
        candidates: Sequence[Rung] = [made] if isinstance(made, Rung) else list(made or ())
        cost = climb.bench.cost - before
        if not candidates:
            self._add(name, name, cost, verdict="nothing came of it", note=climb.notes.get(name, ""))
        own = [_cost(each) for each in candidates]
        for number, candidate in enumerate(candidates):
            last = number == len(candidates) - 1
            note, rest = (climb.notes.get(name, ""), cost - sum(own[:-1], Cost())) if last else ("", own[number])
            self._meet(name, candidate, rest, note)

    def _meet(self, method: str, candidate: Rung, cost: Cost, note: str = "") -> None:
        """Let a candidate meet the best rung, and keep the better one."""
        climb = self.climb
        candidate.save(climb.folder / RUNGS / slug(candidate.name))
        if candidate.is_same(climb.best):
            self._add(method, candidate, cost, verdict=SAME, note=note)
            return
        self._met += 1
        before, where = climb.bench.cost, f"promotion/{self._met}-{candidate.name.replace('/', '-')}"
        promotion = promote(climb.bench, self._test, climb.best, candidate, where)
        if promotion.is_preferred:
            climb.best = candidate
            candidate.save(climb.folder / BEST)
        print(promotion.line, flush=True)
        self._add(method, candidate, cost + climb.bench.cost - before, note=note, **met(promotion))

    def _add(self, method: str, rung: Rung | str, cost: Cost, **values: Any) -> None:
        """Write a row."""
        figures = {} if isinstance(rung, str) else dict(rung.figures)
        self._spent += cost
        row = Row(
            method,
            rung if isinstance(rung, str) else rung.name,
            selection=figures.get("selection_success"),
            selection_episodes=_whole(figures.get("selection_episodes")),
            steps=cost.steps,
            minutes=cost.seconds / 60,
            total_steps=self._spent.steps,
            total_minutes=self._spent.seconds / 60,
            **values,
        )
        self.record.add(row)


def _chosen_at(measured: Measured) -> dict[str, float]:
    return {
        "selection_success": measured.successes / measured.episodes,
        "selection_episodes": measured.episodes,
    }


def _cost(rung: Rung) -> Cost:
    """What a method says that a candidate took."""
    return Cost(int(rung.figures.get("env_steps", 0)), 60 * rung.figures.get("minutes", 0.0))


def slug(name: str) -> str:
    """A name as that of a folder."""
    return re.sub(r"[^a-z0-9.]+", "_", name.lower()).strip("_")


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
