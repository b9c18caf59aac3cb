"""Who has the robot: the person from the first motion on, until the person gives it back."""

from __future__ import annotations

from real.teleop.device import Wish


class TakeOver:
    """The latch of a take-over.

    A motion that goes on while the robot is given back does not take it again: the device has to rest once.

    Attributes:
        taken: the person has the robot.
    """

    def __init__(self) -> None:
        self.taken = False
        self._rested = True

    def step(self, wish: Wish) -> bool:
        """Whether the person has the robot after an input."""
        for event in wish.events:
            if event == "take" or (event == "home" and wish.held):
                self.taken = True
            elif event == "give":
                self.taken = self._rested = False
        self._rested = self._rested or not wish.moves
        self.taken = self.taken or (wish.moves and self._rested)
        return self.taken
