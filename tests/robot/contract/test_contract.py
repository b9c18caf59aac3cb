"""Contracts: what must be in one, what is said about a wrong one, and which changes its two hashes see."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.contract.camera import IMAGE_ENCODINGS
from robot.contract.check import disagreements, group_fields
from robot.contract.contract import Contract, Intrinsics, Mount, Staleness, Stream
from robot.contract.loading import (
    action_spec,
    contract_folder,
    contract_names,
    contract_of_twin,
    describe,
    difference,
    load_contract,
    operational,
    operational_hash,
    require_same,
    semantic,
    semantic_hash,
)
from robot.contract.names import component_names, measured_names
from robot.description import from_json, to_json
from robot.description.loading import load_robot, robot_names
from robot.errors import InputError

Edit = Callable[[dict[str, Any]], object]


def edited(folder: Path, edit: Edit, base: str = "panda_twin_crisp") -> Path:
    """A shipped contract with a change, in a file of its own."""
    values = yaml.safe_load((contract_folder() / f"{base}.yaml").read_text())
    edit(values)
    file = folder / "mine.yaml"
    file.write_text(yaml.safe_dump(values, sort_keys=False))
    return file


def put(*path: Any) -> Edit:
    """An edit that puts the last of `path` at the place that the others lead to."""

    def edit(values: Any) -> None:
        *way, key, value = path
        for step in way:
            values = values[step]
        values[key] = value

    return edit


def drop(*path: Any) -> Edit:
    def edit(values: Any) -> None:
        *way, key = path
        for step in way:
            values = values[step]
        del values[key]

    return edit


# -- what is shipped --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", contract_names())
def test_a_shipped_contract_agrees_with_its_robot_and_can_be_run(name: str) -> None:
    contract = load_contract(name)
    description = describe(contract)
    assert disagreements(contract, description) == []
    spec = action_spec(contract)
    assert [field for sink in contract.sinks.values() for field in sink.fields] == [each.name for each in spec.fields]
    assert (
        set(contract.limits.tracking)
        == set(group_fields(description, spec))
        == {g.name for g in description.spec.groups}
    )
    told = set(component_names(description, spec))
    assert {"hand.joints", "gripper.width"} & {field.name for field in spec.fields}
    if contract.control == "joint":
        assert told <= set(measured_names(contract)), "what is told is measured"
    for stream in contract.state.values():
        ages = stream.ages(contract.staleness)
        assert ages.warn_s < ages.hold_s < ages.fault_s and ages.hold_s >= 3 / stream.rate_hz


@pytest.mark.parametrize("name", contract_names())
def test_what_is_not_a_twin_needs_a_person_and_a_box_and_claims_no_hardware(name: str) -> None:
    contract = load_contract(name)
    if contract.plant == "robot":
        assert contract.operator == "required" and contract.evidence in ("emulation", "example")
        for sink in contract.sinks.values():
            assert sink.energy.mode != "torque", "the inner loop of a robot is not ours"
        if contract.control == "cartesian":
            assert contract.limits.tcp and contract.limits.tcp.workspace and contract.limits.tcp.start
    else:
        assert contract.robot in robot_names() and contract.evidence in ("twin", "emulation")


def test_every_contract_stands_in_the_guide_with_what_its_stops_do() -> None:
    guide = (contract_folder().parents[1] / "docs" / "contracts.md").read_text()
    for name in contract_names():
        assert guide.count(f"| `{name}` |") == 2, f"{name}: one row of what it is, one of what its stops do"


# -- hashes -----------------------------------------------------------------------------------------------------------

OTHER = {
    "panda": "fr3",
    "cartesian": "joint",
    "image": "depth",
    "twin": "robot",
    "emulation": "example",
    "none": "required",
    "hold": "silent",
    "crisp_pose": "twin",
    "crisp": "crisp_pose",
}
SEMANTIC = ("robot", "control", "period_s", "frames.")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, (dict, list)) and value:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    else:
        yield path, value


def changed(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if value is None:
        return 1000.0
    if isinstance(value, str):
        return OTHER.get(value, f"{value}x")
    if isinstance(value, int):
        return -1 if value == 1 else value + 1
    return value * 0.99 if value else 0.001


@pytest.mark.parametrize("name", ["panda_twin_crisp", "ur5e_jtc"])
def test_each_hash_sees_its_own_half_of_a_contract_and_no_leaf_is_in_neither(name: str) -> None:
    contract = load_contract(name)
    plain, seen = to_json(contract), 0
    for path, value in leaves(plain):
        where = ".".join(map(str, path))
        if where == "name" or "fields" in path or value in ({}, []):
            continue
        values = deepcopy(plain)
        put(*path, changed(value))(values)
        try:
            other = from_json(Contract, values)
            hashes = (
                semantic_hash(other) != semantic_hash(contract),
                operational_hash(other) != operational_hash(contract),
            )
        except InputError:
            continue  # a value of its own kind, such as the name of a map, cannot be any other
        camera = path[0] == "state" and path[1] in contract.cameras and path[2] in ("type", "size")
        meant = where.startswith(SEMANTIC) or camera
        assert hashes == (meant, not meant), where
        seen += 1
    assert seen > 40


RECORDED = {
    "ability": ("4788fc006056415a", "7ff0f2a1aff93792"),
    "allegro": ("b57267ff0a551fc8", "3c4dc1e2d5f6e2fd"),
    "fr3_crisp": ("0b1f677fae8d0b43", "ecf2394f3367dac9"),
    "inspire": ("9cb5914382b14feb", "fffab3c23e2536f4"),
    "leap": ("2ee1dae4d73b764b", "3a03eaca55e5a427"),
    "panda_inspire_twin": ("aa2fd6508af4ddb5", "58db808893cca321"),
    "panda_twin": ("91bf5cbf0cc94806", "1ed793e6e00ec467"),
    "panda_twin_crisp": ("91bf5cbf0cc94806", "2a8d3b09dfc4fb26"),
    "ur5e_jtc": ("d67605f997851dec", "c974908986252469"),
    "ur5e_twin_jtc": ("5291232e3c71a9f4", "b069973106ab843f"),
    "xarm7": ("62ead59a6ecde25a", "0fd86c4e70fc08de"),
}
"""Semantic and operational hash of each shipped contract, as data and checkpoints have them on record."""


def test_the_hashes_on_record_stay() -> None:
    assert {
        name: (semantic_hash(load_contract(name)), operational_hash(load_contract(name))) for name in RECORDED
    } == RECORDED


def with_stream(contract: Contract, name: str, **keys: Any) -> Contract:
    """The contract with a stream more, or other keys of one."""
    values = to_json(contract)
    values["state"][name] = {**values["state"].get(name, {}), **keys}
    return from_json(Contract, values)


def test_what_is_only_recorded_changes_no_meaning_and_moves_no_robot() -> None:
    contract = load_contract("panda_twin_crisp")
    overhead = {"topic": "overhead/image", "type": "image", "rate_hz": 30, "size": [480, 640], "use": "record"}
    more = with_stream(contract, "overhead", **overhead)
    assert semantic(more) == semantic(contract) and operational_hash(more) != operational_hash(contract)
    assert "overhead" in more.cameras and "overhead" not in more.policy_streams
    other = with_stream(more, "overhead", size=[240, 320])
    assert operational_hash(other) != operational_hash(more), "its size has no meaning, but is on record"
    seen = with_stream(more, "overhead", use="policy")
    assert [row[0] for row in difference(semantic(contract), semantic(seen))] == [
        "cameras.overhead.type",
        "cameras.overhead.size",
    ]
    cup = with_stream(contract, "cup", topic="cup", type="pose", rate_hz=100, field="cup", use="record")
    assert disagreements(cup, describe(cup)) == [], "what is no part of the robot may be recorded"
    felt = with_stream(contract, "force", topic="force", type="wrench", rate_hz=500, use="record")
    assert disagreements(felt, describe(felt)) == [] and measured_names(felt) == measured_names(contract)


def test_where_a_camera_looks_and_how_it_is_stored_is_recorded_and_means_nothing() -> None:
    contract = load_contract("ur5e_jtc")
    lens = {"fx": 600.0, "fy": 601.5, "cx": 319.5, "cy": 239.5, "distortion": [0.1, -0.2, 0.0, 0.0, 0.05]}
    mount = {"frame": "base", "position": [0.5, 0.0, 1.0], "quat_xyzw": [1.0, 0.0, 0.0, 0.0]}
    for keys in ({"serial": "0123"}, {"intrinsics": lens}, {"mount": mount}, {"encoding": "png"}):
        changed = with_stream(contract, "front", **keys)
        assert semantic_hash(changed) == semantic_hash(contract)
        assert operational_hash(changed) != operational_hash(contract)
    whole = with_stream(contract, "front", intrinsics=lens, mount=mount).state["front"]
    assert whole.intrinsics == Intrinsics(600.0, 601.5, 319.5, 239.5, (0.1, -0.2, 0.0, 0.0, 0.05))
    assert whole.mount == Mount("base", (0.5, 0.0, 1.0), (1.0, 0.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("kind", "compressed", "chosen", "refused"),
    [
        ("image", False, "jpeg", ("as_it_came",)),
        ("image", True, "as_it_came", ()),
        ("depth", False, "png", ("jpeg", "as_it_came")),
        ("depth", True, "png", ("jpeg", "as_it_came")),
    ],
)
def test_images_are_stored_so_that_depth_loses_nothing_and_no_jpeg_is_made_twice(
    kind: str, compressed: bool, chosen: str, refused: tuple[str, ...]
) -> None:
    assert Stream("a", kind, 30, compressed=compressed).stored_as == chosen
    for encoding in IMAGE_ENCODINGS:
        if encoding in refused:
            with pytest.raises(InputError, match="encoding: expected one of"):
                Stream("a", kind, 30, compressed=compressed, encoding=encoding)
        else:
            assert Stream("a", kind, 30, compressed=compressed, encoding=encoding).stored_as == encoding


def test_the_store_knows_the_encodings_of_a_contract() -> None:
    from data import Encoding

    assert [Encoding(kind).kind for kind in IMAGE_ENCODINGS] == list(IMAGE_ENCODINGS)


def test_the_kind_of_controller_and_the_names_of_cameras_are_meant_too() -> None:
    twin, crisp = load_contract("panda_twin"), load_contract("panda_twin_crisp")
    assert semantic(twin) == semantic(crisp), "both are held by a spring: a checkpoint goes from one to the other"
    values = to_json(crisp)
    put("sinks", "arm", "via", "twin")(values)
    del values["state"]["front"]
    rows = difference(semantic(crisp), semantic(from_json(Contract, values)))
    assert [row[0] for row in rows] == ["cameras.front.type", "cameras.front.size"]
    assert "impedance" not in semantic(load_contract("ur5e_twin_jtc"))["controller"].values()


def test_hashes_do_not_depend_on_where_a_file_lies_nor_on_the_order_of_its_keys(tmp_path: Path) -> None:
    shipped = load_contract("panda_twin_crisp")
    mine = load_contract(str(edited(tmp_path, lambda v: v.update(state=dict(reversed(v["state"].items()))))))
    assert semantic_hash(mine) == semantic_hash(shipped) and operational_hash(mine) == operational_hash(shipped)


def test_two_contracts_of_different_meaning_are_shown_side_by_side() -> None:
    panda, ur = load_contract("panda_twin"), load_contract("ur5e_twin_jtc")
    require_same(semantic(panda), semantic(load_contract("panda_twin_crisp")), left="a", right="b")
    with pytest.raises(InputError) as error:
        require_same(semantic(panda), semantic(ur), left="checkpoint", right="ur5e_twin_jtc")
    lines = str(error.value).splitlines()
    assert lines[0] == "checkpoint and ur5e_twin_jtc mean different things:"
    assert any(line.split() == ["robot", "panda", "ur5e"] for line in lines)
    assert any(line.split() == ["control", "cartesian", "joint"] for line in lines)
    assert any(line.split() == ["action.0.name", "tcp.position", "arm.joints"] for line in lines)


def test_semantics_stay_equal_through_json() -> None:
    told = semantic(load_contract("fr3_crisp"))
    assert difference(json.loads(json.dumps(told)), told) == []
    assert not difference(operational(load_contract("fr3_crisp")), operational(load_contract("fr3_crisp")))


# -- ages -------------------------------------------------------------------------------------------------------------


@given(st.floats(1, 2000), st.floats(0.001, 1), st.floats(0.01, 3), st.floats(0.1, 2.99))
def test_hold_is_the_larger_of_a_floor_and_three_periods_between_warning_and_fault(
    rate: float, floor: float, fault: float, warn: float
) -> None:
    stream = Stream("a", "pose", rate, floor_s=floor, fault_s=fault)
    try:
        ages = stream.ages(Staleness(warn_periods=warn))
    except InputError as error:
        assert "warn < hold < fault" in str(error) and fault <= max(floor, 3 / rate)
        return
    assert ages.hold_s == max(floor, 3 / rate) and ages.warn_s < ages.hold_s < ages.fault_s == fault


# -- wrong contracts --------------------------------------------------------------------------------------------------

WRONG: list[tuple[Edit, str]] = [
    (put("robto", "panda"), r"mine\.yaml\.robto: .*Did you mean 'robot'"),
    (put("name", "x"), r"mine\.yaml: name: expected none"),
    (put("state", "arm", "topci", "x"), r"mine\.yaml: state 'arm'\.topci: .*Did you mean 'topic'"),
    (put("state", "arm", "type", "joint_states"), r"state 'arm': type: .*Did you mean 'joint_state'"),
    (put("state", "arm", "topic", "/joint states"), r"state 'arm': topic: expected a ROS name"),
    (put("state", "arm", "map", "hand"), r"state 'arm': map: expected one of arm, fingers, gripper, got 'hand'"),
    (
        put("state", "arm", "floor_s", 0.6),
        r"state 'arm' at 200 Hz: ages: expected 0 < warn < hold < fault, got 0\.01, 0\.6, 0\.5 s\. Raise fault_s",
    ),
    (put("state", "arm", "rate_hz", 5), r"state 'arm' at 5 Hz: ages: .* got 0\.4, 0\.6, 0\.5 s"),
    (put("staleness", {"warn_periods": 3.0}), r"staleness: warn_periods: expected above 0 and below 3, got 3"),
    (put("state", "pose", "field", "left.tcp"), r"state 'pose': field +left\.tcp +one of tcp"),
    (put("state", "arm", "use", "recorded"), r"state 'arm': use: .*Did you mean 'record'"),
    (put("state", "pose", "use", "record"), r"state of 'arm' +no tcp\.position, tcp\.rotation +measured for"),
    (put("state", "driver", "use", "record"), r"use: expected policy: the state of a driver stops the robot"),
    (put("state", "arm", "serial", "123"), r"state 'arm': serial: expected one of image, depth, got joint_state"),
    (put("state", "front", "encoding", "as_it_came"), r"encoding: expected one of raw, jpeg, png for raw image"),
    (put("state", "front", "intrinsics", {"fx": 0, "fy": 1, "cx": 1, "cy": 1}), r"focal lengths above 0 px, got 0, 1"),
    (put("state", "front", "intrinsics", {"fx": 1}), r"intrinsics: expected the keys fx, fy, cx, cy"),
    (put("state", "front", "mount", {"frame": "tcp", "position": [0, 0]}), r"position: expected 3 finite numbers"),
    (
        put("state", "front", "mount", {"frame": "tcp", "position": [0, 0, 0], "quat_xyzw": [1, 1, 0, 0]}),
        r"quat_xyzw: expected 4 numbers of unit length",
    ),
    (
        put("state", "force", {"topic": "force", "type": "wrench", "rate_hz": 500, "field": "left.tcp"}),
        r"state 'force': field +left\.tcp +one of tcp",
    ),
    (put("state", "skin", {"topic": "skin", "type": "vector", "rate_hz": 50, "size": [4, 4]}), r"length of a vector"),
    (put("maps", "arm", 2, "ros", "panda_joint1"), r"map 'arm': ros: expected each once, got panda_joint1 more than"),
    (put("maps", "arm", 2, "name", "joint1"), r"map 'arm': name: expected each once, got joint1 more than once"),
    (put("maps", "arm", 2, "name", "joint9"), r"state 'arm': map 'arm' +joint9 +no such joint"),
    (put("maps", "arm", 2, "sign", 0), r"maps 'arm'\[2\]: map of 'panda_joint3': sign: expected 1 or -1, got 0"),
    (put("maps", "arm", 2, "scale", -1), r"scale: expected a number above 0, got -1\.0\. The direction is `sign`"),
    (put("maps", "fingers", 1, "name", "gripper"), r"mimic 'panda_finger_joint2': .*Did you mean 'gripper\.width'"),
    (drop("sinks", "gripper"), r"action field gripper\.width +no sink +in the action"),
    (put("sinks", "gripper", "fields", ["gripper.wdth"]), r"sink 'gripper': field +gripper\.wdth +one of tcp\.po"),
    (put("sinks", "gripper", "topic", "target_pose"), r"topics of sinks: expected each once, got target_pose"),
    (put("sinks", "gripper", "fields", ["tcp.position"]), r"fields of sinks: expected each once, got tcp\.position"),
    (put("sinks", "arm", "via", "crisp"), r"sink.*'arm': via: .*Did you mean 'crisp_"),
    (put("sinks", "arm", "fields", ["tcp.rotation", "tcp.position"]), r"via crisp_pose +tcp\.rotation, tcp\.position"),
    (put("sinks", "arm", "rate_hz", 500), r"sink 'arm': rate_hz: expected at most the gate's 200 Hz, got 500"),
    (put("sinks", "arm", "on_stop", "open"), r"sinks 'arm': on_stop: expected one of hold, silent, got 'open'"),
    (put("sinks", "arm", "energy", {"mode": "setpoint"}), r"energy: stiffness: expected 6 numbers"),
    (put("limits", "tracking", {"arm": [0.05], "gripper": None}), r"tracking of 'arm' +1 distances +for tcp\.position"),
    (put("limits", "tracking", {"arm": [0.05, 0.5]}), r"limits: tracking +no gripper"),
    (put("limits", "tcp", "workspace", {"low": [0, 0, 0], "high": [1, 1, 0]}), r"workspace: expected low and high"),
    (put("limits", "tcp", "deceleration", 1.0), r"tcp: deceleration +1 +3\.33, to stop from 0\.5 in 0\.15 s"),
    (put("limits", "joints", {"speed_scale": 1.2}), r"speed_scale: expected above 0 and at most 1: a contract only"),
    (put("limits", "tail_s", 0.2), r"tail_s: expected above 0 and at most 0\.15 s, got 0\.2"),
    (drop("state", "pose"), r"state of 'arm' +no tcp\.position, tcp\.rotation +measured for tcp\.position"),
    (put("plant", "robot"), r"operator: expected required: only a twin may move without a person, got none"),
    (
        lambda v: v.update(plant="robot", operator="required") or v["limits"]["tcp"].pop("workspace"),
        r"limits: tcp: workspace +none +needed where the plant is a robot",
    ),
    (put("robot", "pnda"), r"robot: .*Did you mean 'panda'"),
]


@pytest.mark.parametrize(("edit", "words"), WRONG, ids=[words for _, words in WRONG])
def test_a_wrong_contract_gives_one_message_that_says_where_and_what(edit: Edit, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        load_contract(str(edited(tmp_path, edit)))


def test_everything_that_does_not_fit_a_robot_is_told_at_once(tmp_path: Path) -> None:
    def edit(values: dict[str, Any]) -> None:
        values["maps"]["arm"][0]["name"], values["maps"]["arm"][3]["name"] = "shoulder", "elbow"
        values["robot"] = "ur5e"

    with pytest.raises(InputError) as error:
        load_contract(str(edited(tmp_path, edit, "ur5e_twin_jtc")))
    text = str(error.value)
    assert text.startswith("contract 'mine' and robot 'ur5e' do not fit:\n")
    for words in ("shoulder", "elbow", "no shoulder_pan_joint", "no wrist_1_joint"):
        assert words in text


@settings(max_examples=20)
@given(st.permutations(range(6)), st.integers(0, 5))
def test_a_map_may_stand_in_any_order_and_lack_no_joint(order: list[int], missing: int) -> None:
    contract = load_contract("ur5e_twin_jtc")
    values = to_json(contract)
    values["maps"]["arm"] = [values["maps"]["arm"][place] for place in order]
    reordered = from_json(Contract, values)
    assert disagreements(reordered, describe(contract)) == [] and semantic_hash(reordered) == semantic_hash(contract)
    gone = values["maps"]["arm"].pop(missing)["name"]
    rows = disagreements(from_json(Contract, values), describe(contract))
    assert ("sink 'arm': map 'arm'", f"no {gone}", gone) in rows


def test_the_exact_sink_of_a_twin_is_for_twins(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sink 'twin': via twin: expected plant: twin, got plant: robot"):
        load_contract(str(edited(tmp_path, lambda v: v.update(plant="robot", operator="required"), "panda_twin")))


def test_an_unknown_contract_offers_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'panda_twin_crisp'"):
        load_contract("panda_twin_crips")


def test_two_streams_do_not_measure_the_same(tmp_path: Path) -> None:
    twice = {"topic": "others", "type": "joint_state", "rate_hz": 100, "map": "arm"}
    with pytest.raises(InputError, match=r"measured joint1 +by 2 streams +one stream"):
        load_contract(str(edited(tmp_path, put("state", "more", twice))))
    with pytest.raises(InputError, match=r"measured joint1 +by 2 streams +one stream"):
        load_contract(str(edited(tmp_path, put("state", "more", {**twice, "use": "record"}))))

    def touch(values: dict[str, Any]) -> None:
        for name in ("one", "other"):
            values["state"][name] = {"topic": name, "type": "wrench", "rate_hz": 100}

    with pytest.raises(InputError, match=r"measured tcp\.wrench +by 2 streams +one stream"):
        load_contract(str(edited(tmp_path, touch)))


def test_a_twin_finds_the_contract_that_takes_its_action_as_it_is() -> None:
    panda, ur5e = load_robot("panda"), load_robot("ur5e")
    assert contract_of_twin("panda", panda.action_spec(0.05)) is load_contract("panda_twin")
    assert contract_of_twin("panda", panda.action_spec(0.1)) is None
    # Behind a trajectory controller an arm moves otherwise than in the simulation's own.
    assert contract_of_twin("ur5e", ur5e.action_spec(0.05, "joint")) is None
