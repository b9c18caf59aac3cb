"""`tiller calibrate budget`: what it writes, of what, and what it refuses."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import sim
from robot.control.runner import ChunkRunner, query_seed
from robot.description.loading import load_robot
from robot.errors import InputError
from robot.safety.energy.budget import load_budget
from robot.safety.energy.streams import EnergyLog, EnergyStream, write_log
from sim.evaluation import energy_log
from sim.evaluation.energy_log import gravity_of
from sim.experts import make_expert
from tests.journeys.commands import TINY, Command
from tests.sim.linear_policy import BlockSeeker
from tiller.runs.acting import PolicyActor

PANDA = load_robot("panda").limbs[0].arm
INERTIA = np.array([1.2, 1.5, 0.8, 0.9, 0.1, 0.1, 0.05])
FRICTION = 0.5


@pytest.fixture
def tiller(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def swinging(number: int) -> EnergyStream:
    """A Panda that swings a little around its rest posture: the torque is what moves its inertia and its friction."""
    random, time = np.random.default_rng(number), np.arange(1001) * 0.001
    rate, phase, size = random.uniform(2, 6, 7), random.uniform(0, 6, 7), random.uniform(0.05, 0.15, 7)
    angle = np.outer(time, rate) + phase
    joints = np.array(PANDA.rest) + size * (np.sin(angle) - np.sin(phase))
    velocity, acceleration = size * rate * np.cos(angle), -size * rate**2 * np.sin(angle)
    return EnergyStream(
        f"{number:02}",
        np.arange(1001, dtype=np.int64) * 1_000_000,
        INERTIA * acceleration + FRICTION * velocity,
        joints,
        velocity,
    )


def panda_log(**changes: Any) -> EnergyLog:
    return replace(EnergyLog("panda", PANDA.joints, tuple(map(swinging, range(20))), "swing"), **changes)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    write_log(tmp_path / "log", panda_log())
    return tmp_path / "log"


def test_a_log_becomes_a_budget_that_can_be_loaded(tiller: Command, log: Path, tmp_path: Path) -> None:
    target = tmp_path / "budgets" / "swing.yaml"
    shown = tiller.succeeds("calibrate", "budget", f"log={log}", "robot=panda", f"output={target}")
    found, written = load_budget(str(target), robot="panda"), yaml.safe_load(target.read_text())
    picked = written["picked"]
    assert picked["hash"] == found.hash and picked["episodes"] == 20 and picked["task"] == "swing"
    assert len(picked["acceleration"]) == 7 and picked["acceleration_from"] == "velocity"
    drawn = sorted(swinging(number).drawn_j for number in range(20))
    assert picked["e_star_max_j"] == pytest.approx(drawn[-1])
    assert picked["e_star_p95_j"] == pytest.approx(np.percentile(drawn, 95))
    assert found.initial_j == pytest.approx(found.reserve_j + 1.5 * np.percentile(drawn, 95), rel=0.01)
    assert picked["robot_hash"] and picked["date"] and picked["procedure"]
    assert picked["replay"]["overdrafts"] == 0
    assert f"Written to {target}" in shown and "20 episodes, 20 s at 1000 Hz" in shown
    assert "No limit on the spring" in shown and "0.00% by tank" in shown
    assert [file.name for file in target.parent.iterdir()] == ["swing.yaml"]


def test_a_budget_whose_numbers_were_changed_since_is_refused(tiller: Command, log: Path, tmp_path: Path) -> None:
    target = tmp_path / "swing.yaml"
    tiller.succeeds("calibrate", "budget", f"log={log}", "robot=panda", f"output={target}")
    values = yaml.safe_load(target.read_text())
    target.write_text(yaml.safe_dump({**values, "capacity_j": values["capacity_j"] * 2}))
    with pytest.raises(InputError, match="the numbers that were picked"):
        load_budget(str(target))


def test_harm_bounds_the_spring_and_the_tank(tiller: Command, log: Path, tmp_path: Path) -> None:
    target = tmp_path / "swing.yaml"
    shown = tiller.succeeds(
        "calibrate",
        "budget",
        f"log={log}",
        "robot=panda",
        f"output={target}",
        "force_n=140",
        "wall_n_per_m=75000",
        "harm_j=30",
        "mass_kg=2",
    )
    found = load_budget(str(target))
    assert found.force_n == 140 and 0.104 <= found.spring_j <= 0.1046 and found.capacity_j <= 30 and found.mass_kg == 2
    assert "No limit on the spring" not in shown


def weighty(stream: EnergyStream) -> EnergyStream:
    return replace(stream, torque=stream.torque + gravity_of(load_robot("panda"))(stream.joints))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"streams": tuple(map(swinging, range(19)))}, "20 or more"),
        ({"streams": tuple(replace(swinging(each), success=each != 4) for each in range(20))}, "without success: 04"),
        ({"streams": tuple(weighty(swinging(each)) for each in range(20))}, "none of the arm's weight in it"),
        ({"joints": PANDA.joints[::-1]}, "log: joints"),
        ({"robot": "fr3"}, "expected one of the robot 'panda', got one of 'fr3'"),
        (
            {"streams": tuple(replace(swinging(each), joints=swinging(each).joints * 57.3) for each in range(20))},
            "joint1",
        ),
    ],
    ids=["few", "failed", "gravity", "order", "robot", "degrees"],
)
def test_a_log_that_is_not_good_enough_writes_nothing(
    tiller: Command, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    write_log(tmp_path / "log", panda_log(**changes))
    done = tiller("calibrate", "budget", f"log={tmp_path / 'log'}", "robot=panda", f"output={tmp_path / 'b.yaml'}")
    assert done.code == 2 and message in done.message
    assert [each.name for each in tmp_path.iterdir()] == ["log"]


def test_a_budget_that_is_there_is_replaced_only_by_name(tiller: Command, log: Path, tmp_path: Path) -> None:
    target = tmp_path / "swing.yaml"
    target.write_text("mine")
    words = ("calibrate", "budget", f"log={log}", "robot=panda", f"output={target}")
    done = tiller(*words)
    assert done.code == 2 and "overwrite=true" in done.message and target.read_text() == "mine"
    tiller.succeeds(*words, "overwrite=true")
    assert load_budget(str(target)).robot == "panda"


def test_a_write_that_fails_leaves_the_old_budget_whole(
    tiller: Command, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "swing.yaml"
    words = ("calibrate", "budget", f"log={log}", "robot=panda", f"output={target}", "overwrite=true")
    tiller.succeeds(*words)
    before = target.read_text()

    def full(descriptor: int) -> None:
        os.ftruncate(descriptor, 20)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert tiller(*words).code != 0
    assert target.read_text() == before
    assert [path.name for path in tmp_path.iterdir() if "swing" in path.name] == ["swing.yaml"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "'output': expected a YAML file"),
        (("output=b.yaml",), "expected task= (a twin), or log= and robot= (a robot), got neither"),
        (("output=b.yaml", "task=twin/lift", "log=x", "robot=panda"), "got both"),
        (("output=b.yaml", "log=x"), "'robot': expected whose log it is"),
        (("output=b.yaml", "log=x", "robot=panda", "seed=3"), "seed=: expected no such key beside log="),
        (("output=b.yaml", "log=nowhere", "robot=panda"), "no meta.json"),
        (("output=b.yaml", "log=nowhere", "robot=pnda"), "Did you mean 'panda'?"),
        (("output=b.txt", "task=lift"), "a file that ends in .yaml"),
        (("output=b.yaml", "task=lift", "episodes=5"), "episodes: expected an integer, at least 20 and at most "),
        (("output=b.yaml", "task=pusht/state"), "pusht/state"),
        (("output=b.yaml", "task=robosuite/Lift"), "one on a twin"),
        (("output=b.yaml", "task=lift", "force_n=20"), "force_n and wall_n_per_m together"),
        (("output=b.yaml", "task=lift", "episode=20"), "Did you mean 'episodes'?"),
        (("output=b.yaml", "task=lift", "options.budget=table_top"), "unfiltered ones"),
    ],
)
def test_what_is_asked_wrongly_is_one_message(
    tiller: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = tiller("calibrate", "budget", *words)
    assert done.code == 2 and message in done.message
    assert list(tmp_path.iterdir()) == []


def test_something_else_to_calibrate_is_offered_what_there_is(tiller: Command) -> None:
    assert "Did you mean 'budget'?" in tiller("calibrate", "budgt").message
    shown = tiller.succeeds("calibrate", "budget", "--help")
    assert "log=null" in shown and "harm_j=null" in shown and "output=(required)" in shown


def test_a_supply_is_said_to_weaken_the_tank(tiller: Command, log: Path, tmp_path: Path) -> None:
    target, words = tmp_path / "swing.yaml", ("calibrate", "budget", f"log={log}", "robot=panda")
    shown = tiller.succeeds(*words, f"output={target}")
    assert "comes in all the time" not in shown
    free = load_budget(str(target))
    shown = tiller.succeeds(*words, f"output={target}", "overwrite=true", f"harm_j={0.95 * free.initial_j:.4f}")
    held = load_budget(str(target))
    assert held.supply_w > 0 and held.capacity_j < free.initial_j
    assert f"grows by {held.supply_w:.3g} J a second" in shown


def test_a_recording_that_is_stopped_writes_nothing(
    tiller: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*words: Any, **more: Any) -> Any:
        yield swinging(0)
        raise KeyboardInterrupt

    monkeypatch.setattr(energy_log, "collect", stopped)
    done = tiller("calibrate", "budget", "task=lift", f"output={tmp_path / 'b.yaml'}")
    assert done.code == 130 and "Stopped: 1 of 20 episodes were recorded" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_policy_acts_as_in_an_evaluation() -> None:
    env = sim.make("pusht/state", max_steps=30)
    policy = BlockSeeker()
    actor, runner = PolicyActor(policy, n_action_steps=3), ChunkRunner(policy.spec, n_action_steps=3)
    for seed in (5, 6):
        observation, _ = env.reset(seed=seed)
        actor.reset(observation, np.random.default_rng(seed))
        runner.reset()
        noise = int(np.random.default_rng(seed).integers(2**62))
        for step in range(30):
            runner.observe(observation, step * policy.spec.action.period_ns)
            runner.maybe_plan(policy, seed=query_seed(noise, runner.plans))
            action = runner.action(step * policy.spec.action.period_ns)
            assert np.array_equal(actor.act(observation), action)
            observation, *_ = env.step(action)


@pytest.mark.slow
def test_a_policy_that_cannot_do_the_task_gives_no_budget(tiller: Command, tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    tiller.succeeds("collect", "task=lift", "episodes=2", f"output={data}")
    tiller.succeeds("train", "task=lift", f"data={data}", f"output={run}", *TINY)
    target = tmp_path / "b.yaml"
    done = tiller("calibrate", "budget", f"checkpoint={run}", f"output={target}", "options.max_steps=8")
    assert done.code == 1 and "Only 0 of 21 episodes of twin/lift succeeded" in done.message
    done = tiller("calibrate", "budget", f"checkpoint={run}", "task=place", f"output={target}")
    assert done.code == 2 and "policy and task twin/place do not fit" in done.message
    assert not target.exists()


@pytest.mark.slow
def test_a_task_on_a_twin_becomes_a_budget_that_its_expert_does_not_notice(tiller: Command, tmp_path: Path) -> None:
    first, second = tmp_path / "task.yaml", tmp_path / "log.yaml"
    tiller.succeeds("calibrate", "budget", "task=lift", f"keep={tmp_path / 'kept'}", f"output={first}")
    tiller.succeeds("calibrate", "budget", f"log={tmp_path / 'kept'}", "robot=panda", f"output={second}")
    budget, again = load_budget(str(first), robot="panda"), load_budget(str(second), robot="panda")
    assert budget == replace(again, provenance=budget.provenance), "what was kept gives what was picked"
    assert successes(None) == successes(str(first)) == 10


def successes(budget: str | None) -> int:
    """Of the expert on ten seeds that nothing was picked from; with a budget, its filters hardly change a step."""
    env = sim.make("twin/lift", **({"budget": budget} if budget else {}))
    done = 0
    for seed in range(1000, 1010):
        expert = make_expert("twin/lift")
        observation, _ = env.reset(seed=seed)
        expert.reset(observation, np.random.default_rng([seed, 1]))
        ended = False
        while not ended:
            observation, _, terminated, truncated, info = env.step(expert.act(observation).astype(np.float32))
            ended = terminated or truncated
        done += bool(info["success"])
        if budget:
            assert info["energy_overdrafts"] == 0 and info["energy_changed"] < 0.02
    env.close()
    return done
