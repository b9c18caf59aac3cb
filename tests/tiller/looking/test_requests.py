"""Who may look at stores, and that no request leads beyond what it may name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

from tests.tiller.looking.conftest import Page, looked_at
from tiller.looking.routes import FOLDER, LARGEST_BODY, SHARED

GETS = ("stores", "fields", "episodes", "marks", "episode", "series", "values", "frames", "scene", "poses", "findings")


@pytest.fixture(scope="module")
def page(made: Path) -> Iterator[Page]:
    with looked_at(made) as served_page:
        yield served_page


def test_the_page_is_served_with_the_modules_that_it_shares(page: Page) -> None:
    for name in [file.name for file in FOLDER.iterdir()] + list(SHARED):
        assert page.ask(f"/{name}")[0] == 200
    assert page.ask("/main.js")[1] == (FOLDER / "main.js").read_bytes() and page.ask("/socket")[0] == 404


def test_no_file_of_it_has_code_in_line_or_text_as_markup() -> None:
    for file in FOLDER.iterdir():
        text = file.read_text()
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style=", "onclick"):
            assert word not in text, f"{file.name}: {word}"
        assert "http://" not in text and "https://" not in text


def test_without_a_session_nothing_is_told_and_nothing_marked(page: Page, made: Path) -> None:
    for name in GETS:
        assert page.ask(f"/{name}?store=0&generation=0&episode=0")[0] == 401
        assert page.ask(f"/{name}?store=0", f"Cookie: {page.cookie}x")[0] == 401
    for path in ("/mark?store=0&generation=0&episode=0", "/examine?store=0"):
        assert page.ask(path, f"Origin: {page.origin}", method="POST", body='{"keep": false}')[0] == 401
    wrong = json.dumps({"token": "x" * 43})
    assert page.ask("/session", f"Origin: {page.origin}", method="POST", body=wrong)[0] == 403
    assert not made.with_name("cups.marks.json").exists()


def test_other_hosts_and_other_origins_are_refused(page: Page, made: Path) -> None:
    own = f"Cookie: {page.cookie}"
    for host in ("evil.example", f"evil.example:{page.port}", f"127.0.0.1:{page.port + 1}"):
        assert page.ask("/stores", own, host=host)[0] == 421
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{page.port}", f"http://localhost:{page.port}"):
        assert page.ask("/stores", own, f"Origin: {origin}")[0] == 403
        answer = page.ask(
            "/mark?store=0&generation=0&episode=0", own, f"Origin: {origin}", method="POST", body='{"keep": false}'
        )
        assert answer[0] == 403
    # A form of another site sends no Origin that is ours, and perhaps none at all.
    assert page.ask("/mark?store=0&generation=0&episode=0", own, method="POST", body='{"keep": false}')[0] == 403
    assert page.ask("/frames?store=0", own, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors")[0] == 403
    assert not made.with_name("cups.marks.json").exists()


WRONG = ("-1", "1e3", "NaN", "Infinity", "", "0x1", "1.0", " 1", "\u0663", "9" * 400, "../../etc/passwd", "0\0")


@pytest.mark.parametrize("number", WRONG)
def test_what_is_no_number_is_refused_by_name(page: Page, number: str) -> None:
    good = {"store": 0, "generation": 0, "episode": 1, "row": 2, "field": 0, "fields": "3", "points": 10, "world": 0}
    uses = {
        "/frames": ("store", "generation", "episode", "row", "fields"),
        "/series": ("store", "episode", "field", "points"),
        "/values": ("row", "fields"),
        "/episode": ("store", "episode"),
        "/poses": ("episode", "row"),
        "/scene": ("world",),
        "/marks": ("store", "generation"),
    }
    for path, names in uses.items():
        for name in names:
            status, body = page.get(path, **{**good, name: number})
            assert status in (400, 409) and len(body) < 300, (path, name, body)
    for name in ("from", "to"):
        assert page.get("/series", **{**good, "from": 0, "to": 1, name: number})[0] in (200, 400)


def test_numbers_beyond_what_is_there_are_refused(page: Page) -> None:
    good = {"store": 0, "generation": 0, "episode": 1, "row": 2, "field": 0, "fields": "3", "points": 10}
    cases = {
        "/frames": {"store": 1, "episode": 4, "row": 31, "fields": "99", "generation": 1},
        "/series": {"episode": 10**14, "field": 99, "points": 100_000},
        "/values": {"row": 31, "fields": "0,99"},
    }
    for path, wrong in cases.items():
        assert page.get(path, **good)[0] == (404 if path == "/values" else 200), path
        for name, value in wrong.items():
            assert page.get(path, **{**good, name: value})[0] in (404, 409), (path, name)
    assert page.get("/frames", **{**good, "fields": "0"})[0] == 404, "joints are no frames"
    assert page.get("/series", **{**good, "field": 3})[0] == 404, "a camera is no line"
    assert page.get("/frames", **{**good, "fields": ",".join(["3"] * 65)})[0] == 400
    assert page.get("/frames", store=0, generation=0, episode=1, fields="3")[0] == 400, "no row"
    twice = "/episode?store=0&generation=0&episode=0&episode=1"
    assert page.ask(twice, f"Cookie: {page.cookie}")[0] == 400


def test_only_marks_and_examinations_are_sent(page: Page) -> None:
    own = (f"Cookie: {page.cookie}", f"Origin: {page.origin}")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        for name in GETS:
            assert page.ask(f"/{name}?store=0", *own, method=method)[0] == 405
    assert page.ask("/mark?store=0", *own)[0] == 405


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "3", "null", '{"keep": NaN}', '{"rows": 3}', '{"digest": "a"}', '{"keep": 1}', "[" * 5000]
)
def test_a_mark_that_is_none_is_refused_and_nothing_written(page: Page, made: Path, body: str) -> None:
    status, said = page.mark(0, body or " ")
    assert status in (400, 422) and len(said) < 600
    assert not made.with_name("cups.marks.json").exists()


def test_a_mark_of_any_size_is_refused(page: Page, made: Path) -> None:
    assert page.mark(0, {"note": "x" * 2_001})[0] == 422
    assert page.mark(0, {"note": "x" * LARGEST_BODY})[0] in (413, 422)
    assert not made.with_name("cups.marks.json").exists()


def test_the_command_prints_an_address_with_its_token_and_ends_with_ctrl_c(made: Path) -> None:
    # Also without ROS: an import of it would fail.
    start = "import sys; sys.modules['rclpy'] = None; from tiller.cli import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", start, "data", "view"]
    environment = {each: value for each, value in os.environ.items() if each != "TILLER_PAGE_TOKEN"}
    refused = subprocess.run([*words, str(made / "none")], capture_output=True, text=True, env=environment)
    assert refused.returncode == 2 and "nothing at this path" in refused.stderr and "Traceback" not in refused.stderr
    process = subprocess.Popen([*words, str(made)], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("view: http://127.0.0.1:") and len(line.partition("#")[2].strip()) >= 43
    finally:
        process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
