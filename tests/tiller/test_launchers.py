"""Where runs of a sweep may run: options, and real runs on a Ray cluster and through submitit."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Callable, Iterator

import pytest

from robot.errors import InputError
from tests.tiller.conftest import CAR, QUICK, Sweep, cells_of, until, waiting_at
from tests.tiller.gate import TASK as GATE
from tiller.cli import main
from tiller.configuration.compose import choices_of
from tiller.sweep.launchers import LAUNCHERS, open_launcher, read_launcher
from tiller.sweep.launchers.options import LocalOptions, RayOptions, SlurmOptions

Start = Callable[..., Sweep]


def test_every_file_of_the_group_is_a_launcher_and_reads() -> None:
    assert set(choices_of("launcher")) == set(LAUNCHERS)
    for name, kind in LAUNCHERS.items():
        assert read_launcher([f"launcher={name}"]) == kind()


def test_words_become_typed_options() -> None:
    assert read_launcher([]) == LocalOptions()
    assert read_launcher(["jobs=3", "launcher.time_min=1.5"]) == LocalOptions(3, 1.5)
    assert read_launcher(["launcher=ray", "launcher.address=10.0.0.1:6379", "launcher.gpus=0.5"]) == RayOptions(
        address="10.0.0.1:6379", gpus=0.5
    )
    assert read_launcher(
        [
            "launcher=slurm",
            "launcher.partition=gpu",
            "launcher.parameters.exclude=node7",
            "launcher.setup=['module load cuda']",
        ]
    ) == SlurmOptions(partition="gpu", parameters={"exclude": "node7"}, setup=("module load cuda",))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["launcher=rya"], "Did you mean 'ray'"),
        (["launcher=slurm", "launcher.partitoin=x"], "Did you mean 'partition'"),
        (["launcher.gpus=1"], "gpus"),
        (["jobs=0"], "at least 1"),
        (["jobs=many"], "jobs"),
        (["launcher=local,ray"], "one value for the whole sweep"),
        (["launcher=slurm", "launcher.cluster=pbs"], "slurm or local"),
        (["launcher=ray", "launcher.cpus=-1"], "launcher.cpus"),
    ],
)
def test_what_fits_no_launcher_is_refused(words: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_launcher(words)


def test_launcher_without_a_sweep_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "checkpoint=x", "launcher=ray"]) == 2
    assert "-m" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "module", "extra"), [("ray", "ray", "tiller[ray]"), ("slurm", "submitit", "tiller[slurm]")]
)
def test_missing_extra_is_named_before_anything_is_written(
    name: str,
    module: str,
    extra: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # what Python itself takes for a module that cannot be found
    folder = tmp_path / "sweep"
    assert main(["evaluate", "-m", "checkpoint=x", "seed=0,100", f"launcher={name}", f"output={folder}"]) == 2
    assert extra in capsys.readouterr().err
    assert not folder.exists()


@pytest.mark.slow
def test_runs_that_take_too_long_are_ended_and_recorded(car_policies: list[Path], tmp_path: Path, sweep: Start) -> None:
    code, _, _ = sweep(
        f"checkpoint={car_policies[0]}",
        f"task={GATE}",
        "seed=100,200",
        *QUICK,
        f"options.arguments.gate={tmp_path / 'gate'}",
        f"output={tmp_path / 'sweep'}",
        "launcher.time_min=0.05",
    ).ends()
    assert code == 1
    errors = [json.loads(path.read_text()) for path in (tmp_path / "sweep").glob("*/error.json")]
    assert len(errors) == 2 and all("longer than 0.05 minutes" in error["reason"] for error in errors)
    assert not cells_of(tmp_path / "sweep")


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[str]:
    """The address of a cluster of two nodes on this machine, each with room for one run."""
    pytest.importorskip("ray", reason="needs tiller[ray]")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    yield cluster.address
    cluster.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ray_runs_on_both_nodes_and_goes_on_after_its_runner_was_killed(
    ray_cluster: str, car_policies: list[Path], tmp_path: Path, sweep: Start
) -> None:
    gate, folder = tmp_path / "gate", tmp_path / "sweep"
    words = (
        f"checkpoint={car_policies[0]}",
        f"task={GATE}",
        "seed=100,200,300",
        *QUICK,
        f"output={folder}",
        f"options.arguments.gate={gate}",
        "launcher=ray",
        f"launcher.address={ray_cluster}",
    )
    killed = sweep(*words)
    until(lambda: waiting_at(gate) == 2, "a run on each of the two nodes, which have room for one")
    os.kill(killed.process.pid, signal.SIGKILL)
    until(lambda: not cells_of(folder), "Ray to end the runs of a runner that is gone")
    gate.touch()
    code, out, err = sweep(*words).ends()
    assert code == 0, err
    assert "3 runs, 0 done before" in out
    (result,) = json.loads((folder / "summary.json").read_text())["results"]
    assert result["episodes"] == 6


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ray_records_what_fails_and_ctrl_c_leaves_nothing(
    ray_cluster: str, car_policies: list[Path], tmp_path: Path, sweep: Start
) -> None:
    gate, folder = tmp_path / "gate", tmp_path / "sweep"
    running = sweep(
        f"checkpoint={tmp_path / 'nothing'},{car_policies[0]}",
        f"task={GATE}",
        "seed=100",
        *QUICK,
        f"output={folder}",
        f"options.arguments.gate={gate}",
        "launcher=ray",
        f"launcher.address={ray_cluster}",
    )
    until(lambda: waiting_at(gate) == 1 and list(folder.glob("*/error.json")), "one to wait and one to fail")
    (error,) = folder.glob("*/error.json")
    assert "expected a checkpoint folder" in json.loads(error.read_text())["reason"]
    os.kill(running.process.pid, signal.SIGINT)
    code, _, err = running.ends()
    assert code == 130 and "Traceback" not in err, err
    assert not cells_of(folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_submitit_runs_jobs_and_records_what_fails(car_policies: list[Path], tmp_path: Path, sweep: Start) -> None:
    pytest.importorskip("submitit", reason="needs tiller[slurm]")
    folder = tmp_path / "sweep"
    words = (
        f"checkpoint={car_policies[0]},{tmp_path / 'late'}",
        f"task={CAR}",
        *QUICK,
        f"output={folder}",
        "launcher=slurm",
        "launcher.cluster=local",
        "launcher.time_min=10",
    )
    code, out, err = sweep(*words, "jobs=2").ends()
    assert code == 1, err
    (error,) = folder.glob("*/error.json")
    assert "expected a checkpoint folder" in json.loads(error.read_text())["reason"]
    (tmp_path / "late").symlink_to(car_policies[1])
    code, out, err = sweep(*words).ends()
    assert code == 0 and "2 runs, 1 done before" in out, err
    assert len(json.loads((folder / "summary.json").read_text())["policies"]) == 2


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ctrl_c_cancels_the_jobs_of_submitit(car_policies: list[Path], tmp_path: Path, sweep: Start) -> None:
    pytest.importorskip("submitit", reason="needs tiller[slurm]")
    gate, folder = tmp_path / "gate", tmp_path / "sweep"
    running = sweep(
        f"checkpoint={car_policies[0]}",
        f"task={GATE}",
        "seed=100,200",
        *QUICK,
        f"output={folder}",
        f"options.arguments.gate={gate}",
        "launcher=slurm",
        "launcher.cluster=local",
        "jobs=2",
    )
    until(lambda: waiting_at(gate) == 2, "both jobs")
    os.kill(running.process.pid, signal.SIGINT)
    code, _, err = running.ends()
    # The traceback of submitit's own local controller is not ours to hide.
    assert code == 130 and err.strip().splitlines()[-1].startswith("Stopped with 0 of 2"), err
    assert not cells_of(folder)
    assert not list(folder.glob("*/error.json")), "an interruption is no failure"


def test_machine_without_slurm_says_so(tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="needs tiller[slurm]")
    with pytest.raises(InputError, match="submits to SLURM"):
        open_launcher(read_launcher(["launcher=slurm"]), str(tmp_path))
