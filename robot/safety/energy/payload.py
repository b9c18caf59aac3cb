"""The load of a tool, from the spring that holds it: an undeclared load takes its energy from the tank.

Lifting m by h costs m g h: 0.5 kg over 0.3 m are 1.5 J, more than a whole budget for a table. At rest the spring of the
impedance law carries the load, so that its wrench shows it; once it is declared, it is compensated beside the impedance
law like the arm itself, and takes no energy from the tank.
"""

from __future__ import annotations

import numpy as np

from robot.description.robot import Payload
from robot.errors import TillerError

SIDEWAYS_N, SIDEWAYS = 0.5, 0.15  # a horizontal force beyond this and this share of the weight is a contact
STILL_M_S = 0.01


def identify_payload(
    wrench: np.ndarray,
    orientation: np.ndarray,
    speed: float,
    *,
    gravity: float = 9.81,
    least_kg: float = 0.02,
    most_kg: float = 5.0,
) -> Payload:
    """The load of a tool at rest, beyond the load declared before.

    A contact that pushes exactly up or down cannot be distinguished from a load: lift it clear first.

    Args:
        wrench: (6,) N and N*m at the tcp, base frame, that the applied torques hold up.
        orientation: (3, 3) of the tcp.
        speed: m/s of the tcp.
        gravity: m/s^2, along -z of the base.
        least_kg: less cannot be distinguished from none.
        most_kg: more is no load of such an arm, but a fixture that it holds.

    Returns:
        Mass and centre in the tcp frame; the centre's part along gravity cannot be seen and is taken as 0.

    Raises:
        TillerError: the tool moves, touches something, or carries nothing.
    """
    if not np.isfinite(wrench).all() or not speed <= STILL_M_S:
        raise TillerError(
            f"the payload is identified at rest, and the tcp moves at {speed:.3f} m/s: wait, then ask again"
        )
    mass = float(wrench[2] / gravity)
    sideways = float(np.hypot(*wrench[:2]))
    if sideways > SIDEWAYS_N + SIDEWAYS * abs(wrench[2]):
        raise TillerError(
            f"the tool is in contact: {sideways:.1f} N sideways. Lift what it holds clear, then ask again"
        )
    if mass < least_kg:
        raise TillerError(
            f"the tool carries {mass * 1e3:.0f} g, less than the {least_kg * 1e3:.0f} g that can be told from nothing"
        )
    if mass > most_kg:
        raise TillerError(
            f"the tool is drawn down with {mass * gravity:.0f} N, more than a load of {most_kg:g} kg: it "
            "is in contact. Lift what it holds clear, then ask again"
        )
    weight = mass * gravity
    # The moment that holds a weight at c is c x (0, 0, m g).
    centre = orientation.T @ np.array([-wrench[4] / weight, wrench[3] / weight, 0.0])
    return Payload(mass, tuple(centre.tolist()))


def combined(first: Payload, second: Payload) -> Payload:
    """Two loads of one tool as one."""
    mass = first.mass_kg + second.mass_kg
    if mass <= 0:
        return first
    centre = (first.mass_kg * np.array(first.centre_m) + second.mass_kg * np.array(second.centre_m)) / mass
    return Payload(mass, tuple(centre.tolist()))
