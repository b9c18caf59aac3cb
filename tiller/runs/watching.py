"""The monitor that a verb is given, and what becomes of its alarms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from robot.errors import InputError, nearest
from robot.monitoring.monitor import ACTIONS, RECORD

if TYPE_CHECKING:
    from robot.description import Policy
    from robot.monitoring.monitor import Monitor


@dataclass(frozen=True)
class MonitorChoice:
    """What watches the policy.

    Args:
        path: of the monitor, or of the run that made it.
        action: of an alarm: record writes it down, hold ends the episode.
    """

    path: str
    action: str = RECORD

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise InputError(
                "monitor.action",
                expected=f"one of {', '.join(ACTIONS)}",
                got=f"'{self.action}'",
                way_out=nearest(self.action, ACTIONS),
            )


def chosen_monitor(
    choice: MonitorChoice | None,
    policy: Policy,
    checkpoint: str,
    device: str,
    n_action_steps: int | None,
    ensemble: float | None,
) -> Monitor | None:
    """The monitor, once it is known to be for the policy as it acts; None where none was chosen.

    Args:
        choice: of a person.
        policy: as it acts.
        checkpoint: of it.
        device: of a critic that scores.
        n_action_steps, ensemble: by which the policy is executed; None for its own.

    Raises:
        InputError: there is no monitor, or it is another policy's.
    """
    if choice is None:
        return None
    from policies.loading.load import identity
    from policies.monitoring.checkpoint import load_monitor
    from robot.control.ensembling import TemporalEnsemble
    from robot.control.runner import ChunkRunner

    monitor = load_monitor(choice.path, device)
    weighed = None if ensemble is None else TemporalEnsemble(ensemble)
    runner = ChunkRunner(policy.spec, n_action_steps=n_action_steps, ensemble=weighed)
    monitor.require(runner.n_action_steps, identity(checkpoint, policy))
    return monitor


def spelt_out(word: str) -> str:
    """`monitor=PATH` means `monitor.path=PATH`."""
    key, equals, value = word.partition("=")
    return f"monitor.path={value}" if key == "monitor" and equals and value != "null" else word
