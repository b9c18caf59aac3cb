"""The one replay: decisions in memory and on disk, what is drawn of them, and what a kill leaves."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.learning.replay.draws import by_return, halves, recent, uniform
from data.learning.replay.replay import Replay
from data.learning.replay.schema import DEMONSTRATION, Key, ReplaySchema
from data.learning.replay.transitions import joined, transitions
from robot.errors import InputError, TillerError

SCHEMA = ReplaySchema({"state": Key((2, 3)), "picture": Key((1, 2, 2, 3), "uint8")}, dim=2, rows=3, horizon=4)
FULL = ReplaySchema(
    {"state": Key((1, 2))}, dim=2, rows=2, horizon=3, noise=(3, 2), candidates=4, has_cost=True
)  # fmt: skip


def decisions(schema: ReplaySchema, count: int, seed: int = 0, **changes: Any) -> dict[str, Any]:
    """Arguments of `add`: random decisions, each alone in its episode unless said otherwise."""
    random = np.random.default_rng(seed)

    def window() -> dict[str, np.ndarray]:
        return {
            name: random.integers(0, 200, (count, *key.shape)).astype(key.dtype) for name, key in schema.window.items()
        }

    given: dict[str, Any] = {
        "window": window(),
        "next_window": window(),
        "executed": random.normal(size=(count, schema.rows, schema.dim)).astype(np.float32),
        "reward": random.normal(size=(count, schema.rows)).astype(np.float32),
        "terminated": np.zeros(count, bool),
        "truncated": np.zeros(count, bool),
        "length": random.integers(1, schema.rows + 1, count),
    }
    if schema.has_cost:
        given["cost"] = random.normal(size=(count, schema.rows)).astype(np.float32)
    return given | changes


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Calls of `add`: lanes of episodes that end at random, as (lanes, terminated, truncated)."""
    lanes = draw(st.integers(1, 4))
    return [
        (
            np.sort(np.array(draw(st.lists(st.integers(0, lanes - 1), min_size=1, max_size=6)))),
            np.array(draw(st.lists(st.booleans(), min_size=6, max_size=6))),
            np.array(draw(st.lists(st.booleans(), min_size=6, max_size=6))),
        )
        for _ in range(draw(st.integers(1, 8)))
    ]


def filled(replay: Replay, history: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> list[dict[str, Any]]:
    """Fill a replay; returns its decisions as a plain list, each with the index of the one that follows."""
    plain: list[dict[str, Any]] = []
    lanes = 1 + max(int(each.max()) for each, _, _ in history)
    episode, newest = replay.begin(lanes), [-1] * lanes
    for number, (lane, terminated, truncated) in enumerate(history):
        count = len(lane)
        new = decisions(replay.schema, count, number, terminated=terminated[:count], truncated=truncated[:count])
        episodes = np.zeros(count, np.int64)
        for row in range(count):
            episodes[row] = episode[lane[row]]
            plain.append({name: value[row] for name, value in new.items() if name not in ("window", "next_window")})
            plain[-1] |= {"next": -1, "state": new["window"]["state"][row], "after": new["next_window"]["state"][row]}
            if newest[lane[row]] >= 0:
                plain[newest[lane[row]]]["next"] = len(plain) - 1
            newest[lane[row]] = len(plain) - 1
            if terminated[row] or truncated[row]:
                episode[lane[row]], newest[lane[row]] = replay.begin(1)[0], -1
        replay.add(**new, episode=episodes)
    return plain


@given(histories(), st.integers(6, 20), st.integers(1, 4), st.sampled_from([0.0, -1.0]))
@settings(deadline=None, max_examples=60)
def test_transitions_are_the_sums_that_define_them(
    history: list[tuple[np.ndarray, np.ndarray, np.ndarray]], capacity: int, n: int, shift: float
) -> None:
    replay = Replay(SCHEMA, capacity)
    plain, gamma = filled(replay, history), 0.9
    rows = np.arange(len(replay))
    numbers = replay.numbers(rows)
    assert sorted(numbers) == list(range(max(0, len(plain) - capacity), len(plain)))
    assert (numbers % capacity == rows).all()
    found = transitions(replay, rows, gamma=gamma, n_steps=n, reward_shift=shift)
    for row, number in enumerate(numbers):
        reward, power, at = 0.0, 0, int(number)
        for step in range(n):
            k = int(plain[at]["length"])
            reward += sum(gamma ** (power + j) * (plain[at]["reward"][j] + shift) for j in range(k))
            power += k
            if plain[at]["terminated"] or plain[at]["truncated"] or plain[at]["next"] < 0 or step == n - 1:
                break
            at = plain[at]["next"]
        assert found.reward[row] == pytest.approx(reward, abs=1e-4)
        assert found.discount[row] == pytest.approx(gamma**power, rel=1e-5)
        assert found.alive[row] == (not plain[at]["terminated"])
        np.testing.assert_array_equal(found.observation["state"][row], plain[number]["state"])
        np.testing.assert_array_equal(found.next_observation["state"][row], plain[at]["after"])
        k = int(plain[number]["length"])
        np.testing.assert_array_equal(found.action[row, :k], plain[number]["executed"][:k])
        np.testing.assert_array_equal(found.action[row, k:], np.tile(plain[number]["executed"][k - 1], (3 - k, 1)))


@given(histories(), st.integers(6, 20), st.integers(1, 5))
@settings(deadline=None, max_examples=25)
def test_a_folder_holds_what_memory_does(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
    capacity: int,
    records: int,
) -> None:
    folder = tmp_path_factory.mktemp("replay")
    memory = Replay(SCHEMA, capacity)
    disk = Replay.open(folder, SCHEMA, capacity=capacity, segment_bytes=records * SCHEMA.dtype.itemsize)
    filled(memory, history)
    filled(disk, history)
    disk.commit()
    disk.close()
    restored = Replay(SCHEMA, capacity)
    restored.restore(memory.state())
    rows = np.arange(len(memory))
    expected = transitions(memory, rows, gamma=0.9, n_steps=2)
    reopened = Replay.open(folder, SCHEMA, capacity=capacity, writable=False)
    for other in (disk_again(folder, capacity), reopened, restored):
        found = transitions(other, rows, gamma=0.9, n_steps=2)
        for name in ("action", "reward", "discount", "alive", "length", "intervention", "version"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        np.testing.assert_array_equal(other.column("window.picture"), memory.column("window.picture"))
        other.close()
    np.testing.assert_allclose(restored.returns(), memory.returns())


def disk_again(folder: Path, capacity: int) -> Replay:
    return Replay.open(folder, SCHEMA, capacity=capacity)


def test_all_columns_come_back_and_what_there_was_none_of_says_so() -> None:
    replay = Replay(FULL, 10)
    random = np.random.default_rng(0)
    noise, planned = random.normal(size=(3, 3, 2)), random.normal(size=(3, 3, 2))
    candidates, chosen = random.normal(size=(3, 4, 3, 2)), np.array([0, 3, -1])
    replay.add(
        **decisions(FULL, 3), episode=replay.begin(3), noise=noise, planned=planned, candidates=candidates,
        chosen=chosen, intervention=np.array([False, True, False]), version=7,
    )  # fmt: skip
    replay.add(**decisions(FULL, 1, version=DEMONSTRATION), episode=replay.begin(1))
    whole = replay.read(np.arange(4), core=False)
    np.testing.assert_array_equal(whole["noise"][:3], noise.astype(np.float32))
    np.testing.assert_array_equal(replay.column("planned", np.array([2])), planned[2:].astype(np.float32))
    np.testing.assert_array_equal(whole["candidates"][:3], candidates.astype(np.float32))
    assert np.isnan(whole["noise"][3]).all() and np.isnan(whole["candidates"][3]).all() and whole["chosen"][3] == -1
    found = transitions(replay, np.arange(4), gamma=1.0)
    assert found.version.tolist() == [7, 7, 7, -1] and found.intervention.tolist() == [False, True, False, False]
    assert found.cost is not None and found.cost.shape == (4,)


def test_short_chunks_are_padded_as_asked() -> None:
    replay = Replay(SCHEMA, 10)
    plan = np.arange(8, dtype=np.float32).reshape(1, 4, 2)
    replay.add(**decisions(SCHEMA, 1, length=np.array([1])), episode=replay.begin(1), planned=plan)
    first = replay.column("executed", np.array([0]))[0, 0]
    for padding, behind in (("last", first), ("zero", [0, 0]), ("planned", plan[0, 1:3])):
        action = transitions(replay, np.array([0]), gamma=0.9, padding=padding).action
        np.testing.assert_array_equal(action[0], np.stack([first, *np.broadcast_to(behind, (2, 2))]))


def mixed(count: int = 4000) -> Replay:
    """Half demonstrations, half experience; the reward of a decision is its number over the count."""
    replay = Replay(SCHEMA, count)
    reward = np.zeros((count, 3), np.float32)
    reward[:, 0] = np.arange(count) / count
    version = np.where(np.arange(count) % 2, DEMONSTRATION, 3)
    replay.add(
        **decisions(SCHEMA, count, reward=reward, version=version, length=np.full(count, 3)),
        episode=replay.begin(count),
    )
    return replay


def test_draws_are_distributed_as_they_say() -> None:
    replay, count = mixed(), 200_000
    generator = np.random.default_rng(0)
    assert np.bincount(uniform(replay, generator, count) // 1000, minlength=4) / count == pytest.approx(0.25, abs=0.005)
    ages = 3999 - recent(replay, generator, count, half_life=500)
    weight = 0.5 ** (np.arange(4000) / 500)
    expected = np.add.reduceat(weight / weight.sum(), np.arange(0, 4000, 500))
    assert np.bincount(ages // 500, minlength=8) / count == pytest.approx(expected, abs=0.005)
    gain = np.arange(4000) / 4000
    weight = np.exp(gain / 0.2)
    found = np.bincount(by_return(replay, generator, count, temperature=0.2) // 500, minlength=8) / count
    assert found == pytest.approx(np.add.reduceat(weight / weight.sum(), np.arange(0, 4000, 500)), abs=0.005)
    rows = halves(replay, generator, 1000)
    assert (replay.column("version", rows) == DEMONSTRATION).sum() == 500


def test_a_temperature_says_how_much_more_a_better_episode_counts() -> None:
    """Appendix of Hong et al.: returns 0 and 1 at T = 0.1 differ by e^10 a transition."""
    replay = Replay(SCHEMA, 100)
    reward = np.zeros((2, 3), np.float32)
    reward[1, 0] = 1.0
    replay.add(**decisions(SCHEMA, 2, reward=reward, length=np.full(2, 3)), episode=replay.begin(2))
    drawn = by_return(replay, np.random.default_rng(0), 1_000_000, temperature=0.1)
    assert (drawn == 0).mean() == pytest.approx(1 / (1 + np.exp(10)), rel=0.4)


def test_half_of_each_of_two_replays_is_one_batch() -> None:
    first, second = mixed(100), mixed(60)
    generator = np.random.default_rng(0)
    batch = joined([transitions(each, uniform(each, generator, 8), gamma=0.9) for each in (first, second)])
    assert batch.reward.shape == (16,) and batch.observation["state"].shape == (16, 2, 3) and batch.cost is None


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"reward": np.full((2, 3), np.nan, np.float32)}, "reward.*finite"),
        ({"reward": np.full((2, 3), np.inf, np.float32)}, "reward.*finite"),
        ({"executed": np.full((2, 3, 2), np.nan, np.float32)}, "executed.*finite"),
        ({"executed": np.zeros((2, 4, 2), np.float32)}, "executed"),
        ({"length": np.array([0, 1])}, "length.*1 to 3"),
        ({"length": np.array([4, 1])}, "length.*1 to 3"),
        ({"window": {"state": np.zeros((2, 2, 3))}}, "window.*picture"),
        ({"episode": np.array([0, 99])}, "episode.*begin"),
        ({"cost": np.zeros((2, 3))}, "cost.*lacks"),
        ({"noise": np.zeros((2, 3, 2))}, "noise.*lacks"),
        ({"executed": [[[5.0]]]}, r"executed: expected \(2, 3, 2\)"),
        ({"terminated": np.full(2, np.nan)}, r"terminated: expected numbers that bool holds, got float64"),
        ({"length": np.array([2.9, 2.9])}, r"length: expected numbers that int32 holds"),
    ],
)
def test_decisions_that_nothing_could_learn_from_are_refused_whole(changes: dict[str, Any], named: str) -> None:
    replay = Replay(SCHEMA, 10)
    given = decisions(SCHEMA, 2, length=np.full(2, 3)) | {"episode": replay.begin(2)} | changes
    with pytest.raises(InputError, match=named):
        replay.add(**given)
    assert len(replay) == 0


def test_rows_behind_the_executed_ones_may_hold_anything() -> None:
    replay = Replay(SCHEMA, 10)
    reward = np.full((1, 3), np.nan, np.float32)
    reward[0, 0] = 2.0
    replay.add(**decisions(SCHEMA, 1, reward=reward, length=np.array([1])), episode=replay.begin(1))
    assert transitions(replay, np.array([0]), gamma=0.9, n_steps=3).reward.tolist() == [2.0]
    assert replay.returns().tolist() == [2.0]


def test_questions_that_make_no_sense_are_named() -> None:
    replay = Replay(SCHEMA, 10)
    with pytest.raises(InputError, match=r"empty"):
        uniform(replay, np.random.default_rng(0), 1)
    replay.add(**decisions(SCHEMA, 1), episode=replay.begin(1))
    for named, arguments in (("gamma", {"gamma": 1.1}), ("n_steps", {"n_steps": 0}), ("padding", {"padding": "x"})):
        with pytest.raises(InputError, match=named):
            transitions(replay, np.array([0]), **{"gamma": 0.9, **arguments})
    with pytest.raises(InputError, match=r"rows.*0 to 0"):
        replay.read(np.array([1]))
    with pytest.raises(InputError, match=r"capacity.*2 or more"):
        Replay(SCHEMA, 1).add(**decisions(SCHEMA, 2), episode=np.zeros(2, int))
    with pytest.raises(InputError, match=r"at least one key"):
        ReplaySchema({}, 1)
    with pytest.raises(InputError, match=r"window.name"):
        ReplaySchema({"name": Key((1,), "U5")}, 1)


def test_a_folder_of_another_task_base_or_schema_is_refused_with_both(tmp_path: Path) -> None:
    facts = {"task": "twin/lift", "base": "abc"}
    Replay.open(tmp_path, SCHEMA, facts).close()
    with pytest.raises(InputError, match=r"task.*'twin/peg'.*'twin/lift'"):
        Replay.open(tmp_path, SCHEMA, {**facts, "task": "twin/peg"})
    with pytest.raises(InputError, match=r"base.*'def'.*'abc'"):
        Replay.open(tmp_path, SCHEMA, {**facts, "base": "def"})
    with pytest.raises(InputError, match=r"rows.*2.*3"):
        Replay.open(tmp_path, ReplaySchema(SCHEMA.window, 2, 2, 4), facts)
    held = Replay.open(tmp_path, SCHEMA, facts)
    with pytest.raises(InputError, match=r"being written"):
        Replay.open(tmp_path, SCHEMA, facts)
    held.add(**decisions(SCHEMA, 2), episode=held.begin(2))
    held.commit()
    reader = Replay.open(tmp_path, SCHEMA, facts, writable=False)
    assert len(reader) == 2
    with pytest.raises(InputError, match=r"opened for writing"):
        reader.add(**decisions(SCHEMA, 1), episode=reader.begin(1))
    held.close()
    (tmp_path / "segment-00000000.bin").write_bytes(b"")
    with pytest.raises(InputError, match=r"segment-00000000.bin.*2 decisions"):
        Replay.open(tmp_path, SCHEMA, facts)
    (tmp_path / "commit.json").write_text(json.dumps({"decisions": -1}))
    with pytest.raises(InputError, match=r"decisions"):
        Replay.open(tmp_path, SCHEMA, facts)
    (tmp_path / "replay.json").write_text("{")
    with pytest.raises(InputError, match=r"JSON"):
        Replay.open(tmp_path, SCHEMA, facts)


def test_what_was_added_after_a_checkpoint_is_forgotten_when_it_is_restored(tmp_path: Path) -> None:
    replay = Replay.open(tmp_path, SCHEMA)
    replay.add(**decisions(SCHEMA, 5), episode=replay.begin(5))
    replay.commit()
    state = replay.state()
    replay.add(**decisions(SCHEMA, 5, 1), episode=replay.begin(5))
    replay.commit()
    replay.restore(state)
    assert len(replay) == 5 and replay.begin(1).tolist() == [5]
    replay.close()
    again = Replay.open(tmp_path, SCHEMA)
    assert len(again) == 5
    again.close()
    with pytest.raises(InputError, match=r"9 decisions"):
        Replay.open(tmp_path, SCHEMA).restore({"count": np.array(9)})


WRITER = """
    import os, sys
    import numpy as np
    from data.learning.replay.replay import Replay
    from tests.data.learning.test_replay import SCHEMA, decisions
    replay = Replay.open(sys.argv[1], SCHEMA, segment_bytes=7 * SCHEMA.dtype.itemsize)
    while True:
        number = replay.count
        reward = np.full((3, 3), float(number), np.float32)
        replay.add(**decisions(SCHEMA, 3, number, reward=reward, length=np.full(3, 3)), episode=replay.begin(3))
        replay.commit()
        os.write(1, f"{replay.count}\\n".encode())
"""


def test_a_kill_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    committed = 0
    for kill in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            committed = int(line)
            if committed >= (kill + 1) * 30:
                break
        process.kill()
        rest = process.stdout.read().split()
        process.wait()
        committed = int(rest[-1]) if rest else committed
        replay = Replay.open(tmp_path, SCHEMA)
        assert len(replay) in (committed, committed + 3)  # one may be committed and not yet reported
        reward = replay.column("reward")[:, 0]
        np.testing.assert_array_equal(reward, np.arange(len(reward)) // 3 * 3)
        replay.close()


def test_a_writer_that_was_killed_before_its_header_leaves_a_folder_to_begin_in(tmp_path: Path) -> None:
    (tmp_path / "commit.json").write_text('{"decisions": 0}')
    replay = Replay.open(tmp_path, SCHEMA)
    replay.add(**decisions(SCHEMA, 2), episode=replay.begin(2))
    replay.commit()
    replay.close()
    (tmp_path / "another").mkdir()
    (tmp_path / "another" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"an empty folder, or a replay"):
        Replay.open(tmp_path / "another", SCHEMA)


def test_decisions_go_on_across_files_after_a_rewind(tmp_path: Path) -> None:
    replay = Replay.open(tmp_path, SCHEMA, segment_bytes=4 * SCHEMA.dtype.itemsize)
    for number in range(6):
        replay.add(**decisions(SCHEMA, 3, number), episode=replay.begin(3))
    replay.commit()
    replay.restore({"count": np.array(5)})
    expected = Replay(SCHEMA, 100)
    for number, count in ((0, 3), (1, 3), (9, 7)):
        made = decisions(SCHEMA, count, number)
        if number == 1:  # of which two were kept
            made = {key: {k: v[:2] for k, v in value.items()} if isinstance(value, dict) else value[:2]
                    for key, value in made.items()}  # fmt: skip
        expected.add(**made, episode=expected.begin(len(made["reward"])))
    replay.add(**decisions(SCHEMA, 7, 9), episode=replay.begin(7))
    replay.commit()
    replay.close()
    again = Replay.open(tmp_path, SCHEMA)
    for name in ("executed", "reward", "window.state"):
        np.testing.assert_array_equal(again.column(name), expected.column(name))
    again.close()


def test_a_disk_that_fills_up_within_a_call_leaves_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay = Replay.open(tmp_path, SCHEMA, segment_bytes=4 * SCHEMA.dtype.itemsize)
    episode = replay.begin(1)
    replay.add(**decisions(SCHEMA, 3), episode=episode.repeat(3))
    replay.commit()

    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    new = decisions(SCHEMA, 3, 1)
    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full)
        with pytest.raises(TillerError, match="no space left"):
            replay.add(**new, episode=episode.repeat(3))
    assert replay.count == len(replay) == 3 and replay.following(np.arange(3)).tolist() == [1, 2, -1]
    replay.add(**new, episode=episode.repeat(3))
    replay.commit()
    replay.close()
    again = Replay.open(tmp_path, SCHEMA)
    np.testing.assert_array_equal(again.column("executed")[3:, 0], new["executed"][:, 0])
    assert again.following(np.arange(6)).tolist() == [1, 2, 3, 4, 5, -1]
    again.close()


def test_only_the_writer_writes_and_only_while_it_is_open(tmp_path: Path) -> None:
    writer = Replay.open(tmp_path, SCHEMA)
    writer.add(**decisions(SCHEMA, 3), episode=writer.begin(3))
    writer.commit()
    reader = Replay.open(tmp_path, SCHEMA, writable=False)
    with pytest.raises(InputError, match="opened for writing"):
        reader.restore({"count": np.array(1)})
    assert len(Replay.open(tmp_path, SCHEMA, writable=False)) == 3
    writer.close()
    following = Replay.open(tmp_path, SCHEMA)
    with pytest.raises(InputError, match="was closed"):
        writer.add(**decisions(SCHEMA, 1), episode=np.zeros(1, np.int64))
    following.close()


def test_numbers_of_episodes_are_never_given_twice(tmp_path: Path) -> None:
    replay = Replay.open(tmp_path, SCHEMA, capacity=2)
    episode = replay.begin(6)
    replay.add(**decisions(SCHEMA, 2), episode=episode[[5, 0]])
    replay.add(**decisions(SCHEMA, 2), episode=episode[[0, 0]])
    replay.commit()
    state = replay.state()
    replay.restore(state)
    replay.add(**decisions(SCHEMA, 1), episode=episode[3:4])  # begun before, and without a decision until now
    replay.commit()
    replay.close()
    again = Replay.open(tmp_path, SCHEMA, capacity=2)
    assert again.begin(1).tolist() == [6]
    again.close()


def test_a_commit_beyond_what_was_written_is_no_experience(tmp_path: Path) -> None:
    replay = Replay.open(tmp_path, SCHEMA)
    replay.add(**decisions(SCHEMA, 3), episode=replay.begin(3))
    replay.commit()
    replay.close()
    (tmp_path / "commit.json").write_text('{"decisions": 10}')
    with pytest.raises(InputError, match=r"expected 10 decisions, got none of number 3"):
        Replay.open(tmp_path, SCHEMA)


def test_a_file_cut_to_what_was_committed_is_gone_on_with(tmp_path: Path) -> None:
    replay = Replay.open(tmp_path, SCHEMA)
    replay.add(**decisions(SCHEMA, 3), episode=replay.begin(3))
    replay.commit()
    replay.close()
    os.truncate(tmp_path / "segment-00000000.bin", 3 * SCHEMA.dtype.itemsize)
    again = Replay.open(tmp_path, SCHEMA)
    new = decisions(SCHEMA, 3, 1)
    again.add(**new, episode=again.begin(3))
    np.testing.assert_array_equal(again.column("window.state")[3:], new["window"]["state"])
    again.close()


def test_files_are_on_the_disk_before_they_are_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kill cannot show, and a power cut would."""
    happened: list[str] = []
    synced, renamed = os.fdatasync, os.replace
    monkeypatch.setattr(os, "fdatasync", lambda fd: (happened.append(os.readlink(f"/proc/self/fd/{fd}")), synced(fd)))
    monkeypatch.setattr(os, "replace", lambda old, new: (happened.append(str(new)), renamed(old, new)))
    replay = Replay.open(tmp_path, SCHEMA, segment_bytes=2 * SCHEMA.dtype.itemsize)
    happened.clear()
    replay.add(**decisions(SCHEMA, 5), episode=replay.begin(5))
    replay.commit()
    names = [Path(each).name for each in happened]
    assert names == [*(f"segment-{number:08d}.bin" for number in range(3)), "commit.json"]
    replay.close()


def test_numbers_of_other_types_are_finite_too_and_fit_their_column() -> None:
    schema = ReplaySchema({"wide": Key((1,), "float64"), "picture": Key((1,), "uint8")}, 1)
    replay = Replay(schema, 10)
    given = decisions(schema, 1) | {"episode": replay.begin(1)}
    for name, value, named in (
        ("wide", np.array([[np.nan]]), r"window.wide.*finite"),
        ("picture", np.array([[300.7]]), r"window.picture.*uint8 holds"),
        ("picture", np.array([[-1]]), r"window.picture.*uint8 holds"),
    ):
        with pytest.raises(InputError, match=named):
            replay.add(**given | {"window": given["window"] | {name: value}})


def test_memory_is_restored_with_its_own_schema_only() -> None:
    first, second = (ReplaySchema({"s": Key((1,))}, dim, has_cost=cost) for dim, cost in ((2, False), (1, True)))
    assert first.dtype.itemsize == second.dtype.itemsize
    replay = Replay(first, 4)
    replay.add(**decisions(first, 2), episode=replay.begin(2))
    with pytest.raises(InputError, match="another one"):
        Replay(second, 4).restore(replay.state())


def test_a_plan_that_there_was_none_of_does_not_pad() -> None:
    replay = Replay(SCHEMA, 4)
    replay.add(**decisions(SCHEMA, 1, length=np.array([1])), episode=replay.begin(1))
    planned, last = (transitions(replay, np.array([0]), gamma=0.9, padding=each).action for each in ("planned", "last"))
    np.testing.assert_array_equal(planned, last)
