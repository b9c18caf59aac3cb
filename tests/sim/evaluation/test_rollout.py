"""Evaluations on real environments in real worker processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

import sim
from robot.control.ensembling import TemporalEnsemble
from robot.control.runner import ChunkRunner
from robot.description import ActionSpec, History, ObservationField, ObservationSpec
from robot.errors import InputError, TillerError
from sim.evaluation.rollout import EvaluationFailed, EvaluationInterrupted, evaluate_policy, query_seed
from sim.statistics.records import PARTIAL_NAME, read_evaluation
from sim.tasks.pusht import ACTION, OBSERVATIONS
from tests.sim.linear_policy import BlockSeeker
from tests.sim.untrained_policy import untrained_policy
from tests.sim.wanderer import Wanderer

TASK = "pusht/state"
SHORT = {"max_steps": 40}


def results(evaluation):
    return [record.result for record in evaluation.records]


def children() -> list[int]:
    """Worker processes of this one."""
    found = []
    for path in Path("/proc/self/task").glob("*/children"):
        for pid in path.read_text().split():
            if b"sim.evaluation.workers" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(int(pid))
    return found


def episode_by_hand(seed: int, steps: int, **runner) -> tuple[float, int]:
    """Score and length of one episode in a plain loop: no batch, no worker, no slices."""
    policy, env = BlockSeeker(), sim.make(TASK, max_steps=steps)
    runner = ChunkRunner(policy.spec, **runner)
    observation, _ = env.reset(seed=seed)
    score, length, done = -np.inf, 0, False
    while not done:
        now_ns = length * policy.spec.action.period_ns
        runner.observe(observation, now_ns)
        runner.maybe_plan(policy, seed=query_seed(seed, runner.plans))
        observation, _, terminated, truncated, info = env.step(runner.action(now_ns))
        score, length, done = max(score, info["score"]), length + 1, terminated or truncated
    return score, length


@pytest.mark.parametrize(
    "execution", [{}, {"n_action_steps": 3}, {"ensemble": TemporalEnsemble(rate=0.1, every=2)}], ids=str
)
def test_an_evaluation_equals_a_plain_loop_over_its_seeds(execution: dict) -> None:
    ask = dict(episodes=5, seed=100000, workers=2, batch=3, options=SHORT)
    evaluation = evaluate_policy(BlockSeeker(), TASK, **ask, **execution)
    by_hand = [episode_by_hand(seed, 40, **execution) for seed in range(100000, 100005)]
    assert [(record.score, record.length) for record in evaluation.records] == by_hand
    assert [record.seed for record in evaluation.records] == list(range(100000, 100005))
    assert len(set(by_hand)) == 5, "different seeds are different episodes"


def test_records_do_not_depend_on_workers_environments_or_repetition() -> None:
    ask = dict(episodes=9, seed=7, batch=4, options=SHORT)
    evaluations = [
        evaluate_policy(BlockSeeker(), TASK, workers=workers, environments=environments, **ask)
        for workers, environments in [(1, None), (2, None), (3, 3), (1, 1)]
    ]
    for other in evaluations[1:]:
        assert results(other) == results(evaluations[0])
    assert [one.workers for one in evaluations] == [1, 2, 3, 1]


def test_a_network_gives_the_same_records_with_one_worker_and_two() -> None:
    """An odd batch, in which rows at the edge are summed in another order than those in the middle."""
    policy = untrained_policy()
    ask = dict(episodes=7, seed=100000, batch=3, options=SHORT)
    first, *others = (evaluate_policy(policy, TASK, workers=workers, **ask) for workers in (1, 2, 2))
    assert all(results(other) == results(first) for other in others)
    assert len({record.score for record in first.records}) > 1, "the policy acts, differently a seed"


def test_every_inference_call_has_the_same_shape() -> None:
    policy = BlockSeeker()
    evaluation = evaluate_policy(policy, TASK, episodes=7, seed=0, workers=2, batch=4, options=SHORT)
    assert set(policy.calls) == {(4, 2, 5)}
    assert evaluation.latency.queries == len(policy.calls) == 2 * 40 / 8
    assert [record.latency.queries for record in evaluation.records] == [5] * 7


def test_the_time_limit_truncates() -> None:
    evaluation = evaluate_policy(BlockSeeker(), TASK, episodes=3, seed=0, options={"max_steps": 20})
    assert all(record.truncated and not record.terminated and record.length == 20 for record in evaluation.records)
    assert not any(record.success or record.max_reward for record in evaluation.records)
    assert evaluation.summary is not None and evaluation.summary.steps == 60


LINE = "gym/tests.sim.line_env:Line-v0"


class Mover(Wanderer):
    """Moves to the right by a quarter a step."""

    def __init__(self):
        super().__init__(LINE)

    def sample(self, observation, **_):
        return np.full((len(observation["observation"]), 1, 8, 1), 0.25)


def test_success_terminates_in_the_middle_of_a_slice() -> None:
    evaluation = evaluate_policy(Mover(), LINE, episodes=6, seed=0, workers=2, n_action_steps=8)
    for record in evaluation.records:
        assert record.success and record.terminated and not record.truncated
        assert (record.length, record.score, record.episode_return, record.latency.queries) == (6, 1.0, 1.0, 1)
    assert evaluation.summary is not None and evaluation.summary.successes == 6


def test_an_environment_that_raises_is_named_with_seed_and_step(tmp_path: Path) -> None:
    options = {"arguments": {"fragile": [12]}}
    with pytest.raises(EvaluationFailed) as error:
        evaluate_policy(Mover(), LINE, episodes=6, seed=10, environments=1, options=options, output=tmp_path)
    assert f"{LINE}, seed 12, step 3: ArithmeticError: the line tore (line_env.py, line " in str(error.value)
    assert [record.seed for record in error.value.evaluation.records] == [10, 11]
    assert len(read_evaluation(tmp_path / "evaluation.partial.json").records) == 2


def test_the_score_does_not_hang_on_the_order_of_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """pymunk hands a body's shapes out in the order of their addresses, another one in every process."""
    import pymunk

    goal, spread = np.array([256, 256, np.pi / 4]), np.array([30, 30, 0.5])
    poses = goal + spread * np.random.default_rng(0).normal(size=(50, 3))
    env, scores = sim.make(TASK), {}
    for backwards in (False, True):
        order = partial(sorted, key=lambda shape: shape.area, reverse=backwards)
        monkeypatch.setattr(pymunk.Body, "shapes", property(lambda body, order=order: order(body._shapes)))
        for index, pose in enumerate(poses):
            env.reset(seed=0, options={"state": np.array([20, 20, *pose])})
            scores[backwards, index] = env.step(np.array([20.0, 20.0]))[4]["score"]
    assert [scores[False, index] for index in range(50)] == [scores[True, index] for index in range(50)]
    assert 0.5 < max(scores.values()) < 1


def test_native_reward_is_summed_and_its_maximum_kept() -> None:
    evaluation = evaluate_policy(BlockSeeker(), TASK, episodes=2, seed=3, options={**SHORT, "reward": "native"})
    for record in evaluation.records:
        assert record.max_reward == record.score
        assert record.max_reward <= record.episode_return <= record.length * record.max_reward


def test_seeds_of_queries_differ_between_episodes_and_plans() -> None:
    seeds = {query_seed(episode, query) for episode in range(100000, 100050) for query in range(40)}
    assert len(seeds) == 2000
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert query_seed(100000, 0) == 610814757262175047


def test_a_policy_that_does_not_fit_is_shown_beside_the_task() -> None:
    policy = BlockSeeker(observation=ObservationSpec((ObservationField("state", (7,), "float32", "m", "state"),)))
    policy.spec = replace(policy.spec, action=ActionSpec(ACTION.fields, 0.05))
    with pytest.raises(InputError) as error:
        evaluate_policy(policy, TASK, episodes=2, seed=0)
    text = str(error.value)
    assert "(7,) float32 [m]" in text and "(5,) float32 [px px px px rad]" in text
    assert "control period" in text and "0.05 s" in text and "0.1 s" in text
    assert not children()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"episodes": 0}, "episodes"),
        ({"workers": 0}, "workers"),
        ({"seed": -1}, "seed"),
        ({"n_action_steps": 17}, "horizon 16"),
        ({"options": {"max_stps": 3}}, "max_steps"),
        ({"video_episodes": [0]}, "output folder"),
        ({"video_episodes": [5]}, "0 to 1"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        evaluate_policy(BlockSeeker(), TASK, **{"episodes": 2, "seed": 0, **change})


def test_an_unknown_task_offers_the_nearest() -> None:
    with pytest.raises(InputError, match="pusht/state"):
        evaluate_policy(BlockSeeker(), "pusht/stat", episodes=1, seed=0)


def test_chosen_episodes_are_filmed_and_the_result_stays_the_same(tmp_path: Path) -> None:
    ask = dict(episodes=3, seed=5, options={**SHORT, "render_size": 96})
    filmed = evaluate_policy(BlockSeeker(), TASK, video_episodes=[0, 2], output=tmp_path / "out", **ask)
    plain = evaluate_policy(BlockSeeker(), TASK, **ask)
    names = ["episode_5_failure.mp4", "episode_7_failure.mp4"]
    assert [record.video for record in filmed.records] == [f"videos/{names[0]}", None, f"videos/{names[1]}"]
    assert [replace(record, video=None).result for record in filmed.records] == results(plain)
    frames = imageio_ffmpeg.read_frames(str(tmp_path / "out" / "videos" / "episode_5_failure.mp4"))
    assert next(frames)["size"] == (96, 96)
    pictures = [np.frombuffer(frame, np.uint8) for frame in frames]
    assert len(pictures) == 41, "the start and every step"
    assert np.abs(pictures[0].astype(int) - pictures[-1]).max() > 50, "something moved"
    assert sorted(path.name for path in (tmp_path / "out" / "videos").iterdir()) == names


@pytest.mark.parametrize("picture", ["rgb", "rgba", "float"])
def test_pictures_of_any_form_are_filmed(tmp_path: Path, picture: str) -> None:
    ask = dict(episodes=1, seed=0, options={"arguments": {"picture": picture}}, video_episodes=[0], output=tmp_path)
    [record] = evaluate_policy(Mover(), LINE, **ask).records
    assert record.video == "videos/episode_0_success.mp4" and not record.no_video
    frames = imageio_ffmpeg.read_frames(str(tmp_path / record.video))
    assert next(frames)["size"] == (32, 32)
    assert abs(np.frombuffer(next(frames), np.uint8).mean() - 128) < 4, "not black"


@pytest.mark.parametrize(
    ("task", "given", "words"),
    [
        (LINE, {"picture": "growing"}, r"expected \(32, 32, 3\) of uint8 RGB, got \(34, 32, 3\)"),
        (LINE, {"picture": "nothing"}, "expected numbers .* got None"),
        (LINE, {"picture": "error"}, "OSError: the screen is gone"),
        ("gym/tests.sim.line_env:Blind-v0", {}, "takes render_mode='rgb_array'"),
    ],
)
def test_what_cannot_be_filmed_is_evaluated_all_the_same_and_the_record_says_why(
    tmp_path: Path, task: str, given: dict, words: str
) -> None:
    ask = dict(episodes=3, seed=4, environments=1, options={"arguments": given} if given else {})
    filmed = evaluate_policy(Mover(), task, **ask, video_episodes=[0, 1], output=tmp_path)
    plain = evaluate_policy(Mover(), task, **ask)
    assert [replace(record, no_video="").result for record in filmed.records] == results(plain)
    assert [bool(re.search(words, record.no_video)) for record in filmed.records] == [True, True, False]
    assert not list((tmp_path / "videos").iterdir())
    [sentence] = read_evaluation(tmp_path).missing_videos
    assert sentence.startswith("No video of seeds 4, 5: ")


def test_an_evaluation_without_anything_to_draw_with_finishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLER_GL", "none")
    monkeypatch.delenv("DISPLAY", raising=False)
    task, short = "gym/Reacher-v5", {"max_steps": 2, "success_return": 0.0}
    [record] = evaluate_policy(
        Wanderer(task), task, episodes=1, seed=0, options=short, video_episodes=[0], output=tmp_path
    ).records
    assert record.length == 2 and record.video is None and "Nothing to draw with" in record.no_video


def test_an_output_is_never_overwritten_unless_told(tmp_path: Path) -> None:
    ask = dict(episodes=1, seed=0, options={"max_steps": 2}, output=tmp_path)
    first = evaluate_policy(BlockSeeker(), TASK, **ask)
    before = (tmp_path / "evaluation.json").read_bytes()
    with pytest.raises(InputError, match="overwrite"):
        evaluate_policy(BlockSeeker(), TASK, **ask)
    assert (tmp_path / "evaluation.json").read_bytes() == before
    assert read_evaluation(tmp_path) == first
    evaluate_policy(BlockSeeker(), TASK, overwrite=True, **{**ask, "seed": 1})
    assert read_evaluation(tmp_path).seed == 1


def test_a_killed_worker_ends_the_evaluation_and_keeps_what_was_finished(tmp_path: Path) -> None:
    done = []

    def kill_one(record) -> None:
        done.append(record.seed)
        if len(done) == 3:
            os.kill(children()[0], signal.SIGKILL)

    with pytest.raises(EvaluationFailed, match="SIGKILL") as error:
        evaluate_policy(
            BlockSeeker(),
            TASK,
            episodes=12,
            seed=50,
            workers=2,
            batch=4,
            options=SHORT,
            on_episode=kill_one,
            output=tmp_path,
        )
    kept = error.value.evaluation
    assert [record.seed for record in kept.records] == sorted(done)
    assert not kept.complete and "SIGKILL" in kept.ended
    named = re.search(r"episodes with seeds ([\d, ]+)", str(error.value))
    assert named is not None and {int(seed) for seed in named[1].split(",")} in ({54, 56}, {55, 57})
    assert read_evaluation(tmp_path / "evaluation.partial.json") == kept
    assert not (tmp_path / "evaluation.json").exists() and not children()

    evaluate_policy(BlockSeeker(), TASK, episodes=4, seed=50, options=SHORT, output=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evaluation.json"]


SCRIPT = """
from sim.evaluation.rollout import evaluate_policy
from tests.sim.linear_policy import BlockSeeker
evaluate_policy(BlockSeeker(), "pusht/state", episodes=400, seed=0, workers=2, batch=2, options={{"max_steps": 40}},
                output={folder!r}, on_episode=lambda record: print(record.seed, flush=True))
"""


def test_ctrl_c_ends_the_workers_and_keeps_what_was_finished(tmp_path: Path) -> None:
    """The signal goes to the whole group, as a terminal sends it."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(folder=str(tmp_path))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    seen = [process.stdout.readline() for _ in range(2)]
    workers = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    os.killpg(process.pid, signal.SIGINT)
    rest, errors = process.communicate(timeout=30)
    assert "EvaluationInterrupted" in errors and "episodes were finished" in errors and "Broken" not in errors
    finished = len(seen) + len(rest.splitlines())
    assert len(read_evaluation(tmp_path / "evaluation.partial.json").records) == finished
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(workers) == 2 and not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_an_interrupt_carries_the_finished_episodes() -> None:
    def interrupt(record) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(EvaluationInterrupted, match="1 of 4") as error:
        ask = dict(episodes=4, seed=0, batch=1, options={"max_steps": 4})
        evaluate_policy(BlockSeeker(), TASK, on_episode=interrupt, **ask)
    assert len(error.value.evaluation.records) == 1 and not children()


def test_a_policy_that_returns_nonsense_is_named() -> None:
    class Nonsense(BlockSeeker):
        def sample(self, observation, **rest):
            return super().sample(observation, **rest) * np.nan

    with pytest.raises(TillerError, match="not finite"):
        evaluate_policy(Nonsense(), TASK, episodes=2, seed=0, options=SHORT)


def test_a_policy_that_returns_too_few_plans_is_named() -> None:
    class Forgetful(BlockSeeker):
        def sample(self, observation, **rest):
            return super().sample(observation, **rest)[:2]

    with pytest.raises(TillerError, match="asked for one for 4 rows"):
        evaluate_policy(Forgetful(), TASK, episodes=2, seed=0, options=SHORT)


def test_a_physics_that_diverges_is_a_failed_episode_and_the_others_go_on(tmp_path: Path) -> None:
    ask = dict(episodes=4, seed=5, environments=1, workers=1)
    wild = evaluate_policy(
        Mover(), LINE, **ask, options={"arguments": {"wild": [6]}}, video_episodes=[1], output=tmp_path
    )
    tame = evaluate_policy(Mover(), LINE, **ask)
    broken = wild.records[1]
    assert (broken.success, broken.terminated, broken.length, broken.score) == (False, True, 4, 0.0)
    assert broken.diverged == "The physics diverged at 0.30 s" and broken.video == "videos/episode_6_failure.mp4"
    others = [record.result for record in wild.records if record is not broken]
    assert others == [record.result for record in tame.records if record.seed != 6]
    assert wild.summary is not None and (wild.summary.diverged, wild.summary.successes) == (1, 3)
    again = read_evaluation(tmp_path)
    assert again.records == wild.records
    assert "In 1 of 4 episodes the physics diverged" in again.divergence and "(seed 6)" in again.divergence
    written = json.loads((tmp_path / "evaluation.json").read_text())
    assert written["summary"]["diverged"] == 1
    assert ["diverged" in record for record in written["records"]] == [False, True, False, False]


def test_a_reward_that_is_no_number_is_named_with_seed_and_step() -> None:
    options = {"arguments": {"dark": [6]}, "reward": "native"}
    with pytest.raises(EvaluationFailed, match=r"got nan.*seed 6, step 2"):
        evaluate_policy(Mover(), LINE, episodes=3, seed=5, environments=1, options=options)


def test_a_task_that_never_says_what_success_is_is_refused_and_its_episodes_are_kept(tmp_path: Path) -> None:
    silent = {"arguments": {"silent": True}, "max_steps": 6}
    with pytest.raises(EvaluationFailed, match=r"neither in 3 episodes.*success_reward=.*success_return=") as error:
        evaluate_policy(Mover(), LINE, episodes=3, seed=5, options=silent, output=tmp_path)
    assert error.value.exit_code == 2
    assert len(read_evaluation(tmp_path / PARTIAL_NAME).records) == 3


def test_a_task_that_says_success_only_when_it_is_there_is_judged_by_that() -> None:
    evaluation = evaluate_policy(Mover(), LINE, episodes=3, seed=5, options={"arguments": {"late": True}})
    assert [(record.success, record.length) for record in evaluation.records] == [(True, 6)] * 3


def test_long_histories_reach_over_several_slices() -> None:
    class Witness(BlockSeeker):
        """Keeps the windows it is shown."""

        def __init__(self):
            super().__init__(observation=OBSERVATIONS["state"].with_history(History(steps=4, stride=5)))
            self.windows = []

        def sample(self, observation, **rest):
            self.windows.append(observation["state"][0].copy())
            return super().sample(observation, **rest)

    policy = Witness()
    evaluate_policy(policy, TASK, episodes=1, seed=2, n_action_steps=3, options={"max_steps": 30})
    env = sim.make(TASK, max_steps=30)
    rows = [env.reset(seed=2)[0]["state"]]
    runner = ChunkRunner(policy.spec, n_action_steps=3)
    again = Witness()
    for step in range(30):
        runner.observe({"state": rows[-1]}, step * ACTION.period_ns)
        runner.maybe_plan(again, seed=query_seed(2, runner.plans))
        rows.append(env.step(runner.action(step * ACTION.period_ns))[0]["state"])
    for query, window in enumerate(policy.windows):
        now = 3 * query
        np.testing.assert_array_equal(window, [rows[max(now - back, 0)] for back in (15, 10, 5, 0)])


def test_a_worker_does_not_import_torch() -> None:
    code = (
        "import sim.evaluation.workers, sys; sim.make('pusht/state'); print({'torch', 'matplotlib'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split()[-1] == "set()"


class Told(Wanderer):
    """Holds the robot where it is, and notes the instruction of each row beside what it sees there."""

    def __init__(self) -> None:
        super().__init__("twin/drawer")
        self.said: list[tuple[str, float]] = []

    def sample(self, observation, *, task, seeds, **_):
        wanted = observation["drawer.wanted"][:, -1, 0]
        self.said += [(prompt.instruction, float(width)) for prompt, width in zip(task, wanted)]
        return np.tile(np.array([0.4, 0, 0.3, 1, 0, 0, 0, -1, 0, 0.04]), (len(seeds), 1, 8, 1))


def test_each_episode_is_told_the_instruction_that_its_reset_drew() -> None:
    policy = Told()
    evaluate_policy(policy, "twin/drawer", episodes=6, seed=0, workers=2, options={"max_steps": 10})
    assert set(policy.said) == {("pull the drawer open", float(np.float32(0.12))), ("push the drawer shut", 0.0)}
