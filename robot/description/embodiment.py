"""Robots and tasks that one policy serves: which keys and action fields of their union each of them has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Mapping, Sequence

from robot.description.action import ActionField, ActionSpec
from robot.description.observation import ObservationField, ObservationSpec
from robot.description.ranges import Range
from robot.errors import InputError, nearest


@dataclass(frozen=True)
class EmbodimentSpec:
    """One of the robots and tasks that a policy serves.

    Args:
        name: of it, such as the id of a task.
        keys: its observation keys in order, and for each its name in the union.
        fields: its action fields, in order.
        n_action_steps: rows of a chunk that it executes before the next plan.
        semantic_hash: of the robot contract that its demonstrations are of; None where it is not known.
    """

    name: str
    keys: Mapping[str, str]
    fields: tuple[str, ...]
    n_action_steps: Annotated[int, Range(1, 10_000)]
    semantic_hash: str | None = None

    def observation(self, union: ObservationSpec) -> ObservationSpec:
        """What it sees, under its own names."""
        return ObservationSpec(tuple(replace(union[name], name=own) for own, name in self.keys.items()))

    def action(self, union: ActionSpec) -> ActionSpec:
        """Its own actions."""
        by_name = {each.name: each for each in union.fields}
        return ActionSpec(tuple(by_name[name] for name in self.fields), union.period_s)

    def components(self, union: ActionSpec) -> list[int]:
        """The components of the union's actions that are its own, in its own order."""
        return [number for name in self.fields for number in range(union.dim)[union.slices[name]]]


def named_embodiment(embodiments: Sequence[EmbodimentSpec], name: str) -> EmbodimentSpec:
    """The embodiment of that name.

    Raises:
        InputError: there is none.
    """
    names = [each.name for each in embodiments]
    if name not in names:
        raise InputError(
            f"embodiment '{name}'",
            expected=f"one of {', '.join(names)}" if names else "a policy of several embodiments",
            got=None if names else "a policy of one robot and task",
            way_out=nearest(str(name), names) if names else None,
        )
    return embodiments[names.index(name)]


def union_of(
    embodiments: Sequence[EmbodimentSpec], offered: Sequence[tuple[ObservationSpec, ActionSpec]]
) -> tuple[ObservationSpec, ActionSpec]:
    """All keys and all action fields of several embodiments, in the order in which they come.

    Args:
        embodiments: with the names of their keys in the union.
        offered: what each of them has, under its own names.

    Raises:
        InputError: two of them share a key or a field with another shape, type, unit or kind, or differ in their
            period; both are shown.
    """
    keys: dict[str, tuple[str, ObservationField]] = {}
    fields: dict[str, tuple[str, ActionField]] = {}
    for embodiment, (observation, action) in zip(embodiments, offered):
        for own, name in embodiment.keys.items():
            key = replace(observation[own], name=name)
            owner, first = keys.setdefault(name, (embodiment.name, key))
            if first != key:
                raise InputError(
                    f"observation '{name}' of '{embodiment.name}'",
                    expected=f"{_key(first)}, as of '{owner}'",
                    got=_key(key),
                    way_out="Give it a name of its own, policy.generalist.rename="
                    f"{{{embodiment.name}: {{{own}: NAME}}}}, or leave it out, policy.generalist.without=[{name}]",
                )
        for field in action.fields:
            owner, same = fields.setdefault(field.name, (embodiment.name, field))
            if same != field:
                raise InputError(
                    f"action field '{field.name}' of '{embodiment.name}'",
                    expected=f"{_field(same)}, as of '{owner}'",
                    got=_field(field),
                    way_out="Train these embodiments apart, or convert one dataset",
                )
        if abs(action.period_s - offered[0][1].period_s) > 1e-6 * action.period_s:
            raise InputError(
                f"control period of '{embodiment.name}'",
                expected=f"{offered[0][1].period_s:g} s, as of '{embodiments[0].name}'",
                got=f"{action.period_s:g} s",
                way_out="Train these embodiments apart, or resample one dataset",
            )
    return (
        ObservationSpec(tuple(key for _, key in keys.values())),
        ActionSpec(tuple(field for _, field in fields.values()), offered[0][1].period_s),
    )


def _key(key: ObservationField) -> str:
    return f"{key.shape} {key.dtype} {key.kind} in {key.unit}"


def _field(field: ActionField) -> str:
    return f"{field.size} numbers, {field.kind} in {field.unit}"
