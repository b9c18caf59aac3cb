"""A policy with what the options of a verb put around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping

from robot.errors import InputError

if TYPE_CHECKING:
    from robot.description import Policy


def with_steering(
    policy: Policy,
    steering: Mapping[str, Any] | None,
    *,
    sampler: str | None = None,
    steps: int | None = None,
    n_action_steps: int | None = None,
    ensemble: float | None = None,
    always: bool = False,
) -> Policy:
    """A loaded policy under another sampler, steered, and executed otherwise: all that decides what is measured.

    Args:
        policy: as it was loaded.
        steering: name and options of what steers; None for nothing.
        sampler, steps: of the policy; None keeps its own.
        n_action_steps, ensemble: of the execution, which become a part of a steered policy; None keeps its own.
        always: make them a part of an unsteered policy too.

    Raises:
        InputError: one thing is set twice, or the policy cannot be steered so.
    """
    from policies.steering.execution import Executed
    from policies.steering.registry import steer
    from policies.steering.steered import layers

    execution = {"n_action_steps": n_action_steps, "ensemble": ensemble}
    given: dict[str, dict[str, Any]] = {"sampler": {"sampler": sampler, "steps": steps}, "execution": execution}
    stack = [str(steering.get("name"))] if steering is not None else []
    stack += [layer.name for layer in layers(policy) if layer.name == Executed.name]
    for name in stack:
        twice = [option for option, value in given.get(name, {}).items() if value is not None]
        if twice:
            raise InputError(
                twice[0],
                expected=f"nothing beside steering={name}, which sets it",
                got="another value beside it",
                way_out=f"Leave {twice[0]}= out",
            )
    policy = policy.with_sampler(sampler, steps)
    if steering is not None:
        policy = steer(policy, steering)
    if (always or steering is not None) and any(value is not None for value in execution.values()):
        policy = Executed(policy, **execution)  # type: ignore[arg-type]
    return policy
