"""A browser that is driven through its DevTools socket: pages, scripts in them, keys, pictures."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import signal
import subprocess
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, AsyncIterator

import aiohttp

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "headless no-sandbox disable-gpu enable-unsafe-swiftshader disable-quic no-first-run "
    "disable-background-networking disable-component-update disable-sync window-size=1400,900"
)
PATIENCE_S = 20.0


class Tab:
    """One page of the browser.

    Attributes:
        complaints: what the page's scripts and its policy complained of.
    """

    def __init__(self, socket: Any) -> None:
        self._socket, self._number = socket, 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.complaints: list[str] = []
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for message in self._socket:
            said = json.loads(message.data)
            waiting = self._answers.pop(said.get("id", -1), None)
            if waiting is not None:
                waiting.set_result(said)
            level = said.get("params", {}).get("entry", {}).get("level")
            if said.get("method") == "Runtime.exceptionThrown" or level == "error":
                self.complaints.append(json.dumps(said["params"])[:600])
            if said.get("method") == "Runtime.consoleAPICalled" and said["params"]["type"] in ("warning", "error"):
                self.complaints.append(json.dumps(said["params"]["args"])[:600])
            if said.get("method") == "Page.javascriptDialogOpening":
                self.complaints.append(f"a dialog: {said['params'].get('message')}")

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        said = await asyncio.wait_for(answer, PATIENCE_S)
        assert "error" not in said, f"{method}: {said['error']}"
        return said["result"]  # type: ignore[no-any-return]

    async def front(self) -> None:
        """Be the tab in front: one behind is not drawn, and its clocks are slowed down."""
        await self.call("Page.bringToFront")

    async def go(self, address: str) -> None:
        """Open an address, in front."""
        await self.front()
        await self.call("Page.navigate", url=address)

    async def run(self, script: str) -> Any:
        """The value of a script in the page."""
        result = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, f"{script}: {result['exceptionDetails']}"
        return result["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait until the value of a script is true."""
        end_s = time.monotonic() + PATIENCE_S
        while not await self.run(f"!!({script})"):
            said = await self.run("document.body?.innerText")
            assert time.monotonic() < end_s, f"waited for {script}: {said} {self.complaints}"
            await asyncio.sleep(0.05)

    async def press(self, key: str, code: str = "") -> None:
        """Press a key, such as `x` or `ArrowRight`."""
        text = {"text": key} if len(key) == 1 else {}
        await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=code, **text)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=code)

    async def type(self, element: str, text: str) -> None:
        """Write in a field, and leave it."""
        await self.run(f"document.getElementById({json.dumps(element)}).focus()")
        await self.call("Input.insertText", text=text)
        await self.run("document.activeElement.blur()")

    async def picture(self, file: Path) -> None:
        """Write what is seen as a PNG."""
        taken = await self.call("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(taken["data"]))


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Any]:
    """A browser with its profile in a folder; called, it opens a tab."""
    assert BROWSER is not None
    words = [
        BROWSER,
        *(f"--{flag}" for flag in FLAGS.split()),
        f"--user-data-dir={folder}",
        "--remote-debugging-port=0",
    ]
    process = subprocess.Popen([*words, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ports, end_s = folder / "DevToolsActivePort", time.monotonic() + PATIENCE_S
        while not ports.exists() or not ports.read_text():
            assert time.monotonic() < end_s, "the browser does not start"
            await asyncio.sleep(0.05)
        tools = f"http://127.0.0.1:{ports.read_text().split()[0]}"
        async with aiohttp.ClientSession() as session:

            async def open_tab() -> Tab:
                async with session.put(f"{tools}/json/new?about:blank") as answer:
                    address = (await answer.json())["webSocketDebuggerUrl"]
                tab = Tab(await session.ws_connect(address, max_msg_size=0))
                for domain in ("Runtime", "Log", "Page"):
                    await tab.call(f"{domain}.enable")
                return tab

            yield open_tab
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)
