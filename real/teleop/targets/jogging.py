"""A person's input made into targets: from the last command on, within the contract's limits, never far ahead."""

from __future__ import annotations

import numpy as np

from real.teleop.device import Wish
from real.teleop.targets.clutch import MATCH_RAD, PoseClutch, joints_apart
from real.teleop.targets.motion import PartMotion
from real.teleop.targets.parts import JoggedPart, Speeds, parts_of
from robot.contract.contract import Contract
from robot.description.loading import RobotDescription

FRAMES = ("base", "tool")
STILL = 1e-9  # change of a target, in any unit, that is none


class Jogging:
    """The target of a person who moves the robot by velocities, by the pose of a hand, or by a leader arm.

    It starts from what the gate sent last, so that a take-over is no jump, and is drawn along when the gate's limits
    keep the robot back: motion that was requested and not done is not made up for later.

    Args:
        contract: of the robot.
        description: of the robot.
        speeds: at full stick, and the largest of poses and leader arms.
        frame: `base`, or `tool` for motions along and about the axes of the tcp.
        scale: metres of the tcp per metre of a hand.
        match_rad: by which a leader arm may differ from the robot when the clutch closes.

    Attributes:
        moving: the last target differs from the one before it.
        refused: why the device's input is not followed, until the clutch opens; empty when it is.
    """

    def __init__(
        self,
        contract: Contract,
        description: RobotDescription,
        speeds: Speeds = Speeds(),
        frame: str = "base",
        scale: float = 1.0,
        match_rad: float = MATCH_RAD,
    ):
        self.parts = parts_of(contract, description, speeds)
        self.moving, self.refused = False, ""
        self._motions = tuple(PartMotion(part) for part in self.parts)
        self._arms = 1 + max(part.arm for part in self.parts)
        self._in_tool, self._match_rad = frame == "tool", match_rad
        self._pose = PoseClutch(scale, self._in_tool)
        self._target: np.ndarray | None = None
        self._goal: np.ndarray | None = None
        self._matched = False
        self._part = 0

    @property
    def homing(self) -> bool:
        """Whether the target is on its way to a goal by itself."""
        return self._goal is not None

    def part(self, wish: Wish) -> JoggedPart:
        return self.parts[self._number(wish)]

    def go_to(self, goal: np.ndarray) -> None:
        """Move all parts and tools to a goal (dim,), while the device is held and moves nothing else."""
        self._stop()
        self._goal = goal

    def let_go(self) -> None:
        """Stop, and start anew from the command that is sent then."""
        self._stop()
        self._pose.open()
        self._target = self._goal = None
        self._matched = self.moving = False
        self.refused = ""

    def step(self, wish: Wish, sent: np.ndarray, dt: float) -> np.ndarray:
        """The next target (dim,): where the person moves the robot, a constant one at rest, and what was sent while the
        device is not held.

        Args:
            wish: of the device.
            sent: (dim,) the last command of the gate.
            dt: s since the last step, in the robot's time.
        """
        if wish.part != self._part:
            self.let_go()
            self._part = wish.part
        if not wish.held:
            self.let_go()
            return np.array(sent, dtype=np.float64)
        if wish.moves and self._goal is not None:
            self._stop()
            self._goal = None
        before = np.array(sent, dtype=np.float64) if self._target is None else self._target
        self._target = before.copy()
        if dt > 0:
            self._advance(wish, self._target, sent, dt)
        self.moving = bool(np.abs(self._target - before).max() > STILL)
        return self._target.copy()

    def _advance(self, wish: Wish, target: np.ndarray, sent: np.ndarray, dt: float) -> None:
        """Move the target by one step."""
        if self._goal is not None:
            self._approach_goal(self._goal, target, sent, dt)
        elif wish.pose is not None or wish.joints is not None:
            self.refused = self.refused or self._refusal(wish, sent)
            if not self.refused:
                self._follow(wish, target, sent, dt)
        else:
            motion = self._motions[self._number(wish)]
            if wish.moves or not motion.resting:
                motion.jog(target, sent, wish.motion, dt, self._in_tool)
                motion.grip(target, sent, wish.grip, dt)

    def _approach_goal(self, goal: np.ndarray, target: np.ndarray, sent: np.ndarray, dt: float) -> None:
        there = [motion.approach(target, sent, goal[motion.part.columns], dt) for motion in self._motions]
        for motion in {motion.part.arm: motion for motion in self._motions}.values():
            there.append(motion.approach_tool(target, sent, goal[motion.part.tool], dt))
        if all(there):
            self._stop()
            self._goal = None

    def _follow(self, wish: Wish, target: np.ndarray, sent: np.ndarray, dt: float) -> None:
        if wish.pose is not None:
            motion = self._motions[self._number(wish)]
            motion.approach(target, sent, self._pose.goal(wish.pose, target[motion.part.columns]), dt)
            motion.grip(target, sent, wish.grip, dt)
            return
        assert wish.joints is not None
        self._matched = True
        motions = self._motions_of(wish)
        ends = np.cumsum([len(motion.part.columns) for motion in motions])[:-1]
        for motion, goal in zip(motions, np.split(wish.joints, ends)):
            motion.approach(target, sent, goal, dt)
        motions[0].grip(target, sent, wish.grip, dt)

    def _refusal(self, wish: Wish, sent: np.ndarray) -> str:
        """Why a pose or joints are not followed; empty when they are."""
        is_tcp = self.part(wish).is_tcp
        if wish.pose is not None:
            numbers = np.concatenate([wish.pose.position, wish.pose.rotation])
            if not is_tcp:
                return "The pose of a hand moves a tcp, and this contract controls joints"
            return "" if numbers.shape == (6,) and np.isfinite(numbers).all() else "The device reports no pose"
        assert wish.joints is not None
        if is_tcp:
            return "A leader arm leads joints, and this contract controls the tcp"
        parts = tuple(motion.part for motion in self._motions_of(wish))
        count = sum(len(part.columns) for part in parts)
        if wish.joints.shape != (count,) or not np.isfinite(wish.joints).all():
            return f"The leader reports no {count} joint angles"
        return "" if self._matched else joints_apart(parts, wish.joints, sent, self._match_rad)

    def _number(self, wish: Wish) -> int:
        if wish.joints is None:
            return wish.part % len(self.parts)
        return next(at for at, part in enumerate(self.parts) if part.arm == wish.part % self._arms)

    def _motions_of(self, wish: Wish) -> list[PartMotion]:
        arm = wish.part % self._arms
        return [motion for motion in self._motions if motion.part.arm == arm]

    def _stop(self) -> None:
        for motion in self._motions:
            motion.stop()
