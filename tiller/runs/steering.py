"""A policy with what the options of a verb put around it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

from robot.errors import InputError

if TYPE_CHECKING:
    from robot.description import Policy

STEERED = "steered"
"""Folder, in the output of a run, of the steered policy that was measured."""


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

    Prints what is doubtful of what steers.

    Raises:
        InputError: one thing is set twice, or the policy cannot be steered so.
    """
    import warnings

    from policies.steering.by_critic.value import SteeringWarning
    from policies.steering.execution import Executed
    from policies.steering.registry import STEERINGS, steer
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
    kept = (always or steering is not None) and any(value is not None for value in execution.values())
    inside = kept and steering is not None and getattr(STEERINGS.get(str(steering.get("name"))), "scores_rows", False)
    if inside:  # what scores rows is made for those that are executed
        policy = Executed(policy, **execution)  # type: ignore[arg-type]
    if steering is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SteeringWarning)
            policy = steer(policy, steering)
    if kept and not inside:
        policy = Executed(policy, **execution)  # type: ignore[arg-type]
    for layer in layers(policy):
        for doubt in layer.doubts:
            print(doubt)
    return policy


def keep_steered(policy: Policy, checkpoint: str, output: Path, *, kept: bool) -> None:
    """Write what was put around a checkpoint as a checkpoint of its own, so that it can be deployed as it is.

    Args:
        policy: as it was measured.
        checkpoint: that it stands on.
        output: folder of the run.
        kept: whether something was put around it; else what an earlier run of this folder kept is removed.
    """
    import shutil

    from policies.loading.load import save_steered
    from policies.steering.steered import Steered

    if not kept:
        shutil.rmtree(output / STEERED, ignore_errors=True)
    elif isinstance(policy, Steered):
        print(f"Steered policy: {save_steered(policy, output / STEERED, checkpoint)}")


def parts_named(steering: Mapping[str, Any] | None) -> list[str]:
    """The paths of a critic and an actor in the options of what steers, which a run reads."""
    named = [(steering or {}).get(kind) for kind in ("critic", "actor")]
    return [path for path in named if isinstance(path, str) and path.strip()]
