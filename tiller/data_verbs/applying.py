"""`tiller data apply MARKS OUT`: what a person marked in `tiller data view`, carried out into a new dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tiller.data_verbs.editing import shown


@dataclass(frozen=True)
class ApplyOptions:
    """What `tiller data apply` takes.

    Args:
        store: that was marked; the one beside the file of marks by default.
        others: value of a fact that is added, of the episodes without a mark of it, others.success=false.
        dry_run: say what would be done, and write nothing.
    """

    store: str | None = None
    others: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False


def apply(marks: str, target: str, options: ApplyOptions) -> int:
    """Write a dataset as it was marked."""
    from data.edit.marks.apply import apply as carry_out

    return shown(
        "applying marks to",
        target,
        options,
        lambda **more: carry_out(marks, target, store=options.store, others=options.others, **more),
    )
