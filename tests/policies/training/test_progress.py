"""What a training says about how far it is."""

from __future__ import annotations

import io
import re

import pytest

from policies.training.running.progress import TrainingProgress


@pytest.mark.parametrize("done", [0, 900])
def test_what_is_left_counts_the_speed_of_this_run_only(done: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a resumed run the updates made before were counted as if they had been made since: 0.1 minutes for 30."""
    now = 1000.0
    monkeypatch.setattr("policies.training.running.progress.time.monotonic", lambda: now)
    stream = io.StringIO()
    with TrainingProgress(1000, stream=stream) as progress:
        now += 5.0  # reading a checkpoint is no training
        progress.resume(done)
        for update in range(done + 1, done + 61):
            now += 1.0
            progress.advance(update)
        progress.numbers(loss=0.5)
    match = re.search(r"update (\d+)/1000  loss 0.5  ([\d.]+) min left", stream.getvalue())
    assert match is not None and int(match[1]) == done + 60
    assert float(match[2]) == pytest.approx((1000 - done - 60) / 60, abs=0.06)
