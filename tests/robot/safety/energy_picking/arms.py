"""Made-up episodes of an arm with two joints whose energy is known on paper."""

from __future__ import annotations

from typing import Any

import numpy as np

from robot.safety.energy.streams import EnergyStream

INERTIA = np.array([0.8, 0.3])  # kg m^2
STIFFNESS = np.array([60.0, 25.0])  # N*m/rad
DAMPING = 1.4 * np.sqrt(STIFFNESS * INERTIA)
WEIGHT = np.array([30.0, 8.0])  # N*m that hold each joint when it is level


def stamps(samples: int, period_s: float = 0.001) -> np.ndarray:
    """Whole nanoseconds from a moment on."""
    return 1_000_000_000 + np.arange(samples, dtype=np.int64) * round(period_s * 1e9)


def weight(joints: np.ndarray) -> np.ndarray:
    """What holds up the arm: joints (k, 2) rad -> (k, 2) N*m."""
    return np.asarray(WEIGHT * np.cos(joints))


def reaching(seed: int, *, period_s: float = 0.001, seconds: float = 1.5, scale: float = 1.0) -> EnergyStream:
    """An arm that is drawn from place to place by springs, with friction; torques are held for a period each.

    Args:
        scale: of the torque alone, as if the same motion were that of a heavier arm.
    """
    random = np.random.default_rng(seed)
    steps = round(seconds / period_s)
    q, qd = random.uniform(-0.3, 0.3, 2), np.zeros(2)
    target = q.copy()
    torque, joints, velocity = np.empty((3, steps + 1, 2))
    for k in range(steps + 1):
        if k % round(0.3 / period_s) == 0:
            target = random.uniform(-0.6, 0.6, 2)
        torque[k], joints[k], velocity[k] = STIFFNESS * (target - q) - DAMPING * qd, q, qd
        qdd = torque[k] / INERTIA
        q = q + period_s * qd + 0.5 * period_s**2 * qdd
        qd = qd + period_s * qdd
    return EnergyStream(f"{seed:03}", stamps(steps + 1, period_s), scale * torque, joints, velocity)


def pushed(name: str, force: float, way: float, *, steps: int = 1000, **more: Any) -> EnergyStream:
    """A joint that goes `way` rad under a steady torque of `force` N*m, and comes back half of it: e* = force * way."""
    there = np.linspace(0.0, way, steps + 1)
    back = np.linspace(way, way / 2, steps // 2 + 1)[1:]
    joints = np.stack([np.concatenate([there, back]), np.zeros(len(there) + len(back))], axis=1)
    torque = np.zeros_like(joints)
    torque[:, 0] = force
    return EnergyStream(name, stamps(len(joints)), torque, joints, **more)
