"""Whether the twin keeps real time while its cameras are drawn, and how fast that is beside MuJoCo's own renderer.

    python benchmarks/realtime.py [--robot panda] [--seconds 5] [--size 240]

Physics: simulated over real time, and how late the ticks of 10 ms came, alone, with the renderer of another process
drawing as fast as it can, and with a Python thread of this process that never rests. Drawing: pictures a second of the
camera `front` by the renderer that environments keep, by `mujoco.Renderer` as it comes and without its shadows and
reflections, and by the process beside the physics, interleaved in one run.
"""

from __future__ import annotations

import argparse
import os
import threading
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

from sim.rendering.backend import SceneRenderer, require_backend

require_backend()  # MuJoCo's own renderer chooses its platform when MuJoCo is imported

import mujoco  # noqa: E402
import numpy as np  # noqa: E402

from robot.description.loading import load_robot  # noqa: E402
from sim.twin.cameras import CameraProcess  # noqa: E402
from sim.twin.model.assembly import FELT  # noqa: E402
from sim.twin.model.scene import Scene, compile_scene, new_scene  # noqa: E402
from sim.twin.realtime import RealTimeTwin  # noqa: E402
from sim.twin.robot import TwinRobot  # noqa: E402

PERIOD_S = 0.05
ROUNDS = 5


def make_scene(robot: str) -> Scene:
    """A robot at its table with a cube."""
    spec = new_scene(0.002)
    cube = spec.worldbody.add_body(name="cube", pos=[0.5, 0, 0.02])
    cube.add_freejoint()
    cube.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.02] * 3)
    return compile_scene(spec, load_robot(robot))


def drawing(scene: Scene, size: int) -> None:
    """Pictures a second, each way in turn."""
    camera = scene.id("camera", "front")
    ours = SceneRenderer(scene.model, size, size, hidden_groups=(FELT, 3))
    theirs = mujoco.Renderer(scene.model, size, size)
    shown = mujoco.MjvOption()
    shown.geomgroup[[FELT, 3]] = 0

    def draw_theirs(flags: bool) -> None:
        theirs.update_scene(scene.data, camera, shown)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            theirs.scene.flags[flag] = flags
        theirs.render()

    ways = {
        "ours": lambda: ours.draw(scene.data, camera),
        "mujoco.Renderer": lambda: draw_theirs(True),
        "mujoco.Renderer without shadows": lambda: draw_theirs(False),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, draw in ways.items():
            for _ in range(20):
                started = time.perf_counter()
                draw()
                times[name].append(time.perf_counter() - started)
    for name, each in times.items():
        print(f"{name:34s} {1 / np.median(each):7.1f} pictures/s")
    ours.close()
    theirs.close()


def living(scene: Scene, seconds: float, size: int, *, cameras: bool, busy: bool) -> None:
    """Keep real time, alone or beside what wants the processor too."""
    twin = TwinRobot(scene, scene.description.action_spec(PERIOD_S))
    twin.run_for(100_000_000)  # compiled before the clock runs
    renderer = CameraProcess(scene, ("front",), height=size, width=size) if cameras else None
    resting = threading.Event()

    def spin() -> None:
        while not resting.is_set():
            sum(range(1000))

    if busy:
        threading.Thread(target=spin, daemon=True).start()
    with RealTimeTwin(twin, cameras=renderer) as live:
        started = time.perf_counter()
        time.sleep(seconds)
        real = time.perf_counter() - started
        pace = live.pace
        frames = 0 if renderer is None else renderer.frames
    resting.set()
    if renderer is not None:
        renderer.close()
    beside = ", ".join(["renderer"] * cameras + ["busy thread"] * busy) or "nothing"
    print(
        f"beside {beside:22s} real-time factor {pace.simulated_s / real:.3f}, ticks late by "
        f"{pace.late_p50_s * 1e3:.2f} ms (p99 {pace.late_p99_s * 1e3:.2f}, most {pace.late_max_s * 1e3:.2f}), "
        f"lost {pace.lost_s:.3f} s" + (f", {frames / real:.1f} pictures/s" if cameras else "")
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--robot", default="panda")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--size", type=int, default=240)
    given = parser.parse_args()
    made = make_scene(given.robot)
    for with_cameras, with_thread in ((False, False), (True, False), (True, True)):
        living(made, given.seconds, given.size, cameras=with_cameras, busy=with_thread)
    drawing(made, given.size)
