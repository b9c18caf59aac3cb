"""Learning from a frozen policy's own decisions: segments of episodes that are run, learnt from, and saved.

    replay/          all decisions, committed episode by episode
    last/            what the next segment begins with
    curve.csv        by environment steps, all of them

A segment's episodes are those of fixed numbers, run by the policy that the last checkpoint holds, and its updates are
drawn from (seed, segment): a run that was killed anywhere goes on to the same bits as one that was not.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Callable

import numpy as np

from data.learning.replay.replay import Replay
from data.learning.replay.schema import ReplaySchema
from data.store.dataset import Dataset
from policies.experience.batches import Experience
from policies.experience.learner import Learner, Subject, base_of
from policies.model.checkpoint_folder import read_json
from policies.model.files import new_checkpoint, read_tensors, write_json, write_tensors
from policies.training.running.interruption import Interruption
from policies.training.running.loggers import STEP, Logger, TensorBoardLog
from robot.description import Policy, fingerprint, from_json, to_json
from robot.errors import InputError
from robot.files import unwritten, write_table
from tiller.runs.differences import first_difference
from tiller.steering.by_learning.collecting import Collecting, InOrder
from tiller.steering.by_learning.methods import Way
from tiller.steering.by_learning.options import SHUFFLED, LearningOptions
from tiller.steering.by_learning.patience import Patience
from tiller.steering.by_learning.setting import Setting
from tiller.steering.by_learning.shown import add_shown, shown_in
from tiller.steering.by_learning.state import SUCCESSES, Saved, State, earned

LAST, REPLAY, CURVE = "last", "replay", "curve.csv"
_TENSORS, _STATE = "learner.safetensors", "state.json"
ENDS = ("steps", "minutes", "gate", "judged", "margin")
"""Options that a run which goes on may be given otherwise: when it ends, what is asked and made of what was learnt."""
WINDOW = 4  # segments that a moving share of successes is of


class LearningRun:
    """A run in a folder, begun or gone on with.

    Args:
        folder: of the run.
        setting: what is learnt from.
        options: how long, and how.
        way: what acts and learns.
        show: called after each segment, and with each update now and then, with one line.

    Raises:
        InputError: the folder holds a run of another task, base or other options; another process writes there; or the
            policy cannot be learnt from so.
    """

    def __init__(
        self,
        folder: Path,
        setting: Setting,
        options: LearningOptions,
        way: Way,
        show: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.folder, self.setting, self.options, self.way, self.show = folder, setting, options, way, show
        spec, self.base = setting.policy.spec, base_of(setting.policy)
        self.spec = spec
        schema = ReplaySchema.of(spec, candidates=way.candidates, noise=way.noise_kept)
        facts = {
            "task": setting.task,
            "options": fingerprint(to_json(dict(setting.options))),
            "base": self.base.hash,
            "sampler": f"{spec.sampler.name} {spec.sampler.steps}",
            "way": way.fingerprint,
            "demonstrations": fingerprint([Dataset.open(path).fingerprint for path in setting.demonstrations]),
        }
        self.replay = Replay.open(folder / REPLAY, schema, facts)
        shuffled = options.critic.seed if options.control == SHUFFLED else None
        self.experience = Experience(
            self.replay, options.critic.gamma, way.keys(spec), options.critic.n_steps, shuffled
        )
        self.state, self.learner = State(), None
        self.patience = Patience()
        if setting.demonstrations and not len(self.replay):
            add_shown(self.replay, setting.demonstrations, self._acting())
        self._shown = shown_in(self.replay)

    learner: Learner | None

    def __enter__(self) -> LearningRun:
        return self

    def __exit__(self, *error: object) -> None:
        self.replay.close()

    def run(self, over: Callable[[float], bool] = lambda elapsed_s: False, segments: int | None = None) -> bool:
        """Run the segments that are missing.

        Args:
            over: told the seconds so far, says whether no segment is to begin any more.
            segments: to run at most; None for as many as the options say.

        Returns:
            Whether it ended of its own accord; else it was interrupted, and goes on another time.
        """
        self._resume()
        self._write_curve()
        loggers: list[Logger] = [TensorBoardLog(self.folder / "tensorboard", self.state.steps)]
        kept = InOrder(self.replay, self._acting(), done=self._episodes(), patience=self.patience)
        try:
            with Interruption() as interruption, self._collecting(kept) as collecting:
                self.patience.stop = lambda: interruption.requested
                begun = self.state.segments
                while self.state.steps < self.options.steps and not over(self.state.elapsed_s):
                    if segments is not None and self.state.segments - begun >= segments:
                        break
                    if not self._segment(collecting, kept, interruption, loggers):
                        return False
        finally:
            for logger in loggers:
                logger.close()
        return True

    # -- a segment -----------------------------------------------------------------------------------------------------

    def _segment(
        self, collecting: Collecting, kept: InOrder, interruption: Interruption, loggers: list[Logger]
    ) -> bool:
        state, began = self.state, time.monotonic()
        first, end = self._range(state.segments)
        before = len(self.replay)
        if not collecting.until(end, self._acting(), lambda: interruption.requested):
            return False
        self.experience.refresh()
        count = len(self.replay) - self._decisions_before()
        collected_s = time.monotonic() - began
        if self.learner is None:
            state.measured = len(self.replay)
            self.learner = self._new_learner()
        figures = self._learn(round(self.options.updates * count), interruption)
        if figures is None:
            return False
        share = self._share(first, end)
        steps = self.experience.steps(len(self.replay) - count)
        learnt_s = time.monotonic() - began - collected_s
        state.steps, state.decisions = state.steps + steps, len(self.replay)
        state.elapsed_s += time.monotonic() - began
        successes = [*state.successes, share]
        acted, state.greedy = state.greedy, earned(state.greedy, successes, self.options)
        state.segments += 1
        new = len(self.replay) - before
        row = {
            "segment": state.segments, "episodes": end, SUCCESSES: share,
            "success_window": float(np.mean(successes[-WINDOW:])), "greedy": acted,
            "elapsed_s": round(state.elapsed_s, 1),
            "updates": self.learner.updates, "steps_per_s": steps / max(collected_s, 1e-9) if new == count else np.nan,
            "updates_per_s": round(self.options.updates * count) / max(learnt_s, 1e-9), **figures,
        }  # fmt: skip
        row = {name: round(float(value), 6) for name, value in row.items() if np.isfinite(value)}
        state.curve.append({STEP: state.steps, **row})
        for logger in loggers:
            logger.log(state.steps, row)
        self.patience.attempt(self._save)
        self.patience.attempt(self._write_curve)
        self.show(
            f"{state.steps} steps, {end} episodes, success {share:.2f} ({row['success_window']:.2f} over {WINDOW}), "
            + ", ".join(f"{name} {value:.3g}" for name, value in figures.items())
        )
        return True

    def _learn(self, updates: int, interruption: Interruption) -> dict[str, float] | None:
        """Update the learner; returns the mean figures, or None where it was interrupted."""
        assert self.learner is not None
        self.learner.begin(self.state.segments)
        draws = np.random.default_rng([self.options.critic.seed, 12, self.state.segments])
        totals: dict[str, list[float]] = {}
        for _ in range(updates):
            if interruption.requested:
                return None
            rows = draws.choice(self.experience.decisions, size=self.options.critic.batch_size)
            for name, value in self.learner.update(self.experience.batch(rows)).items():
                totals.setdefault(name, []).append(value)
        return {name: float(np.mean(values)) for name, values in totals.items()}

    # -- what acts -----------------------------------------------------------------------------------------------------

    def _acting(self) -> Policy:
        """The policy of the segment that comes."""
        return self.way.acting(self.setting, replace(self.options, greedy=self.state.greedy), self.learner)

    def _collecting(self, kept: InOrder) -> Collecting:
        setting = self.setting
        return Collecting(
            self._acting(), setting.task, setting.options, setting.seed, self.spec.n_action_steps, kept, setting.workers
        )

    def _new_learner(self) -> Learner:
        noise = tuple(self.setting.policy.noise_shape or ())
        subject = Subject(self.spec, self.base, self.setting.transforms, self.experience, noise, self.state.measured)
        return self.way.learner(subject, self.options)

    # -- where episodes are --------------------------------------------------------------------------------------------

    def _range(self, segment: int) -> tuple[int, int]:
        """The numbers of the first episode of a segment, and of the first after it."""
        first = 0 if segment == 0 else self.options.warmup + (segment - 1) * self.options.episodes
        return first, first + (self.options.warmup if segment == 0 else self.options.episodes)

    def _episodes(self) -> int:
        """Episodes of the policy in the replay."""
        return (int(self.replay.column("episode").max()) + 1 if len(self.replay) else 0) - self._shown.episodes

    def _decisions_before(self) -> int:
        """Decisions of the demonstrations, and of the segments that are done."""
        return max(self.state.decisions, self._shown.decisions)

    def _share(self, first: int, end: int) -> float:
        """The share of successes of some episodes: those whose last decision ended the task with a reward."""
        episode, terminated = self.replay.column("episode"), self.replay.column("terminated")
        reward = self.replay.column("reward").max(axis=1)
        won = np.unique(episode[terminated & (reward > 0)]) - self._shown.episodes
        return float(((won >= first) & (won < end)).sum() / max(end - first, 1))

    # -- checkpoints ---------------------------------------------------------------------------------------------------

    def _write_curve(self) -> None:
        """Write the curve anew, as the checkpoint has it."""
        columns = list(dict.fromkeys(name for row in self.state.curve for name in row)) or [STEP]
        try:
            write_table(self.folder / CURVE, columns, self.state.curve)
        except OSError as error:
            raise unwritten(self.folder / CURVE, error) from error

    def _save(self) -> None:
        assert self.learner is not None
        with new_checkpoint(self.folder / LAST) as last:
            write_tensors(last / _TENSORS, self.learner.tensors())
            write_json(
                last / _STATE,
                to_json(Saved(vars(self.state), to_json(self.options), self.learner.numbers())),
            )

    def _resume(self) -> None:
        """Go on from the last checkpoint; decisions that were committed since stay."""
        if not (self.folder / LAST / _STATE).is_file():
            return
        file = self.folder / LAST / _STATE
        try:
            saved = from_json(Saved, read_json(file), where=str(file))
            self.state = from_json(State, saved.state, where=f"{file}: state")
        except InputError as error:
            raise InputError(
                error.thing, expected=error.expected, got=error.got,
                way_out=f"Put the file back, or remove {self.folder}: it is learnt anew then",
            ) from None  # fmt: skip
        began, now = saved.options, to_json(self.options)
        if difference := first_difference(began, {name: now[name] for name in now if name not in ENDS}, "learning"):
            raise InputError(
                f"run '{self.folder}': {difference[0]}",
                expected=f"{difference[1]}, as it began",
                got=difference[2],
                way_out="Give the same options, or another folder",
            )
        if self.state.decisions > len(self.replay):
            raise InputError(
                f"replay '{self.folder / REPLAY}'",
                expected=f"{self.state.decisions} decisions, which the checkpoint knows",
                got=str(len(self.replay)),
                way_out="Put the replay of that run back, or begin another run",
            )
        self.experience.refresh()
        self.learner = self._new_learner()
        self.learner.restore(read_tensors(self.folder / LAST / _TENSORS), saved.learner)
