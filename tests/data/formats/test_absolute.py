"""Recorded deltas become the poses that the simulator's own controller made of them, or stay what they are, with the
reason."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from data.formats.convert import Conversion, convert
from data.store.dataset import Dataset
from robot.control.rotation import matrix_from_6d, rotvec_from_matrix
from robot.errors import InputError
from tiller.verbs.data import command

h5py = pytest.importorskip("h5py", reason="the extra 'formats' is not installed")
pytest.importorskip("robosuite", reason="robosuite is not installed")

from sim.tasks.robosuite.absolute import replay_of  # noqa: E402
from sim.tasks.robosuite.package import import_robosuite  # noqa: E402

FOREIGN = Path(__file__).parents[4] / "shared" / "data" / "foreign" / "robosuite_hdf5"
ROWS, MODEL_SEED = 30, 7  # another than that of the scene in which the controller is replayed


def lift(frame: str, mode: str) -> tuple[Any, dict[str, Any]]:
    """robosuite's own Lift with a Panda, and the configuration of its controller."""
    suite = import_robosuite()
    controller = suite.load_composite_controller_config(robot="Panda")
    controller["body_parts"]["right"].update(input_type=mode, input_ref_frame=frame)
    env = suite.make(
        "Lift",
        robots="Panda",
        controller_configs=deepcopy(controller),
        control_freq=20,
        has_renderer=False,
        has_offscreen_renderer=False,
        use_camera_obs=False,
        ignore_done=True,
        hard_reset=False,
        seed=MODEL_SEED,
    )
    env.reset()
    return env, controller


def record(path: Path, frame: str = "base") -> Path:
    """Two demonstrations of random deltas, in the layout of robosuite's collection: the state before each action."""
    import robosuite

    env, controller = lift(frame, "delta")
    draw = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        info = {"env_name": "Lift", "robots": ["Panda"], "controller_configs": controller}
        data.attrs["env"], data.attrs["env_info"] = "Lift", json.dumps(info)
        data.attrs["repository_version"] = robosuite.__version__
        for number in (1, 2):
            env.reset()
            states, actions = [], draw.uniform(-1.2, 1.2, (ROWS, 7))  # some are clipped by the controller
            for action in actions:
                states.append(env.sim.get_state().flatten())
                env.step(action)
            file[f"data/demo_{number}/states"], file[f"data/demo_{number}/actions"] = np.array(states), actions
            file[f"data/demo_{number}"].attrs["model_file"] = env.sim.model.get_xml()
    env.close()
    return path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("recorded") / "demo.hdf5")


def changed(source: Path, target: Path, change: Callable[[Any], None]) -> Path:
    target.write_bytes(source.read_bytes())
    with h5py.File(target, "r+") as file:
        change(file)
    return target


def converted(source: Path, target: Path, **options: Any) -> tuple[Dataset, Conversion]:
    summary = convert(source, target, units="1", replay=replay_of, **options)
    return Dataset.open(target), summary


@pytest.mark.parametrize("frame", ["base", "world"])
def test_the_absolute_poses_lead_through_the_recorded_states(frame, recorded, tmp_path):
    source = recorded if frame == "base" else record(tmp_path / "in.hdf5", frame)
    dataset, summary = converted(source, tmp_path / "out")
    fields = [(field.name, field.size, field.unit, field.kind) for field in dataset.schema.action.fields]
    assert fields == [("tcp.position", 3, "m", "pose"), ("tcp.rotation", 6, "1", "pose"), ("gripper", 1, "1", "native")]
    assert any("recorded actions in the recorded states" in note for note in summary.notes)
    assert not any("stay native" in note for note in summary.notes)
    env, _ = lift("base", "absolute")
    try:
        for number in range(2):
            episode = dataset.episode(number)
            states = episode.data["states"]
            env.reset()
            env.sim.set_state_from_flattened(states[0])
            env.sim.forward()
            # The posture that the controller pulls the arm to is no part of a state: where the episode began.
            robot = env.robots[0]
            controller = robot.composite_controller.part_controllers["right"]
            controller.update_initial_joints(env.sim.data.qpos[robot._ref_joint_pos_indexes])
            for row, action in enumerate(episode.data["action"]):
                np.testing.assert_allclose(env.sim.get_state().flatten(), states[row], atol=1e-4, err_msg=f"row {row}")
                turn = rotvec_from_matrix(matrix_from_6d(action[3:9]))
                env.step(np.concatenate([action[:3], turn, action[9:]]))
    finally:
        env.close()
    with h5py.File(source) as file:
        assert np.array_equal(dataset.episode(1).data["action"][:, 9], file["data/demo_2/actions"][:, 6])


def _attribute(name: str, change: Callable[[dict[str, Any]], None]) -> Callable[[Any], None]:
    def apply(file: Any) -> None:
        value = json.loads(file["data"].attrs[name])
        change(value)
        file["data"].attrs[name] = json.dumps(value)

    return apply


def _arm(**values: Any) -> Callable[[Any], None]:
    return _attribute("env_info", lambda info: info["controller_configs"]["body_parts"]["right"].update(values))


def _other_version(file: Any) -> None:
    file["data"].attrs["repository_version"] = "1.4.1"


def _no_version(file: Any) -> None:
    del file["data"].attrs["repository_version"]


def _fewer_states(file: Any) -> None:
    for demo in file["data"].values():
        states = demo["states"][:, :-1]
        del demo["states"]
        demo["states"] = states


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_other_version, r"the file is of robosuite '1\.4\.1', and 1\.5\.\d+ is installed"),
        (_no_version, "does not say which version of robosuite"),
        (_arm(type="JOINT_POSITION"), "not the OSC_POSE of one arm"),
        (_arm(impedance_mode="variable"), "takes stiffness"),
        (_arm(kp=40), "m past the recorded state"),
        (_arm(output_max=[0.2] * 6, output_min=[-0.2] * 6), "m past the recorded state"),
        (_arm(kp="much"), "robosuite refuses it"),
        (_attribute("env_info", lambda info: info.update(env_name="../Lift")), "robosuite refuses it: .*not found"),
        (_attribute("env_info", lambda info: info.update(robots=["Panda", "Panda"])), "one robot"),
        (_attribute("env_info", lambda info: info.update(control_freq=1e-9)), "1 to 500 Hz"),
        (_fewer_states, r"states of \d+ numbers"),
    ],
)
def test_where_the_controller_is_another_the_actions_stay_native_and_the_report_says_why(
    change, reason, recorded, tmp_path
):
    source = changed(recorded, tmp_path / "in.hdf5", change)
    dataset, summary = converted(source, tmp_path / "out")
    (field,) = dataset.schema.action.fields
    assert field.kind == "native" and field.name.endswith("delta")
    with h5py.File(source) as file:
        assert np.array_equal(dataset.episode(0).data["action"], file["data/demo_1/actions"])
    (note,) = [note for note in summary.notes if note.startswith("absolute actions are not made: ")]
    assert re.search(reason, note)


def test_a_state_that_is_not_finite_is_named(recorded, tmp_path):
    def change(file: Any) -> None:
        file["data/demo_2/states"][3, 4] = np.nan

    source = changed(recorded, tmp_path / "in.hdf5", change)
    with pytest.raises(InputError, match=r"episode 1.*not finite.*skip_episodes=\[1\]"):
        converted(source, tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == [source]
    assert converted(source, tmp_path / "out", skip_episodes=[1])[0].schema.action.dim == 10


def test_from_the_command_line_absolute_is_the_default_and_native_can_be_asked_for(recorded, tmp_path, capsys):
    for words, dim in ((), 10), (("actions=native",), 7):
        target = tmp_path / f"out{dim}"
        assert command(["convert", str(recorded), str(target), "units=1", *words]) == 0
        assert Dataset.open(target).schema.action.dim == dim
    assert "in the frame of the robot's base" in capsys.readouterr().out
    with pytest.raises(InputError, match="absolute or native"):
        command(["convert", str(recorded), str(tmp_path / "x"), "units=1", "actions=delta"])


def test_demonstrations_of_robosuite_1_0_stay_native(tmp_path):
    source = FOREIGN / "robosuite_1.0_panda_lift.hdf5"
    if not source.exists():
        pytest.skip(f"{source} is not on this machine")
    dataset, summary = converted(source, tmp_path / "out")
    assert [field.name for field in dataset.schema.action.fields] == ["osc_pose.delta"]
    assert any("the file is of robosuite '1.0.0'" in note for note in summary.notes)
