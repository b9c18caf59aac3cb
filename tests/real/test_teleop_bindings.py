"""Keys in files, and devices by name: what is wrong is one message with the nearest right name."""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path

import pytest

from real.graph.graph import Deployment, processes
from real.teleop.bindings import load_bindings
from real.teleop.device import EVENTS
from real.teleop.devices import gamepad, keyboard
from real.teleop.registry import BUILT_IN, device_kind, device_names
from robot.errors import InputError

pytestmark = pytest.mark.together


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_event_and_motion_is_bound_and_shown(name: str) -> None:
    kind = device_kind(name)
    assert kind.vocabulary is not None
    bindings = load_bindings(name, kind.vocabulary)
    assert set(bindings.controls) == set(kind.vocabulary.actions)
    for action in EVENTS:
        assert f"{bindings.control(action)} {action}" in bindings.line()
        assert any(line.split() == [action, *bindings.control(action).split()] for line in bindings.table().split("\n"))


def bound(folder: Path, device: str, *lines: str) -> Path:
    file = folder / "mine.yaml"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_a_file_of_ones_own_changes_the_keys(tmp_path: Path) -> None:
    file = bound(tmp_path, "keyboard", "hold: y", "let_go: 0", "save: '#'", "discard:", "redo: n")
    bindings = load_bindings(str(file), keyboard.VOCABULARY)
    assert bindings.actions == {"y": "hold", "0": "let_go", "#": "save", "n": "redo"}
    pad = bound(
        tmp_path, "gamepad", "hold: button 11", "x: axis 9", "close: trigger 10", "save: shift +a", "y: '- axis 2'"
    )
    assert load_bindings(str(pad), gamepad.VOCABULARY).controls == {
        "hold": "button 11",
        "x": "axis 9",
        "close": "trigger 10",
        "save": "shift + a",
        "y": "-axis 2",
    }


@pytest.mark.parametrize(
    "lines, words",
    [
        (["hold: e", "let_go: space", "sav: z"], ["'sav'", "Did you mean 'save'?"]),
        (["hold: e", "let_go: spcae"], ["'let_go'", "'spcae'", "Did you mean 'space'?"]),
        (["hold: e", "let_go: e"], ["'let_go'", "'e'", "'hold'"]),
        (["hold: e"], ["'let_go'", "Add a line 'let_go: KEY'"]),
        (["hold:", "let_go: space"], ["'hold'", "none"]),
        (["hold: e", "hold: f", "let_go: space"], ["'hold'", "'e' and 'f'"]),
        (["hold: [e, f]"], ["line 1"]),
        (["hold: {"], ["YAML"]),
        (["- hold"], ["action: key"]),
        ([""], ["action: key"]),
    ],
)
def test_wrong_bindings_are_one_message_with_file_action_key_and_the_nearest(
    tmp_path: Path, lines: list[str], words: list[str]
) -> None:
    file = bound(tmp_path, "keyboard", *lines)
    with pytest.raises(InputError) as caught:
        load_bindings(str(file), keyboard.VOCABULARY)
    assert all(word in str(caught.value) for word in ["mine.yaml", *words]), str(caught.value)


@pytest.mark.parametrize(
    "line, words",
    [
        ("x: a", ["'x'", "a stick"]),
        ("close: right_stick_y", ["'close'", "a trigger"]),
        ("save: left_trigger", ["'save'", "a button"]),
        ("next: shift + b", ["'next'", "without shift"]),
        ("about_z: left_stick_x\ny: -left_stick_x", ["'y'", "'about_z'"]),
        ("let_go: b", ["'let_go'", "an action of the device"]),
        ("save: strat", ["'save'", "Did you mean 'start'?"]),
    ],
)
def test_a_pads_buttons_sticks_and_triggers_each_do_what_they_can(tmp_path: Path, line: str, words: list[str]) -> None:
    file = bound(tmp_path, "gamepad", "hold: left_shoulder", line)
    with pytest.raises(InputError) as caught:
        load_bindings(str(file), gamepad.VOCABULARY)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_bindings_that_are_not_there_are_looked_for_by_name() -> None:
    with pytest.raises(InputError, match="Did you mean 'gamepad'"):
        load_bindings("gampad", gamepad.VOCABULARY)


# -- devices of other packages ----------------------------------------------------------------------------------------

SPACE_MOUSE = """
from real.teleop.device import Wish
from real.teleop.registry import DeviceKind, Option
print("space_mouse is imported")

class SpaceMouse:
    def __init__(self, gain): self.gain = gain
    def read(self, now_s): return Wish(note=f"gain {self.gain}")
    def fileno(self): return None
    def close(self): pass

GAIN = Option("gain", 2.0, "of the knob")
DEVICE = DeviceKind("a knob", lambda options: SpaceMouse(options["gain"]), options=(GAIN,))
NUMBER = 7
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of somebody else's, installed."""
    info = tmp_path / "space_mouse-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: space-mouse\nVersion: 1.0\n")
    entries = {
        "space_mouse": "space_mouse_device:DEVICE",
        "broken_mouse": "space_mouse_device:NOWHERE",
        "number_mouse": "space_mouse_device:NUMBER",
        "keyboard": "space_mouse_device:DEVICE",
    }
    lines = [f"{name} = {value}" for name, value in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(["[tiller.devices]", *lines]) + "\n")
    (tmp_path / "space_mouse_device.py").write_text(SPACE_MOUSE)
    monkeypatch.syspath_prepend(tmp_path)
    assert distribution("space-mouse").version == "1.0"


@pytest.mark.usefixtures("package")
def test_a_package_brings_a_device_that_is_loaded_only_when_it_is_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert device_names() == (*BUILT_IN, "broken_mouse", "number_mouse", "space_mouse")
    assert "imported" not in capsys.readouterr().out
    kind = device_kind("space_mouse")
    assert "imported" in capsys.readouterr().out
    assert kind.make({"gain": 3.0}).read(0.0).note == "gain 3.0"
    assert device_kind("keyboard").needs_terminal  # nobody replaces ours
    teleop = processes(Deployment("panda_twin", twin=True, teleop="space_mouse"))[-1]
    assert teleop.parameters["device"] == "space_mouse" and not teleop.terminal


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("name, words", [("broken_mouse", "NOWHERE"), ("number_mouse", "an object of type int")])
def test_a_broken_device_of_a_package_is_one_message(name: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        device_kind(name)
    assert all(each in str(caught.value) for each in (name, words, "space-mouse", "Update or uninstall"))


def test_an_unknown_device_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'evdev_keyboard'"):
        device_kind("evdev-keyboard")
    with pytest.raises(InputError, match="Did you mean 'gamepad'"):
        Deployment("panda_twin", twin=True, teleop="gampad")
