"""A text is the word as typed, in every option that takes one: names and paths are not read as anything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from data.store.dataset import Dataset
from real.graph.ros_arguments import TEXTS, arguments_of
from robot.errors import InputError
from tests.journeys.commands import TINY
from tiller.cli import main
from tiller.command_line.words import read_options, split_words
from tiller.configuration.compose import compose
from tiller.configuration.overrides import hint_of, looks_like_several, quoted, split, unquoted, value_of, word_of
from tiller.sweep.cells import expand
from tiller.sweep.launchers import read_launcher
from tiller.verbs.calibrate import BudgetOptions
from tiller.verbs.data import ConvertOptions
from tiller.verbs.deploy import DeployOptions
from tiller.verbs.doctor import DoctorOptions
from tiller.verbs.evaluate import EvaluateOptions
from tiller.verbs.train import TrainOptions

STRANGE = (
    "2024",
    "1e3",
    "true",
    "null?",
    "\u00fcn\u00ef",
    "\u65b0\u52a0\u5377",
    "#1",
    "run(1)",
    "a[2]",
    "[2]",
    "a;b",
    "a&b",
    "a!b",
    "~b",
    "it's",
    "x=1,y",
    "push, then pull",
    "{a: b",
    "inf",
    "0x10",
    "1_000",
    "a\\b",
    "${home}",
    "a:b",
    "nan",
    "choice(a)",
    " ",
    '"',
    "a|b",
    "<a>",
    "*",
    "a`b",
    "%",
    "@x",
    "5 %",
)


@pytest.mark.parametrize("word", STRANGE)
def test_a_text_is_the_word_as_typed(word: str) -> None:
    datasets = tuple(word[1:-1].split(", ")) if word.startswith("[") and word.endswith("]") else word
    assert compose("train", TrainOptions, [f"data={word}"]).options.data == datasets, "one, or several in a list"
    options = compose("evaluate", EvaluateOptions, ["checkpoint=x", f"output={word}", f"compare={word}"]).options
    assert (options.output, options.compare) == (word, word)
    assert compose("deploy", DeployOptions, ["contract=x", f"instruction={word}"]).options.instruction == word
    assert compose("deploy", DeployOptions, ["contract=x", f"remap.a={word}"]).options.remap == {"a": word}
    assert read_options("doctor", DoctorOptions, [f"robot={word}"]).robot == word
    assert read_options("data convert", ConvertOptions, [f"rename.img={word}"]).rename == {"img": word}
    assert read_options("calibrate budget", BudgetOptions, ["output=x", f"log={word}"]).log == word
    assert read_launcher(["launcher=slurm", f"launcher.partition={word}"]).partition == word  # type: ignore[union-attr]
    assert compose("train", TrainOptions, [f"task={word}", "data=x"]).options.task == word


@pytest.mark.parametrize("word", [word for word in STRANGE if not set(word) & set(",[]{}") and word.strip()])
def test_texts_of_lists_and_mappings_are_as_typed_too(word: str) -> None:
    options = compose("train", TrainOptions, ["data=x", f"policy.observation=[{word}, b]"]).options
    assert options.policy.observation == (word, "b")
    given_ = read_options("data convert", ConvertOptions, [f"exclude=[a,{word}]", f"rename={{img: {word}}}"])
    assert given_.exclude == ("a", word) and given_.rename == {"img": word}
    slurm = (
        read_launcher(["launcher=slurm", f"launcher.setup=['module load {quoted(word)[1:-1]}', {word}]"])
        if "'" not in word and '"' not in word and "\\" not in word
        else None
    )
    assert slurm is None or slurm.setup == (f"module load {word}", word)  # type: ignore[union-attr]


def test_names_of_data_may_have_any_letters() -> None:
    words = ["s", "t", "rename.left arm=joints", "units.\u00fc#1=m", "rename.2024=year"]
    paths, options = split_words(words, ConvertOptions)
    assert paths == ["s", "t"]
    read = read_options("data convert", ConvertOptions, options)
    assert read.rename == {"left arm": "joints", "2024": "year"} and read.units == {"\u00fc#1": "m"}
    assert split_words(["./a=b", "2024", "true", "#1", "-x", "renamed/a=1"], ConvertOptions) == (
        ["./a=b", "2024", "true", "#1", "renamed/a=1"],
        ["-x"],
    )


def test_numbers_and_what_has_no_type_are_read_as_before() -> None:
    options = compose(
        "train",
        TrainOptions,
        [
            "data=x",
            "training.learning_rate=1e-3",
            "training.minutes=null",
            "training.overfit_one_batch=true",
            "policy.network={width: 64}",
            "policy.network.depth=2",
            "options.flag=true",
            "options.n=[1,2.5,b]",
            "options.file=/a/\u00fc#(2).xml",
            "task=null",
        ],
    ).options
    assert options.training.learning_rate == 1e-3 and options.training.minutes is None
    assert options.training.overfit_one_batch and options.task is None
    assert options.policy.network["width"] == 64 and options.policy.network["depth"] == 2
    assert options.options == {"flag": True, "n": [1, 2.5, "b"], "file": "/a/\u00fc#(2).xml"}
    field = {"name": "2024", "size": 3, "unit": "m", "kind": "native"}
    action = "action=[{name: 2024, size: 3, unit: m, kind: native}]"
    assert vars(read_options("data convert", ConvertOptions, [action]).action[0]) == field


def test_quotes_around_a_whole_word_are_none_of_it() -> None:
    assert compose("train", TrainOptions, ["data='a, b'"]).options.data == "a, b"
    assert compose("train", TrainOptions, ['data="null"', 'output="it\'s"']).options.output == "it's"
    assert compose("train", TrainOptions, ["data=x", "output=null"]).options.output is None


def test_several_values_without_a_sweep_are_refused_with_both_ways_out() -> None:
    with pytest.raises(InputError, match=r"Add -m .*'data=\"x,y\"'"):
        compose("train", TrainOptions, ["data=x,y"])
    with pytest.raises(InputError, match="Add -m"):
        compose("train", TrainOptions, ["data=x", "training.seed=0,1"])
    with pytest.raises(InputError, match="null"):
        compose("train", TrainOptions, ["~data"])


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=12))
@example("a,b")
@example('\\"')
@example("'a'")
@example("null")
@example("a\\")
def test_a_word_written_for_a_child_says_the_same_there(text: str) -> None:
    word = word_of("output", text)
    hint = hint_of(TrainOptions, ["output"])
    assert word.startswith("output=") and value_of(hint, word.partition("=")[2]) == text
    assert not looks_like_several(hint, word.partition("=")[2])
    assert unquoted(quoted(text)) == text
    assert split(f"{quoted(text)}, b") == [quoted(text), "b"]


@pytest.mark.parametrize(
    "names", [("a#1", "b(2)"), ("\u00fc", "\u00f6"), ("it's", "x=1"), ("2024", "1e3"), ('"a,b"', "c")]
)
def test_a_sweep_over_texts_hands_each_on_as_typed(names: tuple[str, str]) -> None:
    cells = expand([f"data={','.join(names)}", "training.seed=range(0,2)"], TrainOptions)
    assert len(cells) == 4 and len({cell.name for cell in cells}) == 4
    read = [compose("train", TrainOptions, cell.overrides).options for cell in cells]
    assert [(each.data, each.training.seed) for each in read] == [
        (unquoted(name), seed) for name in names for seed in (0, 1)
    ]


def test_texts_of_nodes_are_texts_and_numbers_are_numbers() -> None:
    def told(*words: str) -> dict[str, Any]:
        return {
            name: yaml.safe_load(value)
            for name, _, value in (word.partition(":=") for word in arguments_of(words)[2::2])
        }

    for word in ("2024", "true", "it's", "1e3", "a#b", "\u00fc; &", "a:=b"):
        assert told(f"checkpoint={word}", f"instruction={word}", "seed=3", "speed=0.5") == {
            "checkpoint": word,
            "instruction": word,
            "seed": 3,
            "speed": 0.5,
        }
    assert told("instruction='pick it up'") == {"instruction": "pick it up"}
    assert arguments_of(["policy/chunk:=left/chunk"]) == ["--ros-args", "-r", "policy/chunk:=left/chunk"]


def test_every_text_of_a_node_is_known() -> None:
    import ast

    found = set()
    real = Path(__file__).parents[2] / "real"
    for file in (*(real / "nodes").glob("*_node.py"), real / "teleop" / "options.py"):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "declare":
                name, default = call.args[1:3]
                if isinstance(default, ast.Constant) and isinstance(default.value, str):
                    found.add(ast.literal_eval(name))
    assert found and found == set(TEXTS)


def test_a_run_in_folders_of_strange_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    state = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    np.savez("it's (1).npz", state=state, action=state, episode_ends=[20, 40])
    assert main(["data", "convert", "it's (1).npz", "2024", "period_s=0.1", "units=1"]) == 0
    small = ["policy=flow_mlp", "policy.network.width=8", *TINY, "training.steps=1"]
    assert main(["train", "data=2024", *small, "output=x=1,y"]) == 0
    assert json.loads((tmp_path / "x=1,y" / "finished.json").read_text())["updates"] == 1
    assert main(["train", "-m", "data=2024", *small, "training.seed=0,0", "output=a,b #(\u00fc)"]) == 0
    assert len(list((tmp_path / "a,b #(\u00fc)").glob("*/finished.json"))) == 1
    assert len(Dataset.open("2024")) == 2
