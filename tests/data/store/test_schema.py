"""A schema describes every array of a store and survives its trip through JSON."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from data.store.images.encoding import Encoding
from data.store.names import REWARD
from data.store.schema import ColumnField, MetaField, Schema, StreamField
from robot.errors import InputError


def test_a_schema_is_the_same_after_its_trip_through_json(schema: Schema) -> None:
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


def test_row_fields_are_the_observations_then_the_action_then_the_further_columns(schema: Schema) -> None:
    assert list(schema.row_fields) == ["state", "image", "action", "time_ns", "reward"]
    assert schema.row_fields["action"] == ColumnField("action", (2,), "float32", "px px")


@pytest.mark.parametrize("name", ["", "a/b", ".hidden", "../up", "_private", "a b"])
def test_a_name_that_is_no_plain_file_name_is_refused(name: str) -> None:
    for field in (
        lambda: MetaField(name, "string"),
        lambda: StreamField(name, (1,), "float32", "N"),
        lambda: ColumnField(name, (), "float32", "1"),
    ):
        with pytest.raises(InputError, match="letter or digit first"):
            field()


def test_a_fact_of_an_unknown_type_is_offered_the_nearest_one() -> None:
    with pytest.raises(InputError, match="Did you mean 'string'"):
        MetaField("instruction", "strng")


def test_a_fact_cannot_take_the_place_of_the_episode_ends() -> None:
    with pytest.raises(InputError, match="episode_ends"):
        MetaField("episode_ends", "int64")


def test_a_column_cannot_have_the_name_of_an_observation(schema: Schema) -> None:
    with pytest.raises(InputError, match="different names"):
        replace(schema, columns=(REWARD, ColumnField("state", (), "float32", "1")))


def test_the_period_is_the_actions_own(schema: Schema) -> None:
    with pytest.raises(InputError, match=r"0\.1 s.*0\.05 s"):
        replace(schema, period_s=0.05)


def test_a_misspelt_key_in_stored_json_names_the_right_one(schema: Schema) -> None:
    stored = schema.to_json()
    stored["perod_s"] = stored.pop("period_s")
    with pytest.raises(InputError, match="Did you mean 'period_s'"):
        Schema.from_json(stored)


def test_a_field_says_its_encoding_and_keeps_it_through_json(schema: Schema) -> None:
    encoded = replace(schema, encodings={"image": Encoding("jpeg", 80)})
    assert Schema.from_json(json.loads(json.dumps(encoded.to_json()))) == encoded
    assert encoded.encoding("image").quality == 80 and not encoded.encoding("state").of_images
    with pytest.raises(InputError, match=r"encoding of 'imge'.*Did you mean 'image'"):
        replace(schema, encodings={"imge": Encoding("jpeg")})


def test_zarr_finds_the_codecs_of_encoded_images_by_the_entry_points_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    for name, target in project["entry-points"]["zarr.codecs"].items():
        module, _, codec = target.partition(":")
        assert name == getattr(import_module(module), codec).NAME
