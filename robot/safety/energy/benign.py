"""Requirements on episodes from which a budget is picked: the robot's own, enough, benign, without gravity."""

from __future__ import annotations

from typing import Callable, Sequence

import numpy as np

from robot.description.loading import RobotDescription
from robot.errors import InputError
from robot.safety.energy.streams import EnergyLog, EnergyStream

FEWEST_EPISODES = 20
GRAVITY_SHARE = 0.5
_EVERY_S = 0.02  # at which postures gravity is compared
_WEIGHTY_NM = 1.0  # rms of gravity's torque, below which an arm's postures do not show it
_REST_RAD_S, _REST_NM, _REST_S = 0.01, 5.0, 0.2
_BEYOND_RAD = 0.1  # by which joints may be outside a description's limits


def require_robot(log: EnergyLog, description: RobotDescription) -> None:
    """Refuse a log of another robot: another name, other joints, or angles that this one cannot have.

    Raises:
        InputError: with what differs; or the robot has several arms, where a budget is one arm's.
    """
    name = description.spec.name
    if log.robot != name:
        raise InputError(
            "log",
            expected=f"one of the robot '{name}'",
            got=f"one of '{log.robot}'",
            way_out="Give the robot that was logged",
        )
    if len(description.limbs) != 1:
        raise InputError(
            f"robot '{name}'",
            expected="one arm",
            got=str(len(description.limbs)),
            way_out="Calibrate each arm by itself, by a description of its own: a budget is one arm's",
        )
    limb = description.limbs[0]
    joints = tuple(map(limb.element, limb.arm.joints))
    if log.joints != joints:
        raise InputError(
            "log: joints",
            expected=f"those of '{name}' from the base on: {', '.join(joints)}",
            got=", ".join(log.joints),
            way_out="Give the robot that was logged, its joints in this order",
        )
    low, high = np.array(limb.arm.position).T
    for stream in log.streams:
        outside = ((stream.joints < low - _BEYOND_RAD) | (stream.joints > high + _BEYOND_RAD)).any(axis=0)
        if outside.any():
            joint = int(np.flatnonzero(outside)[0])
            angles = stream.joints[:, joint]
            raise InputError(
                f"episode {stream.name}: {joints[joint]}",
                expected=f"{low[joint]:.3g} .. {high[joint]:.3g} rad, as '{name}' has it",
                got=f"{angles.min():.3g} .. {angles.max():.3g}",
                way_out="Give the robot that was logged; log radians, in its joints' order",
            )


def require_benign(streams: Sequence[EnergyStream]) -> None:
    """Refuse too few episodes, failures among them, and episodes of different arms or rates."""
    if len(streams) < FEWEST_EPISODES:
        raise InputError(
            "episodes",
            expected=f"{FEWEST_EPISODES} or more: the 95th percentile of fewer is a guess",
            got=str(len(streams)),
            way_out="Log more",
        )
    failed = [stream.name for stream in streams if not stream.success]
    if failed:
        raise InputError(
            "episodes",
            expected="successful ones: what a failure does is not what the task needs",
            got=f"{len(failed)} without success: {', '.join(failed[:5])}{' ...' * (len(failed) > 5)}",
            way_out="Take them out of the log, and see that enough are left",
        )
    first = streams[0]
    for stream in streams:
        if stream.joints.shape[1] != first.joints.shape[1]:
            raise InputError(
                f"episode {stream.name}: joints",
                got=str(stream.joints.shape[1]),
                expected=f"{first.joints.shape[1]}, as in episode {first.name}",
            )
        if not 0.99 < stream.period_s / first.period_s < 1.01:
            raise InputError(
                f"episode {stream.name}: period",
                got=f"{stream.period_s * 1e3:.4g} ms",
                expected=f"{first.period_s * 1e3:.4g} ms, as in episode {first.name}",
            )


def gravity_share(streams: Sequence[EnergyStream], gravity: Callable[[np.ndarray], np.ndarray]) -> float | None:
    """The share of the arm's weight in the torque: the factor s for which s g(q) fits it best. 1 when gravity is in
    it, near 0 when it is not; None where the postures hardly show any weight.
    """
    along = square = 0.0
    rows = 0
    for stream in streams:
        every = max(1, round(_EVERY_S / stream.period_s))
        held = gravity(stream.joints[::every])
        along += float((stream.torque[::every] * held).sum())
        square += float((held * held).sum())
        rows += len(held)
    return None if square < _WEIGHTY_NM**2 * rows else along / square


def require_no_gravity(
    streams: Sequence[EnergyStream], gravity: Callable[[np.ndarray], np.ndarray] | None
) -> float | None:
    """Refuse torques with gravity in them: compared with a model of the arm where there is one, else judged
    while the arm rests. A payload's weight alone, or less than half of the arm's, passes unseen.

    Returns:
        The share of the arm's weight in the torques; None where it could not be determined.
    """
    way_out = (
        "Log the torque without what holds the arm up: the command before gravity is added, or the measured "
        "torque minus the model's gravity"
    )
    if gravity is not None:
        share = gravity_share(streams, gravity)
        if share is not None and abs(share) > GRAVITY_SHARE:
            raise InputError(
                "torque",
                expected="none of the arm's weight in it",
                got=f"{share:.0%} of it: the torques follow what the model needs to hold the arm up",
                way_out=way_out,
            )
        return share
    for stream in streams:
        resting = (np.abs(stream.speed) < _REST_RAD_S).all(axis=1)
        if resting.sum() * stream.period_s < _REST_S:
            continue
        held = np.median(np.abs(stream.torque[resting]), axis=0)
        if held.max() > _REST_NM:
            raise InputError(
                f"episode {stream.name}: torque",
                expected=f"below {_REST_NM:g} N*m while the arm rests",
                got=f"{held.max():.3g} N*m in joint {int(held.argmax()) + 1}: gravity is in it",
                way_out=way_out,
            )
    return None
