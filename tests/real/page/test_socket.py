"""Pages that are slow, many or hostile: each gets the newest, and none keeps anything from another."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Any, Awaitable, Callable, Iterator

import aiohttp
import pytest

from real.page.serving import socket as page_socket
from real.page.serving.feed import Channel, Entry, Feed, Kind
from real.page.serving.live import MOST_PAGES
from real.page.serving.rounds import ANSWER, pack_round, unpack_round
from tests.real.page.served import FPS, Served, served

pytestmark = pytest.mark.together

CAMERA = Channel(Kind.CAMERA, 0)


@pytest.fixture
def page() -> Iterator[Served]:
    with served() as found:
        yield found
        assert found.alive


def run(page: Served, act: Callable[[aiohttp.ClientSession], Awaitable[None]]) -> None:
    async def within() -> None:
        async with page.client() as session:
            await asyncio.wait_for(act(session), 20)

    asyncio.run(within())


def open_page(page: Served, session: aiohttp.ClientSession, **options: Any) -> Any:
    return session.ws_connect(f"{page.origin}/socket", max_msg_size=0, **options)


async def take(socket: Any, answer: bool = True) -> dict[Channel, Entry]:
    number, entries = unpack_round(await socket.receive_bytes(timeout=5))
    if answer:
        await socket.send_bytes(ANSWER.pack(number))
    return entries


def test_a_round_is_what_it_was_made_of() -> None:
    entries = {
        Channel(Kind.STATE): Entry(7, 0, b"{}"),
        Channel(Kind.CAMERA, 2): Entry(2**32 - 1, 1_700_000_000_250_000_000, b"12345"),
        Channel(Kind.POSES, 1): Entry(1, 0, b""),
    }
    number, found = unpack_round(pack_round(2**32 + 5, entries))
    assert number == 5 and list(found) == list(entries)
    assert [each.body for each in found.values()] == [each.body for each in entries.values()]
    assert abs(found[Channel(Kind.CAMERA, 2)].stamp_ns - 1_700_000_000_250_000_000) < 1000


def test_a_feed_has_the_newest_of_each_channel() -> None:
    feed = Feed()
    for number in range(5):
        feed.publish(CAMERA, bytes([number]))
    feed.publish(Channel(Kind.SCENE), b"scene")
    fresh = feed.newer({})
    assert fresh[CAMERA].body == b"\x04" and fresh[CAMERA].sequence == 5
    assert list(feed.newer({CAMERA: 5})) == [Channel(Kind.SCENE)]


def test_images_come_as_they_are_published(page: Served) -> None:
    async def act(session: aiohttp.ClientSession) -> None:
        async with open_page(page, session) as socket:
            assert (await take(socket))[Channel(Kind.STATE)].body == b'{"banner": {}}'
            assert page.feed.viewers == 1
            for number in range(20):
                page.show(0, b"image %d" % number)
                assert (await take(socket))[CAMERA].body == b"image %d" % number

    run(page, act)
    end = time.monotonic() + 5
    while page.feed.viewers and time.monotonic() < end:
        time.sleep(0.01)
    assert page.feed.viewers == 0


def test_a_slow_page_gets_the_newest_image_and_never_a_queue(page: Served) -> None:
    async def act(session: aiohttp.ClientSession) -> None:
        async with open_page(page, session) as slow, open_page(page, session) as quick:
            await take(quick)
            number, _ = unpack_round(await slow.receive_bytes())
            shown = 0
            for count in range(60):
                page.show(0, b"%d" % count * 20_000)
                shown += CAMERA in await take(quick)
            unread = [await take(slow, answer=False)]
            assert shown == 60, "another page's slowness is none of this one's"
            await slow.send_bytes(ANSWER.pack(number + 1))
            unread.append(await take(slow, answer=False))
            assert [each[CAMERA].sequence for each in unread] == [1, 60]

    run(page, act)


def test_a_page_that_reads_nothing_is_dropped(page: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_socket, "PATIENCE_S", 0.3)

    async def act(session: aiohttp.ClientSession) -> None:
        async with open_page(page, session) as socket:
            end = time.monotonic() + 5
            while page.feed.viewers != 1:
                await asyncio.sleep(0.01)
            while page.feed.viewers and time.monotonic() < end:
                page.show(0, bytes(4_000_000))
                await asyncio.sleep(0.02)
            assert page.feed.viewers == 0
            await socket.close()

    run(page, act)


def test_a_page_too_many_is_told_so_and_the_others_stay(page: Served) -> None:
    async def act(session: aiohttp.ClientSession) -> None:
        pages = [await open_page(page, session) for _ in range(MOST_PAGES)]
        for each in pages:
            await take(each)
        async with open_page(page, session) as late:
            message = await late.receive(timeout=5)
            assert message.type is aiohttp.WSMsgType.CLOSE and message.data == page_socket.FULL
            assert message.extra == f"{MOST_PAGES} pages are open already: close one"
        page.show(0, b"image")
        for each in pages:
            assert (await take(each))[CAMERA].body == b"image"
        await pages[0].close()
        async with open_page(page, session) as next_one:
            assert CAMERA in await take(next_one)
        for each in pages:
            await each.close()

    run(page, act)


async def flood_with_text(socket: Any) -> None:
    await socket.send_str("enable")


async def flood_with_answers(socket: Any) -> None:
    for number in range(5000):
        await socket.send_bytes(struct.pack("<I", number))


async def flood_with_pings(socket: Any) -> None:
    for _ in range(5000):
        await socket.ping(b"x" * 100)


async def flood_with_one_large(socket: Any) -> None:
    await socket.send_bytes(bytes(1 << 20))


@pytest.mark.parametrize("flood", [flood_with_text, flood_with_answers, flood_with_pings, flood_with_one_large])
def test_a_page_that_floods_its_socket_is_sent_away(page: Served, flood: Callable[[Any], Awaitable[None]]) -> None:
    async def act(session: aiohttp.ClientSession) -> None:
        async with open_page(page, session) as quiet, open_page(page, session) as loud:
            await take(quiet)
            with pytest.raises((ConnectionError, TypeError)):
                await flood(loud)
                while True:
                    await loud.receive_bytes(timeout=5)
            page.show(0, b"image")
            assert (await take(quiet))[CAMERA].body == b"image"

    run(page, act)


def test_answers_to_rounds_that_never_were_open_no_window(page: Served) -> None:
    async def act(session: aiohttp.ClientSession) -> None:
        async with open_page(page, session) as socket:
            await socket.send_bytes(ANSWER.pack(2**32 - 1))
            received = 0
            for count in range(30):
                page.show(0, b"%d" % count)
                await asyncio.sleep(1 / FPS)
            with pytest.raises(asyncio.TimeoutError):
                while True:
                    await socket.receive_bytes(timeout=0.3)
                    received += 1
            assert received == page_socket.WINDOW

    run(page, act)


def test_the_end_of_the_process_is_told_to_its_pages() -> None:
    with served() as page:

        async def act(session: aiohttp.ClientSession) -> None:
            async with open_page(page, session) as socket:
                await take(socket)
                await asyncio.to_thread(page.server.stop)
                message = await socket.receive(timeout=5)
                assert (message.data, message.extra) == (page_socket.ENDING, "the page's process has ended")

        run(page, act)
