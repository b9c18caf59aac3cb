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
    from rich.text import Text

    console, settings = Console(), figures.settings
    print(f"{task}, {settings.starts} starts from seed {settings.first_seed} on, intervals at 95 %")
    table = Table("setting", "success", "over the base, paired")
    for each in settings.settings:
        table.add_row(each.name, str(each.success), "" if each.name == "base" else f"{each.gain}")
    console.print(table)
    table = Table("what will pay", "", "gain", "evidence")
    for one in advice:
        colour = COLOURS[str(one.verdict)]
        gain = f"{one.gain:+.2f}" if one.gain and str(one.verdict) in ("pays", "may pay") else ""
        verdict = f"[{colour}]{one.verdict}[/{colour}]"
        evidence = [*(f"+ {line}" for line in one.pro), *(f"- {line}" for line in one.contra)]
        table.add_row(one.do, verdict, gain, Text("\n".join(evidence)), end_section=True)
    console.print(table)
