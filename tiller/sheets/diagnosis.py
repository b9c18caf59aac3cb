"""What a diagnosis comes to, for people on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

if TYPE_CHECKING:
    from tiller.diagnosis.advice import Advice
    from tiller.diagnosis.figures import Figures

COLOURS = {"pays": "green", "may pay": "yellow", "not known": "cyan", "does not pay": "bright_black"}


def show(figures: Figures, advice: Sequence[Advice], task: str) -> None:
    """The settings and the advice as two tables."""
    from rich.console import Console
    from rich.table import Table

    console, settings = Console(), figures.settings
    print(f"{task}, {settings.starts} starts from seed {settings.first_seed} on, intervals at 95 %")
    table = Table("setting", "success", "over the base, paired")
    for each in settings.settings:
        table.add_row(each.name, str(each.success), "" if each.name == "base" else f"{each.gain}")
    console.print(table)
    table = Table("advice", "", "gain", "for", "against")
    for one in advice:
        colour = COLOURS[str(one.verdict)]
        gain = "" if one.gain is None else f"{one.gain:+.2f}"
        verdict = f"[{colour}]{one.verdict}[/{colour}]"
        table.add_row(one.do, verdict, gain, "\n".join(one.pro), "\n".join(one.contra), end_section=True)
    console.print(table)
