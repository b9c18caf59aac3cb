"""Files with an episode a group, `data/demo_N`, as robomimic, robosuite and Isaac Lab write them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable, Collection, Mapping

import numpy as np

from data.formats.bounds import LARGEST_ROW, require_likely
from data.formats.hdf5.controllers import controller_of, period_of, period_of_states
from data.formats.hdf5.demo_facts import demo_facts
from data.formats.hdf5.file import as_json, attributes, child, damage, datasets, finite, names_in, require_h5py
from data.formats.source import ACTIONS, COLUMN, UNKNOWN, Description, SourceField, require_known
from data.store.names import INTERVENTION, REWARD
from robot.description import ActionField
from robot.errors import InputError

STAY_NATIVE = "actions are inputs of"
"""How the note begins that says so."""
_DEMO = re.compile(r"demo_?(\d{1,18})")
_NEXT = "next_obs/"
_ROLES = {"actions": ACTIONS, "rewards": COLUMN, "dones": COLUMN, "interventions": COLUMN, "intervention": COLUMN}
_TARGETS = {"rewards": REWARD.name, "interventions": INTERVENTION.name}
_SMALL = 10_000  # numbers, of what is no row, that are a fact


class Demos(Description):
    """A `Source` of an HDF5 file. A damaged file may hang or crash the process that it is read in: `DemosApart` is for
    files of others.

    Args:
        path: of the file.
        exclude: keys to leave out.
        skip: episodes that nobody wants.
        on_demo: called with the number and the name of each demonstration that is looked at.

    Raises:
        InputError: it is no such file, is damaged, has links to other files, or demonstrations that differ in what they
            hold.
    """

    def __init__(
        self,
        path: str | Path,
        exclude: Collection[str],
        skip: Collection[int],
        on_demo: Callable[[int, str], None] = lambda number, name: None,
    ) -> None:
        self.path = str(path)
        with damage(f"'{path}'"):
            self._file = require_h5py().File(path, "r")
        try:
            with damage(f"'{path}'"):
                self._read(exclude, skip, on_demo)
        except BaseException:
            self._file.close()
            raise

    def _read(self, exclude: Collection[str], skip: Collection[int], on_demo: Callable[[int, str], None]) -> None:
        data = _data_group(self.path, self._file)
        self._names = sorted((name for name in names_in(self.path, data) if _DEMO.fullmatch(name)), key=_number)
        if not self._names:
            raise InputError(
                f"'{self.path}'", expected="groups data/demo_0, data/demo_1, ...", got="none in 'data'", way_out=_AS_NPZ
            )
        kept = [number for number in range(len(self._names)) if number not in skip]
        self._demos, held, said = {}, {}, {}
        for number in kept:
            on_demo(number, self._names[number])
            self._demos[number] = demo = child(self.path, data, self._names[number])
            held[number], said[number] = dict(datasets(self.path, demo)), attributes(self.path, demo)
        keys = sorted({key for each in held.values() for key in each})
        taken = [key for key in keys if key not in exclude and not key.startswith(_NEXT)]
        lengths = np.zeros(len(self._names), np.int64)
        for number in kept:
            lengths[number] = self._length(number, held[number], said[number])
        rows, others = _by_row(taken, held, lengths)
        fields = {key: self._field(key, held, lengths) for key in rows}
        sizes = {key: field.row_bytes * int(lengths.sum()) for key, field in fields.items()}
        require_likely(self.path, sizes, Path(self.path).stat().st_size)
        of_all = attributes(self.path, data)
        environment = as_json(of_all.get("env_args") or of_all.get("env_info"))
        attrs = {name: finite(as_json(value) or value) for name, value in of_all.items()}
        facts, notes = demo_facts(self.path, self._file, self._names, said, held, others, _SMALL)
        require_known("exclude", exclude, (*keys, *facts))
        facts = {key: values for key, values in facts.items() if key not in exclude}
        period_s, of_period = _period(environment, held[kept[0]] if kept else {})
        action, of_actions = _actions(environment, fields)
        left_out = [key for key in keys if key.startswith(_NEXT)]
        super().__init__(
            self.path,
            "HDF5 with an episode a group",
            fields,
            lengths,
            facts=facts,
            period_s=period_s,
            attributes=attrs,
            action=action,
            notes=(
                *of_period,
                *of_actions,
                *((f"left out, as the next row has it: {', '.join(left_out)}",) if left_out else ()),
                *notes,
            ),
        )
        self._open: dict[str, Any] = {}
        self._episode = -1

    def _length(self, number: int, held: Mapping[str, Any], attrs: Mapping[str, Any]) -> int:
        where, name = f"'{self.path}': episode {number} ('{self._names[number]}')", "actions"
        if name not in held:
            raise InputError(
                where,
                expected=f"a dataset '{name}'",
                got=", ".join(held) or "nothing",
                way_out=f"Leave the episode out with skip_episodes=[{number}]",
            )
        length = int(held[name].shape[0]) if held[name].shape else 0
        said = attrs.get("num_samples", length)
        if not length or (isinstance(said, int) and said != length):
            raise InputError(
                where,
                expected=f"{said} rows of actions, which 'num_samples' says" if length else "at least one row",
                got=str(length),
                way_out=f"Leave the episode out with skip_episodes=[{number}]",
            )
        return length

    def _field(self, key: str, held: Mapping[int, Mapping[str, Any]], lengths: np.ndarray) -> SourceField:
        """A key with one entry a row, which is the same in every demonstration."""
        first = next(number for number in held if key in held[number])
        shape, dtype = held[first][key].shape[1:], held[first][key].dtype
        for number in held:
            where = f"'{self.path}': key '{key}', episode {number} ('{self._names[number]}')"
            dataset = held[number].get(key)
            got = None
            if dataset is None:
                got = "none"
            elif dataset.dtype.hasobject or dataset.dtype.kind not in "biuf":
                got = "words or objects" if dataset.dtype.hasobject else f"type {dataset.dtype}"
            elif dataset.shape[:1] != (lengths[number],):
                got = f"{dataset.shape[0] if dataset.shape else 'no'} rows where there are {lengths[number]} of actions"
            elif (dataset.shape[1:], dataset.dtype) != (shape, dtype):
                got = f"rows {dataset.shape[1:]} of {dataset.dtype}, and {shape} of {dtype} in episode {first}"
            if got:
                raise InputError(
                    where,
                    expected="numbers, one entry a row and the same in every episode",
                    got=got,
                    way_out=f"Leave the episode out with skip_episodes=[{number}], or the key with exclude=[{key}]",
                )
        target = _TARGETS.get(key, key.removeprefix("obs/").replace("/", "."))
        field = SourceField(self.path, key, shape, dtype, _ROLES.get(key, UNKNOWN), target)
        if field.row_bytes > LARGEST_ROW:
            raise InputError(
                field.label,
                expected=f"rows of at most {LARGEST_ROW:,} bytes",
                got=f"{shape} of {dtype}",
                way_out=f"Leave it out with exclude=[{key}]",
            )
        return field

    def read(self, name: str, episode: int, start: int, stop: int) -> np.ndarray:
        where = f"'{self.path}': key '{name}', episode {episode} ('{self._names[episode]}')"
        with damage(where, f"Leave the episode out with skip_episodes=[{episode}], or copy the file again"):
            if episode != self._episode:
                self._open, self._episode = {}, episode
            if name not in self._open:
                self._open[name] = self._demos[episode][name]
            return np.asarray(self._open[name][start:stop])

    def close(self) -> None:
        self._file.close()


_AS_NPZ = (
    "Write its arrays, concatenated in time, into one npz with 'episode_ends', the row after each episode's last: "
    "np.savez(PATH, action=..., state=..., episode_ends=...)"
)


def _data_group(path: str, file: Any) -> Any:
    """The group of demonstrations."""
    if "data" in file and isinstance(child(path, file, "data"), require_h5py().Group):
        return file["data"]
    names = set(file)
    looks = "one episode as ALOHA writes it" if {"observations", "action"} <= names else "another layout"
    inside = ", ".join(sorted(map(ascii, names))[:8]) or "nothing"
    raise InputError(
        f"'{path}'",
        expected="HDF5 with a group 'data' of demo_0, demo_1, ..., as robomimic, robosuite and Isaac Lab write it",
        got=f"{looks}: {inside}",
        way_out=_AS_NPZ,
    )


def _number(name: str) -> tuple[int, str]:
    match = _DEMO.fullmatch(name)
    assert match
    return int(match[1]), name


def _by_row(keys: list[str], held: Mapping[int, Mapping[str, Any]], lengths: np.ndarray) -> tuple[list[str], list[str]]:
    """Keys with one entry a row in any demonstration, or that should have one, and those with something else."""
    rows = []
    for key in keys:
        shapes = [(number, each[key].shape) for number, each in held.items() if key in each]
        fits = any(shape[:1] == (lengths[number],) for number, shape in shapes)
        if fits or key.startswith("obs/") or key in _ROLES:
            rows.append(key)
    return rows, [key for key in keys if key not in rows]


def _period(environment: Mapping[str, Any], demo: Mapping[str, Any]) -> tuple[float | None, tuple[str, ...]]:
    """The control period and where it is from."""
    period_s = period_of(environment)
    if period_s is None and "states" in demo and demo["states"].dtype.kind == "f" and demo["states"].ndim == 2:
        period_s = period_of_states(np.asarray(demo["states"][:100, :1]))
        if period_s is not None:
            return period_s, (f"control period {period_s:g} s, the step of the simulation's time in 'states'",)
    return period_s, ((f"control period {period_s:g} s, by the file's environment",) if period_s else ())


def _actions(
    environment: Mapping[str, Any], fields: Mapping[str, SourceField]
) -> tuple[tuple[ActionField, ...], tuple[str, ...]]:
    """Fields of the actions, and what a person should know of them."""
    kind, mode = controller_of(environment)
    shape = fields["actions"].shape if "actions" in fields else ()
    if not kind or not mode or len(shape) != 1 or not shape[0]:
        return (), ("the actions stay native: the file does not say whether they are absolute",)
    name = re.sub(r"[^a-z0-9]+", "_", kind.lower()).strip("_") or "action"
    note = f"{STAY_NATIVE} robosuite's {kind}, {mode}: they stay native"
    if mode == "delta":
        note += f", and are called '{name}.delta', as they move the robot from where it is"
    return (ActionField(f"{name}.{mode}", shape[0], "1", "native"),), (note,)
