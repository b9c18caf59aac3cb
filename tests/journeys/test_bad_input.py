"""What is asked wrongly stops with one message that names the thing, exit code 2 (or 1), and changes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr

from tests.journeys.commands import TINY, Command, contents, in_a_process
from tests.journeys.conftest import PUSHT_MEANING


def refused(tiller: Command, *words: str | Path, saying: tuple[str, ...], code: int = 2) -> str:
    """Run a command that must be refused with one message that says these things."""
    outcome = tiller(*words)
    assert outcome.code == code, outcome
    for text in saying:
        assert text in outcome.message
    return outcome.message


@pytest.fixture
def own_dataset(pusht_dataset: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(pusht_dataset, tmp_path / "dataset"))


def foreign_store(path: Path, *, action_rows: int = 20, ends: tuple[int, ...] = (10, 20)) -> Path:
    """A replay buffer as other programs write it."""
    root = zarr.open_group(path, mode="w", zarr_format=2)
    root.create_array("data/state", data=np.zeros((20, 5), np.float32))
    root.create_array("data/action", data=np.ones((action_rows, 2), np.float32))
    root.create_array("meta/episode_ends", data=np.array(ends, np.int64))
    return path


@pytest.mark.parametrize(
    "words",
    [
        ("data", "info", "{nothing}"),
        ("data", "validate", "{nothing}"),
        ("data", "convert", "{nothing}", "{out}"),
        ("data", "repair", "{nothing}", "{out}"),
        ("data", "delete", "{nothing}", "{out}", "episodes=[0]"),
        ("data", "merge", "{nothing}", "{nothing}", "{out}"),
        ("train", "data={nothing}", "output={out}"),
    ],
)
def test_path_that_is_no_store(tiller: Command, tmp_path: Path, words: tuple[str, ...]) -> None:
    nothing = tmp_path / "nothing"
    refused(tiller, *(word.format(nothing=nothing, out=tmp_path / "out") for word in words), saying=(str(nothing),))
    nothing.mkdir()
    (nothing / "holiday.jpg").write_bytes(b"no store")
    refused(tiller, *(word.format(nothing=nothing, out=tmp_path / "out") for word in words), saying=(str(nothing),))
    assert not (tmp_path / "out").exists()


def test_keys_of_different_lengths(tiller: Command, tmp_path: Path) -> None:
    store = foreign_store(tmp_path / "store", action_rows=19)
    before = contents(tmp_path)
    refused(tiller, "data", "convert", store, tmp_path / "out", *PUSHT_MEANING, saying=("action", "19", "20"))
    assert contents(tmp_path) == before
    validated = tiller("data", "validate", store)
    assert validated.code == 1 and "equal length" in validated.out


@pytest.mark.parametrize("ends", [(10, 10), (10, 21), (10, 5)])
def test_episode_ends_that_do_not_increase_or_go_past_the_end(
    tiller: Command, tmp_path: Path, ends: tuple[int, ...]
) -> None:
    store = foreign_store(tmp_path / "store", ends=ends)
    refused(tiller, "data", "convert", store, tmp_path / "out", *PUSHT_MEANING, saying=("episode_ends",))
    assert not (tmp_path / "out").exists()
    validated = tiller("data", "validate", store)
    assert validated.code == 1 and "episode_ends" in validated.out


def test_truncated_chunk(tiller: Command, own_dataset: Path, tmp_path: Path) -> None:
    chunk = max(
        (file for file in (own_dataset / "data" / "state").rglob("*") if file.is_file() and file.name != "zarr.json"),
        key=lambda file: file.stat().st_size,
    )
    chunk.write_bytes(chunk.read_bytes()[:-7])
    validated = tiller("data", "validate", own_dataset)
    assert validated.code == 1 and "data/state" in validated.out and "damaged" in validated.out
    outcome = tiller("train", f"data={own_dataset}", f"output={tmp_path / 'run'}", *TINY)
    assert outcome.code in (1, 2) and "state" in outcome.message


def test_nan_in_actions(tiller: Command, pusht_npz: Path, tmp_path: Path) -> None:
    arrays = dict(np.load(pusht_npz))
    arrays["action"][41, 1] = np.nan
    np.savez(tmp_path / "demos.npz", **arrays)
    refused(
        tiller,
        "data",
        "convert",
        tmp_path / "demos.npz",
        tmp_path / "out",
        *PUSHT_MEANING,
        saying=("action", "episode 1", "row 11", "component 1"),
    )
    assert not (tmp_path / "out").exists()


def test_unknown_period_and_units_are_asked_for(tiller: Command, pusht_npz: Path, tmp_path: Path) -> None:
    refused(tiller, "data", "convert", pusht_npz, tmp_path / "out", saying=("period_s",))
    refused(tiller, "data", "convert", pusht_npz, tmp_path / "out", "period_s=0.1", saying=("units",))
    assert not (tmp_path / "out").exists()


def test_checkpoint_of_another_version(tiller: Command, own_run: Path) -> None:
    record = own_run / "checkpoints" / "final" / "policy.json"
    document = json.loads(record.read_text())
    record.write_text(json.dumps({**document, "version": 99}))
    refused(tiller, "evaluate", f"checkpoint={own_run}", "task=pusht/state", saying=("version 1", "version 99"))


def test_checkpoint_without_statistics(tiller: Command, own_run: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = own_run / "checkpoints" / "final" / "model.safetensors"
    tensors = {name: tensor for name, tensor in load_file(weights).items() if not name.startswith("normaliser.")}
    save_file(tensors, weights)
    refused(tiller, "evaluate", f"checkpoint={own_run}", "task=pusht/state", saying=("normaliser", str(weights)))


def test_checkpoint_that_is_none(tiller: Command, tmp_path: Path) -> None:
    refused(tiller, "evaluate", f"checkpoint={tmp_path}", "task=pusht/state", saying=(str(tmp_path), "policy.json"))


def test_policy_that_does_not_fit_the_task_is_shown_beside_it(tiller: Command, pusht_run: Path, tmp_path: Path) -> None:
    message = refused(
        tiller,
        "evaluate",
        f"checkpoint={pusht_run}",
        "task=pusht/keypoints",
        "episodes=1",
        f"output={tmp_path / 'out'}",
        saying=("policy", "task pusht/keypoints", "observation state"),
    )
    assert "(5,) float32 [px px px px rad]" in message
    assert not (tmp_path / "out").exists(), "so that the same output can be given again"


def test_dataset_of_another_control_period(tiller: Command, pusht_npz: Path, tmp_path: Path) -> None:
    tiller.succeeds("data", "convert", pusht_npz, tmp_path / "fast", *PUSHT_MEANING, "period_s=0.05")
    refused(
        tiller,
        "train",
        "task=pusht/state",
        f"data={tmp_path / 'fast'}",
        f"output={tmp_path / 'run'}",
        saying=("control period", "0.05 s", "0.1 s"),
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("train", "data={dataset}"),
        ("evaluate", "checkpoint={run}", "task=pusht/state", "episodes=1"),
        ("collect", "task=robosuite/Lift", "episodes=1"),
    ],
)
def test_output_that_cannot_be_written(
    tiller: Command, pusht_dataset: Path, pusht_run: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_text("mine")
    filled = [word.format(dataset=pusht_dataset, run=pusht_run) for word in words]
    refused(tiller, *filled, f"output={tmp_path / 'file'}", saying=(str(tmp_path / "file"),))
    refused(tiller, *filled, f"output={tmp_path / 'file' / 'below'}", saying=(str(tmp_path / "file"),))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [(), ("overwrite=true",)])
def test_folder_of_somebody_else_is_never_replaced(
    tiller: Command, pusht_dataset: Path, tmp_path: Path, overwrite: tuple[str, ...]
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"mine")
    before = contents(tmp_path)
    refused(
        tiller,
        "train",
        f"data={pusht_dataset}",
        f"output={tmp_path / 'photos'}",
        *overwrite,
        *TINY,
        saying=(str(tmp_path / "photos"),),
    )
    assert contents(tmp_path) == before


def test_finished_run_is_replaced_only_when_told_so(tiller: Command, pusht_dataset: Path, own_run: Path) -> None:
    words = ("train", f"data={pusht_dataset}", f"output={own_run}", *TINY)
    before = contents(own_run)
    refused(tiller, *words, saying=("overwrite=true",))
    assert contents(own_run) == before
    tiller.succeeds(*words, "overwrite=true", "training.steps=3")
    assert json.loads((own_run / "finished.json").read_text())["updates"] == 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_no_gpu_here(tiller: Command, pusht_dataset: Path, pusht_run: Path, tmp_path: Path) -> None:
    refused(tiller, "train", f"data={pusht_dataset}", f"output={tmp_path / 'run'}", "device=cuda", saying=("cuda",))
    refused(
        tiller, "evaluate", f"checkpoint={pusht_run}", f"output={tmp_path / 'out'}", "device=cuda", saying=("cuda",)
    )
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (("trian",), "'train'"),
        (("train", "data=x", "trainng.steps=3"), "'training.steps'"),
        (("train", "data=x", "policy=flow_mpl"), "'flow_mlp'"),
        (("train", "data=x", "policy.sampler.stps=3"), "'steps'"),
        (("evaluate", "chekpoint=x"), "'checkpoint'"),
        (("collect", "task=robosuite/Lifft"), "'robosuite/Lift'"),
        (("data", "vaidate", "x"), "'validate'"),
        (("data", "convert", "x", "y", "periods=0.1"), "'period_s'"),
    ],
)
def test_misspelt_word_names_the_nearest_right_one(tiller: Command, words: tuple[str, ...], nearest: str) -> None:
    refused(tiller, *words, saying=(f"Did you mean {nearest}?",))


def test_misspelt_option_of_a_network_names_the_nearest(tiller: Command, pusht_dataset: Path, tmp_path: Path) -> None:
    refused(
        tiller,
        "train",
        f"data={pusht_dataset}",
        f"output={tmp_path / 'run'}",
        "policy.network.widht=3",
        saying=("widht", "'width'"),
    )
    assert not (tmp_path / "run").exists(), "so that the same output can be given again"


def test_value_of_another_type_and_a_key_without_value(tiller: Command) -> None:
    refused(tiller, "train", "data=x", "training.steps=many", saying=("training.steps", "'many'"))
    refused(tiller, "train", saying=("'data'",))
    refused(tiller, "train", "data=x,y", saying=("-m",))


@pytest.mark.parametrize("where", ["demonstrations.zip", "memory://demonstrations"])
def test_appending_to_a_zip_or_a_url(
    tiller: Command, own_dataset: Path, tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.make_archive(str(tmp_path / "demonstrations"), "zip", own_dataset)
    before = contents(tmp_path)
    refused(
        tiller,
        "collect",
        "task=robosuite/Lift",
        "episodes=1",
        f"output={where}",
        "resume=true",
        saying=(where, "folder"),
    )
    assert contents(tmp_path) == before


def test_collection_of_another_task_is_not_mixed_in(tiller: Command, own_dataset: Path) -> None:
    before = contents(own_dataset)
    refused(tiller, "collect", "task=robosuite/Lift", f"output={own_dataset}", "resume=true", saying=("task",))
    assert contents(own_dataset) == before


def test_process_of_its_own_ends_with_the_code_and_no_trace(tmp_path: Path) -> None:
    outcome = in_a_process("data", "info", "nowhere", cwd=tmp_path)
    assert outcome.code == 2 and "nowhere" in outcome.message
    assert outcome.out == "" and list(tmp_path.iterdir()) == []
    shown = in_a_process("data", "info", "nowhere", cwd=tmp_path, TILLER_DEBUG="1")
    assert shown.code == 1 and "Traceback" in shown.err
