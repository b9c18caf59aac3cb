"""Namespaces and names of topics: what ROS takes is taken, and the rest is refused with a name that it takes."""

from __future__ import annotations

from typing import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from real.graph.graph import Deployment
from real.graph.ros_arguments import arguments_of
from real.ros.names import absolute, require_namespace, require_remaps
from real.ros.topics import names_of
from robot.contract.loading import contract_names, load_contract
from robot.errors import InputError

pytestmark = pytest.mark.together

NAMES = st.text(st.sampled_from("ab_1/~ é-{"), max_size=8)


def taken(check: Callable[[], object]) -> bool:
    try:
        check()
    except InputError:
        return False
    return True


@given(NAMES)
@example("/left/")
@example("//left")
@example("/1left")
@example("/" + "a" * 244)
@example("/" + "a" * 245)
def test_a_namespace_is_taken_exactly_when_ros_takes_it(name: str) -> None:
    validation = pytest.importorskip("rclpy.validate_namespace", reason="rclpy is not installed")
    try:
        by_ros = bool(validation.validate_namespace(name))
    except pytest.importorskip("rclpy.exceptions").NameValidationException:
        by_ros = False
    assert taken(lambda: require_namespace(name)) == (by_ros or name == "")


@given(NAMES)
def test_no_name_passes_that_ros_would_refuse(name: str) -> None:
    validation = pytest.importorskip("rclpy.validate_topic_name", reason="rclpy is not installed")
    if taken(lambda: require_remaps({"policy/chunk": name})):
        assert validation.validate_topic_name(name)


@pytest.mark.parametrize(
    "typed, right",
    [
        ("/left/", "/left"),
        ("left", "/left"),
        ("//left", "/left"),
        ("/left arm", "/left_arm"),
        ("~left", "/left"),
        ("/1/arm", "/robot1/arm"),
        ("/lëft", "/left"),
        ("/left//arm/", "/left/arm"),
        ("/-", "/left"),
    ],
)
def test_a_wrong_namespace_comes_with_the_right_one_from_every_entrance(typed: str, right: str) -> None:
    for check in (
        lambda: require_namespace(typed),
        lambda: Deployment("fr3_crisp", namespace=typed),
        lambda: arguments_of([f"namespace={typed}"]),
        lambda: arguments_of(["--ros-args", "-r", f"__ns:={typed}"]),
    ):
        with pytest.raises(InputError) as refusal:
            check()
        assert refusal.value.way_out == f"namespace={right}"
    require_namespace(right)


def test_a_remap_of_a_topic_that_no_node_has_is_refused() -> None:
    with pytest.raises(InputError, match="Did you mean 'policy/chunk'"):
        Deployment("fr3_crisp", remaps={"policy/chunck": "other"})
    with pytest.raises(InputError, match="Did you mean 'policy/chunk'"):
        arguments_of(["policy/chunck:=other"])
    with pytest.raises(InputError, match="policy/chunk: a/b}"):
        Deployment("fr3_crisp", remaps={"policy/chunk": "a//b/"})
    Deployment("fr3_crisp", namespace="/left", remaps={"/left/policy/chunk": "/other", "gate/enable": "on"})
    arguments_of(["gate:policy/chunk:=other", "rosservice://gate/enable:=on", "~/enable:=on"])


@pytest.mark.parametrize("name", contract_names())
def test_every_topic_of_a_contract_can_be_renamed(name: str) -> None:
    contract = load_contract(name)
    topics = [each.topic for part in (contract.state, contract.sinks) for each in part.values()]
    assert set(topics) <= set(names_of(contract))
    require_remaps({absolute(topic, "/left"): "/other" for topic in topics}, names_of(contract), "/left")
