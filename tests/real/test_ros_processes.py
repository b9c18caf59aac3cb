"""The processes of a deployment: what they are, and in which order they end, whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import pytest

from real.graph.graph import Deployment, End, NodeProcess, module_of, processes
from real.graph.processes import run_processes
from real.graph.ros_arguments import arguments_of, ros_arguments
from robot.errors import InputError

# Stands for a node: says ready, and writes when it was told to end and when it has ended.
STAND_IN = """
import signal, sys, time
from pathlib import Path
name, folder, start_code, deaf = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "deaf"
if start_code:
    print("cannot start", flush=True)
    sys.exit(start_code)
stopped = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: stopped.append(time.monotonic()))
print(f"/{name}: ready after 0.00 s", flush=True)
while deaf or not stopped:
    time.sleep(0.01)
time.sleep(0.15)
(folder / f"{name}.times").write_text(f"{stopped[0]} {time.monotonic()}")
"""


@dataclass(frozen=True)
class StandIn(NodeProcess):
    """A process that behaves as a node does towards its supervisor."""

    folder: str = ""
    start_code: int = 0
    deaf: bool = False

    @property
    def command(self) -> list[str]:
        return [
            sys.executable,
            "-S",
            "-c",
            STAND_IN,
            self.node,
            self.folder,
            str(self.start_code),
            "deaf" if self.deaf else "hears",
        ]


class Graph:
    """A twin, a gate, a policy and a supervisor, run in a thread."""

    def __init__(self, folder: Path, **policy: object) -> None:
        self.folder, self.stop, self.code = folder, Event(), -1
        place = str(folder)
        self.wanted = (
            StandIn("twin", end=End.LAST, essential=True, folder=place),
            StandIn("gate", end=End.FIRST, essential=True, folder=place),
            StandIn("supervisor", folder=place),
            StandIn("policy", folder=place, **policy),  # type: ignore[arg-type]
        )

    def run(self) -> int:
        return run_processes(self.wanted, {}, self.folder, self.stop)

    def wait_for(self, text: str, name: str) -> None:
        deadline = time.monotonic() + 10
        while text not in (self.log(name) if (self.folder / f"{name}.log").exists() else ""):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def times(self, name: str) -> tuple[float, float]:
        told, ended = (self.folder / f"{name}.times").read_text().split()
        return float(told), float(ended)

    def assert_ended_in_order(self, *middle: str) -> None:
        for name in middle:
            assert self.times("gate")[1] <= self.times(name)[0]
            assert self.times(name)[1] <= self.times("twin")[0]


@pytest.fixture(autouse=True)
def main_thread_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    # Handlers belong to the main thread, and these tests run the graph in another.
    monkeypatch.setattr("real.graph.processes._on_signals", lambda stop: {})


def in_thread(graph: Graph) -> Thread:
    thread = Thread(target=lambda: setattr(graph, "code", graph.run()))
    thread.start()
    return thread


def pid_of(graph: Graph, name: str) -> int:
    """Of a stand-in of this test, found by its folder on the command line."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if str(graph.folder) in words and name in words:
                return int(entry.name)
    raise AssertionError(f"no process {name}")


def test_ending_begins_with_the_gate_and_ends_with_the_driver(tmp_path: Path, capfd) -> None:
    graph = Graph(tmp_path)
    thread = in_thread(graph)
    for each in graph.wanted:
        graph.wait_for("ready after", each.node)
    graph.stop.set()
    thread.join(15)
    assert graph.code == 0
    graph.assert_ended_in_order("policy", "supervisor")
    assert "[gate] /gate: ready after" in capfd.readouterr().out


@pytest.mark.parametrize("name", ["gate", "twin"])
def test_the_end_of_gate_or_driver_ends_everything(tmp_path: Path, name: str, capfd) -> None:
    graph = Graph(tmp_path)
    thread = in_thread(graph)
    for each in graph.wanted:
        graph.wait_for("ready after", each.node)
    os.kill(pid_of(graph, name), signal.SIGKILL)
    thread.join(15)
    assert graph.code == 1
    assert f"[{name}] ended with SIGKILL\n" in capfd.readouterr().out
    if name == "twin":
        assert all(graph.times("gate")[1] <= graph.times(each)[0] for each in ("policy", "supervisor"))
    else:
        assert all(graph.times(each)[1] <= graph.times("twin")[0] for each in ("policy", "supervisor"))


def test_a_policy_that_dies_leaves_the_gate_holding(tmp_path: Path, capfd) -> None:
    graph = Graph(tmp_path)
    thread = in_thread(graph)
    for each in graph.wanted:
        graph.wait_for("ready after", each.node)
    os.kill(pid_of(graph, "policy"), signal.SIGKILL)
    graph.wait_for("the gate holds the robot", "policy")
    assert thread.is_alive()
    graph.stop.set()
    thread.join(15)
    assert graph.code == 0
    graph.assert_ended_in_order("supervisor")


@pytest.mark.parametrize("status, code", [(1, 1), (2, 2)])
def test_a_process_that_cannot_start_ends_everything_with_its_message(tmp_path: Path, capfd, status, code) -> None:
    graph = Graph(tmp_path, start_code=status)
    assert graph.run() == code
    out = capfd.readouterr().out
    assert "[policy] cannot start" in out and f"[policy] ended with status {status}" in out


def test_a_process_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    monkeypatch.setattr("real.graph.processes.end.__defaults__", (0.5,))
    graph = Graph(tmp_path, deaf=True)
    thread = in_thread(graph)
    for each in graph.wanted:
        graph.wait_for("ready after", each.node)
    graph.stop.set()
    thread.join(15)
    assert graph.code == 0 and not (tmp_path / "policy.times").exists()
    assert graph.times("supervisor")[1] <= graph.times("twin")[0]


def test_a_robot_has_no_twin_and_a_twin_is_last_to_end() -> None:
    on_robot = processes(Deployment("fr3_crisp", checkpoint="/policy"))
    assert [each.node for each in on_robot] == ["gate", "supervisor", "policy"]
    on_twin = processes(Deployment("panda_twin", twin=True, task="twin/lift", teleop="keyboard", clock=True))
    assert [each.node for each in on_twin] == ["twin", "gate", "supervisor", "teleop"]
    assert {each.node for each in on_twin if each.essential} == {"twin", "gate"}
    assert (on_twin[0].end, on_twin[1].end, on_twin[-1].terminal) == (End.LAST, End.FIRST, True)
    simulated = [each.node for each in on_twin if each.parameters.get("use_sim_time")]
    assert simulated == ["gate", "supervisor", "teleop"]  # the twin makes the time


@pytest.mark.parametrize(
    "options, part",
    [
        ({"task": "twin/lift"}, "contract of a twin"),
        ({"lock_step": True}, "contract of a twin"),
        ({"namespace": "left"}, "namespace=/left"),
        ({"teleop": "gampad"}, "Did you mean 'gamepad'"),
    ],
)
def test_a_deployment_that_makes_no_sense_is_refused(options: dict[str, object], part: str) -> None:
    with pytest.raises(InputError, match=part):
        Deployment("fr3_crisp", **options)  # type: ignore[arg-type]


def test_words_become_arguments_of_ros() -> None:
    found = ros_arguments(
        {"contract": "it's", "seed": 3, "shadow": True, "task": "", "speed": None},
        "/left",
        {"policy/chunk": "other/chunk"},
    )
    assert found == [
        "--ros-args",
        "-p",
        "contract:='it''s'",
        "-p",
        "seed:=3",
        "-p",
        "shadow:=true",
        "-r",
        "__ns:=/left",
        "-r",
        "policy/chunk:=other/chunk",
    ]
    assert arguments_of(["contract=panda_twin", "namespace=/left", "status:=/status", "--ros-args", "-p", "a:=1"]) == [
        "--ros-args",
        "-p",
        "contract:='panda_twin'",
        "-r",
        "__ns:=/left",
        "-r",
        "status:=/status",
        "--ros-args",
        "-p",
        "a:=1",
    ]
    assert arguments_of([]) == []
    with pytest.raises(InputError, match="parameter=value"):
        arguments_of(["fast"])


def test_a_node_is_known_by_its_name_and_by_its_executables() -> None:
    assert module_of("gate") == module_of("gate_node") == "real.nodes.gate_node"
    with pytest.raises(InputError, match="Did you mean 'gate'"):
        module_of("gaet")


SPEAKER = """
import signal, sys, time
from real.supervision.screen import Screen
stopped = []
signal.signal(signal.SIGINT, lambda number, frame: stopped.append(1))
print("/teleop: ready after 0.00 s", flush=True)
screen, tick = Screen(), 0
while not stopped:
    tick += 1
    screen.over(f"status {tick}")
    time.sleep(0.02)
screen.close()
"""
SHOWS = """
import sys, threading
from pathlib import Path
from real.graph.graph import NodeProcess
from real.graph.processes import run_processes
class Said(NodeProcess):
    @property
    def command(self):
        return [sys.executable, "-c", Path(sys.argv[1 if self.node == "teleop" else 2]).read_text()]
stop = threading.Event()
threading.Timer(2.5, stop.set).start()
run_processes([Said("teleop", terminal=True), Said("twin")], {}, Path(sys.argv[3]), stop)
"""
CHATTER = """
import signal, sys, time
stopped = []
signal.signal(signal.SIGINT, lambda number, frame: stopped.append(1))
print("/twin: ready after 0.00 s", flush=True)
for line in range(20):
    print(f"line {line}", flush=True)
    time.sleep(0.05)
while not stopped:
    time.sleep(0.02)
"""


def test_on_a_terminal_lines_stand_above_a_status_that_is_one_line(tmp_path: Path) -> None:
    for name, source in (("speaker", SPEAKER), ("chatter", CHATTER), ("shows", SHOWS)):
        (tmp_path / name).write_text(source)
    ours, theirs = os.openpty()
    words = [sys.executable, tmp_path / "shows", tmp_path / "speaker", tmp_path / "chatter", tmp_path]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # the terminal ends with its last process
            while data := os.read(ours, 65536):
                shown += data
        assert process.wait(10) == 0
    os.close(ours)
    lines = shown.decode().replace("\r\n", "\n").split("\n")
    # What a terminal shows of a line is what follows its last return to the first column.
    visible = [line.rsplit("\r", 1)[-1].replace("\x1b[K", "") for line in lines]
    assert [line for line in visible if line.startswith("[twin] line")] == [f"[twin] line {n}" for n in range(20)]
    assert all("status" not in line for line in visible[:-2]) and visible[-2].startswith("status ")
    assert shown.count(b"status ") > 20
    assert "status" not in (tmp_path / "teleop.log").read_text()
