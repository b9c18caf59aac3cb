"""LeRobot's datasets, v2.1 and v3.0, become stores with all that they hold, or one message says why not."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from data.formats.convert import convert
from data.store.dataset import Dataset
from robot.errors import InputError, MissingExtraError

pytest.importorskip("pyarrow", reason="the extra 'formats' is not installed")
pytest.importorskip("av", reason="the extra 'formats' is not installed")

from tests.data.formats.lerobot_sets import (
    FPS,
    FRONT,
    HEIGHT,
    ROWS,
    WIDTH,
    WRIST,
    Made,
    grey,
    png,
    write_v2,
    write_v3,
    write_video,
)

FOREIGN = Path(__file__).parents[4] / "shared" / "data" / "foreign"
WRITERS = {"v2": write_v2, "v3": write_v3}
TOTAL = sum(ROWS)


@pytest.fixture(params=WRITERS)
def write(request) -> Callable[[Path, Made], Path]:
    return WRITERS[request.param]


def refused(source: Path, message: str, **options: Any) -> None:
    before = sorted(source.parent.iterdir())
    with pytest.raises(InputError, match=message) as caught:
        convert(source, source.parent / "out", **{"units": "1", **options})
    said = str(caught.value)
    assert str(source) in said and "\n" not in said, said
    assert sorted(source.parent.iterdir()) == before


def converted(source: Path, **options: Any) -> tuple[Any, Dataset]:
    summary = convert(source, source.parent / "out", **{"units": "1", **options})
    return summary, Dataset.open(source.parent / "out")


def test_every_row_frame_and_fact_arrives(write, tmp_path):
    made = Made(
        columns={
            "next.reward": ("float32", np.arange(TOTAL, dtype=np.float32)),
            "next.success": ("bool", np.arange(TOTAL) == 11),
            "next.done": ("bool", np.isin(np.arange(TOTAL), [6, 11, 17])),
            "intervention": ("int64", np.arange(TOTAL) % 2),
            "time_ns": ("int64", 10**18 + 1 + 50_000_000 * np.arange(TOTAL)),
        }
    )
    summary, dataset = converted(write(tmp_path / "in", made))
    assert (summary.episodes, summary.rows, summary.period_s) == (3, TOTAL, 1 / FPS)
    assert np.diff(dataset.episode_ends, prepend=0).tolist() == list(ROWS)
    for number in range(3):
        episode = dataset.episode(number)
        assert np.array_equal(episode.data["state"], made.state(number))
        assert np.array_equal(episode.data["action"], made.action(number))
        assert np.array_equal(episode.data["wrist.image"], made.wrist(number)), "images are exact"
        seen = episode.data["front.image"].mean(axis=(1, 2, 3))
        assert np.abs(seen - [grey(number, row) for row in range(ROWS[number])]).max() < 3, seen
        assert episode.meta["instruction"] == f"task {number}"
        assert episode.meta["success"] is (number == 1)
    assert dataset.read("reward").tolist() == list(range(TOTAL))
    assert dataset.read("intervention").tolist() == [bool(row % 2) for row in range(TOTAL)]
    assert dataset.read("time_ns").tolist() == made.columns["time_ns"][1].tolist(), "not through floating numbers"
    assert np.flatnonzero(dataset.read("next.done")).tolist() == [6, 11, 17]
    assert (
        dataset.schema.encoding("wrist.image").kind == "png" and dataset.schema.encoding("front.image").kind == "jpeg"
    )
    assert dataset.attributes["provenance"]["components"] == {"state": ["x", "y", "z"]}
    assert dataset.attributes["provenance"]["source_attributes"]["robot_type"] == "panda"
    if write is write_v3:
        assert dataset.meta("operator").tolist() == [f"person {number}" for number in range(3)]


def test_frames_fit_their_rows_when_episodes_before_are_skipped(write, tmp_path):
    _, dataset = converted(write(tmp_path / "in", Made()), skip_episodes=[0], encodings={"front.image": "png"})
    seen = dataset.read("front.image").mean(axis=(1, 2, 3))
    expected = [grey(number, row) for number in (1, 2) for row in range(ROWS[number])]
    assert np.abs(seen - expected).max() < 3
    assert dataset.schema.encoding("front.image").kind == "png"


def test_a_video_of_twice_the_rate_gives_the_frame_at_the_time_of_each_row(tmp_path):
    made = Made(fps=2 * FPS, frames=tuple(2 * rows for rows in ROWS))
    _, dataset = converted(write_v2(tmp_path / "in", made))
    seen = dataset.episode(1, ["front.image"]).data["front.image"].mean(axis=(1, 2, 3))
    assert np.abs(seen - [grey(1, 2 * row) for row in range(ROWS[1])]).max() < 3


@pytest.mark.parametrize(
    "names",
    [["x", "y", "z"], [["x", "y", "z"]], [["x"], ["y", "z"]], {"motors": ["x", "y", "z"]}, {"z": 2, "x": 0, "y": 1}],
)
def test_names_may_be_a_list_lists_in_a_list_or_a_mapping(names, tmp_path):
    _, dataset = converted(write_v2(tmp_path / "in", Made(names=names)))
    assert dataset.attributes["provenance"]["components"]["state"] == ["x", "y", "z"]


def test_names_that_are_too_few_are_refused_and_can_be_ignored(write, tmp_path):
    source = write(tmp_path / "in", Made(names=[["x", "y"]]))
    refused(source, "'observation.state': names: expected 3 names.*got 2: x, y.*ignore_names=true")
    _, dataset = converted(source, ignore_names=True)
    assert "components" not in dataset.attributes["provenance"]


def test_episodes_without_their_files_are_refused_or_left_out(write, tmp_path):
    source = write(tmp_path / "in", Made())
    for hole in sorted(source.glob("videos/**/*.mp4"))[-1:]:
        hole.unlink()
    refused(source, "episode 2: expected all files of every episode, got no videos/.*skip_missing=true")
    summary, dataset = converted(source, skip_missing=True)
    assert summary.episodes == 2 and any("files are missing: 1 episodes, 2" in note for note in summary.notes)
    assert np.array_equal(dataset.episode(1).data["state"], Made().state(1))
    shutil.rmtree(tmp_path / "out")
    assert converted(source, exclude=[FRONT])[0].episodes == 3, "without the camera nothing is missing"
    for file in source.glob("data/**/*.parquet"):
        file.unlink()
    shutil.rmtree(tmp_path / "out")
    refused(source, "expected the files of an episode, got none", skip_missing=True)


def test_stamps_of_row_over_rate_are_no_stamps(write, tmp_path):
    summary, dataset = converted(write(tmp_path / "in", Made()))
    assert "time_ns" not in dataset.keys and any("it is row / 20" in note for note in summary.notes)


def test_measured_stamps_are_kept_and_those_that_contradict_the_rate_are_refused(write, tmp_path):
    position = np.concatenate([np.arange(rows) for rows in ROWS])
    jitter = np.random.default_rng(0).uniform(0, 0.01, TOTAL)
    _, dataset = converted(write(tmp_path / "a", Made(timestamp=position / FPS + jitter)))
    assert np.allclose(dataset.read("time_ns") / 1e9, position / FPS + jitter, atol=1e-6)
    shutil.rmtree(tmp_path / "out")
    source = write(tmp_path / "b", Made(timestamp=position / 10))
    refused(source, r"'timestamp': expected stamps about 0\.05 s apart.*got 0\.1 s.*period_s=0\.1")
    _, dataset = converted(source, period_s=0.1)
    assert dataset.period_s == 0.1


def test_words_language_and_depth_as_video_are_listed_as_left_out(write, tmp_path):
    words = [f"word {row}" for row in range(TOTAL)]
    structures = [[{"role": "user", "content": "x"}] for _ in range(TOTAL)]
    made = Made(columns={"note": ("string", words), "language_events": ("language", structures)})
    source = write(tmp_path / "in", made)
    info = json.loads((source / "meta/info.json").read_text())
    info["features"]["observation.images.depth"] = {**info["features"][FRONT], "info": {"video.is_depth_map": True}}
    (source / "meta/info.json").write_text(json.dumps(info))
    summary, dataset = converted(source)
    notes = " / ".join(summary.notes)
    for key in ("'note', words", "'language_events', language", "'observation.images.depth', depth as video"):
        assert f"left out: {key}" in notes
    assert set(dataset.keys) == {"state", "action", "front.image", "wrist.image"}


def test_depth_of_12_bits_is_known_by_its_frames(tmp_path):
    import av

    source = write_v2(tmp_path / "in", Made())
    for episode, rows in enumerate(ROWS):
        with av.open(str(source / f"videos/chunk-000/{FRONT}/episode_{episode:06d}.mp4"), "w") as container:
            stream = container.add_stream("libx265", rate=FPS, options={"x265-params": "log-level=none"})
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "gray12le"
            for _ in range(rows):
                frame = av.VideoFrame.from_ndarray(np.zeros((HEIGHT, WIDTH), np.uint16), format="gray12le")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    summary, dataset = converted(source)
    assert any(f"left out: '{FRONT}', depth as video" in note for note in summary.notes)
    assert "front.image" not in dataset.keys


# Bad input


def _cut(pattern: str, share: float) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        file = sorted(root.glob(pattern))[-1]
        content = file.read_bytes()
        file.write_bytes(content[: int(share * len(content))])

    return change


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_truncated_files_are_named(write, share, tmp_path):
    source = write(tmp_path / "a", Made())
    _cut("data/**/*.parquet", share)(source)
    refused(source, r"\.parquet': expected a table in parquet, whole")
    source = write(tmp_path / "b", Made())
    _cut("videos/**/*.mp4", share)(source)
    refused(source, rf"'{FRONT}', episode 2, videos/.*\.mp4: expected a video in mp4, whole.*exclude=\[{FRONT}\]")


def test_a_video_that_was_cut_and_closed_again_is_shorter_than_its_episode(write, tmp_path):
    source = write(tmp_path / "in", Made(frames=(7, 5, 4)))
    refused(source, rf"'{FRONT}', episode 2, videos/.*(expected 6 frames.*got 4|row 4: .*shorter than its episode)")
    assert converted(source, skip_episodes=[2])[0].episodes == 2


def test_a_video_with_more_frames_than_rows_is_refused(tmp_path):
    refused(write_v2(tmp_path / "in", Made(frames=(7, 6, 6))), "episode 1, .*expected 5 frames.*got 6.*skip_episodes")


def test_a_table_with_other_rows_than_listed_is_refused(write, tmp_path):
    import pyarrow.parquet as parquet

    source = write(tmp_path / "in", Made())
    file = sorted(source.glob("data/**/*.parquet"))[-1]
    table = parquet.read_table(file)
    parquet.write_table(table.slice(0, 4), file)
    refused(source, "episode 2: expected 6 rows .*got 4 of episode_index 2.*skip_episodes")
    order = table.take([1, 0, 2, 3, 4, 5])
    parquet.write_table(order, file)
    refused(source, "episode 2, row 0: expected frame_index 0, got 1")
    parquet.write_table(table.drop_columns(["action"]), file)
    refused(source, "none for action.*exclude=.action|expected a column 'action'")


def test_another_file_in_the_place_of_a_video_is_not_played(tmp_path):
    source = write_v2(tmp_path / "in", Made())
    video = source / f"videos/chunk-000/{FRONT}/episode_000001.mp4"
    original = video.read_bytes()
    for content in (
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n",
        b"\x1aE\xdf\xa3" + bytes(200),
        original.replace(b"avc1", b"none"),
    ):
        video.write_bytes(content)
        refused(source, "episode 1, .*expected a video in mp4, whole")
    video.write_bytes(original)
    assert converted(source)[0].episodes == 3


def test_images_that_change_size_are_named(write, tmp_path):
    source = write(tmp_path / "a", Made())
    group = [2]
    write_video(sorted(source.glob("videos/**/*.mp4"))[-1], Made(), group, 32, 32)
    refused(source, rf"'{FRONT}', episode 2, .*expected frames of \(48, 64, 3\).*got 32 x 32")

    made = Made()
    made.wrist = lambda episode: np.zeros((ROWS[episode], 48 if episode < 2 else 24, 64, 3), np.uint8)  # type: ignore[method-assign]
    refused(write(tmp_path / "b", made), "episode 2: 'wrist.image', row 0: expected a PNG of 64 x 48 .*skip_episodes")


@pytest.mark.parametrize(
    ("data_path", "words"),
    [
        ("../../{episode_index}.parquet", "leads out of it"),
        ("/etc/passwd", "leads out of it"),
        ("data/{episode_index.__class__}.parquet", "braces"),
        ("data/{0}.parquet", "the field"),
        ("data/{episode_index!r}.parquet", "braces"),
        ("data/{episode_index:0999999999d}.parquet", "braces"),
        ("data/{root}.parquet", "the field '{root}'"),
    ],
)
def test_paths_are_made_of_known_fields_and_stay_inside(write, data_path, words, tmp_path):
    refused(write(tmp_path / "in", Made(changes={"data_path": data_path})), f"path .*{words}.*data_path or video_path")


def test_a_link_out_of_the_dataset_is_not_followed(write, tmp_path):
    source = write(tmp_path / "in", Made())
    file = sorted(source.glob("data/**/*.parquet"))[0]
    file.rename(tmp_path / "secret")
    file.symlink_to(tmp_path / "secret")
    refused(source, "leads out of it")


def test_a_key_of_a_video_cannot_lead_out(tmp_path):
    source = write_v2(tmp_path / "in", Made())
    text = (source / "meta/info.json").read_text().replace(FRONT, "../../../../../x")
    (source / "meta/info.json").write_text(text)
    refused(source, "leads out of it")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fps": 0}, "fps: expected a number above 0"),
        ({"fps": "30"}, "fps: expected a number above 0"),
        ({"fps": None}, "fps: expected a number above 0"),
        ({"codebase_version": "v1.6"}, "expected v2.0, v2.1 or v3.0, got 'v1.6'"),
        ({"codebase_version": None}, "expected v2.0"),
        ({"features": [1]}, "features: expected a mapping"),
        ({"features": {"action": {"dtype": "float32", "shape": [-2]}}}, "shape: expected whole numbers above 0"),
        ({"features": {"action": "float32"}}, "expected a mapping with a dtype"),
        ({"chunks_size": 0}, "chunks_size"),
    ],
)
def test_what_info_says_is_checked(write, changes, words, tmp_path):
    refused(write(tmp_path / "in", Made(changes=changes)), words)


def test_rows_that_are_no_numbers_are_named(write, tmp_path):
    values: list[Any] = [1.0] * TOTAL
    values[9] = None
    refused(write(tmp_path / "a", Made(columns={"x": ("float32", values)})), "'x', episode 1, row 2: .*empty entry")
    ragged = [[1.0, 2.0]] * TOTAL
    ragged[9] = [1.0]
    refused(
        write(tmp_path / "b", Made(columns={"x": ("float32", ragged)})), "'x', episode 0, row 0: expected 1 numbers"
    )
    values[9] = float("nan")
    refused(write(tmp_path / "c", Made(columns={"x": ("float32", values)})), "'x', episode 1, row 2: expected a finite")
    refused(write(tmp_path / "d", Made(columns={"intervention": ("int64", [2] * TOTAL)})), "episode 0, row 0: .*0 or 1")


def test_the_list_of_episodes_is_checked(tmp_path):
    source = write_v2(tmp_path / "in", Made())
    file = source / "meta/episodes.jsonl"
    lines = file.read_text().splitlines()
    for content, words in (
        ("\n".join([*lines, lines[0]]), "episode 0 twice"),
        ('{"episode_index": -1, "length": 3}', "episode_index: expected a whole number"),
        ('{"episode_index": 0, "length": 1e400}', "length: expected a whole number"),
        ("[1, 2]", "line 1: expected a mapping in JSON"),
        ("{", "line 1: expected a mapping in JSON"),
        ("", "at least one episode"),
    ):
        file.write_text(content)
        refused(source, words)
    file.unlink()
    refused(source, "episodes.jsonl.*No such file")


def test_an_image_that_is_damaged_or_elsewhere_is_named(tmp_path):
    import pyarrow
    import pyarrow.parquet as parquet

    source = write_v2(tmp_path / "in", Made())
    file = source / "data/chunk-000/episode_000001.parquet"
    table = parquet.read_table(file)
    good = {"bytes": png(np.zeros((HEIGHT, WIDTH, 3), np.uint8)), "path": None}
    for bad, words in (
        ({"bytes": good["bytes"][:-30], "path": None}, "episode 1: 'wrist.image', row 3: .*ends early"),
        ({"bytes": None, "path": "/etc/passwd"}, "episode 1, row 3: .*got a path to another file"),
        ({"bytes": None, "path": None}, "episode 1, row 3: .*got nothing"),
    ):
        images = pyarrow.array([good, good, good, bad, good], type=table.schema.field(WRIST).type)
        parquet.write_table(table.set_column(table.schema.get_field_index(WRIST), WRIST, images), file)
        refused(source, words)


def test_without_the_libraries_the_extra_is_named(tmp_path, monkeypatch):
    source = write_v2(tmp_path / "in", Made())
    for library in ("pyarrow.parquet", "av"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, library, None)
            with pytest.raises(MissingExtraError, match=r"tiller\[formats\]"):
                convert(source, tmp_path / "out", units="1")


def test_a_set_that_lerobot_wrote(tmp_path):
    source = FOREIGN / "lerobot_v3_written_by_lerobot_0.4.4"
    if not source.exists():
        pytest.skip(f"{source} is not on this machine")
    convert(source, tmp_path / "out", units="1", encodings={"front.image": "png"})
    dataset = Dataset.open(tmp_path / "out")
    assert (len(dataset), dataset.rows) == (3, 120)
    front, wrist = (dataset.read(f"{name}.image").astype(int) for name in ("front", "wrist"))
    assert np.abs(front - wrist).mean() < 3, "both cameras saw the same, one of them as video"
    assert dataset.meta("instruction").tolist() == ["lift the cube"] * 3


def test_a_humanoid_with_holes(tmp_path):
    source = FOREIGN / "lerobot_v2_g1"
    if not source.exists():
        pytest.skip(f"{source} is not on this machine")
    with pytest.raises(InputError, match=r"episode 0: .*no videos/chunk-000/.*98 more episodes.*skip_missing=true"):
        convert(source, tmp_path / "out", units="rad")
    summary = convert(source, tmp_path / "out", units="rad", skip_missing=True, exclude=["observation.images.cam_high"])
    dataset = Dataset.open(tmp_path / "out")
    assert np.diff(dataset.episode_ends, prepend=0).tolist() == [479, 393, 343]
    assert dataset.attributes["provenance"]["components"]["action"][3] == "kLeftElbow"
    assert any("97 episodes, 3 to 99" in note for note in summary.notes)
