"""A store goes out to other formats and comes in again with all that they can hold."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from data.formats.convert import convert
from data.formats.export.run import export
from data.store.dataset import Dataset
from robot.description import ObservationField, ObservationSpec
from robot.errors import InputError, TillerError
from tests.data.small_files import small_files
from tiller.verbs.data import command

pyarrow = pytest.importorskip("pyarrow", reason="the extra 'formats' is not installed")
av = pytest.importorskip("av", reason="the extra 'formats' is not installed")


def same(given: Dataset, back: Dataset, names: dict[str, str]) -> None:
    assert np.array_equal(given.episode_ends, back.episode_ends)
    for ours, theirs in names.items():
        assert given.read(ours).dtype == back.read(theirs).dtype, ours
        assert np.array_equal(given.read(ours), back.read(theirs).reshape(given.read(ours).shape)), ours


def replaced_source(given: Dataset, back: Dataset, number: int) -> str:
    """Digest of an episode that has been given the fact of where it comes from."""
    episode = given.episode(number)
    return replace(episode, meta={**episode.meta, "source": back.meta("source")[number]}).digest()


@pytest.mark.parametrize("name", ["buffer.zarr", "buffer.zarr.zip"])
def test_a_replay_buffer_has_everything_and_comes_in_again_without_options(name, rich, tmp_path):
    done = export(rich, tmp_path / name, format="zarr2")
    dataset = Dataset.open(rich)
    assert (done.episodes, done.rows) == (4, dataset.rows)
    convert(tmp_path / name, tmp_path / "back")
    back = Dataset.open(tmp_path / "back")
    same(dataset, back, {key: key for key in dataset.keys})
    assert back.period_s == dataset.period_s
    assert back.schema.row_fields["state"].unit == dataset.schema.row_fields["state"].unit
    for fact in ("instruction", "success", "seed", "score", "operator"):
        assert back.meta(fact).tolist() == dataset.meta(fact).tolist()
    for number in range(4):
        assert back.episode(number).digest() == replaced_source(dataset, back, number)
    foreign = Dataset.open(tmp_path / name)
    assert foreign.schema is None and foreign.array("action").metadata.zarr_format == 2
    if not name.endswith(".zip"):
        wrench = zarr.open_group(tmp_path / name, mode="r")["streams/wrench/value"][:]
        assert np.array_equal(wrench, np.concatenate([dataset.episode(n).streams["wrench"][0] for n in range(4)]))


def test_lerobot_with_images_is_exact_and_comes_in_again(rich, tmp_path):
    done = export(rich, tmp_path / "out")
    dataset = Dataset.open(rich)
    convert(tmp_path / "out", tmp_path / "back", units="1")
    back = Dataset.open(tmp_path / "back")
    names = {key: key for key in dataset.keys if key != "depth"}
    same(dataset, back, names)
    for fact in ("instruction", "success", "seed", "score", "operator"):
        assert back.meta(fact).tolist() == dataset.meta(fact).tolist()
    assert back.schema.encoding("jpeg.image").kind == "as_it_came", "a JPEG is never encoded again"
    notes = " / ".join(done.notes)
    for words in ("'depth', depth", "streams wrench", "units are not in LeRobot's format: state px"):
        assert words in notes
    info = json.loads((tmp_path / "out/meta/info.json").read_text())
    assert (info["codebase_version"], info["fps"], info["total_frames"]) == ("v3.0", 10, dataset.rows)
    assert info["features"]["time_ns"]["dtype"] == "int64" and info["features"]["next.reward"]["dtype"] == "float32"
    stats = json.loads((tmp_path / "out/meta/stats.json").read_text())
    assert np.allclose(stats["observation.state"]["mean"], dataset.read("state").mean(axis=0), atol=1e-5)
    assert np.allclose(stats["observation.state"]["std"], dataset.read("state").std(axis=0), atol=1e-5)
    assert np.shape(stats["observation.images.raw"]["mean"]) == (3, 1, 1)


def test_lerobot_with_videos_has_a_frame_for_each_row(rich, tmp_path):
    done = export(rich, tmp_path / "out", images="video")
    assert any("H.264" in note for note in done.notes)
    convert(tmp_path / "out", tmp_path / "back", units="1")
    given, back = Dataset.open(rich), Dataset.open(tmp_path / "back")
    same(given, back, {name: name for name in ("state", "action", "points", "time_ns", "reward", "intervention")})
    for name in ("raw.image", "png.image"):
        off = np.abs(given.read(name).astype(int) - back.read(name)).mean(axis=(1, 2, 3))
        assert off.max() < 12, "frames of other rows are far away"


def test_a_set_of_lerobot_goes_out_as_it_came_in(tmp_path):
    from tests.data.formats.lerobot_sets import Made, write_v2

    first = write_v2(tmp_path / "first", Made())
    convert(first, tmp_path / "a", units="rad")
    export(tmp_path / "a", tmp_path / "second")
    convert(tmp_path / "second", tmp_path / "b", units="rad")
    a, b = Dataset.open(tmp_path / "a"), Dataset.open(tmp_path / "b")
    same(a, b, {key: key for key in a.keys})
    assert b.attributes["provenance"]["components"]["state"] == ["x", "y", "z"]
    assert b.meta("instruction").tolist() == a.meta("instruction").tolist()
    info = json.loads((tmp_path / "second/meta/info.json").read_text())
    assert info["robot_type"] == "panda" and info["features"]["observation.images.front"]["shape"] == [48, 64, 3]


def test_files_are_begun_anew_where_they_are_large(rich, tmp_path, monkeypatch):
    monkeypatch.setattr("data.formats.export.lerobot.DATA_MB", 0)
    monkeypatch.setattr("data.formats.export.lerobot.VIDEO_MB", 0)
    export(rich, tmp_path / "out", images="video")
    assert len(list((tmp_path / "out/data").glob("*/*.parquet"))) == 4
    convert(tmp_path / "out", tmp_path / "back", units="1")
    same(Dataset.open(rich), Dataset.open(tmp_path / "back"), {"state": "state", "action": "action"})


def refused(store: Path, target: Path, message: str, kind: type[TillerError] = InputError, **options: Any) -> None:
    before = sorted(target.parent.iterdir())
    with pytest.raises(kind, match=message):
        export(store, target, **options)
    assert sorted(target.parent.iterdir()) == before


def test_what_cannot_be_written_leaves_nothing(rich, schema, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/file").write_text("mine")
    (tmp_path / "there.zip").write_text("mine")
    refused(rich, tmp_path / "there", "expected a folder that does not exist yet")
    refused(rich, tmp_path / "there.zip", "expected a file that does not exist yet", format="zarr2")
    assert (tmp_path / "there.zip").read_text() == "mine"
    refused(rich, tmp_path / "out", "format: expected lerobot or zarr2.*Did you mean 'lerobot'", format="lerobo")
    refused(rich, tmp_path / "out", "images: expected image or video", images="gif")
    refused(rich, rich / "within", "outside every store")
    Dataset.create(tmp_path / "empty", schema).close()
    refused(tmp_path / "empty", tmp_path / "out", "at least one episode")
    export(rich, tmp_path / "buffer", format="zarr2")
    refused(tmp_path / "buffer", tmp_path / "out", "that tiller did not write|tiller did not write")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("out", {}),
        ("out", {"images": "video"}),
        ("out", {"format": "zarr2"}),
        ("out.zip", {"format": "zarr2"}),
    ],
)
def test_a_full_disk_gives_one_message_and_leaves_nothing(name, options, rich, tmp_path):
    for size in (50, 700, 4000):
        with small_files(size):
            refused(rich, tmp_path / name, str(tmp_path / name), TillerError, **options)


def test_what_a_killed_export_left_is_removed_by_the_next(rich, tmp_path):
    for name in ("out", "out.zip"):
        leftover = tmp_path / f".{name}.{2**22 + 12345}.exporting"
        (leftover / "data").mkdir(parents=True)
    export(rich, tmp_path / "out", format="zarr2")
    export(rich, tmp_path / "out.zip", format="zarr2")
    assert not list(tmp_path.glob(".*"))


def test_odd_frames_and_missing_libraries_are_refused(schema, make_episode, rich, tmp_path, monkeypatch):
    observation = ObservationSpec((ObservationField("image", (15, 16, 3), "uint8", "1", "image"),))
    made = make_episode(0, 4)
    data = {name: values for name, values in made.data.items() if name != "state"}
    data["image"] = data["image"][:, :15]
    with Dataset.create(tmp_path / "odd", replace(schema, observation=observation)) as dataset:
        dataset.append(replace(made, data=data))
    refused(tmp_path / "odd", tmp_path / "out", "even height and width.*images=image", images="video")
    export(tmp_path / "odd", tmp_path / "fine")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    refused(rich, tmp_path / "out", r"tiller\[formats\]", TillerError)


def test_what_was_written_is_compared_before_it_gets_its_name(rich, tmp_path, monkeypatch):
    from data.formats.export.features import Feature

    column = Feature.column
    monkeypatch.setattr(
        Feature, "column", lambda self, values: column(self, values + 1 if self.name == "points" else values)
    )
    refused(rich, tmp_path / "out", "'observation.points', episode 0: the rows that were written are not", TillerError)


def test_the_command_line_converts_and_exports(rich, tmp_path, capsys):
    out, back = tmp_path / "out", tmp_path / "back"
    assert command(["export", str(rich), str(out), "format=lerobot", "images=video"]) == 0
    said = capsys.readouterr().out
    assert f"Written to {out}" in said and "observation.images.raw" in said and "left out: 'depth'" in said
    words = ["units.observation.state=rad", "rename.observation.points=cloud", "encodings.raw.image=png"]
    with pytest.raises(InputError, match=r"Add units\.cloud=UNIT units\.action=UNIT"):
        command(["convert", str(out), str(back), *words])
    words += ["units.observation.points=m", "units.action=px", "exclude=[observation.images.jpeg]"]
    assert command(["convert", str(out), str(back), *words]) == 0
    dataset = Dataset.open(back)
    assert dataset.schema.row_fields["state"].unit == "rad" and "cloud" in dataset.keys
    assert dataset.schema.encoding("raw.image").kind == "png" and "jpeg.image" not in dataset.keys
