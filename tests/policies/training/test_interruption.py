"""A signal stops a verb also where Python drops what its handler raises."""

from __future__ import annotations

import gc
import signal
import sys
import time
import weakref
from typing import Callable, Iterator

import pytest

from policies.training.running.interruption import Interruption

PATIENCE_S = 20.0


class Destroyed:
    """Receives a signal while it is destroyed."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    def __del__(self) -> None:
        signal.raise_signal(self.number)
        sum(range(10))


class Collected:
    """Is a part of a cycle that a garbage collection finds, whose callback receives a signal."""

    def __init__(self, number: signal.Signals) -> None:
        self.itself = self
        _kept.append(weakref.ref(self, lambda _: signal.raise_signal(number)))


_kept: list[weakref.ref[Collected]] = []


def destroy(number: signal.Signals) -> None:
    Destroyed(number)


def collect(number: signal.Signals) -> None:
    Collected(number)
    gc.collect()


@pytest.fixture(autouse=True)
def hung_up() -> Iterator[None]:
    """SIGHUP as in a terminal, which a test run under nohup ignores."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("receive", [destroy, collect])
def test_an_interrupt_that_is_dropped_comes_again(
    receive: Callable[[signal.Signals], None], number: signal.Signals
) -> None:
    before = sys.unraisablehook
    with pytest.raises(KeyboardInterrupt), Interruption(at_once=True) as interruption:
        receive(number)  # raises nothing: Python drops it there
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            time.sleep(0.01)
    assert interruption.requested
    assert sys.unraisablehook is before


def test_other_errors_of_a_destructor_are_reported_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: reported.append(what.exc_value))

    class Broken:
        def __del__(self) -> None:
            raise ValueError("broken")

    with Interruption(at_once=True):
        Broken()
    assert [str(each) for each in reported] == ["broken"]


def test_a_request_to_stop_waits_for_what_is_whole() -> None:
    with Interruption() as interruption:
        destroy(signal.SIGTERM)
        time.sleep(0.1)
        assert interruption.requested
