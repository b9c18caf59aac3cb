"""A person takes a robot over from a policy and gives it back, again and again, in a graph of real processes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")
pytest.importorskip("torch", reason="torch is not installed")

from benchmarks.scripted_person import ScriptedPerson
from real.graph.graph import Deployment
from robot.contract.loading import action_spec, describe, load_contract
from robot.safety.gate.actor import Actor
from robot.safety.gate.from_contract import gate_settings
from robot.safety.gate.limits import gauge, write_difference
from robot.safety.gate.measuring import Measuring
from tests.real.graph_rig import Graph, local_environment, patient
from tests.real.untrained import untrained

ROUNDS = 3


def test_the_command_never_exceeds_a_limit_and_the_policy_never_has_a_robot_that_was_taken(
    domain: int, tmp_path: Path
) -> None:
    contract = patient("panda_twin_crisp", tmp_path)
    made = load_contract(contract)
    checkpoint = untrained("panda_twin_crisp", tmp_path / "policy")
    deployment = Deployment(
        contract,
        twin=True,
        checkpoint=str(checkpoint),
        delay_steps=1,
        records=str(tmp_path),
        parameters={"twin": {"images": False}},
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in local_environment(domain, tmp_path).items():
            patch.setenv(name, value)
        graph = Graph(deployment, tmp_path)
        try:
            graph.start_all()
            person = ScriptedPerson(action_spec(made))
            try:
                pauses_s = [_there_and_back(person, number) for number in range(ROUNDS)]
            finally:
                person.close()
        finally:
            graph.close()
    assert np.median(pauses_s) < 1.0, "the policy plans anew as soon as it is given the robot"
    limits = Measuring(gate_settings(made, describe(made))).limits
    tick_s, step = 1.0 / made.tick_hz, np.empty(limits.tangent)
    for before, after in pairwise(person.commands):
        write_difference(limits, before.target, after.target, step)
        passed_s = max((after.time_ns - before.time_ns) * 1e-9, tick_s)
        assert all(gauge(limits, group, 0, step / passed_s) <= 1.01 for group in range(limits.groups))


def _there_and_back(person: ScriptedPerson, number: int) -> float:
    """A take and a give; returns the seconds in which nobody acted after the give."""
    person.until(lambda: person.actor is Actor.POLICY, "a policy that is followed", 60.0)
    person.spin(0.3)
    person.take(np.array([1.0, number, -1.0]), 0.1)
    person.until(lambda: person.actor is Actor.PERSON, "the person", 10.0)
    since = len(person.commands)
    person.spin(0.6)
    assert Actor.POLICY not in {each.actor for each in person.commands[since:]}
    person.give()
    person.until(lambda: person.actor is Actor.POLICY, "the policy after a give", 10.0)
    given = next(each for each in reversed(person.commands) if each.actor is Actor.PERSON)
    return (person.commands[-1].time_ns - given.time_ns) * 1e-9
