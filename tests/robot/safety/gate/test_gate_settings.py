"""The gate's settings of every shipped contract, and their capsules."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from robot.contract.contract import MappedJoint, Stream
from robot.contract.loading import contract_names, describe, load_contract
from robot.description.loading import load_robot
from robot.errors import InputError
from robot.safety.gate.capsules import CapsuleCheck
from robot.safety.gate.core import Gate
from robot.safety.gate.from_contract import gate_settings


@pytest.mark.parametrize("name", contract_names())
def test_every_contract_makes_a_gate_that_is_no_looser_than_the_robot(name: str):
    contract = load_contract(name)
    description = describe(contract)
    settings = gate_settings(contract, description)
    limits = Gate(settings).limits
    assert settings.spec == description.action_spec(contract.period_s, contract.control)
    assert (settings.capsules is not None) == contract.limits.capsules
    assert settings.resets == (contract.plant == "twin") and settings.operator == contract.operator
    for limb in description.limbs:
        where = settings.spec.slices.get(limb.field("arm.joints"))
        if where is not None:
            low, high = np.array(limb.arm.position).T
            assert (limits.low[where] >= low).all() and (limits.high[where] <= high).all()
            fast = next(
                part.speed
                for group in settings.groups
                for part in group.parts
                if part.field == limb.field("arm.joints")
            )
            assert (np.array(fast) <= limb.arm.velocity).all()
        tool = settings.spec.slices[limb.field(limb.tool.command.name)]
        assert np.isfinite(limits.low[tool]).all() and np.isfinite(limits.high[tool]).all()
    assert all(group.measured for group in settings.groups if group.name.endswith("arm"))


def test_a_sensor_that_the_gate_does_not_read_holds_no_robot():
    contract = load_contract("panda_twin_crisp")
    settings = gate_settings(contract, describe(contract))
    more = {
        "force": Stream("force", "wrench", 500),
        "skin": Stream("skin", "vector", 50),
        "glove": Stream("glove", "joint_state", 50, map="glove", use="record"),
    }
    maps = {**contract.maps, "glove": (MappedJoint("finger", "finger"),)}
    for use in ("policy", "record"):
        streams = {name: replace(stream, use="record" if name == "glove" else use) for name, stream in more.items()}
        felt = replace(contract, maps=maps, state={**contract.state, **streams})
        assert gate_settings(felt, describe(contract)).streams == settings.streams


def test_capsules_need_the_joints_and_their_file():
    contract = load_contract("panda_twin_crisp")
    blind = {name: stream for name, stream in contract.state.items() if stream.map != "arm"}
    with pytest.raises(InputError, match="joint1"):
        gate_settings(replace(contract, state=blind), describe(contract))
    other = describe(contract)
    with pytest.raises(InputError, match=r"python -m sim\.twin\.model\.capsules"):
        gate_settings(contract, replace(other, spec=replace(other.spec, name="nobody")))


def test_arms_at_rest_are_far_from_everything_and_a_folded_one_is_not():
    contract = load_contract("panda_twin_crisp")
    check = CapsuleCheck(gate_settings(contract, describe(contract)))
    arm = load_robot("panda").limbs[0].arm
    assert check.distances(np.array(arm.rest)).min() > 0.05
    assert check.distances(np.array([0, 1.7, 0, -1.0, 0, 1.8, 0])).min() < 0.0  # reaches into the table


def test_the_tcp_of_the_capsules_is_the_robot_s():
    contract = load_contract("panda_twin_crisp")
    capsules = gate_settings(contract, describe(contract)).capsules
    assert capsules is not None
    model = mujoco.MjModel.from_xml_string(capsules.model)
    data = mujoco.MjData(model)
    data.qpos[:] = load_robot("panda").limbs[0].arm.rest
    mujoco.mj_kinematics(model, data)
    assert data.site("tcp").xpos == pytest.approx([0.45, 0.0, 0.22], abs=2e-3)
    assert data.site("tcp").xpos.shape == (3,)
