"""How soon `tiller data view` shows a first frame, and how many a second it shows while somebody scrubs, in Chromium.

    python -m benchmarks.view [--episodes 500] [--rows 24] [--seconds 10] [--folder DIR] [--picture FILE]

The store has three cameras of 640 x 480 as JPEG of quality 90 and the numbers of a recording; its episodes are short
but for one, and a few hundred of its frames are different, each written as a frame of its own. The server is a process
as a person starts it; the browser is headless and is driven through its DevTools socket. The first frame counts from
the moment at which the address is opened until one is on the screen: in the list, and of an episode that is opened by
its address. While scrubbing the cursor is moved 60 times a second over the whole long episode, to and fro in four
seconds each, and what counts are rows of which all cameras have been drawn. The page has kept no frame in the first
pass, and many in the second.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.browser import BROWSER, Tab, browser
from benchmarks.processor_time import processor_s
from data.store.dataset import Dataset
from data.store.images.encoding import Encoding
from data.store.names import INSTRUCTION, INTERVENTION, SUCCESS, TIME
from data.store.schema import Schema
from real.page.serving.access import new_token
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from tiller.data_verbs.looking import TOKEN

CAMERAS = ("front", "side", "wrist")
DIFFERENT = 240
HEIGHT, WIDTH = 480, 640
PERIOD_S = 0.05
LONG, LONG_ROWS = 217, 900  # the episode that is scrubbed
A_COMMIT = 50  # episodes
FIRST_S, LEAST_FPS = 2.0, 15.0

SCRUB = """(async () => {
  const overview = document.getElementById("overview");
  const box = overview.getBoundingClientRect();
  const shown = [];
  const count = event => shown.push([performance.now(), event.detail.row]);
  document.addEventListener("frames", count);
  const send = (type, x) => overview.dispatchEvent(new PointerEvent(type, {
    bubbles: true, pointerId: 1, isPrimary: true, buttons: 1, clientX: x, clientY: box.top + 10,
  }));
  overview.setPointerCapture = () => {};
  overview.hasPointerCapture = () => true;
  const began = performance.now();
  send("pointerdown", box.left);
  await new Promise(resolve => {
    const move = () => {
      const t = (performance.now() - began) / 1000;
      if (t > SECONDS) return resolve();
      const phase = (t / 4) % 2;
      send("pointermove", box.left + box.width * (phase < 1 ? phase : 2 - phase));
      setTimeout(move, 1000 / 60);
    };
    move();
  });
  document.removeEventListener("frames", count);
  const rows = new Set(shown.map(each => each[1])).size;
  return { seconds: (performance.now() - began) / 1000, drawn: shown.length, rows };
})()"""


def pictures() -> list[bytes]:
    """JPEGs of the size of a rendered scene's, 640 x 480."""
    import imagecodecs

    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    draw = np.random.default_rng(0)
    grain = draw.normal(scale=3, size=(HEIGHT, WIDTH, 3))
    images = []
    for number in range(DIFFERENT):
        image = np.stack([90 + x / 8, 80 + y / 6, 120 + 40 * np.sin(x / 90 + number / 20)], axis=2)
        for body in range(12):
            at = draw.uniform((40, 40), (HEIGHT - 40, WIDTH - 40))
            inside = (y - at[0]) ** 2 + (x - at[1]) ** 2 < (14 + 4 * body) ** 2
            image[inside] = draw.integers(0, 256, 3) + 30 * np.sin(x[inside] / 5)[:, None]
        images.append(bytes(imagecodecs.jpeg8_encode(np.clip(image + grain, 0, 255).astype(np.uint8), level=90)))
    return images


def make_store(path: Path, episodes: int, rows: int) -> None:
    """A store of so many episodes."""
    cameras = [ObservationField(name, (HEIGHT, WIDTH, 3), "uint8", "1", "image") for name in CAMERAS]
    schema = Schema(
        ObservationSpec(
            (
                ObservationField("arm.joints", (7,), "float32", "rad", "joint"),
                ObservationField("tcp.wrench", (6,), "float32", "N N N N*m N*m N*m", "wrench"),
                *cameras,
            )
        ),
        ActionSpec(
            (ActionField("arm.joints", 7, "rad", "joint"), ActionField("gripper.width", 1, "m", "width")), PERIOD_S
        ),
        PERIOD_S,
        (INSTRUCTION, SUCCESS),
        columns=(TIME, INTERVENTION),
        encodings={name: Encoding("as_it_came") for name in CAMERAS},
    )
    draw, images = np.random.default_rng(1), pictures()
    rest = np.array([0.0, 0.2, 0.0, -2.2, 0.0, 2.4, 0.8])
    with Dataset.create(path, schema, {"robot": "panda"}) as dataset:
        for first in range(0, episodes, A_COMMIT):
            with dataset.writer() as writer:
                for number in range(first, min(first + A_COMMIT, episodes)):
                    count = LONG_ROWS if number == LONG else rows
                    swing = rest + 0.3 * np.sin(np.arange(count)[:, None] / 9 + np.arange(7) + number)
                    chosen = draw.integers(0, DIFFERENT, (len(CAMERAS), count))
                    writer.add(
                        {
                            "arm.joints": swing.astype(np.float32),
                            "tcp.wrench": draw.normal(size=(count, 6)).astype(np.float32),
                            "action": np.column_stack([swing, np.full(count, 0.08)]).astype(np.float32),
                            "time_ns": (number * 1000 + np.arange(count)) * 50_000_000,
                            "intervention": np.arange(count) > count // 2,
                            **{name: [images[each] for each in chosen[at]] for at, name in enumerate(CAMERAS)},
                        }
                    )
                    writer.end({"instruction": f"put the cup on shelf {number % 7}", "success": number % 3 > 0})
                writer.commit()


async def measure(address: str, token: str, seconds: float, pid: int, picture: Path | None) -> dict[str, Any]:
    """What a browser shows of the page."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with browser(Path(folder)) as open_tab:
            warm: Tab = await open_tab()
            await warm.go(address)  # without its token: the browser itself has started then
            await warm.until("document.readyState === 'complete'")
            tab: Tab = await open_tab()
            await warm.call("Page.close")
            began = time.monotonic()
            await tab.go(f"{address}#{token}")
            await tab.until("document.querySelector('article .picture canvas')")
            listed_s = time.monotonic() - began
            began = time.monotonic()
            await tab.go(f"{address}?store=0&episode={LONG}")
            await tab.until("[...document.querySelectorAll('#cameras canvas')].filter(each => each.width === 640)[2]")
            opened_s = time.monotonic() - began
            await tab.until("document.querySelector('.lane canvas')")
            await asyncio.sleep(3)  # the scene of the robot is read
            used_s = processor_s(pid)
            passes = [await tab.run(SCRUB.replace("SECONDS", str(seconds))) for _ in range(2)]
            share = (processor_s(pid) - used_s) / sum(each["seconds"] for each in passes)
            if picture is not None:
                await tab.picture(picture)
            assert not tab.complaints, tab.complaints
            return {"listed_s": listed_s, "opened_s": opened_s, "passes": passes, "share": share}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=500)
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--folder", type=Path, help="keeps the store there, and takes one that is there")
    parser.add_argument("--picture", type=Path, help="of the page, as a PNG")
    options = parser.parse_args()
    if BROWSER is None:
        print("skipped: no Chromium is installed")
        return 0
    folder = options.folder or Path(tempfile.mkdtemp(prefix="view"))
    store = folder / "store"
    try:
        if not store.exists():
            began = time.monotonic()
            make_store(store, options.episodes, options.rows)
            print(f"made in {time.monotonic() - began:.0f} s")
        size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
        print(f"{options.episodes} episodes of {options.rows} rows, {len(CAMERAS)} cameras, {size / 1e9:.2f} GB")
        return show(store, options.seconds, options.picture)
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


def show(store: Path, seconds: float, picture: Path | None) -> int:
    """Serve a store, measure, print; 1 where a figure is missed."""
    token = new_token()
    began = time.monotonic()
    server = subprocess.Popen(
        [sys.executable, "-m", "tiller", "data", "view", str(store)],
        env={**os.environ, TOKEN: token},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().removeprefix("view: ").strip()
        print(f"address printed after {time.monotonic() - began:.1f} s")
        seen = asyncio.run(measure(address, token, seconds, server.pid, picture))
        memory = next(line for line in Path(f"/proc/{server.pid}/status").read_text().splitlines() if "VmHWM" in line)
    finally:
        server.terminate()
        server.wait()
    print(f"first frame in the list {seen['listed_s']:.2f} s, of an episode {seen['opened_s']:.2f} s after its address")
    rates = [each["drawn"] / each["seconds"] for each in seen["passes"]]
    for name, each, rate in zip(("cold", "warm"), seen["passes"], rates):
        print(f"scrubbing, {name}: {rate:.1f} frames/s of all cameras together, {each['rows']} different rows")
    print(f"server: {100 * seen['share']:.0f} % of a core, {int(memory.split()[1]) >> 10} MiB at most")
    good = max(seen["listed_s"], seen["opened_s"]) <= FIRST_S and rates[0] >= LEAST_FPS
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
