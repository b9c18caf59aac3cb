"""The page in a browser: a person looks, scrubs and marks, and the file of marks says that and nothing else."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any, Callable, Coroutine

import numpy as np
import pytest

from benchmarks.browser import BROWSER, Tab, browser
from data.edit.copying.origin import Origin
from data.edit.marks import blank_mark, marks_path, read_marks
from data.store.dataset import Dataset
from tests.tiller.looking.conftest import Page, looked_at
from tests.tiller.looking.test_hostile import HOSTILE, foreign
from tiller.cli import main

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")

OPENED = "document.getElementById('title').textContent.startsWith('#{}')"
DRAWN = "[...document.querySelectorAll('#cameras canvas')].filter(each => each.width === 64).length === 3"
PIXEL = """(() => {{ const canvas = document.querySelectorAll('#cameras canvas')[{}];
  return [...canvas.getContext('2d').getImageData(5, 7, 1, 1).data].slice(0, 3) }})()"""
SAVED = "document.getElementById('saving').textContent === 'all marks saved'"
ROW = "document.getElementById('clock').textContent.includes('row {} of')"


def drive(tmp_path: Path, act: Callable[[Callable[[], Coroutine[Any, Any, Tab]]], Coroutine[Any, Any, None]]) -> None:
    async def within() -> None:
        async with browser(tmp_path / "profile") as open_tab:
            await act(open_tab)

    asyncio.run(within())


async def enter(tab: Tab, page: Page) -> None:
    await tab.go(f"{page.address}#{page.token}")
    await tab.until("document.querySelector('article .picture canvas')")
    assert await tab.run("location.href") == f"{page.address}" and await tab.run("document.cookie") == ""


async def press(tab: Tab, *keys: str) -> None:
    for key in keys:
        await tab.press(key)


def test_a_person_looks_scrubs_and_marks_and_apply_carries_it_out(made: Path, tmp_path: Path) -> None:
    store = tmp_path / "cups"
    shutil.copytree(made, store)

    async def act(open_tab: Callable[[], Coroutine[Any, Any, Tab]]) -> None:
        tab, other = await open_tab(), await open_tab()
        await enter(tab, page)
        assert await tab.run("document.querySelectorAll('article').length") == 4
        await tab.run("document.querySelector('article[data-episode=\"1\"]').click()")
        await tab.until(OPENED.format(1))
        await tab.until(DRAWN)

        # Scrubbing: the row in the middle of the overview, and then some by keys.
        box = await tab.run("(({left, top, width}) => [left, top, width])(overview.getBoundingClientRect())")
        where = {"x": box[0] + box[2] * 0.5, "y": box[1] + 10, "button": "left", "clickCount": 1}
        await tab.call("Input.dispatchMouseEvent", type="mousePressed", **where)
        await tab.call("Input.dispatchMouseEvent", type="mouseReleased", **where)
        await tab.until("/row 1[56] of/.test(document.getElementById('clock').textContent)")
        await press(tab, "Home", "ArrowRight", "ArrowRight")
        await tab.until(ROW.format(2))
        await tab.until(f"(pixel => Math.abs(pixel[2] - 33) < 6)({PIXEL.format(0)})")
        assert (await tab.run(PIXEL.format(1)))[2] == 33, "raw frames come without loss"
        assert await tab.run("document.querySelectorAll('#cameras figcaption')[2].textContent.startsWith('depth, 4')")
        await tab.until("[...document.querySelectorAll('.legend b')].some(each => each.textContent === 'arm.joints')")
        await tab.until("document.querySelector('.cells button span:last-child').textContent !== ''")

        # A cut of rows 2 to 24, a drop of the next one, a relabel of the one after, words of the last.
        await press(tab, "[", "End", *["ArrowLeft"] * 6, "]")
        await press(tab, "n")
        await tab.until(OPENED.format(2))
        await press(tab, "x", "n")
        await tab.until(OPENED.format(3))
        await press(tab, "s")
        await tab.type("labels", "slow, twice")
        await tab.type("note", HOSTILE)
        await tab.until(SAVED)
        await tab.until("document.getElementById('summary').textContent.includes('3 marked')")

        # Another window sees it, and marks an episode of its own; this one then sees that.
        await enter(other, page)
        await other.until("document.querySelectorAll('article [data-level=\"label\"]').length === 2")
        await other.run("document.querySelector('article[data-episode=\"0\"]').click()")
        await other.until(OPENED.format(0))
        await press(other, "k")
        await other.until(SAVED)
        await tab.front()
        await tab.until("document.getElementById('summary').textContent.includes('4 marked')")
        for each in (tab, other):
            assert not each.complaints and await each.run("document.images.length") == 1

    with looked_at(store) as page:
        drive(tmp_path, act)
    origin = Origin(store)
    expected = {
        0: {"keep": True},
        1: {"cut": [2, 25]},
        2: {"keep": False},
        3: {"success": True, "labels": ["slow", "twice"], "note": HOSTILE},
    }
    marks = read_marks(marks_path(store))
    assert {index: mark.to_json() for index, mark in marks.episodes.items()} == {
        index: {**blank_mark(origin, index).to_json(), **each} for index, each in expected.items()
    }
    assert main(["data", "apply", str(marks_path(store)), str(tmp_path / "applied")]) == 0
    applied, before = Dataset.open(tmp_path / "applied"), Dataset.open(store)
    assert np.diff(applied.episode_ends, prepend=0).tolist() == [30, 23, 33]
    assert applied.meta("success").tolist() == [True, False, True] and applied.meta("note")[2] == HOSTILE
    np.testing.assert_array_equal(applied.episode(1).data["wrist"], before.episode(1).data["wrist"][2:25])


def test_hostile_words_stay_words_and_what_is_not_saved_is_said(made: Path, tmp_path: Path) -> None:
    store = tmp_path / "cups"
    shutil.copytree(made, store)
    rows = np.array([[np.nan, 1.0], [np.inf, 2.0], [3.0, 4.0]])
    bad = foreign(
        tmp_path / "bad <b>", {"action": rows, HOSTILE: rows, "front": np.zeros((3, 9, 9, 3), np.uint8)}, [3, 3]
    )

    async def act(open_tab: Callable[[], Coroutine[Any, Any, Tab]]) -> None:
        tab = await open_tab()
        await enter(tab, page)
        await tab.run("document.querySelector('article').click()")
        await tab.until(OPENED.format(0))
        await tab.until(
            f"[...document.querySelectorAll('.legend b')].some(each => each.textContent === {json.dumps(HOSTILE)})"
        )
        await tab.until(
            "[...document.querySelectorAll('.legend em')].some(each => each.textContent.includes('2 not finite'))"
        )
        assert await tab.run("document.getElementById('drop').disabled"), "a store of another program is not marked"
        await tab.run("store.value = '1'; store.dispatchEvent(new Event('change'))")
        await tab.until("document.querySelector('article[data-episode=\"3\"] canvas')")
        await tab.run("document.querySelector('article').click()")
        await tab.until(DRAWN)
        marks_path(store).write_text("{")
        await press(tab, "x")
        await tab.until("document.getElementById('saving').textContent.startsWith('not saved: episode 0')")
        assert await tab.run("document.getElementById('drop').getAttribute('aria-pressed')") == "true"
        marks_path(store).unlink()
        await tab.run("document.getElementById('retry').click()")
        await tab.until(SAVED)
        assert await tab.run("document.images.length") == 1 and await tab.run("document.scripts.length") == 1
        refused = [each for each in tab.complaints if "422" not in each]
        assert not refused, refused

    with looked_at(bad, store) as page:
        drive(tmp_path, act)
    assert read_marks(marks_path(store)).episodes[0].keep is False
