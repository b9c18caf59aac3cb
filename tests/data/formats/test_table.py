"""The table of the guide says what each format keeps, changes and drops: each cell is measured here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from data.formats.convert import convert
from data.formats.export.run import export
from data.store.dataset import Dataset
from data.store.names import INTERVENTION, TIME, has_column
from data.store.schema import ACTION
from robot.errors import InputError

h5py = pytest.importorskip("h5py", reason="the extra 'formats' is not installed")
pytest.importorskip("pyarrow", reason="the extra 'formats' is not installed")
pytest.importorskip("av", reason="the extra 'formats' is not installed")

GUIDE = Path(__file__).parents[3] / "docs" / "data.md"
BEGIN, END = "<!-- what formats keep: made by tests/data/formats/test_table.py -->", "<!-- end -->"
FACTS = ("success", "seed", "score", "operator")


def as_npz(given: Dataset, target: Path) -> Path:
    arrays = {name: given.read(name) for name in given.keys}
    facts = {name: np.array(given.meta(name).tolist()) for name in given.meta_keys}
    np.savez(target.with_suffix(".npz"), **arrays, **facts, episode_ends=given.episode_ends)
    return target.with_suffix(".npz")


def as_hdf5(given: Dataset, target: Path) -> Path:
    names = {ACTION: "actions", "reward": "rewards", "intervention": "interventions", TIME.name: TIME.name}
    with h5py.File(target, "w") as file:
        file.create_group("data").attrs["env_args"] = json.dumps({"env_kwargs": {"control_freq": 10}})
        for number in range(len(given)):
            episode = given.episode(number)
            group = file.create_group(f"data/demo_{number}")
            for name, values in episode.data.items():
                group[names.get(name, f"obs/{name}")] = values
            for name, value in episode.meta.items():
                group.attrs[name] = value
    return target


def exported(**options: str) -> Callable[[Dataset, Path], Path]:
    def write(given: Dataset, target: Path) -> Path:
        export(given.path, target, **options)
        return target

    return write


FORMATS = {
    "npz, in": as_npz,
    "HDF5 with `data/demo_N`, in": as_hdf5,
    "zarr 2, out and in": exported(format="zarr2"),
    "LeRobot `images=image`, out and in": exported(),
    "LeRobot `images=video`, out and in": exported(images="video"),
}


def _rows(given: Dataset, back: Dataset, names: tuple[str, ...]) -> str:
    if not set(names) <= set(back.keys):
        return "dropped"
    off = [np.abs(given.read(name).astype(float) - back.read(name).reshape(given.read(name).shape)) for name in names]
    if not any(each.any() for each in off):
        return "kept"
    return "changed: a small loss" if max(each.mean() for each in off) < 12 else "wrong"


def cells(given: Dataset, back: Dataset, needs: set[str]) -> dict[str, str]:
    """What became of each thing."""
    seen = "intervention" in back.keys
    flags = "kept" if has_column(back.schema, INTERVENTION) else "kept, as an observation" if seen else "dropped"
    facts = [name in back.meta_keys and back.meta(name).tolist() == given.meta(name).tolist() for name in FACTS]
    units = {dataset.schema.row_fields["state"].unit for dataset in (given, back)}  # type: ignore[union-attr]
    streams = back.schema.streams if back.schema else ()
    return {
        "numbers": _rows(given, back, ("state", "points", ACTION, "reward")),
        "images": _rows(given, back, ("raw.image",)),
        "depth": _rows(given, back, ("depth",)),
        "stamps": _rows(given, back, (TIME.name,)),
        "interventions": flags,
        "facts": "kept" if all(facts) else "dropped",
        "instruction": "kept" if back.meta("instruction").tolist() == given.meta("instruction").tolist() else "dropped",
        "period": "asked for" if "period_s" in needs else "kept",
        "units": "asked for" if "units" in needs else "kept" if len(units) == 1 else "changed",
        "streams": "kept" if streams else "dropped",
    }


def test_the_table_of_the_guide_is_what_happens(rich, tmp_path):
    given, lines = Dataset.open(rich), []
    for number, (name, write) in enumerate(FORMATS.items()):
        source = write(given, tmp_path / f"out_{number}")
        needs: set[str] = set()
        options: dict[str, Any] = {}
        try:
            convert(source, tmp_path / f"back_{number}")
        except InputError as error:
            needs = {word for word in ("period_s", "units") if f"{word}" in str(error.way_out).partition("(")[0]}
            options = {"units": "1", **({"period_s": given.period_s} if "period_s" in needs else {})}
            convert(source, tmp_path / f"back_{number}", **options)
        found_cells = cells(given, Dataset.open(tmp_path / f"back_{number}"), needs)
        if not lines:
            lines = [f"| | {' | '.join(found_cells)} |", "|---" * (len(found_cells) + 1) + "|"]
        lines.append(f"| {name} | {' | '.join(found_cells.values())} |")
    table = "\n".join(lines)
    guide = GUIDE.read_text().partition(BEGIN)[2].partition(END)[0].strip()
    assert "wrong" not in table and guide == table, f"write this into {GUIDE.name}:\n{table}"
