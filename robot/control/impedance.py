"""Impedance laws of an arm: a spring and a damper of true stiffness at the tcp or at each joint.

Cartesian (Hogan, "Impedance Control", 1985; null space after Khatib, "A unified approach for motion and force control
of robot manipulators", 1987):

    F = K (x_d - x) + D (v_d - v) + Lambda a_d    K in N/m and N*m/rad: the error is not shaped by the inertia
    tau = J^T F + (I - J^T Jbar^T) tau_0           Jbar = M^-1 J^T Lambda, Lambda = (J M^-1 J^T)^-1

so that at rest a wrench w deflects the tcp by exactly K^-1 w, and tau_0, which holds a posture, does not accelerate
the tcp. D is diagonal, 2 zeta sqrt(K_ii Lambda_ii): it follows the apparent inertia of each direction and never
injects energy. Lambda a_d carries the arm's own inertia along with a moving set-point, which the spring alone would
drag behind: at rest it is zero. Torques here are without gravity, which is compensated beside them.

Rows and vectors of six are linear first, then angular, both in the base frame.
"""

from __future__ import annotations

import numpy as np

from robot.compiled import compiled

# Near a singularity the apparent inertia grows without bound: for damping it is taken to be at most this.
LARGEST_MASS_KG = 30.0
LARGEST_INERTIA_KG_M2 = 1.0
# Feeding inertia forward is faded out where the apparent inertia of any direction passes these.
SINGULAR_MASS_KG = 100.0
SINGULAR_INERTIA_KG_M2 = 10.0
_REGULAR = 1e-6  # added to the mobility, so that it can be inverted there too


@compiled
def factorise(matrix: np.ndarray, lower: np.ndarray) -> None:
    """Cholesky factor of a symmetric positive definite (n, n), written into the lower triangle of `lower`."""
    n = len(matrix)
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            if i == j:
                lower[i, i] = np.sqrt(max(total, 1e-12))
            else:
                lower[i, j] = total / lower[j, j]


@compiled
def solve_factorised(lower: np.ndarray, vector: np.ndarray) -> None:
    """Solve L L^T x = vector in place, vector (n,)."""
    n = len(vector)
    for i in range(n):
        for k in range(i):
            vector[i] -= lower[i, k] * vector[k]
        vector[i] /= lower[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            vector[i] -= lower[k, i] * vector[k]
        vector[i] /= lower[i, i]


@compiled
def add_cartesian_torque(
    jacobian: np.ndarray,
    inertia: np.ndarray,
    error: np.ndarray,
    velocity_error: np.ndarray,
    velocity: np.ndarray,
    acceleration: np.ndarray,
    stiffness: np.ndarray,
    damping_ratio: float,
    posture_torque: np.ndarray,
    torque: np.ndarray,
    braking: np.ndarray,
) -> None:
    """Add the torque of the Cartesian impedance law to `torque` (n,).

    Args:
        jacobian: (6, n) of the tcp.
        inertia: (n, n) of the arm, kg m^2.
        error: (6,) m and rad: target minus state; the angular part is the rotation vector of the turn to the target.
        velocity_error: (6,) m/s and rad/s.
        velocity: (6,) m/s and rad/s of the tcp itself.
        acceleration: (6,) m/s^2 and rad/s^2 of the target.
        stiffness: (6,) N/m and N*m/rad.
        damping_ratio: zeta; 1 is critical, 0 leaves the spring undamped.
        posture_torque: (n,) N*m, projected into the null space of the tcp.
        torque: (n,) N*m, added to.
        braking: (n,) N*m, -J^T D v is added to it: the part of the torque that only dissipates.
    """
    n = jacobian.shape[1]
    lower = np.empty((n, n))
    factorise(inertia, lower)
    moved = np.empty((6, n))  # rows of J M^-1
    for i in range(6):
        for j in range(n):
            moved[i, j] = jacobian[i, j]
        solve_factorised(lower, moved[i])
    mobility = np.empty((6, 6))  # J M^-1 J^T
    for i in range(6):
        for j in range(6):
            total = 0.0
            for k in range(n):
                total += moved[i, k] * jacobian[j, k]
            mobility[i, j] = total
    for i in range(6):
        mobility[i, i] += _REGULAR
    lower6 = np.empty((6, 6))
    factorise(mobility, lower6)
    force, brake = np.empty(6), np.empty(6)
    unit = np.empty(6)
    regular = 1.0
    for i in range(6):
        unit[:] = 0.0
        unit[i] = 1.0
        solve_factorised(lower6, unit)
        regular = min(regular, (SINGULAR_MASS_KG if i < 3 else SINGULAR_INERTIA_KG_M2) / unit[i])
        apparent = min(unit[i], LARGEST_MASS_KG if i < 3 else LARGEST_INERTIA_KG_M2)
        damping = 2 * damping_ratio * np.sqrt(stiffness[i] * apparent)
        force[i] = stiffness[i] * error[i] + damping * velocity_error[i]
        brake[i] = -damping * velocity[i]
    carried = acceleration.copy()
    solve_factorised(lower6, carried)  # Lambda a_d
    leaking = np.zeros(6)  # force of the posture torque at the tcp
    for i in range(6):
        for k in range(n):
            leaking[i] += moved[i, k] * posture_torque[k]
    solve_factorised(lower6, leaking)
    for j in range(n):
        total = posture_torque[j]
        for i in range(6):
            total += jacobian[i, j] * (force[i] + regular * carried[i] - leaking[i])
            braking[j] += jacobian[i, j] * brake[i]
        torque[j] += total


@compiled
def add_joint_torque(
    inertia: np.ndarray,
    error: np.ndarray,
    velocity_error: np.ndarray,
    velocity: np.ndarray,
    acceleration: np.ndarray,
    stiffness: np.ndarray,
    damping_ratio: float,
    torque: np.ndarray,
    braking: np.ndarray,
) -> None:
    """Add K (q_d - q) + D (qd_d - qd) + M qdd_d to `torque`, with D_ii = 2 zeta sqrt(K_ii M_ii).

    Args:
        inertia: (n, n) kg m^2.
        error, velocity_error: (n,) rad and rad/s.
        velocity: (n,) rad/s of the joints themselves.
        acceleration: (n,) rad/s^2 of the target.
        stiffness: (n,) N*m/rad.
        damping_ratio: zeta.
        torque: (n,) N*m, added to.
        braking: (n,) N*m, -D qd is added to it: the part of the torque that only dissipates.
    """
    for i in range(len(torque)):
        damping = 2 * damping_ratio * np.sqrt(stiffness[i] * inertia[i, i])
        torque[i] += stiffness[i] * error[i] + damping * velocity_error[i]
        braking[i] -= damping * velocity[i]
        for j in range(len(torque)):
            torque[i] += inertia[i, j] * acceleration[j]


@compiled
def add_payload_torque(
    jacobian: np.ndarray, orientation: np.ndarray, mass: float, centre: np.ndarray, gravity: float, torque: np.ndarray
) -> None:
    """Add the torque that holds a declared payload against gravity.

    Args:
        jacobian: (6, n) of the tcp.
        orientation: (3, 3) of the tcp.
        mass: kg.
        centre: (3,) m, centre of mass in the tcp frame.
        gravity: m/s^2, downwards.
        torque: (n,) N*m, added to.
    """
    x = orientation[0, 0] * centre[0] + orientation[0, 1] * centre[1] + orientation[0, 2] * centre[2]
    y = orientation[1, 0] * centre[0] + orientation[1, 1] * centre[1] + orientation[1, 2] * centre[2]
    weight = mass * gravity
    for j in range(len(torque)):
        # Force (0, 0, weight) at the centre of mass: the moment about the tcp is (y, -x, 0) weight.
        torque[j] += weight * (jacobian[2, j] + y * jacobian[3, j] - x * jacobian[4, j])
