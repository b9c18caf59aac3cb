"""Edits of datasets: merge, split, delete, trim, relabel, resample, recode. Each writes a new one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from robot.description.ranges import NonNegative, Range
from robot.errors import InputError

if TYPE_CHECKING:
    from data.edit.outcome import Outcome

Period = Annotated[float, Range(0, 3600, above=True)]
Share = Annotated[float, Range(0, 1, above=True)]


@dataclass(frozen=True)
class MergeOptions:
    """What `tiller data merge` takes; without any of it the datasets must not differ.

    Args:
        rename: name in any of the datasets to its new name, rename.img=image; of row arrays, fields of the action,
            facts, streams.
        without: row arrays, facts and streams to leave out, by their new names.
        fill: value of a column or fact in the datasets that lack it, fill.operator=ann; of a stream it is empty.
        convert_units: convert numbers whose units differ (mm to m, deg to rad).
        reorder: put fields of the action that come in another order into that of the first dataset.
        other_contracts: merge robots of other contracts too; the result then names none.
        dry_run: say what would be done, and write nothing.
    """

    rename: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    fill: Mapping[str, str] = field(default_factory=dict)
    convert_units: bool = False
    reorder: bool = False
    other_contracts: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class SplitOptions:
    """What `tiller data split` takes: one of shares, by and episodes. TARGET/NAME becomes a dataset each.

    Args:
        shares: share of the episodes of each part, drawn at random, shares.train=0.9 shares.test=0.1.
        seed: of the draw.
        by: a fact; each of its values becomes a part.
        episodes: episodes of each part, episodes.train=[0-7,9].
        dry_run: say what would be done, and write nothing.
    """

    shares: Mapping[str, Share] = field(default_factory=dict)
    seed: NonNegative = 0
    by: str | None = None
    episodes: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    dry_run: bool = False


@dataclass(frozen=True)
class DeleteOptions:
    """What `tiller data delete` takes.

    Args:
        episodes: to leave out, numbers and ranges, [0,3,7-9].
        where: value of a fact of those to leave out, where.success=false; with episodes, of these.
        dry_run: say what would be done, and write nothing.
    """

    episodes: str | tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False


@dataclass(frozen=True)
class TrimOptions:
    """What `tiller data trim` takes.

    Args:
        keys: row arrays that stand still where a robot is idle.
        tolerance: what has not come further than that from where it stood, stands; in the unit of each number.
        keep_s: seconds of standing that stay at either end.
        ends: both, start or end.
        episodes: to trim, numbers and ranges, [0,3,7-9]; all by default.
        where: value of a fact of those to trim, where.operator=ann.
        dry_run: say what would be done, and write nothing.
    """

    keys: tuple[str, ...] = ("action",)
    tolerance: Annotated[float, Range(0, 1e9)] = 1e-3
    keep_s: Annotated[float, Range(0, 1e6)] = 0.2
    ends: str = "both"
    episodes: str | tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False


@dataclass(frozen=True)
class RelabelOptions:
    """What `tiller data relabel` takes.

    Args:
        set: fact to its new value, set.success=true; one of the standard facts is added where it is not there.
        others: value of a fact that is added, of the episodes that are not chosen.
        episodes: whose facts are set, numbers and ranges, [0,3,7-9]; all by default.
        where: value of a fact of those whose facts are set, where.operator=ann.
        dry_run: say what would be done, and write nothing.
    """

    set: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    episodes: str | tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False


@dataclass(frozen=True)
class ResampleOptions:
    """What `tiller data resample` takes.

    Args:
        period_s: the new control period, s.
        dry_run: say what would be done, and write nothing.
    """

    period_s: Period | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class RecodeOptions:
    """What `tiller data recode` takes.

    Args:
        encodings: row array of images to raw, jpeg or png, encodings.front=jpeg.
        quality: of jpeg, 1 to 100.
        dry_run: say what would be done, and write nothing.
    """

    encodings: Mapping[str, str] = field(default_factory=dict)
    quality: Annotated[int, Range(1, 100)] = 90
    dry_run: bool = False


def merge(*words: Any) -> int:
    """Write several datasets as one."""
    from data.edit.merge import merge as join
    from data.edit.merging.options import Mapped

    *paths, options = words
    *sources, target = paths
    mapped = Mapped(
        options.rename,
        options.without,
        options.fill,
        options.convert_units,
        options.reorder,
        options.other_contracts,
    )
    return shown("merging", target, options, lambda **more: join(sources, target, mapped=mapped, **more))


def split(source: str, target: str, options: SplitOptions) -> int:
    """Write the episodes of a dataset as several."""
    from data.edit.split import split as part

    return shown(
        "splitting",
        target,
        options,
        lambda **more: part(
            source,
            target,
            shares=options.shares,
            seed=options.seed,
            by=options.by,
            episodes=options.episodes,
            **more,
        ),
    )


def delete(source: str, target: str, options: DeleteOptions) -> int:
    """Write a dataset without some episodes."""
    from data.edit.delete import delete as leave_out

    return shown(
        "deleting",
        target,
        options,
        lambda **more: leave_out(source, target, episodes=options.episodes, where=options.where, **more),
    )


def trim(source: str, target: str, options: TrimOptions) -> int:
    """Write a dataset without the idle ends of its episodes."""
    from data.edit.trim import Idle
    from data.edit.trim import trim as cut

    idle = Idle(options.keys, options.tolerance, options.keep_s, options.ends)
    return shown(
        "trimming",
        target,
        options,
        lambda **more: cut(source, target, idle=idle, episodes=options.episodes, where=options.where, **more),
    )


def relabel(source: str, target: str, options: RelabelOptions) -> int:
    """Write a dataset with other facts of some episodes."""
    from data.edit.relabel import relabel as label

    return shown(
        "relabelling",
        target,
        options,
        lambda **more: label(
            source,
            target,
            facts=options.set,
            others=options.others,
            episodes=options.episodes,
            where=options.where,
            **more,
        ),
    )


def resample(source: str, target: str, options: ResampleOptions) -> int:
    """Write a dataset with another control period."""
    from data.edit.resample import resample as lay

    if options.period_s is None:
        raise InputError(
            "period_s", expected="the new control period, s", got="none", way_out="For example period_s=0.1"
        )
    period_s = options.period_s
    return shown("resampling", target, options, lambda **more: lay(source, target, period_s=period_s, **more))


def recode(source: str, target: str, options: RecodeOptions) -> int:
    """Write a dataset with images in another encoding."""
    from data.edit.recode import recode as encode

    return shown(
        "recoding",
        target,
        options,
        lambda **more: encode(source, target, encodings=options.encodings, quality=options.quality, **more),
    )


def shown(doing: str, target: str, options: Any, edit: Callable[..., Outcome]) -> int:
    """Do an edit under a counter, and print what it has done; Ctrl-C leaves its work for the same command."""
    from tiller.runs.progress import Counter

    try:
        with Counter(f"{doing} episodes") as counter:
            outcome = edit(dry_run=options.dry_run, on_progress=lambda done, of: counter.show(done, total=of))
    except KeyboardInterrupt as stop:
        if options.dry_run:
            raise
        raise KeyboardInterrupt(
            f"{str(stop) or 'Stopped'}: {target} is not there yet; the same command goes on with it"
        ) from stop
    print("\n".join(outcome.lines()))
    return 0
