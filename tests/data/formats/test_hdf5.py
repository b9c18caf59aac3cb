"""HDF5 of robomimic, robosuite and Isaac Lab: every demonstration in its order, nothing from outside of the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from data.formats import open_source
from data.formats.convert import convert
from data.store.dataset import Dataset
from robot.errors import InputError, MissingExtraError

h5py = pytest.importorskip("h5py", reason="the extra 'formats' is not installed")

FOREIGN = Path(__file__).parents[4] / "shared" / "data" / "foreign" / "robosuite_hdf5"
OSC = {"type": "OSC_POSE", "control_delta": True}
ENV = {"env_name": "Lift", "type": 1, "env_kwargs": {"control_freq": 20, "controller_configs": OSC}}


def demo(number: int, rows: int = 5) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(number)
    return {
        "actions": draw.normal(size=(rows, 7)),
        "states": draw.normal(size=(rows, 4)),
        "rewards": draw.normal(size=rows),
        "dones": np.arange(rows) == rows - 1,
        "interventions": (np.arange(rows) > 2).astype(np.int64),
        "obs/eef_pos": draw.normal(size=(rows, 3)).astype(np.float32),
        "obs/front_image": draw.integers(0, 256, (rows, 16, 12, 3)).astype(np.uint8),
        "next_obs/eef_pos": draw.normal(size=(rows, 3)),
    }


def write(path: Path, count: int = 12, change: Callable[[Any], None] | None = None, env: Any = ENV) -> Path:
    """A file as robomimic writes it; demonstration N has N + 5 rows."""
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        if env:
            data.attrs["env_args"] = json.dumps(env)
        for number in range(count):
            group = data.create_group(f"demo_{number}")
            for name, values in demo(number, number + 5).items():
                group.create_dataset(name, data=values, compression="gzip" if values.ndim > 1 else None)
            group.attrs["num_samples"] = number + 5
            group.attrs["model_file"] = f"<mujoco model='{number}'/>"
            group.attrs["success"] = np.bool_(number % 2)
        mask = file.create_group("mask")
        mask["train"] = np.array([b"demo_0", b"demo_10", b"demo_77"])
        mask.create_dataset("valid", data=["demo_2"], dtype=h5py.string_dtype())
        if change:
            change(file)
    return path


def refused(source: Path, message: str, **options: Any) -> None:
    before = sorted(source.parent.iterdir())
    with pytest.raises(InputError, match=message) as caught:
        convert(source, source.parent / "out", **{"units": "1", **options})
    assert str(source) in str(caught.value) and "\n" not in str(caught.value)
    assert sorted(source.parent.iterdir()) == before


def test_demonstrations_come_in_the_order_of_their_numbers_with_all_that_is_said_of_them(tmp_path):
    summary = convert(write(tmp_path / "in.hdf5"), tmp_path / "out", units="1")
    dataset = Dataset.open(tmp_path / "out")
    assert dataset.meta("demo").tolist() == [f"demo_{number}" for number in range(12)]
    assert np.diff(dataset.episode_ends, prepend=0).tolist() == list(range(5, 17))
    for number in (1, 2, 10):
        episode, given = dataset.episode(number), demo(number, number + 5)
        assert np.array_equal(episode.data["action"], given["actions"])
        assert np.array_equal(episode.data["eef_pos"], given["obs/eef_pos"])
        assert np.array_equal(episode.data["front_image"], given["obs/front_image"])
        assert np.array_equal(episode.data["states"], given["states"])
        assert np.array_equal(episode.data["reward"], given["rewards"].astype(np.float32))
        assert np.array_equal(episode.data["dones"], given["dones"])
        assert episode.data["intervention"].dtype == bool
        assert np.array_equal(episode.data["intervention"], given["interventions"] == 1)
        assert episode.meta["success"] is bool(number % 2)
        assert episode.meta["model_file"] == f"<mujoco model='{number}'/>"
    assert np.flatnonzero(dataset.meta("mask.train")).tolist() == [0, 10]
    assert np.flatnonzero(dataset.meta("mask.valid")).tolist() == [2]
    assert dataset.schema.observation["front_image"].kind == "image"
    assert dataset.attributes["provenance"]["source_attributes"]["env_args"] == ENV
    notes = " / ".join(summary.notes)
    assert "next_obs/eef_pos" in notes and "mask/train: 1 names of no demonstration" in notes


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (OSC, "osc_pose.delta"),
        ({"type": "OSC_POSE", "control_delta": False}, "osc_pose.absolute"),
        ({"type": "BASIC", "body_parts": {"right": {"type": "OSC_POSE", "input_type": "delta"}}}, "osc_pose.delta"),
        ({"body_parts": {"right": {"type": "JOINT_POSITION", "input_type": "absolute"}}}, "joint_position.absolute"),
        ([OSC, OSC], "osc_pose.delta"),
        ({"type": "JOINT_POSITION"}, "joint_position.delta"),
        ({"type": "JOINT_VELOCITY"}, "action"),
        (None, "action"),
        ("nonsense", "action"),
    ],
)
def test_delta_actions_are_called_that(config, name, tmp_path):
    env = {"env_name": "Lift", "env_kwargs": {"control_freq": 25, "controller_configs": config}}
    summary = convert(write(tmp_path / "in.hdf5", 2, env=env), tmp_path / "out", units="1")
    (field,) = Dataset.open(tmp_path / "out").schema.action.fields
    assert (field.name, field.size, field.kind) == (name, 7, "native")
    assert summary.period_s == 0.04
    assert any(("delta" if "delta" in name else "native") in note for note in summary.notes)


def test_a_file_with_actions_alone_and_one_of_isaac_lab(tmp_path):
    def as_isaac(file: Any) -> None:
        for name, group in file["data"].items():
            for key in [key for key in group if key != "actions"]:
                del group[key]
            rows = len(group["actions"])
            group["obs/policy/joint_pos"] = np.ones((rows, 9), np.float32)
            group["states/articulation/robot/root_pose"] = np.full((rows, 7), 2.0, np.float32)
            group["initial_state/articulation/robot/joint_position"] = np.full((1, 9), int(name[5:]), np.float32)

    env = {"env_name": "Isaac-Stack-Cube", "type": 2, "sim_args": {"dt": 0.01, "decimation": 5}}
    convert(write(tmp_path / "isaac.hdf5", 3, as_isaac, env), tmp_path / "out", units="1")
    dataset = Dataset.open(tmp_path / "out")
    assert set(dataset.keys) == {"action", "policy.joint_pos", "states.articulation.robot.root_pose"}
    assert dataset.period_s == 0.05
    start = json.loads(dataset.meta("initial_state.articulation.robot.joint_position")[2])
    assert start == [[2.0] * 9]

    def bare(file: Any) -> None:
        as_isaac(file)
        del file["mask"]
        for group in file["data"].values():
            for key in ("obs", "states", "initial_state"):
                del group[key]

    source = write(tmp_path / "bare.hdf5", 2, bare, None)
    with pytest.raises(InputError, match="Add period_s=SECONDS"):
        convert(source, tmp_path / "plain", units="1")
    convert(source, tmp_path / "plain", period_s=0.1, units="1")
    assert Dataset.open(tmp_path / "plain").keys == ("action",)


def test_rows_do_not_depend_on_how_they_are_read(tmp_path):
    source = open_source(write(tmp_path / "in", 3))
    whole = source.read("obs/eef_pos", 1, 0, 6)
    parts = [source.read("obs/eef_pos", 1, row, row + 1) for row in range(6)]
    assert np.array_equal(np.concatenate(parts), whole)
    source.close()


@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
@pytest.mark.parametrize("ending", ["hdf5", "dat"])
def test_a_truncated_file_gives_one_message(share, ending, tmp_path):
    source = write(tmp_path / f"in.{ending}")
    content = source.read_bytes()
    source.write_bytes(content[: int(share * len(content))])
    refused(source, "expected an HDF5 file that can be read, whole, got .*runcated.*Copy the file again")


def test_damaged_rows_are_named(tmp_path):
    source = write(tmp_path / "in.hdf5", 3)
    with h5py.File(source) as file:
        dataset = file["data/demo_1/obs/front_image"]
        place = dataset.id.get_chunk_info(0)
    content = bytearray(source.read_bytes())
    content[place.byte_offset + 10 : place.byte_offset + 60] = bytes(50)
    source.write_bytes(content)
    refused(source, r"'obs/front_image', episode 1 \('demo_1'\).*skip_episodes=\[1\]")
    convert(source, tmp_path / "out", units="1", skip_episodes=[1])
    assert Dataset.open(tmp_path / "out").meta("demo").tolist() == ["demo_0", "demo_2"]


def _virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((6, 3), "f8")
    layout[:] = h5py.VirtualSource("other.hdf5", "x", (6, 3))
    file["data/demo_1/obs"].create_virtual_dataset("more", layout)


def _through(file: Any) -> None:
    file["door"] = h5py.ExternalLink("other.hdf5", "/")
    file["data/demo_1/obs/more"] = h5py.SoftLink("/door/x")


def _cycle(file: Any) -> None:
    file["data/demo_1/again"] = file["data/demo_1"]


def _loop(file: Any) -> None:
    file["data/demo_1/more"] = h5py.SoftLink("/data/demo_1/more")


def _put(path: str, value: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        file[path] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_put("data/demo_1/obs/more", h5py.ExternalLink("other.hdf5", "/x")), "a link to another file, 'other.hdf5'"),
        (_put("data/demo_9", h5py.ExternalLink("../../etc/passwd", "/x")), "a link to another file"),
        (_put("data/demo_1/obs/more", h5py.SoftLink("/gone")), "a link to nothing, '/gone'"),
        (_through, "a link through what is no group of this file"),
        (_virtual, "numbers in another file, 'other.hdf5'"),
        (
            lambda file: file["data/demo_1/obs"].create_dataset("more", (6, 3), "f8", external=[("raw.bin", 0, 144)]),
            "numbers in another file, '.*raw.bin'",
        ),
        (_loop, "links that lead to links"),
        (_cycle, "at most 16 groups within groups"),
    ],
)
def test_nothing_outside_of_the_file_is_read(change, words, tmp_path):
    with h5py.File(tmp_path / "other.hdf5", "w") as other:
        other["x"] = np.ones((6, 3))
    (tmp_path / "raw.bin").write_bytes(bytes(144))
    refused(write(tmp_path / "in.hdf5", 3, change), words)


def test_a_soft_link_within_the_file_is_followed(tmp_path):
    def change(file: Any) -> None:
        for name, group in file["data"].items():
            group["obs/same"] = h5py.SoftLink(f"/data/{name}/obs/eef_pos")

    convert(write(tmp_path / "in.hdf5", 2, change), tmp_path / "out", units="1")
    dataset = Dataset.open(tmp_path / "out")
    assert np.array_equal(dataset.read("same"), dataset.read("eef_pos"))


def _without(path: str) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[path]

    return change


def _replaced(path: str, value: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[path]
        file[path] = value

    return change


def _huge(file: Any) -> None:
    for group in file["data"].values():
        group.create_dataset("obs/huge", (len(group["actions"]), 2**24), "f8", chunks=(1, 2**16))


def _renamed(file: Any) -> None:
    file["data/demo_1/obs/größe"] = np.ones((6, 1))
    file["data/demo_0/obs/größe"] = np.ones((5, 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            _replaced("data/demo_1/obs/eef_pos", np.array(["a"] * 6, object)),
            r"episode 1 \('demo_1'\).*words or objects",
        ),
        (_put("data/demo_1/obs/kind", np.zeros(6, [("a", "i4")])), "'obs/kind', episode 0 .*got none"),
        (_replaced("data/demo_1/obs/front_image", np.zeros((6, 8, 8, 3), "u1")), r"\(8, 8, 3\).*and \(16, 12, 3\)"),
        (_replaced("data/demo_1/obs/front_image", np.zeros((4, 16, 12, 3), "u1")), r"got 4 rows where there are 6"),
        (_without("data/demo_1/obs/eef_pos"), r"'obs/eef_pos', episode 1 .*got none.*exclude=\[obs/eef_pos\]"),
        (_without("data/demo_1/actions"), r"episode 1 \('demo_1'\): expected a dataset 'actions'"),
        (_replaced("data/demo_1/actions", np.zeros((4, 7))), r"expected 6 rows of actions.*'num_samples'.*got 4"),
        (_replaced("data/demo_1/rewards", np.full(6, np.nan)), r"'reward', episode 1, row 0: expected a finite"),
        (_replaced("data/demo_1/interventions", np.full(6, 3)), r"'interventions', episode 1, row 0: expected 0 or 1"),
        (_huge, "bytes, most of them in 'obs/huge'|rows of at most"),
        (_without("data"), "expected HDF5 with a group 'data'"),
        (_renamed, r"'obs/größe'.*rename\.obs/größe=NAME"),
    ],
)
def test_what_does_not_fit_is_named_with_its_demonstration(change, words, tmp_path):
    refused(write(tmp_path / "in.hdf5", 2, change), words)


def test_a_name_that_is_no_text_is_refused(tmp_path):
    source = write(tmp_path / "in.hdf5", 2, _put("data/demo_1/obs/zzqq", np.ones((6, 1))))
    source.write_bytes(source.read_bytes().replace(b"zzqq", b"zz\xff\xfe"))
    refused(source, "expected names in UTF-8, got b'zz")


def test_other_layouts_are_named(tmp_path):
    with h5py.File(tmp_path / "aloha.hdf5", "w") as file:
        file["observations/qpos"], file["action"] = np.ones((5, 3)), np.ones((5, 3))
    refused(tmp_path / "aloha.hdf5", "one episode as ALOHA writes it.*np.savez")
    with h5py.File(tmp_path / "empty.hdf5", "w") as file:
        file.create_group("data/other")
    refused(tmp_path / "empty.hdf5", "expected groups data/demo_0")
    with pytest.raises(InputError, match="tiller data convert"):
        Dataset.open(tmp_path / "aloha.hdf5")


def test_keys_and_facts_can_be_left_out_and_a_misspelt_one_is_refused(tmp_path):
    source = write(tmp_path / "in.hdf5", 2)
    with pytest.raises(InputError, match="Did you mean 'obs/eef_pos'"):
        convert(source, tmp_path / "out", units="1", exclude=["obs/eef_po"])
    convert(source, tmp_path / "out", units="1", exclude=["obs/eef_pos", "model_file"])
    dataset = Dataset.open(tmp_path / "out")
    assert "eef_pos" not in dataset.keys and "model_file" not in dataset.meta_keys


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    source = write(tmp_path / "in.hdf5", 1)
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "h5py.py").write_text("raise ImportError('not installed')")
    monkeypatch.syspath_prepend(str(tmp_path / "first"))
    with pytest.raises(MissingExtraError, match=r"tiller\[formats\]"):
        convert(source, tmp_path / "out", units="1")


@pytest.mark.parametrize(("name", "rows"), [("robosuite_1.0_panda_lift", 412), ("robosuite_1.0_panda_stack", 532)])
def test_demonstrations_that_robosuite_wrote(name, rows, tmp_path):
    source = FOREIGN / f"{name}.hdf5"
    if not source.exists():
        pytest.skip(f"{source} is not on this machine")
    summary = convert(source, tmp_path / "out", units="1")
    dataset = Dataset.open(tmp_path / "out")
    assert (len(dataset), dataset.rows, dataset.period_s) == (1, rows, 0.05)
    assert [field.name for field in dataset.schema.action.fields] == ["osc_pose.delta"]
    with h5py.File(source) as file:
        for key, ours in (("actions", "action"), ("states", "states"), ("joint_torques", "joint_torques")):
            assert np.array_equal(dataset.read(ours), file[f"data/demo_1/{key}"][()])
    assert any("delta" in note for note in summary.notes)
