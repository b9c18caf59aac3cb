"""How many chunks a critic may choose among, by how it ranked held-out chunks of one state."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from pathlib import Path

from policies.critics.names import ENOUGH_STATES, JUDGEMENT
from policies.model.checkpoint_folder import read_json
from robot.errors import InputError


@dataclass(frozen=True)
class HeldOut:
    """How a critic ranked pairs of a success and a failure that went on from one state, on episodes it never saw.

    Args:
        auc: share of the pairs that it ranked rightly; 0.5 is a coin.
        low: lower end of the 95 % interval of that.
        states, pairs: that were judged.
    """

    auc: float
    low: float
    states: float
    pairs: float

    @property
    def largest_choice(self) -> int:
        """Chunks of one state that the critic was judged on: n of them make at most n^2 / 4 pairs of a success and a
        failure, so p pairs need 2 sqrt(p) or more. 1 where it was no better than a coin.
        """
        if not self.low > 0.5 or not self.states >= ENOUGH_STATES:
            return 1
        return max(2, math.ceil(2 * math.sqrt(self.pairs / self.states)))


def read_held_out(folder: Path) -> HeldOut | None:
    """What `judgement.json` says in the folder of a critic's checkpoint, or in that of its run; None where there is no
    such file, or none that can be read.
    """
    run = folder.parent.parent if folder.parent.name == "checkpoints" else folder
    for place in dict.fromkeys((folder, run)):
        try:
            values = read_json(place / JUDGEMENT)
            names = ("auc_within_state", "auc_within_state_low", "states", "pairs_within_state")
            held_out = HeldOut(*(float(values[name]) for name in names))
        except (InputError, KeyError, TypeError, ValueError):
            continue
        if all(map(math.isfinite, astuple(held_out))):
            return held_out
    return None


def doubts(held_out: HeldOut | None, samples: int) -> tuple[str, ...]:
    """Sentences that say why a choice among so many chunks is not supported; none where it is, or there is no choice.

    The rule: a choice among K > 1 needs a held-out judgement whose lower bound is above 0.5, on states with about as
    many chunks, `HeldOut.largest_choice`.
    """
    if samples == 1:
        return ()
    control = "Compare it with steering=random_choice on other starts"
    if held_out is None:
        return (
            f"Nothing says how this critic ranks chunks of one state that it never saw (no {JUDGEMENT} beside it that "
            f"has it), and it is to choose among {samples}. {control}",
        )
    if held_out.states < ENOUGH_STATES:
        return (
            f"This critic was judged on {held_out.states:.0f} states from which both successes and failures go on, and "
            f"fewer than {ENOUGH_STATES} say nothing; it is to choose among {samples}. {control}",
        )
    if held_out.largest_choice == 1:
        return (
            f"On held-out chunks of one state this critic ranks {held_out.auc:.2f} of the pairs rightly, perhaps "
            f"{held_out.low:.2f}: it may be no better than a coin, and it is to choose among {samples}. {control}",
        )
    if samples > held_out.largest_choice:
        return (
            f"This critic was judged on about {held_out.largest_choice} chunks of a state and is to choose among "
            f"{samples}: the more it chooses among, the more it picks its own errors. {control}",
        )
    return ()
