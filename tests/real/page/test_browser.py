"""The page in a browser: its script runs under its own policy, and hostile words stay words."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from real.page.reading.pictures import encoded
from real.page.serving.feed import Channel, Kind
from tests.real.page.served import Served, served

pytestmark = pytest.mark.together

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking "
    "disable-component-update disable-sync"
)
HOSTILE = "<script>document.title='taken'</script><img src=x onerror=alert(1)>"
SHOWN_S = 20.0

SEEN = """JSON.stringify({
  address: location.href, title: document.title, banner: document.getElementById("banner").dataset.state,
  text: document.body.innerText, scripts: document.scripts.length, images: document.images.length,
  frames: [...document.querySelectorAll("figure canvas")].map(each => [each.width, each.height]),
  cookie: document.cookie,
})"""


async def look(page: Served, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """What a browser shows of the page, and what it complained of."""
    assert BROWSER is not None
    words = [
        BROWSER,
        *(f"--{flag}" for flag in FLAGS.split()),
        f"--user-data-dir={folder}",
        "--remote-debugging-port=0",
    ]
    browser = subprocess.Popen([*words, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ports, end = folder / "DevToolsActivePort", time.monotonic() + SHOWN_S
        while not ports.exists() or not ports.read_text():
            assert time.monotonic() < end, "the browser does not start"
            await asyncio.sleep(0.1)
        tools = f"http://127.0.0.1:{ports.read_text().split()[0]}"
        async with aiohttp.ClientSession() as session:
            async with session.put(f"{tools}/json/new?about:blank") as answer:
                address = (await answer.json())["webSocketDebuggerUrl"]
            async with session.ws_connect(address, max_msg_size=0) as socket:
                return await _watch(page, socket)
    finally:
        browser.send_signal(signal.SIGTERM)
        browser.wait(timeout=10)


async def _watch(page: Served, socket: Any) -> tuple[dict[str, Any], list[str]]:
    complaints: list[str] = []
    number = 0

    async def call(method: str, **parameters: Any) -> dict[str, Any]:
        nonlocal number
        number += 1
        await socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await socket.receive_json(timeout=SHOWN_S)
            if message.get("id") == number:
                return message["result"]  # type: ignore[no-any-return]
            level = message.get("params", {}).get("entry", {}).get("level")
            if message.get("method") == "Runtime.exceptionThrown" or level == "error":
                complaints.append(json.dumps(message["params"])[:500])

    for domain in ("Runtime", "Log", "Page"):
        await call(f"{domain}.enable")
    await call("Page.navigate", url=f"{page.origin}/#{page.token}")
    end = time.monotonic() + SHOWN_S
    while True:
        page.show(0, encoded(np.full((60, 80, 3), 90, np.uint8), 320, 240))
        result = (await call("Runtime.evaluate", expression=SEEN))["result"]
        seen: dict[str, Any] = json.loads(result["value"]) if "value" in result else {}
        if seen.get("banner") == "recording" and [80, 60] in seen["frames"]:
            return seen, complaints
        assert time.monotonic() < end, f"not shown: {seen} {complaints}"
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
