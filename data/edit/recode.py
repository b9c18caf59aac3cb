"""Store images in another encoding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from data.edit.copying.blocks import stays_encoded
from data.edit.copying.copy import Progress
from data.edit.copying.plan import whole
from data.edit.outcome import Outcome
from data.edit.single import do, edit_of, open_source
from data.store.images.encoding import AS_IT_CAME, JPEG, Encoding
from data.store.schema import Schema
from robot.errors import InputError, nearest, shortened


def recode(
    source: str | Path,
    target: str | Path,
    *,
    encodings: Mapping[str, str],
    quality: int = 90,
    dry_run: bool = False,
    on_progress: Progress | None = None,
) -> Outcome:
    """Write a new store in which images are encoded otherwise; those that are not named keep their bytes.

    Args:
        source: a store.
        target: a folder that does not exist yet.
        encodings: row array -> `raw`, `jpeg` or `png`. `as_it_came` only of what is JPEG already: its bytes are taken.
        quality: of JPEG, 1 to 100.
        dry_run: nothing is written.
        on_progress: called with episodes done and in all.

    Raises:
        InputError: there is no such array, an encoding does not fit it or is the one that it has, or the target exists.
        TillerError: as `carry_out`.
    """
    origin = open_source(source)
    new = _encodings(origin.name, origin.schema, encodings, quality)
    schema = replace(
        origin.schema,
        encodings={name: each for name, each in {**origin.schema.encodings, **new}.items() if each.of_images},
    )
    takes = [whole(origin, 0, index) for index in range(len(origin))]
    options = {"encodings": {name: _shown(each) for name, each in new.items()}}
    edit = edit_of("recode", options, origin, takes, schema=schema)
    details = [f"{name}: {_shown(origin.schema.encoding(name))} becomes {_shown(each)}" for name, each in new.items()]
    notes = [
        f"{name}: JPEG again loses something again"
        if origin.schema.encoding(name).kind in (JPEG, AS_IT_CAME)
        else f"{name}: JPEG loses something"
        for name, each in new.items()
        if each.kind == JPEG
    ]
    title = f"{'Would recode' if dry_run else 'Recoded'} {', '.join(new)} of {origin.name}"
    rows = int(origin.episode_ends[-1])
    return do(
        edit,
        target,
        "recoding",
        title,
        rows=rows,
        dry_run=dry_run,
        on_progress=on_progress,
        notes=notes,
        details=details,
    )


def _encodings(path: str, schema: Schema, given: Mapping[str, str], quality: int) -> dict[str, Encoding]:
    """The encodings that change."""
    if not given:
        raise InputError("encodings", expected="at least one, such as encodings.front=jpeg", got="none")
    new = {}
    for name, kind in given.items():
        if name not in schema.row_fields:
            raise InputError(
                f"'{path}': encodings.{shortened(name)}",
                expected="a row array of this store",
                way_out=nearest(name, schema.row_fields),
            )
        encoding, old = Encoding(kind, quality if kind == JPEG else 90), schema.encoding(name)
        encoding.require_fit(name, schema.row_fields[name].shape, schema.row_fields[name].dtype)
        if encoding.kind == AS_IT_CAME and not stays_encoded(old, encoding):
            raise InputError(
                f"'{path}': encodings.{name}",
                expected="raw, jpeg or png, as its images did not come as JPEG",
                got=kind,
                way_out=f"encodings.{name}=jpeg encodes them",
            )
        if encoding == old or encoding.kind == old.kind != JPEG:
            raise InputError(f"'{path}': encodings.{name}", expected="another encoding", got=f"{kind}, as it is")
        new[name] = encoding
    return new


def _shown(encoding: Encoding) -> str:
    return f"{encoding.kind} {encoding.quality}" if encoding.kind == JPEG else encoding.kind
