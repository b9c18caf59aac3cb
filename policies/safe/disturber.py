"""A game of two: a policy that does a task, and a disturber that learns to spoil it, for little.

Long et al., "Learning H-Infinity Locomotion Control" (2024): with C_t = R_max - r_t >= 0, by how much a step falls
short of the best one, and an intensity i_t of the disturbance, a policy is robust to the degree eta if

    E[sum_t C_t - eta i_t] <= 0

The disturber maximises that sum. The policy maximises E[sum_t r_t] - lambda E[sum_t C_t - eta i_t], and lambda rises
while the inequality is broken and falls to 0 where it holds (dual ascent). Both learn by PPO from the same steps, so
that a game costs as many of them as a training without an opponent. The intensity is the squared force, as a share of
the largest one, or the joules that were given, as a share of those of an episode.

The disturber's reach grows over the training: a policy that can do nothing yet learns nothing from a beating.
And each episode has a strength of its own, up to that reach: a policy that is always pushed comes to lean on it, and
fails where nothing pushes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Mapping

import numpy as np
from torch import Tensor

from policies.rl.environment import Step, VectorEnvironment
from policies.rl.policy import ActorPolicy
from policies.rl.state import nested, stream, under
from policies.safe.multiplier import Gains, Multiplier
from policies.safe.ppo import Ppo, PpoConfig
from robot.errors import InputError

LEARNT, RANDOM, NONE = "learnt", "random", "none"
OPPONENTS = (LEARNT, RANDOM, NONE)
FORCE, ENERGY = "force", "energy"
INTENSITIES = (FORCE, ENERGY)


class RatioAscent(Multiplier):
    """A multiplier by dual ascent on the mean of C - eta i over the steps since the last update:

        lambda <- min([lambda + rate E[C - eta i]]_+, most)

    The multiplier itself is clamped, so that it turns as soon as the sign of the mean does (no wind-up).

    Args:
        rate: of one update, per unit of reward per step.
        most: largest multiplier.
    """

    def __init__(self, rate: float, most: float) -> None:
        if not rate > 0:
            raise InputError("dual ascent: rate", expected="above 0", got=f"{rate:g}")
        super().__init__(Gains(0.0, rate, 0.0, smoothing=0.0, delay=1, most=most))
        self._sum, self._steps = 0.0, 0

    def begin(self) -> None:
        self._sum, self._steps = 0.0, 0

    def count(self, cost: np.ndarray, done: np.ndarray) -> None:
        """Add C - eta i (rows,) of a step of all rows; 0 where no constraint applies."""
        self._sum, self._steps = self._sum + float(cost.sum()), self._steps + len(cost)

    def update(self) -> float:
        if not self._steps:
            return self.value
        # The controller takes costs with a limit of 1; the limit here is 0.
        multiplier = self.pid.update(1.0 + self._sum / self._steps)
        self.begin()
        return multiplier

    def state(self) -> dict[str, Any]:
        return {"pid": self.pid.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.pid.restore(state["pid"])
        self.begin()


@dataclass(frozen=True)
class DuelConfig:
    """How a game is played.

    Args:
        policy, disturber: how each learns; both with the same steps per rollout.
        opponent: `learnt`; `random`, which draws a push anew each time (domain randomisation); `none`.
        intensity: `force` or `energy`, what the disturber pays for.
        price: eta, reward per unit of intensity.
        best: R_max, the largest reward of a step that does not end the episode.
        rate, most: of the dual ascent; a rate of 0 leaves the ratio out of what the policy learns.
        quiet: environment steps until the disturber begins.
        full_after: environment steps until its reach is 1.
    """

    policy: PpoConfig = PpoConfig()
    disturber: PpoConfig = PpoConfig()
    opponent: str = LEARNT
    intensity: str = FORCE
    price: float = 0.1
    best: float = 0.0
    rate: float = 0.05
    most: float = 2.0
    quiet: int = 0
    full_after: int = 1

    def __post_init__(self) -> None:
        for name, known in (("opponent", OPPONENTS), ("intensity", INTENSITIES)):
            if getattr(self, name) not in known:
                raise InputError(f"duel: {name}", expected=f"one of {', '.join(known)}", got=str(getattr(self, name)))
        if not self.price >= 0 or not self.rate >= 0 or not 0 <= self.quiet < self.full_after:
            raise InputError(
                "duel",
                expected="price and rate 0 or more, 0 <= quiet < full_after",
                got=f"{self.price}, {self.rate}, {self.quiet}, {self.full_after}",
            )
        if self.policy.steps != self.disturber.steps or self.policy.gains or self.disturber.gains:
            raise InputError(
                "duel",
                expected="rollouts of one length, and no gains: the ratio is the constraint",
                got=f"{self.policy.steps} and {self.disturber.steps} steps",
            )


def excess_of(step: Step, disturbance: np.ndarray, config: DuelConfig) -> np.ndarray:
    """C_t - eta i_t (rows,) of a step.

    Args:
        step: whose `cost` is the share of an episode's joules that the disturber gave in it.
        disturbance: (rows, k) that acted, as shares of the largest.
    """
    shortfall = np.maximum(config.best - step.reward, 0.0)
    intensity = np.square(disturbance).sum(axis=1) if config.intensity == FORCE else np.maximum(step.cost, 0.0)
    excess: np.ndarray = shortfall - config.price * intensity
    return excess


class Duel:
    """Both sides of a game as one agent for `train`.

    The environment's actions are those of the policy, then the disturbance, -1 to 1 of the largest. `Step.executed`
    holds the action that the policy learns from, then the disturbance that acted.

    Args:
        observed: how many of the first numbers of an observation the policy sees; the disturber sees all.
        size, actions, disturbances: of an observation, of an action, of a disturbance.
        config: how it is played.
        seed: of weights, exploration and batches of both.
    """

    def __init__(
        self,
        observed: int,
        size: int,
        actions: int,
        disturbances: int,
        config: DuelConfig = DuelConfig(),
        seed: int = 0,
    ) -> None:
        if not 0 < observed <= size:
            raise InputError("duel: observed", expected=f"1 to {size}", got=str(observed))
        self.config, self.observed, self.actions, self._seed = config, observed, actions, seed
        self.actor = Ppo(observed, actions, config.policy, seed)
        self.disturber = Ppo(size, disturbances, config.disturber, stream(seed, 1))
        if config.opponent == LEARNT and config.rate > 0:
            self.actor.multiplier = RatioAscent(config.rate, config.most)
        self._random = np.random.default_rng(seed)
        self._seen, self._asked = 0, np.zeros((0, disturbances))
        self._disturbances, self._strength = disturbances, np.zeros((0, 1))

    @property
    def reach(self) -> float:
        """Share of the largest disturbance that is allowed now."""
        config = self.config
        grown = (self._seen - config.quiet) / (config.full_after - config.quiet)
        return 0.0 if config.opponent == NONE else min(max(grown, 0.0), 1.0)

    def begin(self, segment: int) -> None:
        self.actor.begin(segment)
        self.disturber.begin(segment)
        self._random = np.random.default_rng(np.random.SeedSequence([self._seed, segment, 2]))
        self._strength = np.zeros((0, 1))

    def act(self, observation: np.ndarray) -> np.ndarray:
        """Actions to explore with, then disturbances: (rows, actions + disturbances)."""
        if not len(self._strength):
            self._strength = self._random.uniform(size=(len(observation), 1))
        action = self.actor.act(observation[:, : self.observed])
        if self.config.opponent == LEARNT:
            self._asked = self.disturber.act(observation)
        else:
            self._asked = drawn_pushes(len(observation), self._disturbances, self._random)
        return np.concatenate([action, self.reach * self._strength * self._asked], axis=1)

    def take(self, observation: np.ndarray, step: Step) -> dict[str, float]:
        n, config = self.actions, self.config
        begun = config.opponent == LEARNT and self.reach > 0
        self._seen += len(observation)
        # Before the disturber has begun there is no ratio to keep, and nothing that it could learn.
        excess = excess_of(step, step.executed[:, n:], config) if begun else np.zeros(len(observation))
        figures = self.actor.take(
            observation[:, : self.observed],
            replace(
                step,
                observation=step.observation[:, : self.observed],
                executed=step.executed[:, :n],
                last_observation=step.last_observation[:, : self.observed],
                cost=excess,
            ),
        )
        if begun:
            # The disturber learns from its own action: reach, strength, holding and joules belong to its environment.
            more = self.disturber.take(
                observation, replace(step, reward=excess, cost=np.zeros(len(excess)), executed=self._asked)
            )
            figures |= {f"disturber_{name}": value for name, value in more.items() if name != "multiplier"}
        self._strength[step.done] = self._random.uniform(size=(int(step.done.sum()), 1))
        return figures | {"reach": self.reach} if figures else {}

    def policy(self) -> ActorPolicy:
        return self.actor.policy()

    def tensors(self) -> dict[str, Tensor]:
        return under("actor", self.actor.tensors()) | under("disturber", self.disturber.tensors())

    def numbers(self) -> dict[str, Any]:
        return {"seen": self._seen, "actor": self.actor.numbers(), "disturber": self.disturber.numbers()}

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        self._seen = int(numbers["seen"])
        self.actor.restore(nested(tensors, "actor"), numbers["actor"])
        self.disturber.restore(nested(tensors, "disturber"), numbers["disturber"])


class Attacked:
    """An environment for a disturber alone, which finds the weak point of a policy that does not learn.

    Args:
        environment: of a game, as `Duel` acts in it.
        policy: that acts.
        observed, config: as of `Duel`.
    """

    def __init__(self, environment: VectorEnvironment, policy: ActorPolicy, observed: int, config: DuelConfig) -> None:
        self.environment, self._policy, self._observed, self._config = environment, policy, observed, config
        self.rows, self.observation_size = environment.rows, environment.observation_size
        self.action_size = environment.action_size - policy.record.actions
        self._seen = np.zeros((0, 0))

    def reset(self) -> np.ndarray:
        self._seen = self.environment.reset()
        return self._seen

    def step(self, action: np.ndarray) -> Step:
        n = self._policy.record.actions
        policy_action = self._policy.act(self._seen[:, : self._observed])
        step = self.environment.step(np.concatenate([policy_action, action], axis=1))
        self._seen = step.observation
        return replace(step, reward=excess_of(step, step.executed[:, n:], self._config), executed=action)


def drawn_pushes(rows: int, size: int, random: np.random.Generator) -> np.ndarray:
    """Random disturbances (rows, size) of any direction, and of any length up to 1."""
    direction = random.standard_normal((rows, size))
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-12)
    pushes: np.ndarray = direction * random.uniform(0.0, 1.0, (rows, 1))
    return pushes
