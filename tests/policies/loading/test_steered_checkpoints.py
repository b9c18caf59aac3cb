"""Checkpoints of steered policies: what they keep, what they name, and bases that are gone or changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from policies.loading.folder import chain, fingerprint, require_whole
from policies.loading.load import describe, identity, load, save_steered
from policies.model import checkpoint
from policies.model.checkpoint_folder import RECORD, WEIGHTS
from policies.recipe.recipe import PolicyRecipe
from policies.steering.by_noise.medoid import Medoid
from policies.steering.by_noise.noise_scale import NoiseScaled
from policies.steering.execution import Executed
from robot.errors import InputError
from tests.policies.points import make_policy, observe


@pytest.fixture
def base(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> Path:
    return checkpoint.save(make_policy(store, recipe), tmp_path / "runs" / "base")


@pytest.fixture
def steered(base: Path) -> Path:
    policy = NoiseScaled(load(base).with_sampler(None, 3), noise_scale=0.25)
    return save_steered(policy, base.parent / "steered", base)


def test_it_comes_back_as_it_was_with_its_sampler(base: Path, steered: Path) -> None:
    expected = NoiseScaled(load(base).with_sampler(None, 3), noise_scale=0.25)
    policy = load(steered)
    observation = observe(policy, 3)
    np.testing.assert_array_equal(
        policy.sample(observation, seeds=[1, 2, 3]), expected.sample(observation, seeds=[1, 2, 3])
    )
    assert policy.spec.sampler.steps == 3
    with pytest.raises(InputError, match=r"euler in 3 steps, which it was steered with, got heun in 10 steps"):
        policy.with_sampler("heun", 10)


def test_what_is_steered_twice_comes_back_whole(base: Path, steered: Path, tmp_path: Path) -> None:
    twice = save_steered(Medoid(load(steered), candidates=4), tmp_path / "twice", steered)
    policy = load(twice)
    assert [str(folder) for folder in chain(twice)] == [str(twice), str(steered), str(base)]
    facts = describe(twice, policy)
    assert [each["name"] for each in facts["steering"]] == ["noise_scale", "medoid"]
    assert facts["hash"] == fingerprint(base) and facts["steps"] == 3
    observation = observe(policy, 2)
    expected = Medoid(NoiseScaled(load(base).with_sampler(None, 3), noise_scale=0.25), candidates=4)
    np.testing.assert_array_equal(policy.sample(observation, seeds=[1, 2]), expected.sample(observation, seeds=[1, 2]))


def test_a_base_that_changed_is_refused_with_both_hashes(
    base: Path, steered: Path, store: Path, recipe: PolicyRecipe
) -> None:
    before = fingerprint(base)
    policy = load(base)
    next(policy.model.parameters()).data += 1  # type: ignore[attr-defined]
    checkpoint.save(policy, base)  # type: ignore[arg-type]
    for look in (load, require_whole):
        with pytest.raises(
            InputError, match=f"of hash {before}, which was steered, got one of hash {fingerprint(base)}"
        ):
            look(steered)


def test_the_hash_covers_spec_and_recipe_and_not_where_a_policy_comes_from(base: Path) -> None:
    before = fingerprint(base)
    record = json.loads((base / RECORD).read_text())

    def written(change: dict) -> str:
        (base / RECORD).write_text(json.dumps({**record, **change}))
        return fingerprint(base)

    assert written({"provenance": {**record["provenance"], "dataset_path": "elsewhere"}}) == before
    assert written({"spec": {**record["spec"], "n_action_steps": 2}}) != before
    assert written({"recipe": {**record["recipe"], "pad_loss": True}}) != before
    assert written({}) == before


def test_a_base_that_is_gone_is_named_with_its_hash(base: Path, steered: Path) -> None:
    before = fingerprint(base)
    shutil.rmtree(base)
    for look in (load, require_whole, fingerprint):
        if look is fingerprint:
            look(steered)  # of what is written, wherever the base is
            continue
        with pytest.raises(InputError, match=f"the policy of hash {before} at '.*base', got nothing there"):
            look(steered)


def test_base_and_steered_checkpoint_move_together(base: Path, steered: Path, tmp_path: Path) -> None:
    shutil.move(tmp_path / "runs", tmp_path / "moved")
    moved = tmp_path / "moved" / "steered"
    assert load(moved).spec.sampler.steps == 3 and fingerprint(moved)


def test_several_layers_are_one_checkpoint(base: Path, tmp_path: Path) -> None:
    stack = Executed(Medoid(NoiseScaled(load(base), noise_scale=0.5), candidates=3), n_action_steps=2)
    policy = load(save_steered(stack, tmp_path / "stack", base))
    assert policy.spec.n_action_steps == 2
    observation = observe(policy, 2)
    np.testing.assert_array_equal(policy.sample(observation, seeds=[1, 2]), stack.sample(observation, seeds=[1, 2]))
    about = describe(tmp_path / "stack", policy)
    assert [each["name"] for each in about["steering"]] == ["noise_scale", "medoid", "execution"]
    plain = load(base)
    acting = [identity(base, plain), identity(base, plain.with_sampler(None, 3)), identity(tmp_path / "stack", policy)]
    assert acting[0] == fingerprint(base) and len(set(acting)) == 3


def test_a_steered_checkpoint_never_replaces_its_base(base: Path, steered: Path) -> None:
    for path in (base, base.parent, steered):
        with pytest.raises(InputError, match="one that holds its base"):
            save_steered(NoiseScaled(load(steered), noise_scale=0.5), path, steered if path == steered else base)
    assert load(steered).spec.sampler.steps == 3


def test_a_base_is_found_through_links_and_by_its_hash(
    base: Path, steered: Path, store: Path, recipe: PolicyRecipe
) -> None:
    link = base.parent.parent / "elsewhere" / "deep" / "latest"
    link.parent.mkdir(parents=True)
    link.symlink_to(steered, target_is_directory=True)
    assert load(link).spec.sampler.steps == 3
    other = base.parent.parent / "other"
    shutil.copytree(steered, other / "steered")
    checkpoint.save(make_policy(store, replace(recipe, horizon=8)), other / "base")  # where the base would be beside it
    assert load(other / "steered").spec.horizon == 6


def test_a_record_of_one_layer_as_it_was_written_before_loads_to_the_bit(base: Path, steered: Path) -> None:
    before = load(steered)
    record = json.loads((steered / RECORD).read_text())
    (record["steering"],) = record["steering"]
    (steered / RECORD).write_text(json.dumps(record))
    observation = observe(before, 3)
    np.testing.assert_array_equal(
        load(steered).sample(observation, seeds=[1, 2, 3]), before.sample(observation, seeds=[1, 2, 3])
    )


def test_no_base_of_a_chain_is_replaced(base: Path, steered: Path) -> None:
    with pytest.raises(InputError, match="one that holds its base"):
        save_steered(Medoid(load(steered), candidates=2), base, steered)
    assert load(steered).spec.sampler.steps == 3


def test_a_circle_of_bases_ends(base: Path, steered: Path) -> None:
    record = json.loads((steered / RECORD).read_text())
    record["base"].update(path=str(steered), relative=".")
    (steered / RECORD).write_text(json.dumps(record))
    with pytest.raises(InputError, match="a circle"):
        load(steered)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda record: record.update(version=9), "expected format tiller-steered-policy version 1"),
        (lambda record: record["steering"][0].update(name="noise"), "steering"),
        (lambda record: record["steering"][0].update(noise_scale=-1), "noise_scale.*at least 0"),
        (lambda record: record.update(steering=7), "a list"),
        (lambda record: record.update(version=True), "expected format tiller-steered-policy version 1"),
        (lambda record: record["base"].update(path="x" * 5000, relative="y" * 5000), "nothing there"),
        (lambda record: record["base"].pop("hash"), "nothing for hash"),
        (lambda record: record.update(more=1), "a known key"),
        (lambda record: record["base"].update(steps=0), "steps"),
    ],
)
def test_a_record_that_was_changed_is_refused(steered: Path, spoil, message: str) -> None:
    record = json.loads((steered / RECORD).read_text())
    spoil(record)
    (steered / RECORD).write_text(json.dumps(record))
    with pytest.raises(InputError, match=message):
        load(steered)


def test_weights_of_the_base_that_are_cut_short_are_seen_without_torch(base: Path, steered: Path) -> None:
    assert require_whole(steered)["format"] == "tiller-policy"
    weights = base / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1])
    code = (
        "import sys\nfrom policies.loading.folder import require_whole\n"
        f"try: require_whole({str(steered)!r})\nexcept Exception as error: print(error)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "got one of hash" in done.stdout


def test_nothing_but_a_steered_checkpoint_is_replaced(base: Path, steered: Path, tmp_path: Path) -> None:
    policy = Medoid(load(steered), candidates=4)
    other = checkpoint.save(load(base), tmp_path / "other")  # type: ignore[arg-type]
    thesis = tmp_path / "home" / "sub" / "thesis.txt"
    thesis.parent.mkdir(parents=True)
    thesis.write_text("years of work")
    plain = tmp_path / "file"
    plain.write_text("more work")
    for path in (tmp_path / "home", other, plain):
        with pytest.raises(InputError, match=r"a checkpoint of the same kind.*Choose another path"):
            save_steered(policy, path, steered)
    assert thesis.read_text() == "years of work" and plain.read_text() == "more work"
    assert fingerprint(other) == fingerprint(base)
    with pytest.raises(InputError, match="a checkpoint of the same kind"):
        checkpoint.save(load(base), tmp_path / "home")  # type: ignore[arg-type]
    (tmp_path / "empty").mkdir()
    assert fingerprint(save_steered(policy, tmp_path / "empty", steered)) == fingerprint(
        save_steered(policy, tmp_path / "empty", steered)
    )


def test_a_base_is_the_one_that_was_steered(
    base: Path, steered: Path, store: Path, recipe: PolicyRecipe, tmp_path: Path
) -> None:
    other = checkpoint.save(make_policy(store, replace(recipe, horizon=2 * recipe.horizon)), tmp_path / "other")
    with pytest.raises(InputError, match=f"of hash {fingerprint(base)}, got one of hash {fingerprint(other)}"):
        save_steered(Medoid(load(base), candidates=4), tmp_path / "kept", other)
    assert not (tmp_path / "kept").exists()
