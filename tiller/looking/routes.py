"""The site of the stores that are looked at: what each request is answered. Only `/mark` changes anything.

Stores are read on threads, so that one that is slow keeps no other request waiting.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any, Callable, Mapping, TypeVar
from urllib.parse import quote

from aiohttp import web

from real.page.serving.files import page_files
from real.page.serving.site import Handler, Route, Site
from robot.errors import TillerError, one_line, printable
from tiller.looking import requests
from tiller.looking.examining import Examiner
from tiller.looking.frames import pack_frames
from tiller.looking.listing import episode_columns, episode_record, field_records, store_record
from tiller.looking.marking import Marker
from tiller.looking.series import MOST_POINTS, exact, series
from tiller.looking.snapshot import Shelf, Snapshot
from tiller.looking.space.bodies import MOST_ROWS, Stage
from tiller.looking.times import row_track

FOLDER = Path(__file__).parent / "static"
SHARED = ("dom.js", "icon.svg", "matrices.js", "mesh.js", "orbit.js", "scene.js", "session.js", "shading.js")
READERS = 4
LARGEST_BODY = 64 << 10  # of a mark: text of 4,000 characters and labels, escaped
T = TypeVar("T")


class Looking:
    """Answers the page's requests.

    Args:
        shelf: of the stores.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._markers = [Marker(shelf.path(number)) for number in range(len(shelf))]
        self._examiner = Examiner(shelf)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="look")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="mark")
        self._stages: dict[int, tuple[tuple[int, int], Stage]] = {}
        self._stage_lock = Lock()

    @property
    def site(self) -> Site:
        """What a server serves of them."""
        gets: Mapping[str, Handler] = {
            "/stores": self._stores,
            "/fields": self._fields,
            "/episodes": self._episodes,
            "/marks": self._marks,
            "/episode": self._episode,
            "/series": self._series,
            "/values": self._values,
            "/frames": self._frames,
            "/scene": self._scene,
            "/poses": self._poses,
            "/findings": self._findings,
        }
        posts: Mapping[str, Handler] = {"/mark": self._mark, "/examine": self._examine}
        routes = [Route(path, _guarded(answer)) for path, answer in gets.items()]
        routes += [Route(path, _guarded(answer), "POST") for path, answer in posts.items()]
        return Site(page_files(FOLDER, SHARED), tuple(routes), end=self._end, largest_body=LARGEST_BODY)

    async def _end(self) -> None:
        self._examiner.close()
        self._readers.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._writer.shutdown)  # a mark that was sent is saved

    async def _read(self, act: Callable[..., T], *values: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, act, *values)

    # -- lists --------------------------------------------------------------------------------------------------------

    async def _stores(self, request: web.Request) -> web.Response:
        def records() -> list[dict[str, Any]]:
            return [self._store(number) for number in range(len(self._shelf))]

        return _json(await self._read(records))

    def _store(self, number: int) -> dict[str, Any]:
        problem = self._shelf.refresh(number)
        marker = self._markers[number]
        marker.refresh()
        own = self._shelf[number].contents.schema is not None
        unmarked = marker.problem or ("" if own else "marks are for stores that tiller wrote: convert it first")
        return store_record(self._shelf, number, problem, marks=marker.version, unmarked=printable(unmarked))

    async def _fields(self, request: web.Request) -> web.Response:
        return _json(await self._read(field_records, requests.snapshot_of(request, self._shelf)))

    async def _episodes(self, request: web.Request) -> web.Response:
        return _json(await self._read(episode_columns, requests.snapshot_of(request, self._shelf)))

    async def _marks(self, request: web.Request) -> web.Response:
        snapshot = requests.snapshot_of(request, self._shelf)
        marker = self._markers[snapshot.number]
        version = marker.version  # before the marks: a page that has newer ones loads them once more
        return _json({"version": version, "marks": {str(each): mark.to_json() for each, mark in marker.marks.items()}})

    async def _findings(self, request: web.Request) -> web.Response:
        number = requests.store_of(request, self._shelf)
        return _json(await self._read(self._examiner.state, number, False))

    async def _examine(self, request: web.Request) -> web.Response:
        number = requests.store_of(request, self._shelf)
        return _json(await self._read(self._examiner.state, number, True))

    # -- one episode --------------------------------------------------------------------------------------------------

    async def _episode(self, request: web.Request) -> web.Response:
        snapshot = requests.snapshot_of(request, self._shelf)
        episode = requests.episode_of(request, snapshot)
        return _json(await self._read(self._episode_record, snapshot, episode))

    def _episode_record(self, snapshot: Snapshot, episode: int) -> dict[str, Any]:
        track = row_track(self._shelf, snapshot, episode)
        record = episode_record(self._shelf, snapshot, episode)
        step = max(-(-len(track) // MOST_POINTS), 1)
        try:
            seconds = [track.second(row) for row in range(0, len(track), step)] if step > 1 else _seconds(track)
            last = track.second(len(track) - 1) if len(track) else 0.0
        except TillerError:
            seconds, last = [], len(track) * track.period_s
        return {**record, "step": step, "seconds": seconds, "last": last, "period_s": track.period_s}

    async def _series(self, request: web.Request) -> web.Response:
        snapshot = requests.snapshot_of(request, self._shelf)
        episode, field = requests.episode_of(request, snapshot), requests.field_of(request, snapshot)
        points = requests.whole(request, "points", MOST_POINTS + 1, least=2)
        span = None
        if "from" in request.query:
            span = (requests.seconds(request, "from"), requests.seconds(request, "to"))
        return _binary(await self._read(lambda: series(self._shelf, snapshot, episode, field, points, span).pack()))

    async def _values(self, request: web.Request) -> web.Response:
        snapshot = requests.snapshot_of(request, self._shelf)
        episode = requests.episode_of(request, snapshot)
        row, fields = requests.row_of(request, snapshot, episode), requests.fields_of(request, snapshot, images=False)

        def values() -> list[list[str]]:
            second = row_track(self._shelf, snapshot, episode).second(row)
            return [exact(self._shelf, snapshot, episode, field, second, row) for field in fields]

        return _json(await self._read(values))

    async def _frames(self, request: web.Request) -> web.Response:
        snapshot = requests.snapshot_of(request, self._shelf)
        episode = requests.episode_of(request, snapshot)
        row, fields = requests.row_of(request, snapshot, episode), requests.fields_of(request, snapshot, images=True)
        return _binary(await self._read(pack_frames, self._shelf, snapshot, fields, snapshot.rows(episode)[0] + row))

    # -- what is drawn in space ---------------------------------------------------------------------------------------

    async def _scene(self, request: web.Request) -> web.Response:
        snapshot = requests.snapshot_of(request, self._shelf)
        world = requests.whole(request, "world", 2)
        stage = await self._read(self._stage, snapshot)
        body = await self._read(lambda: stage.world if world else stage.robot)
        if not body:
            return _json({"note": printable(stage.note)})
        answer = _binary(body)
        answer.headers["X-Note"] = quote(stage.note)
        return answer

    async def _poses(self, request: web.Request) -> web.Response:
        snapshot = requests.snapshot_of(request, self._shelf)
        episode = requests.episode_of(request, snapshot)
        first = requests.row_of(request, snapshot, episode)
        stage = await self._read(self._stage, snapshot)
        return _binary(await self._read(stage.poses, self._shelf, snapshot, episode, first, MOST_ROWS))

    def _stage(self, snapshot: Snapshot) -> Stage:
        """The bodies of a store; they are read once."""
        with self._stage_lock:
            key, stage = self._stages.get(snapshot.number, (None, None))
            if stage is None or key != snapshot.key:
                stage = Stage(snapshot)
                self._stages[snapshot.number] = (snapshot.key, stage)
            return stage

    # -- what changes -------------------------------------------------------------------------------------------------

    async def _mark(self, request: web.Request) -> web.Response:
        snapshot = requests.snapshot_of(request, self._shelf)
        episode = requests.episode_of(request, snapshot)
        changes = await requests.body_of(request)
        marker = self._markers[snapshot.number]
        # A window that is closed meanwhile has made its mark all the same.
        saved = asyncio.get_running_loop().run_in_executor(self._writer, marker.change, snapshot, episode, changes)
        mark = await asyncio.shield(saved)
        return _json({"version": marker.version, "mark": None if mark is None else mark.to_json()})


def _seconds(track: Any) -> list[float]:
    return [round(each, 6) for each in track.seconds(0, len(track)).tolist()]


def _guarded(answer: Handler) -> Handler:
    """An answer that says in words what cannot be read, whatever a store or a decoder raises."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            return await answer(request)
        except (web.HTTPException, asyncio.CancelledError):
            raise
        except TillerError as error:
            problem = str(error)
        except Exception as error:  # libraries that read what anybody wrote
            problem = f"{type(error).__name__}: {one_line(error)}"
        return web.Response(status=422, text=f"{printable(problem[:2000])}\n")

    return guarded


def _json(value: Any) -> web.Response:
    return web.Response(text=json.dumps(value, allow_nan=False), content_type="application/json")


def _binary(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/octet-stream")
