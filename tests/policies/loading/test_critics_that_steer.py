"""Checkpoints of what steers by a critic: the critic is pinned by its hash, as the base is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from policies.critics import checkpoint as critics_on_disk
from policies.critics.checkpoint import critic_fingerprint
from policies.loading.folder import fingerprint, parts, require_whole, steering_parts
from policies.loading.load import describe, identity, load, save_steered
from policies.model import checkpoint
from policies.model.checkpoint_folder import CRITIC_HEADER, RECORD
from policies.recipe.recipe import PolicyRecipe
from policies.steering.by_critic.guidance import ValueGuided
from policies.steering.by_critic.value import ValueSteered
from policies.steering.by_noise.medoid import Medoid
from policies.steering.by_noise.noise_scale import NoiseScaled
from policies.steering.steered import Steered
from robot.description import CriticBase, Policy
from robot.errors import InputError
from tests.policies.points import make_policy, observe
from tests.policies.steering.known_critics import KnownCritic, learnt_critic, save_learnt

pytestmark = pytest.mark.filterwarnings("ignore::policies.steering.by_critic.value.SteeringWarning")
KINDS: list[tuple[type[Any], dict[str, Any]]] = [
    (ValueSteered, {"samples": 4, "selection_temperature": 0.5}),
    (ValueGuided, {"beta": 0.1, "cap": 2.0}),
]


@pytest.fixture
def base(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> Path:
    return checkpoint.save(make_policy(store, recipe), tmp_path / "runs" / "base")


@pytest.fixture
def critic(base: Path) -> Path:
    return save_learnt(loaded(base), base.parent / "critic")


def loaded(base: Path) -> Any:
    return load(base)


def steered(kind: type[Any], options: dict[str, Any], base: Path, critic: Path) -> Any:
    return kind(NoiseScaled(load(base).with_sampler(None, 3), noise_scale=0.5), str(critic), **options)


def sample(policy: Policy) -> np.ndarray:
    return policy.sample(observe(policy, 3), seeds=[1, 2, 3])  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_it_comes_back_as_it_was(base: Path, critic: Path, kind: type[Any], options: dict[str, Any]) -> None:
    made = steered(kind, options, base, critic)
    path = save_steered(made, base.parent / "steered", base)
    policy = load(path)
    np.testing.assert_array_equal(sample(policy), sample(made))
    assert isinstance(policy, Steered) and policy.settings == made.settings
    assert policy.settings["critic"] == critic_fingerprint(critic)
    assert policy.fingerprint == fingerprint(base) == loaded(base).fingerprint
    assert steering_parts(path) == {critic_fingerprint(critic): critic} and parts(path) == [path, base, critic]
    with pytest.raises(InputError, match=r"euler in 3 steps, which it was steered with"):
        policy.with_sampler(None, 10)
    assert require_whole(path)["format"] == "tiller-policy"
    assert describe(path, policy)["steering"][-1] == made.settings


def test_all_move_together_and_the_hash_knows_no_place(base: Path, critic: Path, tmp_path: Path) -> None:
    made = steered(*KINDS[0], base, critic)
    path = save_steered(made, base.parent / "steered", base)
    before, chunk = (fingerprint(path), identity(path, load(path))), sample(made)
    shutil.move(tmp_path / "runs", tmp_path / "moved")
    moved = tmp_path / "moved" / "steered"
    np.testing.assert_array_equal(sample(load(moved)), chunk)
    assert (fingerprint(moved), identity(moved, load(moved))) == before


def test_a_critic_at_its_old_place_is_taken_where_it_is_another_beside(
    base: Path, critic: Path, tmp_path: Path
) -> None:
    path = save_steered(steered(*KINDS[0], base, critic), base.parent / "steered", base)
    other = tmp_path / "other"
    shutil.copytree(path, other / "steered")
    save_learnt(loaded(base), other / "critic", seed=1)
    assert steering_parts(other / "steered") == {critic_fingerprint(critic): critic}


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_a_critic_that_was_replaced_is_refused_with_both_hashes(
    base: Path, critic: Path, kind: type[Any], options: dict[str, Any]
) -> None:
    path, before = (
        save_steered(steered(kind, options, base, critic), base.parent / "steered", base),
        identity(base, steered(kind, options, base, critic)),
    )
    old = critic_fingerprint(critic)
    save_learnt(loaded(base), critic, seed=1)
    assert identity(base, steered(kind, options, base, critic)) != before, "another critic is another policy"
    for look in (load, require_whole):
        with pytest.raises(
            InputError, match=f"the critic of hash {old}, which steered, got one of hash {critic_fingerprint(critic)}"
        ):
            look(path)


def test_a_critic_that_is_gone_is_named(base: Path, critic: Path) -> None:
    path = save_steered(steered(*KINDS[0], base, critic), base.parent / "steered", base)
    old = critic_fingerprint(critic)
    shutil.rmtree(critic)
    for look in (load, require_whole):
        with pytest.raises(InputError, match=f"critic of the steered.*hash {old} at '.*critic', got nothing there"):
            look(path)


def test_what_stands_on_a_steered_checkpoint_needs_its_critic_too(base: Path, critic: Path, tmp_path: Path) -> None:
    below = save_steered(ValueGuided(load(base), str(critic)), base.parent / "guided", base)
    path = save_steered(Medoid(load(below), candidates=3), tmp_path / "twice", below)
    expected = Medoid(ValueGuided(load(base), learnt_critic(loaded(base))), candidates=3)
    np.testing.assert_array_equal(sample(load(path)), sample(expected))
    assert set(parts(path)) == {path, below, base, critic}
    record = json.loads((path / RECORD).read_text())
    assert "critics" not in record, "only those of its own layers"
    shutil.rmtree(critic)
    with pytest.raises(InputError, match=r"critic of the steered checkpoint '.*guided'"):
        load(path)


def test_a_critic_of_a_base_keeps_to_it(base: Path, tmp_path: Path, store: Path, recipe: PolicyRecipe) -> None:
    policy = loaded(base)
    critic = KnownCritic(policy.spec, lambda chunk: chunk.sum(axis=(-1, -2)))
    critic.spec = critic.spec.__class__(
        **{**vars(critic.spec), "base": CriticBase(fingerprint(base), policy.spec.sampler)}
    )
    ValueSteered(NoiseScaled(policy), critic, samples=3).sample(observe(policy, 2))
    next(policy.model.parameters()).data += 1
    other = load(checkpoint.save(policy, tmp_path / "other"))
    with pytest.raises(
        InputError, match=rf"of hash {fingerprint(tmp_path / 'other')}, got one of hash {fingerprint(base)}"
    ):
        ValueSteered(other, critic)


def test_what_cannot_be_kept_is_refused(base: Path, critic: Path) -> None:
    by_object = ValueSteered(load(base), learnt_critic(loaded(base)))
    with pytest.raises(InputError, match=r"a critic that was loaded by its path.*critic="):
        save_steered(by_object, base.parent / "steered", base)
    for path in (critic, critic.parent):
        with pytest.raises(InputError, match=r"one that holds its (critic|base)"):
            save_steered(steered(*KINDS[0], base, critic), path, base)
    assert critic_fingerprint(critic)


def test_a_record_with_a_critic_that_is_nowhere_is_refused(base: Path, critic: Path) -> None:
    path = save_steered(steered(*KINDS[0], base, critic), base.parent / "steered", base)
    record = json.loads((path / RECORD).read_text())
    record["steering"][1]["critic"] = "0000000000000000"
    (path / RECORD).write_text(json.dumps(record))
    with pytest.raises(InputError, match=rf"critic: expected one of {critic_fingerprint(critic)}.*'0000000000000000'"):
        load(path)


def test_records_of_critics_are_read_without_torch_by_the_header_that_is_written() -> None:
    assert CRITIC_HEADER == (critics_on_disk.FORMAT, critics_on_disk.VERSION)
