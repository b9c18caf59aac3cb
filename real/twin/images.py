"""What a twin's cameras see, drawn for streams that have a subscriber."""

from __future__ import annotations

from typing import Iterable

from real.twin.publishers import TwinPublishers
from robot.contract.contract import Contract
from robot.errors import InputError
from sim.drivers import Command
from sim.drivers.world import World
from sim.twin.cameras import CameraProcess


def image_size(contract: Contract) -> tuple[int, int] | None:
    """Height and width of the contract's images, the same for all; None without cameras.

    Raises:
        InputError: a stream of depth, or cameras of several sizes.
    """
    streams = {name: contract.state[name] for name in contract.cameras}
    deep = [name for name, stream in streams.items() if stream.type == "depth"]
    if deep:
        raise InputError(f"state '{deep[0]}' of a twin", expected="an image: the renderer draws no depth", got="depth")
    sizes = {stream.size or (96, 96) for stream in streams.values()}
    if len(sizes) > 1:
        raise InputError(f"cameras of contract '{contract.name}'", expected="one size for all", got=str(sorted(sizes)))
    return next(iter(sizes), None)  # type: ignore[return-value]


class TwinImages:
    """Draws in a process of its own; in lock-step in this one, as time is paused meanwhile.

    Args:
        contract: of the robot.
        world: of the twin.
        publishers: of its streams.
        size: height and width, px; None draws nothing.
        lock_step: whether time is paused for it.
    """

    def __init__(
        self,
        contract: Contract,
        world: World,
        publishers: TwinPublishers,
        size: tuple[int, int] | None,
        lock_step: bool,
    ) -> None:
        self._cameras, self._world, self._publishers = contract.cameras, world, publishers
        self._draws_here = size is not None and lock_step
        self._process = (
            CameraProcess(world.robot.scene, contract.cameras, height=size[0], width=size[1])
            if size and not lock_step
            else None
        )
        # The renderer's time goes on over resets: what it drew before one is known by it.
        self._before_ns, self._shown_ns, self._drawn_ns = 0, -1, -1

    def publish(self, due: Iterable[str], offset_ns: int, now_ns: int) -> None:
        """Publish what was drawn, and have what is due drawn.

        Args:
            due: names of streams.
            offset_ns: of ROS's time to the twin's.
            now_ns: time of the faults.
        """
        has_subscriber, twin_ns = self._publishers.has_subscriber, self._world.robot.clock.now_ns()
        due = [name for name in self._cameras if name in due and has_subscriber(name)]
        if self._draws_here:
            for name in due:
                image = Command(self._world.image(name), frame=name, stamp_ns=twin_ns + offset_ns)
                self._publishers.say(name, image, now_ns)
        elif self._process is not None:
            shown_ns = self._shown_ns
            if due:
                self._drawn_ns = self._before_ns + twin_ns
                self._process.show(self._world.robot.scene.data, self._drawn_ns)
            for name, picture in self._process.pictures().items():
                if picture.stamp_ns > shown_ns and has_subscriber(name):
                    stamp_ns = picture.stamp_ns - self._before_ns + offset_ns
                    self._publishers.say(name, Command(picture.pixels, frame=name, stamp_ns=stamp_ns), now_ns)
                self._shown_ns = max(self._shown_ns, picture.stamp_ns)

    def reset(self) -> None:
        """Forget what was drawn or still is: time begins anew."""
        self._shown_ns = self._drawn_ns
        self._before_ns = self._drawn_ns + 1

    def close(self) -> None:
        """End the renderer."""
        if self._process is not None:
            self._process.close()
