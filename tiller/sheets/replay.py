"""How far recorded actions drift from what was recorded."""

from __future__ import annotations

from typing import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from tiller.runs.replay import ReplayedEpisode


def print_replay(task: str, replays: Sequence[ReplayedEpisode], units: Mapping[str, str]) -> None:
    """Print a table over keys, how far each drifted, and one over episodes, how each ended.

    Args:
        task: that was stepped.
        replays: of its episodes.
        units: key of the observation -> its unit.
    """
    if not replays:
        print("No episodes.")
        return
    print(f"Recorded actions through {task}: distance of the observation from the recorded row")
    keys = Table("key", "unit", "mean", "max", "where")
    for key, unit in units.items():
        rows = sum(len(each.errors[key]) for each in replays)
        mean = sum(each.errors[key].sum() for each in replays) / rows
        largest, episode, row = max(
            (each.errors[key].max(), each.episode, each.errors[key].argmax()) for each in replays
        )
        where = f"episode {episode}, row {row}" if largest > 0 else ""
        keys.add_row(key, unit, f"{mean:.2g}", f"{largest:.2g}", where)
    episodes = Table("episode", "rows", "mean", "max", "success", "score")
    for each in replays:
        errors = list(each.errors.values())
        mean, largest = sum(error.mean() for error in errors) / len(errors), max(error.max() for error in errors)
        episodes.add_row(
            str(each.episode),
            str(len(errors[0])),
            f"{mean:.2g}",
            f"{largest:.2g}",
            "yes" if each.success else "no",
            f"{each.score:.3f}",
        )
    Console().print(keys, episodes)
    done, score = sum(each.success for each in replays), sum(each.score for each in replays)
    print(f"{done} of {len(replays)} succeeded again; mean score {score / len(replays):.3f}")
