"""The page in a browser: its script runs under its own policy, and hostile words stay words."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.browser import BROWSER, PATIENCE_S, browser
from real.page.reading.pictures import encoded
from real.page.serving.feed import Channel, Kind
from tests.real.page.served import Served, served

pytestmark = pytest.mark.together

HOSTILE = "<script>document.title='taken'</script><img src=x onerror=alert(1)>"

SEEN = """JSON.stringify({
  address: location.href, title: document.title, banner: document.getElementById("banner").dataset.state,
  text: document.body.innerText, scripts: document.scripts.length, images: document.images.length,
  frames: [...document.querySelectorAll("figure canvas")].map(each => [each.width, each.height]),
  cookie: document.cookie,
})"""


async def look(page: Served, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """What a browser shows of the page, and what it complained of."""
    async with browser(folder) as open_tab:
        tab = await open_tab()
        await tab.go(f"{page.origin}/#{page.token}")
        end = time.monotonic() + PATIENCE_S
        while True:
            page.show(0, encoded(np.full((60, 80, 3), 90, np.uint8), 320, 240))
            # The page may not have come yet, and has no banner then.
            seen = json.loads(await tab.run(f'document.getElementById("banner") ? {SEEN} : "{{}}"'))
            if seen.get("banner") == "recording" and [80, 60] in seen["frames"]:
                return seen, tab.complaints
            assert time.monotonic() < end, f"not shown: {seen} {tab.complaints}"
            await asyncio.sleep(0.1)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_a_browser_shows_the_page_and_hostile_words_as_words(tmp_path: Path) -> None:
    state = {
        "banner": {"state": "recording", "text": f"recording {HOSTILE}", "detail": HOSTILE},
        "robot": HOSTILE,
        "driver": "you",
        "enable": "held",
        "gate": HOSTILE,
        "streams": [{"name": HOSTILE, "rate_hz": 30.0, "age_s": 0.01, "drops": 1, "level": "warn"}],
        "processes": [{"name": HOSTILE, "level": "error", "text": HOSTILE}],
        "cameras": [HOSTILE],
        "verdicts": [HOSTILE],
        "plan": {"goal": 50, "done": 23, "per_hour": 41.2},
        "recorder": {
            "store": HOSTILE,
            "task": HOSTILE,
            "instruction": HOSTILE,
            "seed": 3,
            "label": HOSTILE,
            "discarded": 1,
            "rows": 2,
            "disk_minutes": 3.5,
        },
    }
    with served() as page:
        page.feed.publish(Channel(Kind.STATE), json.dumps(state).encode())
        seen, complaints = asyncio.run(look(page, tmp_path))
        assert page.alive
    assert not complaints, "the page's script runs under its own policy"
    assert seen["address"] == f"{page.origin}/" and seen["cookie"] == "", "the token is gone, the cookie hidden"
    assert seen["title"].startswith("recording <script>") and seen["text"].count(HOSTILE) >= 8
    assert (seen["scripts"], seen["images"]) == (1, 0)
    assert "23 of 50" in seen["text"] and "3 min left" in seen["text"]
