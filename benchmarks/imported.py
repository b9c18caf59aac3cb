"""Whether a policy trained on an imported set evaluates as one trained on ours: the same demonstrations on four ways.

    python -m benchmarks.imported                      all ways: as long as one training for each (make artifacts first)
    python -m benchmarks.imported lerobot              some of them
    python -m benchmarks.imported --updates 50 --episodes 4 --folder /tmp/imported     a try: nothing is reported

`own` is a store of ours. `lerobot` and `zarr2` are its export, and `hdf5` the same rows as robomimic lays them out.
Each is imported again with what a person has to say of it: units, kinds and the fields of the action. One recipe is
trained on each with the same seed, its observations named in one order, and evaluated on the same starts (from 770000).
`rows` says whether every row of every array is what it was; then the weights are those of `own` bit for bit
(`weights`), each episode of the evaluation ends as there (`identical`), and anything else is an error.
docs/results/imported.csv.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping

import numpy as np

from benchmarks.artifacts import RESULTS, ROOT, interval_cells, tiller, training_effort, write_csv
from data.store.dataset import Dataset
from data.store.names import REWARD, TIME
from data.store.schema import ACTION
from robot.errors import InputError, TillerError, nearest
from sim.statistics.comparison import compare
from sim.statistics.records import FILE_NAME, Evaluation, read_evaluation

TASK, OWN, SEED = "twin/lift", "own", 770_000
TRAIN, EVALUATE = ("policy=flow_mlp", "training=demo"), ("n_action_steps=12",)  # as benchmarks/studies/twin_lift.yaml
COLUMNS = (
    "way", "rows", "weights", "identical", "success", "success_low", "success_high", "over_own", "over_own_low",
    "over_own_high", "demonstrations", "episodes", "first_seed", "updates", "minutes", "date",
)  # fmt: skip


def write_hdf5(store: Path, target: Path) -> Path:
    """A store's rows with an episode a group, as robomimic lays them out; the file."""
    import h5py

    dataset, file = Dataset.open(store), target.with_suffix(".hdf5")
    names = {ACTION: "actions", REWARD.name: "rewards", TIME.name: TIME.name}
    with h5py.File(file, "w") as opened:
        data = opened.create_group("data")
        data.attrs["env_args"] = json.dumps(
            {"env_name": TASK, "env_kwargs": {"control_freq": 1 / (dataset.period_s or 1)}}
        )
        for number in range(len(dataset)):
            for name, values in dataset.episode(number).data.items():
                data[f"demo_{number}/{names.get(name, f'obs/{name}')}"] = values
    return file


def export(store: Path, target: Path, form: str) -> Path:
    """A store written by `tiller data export`; the folder."""
    tiller("data", "export", str(store), str(target), f"format={form}")
    return target


WAYS: Mapping[str, Callable[[Path, Path], Path]] = {
    "lerobot": lambda store, target: export(store, target, "lerobot"),
    "zarr2": lambda store, target: export(store, target, "zarr2"),
    "hdf5": write_hdf5,
}


def said(dataset: Dataset) -> list[str]:
    """What a person has to say of rows without units: the words of `tiller data convert`."""
    schema = dataset.schema
    assert schema is not None
    fields = [f"{{name: {f.name}, size: {f.size}, unit: {f.unit}, kind: {f.kind}}}" for f in schema.action.fields]
    words = [f"action=[{', '.join(fields)}]", f"period_s={schema.period_s}"]
    words.append(f"units.{ACTION}={schema.row_fields[ACTION].unit}")
    for field in schema.observation.fields:
        words += [f"units.{field.name}={field.unit}", f"kinds.{field.name}={field.kind}"]
    return [*words, *(f"units.{column.name}={column.unit}" for column in schema.columns)]


def imported(way: str, store: Path, folder: Path) -> Path:
    """The set that is trained on, made where it is missing."""
    target = folder / way / "demonstrations"
    if way == OWN:
        return store
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        foreign = folder / way / "foreign"
        file = foreign if foreign.exists() else WAYS[way](store, foreign)
        tiller("data", "convert", str(file), str(target), *said(Dataset.open(store)))
    return target


def same_rows(store: Path, other: Path) -> bool:
    """Whether every row of every array is the same."""
    one, two = Dataset.open(store), Dataset.open(other)
    if set(one.keys) != set(two.keys) or not np.array_equal(one.episode_ends, two.episode_ends):
        return False
    pairs = ((one.read(name), two.read(name)) for name in one.keys)
    return all(mine.dtype == theirs.dtype and np.array_equal(mine, theirs) for mine, theirs in pairs)


def run(data: Path, keys: tuple[str, ...], output: Path, updates: int | None, episodes: int) -> None:
    """Train and evaluate on one set, seeing `keys`, where that is not done."""
    if not (output / "finished.json").exists():
        length = [f"training.steps={updates}"] if updates else []
        tiller("train", f"data={data}", f"task={TASK}", *TRAIN, f"policy.observation=[{','.join(keys)}]", *length,
               "training.seed=0", f"output={output}", "resume=true")  # fmt: skip
    if not (output / "evaluation" / FILE_NAME).exists():
        tiller("evaluate", f"checkpoint={output}", f"task={TASK}", f"episodes={episodes}", f"seed={SEED}", *EVALUATE,
               "videos=0", f"output={output / 'evaluation'}", "overwrite=true")  # fmt: skip


def weights(policy: Path) -> bytes:
    """The weights of a trained policy, as they are stored."""
    return (policy / "checkpoints" / "final" / "model.safetensors").read_bytes()


def same_records(one: Evaluation, two: Evaluation) -> bool:
    """Whether each episode has gone the same way."""
    return [record.result for record in one.records] == [record.result for record in two.records]


def rows(store: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """A row for each way that is evaluated."""
    files = {way: folder / way / "policy" / "evaluation" / FILE_NAME for way in (OWN, *WAYS)}
    evaluations = {way: read_evaluation(file) for way, file in files.items() if file.exists()}
    own = evaluations[OWN]
    for way, evaluation in evaluations.items():
        assert evaluation.summary is not None
        yield {"way": way, "rows": same_rows(store, imported(way, store, folder)),
               "weights": weights(folder / OWN / "policy") == weights(folder / way / "policy"),
               "identical": same_records(own, evaluation),
               **interval_cells("success", evaluation.summary.success),
               **interval_cells("over_own", compare(own, evaluation).success),
               "demonstrations": len(Dataset.open(store)), "episodes": evaluation.episodes,
               "first_seed": evaluation.seed,
               **training_effort(folder / way / "policy"), "date": date.today().isoformat()}  # fmt: skip


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ways", nargs="*", help=f"some of {', '.join(WAYS)}; default: all")
    parser.add_argument("--store", type=Path, default=ROOT / "artifacts" / "twin_lift" / "demonstrations")
    parser.add_argument("--episodes", type=int, default=200, help="of each evaluation")
    parser.add_argument("--updates", type=int, help="of each training; default: the recipe's")
    parser.add_argument("--folder", type=Path, default=ROOT / "artifacts" / "imported")
    options = parser.parse_args(words)
    for way in options.ways:
        if way not in WAYS:
            raise InputError(f"way '{way}'", expected=f"one of {', '.join(WAYS)}", way_out=nearest(way, WAYS))
    if not options.store.exists():
        raise InputError(f"'{options.store}'", expected="demonstrations", way_out="Make them with: make artifacts")
    reported = not options.updates and options.episodes == parser.get_default("episodes")
    schema = Dataset.open(options.store).schema
    assert schema is not None
    for way in (OWN, *(options.ways or WAYS)):
        data = imported(way, options.store, options.folder)
        run(data, schema.observation.names, options.folder / way / "policy", options.updates, options.episodes)
    table = list(rows(options.store, options.folder))
    write_csv((RESULTS if reported else options.folder) / "imported.csv", COLUMNS, table)
    wrong = [row["way"] for row in table if row["rows"] and not (row["weights"] and row["identical"])]
    if wrong:
        raise TillerError(f"the same rows gave other weights or evaluations: {', '.join(wrong)}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TillerError as error:
        sys.exit(f"{error}")
