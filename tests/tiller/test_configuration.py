"""Configurations: what a person writes becomes typed values or one message."""

from __future__ import annotations

import pytest
import yaml

from policies.recipe.recipe import PolicyRecipe, TrainingConfig
from robot.description import from_json
from robot.errors import InputError
from robot.folders import configs_folder
from tiller.command_line.words import read_options
from tiller.configuration.compose import choices_of, compose, groups_of
from tiller.verbs.data import ConvertOptions
from tiller.verbs.train import TrainOptions


def composed(*overrides: str) -> TrainOptions:
    return compose("train", TrainOptions, ["data=x", *overrides]).options


@pytest.mark.parametrize("policy", choices_of("policy"))
def test_every_policy_is_one_that_can_be_built(policy: str) -> None:
    from policies.model.build import build_policy, policy_spec
    from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec

    recipe = composed(f"policy={policy}").policy
    fields = [ObservationField("state", (5,), "float32", "1", "state")]
    if recipe.encoder["name"] != "state":
        fields.append(ObservationField("camera", (64, 64, 3), "uint8", "1", "image"))
    action = ActionSpec((ActionField("target", 2, "1", "native"),), 0.1)
    built = build_policy(recipe, policy_spec(recipe, ObservationSpec(tuple(fields)), action))
    assert built.spec.action == action


@pytest.mark.parametrize("group", ["policy", "training", "task"])
def test_every_choice_says_in_a_line_what_it_is(group: str) -> None:
    assert all(20 < len(line) < 110 for line in choices_of(group).values()), choices_of(group)


@pytest.mark.parametrize("task", choices_of("task"))
def test_every_task_file_is_named_after_a_task_and_reads_keys_that_it_has(task: str) -> None:
    import sim

    env = sim.make(task)
    options = composed(f"task={task}")
    assert options.task == env.task.id
    assert set(options.policy.observation) <= set(env.observation_spec.names)
    env.close()


def test_command_line_wins_over_the_task_and_the_task_over_the_recipe() -> None:
    by_task = composed("task=pusht/image")
    assert by_task.policy.encoder["name"] == "cnn"
    assert composed("task=pusht/image", "policy=flow_mlp").policy.encoder["name"] == "state"
    assert composed("task=pusht/state", "policy.observation=[]").policy.observation == ()


def test_task_without_a_file_keeps_the_defaults() -> None:
    options = composed("task=gym/Pendulum-v1")
    assert options.task == "gym/Pendulum-v1"
    assert options.policy == composed().policy and options.training == composed().training


def test_field_that_no_file_names_can_be_set() -> None:
    assert "keep_every" not in (configs_folder() / "training" / "default.yaml").read_text()
    assert composed("training.keep_every=7").training.keep_every == 7
    assert composed("policy.network.dropout=0.1").policy.network["dropout"] == 0.1


def test_files_of_recipes_read_strictly() -> None:
    for name in choices_of("policy"):
        from_json(PolicyRecipe, yaml.safe_load((configs_folder() / "policy" / f"{name}.yaml").read_text()))
    with pytest.raises(InputError, match="Did you mean 'steps'"):
        from_json(TrainingConfig, {"stesp": 3})


def test_groups_are_those_of_the_defaults_list() -> None:
    assert set(groups_of("train")) == {"policy", "critic", "monitor", "training", "task"}
    assert groups_of("evaluate") == groups_of("collect") == {"steering": None}
    assert groups_of("deploy") == {}


def test_composing_leaves_nothing_behind(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    composed("training.steps=3")
    assert list(tmp_path.iterdir()) == []


def test_names_of_data_may_have_dots() -> None:
    policy = composed("policy.history.tcp.position.steps=3", "policy.normalisation.fields.tcp.rotation=none").policy
    assert policy.history["tcp.position"].steps == 3
    assert policy.normalisation.fields == {"tcp.rotation": "none"}
    words = ["units.observation.state='m rad'", "rename.obs.x=tcp.position"]
    given = read_options("data convert", ConvertOptions, words)
    assert given.units == {"observation.state": "m rad"} and given.rename == {"obs.x": "tcp.position"}
    assert read_options("data convert", ConvertOptions, ["units=1"]).units == 1


def test_mapping_is_merged_and_a_part_of_it_can_be_set() -> None:
    policy = composed("policy.network={width: 64}", "policy.network.depth=2").policy
    assert policy.network["name"] == "mlp" and (policy.network["width"], policy.network["depth"]) == (64, 2)


def test_options_in_a_file_are_those_of_the_part_that_it_names() -> None:
    assert composed("policy=generalist").policy.prompt == {"name": "language", "drop": 0.1}
    assert composed("policy=generalist", "policy.prompt.name=language").policy.prompt["drop"] == 0.1
    assert composed("policy=generalist", "policy.prompt.name=ignored").policy.prompt == {"name": "ignored"}
    words = ("policy.prompt.size=8", "policy.prompt.name=instruction")
    assert composed("policy=generalist", *words).policy.prompt == {"name": "instruction", "size": 8}
    sampler = composed("policy=generalist", "policy.sampler.steps=7", "policy.sampler.name=heun").policy.sampler
    assert sampler is not None and (sampler.name, sampler.steps) == ("heun", 7)
