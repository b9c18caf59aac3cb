"""`tiller data ACTION PATH ... [key=value ...]`: look at datasets, check them, and make them from other formats."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Annotated, Any, Callable, Mapping, Sequence

from robot.description import ActionField
from robot.description.ranges import Count, NonNegative, Range
from robot.errors import InputError, nearest
from tiller.command_line.words import read_options, split_words
from tiller.data_verbs import editing
from tiller.data_verbs.applying import ApplyOptions, apply
from tiller.data_verbs.export import ExportOptions, export
from tiller.data_verbs.judging import InfoOptions, ValidateOptions, info, validate
from tiller.data_verbs.looking import ViewOptions, view
from tiller.data_verbs.quality import Options as QualityOptions
from tiller.data_verbs.quality import quality

ABSOLUTE, NATIVE = "absolute", "native"
INCIDENT = "--incident"


@dataclass(frozen=True)
class Action:
    """One of the things that `tiller data` does.

    Args:
        paths: names of the paths it takes; for one that ends in "..." one or more.
        summary: what it does, in one line.
        options: dataclass of its key=value options.
        run: does it.
    """

    paths: tuple[str, ...]
    summary: str
    options: type
    run: Callable[..., int]

    def takes(self, paths: Sequence[str]) -> bool:
        """Whether that many paths fit."""
        several = any(name.endswith("...") for name in self.paths)
        return len(paths) >= len(self.paths) if several else len(paths) == len(self.paths)


@dataclass(frozen=True)
class NoOptions:
    """No options."""


@dataclass(frozen=True)
class ConvertOptions:
    """What `tiller data convert` takes.

    Args:
        period_s: seconds between rows, where the source does not say.
        units: one for all keys, units=1, or one a key, units.state=m; components are separated by spaces.
        rename: key of the source to its new name, rename.img=image; the key of the actions becomes action.
        kinds: key to kind of observation, kinds.state=joint, where the shape does not tell.
        action: fields of the action vector, such as [{name: tcp.position, size: 3, unit: m, kind: pose}]; empty for
            one native field.
        exclude: keys to leave out.
        skip_episodes: episodes of the source to leave out.
        instruction: what every episode does, in words.
        note: where the demonstrations come from, for the record.
        preset: a file of configs/source; null recognises a published set by its keys.
        encodings: key to how its images are stored, encodings.front.image=png: raw, png, jpeg or jpeg:QUALITY.
        skip_missing: leave out episodes of which files are not there.
        ignore_names: read numbers whose names do not fit without names.
        actions: of robosuite, absolute: as the poses that its controller made of them, where the robosuite that is
            installed made the file; or native, as they are.
    """

    period_s: Annotated[float, Range(0, 3600, above=True)] | None = None
    units: Any = None
    rename: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    action: tuple[ActionField, ...] = ()
    exclude: tuple[str, ...] = ()
    skip_episodes: tuple[NonNegative, ...] = ()
    instruction: str | None = None
    note: str | None = None
    preset: str | None = None
    encodings: Mapping[str, str] = field(default_factory=dict)
    skip_missing: bool = False
    ignore_names: bool = False
    actions: str = ABSOLUTE


@dataclass(frozen=True)
class ReplayOptions:
    """What `tiller data replay` takes.

    Args:
        task: whose environment takes the recorded actions; null takes the one the dataset was recorded on.
        episodes: which, such as [0,3,5], or how many of the first; null for the first 5.
        options: of the task, for example options.initial_states=paper.
    """

    task: str | None = None
    episodes: Count | tuple[NonNegative, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def command(words: Sequence[str]) -> int:
    """Find the action, read its paths and options, and run it."""
    if not words or words[0] in ("-h", "--help"):
        print(overview())
        return 0
    name, rest = words[0], words[1:]
    if name not in ACTIONS:
        raise InputError(f"'{name}'", expected="something that tiller data does", way_out=nearest(name, ACTIONS))
    action = ACTIONS[name]
    if name == "replay" and rest[:1] == [INCIDENT]:
        return incident(rest[1:])
    if any(word in ("-h", "--help") for word in rest):
        print(action_help(name, action))
        return 0
    paths, given = split_words(rest, action.options)
    options = read_options(f"data {name}", action.options, given)
    if not action.takes(paths):
        raise InputError(
            f"tiller data {name}",
            expected=" and ".join(action.paths),
            got=" ".join(paths) or "no path",
            way_out=f"usage: {usage(name, action)}",
        )
    return action.run(*paths, options)


def overview() -> str:
    """The actions with one line each."""
    width = max(map(len, ACTIONS))
    return "\n".join(
        [
            "usage: tiller data ACTION PATH ... [key=value ...]",
            "",
            *(f"  {name.ljust(width)}  {action.summary}" for name, action in ACTIONS.items()),
            "",
            "tiller data ACTION --help   the options of an action",
        ]
    )


def usage(name: str, action: Action) -> str:
    paths = " ".join(path.upper() for path in action.paths)
    return f"tiller data {name} {paths}" + (" [key=value ...]" if action.options is not NoOptions else "")


def action_help(name: str, action: Action) -> str:
    from tiller.command_line.help import columns, key_lines

    lines = [f"usage: {usage(name, action)}", "", f"{action.summary}."]
    if name == "replay":
        lines += [
            "",
            f"tiller data replay {INCIDENT} FILE   step the gate through a flight record instead: what it "
            "decided, and whether it",
            "                                      decides the same again",
        ]
    if action.options is not NoOptions:
        lines += ["", "keys", *columns(key_lines(action.options, {}, "  "))]
    return "\n".join(lines)


def convert(source: str, target: str, options: ConvertOptions) -> int:
    """Write a foreign set of demonstrations as a dataset of ours."""
    import data.formats.convert as converter
    from data.formats.hdf5.absolute import Replay
    from tiller.runs.progress import Counter

    if options.actions not in (ABSOLUTE, NATIVE):
        raise InputError("actions", expected="absolute or native", got=f"'{options.actions}'")

    def replay(attributes: Mapping[str, Any]) -> Replay:
        from sim.tasks.robosuite.absolute import replay_of

        return replay_of(attributes)

    with Counter("converting rows") as counter:

        def ask(question: str) -> str:
            counter.pause()
            return input(f"{question} ")

        done = converter.convert(
            source,
            target,
            period_s=options.period_s,
            units=options.units if options.units is None or isinstance(options.units, Mapping) else str(options.units),
            rename=options.rename,
            kinds=options.kinds,
            action=options.action,
            exclude=options.exclude,
            skip_episodes=options.skip_episodes,
            instruction=options.instruction,
            source_note=options.note,
            preset=options.preset,
            encodings=options.encodings,
            skip_missing=options.skip_missing,
            ignore_names=options.ignore_names,
            replay=replay if options.actions == ABSOLUTE else None,
            ask=ask if sys.stdin.isatty() and sys.stdout.isatty() else None,
            on_progress=lambda rows, total: counter.show(rows, total=total),
        )
    for note in done.notes:
        print(note)
    print(f"{done.episodes} episodes, {done.rows} rows of {done.period_s:g} s")
    width = max(len(new) for _, new in done.keys)
    for old, new in done.keys:
        renamed = f"  (was {old})" if old != new else ""
        print(f"  {new.ljust(width)}  [{done.units[new]}]{renamed}")
    print(f"Written to {done.target}")
    return 0


def repair(source: str, target: str, options: NoOptions) -> int:
    """Write the sound episodes of a damaged dataset as a new one."""
    from data.edit.repair import repair as mend

    print("\n".join(mend(source, target).lines()))
    return 0


def replay(path: str, options: ReplayOptions) -> int:
    """Step recorded actions through the task, and show how far it drifts from what was recorded."""
    import sim
    from data.store.dataset import Dataset
    from sim.tasks.environment import require_absolute
    from tiller.runs.replay import replay_episode, shared_spec
    from tiller.sheets.replay import print_replay

    dataset = Dataset.open(path)
    task = options.task or dataset.attributes.get("task")
    settings = {**(dataset.attributes.get("task_options") or {}), **options.options}
    if not task:
        raise InputError(
            "'task'",
            expected="the task that it was recorded on",
            got="nothing, and the dataset does not say",
            way_out="Add task=, for example task=pusht/state",
        )
    chosen = _episodes(options.episodes, len(dataset))
    env = require_absolute(sim.make(str(task), **settings))
    try:
        keys = shared_spec(dataset, env).names
        units = {key: env.observation_spec[key].unit for key in keys}
        replays = [replay_episode(env, number, dataset.episode(number), keys) for number in chosen]
    finally:
        env.close()
    print_replay(str(task), replays, units)
    return 0


def incident(words: Sequence[str]) -> int:
    """Step the gate's core through a flight record; 1 when it decides anything else than what was recorded."""
    from tiller.runs.incident import replay_incident

    if len(words) != 1:
        raise InputError(
            f"tiller data replay {INCIDENT}",
            expected="one file",
            got=" ".join(words) or "nothing",
            way_out="Flight records lie where the gate wrote them; its log and status name the file",
        )
    return replay_incident(words[0])


def _episodes(chosen: Any, count: int) -> list[int]:
    """Numbers of the episodes that `episodes=` means."""
    if chosen is None or isinstance(chosen, int):
        return list(range(min(5 if chosen is None else chosen, count)))
    if isinstance(chosen, (list, tuple)) and all(isinstance(each, int) and 0 <= each < count for each in chosen):
        return list(chosen)
    raise InputError("episodes", expected=f"a number, or a list such as [0,3] of 0 to {count - 1}", got=str(chosen))


ACTIONS: Mapping[str, Action] = {
    "info": Action(("path",), "What a dataset holds: arrays, units, episodes, provenance", InfoOptions, info),
    "validate": Action(("path",), "Read every chunk and list what is wrong", ValidateOptions, validate),
    "convert": Action(
        ("source", "target"),
        "Write foreign demonstrations (LeRobot, HDF5, replay-buffer zarr, npz) as one of ours",
        ConvertOptions,
        convert,
    ),
    "export": Action(
        ("store", "target"), "Write a dataset as LeRobot v3.0 or as a replay buffer of zarr 2", ExportOptions, export
    ),
    "repair": Action(
        ("source", "target"), "Write the sound episodes of a damaged dataset as a new one", NoOptions, repair
    ),
    "quality": Action(("path",), "Measure demonstrations, and score episodes for training", QualityOptions, quality),
    "merge": Action(
        ("source", "source...", "target"), "Write several datasets as one", editing.MergeOptions, editing.merge
    ),
    "split": Action(
        ("source", "target"),
        "Write a dataset as several: by shares, by a fact, by lists of episodes",
        editing.SplitOptions,
        editing.split,
    ),
    "delete": Action(
        ("source", "target"), "Write a dataset without some of its episodes", editing.DeleteOptions, editing.delete
    ),
    "trim": Action(
        ("source", "target"), "Write a dataset without the idle ends of its episodes", editing.TrimOptions, editing.trim
    ),
    "relabel": Action(
        ("source", "target"),
        "Write a dataset with other facts of some episodes",
        editing.RelabelOptions,
        editing.relabel,
    ),
    "resample": Action(
        ("source", "target"), "Write a dataset with another control period", editing.ResampleOptions, editing.resample
    ),
    "recode": Action(
        ("source", "target"), "Write a dataset with images in another encoding", editing.RecodeOptions, editing.recode
    ),
    "view": Action(("path...",), "Look at datasets in a browser, and mark episodes", ViewOptions, view),
    "apply": Action(
        ("marks", "target"), "Write a dataset as it was marked in its page (STORE.marks.json)", ApplyOptions, apply
    ),
    "replay": Action(("path",), "Step recorded actions through the task and show the error", ReplayOptions, replay),
}
