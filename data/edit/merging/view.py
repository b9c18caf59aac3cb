"""A store as the new one names it: renamed, and without what is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from data.edit.copying.origin import Origin
from data.edit.merging.options import Mapped
from data.store.images.encoding import Encoding
from data.store.schema import ACTION, ColumnField, MetaField, StreamField
from robot.description import ActionField, ObservationField
from robot.errors import InputError, nearest, shortened

F = TypeVar("F", ObservationField, ColumnField, MetaField, StreamField)


@dataclass(frozen=True)
class Named(Generic[F]):
    """A field under its new name.

    Args:
        old: its name in the store.
        field: with its new name.
    """

    old: str
    field: F


@dataclass(frozen=True)
class View:
    """What a store brings to a new one, by its new names.

    Args:
        origin: the store.
        observation, columns, facts, streams: new name -> field.
        action: its fields, in its order.
        encodings: new name of a row array -> how its rows are stored.
    """

    origin: Origin
    observation: Mapping[str, Named[ObservationField]]
    columns: Mapping[str, Named[ColumnField]]
    facts: Mapping[str, Named[MetaField]]
    streams: Mapping[str, Named[StreamField]]
    action: tuple[ActionField, ...]
    encodings: Mapping[str, Encoding]


def view(origin: Origin, options: Mapped) -> View:
    """A store under the new names.

    Raises:
        InputError: two of its fields would get one name.
    """
    schema = origin.schema
    observation = _named(origin, schema.observation, options)
    columns = _named(origin, schema.columns, options)
    rows = [*observation, *columns, ACTION]
    _require_distinct(origin, rows)
    fields = tuple(replace(each, name=options.rename.get(each.name, each.name)) for each in schema.action.fields)
    _require_distinct(origin, [each.name for each in fields])
    old = {name: each.old for name, each in observation.items()} | {name: each.old for name, each in columns.items()}
    return View(
        origin,
        observation,
        columns,
        _named(origin, schema.meta, options),
        _named(origin, schema.streams, options),
        fields,
        {name: schema.encoding(each) for name, each in old.items()},
    )


def require_known(origins: Sequence[Origin], options: Mapped) -> None:
    """Refuse options that name what no store has."""
    names = {name for origin in origins for name in _names(origin)}
    new = {options.rename.get(name, name) for name in names}
    for option, given, known in (
        ("rename", options.rename, names),
        ("without", options.without, new),
        ("fill", options.fill, new),
    ):
        for name in given:
            if name not in known or name == ACTION:
                raise InputError(
                    f"{option}: {shortened(name)}",
                    expected="a row array (but the action), a fact or a stream that some of the stores has",
                    way_out=nearest(name, known - {ACTION}),
                )
    for name in options.fill:
        if name in options.without:
            raise InputError(f"fill.{name}", expected="a name that is not left out", got=f"one in without=[{name}]")


def _names(origin: Origin) -> list[str]:
    schema = origin.schema
    return [
        *schema.row_fields,
        *schema.meta_fields,
        *schema.stream_fields,
        *(each.name for each in schema.action.fields),
    ]


def _named(origin: Origin, fields: Iterable[F], options: Mapped) -> dict[str, Named[F]]:
    named: dict[str, Named[F]] = {}
    listed = [(options.rename.get(each.name, each.name), each) for each in fields]
    _require_distinct(origin, [new for new, _ in listed])
    for new, each in listed:
        if new not in options.without:
            named[new] = Named(each.name, replace(each, name=new))
    return named


def _require_distinct(origin: Origin, names: Sequence[str]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise InputError(
                f"'{origin.name}': rename", expected="different names", got=f"'{name}' twice", way_out="Rename both"
            )
