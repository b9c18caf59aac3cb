"""A person's hands: keys of a terminal, events of a gamepad and of a keyboard, to what the person wants."""

from __future__ import annotations

import json
import os
import pty
import termios
import threading
import time
from dataclasses import replace
from pathlib import Path
from queue import Empty, Queue
from typing import Iterator

import pytest

from real.ros.reading import Refusal
from real.ros.recorder_state import RecorderState, read_recorder
from real.teleop.bindings import load_bindings
from real.teleop.device import EVENTS, Wish
from real.teleop.devices import evdev_keyboard, gamepad, keyboard
from real.teleop.devices.evdev_keyboard import EvdevKeyboard
from real.teleop.devices.gamepad import AXIS, BUTTON, INIT, Gamepad
from real.teleop.devices.keyboard import NAMES, STOP_S, Keyboard
from real.teleop.devices.pad_layout import layout_of
from real.teleop.status_line import TeleopStatus
from real.teleop.waking import Waker
from robot.errors import InputError
from tests.real.person_devices import Keys, Pad

pytestmark = pytest.mark.together


# -- keys -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def keys() -> Iterator[tuple[int, Keyboard]]:
    person, terminal = pty.openpty()
    keyboard = Keyboard(10.0, terminal)
    yield person, keyboard
    keyboard.close()
    os.close(terminal)


def typed(keys: tuple[int, Keyboard], text: str, now_s: float) -> Wish:
    os.write(keys[0], text.encode())
    return keys[1].read(now_s)


def test_keys_step_a_velocity_that_ends_by_itself(keys: tuple[int, Keyboard]) -> None:
    assert not typed(keys, "w", 0.0).held
    held = typed(keys, "e", 0.1)
    assert held.held and not held.moves  # what was typed before does not count
    assert 0 < typed(keys, "w", 0.15).motion[0] < 1
    assert typed(keys, "ww", 0.2).motion[0] == 1
    assert typed(keys, "sss", 0.3).motion[0] == 0
    assert typed(keys, "sa", 0.4).motion[:2] == pytest.approx([-1 / 3, 1 / 3])
    assert keys[1].read(0.4 + STOP_S - 0.01).moves
    after = keys[1].read(0.4 + STOP_S + 0.01)
    assert after.held and not after.moves


def test_space_lets_go_and_so_does_time(keys: tuple[int, Keyboard]) -> None:
    assert typed(keys, "ew", 0.0).moves
    let_go = typed(keys, " ", 0.1)
    assert not let_go.held and not let_go.motion.any()
    assert typed(keys, "e", 1.0).held
    assert typed(keys, "e", 9.0).held  # again, while it is held: the time begins anew
    assert keys[1].read(18.9).held
    assert not keys[1].read(19.1).held


def test_arrows_and_pasted_text_move_nothing(keys: tuple[int, Keyboard]) -> None:
    assert typed(keys, "e", 0.0).held
    assert not typed(keys, "\x1b[a\x1b[1;5d\x1bOa\x1bw", 0.1).moves
    assert not typed(keys, "\x1b[", 0.15).moves and not typed(keys, "a", 0.2).moves  # one sequence in two readings
    assert typed(keys, "w", 0.3).moves
    pasted = typed(keys, "sudo rm -rf everything", 0.4)
    assert not pasted.held and not pasted.moves and "let go" in pasted.note


def test_the_terminal_is_as_before_and_one_that_is_gone_holds_nothing() -> None:
    person, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    keyboard = Keyboard(10.0, terminal)
    assert termios.tcgetattr(terminal) != before
    os.write(person, b"e")
    assert keyboard.read(0.0).held
    keyboard.close()
    assert termios.tcgetattr(terminal) == before
    os.close(person)
    gone = keyboard.read(0.1)
    assert not gone.held and not gone.connected
    os.close(terminal)


def test_each_event_has_a_key_that_asks_for_it_without_the_enabling_key(keys: tuple[int, Keyboard]) -> None:
    controls = load_bindings("keyboard", keyboard.VOCABULARY).controls
    typed_as = {name: key for key, name in NAMES.items()}
    for event in EVENTS:
        assert typed(keys, typed_as.get(controls[event], controls[event]), 0.0).events == (event,)


def test_a_keyboard_needs_a_terminal() -> None:
    reading, writing = os.pipe()
    with pytest.raises(InputError, match="terminal"):
        Keyboard(10.0, reading)
    os.close(reading)
    os.close(writing)


# -- gamepad ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def pad(tmp_path: Path) -> Pad:
    return Pad(tmp_path / "js0")


def test_sticks_move_while_the_shoulder_is_held(pad: Pad) -> None:
    gamepad = Gamepad(60.0, str(pad.path))
    pad.axis("left_stick_y", -1.0)
    assert not gamepad.read(0.0).moves
    pad.axis("left_stick_y", 0.0)
    pad.button("left_shoulder", True)
    assert gamepad.read(0.1).held
    pad.axis("left_stick_y", -1.0)
    pad.axis("right_trigger", 1.0)
    wish = gamepad.read(0.2)
    assert wish.moves and wish.motion == pytest.approx([1, 0, 0, 0, 0, 0]) and wish.grip == 1
    pad.button("left_shoulder", False)
    assert not gamepad.read(0.3).held


def test_drift_never_takes_over(pad: Pad) -> None:
    gamepad = Gamepad(60.0, str(pad.path), deadband=0.15)
    pad.button("left_shoulder", True)
    assert not gamepad.read(0.0).moves
    pad.axis("left_stick_y", 0.14)
    assert not gamepad.read(0.1).moves
    pad.button("left_shoulder", False)
    pad.axis("right_stick_y", 0.4)  # it hangs there when the button goes down
    gamepad.read(0.2)
    pad.button("left_shoulder", True)
    assert not gamepad.read(0.3).moves
    pad.axis("right_stick_y", 0.6)
    assert not gamepad.read(0.4).moves
    pad.axis("right_stick_y", 0.0)
    gamepad.read(0.5)
    pad.axis("right_stick_y", 0.6)
    assert gamepad.read(0.6).moves


def test_what_was_pressed_before_it_was_opened_does_not_count(pad: Pad) -> None:
    gamepad = Gamepad(60.0, str(pad.path))
    pad.button("left_shoulder", kind=BUTTON | INIT)
    pad.axis("left_stick_y", -1.0, AXIS | INIT)  # a driver's guess, before the stick was ever touched
    assert not gamepad.read(0.0).held
    pad.button("left_shoulder", False)
    pad.button("left_shoulder", True)
    wish = gamepad.read(0.1)
    assert wish.held and not wish.moves


def test_unplugging_lets_go_and_the_pad_that_comes_back_holds_nothing(pad: Pad) -> None:
    gamepad = Gamepad(60.0, str(pad.path))
    pad.button("left_shoulder", True)
    assert gamepad.read(0.0).held
    pad.unplug()
    gone = gamepad.read(0.1)
    assert not gone.held and not gone.connected
    pad.plug()
    back = gamepad.read(5.0)
    assert back.connected and not back.held
    pad.button("left_shoulder", True)
    assert gamepad.read(5.1).held


def test_a_jammed_shoulder_is_let_go_of_after_its_time(pad: Pad) -> None:
    gamepad = Gamepad(10.0, str(pad.path))
    pad.button("left_shoulder", True)
    assert gamepad.read(0.0).held and gamepad.read(9.9).held
    assert not gamepad.read(10.1).held and not gamepad.read(11.0).held
    pad.button("left_shoulder", False)
    pad.button("left_shoulder", True)
    assert gamepad.read(12.0).held


def test_without_a_gamepad_one_is_told_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="js7"):
        Gamepad(10.0, str(tmp_path / "js7"))


def test_each_event_has_a_button_or_one_together_with_shift(pad: Pad) -> None:
    device = Gamepad(60.0, str(pad.path))
    controls = load_bindings("gamepad", gamepad.VOCABULARY).controls
    for event in EVENTS:
        *shift, name = controls[event].split(" + ")
        pad.press(*(controls["shift"] for _ in shift), name)
        assert device.read(0.0).events == (event,)


def test_shift_changes_what_a_button_asks_for_and_never_whether_the_pad_is_held(pad: Pad) -> None:
    device = Gamepad(60.0, str(pad.path))
    pad.press("select", "right_shoulder")
    assert device.read(0.0).part == 0
    pad.press("right_shoulder")
    assert device.read(0.1).part == 1
    pad.button("select")
    pad.button("left_shoulder")
    assert device.read(0.2).held
    pad.button("left_shoulder", False)
    assert not device.read(0.3).held


def test_buttons_are_found_by_the_kernels_codes_where_a_pad_numbers_them_otherwise() -> None:
    # A PlayStation pad reports its triggers as buttons too, so that all after them have other numbers.
    buttons = [0x130, 0x131, 0x133, 0x134, 0x136, 0x137, 0x138, 0x139, 0x13A, 0x13B, 0x13C, 0x13D, 0x13E]
    layout = layout_of(buttons, [0, 1, 2, 3, 4, 5, 0x10, 0x11])
    assert (layout.button("left_shoulder"), layout.button("select"), layout.button("start")) == (4, 8, 9)
    assert layout.axis("right_stick_y") == 4 and layout.axis("axis 9") == 9
    assert layout_of(buttons[:4], []).button("left_shoulder") is None


# -- a keyboard whose keys are held -----------------------------------------------------------------------------------


@pytest.fixture
def held_keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "event3")


def test_a_key_that_is_down_moves_and_coming_up_it_stops(held_keys: Keys) -> None:
    device = EvdevKeyboard(60.0, str(held_keys.path))
    held_keys.key("capslock")
    assert device.read(0.0).held
    held_keys.key("w")
    held_keys.key("a")
    held_keys.key("c")
    wish = device.read(0.1)
    assert wish.moves and list(wish.motion) == [1, 1, 0, 0, 0, 0] and wish.grip == 1
    assert list(device.read(30.0).motion) == [1, 1, 0, 0, 0, 0]  # as long as it is down
    held_keys.repeat("w")
    held_keys.release("a")
    held_keys.key("s")
    assert list(device.read(30.1).motion) == [0] * 6  # w and s together
    held_keys.release("w")
    assert list(device.read(30.2).motion) == [-1, 0, 0, 0, 0, 0]


def test_the_enabling_key_is_a_dead_man_switch(held_keys: Keys) -> None:
    device = EvdevKeyboard(60.0, str(held_keys.path))
    held_keys.key("w")
    assert not device.read(0.0).held
    held_keys.key("capslock")
    assert device.read(0.1).held and not device.read(0.1).moves  # w was down before
    held_keys.release("w")
    device.read(0.2)
    held_keys.key("w")
    assert device.read(0.3).moves
    held_keys.release("capslock")
    after = device.read(0.4)
    assert not after.held and not after.moves
    held_keys.key("capslock")
    assert device.read(0.5).held
    held_keys.key("space")
    assert not device.read(0.6).held


def test_a_jammed_enabling_key_is_let_go_of_after_its_time(held_keys: Keys) -> None:
    device = EvdevKeyboard(10.0, str(held_keys.path))
    held_keys.key("capslock")
    assert device.read(0.0).held
    held_keys.repeat("capslock")
    assert not device.read(10.1).held


def test_what_is_typed_elsewhere_asks_for_nothing(held_keys: Keys) -> None:
    device = EvdevKeyboard(60.0, str(held_keys.path))
    controls = load_bindings("evdev_keyboard", evdev_keyboard.VOCABULARY).controls
    for event in EVENTS:
        held_keys.key(controls[event])
        held_keys.release(controls[event])
    assert device.read(0.0).events == ()
    held_keys.key("capslock")
    for event in EVENTS:
        held_keys.key(controls[event])
        held_keys.release(controls[event])
    assert device.read(0.1).events == EVENTS


def test_a_keyboard_that_lost_events_or_is_gone_holds_nothing(held_keys: Keys) -> None:
    device = EvdevKeyboard(60.0, str(held_keys.path))
    held_keys.key("capslock")
    assert device.read(0.0).held
    held_keys.drop()
    assert not device.read(0.1).held
    held_keys.key("capslock")
    assert device.read(0.2).held
    held_keys.unplug()
    gone = device.read(0.3)
    assert not gone.held and not gone.connected and device.fileno() is None
    held_keys.plug()
    back = device.read(5.0)
    assert back.connected and not back.held and device.fileno() is not None


def test_an_event_is_read_whole_however_it_comes(held_keys: Keys) -> None:
    device = EvdevKeyboard(60.0, str(held_keys.path))
    packed = evdev_keyboard.EVENT.pack(0, 0, 1, 58, 1)
    assert len(packed) == 24
    held_keys.write(packed[:7])
    assert not device.read(0.0).held
    held_keys.write(packed[7:])
    assert device.read(0.1).held


def test_a_device_that_is_no_keyboard_is_refused_by_its_keys_and_one_that_is_not_there_with_the_line_to_type(
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError, match="lacks the keys capslock"):
        EvdevKeyboard(60.0, "/dev/null")
    with pytest.raises(InputError, match=r"event7.*usermod -aG input"):
        EvdevKeyboard(60.0, str(tmp_path / "event7"))


def test_a_terminal_that_another_process_has_in_the_foreground_is_left_alone(held_keys: Keys) -> None:
    person, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    device = EvdevKeyboard(60.0, str(held_keys.path), terminal_fd=terminal)
    assert termios.tcgetattr(terminal) == before  # to change it would stop this process
    device.close()
    os.close(person)
    os.close(terminal)


# -- what waits for them, and what is shown ---------------------------------------------------------------------------


def test_an_event_wakes_at_once_and_a_device_at_rest_or_gone_does_not(held_keys: Keys) -> None:
    device, woken = EvdevKeyboard(60.0, str(held_keys.path)), Queue[float]()
    waker = Waker(device, lambda: woken.put(time.monotonic()))

    def looked() -> float:
        """When it woke; the device is read."""
        moment = woken.get(timeout=5)
        device.read(moment)
        waker.done()
        return moment

    late = []
    for _ in range(20):
        time.sleep(0.01)
        begun = time.monotonic()
        held_keys.key("w")
        late.append(looked() - begun)
    assert sorted(late)[10] < 0.01  # half of what a period of 50 Hz would take
    with pytest.raises(Empty):
        woken.get(timeout=0.2)
    held_keys.unplug()
    looked()
    assert device.fileno() is None
    with pytest.raises(Empty):
        woken.get(timeout=0.2)
    waker.close()
    assert not any(thread.name == "device" for thread in threading.enumerate())


def test_a_narrow_terminal_shows_what_matters_most() -> None:
    recorder = RecorderState("recording", seconds=12.4, episodes=4, goal=50, label="success", verdict="saved, 9 s")
    status = TeleopStatus(
        "not held", False, True, True, "b", "", "run person", recorder, "start: done", "moving", "arm"
    )
    whole = status.line(300)
    assert whole.split(" | ") == [
        "not held",
        "you have the robot: b gives it back",
        "gate: run person",
        "recorder: recording 12 s, success, 4 of 50 saved",
        "start: done",
        "saved, 9 s",
        "moving",
        "arm",
    ]
    recording = "recorder: recording 12 s, success, 4 of 50 saved"
    assert status.line(100) == f"not held | you have the robot: b gives it back | {recording}"
    assert status.line(20) == "you have the robot: b gives it back"
    later = replace(status, recorder=replace(recorder, seconds=13.0))
    assert later.news == status.news and replace(status, taken=False).news != status.news


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"state": "dancing"}',
        '{"state": ["ready"]}',
        json.dumps({"state": "ready", "verdict": "x" * 100_000}),
    ],
)
def test_a_recorders_state_that_cannot_be_read_is_refused(text: str) -> None:
    assert isinstance(read_recorder(text), Refusal)


@pytest.mark.parametrize("value", ["NaN", "1e99", "true", "[]", '"3"', "-1", "null"])
@pytest.mark.parametrize("name", ["seconds", "episodes", "goal", "verdict", "streams"])
def test_of_a_recorders_state_what_is_of_another_kind_is_left_out(name: str, value: str) -> None:
    found = read_recorder(f'{{"state": "ready", "{name}": {value}}}')
    assert found == RecorderState("ready", verdict="3" if (name, value) == ("verdict", '"3"') else "")


def test_a_recorders_state_needs_no_more_than_its_state() -> None:
    assert read_recorder('{"state": "waiting", "reason": "no camera"}') == RecorderState("waiting", "no camera")
    assert RecorderState("waiting", "no camera").line() == "recorder: waiting: no camera, 0 saved"
