"""What acts while episodes are collected: an expert, a policy, or a mixture of them, drawn anew for each episode."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Generator, Iterator, Mapping, Sequence

import numpy as np

from robot.description import require_match
from robot.errors import InputError, TillerError

if TYPE_CHECKING:
    from data.store.episode import Episode
    from sim.evaluation.action_noise import ActionNoise
    from sim.evaluation.collect_policy import PolicySource
    from sim.tasks.environment import TaskEnv

EXPERT, CHECKPOINT, MIXTURE = "expert", "checkpoint", "mixture"
SOURCES = (EXPERT, CHECKPOINT, MIXTURE)
FEWEST_MIXED = 20
"""Groups that are tried for each one of both outcomes, at most."""


class FewMixedGroupsError(TillerError):
    """Of the groups that were tried too few had both outcomes; those that had are kept."""


@dataclass(frozen=True, eq=False)
class Sources:
    """What acts.

    Args:
        task: id.
        options: of the task.
        workers: processes of each source.
        policies: that act.
        expert_share: share of the episodes in which the task's expert acts.
        noise: on the expert's actions; a policy has its own.
    """

    task: str
    options: Mapping[str, Any]
    workers: int
    policies: Sequence[PolicySource]
    expert_share: float
    noise: ActionNoise

    def actor(self, seed: int) -> int:
        """Who acts in the episode of a seed: the number of a policy, -1 for the expert."""
        random = np.random.default_rng([seed, 6])
        if random.random() < self.expert_share:
            return -1
        return int(random.integers(len(self.policies)))

    def episodes(self, seed: int, number: int | None) -> Generator[Episode, None, None]:
        """The episodes of the seeds from one on, in their order.

        Args:
            seed: of the first.
            number: of seeds; None for no end.
        """
        with ExitStack() as stack:
            streams: dict[int, Iterator[Episode]] = {}
            for each in islice(count(seed), number):
                who = self.actor(each)
                if who not in streams:
                    streams[who] = stack.enter_context(closing(self._stream(who, self._seeds_of(who, seed, number))))
                yield next(streams[who])

    def _seeds_of(self, who: int, seed: int, number: int | None) -> Iterator[int]:
        return (each for each in islice(count(seed), number) if self.actor(each) == who)

    def _stream(self, who: int, seeds: Iterator[int]) -> Generator[Episode, None, None]:
        from data.store.names import NOISE_SEED, POLICY
        from sim.evaluation.collect import expert_episodes
        from sim.evaluation.collect_policy import policy_episodes

        if who < 0:
            made = expert_episodes(
                self.task, seeds, workers=self.workers, options=self.options, noise=self.noise, flags=True
            )
            with closing(made):
                for episode in made:
                    yield replace(episode, meta={**episode.meta, POLICY.name: "", NOISE_SEED.name: -1})
            return
        groups = policy_episodes(self.policies[who], self.task, seeds, workers=self.workers, options=self.options)
        with closing(groups):
            for (episode,) in groups:
                yield episode

    def groups(
        self,
        seed: int,
        number: int,
        size: int,
        first_group: int,
        *,
        mixed: bool = False,
        decisions: int | None = None,
    ) -> Generator[list[Episode], None, None]:
        """Groups of episodes of the first policy, each going on from a state of an episode of its seed.

        Args:
            seed: of the first group.
            number: of groups.
            size: episodes of each.
            first_group: its number.
            mixed: keep only those in which some succeed and some fail.
            decisions: of an episode that may give a state; None for all.

        Raises:
            FewMixedGroupsError: fewer than one group in `FEWEST_MIXED` is.
        """
        from sim.evaluation.collect_policy import policy_episodes

        tries = number if not mixed else max(number, 1) * FEWEST_MIXED + FEWEST_MIXED
        made = policy_episodes(
            self.policies[0], self.task, iter(range(seed, seed + tries)), workers=self.workers, options=self.options,
            group=size, first_group=first_group, mixed=mixed, decisions=decisions,
        )  # fmt: skip
        with closing(made):
            done = 0
            for group in islice(made, number):
                done += 1
                yield group
        if done < number:
            raise FewMixedGroupsError(
                f"only {done} of {tries} groups had both successes and failures: leave mixed_groups out, or choose a "
                "policy or a perturbation with which more starts are open"
            )


def require_possible(task: str, options: Mapping[str, Any], action_noise: Mapping[str, float], *, groups: bool) -> None:
    """Refuse noise on fields that an action does not have, and groups on a task whose state cannot be put back, before
    anything is made.

    Raises:
        InputError: with the reason.
    """
    import sim
    from sim.evaluation.action_noise import ActionNoise
    from sim.tasks.environment import require_absolute

    env = require_absolute(sim.make(task, **options))
    try:
        ActionNoise(action_noise).require(env.action_spec)
        if groups:
            env.step(env.holding(env.reset(seed=0)[0]))
            _require_saved_states(env)
    finally:
        env.close()


def require_expert(task: str, options: Mapping[str, Any], expert: str | None) -> None:
    """Refuse the expert of a task that sees or moves something else.

    Raises:
        InputError: there is no such expert, or the two tasks do not fit; both are shown.
    """
    if expert is None:
        return
    import sim
    from sim.experts import make_expert
    from sim.tasks.environment import require_absolute

    make_expert(expert)
    own, other = require_absolute(sim.make(task, **options)), require_absolute(sim.make(expert))
    try:
        require_match(
            other.observation_spec, own.observation_spec, other.action_spec, own.action_spec,
            left=f"expert of {expert}", right=f"task {task}", way_out="Choose the expert of a task of the same suite",
        )  # fmt: skip
    finally:
        own.close()
        other.close()


def _require_saved_states(env: TaskEnv) -> None:
    try:
        env.restore(env.save())
    except InputError as error:
        raise InputError(
            f"groups on {env.task.id}",
            expected="a task whose state can be saved and put back",
            got=str(error),
            way_out="Leave groups out",
        ) from None
