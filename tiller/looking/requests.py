"""What a request asks for, checked: numbers within bounds and nothing else. No word of a request becomes a name."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from aiohttp import web

from tiller.looking.fields import Field
from tiller.looking.snapshot import Shelf, Snapshot

MOST_FIELDS = 64  # in one request
_WHOLE = re.compile(r"[0-9]{1,15}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{0,15})?", re.ASCII)


def refuse(problem: str, status: int = 404) -> web.HTTPException:
    """An answer that says what is wrong with a request."""
    kinds = {400: web.HTTPBadRequest, 404: web.HTTPNotFound, 409: web.HTTPConflict}
    return kinds[status](text=f"{problem}\n")


def _one(request: web.Request, name: str) -> str:
    values = request.query.getall(name, [])
    if len(values) != 1:
        raise refuse(f"a request has one '{name}'", 400)
    return values[0]


def whole(request: web.Request, name: str, stop: int, least: int = 0) -> int:
    """A whole number from `least` to `stop` - 1.

    Raises:
        HTTPException: it is none, or there is nothing of that number.
    """
    value = _one(request, name)
    if not _WHOLE.fullmatch(value):
        raise refuse(f"'{name}' is a whole number from {least} on", 400)
    if not least <= int(value) < stop:
        raise refuse(f"'{name}' is from {least} to {stop - 1}")
    return int(value)


def seconds(request: web.Request, name: str) -> float:
    """A number of seconds.

    Raises:
        HTTPException: it is none.
    """
    value = _one(request, name)
    if not _NUMBER.fullmatch(value) or not math.isfinite(float(value)):
        raise refuse(f"'{name}' is a number", 400)
    return float(value)


def store_of(request: web.Request, shelf: Shelf) -> int:
    """The number of a store."""
    return whole(request, "store", len(shelf))


def snapshot_of(request: web.Request, shelf: Shelf) -> Snapshot:
    """A store, if it is still the one of which the page has the list.

    Raises:
        HTTPException: it is another one by now.
    """
    snapshot = shelf[store_of(request, shelf)]
    if _one(request, "generation") != str(snapshot.generation):
        raise refuse("another store is at that path by now: load the page anew", 409)
    return snapshot


def episode_of(request: web.Request, snapshot: Snapshot) -> int:
    """The number of an episode."""
    return whole(request, "episode", len(snapshot))


def row_of(request: web.Request, snapshot: Snapshot, episode: int) -> int:
    """A row within an episode."""
    first, end = snapshot.rows(episode)
    return whole(request, "row", end - first)


def field_of(request: web.Request, snapshot: Snapshot) -> Field:
    """A field that is drawn as lines or strips."""
    field = snapshot.fields[whole(request, "field", len(snapshot.fields))]
    if not field.is_drawn:
        raise refuse("this field is not drawn")
    return field


def fields_of(request: web.Request, snapshot: Snapshot, images: bool) -> list[Field]:
    """The fields of a list of numbers, `3,7`: cameras, or what is drawn as lines."""
    numbers = _one(request, "fields").split(",")
    if len(numbers) > MOST_FIELDS or not all(_WHOLE.fullmatch(each) for each in numbers):
        raise refuse(f"'fields' are 1 to {MOST_FIELDS} whole numbers", 400)
    if any(int(each) >= len(snapshot.fields) for each in numbers):
        raise refuse(f"'fields' are from 0 to {len(snapshot.fields) - 1}")
    fields = [snapshot.fields[int(each)] for each in numbers]
    if not all(field.is_image if images else field.is_drawn for field in fields):
        raise refuse("one of these fields has no frames" if images else "one of these fields is not drawn")
    return fields


async def body_of(request: web.Request) -> Any:
    """What the JSON of a request holds.

    Raises:
        HTTPException: it is no JSON.
    """
    try:
        return json.loads(await request.text(), parse_constant=_no_number)
    except (ValueError, RecursionError, LookupError):
        raise refuse("the body is no JSON", 400) from None


def _no_number(name: str) -> Any:
    raise ValueError(name)
