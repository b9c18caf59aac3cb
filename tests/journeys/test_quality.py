"""From demonstrations to a policy that is trained by their scores, and what cannot be measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import QUALITY, Quality
from data.store.schema import Schema
from policies.recipe.recipe import TrainingConfig, ValidationConfig
from policies.training.demonstrations import Demonstrations
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from tests.journeys.commands import TINY, Command, contents


def test_demonstrations_are_scored_and_trained_by(tiller: Command, pusht_dataset: Path, tmp_path: Path) -> None:
    before, output = contents(pusht_dataset), tmp_path / "quality"
    said = tiller.succeeds("data", "quality", pusht_dataset, f"output={output}", "k=3")
    assert "action divergence" in said and "3 episodes, 90 rows" in said and "TQ" in said
    assert {file.name for file in output.iterdir()} >= {"quality.json", "quality.csv", "quality.html", "finished.json"}
    page = (output / "quality.html").read_text()
    assert page.count("<svg") > 5 and "http" not in page.replace("http://www.w3.org", "")
    assert contents(pusht_dataset) == before

    words = said.splitlines()[-1].split("tiller ", 1)[1].split()  # what it says to do next
    said = tiller.succeeds(*words, f"output={tmp_path / 'run'}", *TINY)
    assert "episodes score file=" in said
    config = TrainingConfig(order={"name": "score", "file": str(output)}, validation=ValidationConfig(0.4))
    demonstrations = Demonstrations.open(pusht_dataset, config)
    weights, own = demonstrations.weights()[0], demonstrations.training[0]
    assert weights is not None
    np.testing.assert_array_equal(
        weights[own], np.array(json.loads((output / "quality.json").read_text())["scores"])[own]
    )

    again = tiller("data", "quality", pusht_dataset, f"output={output}")
    assert again.code == 2 and "overwrite=true" in again.message
    tiller.succeeds("data", "quality", pusht_dataset, f"output={output}", "overwrite=true")


def test_a_stale_score_file_stops_a_training_before_it_begins(
    tiller: Command, pusht_dataset: Path, tmp_path: Path
) -> None:
    output = tmp_path / "quality"
    tiller.succeeds("data", "quality", pusht_dataset, f"output={output}")
    dataset = Dataset.open(pusht_dataset)
    assert dataset.schema is not None
    with Dataset.create(tmp_path / "fewer", dataset.schema, dataset.attributes) as fewer:
        fewer.extend([dataset.episode(number) for number in range(2)])
    outcome = tiller(
        "train", f"data={tmp_path / 'fewer'}", "training.order.name=score",
        f"training.order.file={output / 'quality.json'}", f"output={tmp_path / 'run'}", *TINY,
    )  # fmt: skip
    assert outcome.code == 2 and "(3 episodes)" in outcome.message and "Measure it" in outcome.message
    assert not (tmp_path / "run").exists()


STATE = ObservationField("state", (2,), "float32", "m", "pose")
IMAGE = ObservationField("front", (8, 8, 3), "uint8", "1", "image")


def store(folder: Path, episodes: int, *fields: ObservationField, **rows: Any) -> Path:
    """Some episodes of noise; `rows` replaces what they hold."""
    random = np.random.default_rng(0)
    columns = (QUALITY,) if QUALITY.name in rows else ()
    schema = Schema(
        ObservationSpec(fields), ActionSpec((ActionField("push", 2, "m", "native"),), 0.1), 0.1, columns=columns
    )
    with Dataset.create(folder, schema) as dataset:
        for _ in range(episodes):
            data = {field.name: random.uniform(0, 99, (12, *field.shape)).astype(field.dtype) for field in fields}
            dataset.append(Episode({**data, "action": random.normal(size=(12, 2)).astype(np.float32), **rows}))
    return folder


def with_nan(folder: Path) -> Path:
    """A sound store in which a number is broken afterwards, as an append refuses it."""
    import zarr

    path = store(folder, 3, STATE)
    state: Any = zarr.open_group(path, mode="a")["data/state"]
    state[17, 1] = np.nan
    return path


def foreign(folder: Path) -> Path:
    import zarr

    group = zarr.open_group(folder, mode="w", zarr_format=2)
    for name, values in (("data/action", np.zeros((9, 2))), ("data/state", np.zeros((9, 3)))):
        group.create_array(name, data=values)
    group.create_array("meta/episode_ends", data=np.array([4, 9]))
    return folder


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda folder: store(folder, 1, STATE), "expected 2 to 1,000,000, as each is judged by the others, got 1"),
        (lambda folder: store(folder, 0, STATE), "got none. Record some first"),
        (lambda folder: store(folder, 3, IMAGE), "got only front. Quality is measured on states"),
        (with_nan, "'state' of episode 1, row 5, component 1: expected finite numbers, got NaN or infinity"),
        (foreign, "tiller data convert"),
        (lambda folder: folder, "store"),
    ],
)
def test_what_cannot_be_measured_is_one_message_and_leaves_nothing(
    tiller: Command, tmp_path: Path, make: Any, named: str
) -> None:
    path = make(tmp_path / "demos")
    outcome = tiller("data", "quality", path, f"output={tmp_path / 'quality'}")
    assert outcome.code == 2 and named in outcome.message and len(outcome.message.splitlines()) == 1
    assert not (tmp_path / "quality").exists() and "demos" in outcome.message


def test_an_output_within_the_store_and_bounds_that_contradict_are_refused(tiller: Command, tmp_path: Path) -> None:
    path = store(tmp_path / "demos", 3, STATE)
    before = contents(path)
    within = tiller("data", "quality", path, f"output={path / 'quality'}")
    assert within.code == 2 and "outside every store" in within.message
    onto = tiller("data", "quality", path, f"output={path}", "overwrite=true")
    assert onto.code == 2 and contents(path) == before
    for word in ("k=0", "rows=5", "rows=10000000", "seed=-1"):
        assert tiller("data", "quality", path, word).code == 2


def test_images_are_left_out_with_a_note_and_rows_taken_back_are_not_looked_at(tiller: Command, tmp_path: Path) -> None:
    flags = np.zeros(12, np.uint16)
    flags[:4] = Quality.REWOUND
    flags[6] = Quality.LIMITED
    path = store(tmp_path / "demos", 3, STATE, IMAGE, quality=flags)
    said = tiller.succeeds("data", "quality", path, f"output={tmp_path / 'quality'}")
    assert "Not looked at, as images and large arrays are no states: front." in said
    given = json.loads((tmp_path / "quality" / "quality.json").read_text())
    assert given["episodes"]["rows"] == [8, 8, 8]
    assert given["episodes"]["clipping"] == pytest.approx([1 / 12] * 3, rel=1e-5)


def test_names_of_a_hostile_store_stay_text_in_the_page(tiller: Command, tmp_path: Path) -> None:
    path = store(tmp_path / "<script>alert(1)</script>".replace("/", "_"), 3, STATE)
    tiller.succeeds("data", "quality", path, f"output={tmp_path / 'q'}")
    assert "<script>alert" not in (tmp_path / "q" / "quality.html").read_text()
