"""Checkpoints: what is saved comes back, and what is broken is named."""

from __future__ import annotations

import json
import resource
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from policies.loading.folder import fingerprint
from policies.model import checkpoint
from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import PolicyRecipe
from robot.errors import InputError, TillerError
from tests.policies.points import make_policy, observe


@pytest.fixture
def policy(store: Path, recipe: PolicyRecipe) -> DiffusionPolicy:
    return make_policy(store, recipe)


@pytest.fixture
def saved(policy: DiffusionPolicy, tmp_path: Path) -> Path:
    return checkpoint.save(policy, tmp_path / "saved")


def test_a_loaded_policy_acts_as_the_saved_one(policy: DiffusionPolicy, saved: Path) -> None:
    loaded = checkpoint.load_learnt(saved)
    assert loaded.spec == policy.spec
    assert loaded.recipe == policy.recipe
    observation = observe(policy, 3)
    np.testing.assert_array_equal(
        loaded.sample(observation, seeds=[1, 2, 3]), policy.sample(observation, seeds=[1, 2, 3])
    )


def test_an_image_policy_needs_no_weights_of_its_backbone_to_load(
    image_store: Path, recipe: PolicyRecipe, tmp_path: Path
) -> None:
    images = replace(recipe, encoder={"name": "cnn", "features": 8}, observation=("camera",), transforms=())
    policy = make_policy(image_store, images)
    loaded = checkpoint.load_learnt(checkpoint.save(policy, tmp_path / "images"))
    observation = observe(policy, 2)
    np.testing.assert_array_equal(loaded.sample(observation, seeds=[1, 2]), policy.sample(observation, seeds=[1, 2]))


def test_it_holds_plain_json_and_tensors_only(saved: Path) -> None:
    assert sorted(path.name for path in saved.rglob("*")) == ["model.safetensors", "policy.json"]
    record = json.loads((saved / "policy.json").read_text())
    assert {"format", "version", "spec", "recipe", "provenance"} == set(record)
    assert record["provenance"]["versions"]["torch"]
    assert record["provenance"]["semantic_hash"] is None


def test_the_fingerprint_follows_the_weights(policy: DiffusionPolicy, saved: Path, tmp_path: Path) -> None:
    same = checkpoint.save(policy, tmp_path / "same")
    assert fingerprint(same) == fingerprint(saved)
    next(policy.model.parameters()).data += 1
    assert fingerprint(checkpoint.save(policy, tmp_path / "other")) != fingerprint(saved)


def edit_record(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "policy.json"
        record = json.loads(path.read_text())
        change(record)
        path.write_text(json.dumps(record))

    return spoil


def edit_tensors(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "model.safetensors"
        tensors = load_file(path)
        change(tensors)
        save_file(tensors, path)

    return spoil


def cut(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (edit_record(lambda r: r.update(version=99)), "expected format tiller-policy version 1, got .* version 99"),
        (edit_record(lambda r: r.update(format="other")), "got format other"),
        (edit_record(lambda r: r["recipe"].update(horizn=3)), "Did you mean 'horizon'"),
        (edit_record(lambda r: r.pop("spec")), "nothing for spec"),
        (edit_tensors(lambda t: t.pop("normaliser.fields.action.scale")), "without normaliser.fields.action.scale"),
        (
            edit_tensors(lambda t: t["normaliser.fields.goal.offset"].fill_(float("nan"))),
            "normaliser.fields.goal.offset",
        ),
        (edit_tensors(lambda t: t.pop("network.last.weight")), "without network.last.weight"),
        (edit_tensors(lambda t: t.update(more=t["network.last.weight"].clone())), "with unknown more"),
        (
            edit_tensors(lambda t: t.update({"network.last.bias": t["network.last.bias"][:-1].clone()})),
            "network.last.bias",
        ),
        (cut("model.safetensors"), "model.safetensors.*a whole safetensors file"),
        (cut("policy.json"), "policy.json.*expected JSON"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors"),
        (lambda folder: (folder / "policy.json").unlink(), "no policy.json in it"),
        (shutil.rmtree, "nothing there"),
    ],
)
def test_a_broken_checkpoint_is_one_message_that_names_what_is_wrong(
    saved: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(saved)
    with pytest.raises(InputError, match=message) as error:
        checkpoint.load_learnt(saved)
    assert error.value.exit_code == 2


def test_a_write_that_fails_leaves_the_old_checkpoint_and_nothing_else(
    policy: DiffusionPolicy, saved: Path, tmp_path: Path
) -> None:
    before = fingerprint(saved)
    with pytest.raises(ZeroDivisionError), checkpoint.new_checkpoint(saved) as partial:
        (partial / "model.safetensors").write_bytes(b"half")
        raise ZeroDivisionError
    assert fingerprint(saved) == before
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_a_new_checkpoint_replaces_the_old_one(policy: DiffusionPolicy, saved: Path, tmp_path: Path) -> None:
    before = fingerprint(saved)
    next(policy.model.parameters()).data += 1
    checkpoint.save(policy, saved)
    assert fingerprint(saved) != before
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_a_place_that_cannot_be_written_is_named(policy: DiffusionPolicy, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="a place that can be written to"):
        checkpoint.save(policy, tmp_path / "file" / "checkpoint")


def test_a_disk_that_takes_no_more_leaves_the_old_checkpoint_and_says_so(
    policy: DiffusionPolicy, saved: Path, tmp_path: Path
) -> None:
    before = fingerprint(saved)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(TillerError, match="The previous checkpoint is intact") as error:
            checkpoint.save(policy, saved)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert error.value.exit_code == 1
    assert fingerprint(saved) == before
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]
