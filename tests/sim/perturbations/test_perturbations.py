"""Every perturbation changes what it says and nothing else, by a stream of its own, and is gone in the next episode."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any, Iterator, Mapping

import mujoco
import numpy as np
import pytest

import sim
from robot.control.rotation import angle_between, matrix_from_6d
from robot.description import ObservationField, ObservationSpec
from robot.errors import InputError
from sim.evaluation.collect import record
from sim.experts import make_expert
from sim.pages.perturbations import page
from sim.perturbations import SIZES, WORST, PerturbationSelection, load_sizes, perturbed
from sim.perturbations.distractors import STORE
from sim.perturbations.scene import CLASSES, SEEN_ONLY, _load
from sim.perturbations.selection import EpisodeDraws
from sim.perturbations.signals import SignalPerturbations
from sim.perturbations.sizes import read_sizes
from sim.tasks.environment import TaskEnv
from sim.tasks.twin import TASKS
from sim.tasks.twin.env import TwinEnv
from tests.sim import line_env  # noqa: F401 (registers Line-v0)

ROOT = Path(__file__).parents[3]
GRAVITY = 9.81
IMAGES = {"cameras": ["front"], "image_size": 48}


_made: list[TwinEnv] = []


@pytest.fixture(scope="module", autouse=True)
def _renderers_are_closed() -> Iterator[None]:
    yield
    plain.cache_clear()
    while _made:
        _made.pop().close()


def make(task: str = "twin/lift", **options: Any) -> TwinEnv:
    env = sim.make(task, **options)
    assert isinstance(env, TwinEnv)
    if "cameras" in options:
        _made.append(env)
    return env


def options_for(name: str, severity: int = WORST) -> dict[str, Any]:
    return {"perturbation": name, "severity": severity, **(IMAGES if name in SEEN_ONLY else {})}


def first(env: TaskEnv, seed: int = 3) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    return env.reset(seed=seed)


def snapshot(model: mujoco.MjModel) -> dict[str, np.ndarray]:
    """Every number of a model, by the dotted name of its field."""
    found = {}
    for holder in ("", "opt", "stat", "vis.headlight", "vis.map", "vis.rgba"):
        owner = attrgetter(holder)(model) if holder else model
        for name in dir(owner):
            value = None if name.startswith("_") else getattr(owner, name)
            if isinstance(value, (np.ndarray, int, float)):
                found[f"{holder}.{name}".lstrip(".")] = np.copy(value)
    return found


def perturbed_model(env: TwinEnv, severities: Mapping[str, int], seed: int) -> dict[str, np.ndarray]:
    """The model of an episode that the task has placed and only these perturbations have changed."""
    env._scene_perturbations.restore()
    mujoco.mj_resetData(env.scene.model, env.scene.data)
    env.robot.reset()
    env.twin_task.place(np.random.default_rng(seed))
    env._scene_perturbations.apply(EpisodeDraws(PerturbationSelection(severities), seed))
    return snapshot(env.scene.model)


def differing(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> set[str]:
    assert one.keys() == other.keys()
    return {name for name in one if not np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f")}


@cache
def plain(task: str, with_images: bool) -> TwinEnv:
    return make(task, **(IMAGES if with_images else {}))


def positions(observation: Mapping[str, np.ndarray]) -> list[str]:
    """Keys of where things are; the robot's own is none of them."""
    return [name for name in observation if name.endswith(".position") and not name.endswith("tcp.position")]


# -- what every perturbation keeps to -------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_a_scene_changes_in_what_is_declared_and_is_put_back_exactly(task: str) -> None:
    # Where a payload is built in, MuJoCo's constants are worked out anew in every episode: it has a scene of its own.
    for names in (CLASSES.keys() - {"payload"}, {"payload"}):
        env = make(f"twin/{task}", perturbations=dict.fromkeys(names, WORST), cameras=["front"])
        own = [perturbed_model(env, {}, seed) for seed in range(2)]
        for name in names:
            for seed in range(2):
                changed = differing(own[seed], perturbed_model(env, {name: WORST}, seed))
                assert changed <= {*_load(CLASSES[name]).touches}
                assert changed or name == "object_pose"  # the pose of a free body is no part of the model
            assert not differing(own[1], perturbed_model(env, {}, 1))


@pytest.mark.parametrize("task", ["lift", "drawer"])  # a free body, a fixture
@pytest.mark.parametrize("name", SIZES)
def test_the_first_observation_differs_in_what_the_perturbation_says(task: str, name: str) -> None:
    own, _ = first(plain(f"twin/{task}", name in SEEN_ONLY))
    seen, info = first(make(f"twin/{task}", **options_for(name)))
    changed = differing(own, seen)
    assert list(info["perturbations"]) == [name]
    if name in SEEN_ONLY:
        assert changed == {"front.image"}
    elif name in ("object_pose", "table_height"):
        assert set(positions(seen)) & changed
        assert not [key for key in changed if key.startswith(("tcp.", "gripper.", "hand."))]
    elif name == "observation_noise":
        assert changed == set(own)
    else:
        assert not changed


@pytest.mark.parametrize("name", SIZES)
def test_severity_0_is_the_task_bit_for_bit(name: str) -> None:
    with_images = name in SEEN_ONLY
    own, same = plain("twin/lift", with_images), make(**options_for(name, severity=0))
    assert not differing(snapshot(own.scene.model), snapshot(same.scene.model))
    rows = []
    for env in (own, same):
        expert = make_expert("twin/lift")
        observation, _ = first(env)
        expert.reset(observation, np.random.default_rng(0))
        for _ in range(12):
            observation, *_ = env.step(expert.act(observation))
        rows.append({**observation, "qpos": env.scene.data.qpos.copy(), "qvel": env.scene.data.qvel.copy()})
    assert not differing(*rows)


@pytest.mark.parametrize("name", SIZES)
def test_an_episode_follows_from_its_seed_alone(name: str) -> None:
    env = make(**options_for(name, severity=4))

    def episode(seed: int) -> dict[str, np.ndarray]:
        observation, info = first(env, seed)
        for _ in range(3):
            observation, *_ = env.step(env.holding(observation))
        return {**observation, "qpos": env.scene.data.qpos.copy(), "drawn": np.array(json.dumps(info["perturbations"]))}

    before = episode(5)
    episode(6)
    assert not differing(before, episode(5))


def test_perturbations_do_not_change_one_anothers_draws() -> None:
    alone, _ = first(make(perturbations={"object_pose": 3}))
    together, info = first(make(perturbations={"friction": 2, "object_pose": 3, "mass": 1, "payload": 2}))
    assert not differing(alone, together)
    assert list(info["perturbations"]) == ["object_pose", "friction", "mass", "payload"]


def test_an_unseeded_reset_goes_on_in_the_tasks_own_stream() -> None:
    starts = []
    for env in (make(), make(perturbation="friction", severity=3)):
        first(env, 7)
        starts.append([env.reset()[0]["cube.position"] for _ in range(2)])
    assert np.array_equal(*starts)
    assert not np.array_equal(starts[0][0], starts[0][1])


@pytest.mark.parametrize("task", TASKS)
def test_all_at_once_leave_every_task_to_be_done(task: str) -> None:
    worst = {name: WORST for name in SIZES if name not in SEEN_ONLY}
    env = make(f"twin/{task}", perturbations=worst)
    for seed in range(3):
        observation, info = first(env, seed)
        assert not info["success"]
        assert all(np.isfinite(value).all() for value in observation.values())
        roots = env.scene.model.body_rootid[env.scene.model.geom_bodyid[env.scene.data.contact.geom]]
        distractors = [env.scene.id("body", each) for each in env.scene.names("body") if each.startswith("distractor")]
        table = env.scene.id("body", "table")
        assert all(table in pair for pair in roots.tolist() if set(pair) & set(distractors))


# -- what each of them does -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("severity", [1, 5])
def test_object_pose_moves_and_turns_by_its_size(severity: int) -> None:
    size, env = load_sizes("object_pose")[severity - 1], make(perturbation="object_pose", severity=severity)
    turns = []
    for seed in range(5):
        own, _ = first(plain("twin/lift", False), seed)
        seen, info = first(env, seed)
        offset = seen["cube.position"] - own["cube.position"]
        assert offset == pytest.approx([*info["perturbations"]["object_pose"]["cube"]["offset_m"], 0.0], abs=1e-4)
        assert np.linalg.norm(offset) == pytest.approx(size.offset_m, rel=0.01)
        turns.append(angle_between(*(matrix_from_6d(row["cube.rotation"]) for row in (own, seen))))
    assert turns == pytest.approx([size.turn_rad] * 5, abs=1e-3)


@pytest.mark.parametrize("task", TASKS)
def test_table_height_moves_all_that_is_on_the_table_alike(task: str) -> None:
    env = make(f"twin/{task}", perturbation="table_height", severity=3)
    for seed in range(4):
        own, _ = first(plain(f"twin/{task}", False), seed)
        seen, info = first(env, seed)
        offset = info["perturbations"]["table_height"]["offset_m"]
        assert abs(offset) == load_sizes("table_height")[2].offset_m
        assert env.scene.table_z == pytest.approx(offset)
        for name in positions(seen):
            assert seen[name] - own[name] == pytest.approx([0.0, 0.0, offset], abs=1e-5), name


def test_a_cube_on_a_high_table_is_lifted_when_it_is_above_the_table() -> None:
    env = make(perturbation="table_height", severity=5)
    for seed in range(12):
        observation, info = first(env, seed)
        if info["perturbations"]["table_height"]["offset_m"] > 0:
            assert observation["cube.position"][2] > 0.06 and not info["success"]
    assert record(env, 1).meta["success"]


def test_distractors_lie_still_in_the_open() -> None:
    env = make(perturbation="distractors", severity=5)
    scene = env.scene
    clearance = load_sizes("distractors")[4].clearance_m
    observation, info = first(env)
    bodies = [scene.id("body", f"distractor{number}") for number in range(1, 6)]
    geoms = [int(scene.model.body_geomadr[body]) for body in bodies]
    others = [
        geom
        for geom in range(scene.model.ngeom)
        if scene.model.geom_contype[geom] and scene.model.geom_bodyid[geom] != scene.id("body", "table")
    ]
    mujoco.mj_forward(scene.model, scene.data)
    for geom in geoms:
        for other in set(others) - {geom}:
            assert mujoco.mj_geomDistance(scene.model, scene.data, geom, other, 1.0, None) >= clearance - 1e-9
    before = scene.data.xpos[bodies].copy()
    hold = env.holding(observation)
    for _ in range(20):
        env.step(hold)
    assert info["perturbations"]["distractors"]["count"] == 5
    assert np.abs(scene.data.xpos[bodies] - before).max() < 1e-3
    assert (before[:, 2] > 0).all()


def test_distractors_that_an_episode_has_no_use_for_rest_out_of_sight() -> None:
    env = make(perturbations={"distractors": 4}, randomise=True)
    bodies = [env.scene.id("body", f"distractor{number}") for number in range(1, 5)]
    found = Counter[int]()
    for seed in range(12):
        observation, info = first(env, seed)
        for _ in range(3):
            env.step(env.holding(observation))
        on_table = env.scene.data.xpos[bodies, 2] > -0.1
        assert on_table.sum() == info["perturbations"].get("distractors", {"count": 0})["count"]
        assert (env.scene.data.xpos[bodies, 2][~on_table] < STORE[2] + 1e-6).all()
        found[int(on_table.sum())] += 1
    assert found[0] and max(found) == 4


def contacts_with_fingers(env: TwinEnv) -> list[mujoco.MjContact]:
    """Contacts of the cube with anything but the table."""
    model, cube, table = env.scene.model, env.scene.id("body", "cube"), env.scene.id("body", "table")
    found = []
    for contact in env.scene.data.contact:
        bodies = {int(model.geom_bodyid[geom]) for geom in contact.geom}
        if cube in bodies and table not in bodies:
            found.append(contact)
    return found


def test_friction_between_cube_and_fingers_changes_by_the_factor() -> None:
    felt = []
    for env in (plain("twin/lift", False), make(perturbation="friction", severity=2)):
        expert = make_expert("twin/lift")
        observation, _ = first(env)
        expert.reset(observation, np.random.default_rng(1))
        for _ in range(100):
            observation, *_ = env.step(expert.act(observation))
            if len(contacts_with_fingers(env)) > 2:
                break
        felt.append(contacts_with_fingers(env)[0].friction.copy())
    assert felt[1] == pytest.approx(felt[0] * load_sizes("friction")[1].factor)


def test_mass_presses_on_the_table_by_its_factor() -> None:
    weights = []
    for env in (plain("twin/lift", False), make(perturbation="mass", severity=4)):
        observation, _ = first(env)
        hold = env.holding(observation)
        for _ in range(20):
            env.step(hold)
        weights.append(env.scene.data.qfrc_constraint[env.scene.model.jnt_dofadr[env.scene.id("joint", "cube")] + 2])
    assert weights[0] == pytest.approx(0.06 * GRAVITY, rel=0.01)
    assert weights[1] == pytest.approx(weights[0] * load_sizes("mass")[3].factor, rel=0.01)


@pytest.mark.parametrize("robot", ["panda", "ur5e"])
def test_a_payload_makes_the_arm_sag_by_its_weight_over_the_stiffness(robot: str) -> None:
    sags = []
    for options in ({}, {"perturbation": "payload", "severity": 4}):
        env = make(robot=robot, **options)
        observation, _ = first(env)
        hold = env.holding(observation)
        for _ in range(60):
            observation, *_ = env.step(hold)
        sags.append(float(hold[2] - observation["tcp.position"][2]))
    limb = env.scene.description.limbs[0]
    expected = load_sizes("payload")[3].mass_kg * GRAVITY / limb.arm.impedance.position[2]
    assert sags[1] - sags[0] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("name", SEEN_ONLY)
def test_what_is_seen_is_repainted_for_an_episode_without_it(name: str) -> None:
    env = make(perturbations={name: 1}, randomise=True, **IMAGES)
    kinds = set()
    for seed in range(8):
        own, _ = first(plain("twin/lift", True), seed)
        seen, info = first(env, seed)
        kinds.add(bool(info["perturbations"]))
        assert (differing(own, seen) == {"front.image"}) == bool(info["perturbations"])
    assert kinds == {False, True}


def test_images_differ_more_the_more_severe_it_is() -> None:
    own, _ = first(plain("twin/lift", True))
    for name in SEEN_ONLY:
        apart = []
        for severity in (1, 3, 5):
            seen, _ = first(make(**options_for(name, severity)))
            apart.append(np.abs(seen["front.image"].astype(float) - own["front.image"]).mean())
        assert apart[0] < apart[1] < apart[2], (name, apart)


# -- between task and policy, on every suite ------------------------------------------------------------------------


def push(env: TaskEnv, steps: int) -> list[dict[str, np.ndarray]]:
    """Observations of an episode in which the actions grow."""
    observation, _ = first(env)
    seen = [observation]
    for step in range(steps):
        observation, *_ = env.step(np.full(env.action_spec.dim, 0.01 * (step + 1)))
        seen.append(observation)
    return seen


def test_noise_has_the_deviation_of_its_unit_and_no_bias() -> None:
    size, own = load_sizes("observation_noise")[2], plain("twin/lift", False)
    env = make(perturbation="observation_noise", severity=3)
    observation, _ = first(own)
    hold, errors = own.holding(observation), {"cube.position": [], "cube.rotation": []}
    noisy, _ = first(env)
    for _ in range(140):
        for name, rows in errors.items():
            rows.append(noisy[name] - observation[name])
        observation, noisy = own.step(hold)[0], env.step(hold)[0]
    for name, deviation in {"cube.position": size.metre, "cube.rotation": size.unitless}.items():
        values = np.ravel(errors[name])
        assert np.std(values) == pytest.approx(deviation, rel=0.12)
        assert abs(values.mean()) < 4 * deviation / np.sqrt(len(values))


def test_noise_of_images_stays_in_their_range() -> None:
    own, _ = first(plain("twin/lift", True))
    seen, _ = first(make(perturbation="observation_noise", severity=3, **IMAGES))
    assert seen["front.image"].dtype == np.uint8
    error = seen["front.image"].astype(float) - own["front.image"]
    inside = (own["front.image"] > 60) & (own["front.image"] < 195)
    assert np.std(error[inside]) == pytest.approx(load_sizes("observation_noise")[2].image_levels, rel=0.05)


@pytest.mark.parametrize("task", ["gym/Line-v0", "pusht/state"])
@pytest.mark.parametrize("severity", [1, 3])
def test_a_delayed_observation_is_the_one_of_some_steps_ago(task: str, severity: int) -> None:
    own, late = (
        push(sim.make(task, **options), 8)
        for options in ({}, {"perturbation": "observation_delay", "severity": severity})
    )
    steps = load_sizes("observation_delay")[severity - 1].steps
    for number, row in enumerate(late):
        assert not differing(row, own[max(number - steps, 0)])


@pytest.mark.parametrize("task", ["gym/Line-v0", "pusht/state", "twin/lift"])
def test_a_late_action_is_executed_some_steps_after_while_the_robot_holds(task: str) -> None:
    steps = load_sizes("action_latency")[2].steps
    env, late = sim.make(task), sim.make(task, perturbation="action_latency", severity=3)
    observation, _ = first(env)
    hold = env.holding(observation)
    first(late)
    actions = [hold + 0.004 * (number + 1) for number in range(8)]
    for number, action in enumerate(actions):
        executed = hold if number < steps else actions[number - steps]
        assert not differing(env.step(executed)[0], late.step(action)[0])


def test_the_hold_leaves_the_robot_where_it_is() -> None:
    for task, key in (("twin/lift", "tcp.position"), ("pusht/state", "state")):
        env = sim.make(task)
        observation, _ = first(env)
        after, *_ = env.step(env.holding(observation))
        assert after[key] == pytest.approx(observation[key], abs=1e-3)


def test_noise_for_a_unit_without_a_size_is_refused() -> None:
    spec = ObservationSpec((ObservationField("twist", (2,), "float32", "rad/s", "state"),))
    with pytest.raises(InputError, match=r"field 'twist'.*got one in rad/s"):
        SignalPerturbations(PerturbationSelection({"observation_noise": 1}), spec)


# -- training, recording, asking ------------------------------------------------------------------------------------


def test_randomised_severities_are_uniform() -> None:
    selection = PerturbationSelection({"friction": 3}, randomise=True)
    found = Counter(
        EpisodeDraws(selection, seed).record.get("friction", {"severity": 0})["severity"] for seed in range(400)
    )
    assert set(found) == {0, 1, 2, 3}
    assert all(70 <= count <= 130 for count in found.values())  # 100 +- 3.5 standard deviations


def test_a_demonstration_says_what_was_perturbed() -> None:
    env = make(perturbations={"mass": 2, "object_pose": 1})
    strategy = json.loads(record(env, 4).meta["strategy"])
    assert strategy["perturbations"]["mass"] == {"severity": 2, "factor": load_sizes("mass")[1].factor}
    assert "cube" in strategy["perturbations"]["object_pose"]
    assert "perturbations" not in json.loads(record(plain("twin/lift", False), 4).meta["strategy"])


def test_perturbations_replace_those_of_the_options() -> None:
    trained = {"robot": "panda", "perturbations": {"mass": 2}, "randomise": True}
    assert perturbed(trained) == trained
    assert perturbed(trained, perturbation="friction", severity=0) == {
        "robot": "panda",
        "perturbation": "friction",
        "severity": 0,
    }
    assert perturbed({}, perturbations={"friction": 3}, randomise=True) == {
        "perturbations": {"friction": 3},
        "randomise": True,
    }


@pytest.mark.parametrize(
    "options, words",
    [
        ({"perturbation": "fricton", "severity": 2}, ["perturbation", "Did you mean 'friction'?"]),
        ({"perturbations": {"mas": 2}}, ["'mas'", "Did you mean 'mass'?"]),
        ({"perturbation": "friction", "severity": 6}, ["severity", "at least 0 and at most 5", "6"]),
        ({"perturbation": "friction"}, ["a severity with it"]),
        ({"severity": 2}, ["a perturbation with it"]),
        ({"perturbation": "mass", "severity": 1, "perturbations": {"mass": 2}}, ["'mass'", "one severity"]),
        ({"randomise": True}, ["perturbations to draw from"]),
        ({"perturbations": {"friction": 1.5}}, ["perturbations.friction", "int"]),
        *(({"perturbation": name, "severity": 0}, [name, "cameras=[front]"]) for name in SEEN_ONLY),
    ],
)
def test_what_cannot_be_asked_for_is_refused_in_one_message(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        make(**options)
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize("task", ["pusht/state", "gym/Line-v0"])
def test_a_suite_without_scenes_of_ours_says_which_it_has(task: str) -> None:
    with pytest.raises(InputError, match=f"'friction' of {task}.*observation_noise, observation_delay, action_latency"):
        sim.make(task, perturbation="friction", severity=2)


# -- sizes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIZES)
def test_sizes_grow_with_severity(name: str) -> None:
    shrinking = {"friction": {"factor"}, "distractors": {"clearance_m"}}.get(name, set())
    columns = {key: [float(getattr(size, key)) for size in load_sizes(name)] for key in vars(load_sizes(name)[0])}
    for key, values in columns.items():
        assert values == sorted(values, reverse=key in shrinking)
        assert values[0] != values[-1]


@pytest.mark.parametrize(
    "text, words",
    [
        ("severities: [{factor: 1.0}]", ["5", "1"]),
        ("severities: [{facto: 1}, {factor: 1}, {factor: 1}, {factor: 1}, {factor: 1}]", ["Did you mean 'factor'?"]),
        ("severities: [{factor: -1}, {factor: 1}, {factor: 1}, {factor: 1}, {factor: 1}]", ["severity 1.factor", "-1"]),
        ("severities: [{factor: a}, {factor: 1}, {factor: 1}, {factor: 1}, {factor: 1}]", ["severity 1.factor", "'a'"]),
        ("severity: []", ["Did you mean 'severities'?"]),
        ("{", ["YAML"]),
    ],
)
def test_a_wrong_file_of_sizes_is_refused(tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "friction.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_sizes("friction", tmp_path / "friction.yaml")
    assert all(word in str(error.value) for word in words), error.value


def test_the_page_of_perturbations_is_the_one_that_the_code_makes() -> None:
    assert (ROOT / "docs" / "perturbations.md").read_text(encoding="utf-8") == page(), "run make docs"
