"""The page of a sweep, read as a browser reads it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from robot.errors import InputError
from sim.report import write_sweep_report
from sim.statistics.summary import summarise
from tests.sim.report.test_report import Page
from tests.sim.statistics.made_up import evaluation
from tests.sim.statistics.test_summary import BAD, GOOD


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over two policies, two tasks and three severities, with scores between 0 and 1."""
    folder = tmp_path_factory.mktemp("sweep")
    for policy, wins in (("a", GOOD), ("<b>", BAD)):
        for task in ("pusht/state", "pusht/image"):
            for severity in (0, 2, 5):
                evaluation(
                    folder / f"{policy.strip('<>')}-{task.split('/')[1]}-{severity}",
                    wins[severity:] + [False] * severity,
                    policy=f"runs/{policy}",
                    task=task,
                    scores=[number / 10 for number in range(10)],
                    options={"perturbation": "friction", "severity": severity},
                )
    (folder / "a-state-0" / "report.html").write_text("<p>its own page</p>")
    return folder


def write(folder: Path, target: Path) -> Page:
    from sim.statistics.records import read_evaluation

    summary = summarise([(each.name, read_evaluation(each)) for each in sorted(folder.iterdir()) if each.is_dir()])
    write_sweep_report(
        summary,
        target,
        folder=folder,
        missing=["not-yet"],
        failed={"crashed": ("killed by <SIGKILL>", ["last & words"])},
    )
    return Page(target)


def test_page_shows_every_part_and_fetches_nothing(folder: Path, tmp_path: Path) -> None:
    page = write(folder, tmp_path / "page.html")
    for part in (
        "2 policies on 2 tasks",
        "Success by task",
        "Over tasks",
        "Paired on the same seeds",
        "Robustness",
        "Results",
        "Policies",
        "friction · all tasks",
        "killed by <SIGKILL>",
        "last & words",
        "not-yet",
        "<b>",
    ):
        assert part in page.text, part
    assert page.count("svg") == 3 + 3 + 3, "a setting each: success and profile; robustness: two tasks and both"
    for svg in re.findall(r"<svg.*?</svg>", page.source, flags=re.DOTALL):
        ElementTree.fromstring(svg)
        assert "#0101" not in svg
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org/)", page.source)


def test_page_leads_to_the_pages_of_its_cells(folder: Path, tmp_path: Path) -> None:
    page = write(folder, tmp_path / "page.html")
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert len(links) == 1
    assert (tmp_path / links[0]).resolve() == (folder / "a-state-0" / "report.html").resolve()


def test_page_is_the_same_again_and_replaces_only_its_own(folder: Path, tmp_path: Path) -> None:
    first = write(folder, tmp_path / "page.html").source
    assert write(folder, tmp_path / "page.html").source == first
    (tmp_path / "letter.html").write_text("somebody's own")
    with pytest.raises(InputError, match="another file"):
        write(folder, tmp_path / "letter.html")


def test_page_shows_success_against_the_scale_of_the_noise(tmp_path: Path) -> None:
    for number, scale in enumerate((None, 0, 0.5)):
        steering = {} if scale is None else {"steering": [{"name": "noise_scale", "noise_scale": scale}]}
        wins = GOOD[number:] + [False] * number
        evaluation(tmp_path / "sweep" / f"scale-{scale}", wins, **steering)
    chosen = {"steering": [{"name": "medoid", "candidates": 16}]}
    evaluation(tmp_path / "sweep" / "medoid", GOOD, **chosen)
    page = write(tmp_path / "sweep", tmp_path / "page.html")
    assert "Scale of the noise" in page.text and "a, euler in 3 steps, 8 rows" in page.source
    for name in ("a steering=noise_scale 0.5", "a steering=medoid candidates=16", "a steering=-"):
        assert name in page.text


def test_no_section_without_scales(folder: Path, tmp_path: Path) -> None:
    assert "Scale of the noise" not in write(folder, tmp_path / "page.html").text
