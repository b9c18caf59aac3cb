"""Chunks at saved states: the one that is named is executed, and a run that was killed goes on to the same lines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sim
from benchmarks.chunk_variance import require_same
from policies.steering.by_noise.medoid import medoids
from robot.control.rotation import matrix_from_6d
from robot.description import PolicySpec, SamplerSpec
from robot.errors import InputError
from sim.evaluation.continuations import Acting, Size, measure, outcomes_of, read_lines
from sim.statistics.nested import nested_variance
from tests.sim.wanderer import Wanderer

TASK, SHORT = "twin/press", {"max_steps": 44}
SIZE = Size(starts=4, decisions=(0, 1), chunks=5, continuations=4, first_seed=809_000)
ROWS = 40
FINGER_M, PRESS_M, HOVER_M = 0.01, 0.022, 0.02


class PressesOnPositiveNoise:
    """Presses the button in one chunk where its noise is above 0, else holds. A second chunk comes too late."""

    noise_shape = (1,)

    def __init__(self) -> None:
        env = sim.make(TASK)
        self.spec = PolicySpec(env.observation_spec, env.action_spec, ROWS, ROWS, SamplerSpec("euler", 1))
        env.close()
        self.seeds: set[int] = set()

    def sample(self, observation: Any, *, noise: Any = None, seeds: Any, samples: int = 1, **_: Any) -> np.ndarray:
        if noise is None:
            self.seeds |= {*seeds}
            noise = np.array([[np.random.default_rng(seed).normal(size=(1,))] for seed in seeds])
        newest = {name: rows[:, -1].astype(np.float64) for name, rows in observation.items()}
        return np.stack([self._chunks(newest, row, noise[row]) for row in range(len(noise))])

    def _chunks(self, newest: dict[str, np.ndarray], row: int, noise: np.ndarray) -> np.ndarray:
        tcp, rotation, button = (newest[f"{name}"][row] for name in ("tcp.position", "tcp.rotation", "button.position"))
        chunks = np.tile(np.concatenate([tcp, rotation, [0.0]]), (len(noise), ROWS, 1))
        above = button - matrix_from_6d(rotation)[:, 2] * FINGER_M + [0.0, 0.0, HOVER_M]
        below = above - [0.0, 0.0, HOVER_M + PRESS_M]
        legs = [(tcp, above, 14), (above, below, 18), (below, above, 8)]
        path = np.concatenate([a + (b - a) * np.linspace(0, 1, rows + 1)[1:, None] for a, b, rows in legs])
        chunks[noise[:, 0] > 0, :, :3] = path
        return chunks

    def with_sampler(self, name: str | None = None, steps: int | None = None) -> PressesOnPositiveNoise:
        return self


@pytest.fixture(scope="module")
def policy() -> PressesOnPositiveNoise:
    return PressesOnPositiveNoise()


@pytest.fixture(scope="module")
def file(policy: PressesOnPositiveNoise, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("variance") / "states.jsonl"
    about = measure(Acting(policy, TASK, SHORT, batch=8), SIZE, file, medoids)
    assert about["states"] == len(read_lines(file)) and about["steps"] > 4 * 30
    return file


def noise(start: int, decision: int) -> list[float]:
    """Of the chunks that are drawn at a state."""
    draws = [np.random.default_rng([start, 6, decision, chunk]) for chunk in range(1, SIZE.chunks)]
    return [float(random.standard_normal(1, dtype=np.float32)[0]) for random in draws]


def results(file: Path) -> dict[tuple[int, int], dict[str, Any]]:
    """State -> its line, but for the seconds."""
    lines = [{name: value for name, value in line.items() if name != "seconds"} for line in read_lines(file)]
    return {(line["start"], line["decision"]): line for line in lines}


def test_each_chunk_is_that_of_its_noise_and_zero_noise_is_the_first(file: Path) -> None:
    for (start, decision), line in results(file).items():
        expected = [4 * int(drawn > 0) if decision == 0 else 0 for drawn in noise(start, decision)]
        assert line["successes"] == expected and line["zero"] == 0
        assert line["step"] == decision * ROWS and len(expected) == 4


def test_states_of_episodes_that_have_ended_are_left_out(file: Path) -> None:
    reached = results(file)
    firsts = {start for start, decision in reached if decision == 0}
    seconds = {start for start, decision in reached if decision == 1}
    assert firsts == set(range(SIZE.first_seed, SIZE.first_seed + SIZE.starts))
    assert 0 < len(seconds) < SIZE.starts, "some episodes succeed with their first chunk, some do not"


def test_no_two_continuations_share_noise(policy: PressesOnPositiveNoise, tmp_path: Path) -> None:
    policy.seeds.clear()
    size = replace(SIZE, decisions=(0,))
    measure(Acting(policy, TASK, {"max_steps": 80}, batch=8), size, tmp_path / "states.jsonl", medoids)
    # Whoever holds first is planned for once more. Seeds shared by chunks would be as many as continuations of one.
    second_plans = sum(chunk <= 0 for start in range(4) for chunk in (0.0, *noise(size.first_seed + start, 0)))
    assert len(policy.seeds) >= second_plans * size.continuations > 2 * size.starts * (1 + size.continuations)


def test_a_killed_run_goes_on_to_the_same_lines(policy: PressesOnPositiveNoise, file: Path, tmp_path: Path) -> None:
    again = tmp_path / "states.jsonl"
    content = file.read_bytes().splitlines(keepends=True)
    again.write_bytes(b"".join(content[:2]) + content[2][:17])  # killed in the middle of a line
    shown: list[int] = []
    measure(Acting(policy, TASK, SHORT, batch=8), SIZE, again, medoids, lambda line, left: shown.append(left))
    assert results(again) == results(file)
    assert shown == list(range(len(content) - 3, -1, -1)), "the two that were whole are not run again"


def test_variance_of_this_policy_lies_between_chunks(file: Path) -> None:
    first = [line for line in read_lines(file) if line["decision"] == 0]
    result = nested_variance(outcomes_of(first, SIZE.continuations))
    assert result.within.estimate == 0 and result.between_chunks.low > 0 and result.share.estimate == 1
    assert result.chosen_over_zero.estimate == pytest.approx(1.0), "one of four chunks presses at each start"


def test_a_policy_without_noise_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="start from noise"):
        measure(Acting(Wanderer(TASK), TASK, SHORT), SIZE, tmp_path / "states.jsonl", medoids)


@pytest.mark.parametrize(
    ("changes", "name"), [({"starts": 1}, "starts"), ({"chunks": 2}, "chunks"), ({"decisions": (0, 0)}, "decisions")]
)
def test_a_size_that_shows_nothing_is_refused(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(InputError, match=name):
        replace(SIZE, **changes)


def test_a_folder_keeps_its_settings_and_takes_more_starts(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    settings = {"task": TASK, "chunks": 5, "starts": 4, "command": "a"}
    require_same(file, settings)
    require_same(file, {**settings, "starts": 8, "command": "b"})
    with pytest.raises(InputError, match="chunks"):
        require_same(file, {**settings, "chunks": 6})
