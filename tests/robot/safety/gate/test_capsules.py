"""Distances between links, and how an approach ends before them."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.errors import InputError
from robot.safety.gate import Mode, Reason
from robot.safety.gate.capsules import CapsuleCheck, segment_distance
from tests.robot.safety.gate.gates import CAPSULES, HOME, SETTINGS, GantryRig, along, line, near_collisions

vectors = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array)


@settings(max_examples=60, deadline=None)
@given(p=vectors, u=vectors, q=vectors, v=vectors)
def test_no_two_points_of_two_segments_are_nearer_than_their_distance(p, u, q, v):
    distance = segment_distance(p, u, q, v)
    fine = np.linspace(-1, 1, 81)
    between = (p + fine[:, None] * u)[:, None] - (q + fine[:, None] * v)[None]
    sampled = np.linalg.norm(between, axis=2).min()
    step = (np.linalg.norm(u) + np.linalg.norm(v)) / 80
    # Segments that are parallel to 1e-7 rad count as parallel, which is 0.12 um off at their ends.
    assert distance - 1e-6 <= sampled <= distance + step + 1e-9
    assert segment_distance(q, v, p, u) == pytest.approx(distance, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(place=st.tuples(st.floats(0.2, 0.7), st.floats(-0.2, 0.6), st.floats(0.0, 0.5)).map(np.array))
def test_distances_are_those_that_mujoco_finds(place):
    check = CapsuleCheck(replace(SETTINGS, capsules=CAPSULES))
    model = mujoco.MjModel.from_xml_string(CAPSULES.model)
    data = mujoco.MjData(model)
    data.qpos[:] = place
    mujoco.mj_forward(model, data)
    expected = [
        mujoco.mj_geomDistance(model, data, model.geom(a).id, model.geom(b).id, 10.0, None) for a, b in CAPSULES.pairs
    ]
    assert check.distances(place) == pytest.approx(expected, abs=1e-6)


def test_what_comes_near_slows_down_and_stops_before_it_touches():
    check = CapsuleCheck(replace(SETTINGS, capsules=CAPSULES))
    for rig, pair in zip(near_collisions(), (0, 1)):
        distances = np.array([check.distances(command[:3])[pair] for command in rig.commands])
        assert distances.min() > CAPSULES.stop_m - 1e-3
        assert distances[-1] < CAPSULES.stop_m + 5e-3
        assert any(Reason.CAPSULES_SLOW in output.reasons for output in rig.outputs)
        assert CAPSULES.pairs[pair][0] in str([output.details.get(Reason.CAPSULES_SLOW) for output in rig.outputs])


def test_what_leads_away_is_never_slowed_down():
    rig = GantryRig(replace(SETTINGS, capsules=CAPSULES)).started()
    low = HOME + along(z=0.065 - HOME[2])
    rig.tick(chunks=(rig.chunk(line(along(z=-0.02), rows=20)),))
    rig.run(220)
    assert rig.state.command[2] < low[2]
    begin = len(rig.outputs)
    rig.tick(chunks=(rig.chunk(line(along(z=0.005), start=rig.state.command)),))
    rig.run(100)
    up = rig.outputs[begin:]
    assert all(output.mode is Mode.RUN for output in up)
    assert not any({Reason.CAPSULES_SLOW, Reason.CAPSULES_STOP} & set(output.reasons) for output in up)
    assert rig.state.command[2] > low[2]


def test_a_model_without_what_is_named_is_refused():
    with pytest.raises(InputError, match="elbow"):
        CapsuleCheck(replace(SETTINGS, capsules=replace(CAPSULES, pairs=(("elbow", "ball"),))))
    with pytest.raises(InputError, match="MJCF"):
        CapsuleCheck(replace(SETTINGS, capsules=replace(CAPSULES, model="<mujoco>")))
