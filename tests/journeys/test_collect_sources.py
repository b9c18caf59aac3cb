"""`tiller collect` from checkpoints, mixtures and in groups: taken up where it stopped, refused without sense."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from data.store.dataset import Dataset
from policies.loading.folder import fingerprint
from policies.model.checkpoint import save
from tests.journeys.commands import Command
from tests.journeys.test_bad_input import refused
from tests.sim.untrained_policy import untrained_near_rest, untrained_policy
from tiller.verbs.collect import command


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(untrained_policy(), tmp_path_factory.mktemp("collect") / "policy")


def collected(path: Path, *words: str) -> Dataset:
    assert command([*words, f"output={path}"]) == 0
    return Dataset.open(path)


def digests(dataset: Dataset) -> list[str]:
    return [dataset.episode(number).digest() for number in range(len(dataset))]


WORDS = ("task=pusht/state", "source=checkpoint", "options.max_steps=30")


def test_a_collection_of_a_checkpoint_goes_on_as_if_it_had_not_stopped(policy: Path, tmp_path: Path) -> None:
    words = (*WORDS, f"checkpoint={policy}", "seed=4")
    whole = collected(tmp_path / "whole", *words, "episodes=5")
    collected(tmp_path / "cut", *words, "episodes=2")
    resumed = collected(tmp_path / "cut", *words, "episodes=5", "resume=true", "workers=2")
    assert digests(resumed) == digests(whole)
    assert whole.meta("seed").tolist() == whole.meta("noise_seed").tolist() == [4, 5, 6, 7, 8]
    assert set(whole.meta("policy")) == {fingerprint(policy)} and not whole.meta("success").any()
    assert whole.attributes["collection"]["policies"][0]["hash"] == fingerprint(policy)
    assert {"reward", "terminated", "truncated"} <= set(whole.keys)


def test_groups_are_taken_up_whole(policy: Path, tmp_path: Path) -> None:
    words = (*WORDS, f"checkpoint={policy}", "groups=3")
    whole = collected(tmp_path / "whole", *words, "episodes=9")
    collected(tmp_path / "cut", *words, "episodes=3")
    resumed = collected(tmp_path / "cut", *words, "episodes=9", "resume=true")
    assert digests(resumed) == digests(whole)
    assert whole.meta("group").tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert whole.meta("seed").tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2] and len(set(whole.meta("noise_seed"))) == 9


def test_a_steered_policy_is_collected_with_its_noise(policy: Path, tmp_path: Path) -> None:
    words = (*WORDS, f"checkpoint={policy}", "episodes=2")
    plain = collected(tmp_path / "plain", *words)
    calm = collected(tmp_path / "calm", *words, "steering=noise_scale", "steering.noise_scale=0")
    assert digests(plain) != digests(calm)
    about = calm.attributes["collection"]["policies"][0]
    assert about["steering"] == [{"name": "noise_scale", "noise_scale": 0}]
    assert set(calm.meta("policy")) == {about["policy"]} != set(plain.meta("policy")), (
        "as it acts, not as it was learnt"
    )


def test_a_mixture_draws_who_acts_and_says_so(tmp_path: Path) -> None:
    path = save(untrained_near_rest(), tmp_path / "policy")
    dataset = collected(
        tmp_path / "mixed", "task=twin/lift", "source=mixture", f"checkpoint={path}", "episodes=8", "expert_share=0.5",
        "options.max_steps=60", "action_noise.tcp.position=0.002",
    )  # fmt: skip
    sources, acted = dataset.meta("source"), dataset.meta("policy") != ""
    assert 1 < acted.sum() < 8 and dataset.meta("seed").tolist() == list(range(8))
    assert all(("expert" in source) != by_policy for source, by_policy in zip(sources, acted))
    assert (dataset.meta("noise_seed") >= 0).tolist() == acted.tolist()
    actors = [set(dataset.episode(number).data["actor"].tolist()) for number in range(8)]
    assert actors == [{0} if by_policy else {2} for by_policy in acted]
    assert dataset.meta("success")[~acted].all(), "the expert bears the noise"
    assert all("action_noise" in json.loads(text) for text in dataset.meta("strategy")[acted])


@pytest.mark.parametrize(
    ("words", "saying"),
    [
        (("source=checkpoint",), "checkpoint: expected the policy that acts"),
        (("source=chekpoint",), "Did you mean 'checkpoint'"),
        (("checkpoint=POLICY",), "Add source=checkpoint"),
        (("steering=noise_scale",), "Add source=checkpoint"),
        (("groups=4",), "Add source=checkpoint"),
        (("source=checkpoint", "checkpoint=POLICY", "checkpoints=[POLICY]"), "Add source=mixture"),
        (("source=checkpoint", "checkpoint=POLICY", "groups=4", "episodes=10"), "a multiple of groups=4"),
        (("source=checkpoint", "checkpoint=POLICY", "groups=4", "episodes=8", "keep_failures=false"), "keep_failures"),
        (("source=checkpoint", "checkpoint=POLICY", "groups=1"), "at least 2"),
        (("source=mixture", "checkpoint=POLICY"), "scripted expert: expected a task that has one"),
        (("source=checkpoint", "checkpoint=POLICY", "action_noise.agent.pos=1"), "action_noise.agent.pos"),
        (("source=checkpoint", "checkpoint=POLICY", "action_noise.agent.target=-1"), "at least 0"),
        (("source=checkpoint", "checkpoint=POLICY", "action_noise.agent.target=nan"), "at least 0"),
        (("source=checkpoint", "checkpoint=nowhere"), "checkpoint 'nowhere'"),
        (("source=checkpoint", "checkpoint=POLICY", "steering=noise_scale", "steering.noise_scale=-1"), "noise_scale"),
        (("source=checkpoint", "checkpoint=POLICY", "sampler=ddim"), "sampler 'ddim'"),
    ],
)
def test_options_that_do_not_go_together_are_refused_before_anything_is_made(
    policy: Path, tmp_path: Path, tiller: Command, words: tuple[str, ...], saying: str
) -> None:
    words = tuple(word.replace("POLICY", str(policy)) for word in words)
    refused(tiller, "collect", "task=pusht/state", *words, f"output={tmp_path / 'out'}", saying=(saying,))
    assert not (tmp_path / "out").exists()


def test_groups_on_a_task_whose_state_cannot_be_put_back_are_refused(tmp_path: Path, tiller: Command) -> None:
    from tests.sim.wanderer import Wanderer

    task = "gym/tests.sim.restless_env:Restless-v0"
    spec = Wanderer(task).spec
    from data.learning.statistics import RunningStatistics
    from policies.model.build import build_policy, policy_spec
    from policies.recipe.recipe import PolicyRecipe

    recipe = PolicyRecipe(network={"name": "mlp", "width": 16, "depth": 1}, horizon=8)
    statistics = {}
    for name in ("observation", "action"):
        running = RunningStatistics((1,))
        running.update(np.random.default_rng(0).uniform(-1, 1, (50, 1)))
        statistics[name] = running.result()
    path = save(build_policy(recipe, policy_spec(recipe, spec.observation, spec.action), statistics), tmp_path / "own")
    refused(
        tiller, "collect", f"task={task}", "source=checkpoint", f"checkpoint={path}", "groups=2", "episodes=4",
        f"output={tmp_path / 'out'}", saying=("a task whose state can be saved and put back", "Leave groups out"),
    )  # fmt: skip
    assert not (tmp_path / "out").exists()


def test_the_expert_of_a_task_that_does_not_fit_is_refused(tmp_path: Path, tiller: Command) -> None:
    words = ("collect", "task=twin/lift", "episodes=1", f"output={tmp_path / 'none'}")
    refused(tiller, *words, "expert=twin/hand_grasp", saying=("expert of twin/hand_grasp", "hand.joints"))
    refused(tiller, *words, "expert=twin/lfit", saying=("twin/lift",))
    refused(tiller, *words, "expert=twin/place", "source=checkpoint", "checkpoint=x", saying=("source=expert",))
    assert not list(tmp_path.iterdir())
