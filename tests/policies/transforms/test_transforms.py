"""Transforms: what goes in comes out undone, and each takes out of the data what it promises to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.transforms import make_chain
from policies.transforms.relative import matrix_from_6d
from robot.control import rotation
from robot.description import ActionField, ActionSpec, History, ObservationField, ObservationSpec
from robot.errors import InputError

PERIOD_S = 0.1
seeds = st.integers(0, 2**32 - 1)


def arm_specs(steps: int = 2) -> tuple[ObservationSpec, ActionSpec]:
    observation = ObservationSpec(
        (
            ObservationField("tcp.position", (3,), "float32", "m", "pose", History(steps)),
            ObservationField("tcp.rotation", (6,), "float32", "1", "pose", History(steps)),
            ObservationField("gripper.width", (1,), "float32", "m", "width", History(steps)),
            ObservationField("joints", (2,), "float32", "rad", "joint", History(steps)),
        )
    )
    action = ActionSpec(
        (
            ActionField("tcp.position", 3, "m", "pose"),
            ActionField("tcp.rotation", 6, "1", "pose"),
            ActionField("gripper.width", 1, "m", "width"),
            ActionField("wrist", 2, "rad m", "native"),
        ),
        PERIOD_S,
    )
    return observation, action


def random_rotations(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rotation.rotation_6d_from_matrix(rotation.matrix_from_rotvec(rng.uniform(-2, 2, (*shape, 3))))


def random_data(seed: int, *extra: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Observation (batch 4, steps 2) and actions (4, *extra, horizon 5, 12)."""
    rng = np.random.default_rng(seed)
    observation = {
        "tcp.position": rng.normal(size=(4, 2, 3)),
        "tcp.rotation": random_rotations(rng, 4, 2),
        "gripper.width": rng.uniform(0, 0.08, (4, 2, 1)),
        "joints": rng.uniform(-3, 3, (4, 2, 2)),
    }
    shape = (4, *extra, 5)
    action = np.concatenate(
        [
            rng.normal(size=(*shape, 3)),
            random_rotations(rng, *shape),
            rng.uniform(0, 0.08, (*shape, 1)),
            rng.uniform(-3, 3, (*shape, 2)),
        ],
        axis=-1,
    )
    return {name: torch.from_numpy(value) for name, value in observation.items()}, torch.from_numpy(action)


CHAINS = {
    "none": [],
    "angles": [{"name": "sine_cosine", "observation": {"joints": [1, 0]}, "action": {"wrist": [0]}}],
    "relative action": [{"name": "relative_action", "references": {"gripper.width": {"key": "gripper.width"}}}],
    "relative pose": [{"name": "relative_pose"}],
    "relative pose and past": [{"name": "relative_pose", "observed_past": True}],
    "companded": [
        {"name": "companded", "action": {"tcp.position": 0.01, "wrist": 0.5}, "observation": {"joints": 0.3}},
    ],
    "companded differences": [
        {"name": "relative_action", "references": {"gripper.width": {"key": "gripper.width"}}},
        {"name": "companded", "action": {"gripper.width": 0.002}},
    ],
    "all": [
        {
            "name": "relative_action",
            "references": {"gripper.width": {"key": "gripper.width"}, "wrist": {"key": "joints"}},
        },
        {"name": "relative_pose", "observed_past": True},
        {"name": "sine_cosine", "observation": {"joints": [1]}, "action": {"wrist": [0]}},
    ],
}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("samples", [(), (3,)])
@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_actions_come_out_as_they_went_in(name: str, samples: tuple[int, ...], seed: int) -> None:
    chain = make_chain(CHAINS[name], *arm_specs())
    observation, action = random_data(seed, *samples)
    stages = chain.forward_observation(observation)
    learnt = chain.forward_action(action, stages)
    assert learnt.shape[-1] == chain.outgoing[1].dim
    undone = chain.inverse_action(learnt, stages)
    if name == "all":  # a difference of angles comes back in (-pi, pi]
        turn = torch.remainder(undone[..., 10] - action[..., 10] + torch.pi, 2 * torch.pi) - torch.pi
        assert turn.abs().max() < 1e-6
        undone[..., 10] = action[..., 10]
    torch.testing.assert_close(undone, action, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", CHAINS)
def test_what_leaves_has_the_shapes_that_the_outgoing_spec_says(name: str) -> None:
    chain = make_chain(CHAINS[name], *arm_specs())
    outgoing = chain.forward_observation(random_data(0)[0])[-1]
    assert {field.name: (field.history.steps, *field.shape) for field in chain.outgoing[0]} == {
        key: tuple(value.shape[1:]) for key, value in outgoing.items()
    }


@given(value=st.floats(-10, 10), scale=st.floats(1e-3, 1.0))
@settings(max_examples=50, deadline=None)
def test_an_error_in_what_is_companded_is_small_near_zero_and_a_share_far_away(value: float, scale: float) -> None:
    chain = make_chain([{"name": "companded", "action": {"gripper.width": scale}}], *arm_specs())
    observation, action = random_data(0)
    action[..., 9] = value
    stages = chain.forward_observation(observation)
    learnt = chain.forward_action(action, stages)
    learnt[..., 9] += 1e-4
    error = (chain.inverse_action(learnt, stages) - action)[..., 9].abs().max()
    assert error == pytest.approx(1e-4 * float(np.hypot(value, scale)), rel=1e-2)


@pytest.mark.parametrize(
    "field, scale, said",
    [
        ("tcp.rotation", 0.1, "no rotation"),
        ("gripper.width", 0.0, "above 0"),
        ("griper.width", 0.1, "gripper.width"),
    ],
)
def test_what_cannot_be_companded_is_refused(field: str, scale: float, said: str) -> None:
    observation, action = arm_specs()
    with pytest.raises(InputError, match=said):
        _ = make_chain([{"name": "companded", "action": {field: scale}}], observation, action).outgoing


@given(seed=seeds, shift=st.floats(-10, 10))
@settings(max_examples=20, deadline=None)
def test_a_relative_action_does_not_know_where_zero_is(seed: int, shift: float) -> None:
    chain = make_chain(CHAINS["relative action"], *arm_specs())
    observation, action = random_data(seed)
    moved = {**observation, "gripper.width": observation["gripper.width"] + shift}
    moved_action = action.clone()
    moved_action[..., 9] += shift
    torch.testing.assert_close(
        chain.forward_action(action, chain.forward_observation(observation)),
        chain.forward_action(moved_action, chain.forward_observation(moved)),
    )


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_a_relative_pose_does_not_know_where_the_base_is(seed: int) -> None:
    chain = make_chain(CHAINS["relative pose and past"], *arm_specs())
    observation, action = random_data(seed)
    rng = np.random.default_rng(seed + 1)
    turn = torch.from_numpy(rotation.matrix_from_rotvec(rng.uniform(-2, 2, 3)))
    shift = torch.from_numpy(rng.normal(size=3))

    def moved_position(position: torch.Tensor) -> torch.Tensor:
        return position @ turn.T + shift

    def moved_rotation(rotation_6d: torch.Tensor) -> torch.Tensor:
        return torch.cat((rotation_6d[..., :3] @ turn.T, rotation_6d[..., 3:] @ turn.T), dim=-1)

    moved = {
        **observation,
        "tcp.position": moved_position(observation["tcp.position"]),
        "tcp.rotation": moved_rotation(observation["tcp.rotation"]),
    }
    moved_action = action.clone()
    moved_action[..., :3] = moved_position(action[..., :3])
    moved_action[..., 3:9] = moved_rotation(action[..., 3:9])
    before, after = chain.forward_observation(observation), chain.forward_observation(moved)
    torch.testing.assert_close(chain.forward_action(action, before), chain.forward_action(moved_action, after))
    torch.testing.assert_close(before[-1]["tcp.position"], after[-1]["tcp.position"])


def test_the_newest_observed_pose_is_the_identity_once_relative() -> None:
    chain = make_chain(CHAINS["relative pose and past"], *arm_specs())
    observation = chain.forward_observation(random_data(0)[0])[-1]
    assert observation["tcp.position"][:, -1].abs().max() < 1e-12
    identity = torch.tensor([1.0, 0, 0, 0, 1, 0], dtype=torch.float64).expand(4, 6)
    torch.testing.assert_close(observation["tcp.rotation"][:, -1], identity)


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_tensors_and_arrays_agree_on_rotations(seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(7, 6))
    np.testing.assert_allclose(
        matrix_from_6d(torch.from_numpy(vectors)).numpy(), rotation.matrix_from_6d(vectors), atol=1e-9
    )


def test_angles_on_both_sides_of_the_seam_are_neighbours() -> None:
    chain = make_chain(CHAINS["angles"], *arm_specs())
    observation = random_data(0)[0]
    observation["joints"] = torch.tensor([[[np.pi - 1e-4, 0.0]] * 2, [[-np.pi + 1e-4, 0.0]] * 2], dtype=torch.float64)
    encoded = chain.forward_observation(observation)[-1]["joints"]
    assert (encoded[0] - encoded[1]).abs().max() < 1e-3


def test_resized_images_stay_bytes_and_keep_flat_colours() -> None:
    image = ObservationField("camera", (24, 32, 3), "uint8", "1", "image", History(2))
    resize = {"name": "resize_images", "height": 12, "width": 16}
    chain = make_chain([resize], ObservationSpec((image,)), arm_specs()[1])
    colours = torch.tensor([0, 100, 255], dtype=torch.uint8).expand(5, 2, 24, 32, 3)
    resized = chain.forward_observation({"camera": colours})[-1]["camera"]
    assert resized.dtype == torch.uint8
    assert torch.equal(resized, torch.tensor([0, 100, 255], dtype=torch.uint8).expand(5, 2, 12, 16, 3))
    assert chain.outgoing[0]["camera"].shape == (12, 16, 3)


def test_only_what_is_declared_as_an_image_is_resized() -> None:
    fields = (
        ObservationField("camera", (24, 32, 3), "uint8", "1", "image"),
        ObservationField("map", (24, 32, 3), "uint8", "1", "state"),
    )
    resize = {"name": "resize_images", "height": 12, "width": 16}
    chain = make_chain([resize], ObservationSpec(fields), arm_specs()[1])
    seen = chain.forward_observation({field.name: torch.zeros(5, 1, 24, 32, 3, dtype=torch.uint8) for field in fields})
    assert {name: tuple(value.shape[2:]) for name, value in seen[-1].items()} == {
        field.name: field.shape for field in chain.outgoing[0]
    }


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"name": "sine_cosin"}, "Did you mean 'sine_cosine'"),
        ({"name": "sine_cosine", "observations": {}}, "Did you mean 'observation'"),
        ({"name": "sine_cosine", "observation": {"joint": [0]}}, "Did you mean 'joints'"),
        ({"name": "sine_cosine", "observation": {"joints": [2]}}, "different ones of 0 to 1"),
        ({"name": "sine_cosine", "observation": {"gripper.width": [0]}}, "an angle in rad"),
        ({"name": "relative_action", "references": {"wrist": {"key": "gripper.width"}}}, "at least 2"),
        ({"name": "relative_pose", "position": "gripper.width"}, "size 3"),
        ({"name": "resize_images", "height": 8, "width": 8, "keys": ["joints"]}, "an image"),
    ],
)
def test_a_transform_that_does_not_fit_is_refused_by_name(settings_: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_chain([settings_], *arm_specs())
