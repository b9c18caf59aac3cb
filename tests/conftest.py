"""Data that several rooms' tests share."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

# A law does not fail because the machine is busy.
settings.register_profile("tiller", deadline=None)
settings.load_profile("tiller")

# A test run started in the background of a shell inherits a Ctrl-C that is ignored, and would pass that on to the
# processes whose Ctrl-C is tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

BUDGET_S = {
    "robot": 220,
    "data": 120,
    "policies": 180,
    "sim": 420,
    "tiller": 160,
    "journeys": 160,
    "benchmarks": 60,
    "real": 540,
}
"""Seconds of tests per room in `make test`: all but real's on two cores, then real's on one; 20 minutes together."""

_spent: Counter[str] = Counter()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _spent[report.nodeid.split("/")[1]] += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """How long the tests of each room took, and which took longer than they may."""
    if sum(_spent.values()) < 60:
        return
    terminalreporter.section("seconds per room")
    ordinary = "not slow" in config.getoption("markexpr")
    for room, seconds in _spent.most_common():
        budget = BUDGET_S.get(room, 0)
        over = ordinary and seconds > budget
        terminalreporter.line(
            f"{seconds:7.0f} s  {room}" + (f"  over its budget of {budget} s" if over else ""), yellow=over
        )


_PUSHT_HUMAN = Path(__file__).parents[2] / "shared" / "data" / "pusht_human.zarr.zip"


@pytest.fixture(scope="session")
def pusht_human() -> Path:
    """The published human demonstrations of PushT, where this machine has them."""
    if not _PUSHT_HUMAN.exists():
        pytest.skip("the human PushT demonstrations (../shared/data/pusht_human.zarr.zip) are not on this machine")
    return _PUSHT_HUMAN


@pytest.fixture(scope="session")
def pusht_store(pusht_human: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All human demonstrations of PushT without their images, converted once a test run."""
    from data.formats.convert import convert

    target = tmp_path_factory.mktemp("pusht") / "low_dim"
    convert(pusht_human, target, exclude=["img"])
    return target


@pytest.fixture(scope="session")
def pusht_image_store(pusht_human: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first ten human demonstrations of PushT with their images, converted once a test run."""
    from data.formats.convert import convert

    target = tmp_path_factory.mktemp("pusht") / "images"
    convert(pusht_human, target, skip_episodes=range(10, 206))
    return target
