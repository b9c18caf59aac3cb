"""Two graphs in one domain: the second is refused with the nodes of the first, whoever started it."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

from real.connection.discovery import Seen, command_topics, require_alone
from real.connection.hosting import Claim
from real.process.profile import write_profile
from robot.contract.loading import load_contract
from robot.errors import InputError
from tests.real.conftest import Program, end_process

pytest.importorskip("rclpy", reason="rclpy is not installed: pip install 'tiller[ros]'")
ALONE = {"twin": True, "commands": True}


@pytest.fixture(scope="session")
def domain(domain: int) -> int:
    """One in which no test before has started a graph."""
    return 20 + (domain - 20 + 41) % 80


@pytest.fixture
def tiller(ros_environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """`tiller` in a process; what still runs at the end is ended."""
    started: list[Program] = []

    def start(*words: str, **environment: str) -> Program:
        started.append(Program("-m", "tiller", *words, TMPDIR=str(tmp_path), **environment))
        return started[-1]

    yield start
    for each in started:
        end_process(each.process)


def deploy(tmp_path: Path, name: str, *words: str) -> tuple[str, ...]:
    return ("deploy", "contract=panda_twin", f"output={tmp_path / name}", *words)


@pytest.mark.slow
def test_of_two_deploys_at_the_same_moment_one_goes_on_and_a_third_names_its_nodes(tiller, tmp_path: Path) -> None:
    both = [tiller(*deploy(tmp_path, name)) for name in ("a", "b")]
    deadline = time.monotonic() + 30
    while all(each.process.poll() is None for each in both):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    loser, winner = sorted(both, key=lambda each: each.process.poll() is None)
    assert loser.finish() == 2 and "no other graph" in loser.lines[-1] and "Traceback" not in str(loser.lines)
    winner.wait_for("/gate: ready after")
    third = tiller(*deploy(tmp_path, "c"))
    assert third.finish() == 2
    assert "/gate" in third.lines[-1] and "ROS_DOMAIN_ID" in third.lines[-1] and "namespace=" in third.lines[-1]
    assert len(third.lines) == 1 and not (tmp_path / "c").exists()
    elsewhere = tiller(*deploy(tmp_path, "d", "namespace=/right"))
    elsewhere.wait_for("/right/gate: ready after")
    winner.signal(signal.SIGINT)
    elsewhere.signal(signal.SIGINT)


def test_a_gate_of_no_deploy_is_seen_too(tiller, tmp_path: Path) -> None:
    gate = tiller("node", "gate", "contract=fr3_crisp", "namespace=/left")
    gate.wait_for("/left/gate: ready after")
    second = tiller("deploy", "contract=fr3_crisp", "namespace=/left", f"output={tmp_path / 'b'}")
    assert second.finish() == 2 and "/left/gate" in second.lines[-1]


def test_a_foreign_publisher_of_commands_is_named(program, tiller, tmp_path: Path) -> None:
    topic = next(iter(command_topics(load_contract("panda_twin"), "", {})))
    other = program(
        f"""
import time, rclpy
from std_msgs.msg import String
rclpy.init()
node = rclpy.create_node("stranger")
publisher = node.create_publisher(String, "{topic}", 1)
print("up", flush=True)
time.sleep(60)
""",
        **write_profile(tmp_path / "profile").environment,
    )  # with Fast DDS's own settings it would be heard of every 3 s
    other.wait_for("up")
    refused = tiller(*deploy(tmp_path, "a"))
    assert refused.finish() == 2 and "/stranger" in refused.lines[-1] and topic in refused.lines[-1]


def test_the_lock_of_a_killed_process_is_free(ros_environment: dict[str, str], program, tmp_path: Path) -> None:
    holder = program(
        "from real.connection.hosting import Claim\nimport time\nclaim = Claim('/left')\n"
        "print(claim.take(), flush=True)\ntime.sleep(60)"
    )
    holder.wait_for("True")
    claim = Claim("/left")
    assert not claim.take() and str(holder.process.pid) in claim.holder() and sys.executable in claim.holder()
    other, nested, flat = Claim("/right"), Claim("/a/b"), Claim("/a_b")
    assert other.take() and nested.take() and flat.take()
    for each in (other, nested, flat):
        each.release()
    holder.signal(signal.SIGKILL)
    assert claim.take()
    claim.release()


def test_what_counts_as_another_graph() -> None:
    require_alone(Seen(("/left/teleop", "/left/arm/gate")), "/left", 0, **ALONE)
    require_alone(Seen(("/twin",)), "", 0, twin=False, commands=True)
    require_alone(Seen((), {"/command": ("/other",)}), "", 0, twin=True, commands=False)  # shadow sends nothing
    for seen in (Seen(("/gate",)), Seen(("/twin",)), Seen((), {"/command": ("/other",)})):
        with pytest.raises(InputError, match="domain 3, namespace '/'"):
            require_alone(seen, "", 3, **ALONE)


def test_command_topics_are_those_after_namespace_and_remaps() -> None:
    contract = load_contract("panda_twin")
    (name,) = command_topics(contract, "", {})
    assert command_topics(contract, "/left", {}) == (f"/left{name}",)
    assert command_topics(contract, "/left", {name.lstrip("/"): "other"}) == ("/left/other",)
    assert command_topics(contract, "/left", {f"/left{name}": "/other"}) == ("/other",)
