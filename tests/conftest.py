"""Data that several rooms' tests share."""

from __future__ import annotations

import signal
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
