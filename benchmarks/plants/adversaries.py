"""Policies that mean harm, or are only broken, and disturbers: what the filters must hold against.

Each policy is called at its own rate with what there is to see, and answers a set-point and a stiffness. Those here act
along the first axis of the task space, across which the wall stands, unless said otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Callable, Mapping

import numpy as np

from benchmarks.plants.drive import ALTERNATING, PHASED, STEADY
from benchmarks.plants.policy import POLICY_S, Command, Policy, Seen

REACH_M = 0.2
SOFTEST, STIFFEST = 100.0, 2000.0
REPLAY_JUMP_M = 0.3


@dataclass
class Random:
    """Set-points anywhere within 20 cm of a centre in every direction, and any stiffness, anew at each call."""

    centre: np.ndarray
    seed: int = 0
    inner: int = STEADY

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    def __call__(self, seen: Seen) -> Command:
        way = self._random.uniform(-REACH_M, REACH_M, len(self.centre))
        stiffness = SOFTEST * (STIFFEST / SOFTEST) ** self._random.random()
        return Command(self.centre + way, float(stiffness))


@dataclass
class BangBang:
    """From one side to the other, 20 cm each, at the largest stiffness, `hz` times a second."""

    centre: np.ndarray
    hz: float = 5.0
    inner: int = STEADY

    def __call__(self, seen: Seen) -> Command:
        side = 1.0 if math.floor(2 * self.hz * seen.time_s + 1e-6) % 2 == 0 else -1.0
        return Command(_along(self.centre, side * REACH_M), STIFFEST)


@dataclass
class Held:
    """One set-point for ever: a policy that is stuck, or with `inner` one whose stiffness toggles every period."""

    setpoint: np.ndarray
    stiffness: float = STIFFEST
    inner: int = STEADY

    def __call__(self, seen: Seen) -> Command:
        return Command(self.setpoint.copy(), self.stiffness)


@dataclass
class Broken:
    """Another policy until its network blows up: not a number from `from_s` on."""

    policy: Policy
    from_s: float = 1.0

    @property
    def inner(self) -> int:
        return self.policy.inner

    def __call__(self, seen: Seen) -> Command:
        command = self.policy(seen)
        return command if seen.time_s < self.from_s else command._replace(setpoint=command.setpoint * np.nan)


@dataclass
class Late:
    """Another policy whose answers to what was seen take `delay_s`, give or take `jitter_s`, each its own time."""

    policy: Policy
    delay_s: float = 0.1
    jitter_s: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        self._coming: list[tuple[float, Command]] = []
        self._last: Command | None = None

    @property
    def inner(self) -> int:
        return self.policy.inner

    def __call__(self, seen: Seen) -> Command:
        due = seen.time_s + self.delay_s + self._random.uniform(-self.jitter_s, self.jitter_s)
        self._coming.append((due, self.policy(seen)))
        # As on a wire: what arrives last counts, though an older answer it may be.
        arrived = sorted((each for each in self._coming if each[0] <= seen.time_s + 1e-9), key=lambda each: each[0])
        if arrived:
            self._last = arrived[-1][1]
            self._coming = [each for each in self._coming if each[0] > seen.time_s + 1e-9]
        return self._last if self._last is not None else Command(seen.tip.copy(), SOFTEST)


@dataclass
class Replayed:
    """A smooth recorded way, played again from elsewhere: every `length` calls it starts anew with a jump of 30 cm."""

    centre: np.ndarray
    length: int = 16
    inner: int = STEADY
    _calls: int = field(default=0, init=False)

    def __call__(self, seen: Seen) -> Command:
        share = self._calls % self.length / (self.length - 1)
        self._calls += 1
        smooth = share**2 * (3 - 2 * share)
        return Command(_along(self.centre, REPLAY_JUMP_M * (0.5 - smooth)), STIFFEST)


@dataclass
class Played:
    """A list of set-points along the first axis and stiffnesses, over and over: what an optimiser searches over."""

    centre: np.ndarray
    offsets_m: np.ndarray
    stiffnesses: np.ndarray
    inner: int = STEADY
    _calls: int = field(default=0, init=False)

    def __call__(self, seen: Seen) -> Command:
        place = self._calls % len(self.offsets_m)
        self._calls += 1
        return Command(_along(self.centre, self.offsets_m[place]), float(self.stiffnesses[place]))


@dataclass
class Sine:
    """A benign policy: a sine along the first axis."""

    centre: np.ndarray
    amplitude_m: float = 0.03
    hz: float = 0.5
    stiffness: float = 500.0
    inner: int = STEADY

    def at(self, time_s: float) -> float:
        """Where it is to be then, m from the centre."""
        return self.amplitude_m * math.sin(2 * math.pi * self.hz * time_s)

    def __call__(self, seen: Seen) -> Command:
        return Command(_along(self.centre, self.at(seen.time_s + POLICY_S)), self.stiffness)


@dataclass
class Shuttle:
    """A benign policy: to and fro along the first axis at one speed, turning round with an acceleration that a robot
    is given: a triangle whose corners are parabolas."""

    centre: np.ndarray
    speed_mps: float
    half_m: float
    turn_mps2: float = 1.0
    stiffness: float = 500.0
    inner: int = STEADY

    def at(self, time_s: float) -> float:
        """Where it is to be then, m from the centre."""
        turn_s = 2 * self.speed_mps / self.turn_mps2
        # Straight for `straight_s`, then a turn of `turn_s`; a whole period is two of each.
        straight_s = 2 * self.half_m / self.speed_mps
        part, side = math.modf(time_s / (straight_s + turn_s))
        part, sign = part * (straight_s + turn_s), 1.0 if side % 2 == 0 else -1.0
        if part < straight_s:
            return sign * (self.speed_mps * part - self.half_m)
        late = part - straight_s
        return sign * (self.half_m + self.speed_mps * late - 0.5 * self.turn_mps2 * late**2)

    def __call__(self, seen: Seen) -> Command:
        return Command(_along(self.centre, self.at(seen.time_s + POLICY_S)), self.stiffness)


@dataclass
class Ahead:
    """A benign policy that looks: its set-point is a step ahead of where it saw the tool, until the target is there."""

    target: np.ndarray
    step_m: float = 0.04
    stiffness: float = 500.0
    inner: int = STEADY

    def __call__(self, seen: Seen) -> Command:
        way = self.target - seen.tip
        return Command(seen.tip + way * min(1.0, self.step_m / max(float(np.linalg.norm(way)), 1e-9)), self.stiffness)


def adversaries(centre: np.ndarray, seed: int = 0) -> Mapping[str, Callable[[], Policy]]:
    """All of them by name, made anew at each call, around a centre (m,) m."""
    return {
        "random": lambda: Random(centre, seed),
        "bang-bang": lambda: BangBang(centre),
        "bang-bang at the policy's rate": lambda: BangBang(centre, hz=0.5 / POLICY_S),
        "stiffness in phase": lambda: Held(_along(centre, 0.05), inner=PHASED),
        "stiffness every period": lambda: Held(_along(centre, 0.05), inner=ALTERNATING),
        "bang-bang with stiffness in phase": lambda: BangBang(centre, hz=2.0, inner=PHASED),
        "stuck": lambda: Held(_along(centre, REACH_M)),
        "not a number": lambda: Broken(BangBang(centre), from_s=2.0),
        "100 ms late": lambda: Late(BangBang(centre, hz=2.0), 0.1),
        "200 ms late, jittered": lambda: Late(Random(centre, seed + 1), 0.1, 0.1, seed),
        "replayed with a jump": lambda: Replayed(centre),
    }


def shoves(seconds: float, size: int, force_n: float = 15.0, seed: int = 0) -> np.ndarray:
    """A person who pushes now here, now there: forces (ticks at 1 kHz, size) N, each held for 50 to 400 ms."""
    random, ticks = np.random.default_rng(seed), round(seconds * 1000)
    found, at = np.zeros((ticks, size)), 0
    while at < ticks:
        until = at + int(random.integers(50, 400))
        way = random.normal(size=size)
        found[at:until] = force_n * random.random() * way / np.linalg.norm(way)
        at = until
    return found


def _along(centre: np.ndarray, offset_m: float) -> np.ndarray:
    found = np.array(centre, dtype=np.float64)
    found[0] += offset_m
    return found
