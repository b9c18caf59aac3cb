"""The page is read as a browser reads it: parsed, with nothing to fetch from elsewhere."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from robot.errors import InputError
from sim.evaluation.rollout import evaluate_policy
from sim.report import write_report
from sim.statistics.records import Evaluation, read_evaluation, write_evaluation
from tests.sim.linear_policy import BlockSeeker

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Tags with their attributes and the text of a page; refuses tags that are not closed in order."""

    def __init__(self, path: Path):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["style"], ["script"]):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A real evaluation with a video."""
    folder = tmp_path_factory.mktemp("evaluations") / "first"
    evaluate_policy(
        BlockSeeker(),
        "pusht/state",
        episodes=6,
        seed=100000,
        options={"max_steps": 40, "render_size": 96},
        video_episodes=[1],
        output=folder,
        description={"checkpoint": "runs/<a>", "sampler": "euler", "steps": 3},
    )
    return folder


def variant(folder: Path, name: str, **changes) -> Evaluation:
    """The same evaluation with something changed, in a folder beside it."""
    changed = replace(read_evaluation(folder), **changes)
    write_evaluation(changed, folder.parent / name / "evaluation.json")
    return changed


def test_the_page_shows_the_evaluation_and_fetches_nothing(folder: Path) -> None:
    page = Page(write_report(folder))
    evaluation = read_evaluation(folder)
    assert evaluation.summary is not None
    assert "0 of 6 episodes" in page.text and "95% interval 0.0% to 39.0%" in page.text
    assert f"{evaluation.summary.score.estimate:.3f}" in page.text
    assert "runs/<a>" in page.text, "text from outside is escaped"
    assert page.count("svg") == 3 and page.count("video") == 1
    assert [attributes["data-value"] for _, attributes in page.tags if "data-value" in attributes][::10] == [
        str(record.seed) for record in evaluation.records
    ]
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:")), "everything is in the page"
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org/)", page.source)


def test_the_video_in_the_page_is_the_file(folder: Path) -> None:
    page = Page(write_report(folder))
    source = next(attributes["src"] for tag, attributes in page.tags if tag == "video")
    assert (
        base64.b64decode(source.removeprefix("data:video/mp4;base64,"))
        == next((folder / "videos").iterdir()).read_bytes()
    )


def test_plots_are_well_formed_and_take_their_colours_from_the_page(folder: Path) -> None:
    source = write_report(folder).read_text(encoding="utf-8")
    for svg in re.findall(r"<svg.*?</svg>", source, flags=re.DOTALL):
        ElementTree.fromstring(svg)
        assert "var(--grid)" in svg and "#0101" not in svg
    for name in set(re.findall(r"var\(--([\w-]+)\)", source)):
        assert len(re.findall(rf"--{name}:", source)) == 2, f"{name} is set for light and for dark"


def test_the_same_evaluation_gives_the_same_page(folder: Path) -> None:
    first = write_report(folder).read_bytes()
    assert write_report(folder).read_bytes() == first


def test_two_evaluations_are_compared_in_pairs(folder: Path) -> None:
    records = [replace(record, video=None) for record in read_evaluation(folder).records]
    better = [replace(record, success=True, score=record.score + 0.25) for record in records]
    variant(folder, "better", records=tuple(better))
    variant(folder, "others", records=tuple(replace(record, seed=record.seed + 7) for record in records))
    sources = [folder, folder.parent / "better", folder.parent / "others"]
    page = Page(write_report(sources, folder.parent / "all.html"))
    assert "Comparison" in page.text and "+100.0%" in page.text and "+0.250" in page.text
    assert "0.031 0 against 6" in page.text, "McNemar for six pairs that only one side won"
    assert "other episodes" in page.text
    assert page.count("svg") == 2 + 3 * 3


def test_the_page_counts_episodes_whose_physics_diverged(folder: Path) -> None:
    assert "diverged" not in Page(write_report(folder)).text
    first, *rest = read_evaluation(folder).records
    variant(folder, "wild", records=(replace(first, success=False, diverged="The physics diverged at 3.20 s"), *rest))
    page = Page(write_report(folder.parent / "wild"))
    assert f"In 1 of 6 episodes the physics diverged, which counts as failure (seed {first.seed})" in page.text
    assert "diverged at 3.20 s" in page.text and "diverged physics" in page.text


def test_the_page_says_why_there_is_no_video(folder: Path) -> None:
    first, *rest = read_evaluation(folder).records
    blind = [replace(record, video=None, no_video="nothing to <draw> with") for record in rest[:2]]
    variant(folder, "blind", records=(first, *blind, *rest[2:]))
    page = Page(write_report(folder.parent / "blind"))
    assert f"No video of seeds {rest[0].seed}, {rest[1].seed}: nothing to <draw> with" in page.text


def test_an_evaluation_that_ended_early_says_so(folder: Path) -> None:
    early = variant(folder, "early", episodes=50, ended="worker 7 was killed by SIGKILL")
    assert not early.complete
    page = Page(write_report(folder.parent / "early"))
    assert "Ended early, 6 of 50 episodes: worker 7 was killed by SIGKILL" in page.text
    variant(folder, "nothing", records=(), ended="interrupted")
    assert "0 of 6 episodes: interrupted" in Page(write_report(folder.parent / "nothing")).text


METRICS = "step,loss,learning_rate,validation_loss,score\n1,2.5,0.1,,\n2,0.5,0.1,0.7,\n3,0.4,0.1,0.6,0.9\n"


def test_the_learning_curve_is_found_beside_the_checkpoint(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoints" / "last").mkdir(parents=True)
    (tmp_path / "run" / "metrics.csv").write_text(METRICS)
    variant(folder, "learnt", policy={"checkpoint": str(tmp_path / "run" / "checkpoints" / "last")})
    page = Page(write_report(folder.parent / "learnt"))
    assert "Learning curve" in page.text and "validation_loss" in page.text and "learning_rate" not in page.text
    assert page.count("svg") == 3 + 2


def test_a_training_run_alone_has_a_page_too(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(METRICS)
    page = Page(write_report(tmp_path))
    assert page.count("svg") == 2 and "training" in page.text


@pytest.mark.parametrize("text", ["loss\n1\n", "name,price\ntea,3\n", "step,loss\n1,abc\n", "step,loss\n,1\n"])
def test_metrics_that_are_no_table_are_named(folder: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(InputError, match=r"m\.csv"):
        write_report(folder, metrics=tmp_path / "m.csv")


def test_a_large_video_is_linked_from_the_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.report.sections.VIDEO_BYTES", 10)
    sources = [attributes["src"] for tag, attributes in Page(write_report(folder)).tags if tag == "video"]
    assert sources == ["videos/episode_100001_failure.mp4"]


def test_only_a_page_of_ours_is_made_anew(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    target.write_text("<html>someone's own</html>")
    with pytest.raises(InputError, match="overwrite"):
        write_report(folder, target)
    assert target.read_text() == "<html>someone's own</html>"
    write_report(folder, target, overwrite=True)
    write_report(folder, target)


def test_a_folder_without_anything_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"evaluation\.json"):
        write_report(tmp_path)
