"""Twins: robots in MuJoCo that take the same commands, at the same rates, with the same limits as the real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from robot.safety.energy.budget import Budget
    from sim.twin.connected import ConnectedTwin

__all__ = ["make_twin"]


def make_twin(
    robot: str,
    *,
    control: str = "cartesian",
    period_s: float = 0.05,
    inner_hz: int = 500,
    budget: Budget | None = None,
    enforce: bool = True,
) -> ConnectedTwin:
    """A robot alone at its table.

    Args:
        robot: a file of `configs/robot`, or a path.
        control: `cartesian` or `joint`.
        period_s: seconds an action holds.
        inner_hz: rate of the inner loop and the physics.
        budget: of energy; None counts it and limits nothing.
        enforce: whether the budget's filters act.

    Returns:
        The twin in its rest posture, in virtual time: it moves while its clock sleeps, or by `home` and `move_to`.

    Raises:
        InputError: no such robot or control, the period is not a whole number of steps, the budget is another's, or its
            description and its model do not fit.
    """
    from robot.description.loading import load_robot
    from sim.twin.connected import ConnectedTwin
    from sim.twin.model.scene import compile_scene, new_scene

    description = load_robot(robot)
    scene = compile_scene(new_scene(1.0 / inner_hz), description)
    return ConnectedTwin(scene, description.action_spec(period_s, control), budget=budget, enforce=enforce)
