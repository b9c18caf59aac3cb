"""The books that a plant keeps of itself, by columns of one row: where energy went, on the plant's own fine steps.

Nothing here comes from a filter or its ledger. What the actuators and a disturber put in must be found again:

    ACTUATED + DISTURBED = (KINETIC - KINETIC_0) + FRICTION + STORED + LOST + MOVED

ACTUATED is torque times way, FRICTION and LOST are what dampers made warm, STORED is in the wall's spring now, MOVED
was given to whatever moves or takes away the wall. PORT, force times way at the point of contact, is the other side's
count of STORED + LOST + MOVED.
"""

from __future__ import annotations

import numpy as np

(
    ACTUATED,
    THROUGHPUT,
    DISTURBED,
    FRICTION,
    KINETIC,
    KINETIC_0,
    PORT,
    STORED,
    LOST,
    MOVED,
    SUPPLIED,
    LEVEL,
    LOWEST,
    TAKEN,
    GIVEN,
    FORCE,
    PEAK_FORCE,
    DEPTH,
    ACCELERATION,
    TOTAL,
    FASTEST,
    SHIFT,
    GONE,
    OUTSIDE,
    DRAWN,
) = range(25)
"""Columns. Energies in J as above, and: THROUGHPUT, the sum of |actuator work|; SUPPLIED to the tank so far; LEVEL of a
tank that is kept from ACTUATED alone, and the LOWEST it was; TAKEN, the largest ACTUATED - SUPPLIED so far; GIVEN, the
largest PORT - DISTURBED - SUPPLIED so far; FORCE of the contact (N) and its PEAK_FORCE; DEPTH, the deepest (m);
ACCELERATION, the largest of any joint; TOTAL, the largest sum of kinetic and spring energy; FASTEST, the largest
KINETIC; SHIFT of the wall's anchor (m); GONE, 1 once the wall is taken away; OUTSIDE, periods in which a joint left
the set that the filter reckons with; DRAWN, periods with torque that did not brake which took LEVEL below the reserve,
or further below it."""
BOOKS = 25


def opened(kinetic_j: float, level_j: float) -> np.ndarray:
    """(BOOKS,) for a plant that begins with some kinetic energy beside a tank of some level."""
    books = np.zeros(BOOKS)
    books[KINETIC] = books[KINETIC_0] = books[FASTEST] = kinetic_j
    books[LEVEL] = books[LOWEST] = level_j
    return books


def residual_j(books: np.ndarray) -> float:
    """What the identity above does not close by: the error of the integration."""
    return float(
        books[ACTUATED]
        + books[DISTURBED]
        - (books[KINETIC] - books[KINETIC_0])
        - books[FRICTION]
        - books[STORED]
        - books[LOST]
        - books[MOVED]
    )


def excess_j(books: np.ndarray, initial_j: float) -> float:
    """max_t [W_env - (E_0 + H_0 + sum S)], W_env net of what a disturber put in: above 0, passivity was broken."""
    return float(books[GIVEN] - initial_j - books[KINETIC_0])
