"""Every numeric option of every verb: a number outside its range is one message with the range and exit code 2."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Callable, Iterator, Mapping, Sequence, Union, get_args, get_origin

import pytest

from policies.encoders import ENCODERS
from policies.networks import NETWORKS
from policies.objectives import OBJECTIVES
from policies.recipe.choice import choose
from policies.recipe.recipe import TrainingConfig
from policies.transforms.augmentation import ColourJitter, ImageAugmentation
from policies.transforms.chain import TRANSFORMS
from robot.description import from_json
from robot.description.ranges import Range
from robot.description.record import declared
from robot.errors import InputError
from sim.tasks.gym.suite import GymOptions
from sim.tasks.maze import MazeTaskOptions
from sim.tasks.metaworld.facts import MetaworldOptions
from sim.tasks.options import TaskOptions
from sim.tasks.options import read_options as read_task_options
from sim.tasks.pusht import PushTOptions
from sim.tasks.robosuite.facts import RobosuiteOptions
from sim.tasks.twin.env import TwinOptions
from tiller.cli import VERBS, main
from tiller.command_line.words import read_options
from tiller.configuration.compose import compose
from tiller.diagnosis.options import DiagnoseOptions
from tiller.steering.options import SteerOptions
from tiller.sweep.launchers import LAUNCHERS, read_launcher
from tiller.verbs.calibrate import BudgetOptions
from tiller.verbs.collect import CollectOptions
from tiller.verbs.data import ACTIONS
from tiller.verbs.demo import DemoOptions
from tiller.verbs.deploy import DeployOptions
from tiller.verbs.doctor import DoctorOptions
from tiller.verbs.evaluate import EvaluateOptions
from tiller.verbs.report import ReportOptions
from tiller.verbs.teleop import TeleopOptions
from tiller.verbs.train import TrainOptions

WORDS = ("-1", "0", "nan", "inf", "-inf", "1e300", "many", "true", "[1]")


@dataclass(frozen=True)
class Number:
    """A numeric option: its key, how a word of it is written, its kind and range."""

    key: str
    written: str
    kind: type
    range: Range

    def takes(self, word: str) -> bool:
        """Whether a word is a number of this kind and range."""
        try:
            value = self.kind(word)
        except ValueError:
            return False
        return math.isfinite(value) and value in self.range


def numbers(hint: Any, key: str, written: str = "{}") -> Iterator[Number]:
    """All numbers in what an option takes; a plain int or float, without a range, is a mistake."""
    assert hint not in (int, float), f"{key} has no range in its declaration"
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        ranges = [mark for mark in hint.__metadata__ if isinstance(mark, Range)]
        assert arguments[0] in (int, float) and len(ranges) == 1, key
        yield Number(key, written, arguments[0], ranges[0])
    elif origin in (Union, UnionType):
        for each in arguments:
            yield from numbers(each, key, written)
    elif is_dataclass(hint) and key.endswith("[0]"):
        required = [each.name for each in fields(hint) if each.default is MISSING and each.default_factory is MISSING]
        for name, own in declared(hint).items():
            others = ", ".join(f"{other}: {SAMPLES.get(other, '1')}" for other in required if other != name)
            yield from numbers(
                own,
                f"{key}.{name}",
                written.format(
                    f"{{{name}: {{}}, {others}}}".replace("{", "{{").replace("}", "}}").replace("{{{{}}}}", "{}")
                ),
            )
    elif is_dataclass(hint):
        for name, own in declared(hint).items():
            yield from numbers(own, f"{key}.{name}".lstrip("."))
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield from numbers(arguments[1], f"{key}.friction")
    elif isinstance(origin, type) and issubclass(origin, Sequence):
        fixed = [each for each in arguments if each is not Ellipsis]
        more = "".join(f", {SAMPLES.get(key, 0)}" for _ in fixed[1:])
        yield from numbers(fixed[0], f"{key}[0]", f"[{{}}{more}]")


SAMPLES = {"kind": "native", "friction": "0.4", "limits.friction": "1e301"}


def read_verb(verb: str, kind: type, required: Sequence[str]) -> Callable[[str], Any]:
    return lambda word: compose(verb, kind, [*required, word]).options


VERB_OPTIONS: dict[str, tuple[type, Sequence[str], Callable[[str], Any]]] = {
    verb: (kind, (verb, *required), read_verb(verb, kind, required))
    for verb, kind, required in (
        ("train", TrainOptions, ["data=x"]),
        ("evaluate", EvaluateOptions, ["checkpoint=x"]),
        ("steer", SteerOptions, ["checkpoint=x"]),
        ("diagnose", DiagnoseOptions, ["checkpoint=x"]),
        ("collect", CollectOptions, ["task=x"]),
        ("demo", DemoOptions, ["task=x"]),
        ("deploy", DeployOptions, ["contract=x"]),
        ("teleop", TeleopOptions, ["robot=x"]),
    )
}
VERB_OPTIONS |= {
    f"data {name}": (
        action.options,
        ("data", name, *action.paths),
        lambda word, name=name, action=action: read_options(f"data {name}", action.options, [word]),
    )
    for name, action in ACTIONS.items()
}
VERB_OPTIONS |= {
    "calibrate": (
        BudgetOptions,
        ("calibrate", "budget", "output=x.yaml"),
        lambda word: read_options("calibrate budget", BudgetOptions, ["output=x.yaml", word]),
    ),
    "doctor": (DoctorOptions, ("doctor",), lambda word: read_options("doctor", DoctorOptions, [word])),
    "report": (ReportOptions, ("report", "x"), lambda word: read_options("report", ReportOptions, [word])),
}
VERB_OPTIONS |= {
    f"launcher {name}": (
        kind,
        ("train", "-m", "data=x", "seed=0,1", f"launcher={name}"),
        lambda word, name=name: read_launcher([f"launcher={name}", word]),
    )
    for name, kind in LAUNCHERS.items()
}


def own_key(verb: str, number: Number) -> str:
    """The key as it stands on the command line."""
    key = number.key.partition("[")[0]
    return f"launcher.{key}" if verb.startswith("launcher") else key


def test_the_walk_knows_every_verb() -> None:
    assert {verb.split()[0] for verb in VERB_OPTIONS} - {"launcher"} == set(VERBS) - {"node"}  # whose keys are ROS's


@pytest.mark.parametrize("verb", VERB_OPTIONS)
def test_numeric_option_is_in_its_range_or_refused_with_it(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    kind, command, read = VERB_OPTIONS[verb]
    for number in numbers(kind, ""):
        for word in WORDS:
            line = f"{own_key(verb, number)}={number.written.format(word)}"
            if number.takes(word):
                assert read(line) is not None, line
                continue
            if word == "[1]" and "[" in str(declared(kind).get(number.key, "")):  # a list is what else it takes
                continue
            assert main([*command, line]) == 2, line
            said = capsys.readouterr().err
            assert number.key in said and str(number.range) in said and "Traceback" not in said, said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "kind", [TaskOptions, TwinOptions, PushTOptions, GymOptions, MazeTaskOptions, MetaworldOptions, RobosuiteOptions]
)
def test_number_of_a_task_is_in_its_range_or_refused_with_it(kind: type[TaskOptions]) -> None:
    for number in numbers(kind, ""):
        name = number.key.partition("[")[0].partition(".")[0]
        for word in WORDS:
            value = compose("collect", CollectOptions, ["task=x", f"options.x={number.written.format(word)}"])
            given = value.options.options["x"]
            asked = {name: {"friction": given}} if "." in number.key else {name: given}
            refusal = refused(lambda asked=asked: read_task_options(kind, asked, "task"))
            if not number.takes(word):
                assert refusal is not None and name in refusal and str(number.range) in refusal, (number, word, refusal)


PARTS = {
    **{f"network {name}": (NETWORKS, name) for name in NETWORKS},
    **{f"encoder {name}": (ENCODERS, name) for name in ENCODERS},
    **{f"objective {name}": (OBJECTIVES, name) for name in OBJECTIVES},
    "augmentation image": ({"image": ImageAugmentation}, "image"),
}


@pytest.mark.parametrize("part", PARTS)
def test_number_of_a_policys_part_is_in_its_range_or_refused_with_it(part: str) -> None:
    choices, name = PARTS[part]
    made = choices[name]
    types = declared(made if is_dataclass(made) else made.__init__)
    for option, hint in types.items():
        if option in ("horizon", "action_dim", "condition_dim", "size", "shapes", "layout", "return"):
            continue  # what the recipe and the data give
        walked = list(numbers(hint, option))
        for number in walked:
            for value in (-1, 0, math.nan, math.inf, 1e300, "many", True):
                given: Any = [value] if "[0]" in number.key else {"hue": value} if "." in number.key else value
                refusal = refused(lambda given=given, option=option: choose(part, choices, name, {option: given}))
                if not any(isinstance(value, (int, float)) and each.takes(str(value)) for each in walked):
                    assert refusal is not None and option in refusal and str(number.range) in refusal, (number, value)


@pytest.mark.parametrize("kind", [ColourJitter, *TRANSFORMS.values()])
def test_number_of_a_transform_has_a_range(kind: type) -> None:
    for number in numbers(kind, ""):
        if "." not in number.key and "[" not in number.key:
            others = {name: 8 for name in ("height", "width") if name in declared(kind) and name != number.key}
            for value in (-1, math.nan, 1e300, "many"):
                refusal = refused(
                    lambda value=value, others=others, number=number: from_json(kind, {number.key: value, **others})
                )
                assert refusal is not None and str(number.range) in refusal, (number, value)


def refused(ask: Callable[[], Any]) -> str | None:
    """What is said of something that is refused, None of what is taken; nothing else may come."""
    try:
        ask()
    except InputError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("train", "data=x", "device=mps"), "cpu, cuda or cuda:N"),
        (("train", "data=x", "device=gpu"), "cpu, cuda or cuda:N"),
        (("train", "data=x", "training.threads=0"), "training.threads"),
        (("train", "data=x", "training.schedule=piecewise_constant"), "constant"),
        (("train", "data=x", "training.precision=fp8"), "bf16"),
        (("train", "data=x", "training.betas=[0.9]"), "a list of 2"),
        (("train", "data=x", "training.betas=0.9"), "a list"),
        (("train", "data=x", "training.accumulation=3"), "batch size"),
        (("demo", "task=twin/press", "device=mps"), "cpu, cuda or cuda:N"),
        (("evaluate", "checkpoint=x", "threads=0"), "threads"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_once(
    words: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(list(words)) == 2
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_configuration_made_in_python_is_held_to_the_same_ranges() -> None:
    with pytest.raises(InputError, match=r"training\.grad_clip: expected a number, at least 0"):
        TrainingConfig(grad_clip=-1.0)
    with pytest.raises(InputError, match=r"training\.betas"):
        TrainingConfig(betas=(2.0, 3.0))
    assert TrainingConfig(learning_rate=1).learning_rate == 1
