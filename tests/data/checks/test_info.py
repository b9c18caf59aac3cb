"""Info tells what a store holds without reading it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data.checks.info import info, nearly_constant
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import ACTOR, INTERVENTION, QUALITY, Actor, Quality
from data.store.schema import Schema
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec


def test_facts_of_a_store_of_ours(store: Path) -> None:
    facts = info(store)
    assert (facts.kind, facts.written_by_tiller, facts.zarr_format) == ("folder", True, 3)
    assert (facts.episodes, facts.rows, facts.period_s, facts.successes) == (4, 38, 0.1, 2)
    assert abs(facts.duration_s - 3.8) < 1e-9
    assert facts.lengths == (8, 9.5, 11)
    arrays = {array.path: array for array in facts.arrays}
    assert arrays["data/state"].shape == (38, 5) and arrays["data/state"].unit == "px px px px rad"
    assert arrays["data/image"].chunks == (1024, 16, 16, 3) and arrays["data/image"].dtype == "uint8"
    assert arrays["data/image"].codecs == ("blosc", "crc32c")
    assert arrays["streams/wrench/value"].shape == (380, 6)
    on_disk = sum(file.stat().st_size for file in (store / "data" / "image").iterdir())
    assert arrays["data/image"].bytes == on_disk
    text = "\n".join(facts.lines())
    assert "10 Hz" in text and "2 of 4 (50.0%)" in text and "38 x 16 x 16 x 3" in text


def test_facts_of_the_published_demonstrations_in_their_zip(pusht_human: Path) -> None:
    facts = info(pusht_human)
    assert (facts.kind, facts.written_by_tiller, facts.zarr_format) == ("zip", False, 2)
    assert (facts.episodes, facts.rows, facts.lengths) == (206, 25650, (49, 122.0, 246))
    assert facts.period_s is None and facts.successes is None
    arrays = {array.path: array for array in facts.arrays}
    assert arrays["data/img"].shape == (25650, 96, 96, 3) and arrays["data/img"].codecs == ("blosc",)
    assert 29_000_000 < arrays["data/img"].bytes < 31_000_000


def test_an_empty_store_has_no_lengths(tmp_path: Path, schema: Any) -> None:
    Dataset.create(tmp_path / "store", schema).close()
    facts = info(tmp_path / "store")
    assert facts.lengths is None and facts.episodes == 0 and facts.lines()


def test_sizes_of_a_url_are_unknown(store: Path) -> None:
    facts = info(f"file://{store}")
    assert facts.kind == "url" and {array.bytes for array in facts.arrays} == {None}
    assert facts.table()[1][-1] == "?"


def test_components_that_hardly_change_are_named(tmp_path: Path) -> None:
    field = ObservationField("tcp", (2,), "float32", "m", "state")
    action = ActionSpec((ActionField("target", 1, "m", "native"),), 0.1)
    rows = np.stack([np.sin(np.arange(50)), np.random.default_rng(0).uniform(-1e-5, 1e-5, 50)], 1).astype(np.float32)
    with Dataset.create(tmp_path / "store", Schema(ObservationSpec((field,)), action, 0.1)) as dataset:
        dataset.append(Episode({"tcp": rows, "action": rows[:, :1]}, {}, {}))
    (line,) = nearly_constant(tmp_path / "store")
    assert line.startswith("'tcp' hardly changes in component 1: range ")


def test_shares_of_actors_interventions_and_qualities_are_shown(
    tmp_path: Path, schema: Schema, make_episode: Any
) -> None:
    schema = replace(schema, columns=(*schema.columns, ACTOR, INTERVENTION, QUALITY))
    person = np.array([0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 1, 1], bool)
    marked = np.zeros(12, np.uint16)
    marked[3], marked[10:] = Quality.STALE | Quality.REWOUND, Quality.REWOUND
    columns = {
        "actor": np.where(person, Actor.PERSON, Actor.POLICY).astype(np.uint8),
        "intervention": person,
        "quality": marked,
    }
    with Dataset.create(tmp_path / "store", schema) as dataset:
        dataset.extend([make_episode(0, data=columns), make_episode(1, data={**columns, "intervention": person[::-1]})])
    shares = dict(info(tmp_path / "store").shares)
    assert shares["actor"] == "policy 58.3%, person 41.7%"
    # The last one of the first episode ends with it, although the next episode begins with another.
    assert shares["intervention"] == "6, 41.7% of the rows"
    assert shares["quality"] == "stale 2 (8.3%), rewound 6 (25.0%) of the rows"
    assert "person 41.7%" in "\n".join(info(tmp_path / "store").lines())


def test_a_store_without_these_columns_has_no_shares(store: Path) -> None:
    assert info(store).shares == ()
