"""What the page's server lets in, and that nothing that anybody sends ends it."""

from __future__ import annotations

import json
import socket
from typing import Iterator

import pytest

from real.page.serving import server
from real.page.serving.access import WRONG_TOKENS
from real.page.serving.files import FOLDER
from real.page.serving.server import MOST_CONNECTIONS, listening
from robot.errors import InputError
from tests.real.page.served import Served, served, status

pytestmark = pytest.mark.together


@pytest.fixture
def page() -> Iterator[Served]:
    with served() as found:
        yield found
        assert found.alive


def enter(page: Served, token: str, *headers: str) -> str:
    own = headers or (f"Origin: {page.origin}",)
    return page.get("/session", "", *own, method="POST", body=json.dumps({"token": token}))


def test_the_files_are_served_with_their_guard(page: Served) -> None:
    for file in FOLDER.iterdir():
        assert status(page.get(f"/{file.name}")) == 200
    head = page.get("/").partition("\r\n\r\n")[0]
    for line in (
        "Content-Security-Policy: default-src 'self'; img-src 'self' blob:;",
        "frame-ancestors 'none'",
        "X-Content-Type-Options: nosniff",
        "X-Frame-Options: DENY",
        "Referrer-Policy: no-referrer",
        "Cache-Control: no-store",
    ):
        assert line in head
    assert "unsafe" not in head and "Python" not in head and "aiohttp" not in head


def test_no_file_has_code_in_line_or_text_as_markup() -> None:
    for file in FOLDER.iterdir():
        text = file.read_text()
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style=", "onclick"):
            assert word not in text, f"{file.name}: {word}"
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "") and "https://" not in text


def test_the_token_is_exchanged_for_a_cookie_of_this_page_alone(page: Served) -> None:
    answer = enter(page, page.token)
    assert status(answer) == 204
    cookie = next(line for line in answer.split("\r\n") if line.startswith("Set-Cookie"))
    assert page.access.session in cookie and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert page.token not in answer
    assert status(page.get("/session", "", f"Cookie: {page.cookie}")) == 204


def test_a_wrong_token_is_refused_and_many_are_slowed_down(page: Served) -> None:
    answers = [status(enter(page, "x" * 43)) for _ in range(WRONG_TOKENS + 2)]
    assert answers[:WRONG_TOKENS] == [403] * WRONG_TOKENS and answers[WRONG_TOKENS:] == [429, 429]
    assert status(enter(page, page.token)) == 429, "who guesses is not told when it is right"


@pytest.mark.parametrize("body", ["", "{", "[]", '{"token": 3}', '{"token": null}', "[" * 900, "\x00"])
def test_a_body_that_holds_no_token_is_a_wrong_token(page: Served, body: str) -> None:
    answer = page.get("/session", "", f"Origin: {page.origin}", method="POST", body=body)
    assert status(answer) == 403


def test_without_a_session_nothing_is_shown(page: Served) -> None:
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Origin: {page.origin}")
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    assert status(page.get("/session")) == 401
    assert status(page.get("/socket", "", *upgrade, key)) == 401
    assert status(page.get("/socket", "", *upgrade, key, f"Cookie: {page.access.cookie}={page.token}")) == 401


def test_another_host_is_refused_whatever_it_asks_for(page: Served) -> None:
    for host in ("evil.example", f"evil.example:{page.port}", "127.0.0.1", f"127.0.0.1:{page.port + 1}"):
        for path in ("/", "/main.js", "/session", "/socket", "/nothing"):
            assert status(page.get(path, host, f"Cookie: {page.cookie}")) == 421
    twice = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert status(page.raw(twice)) in (400, 421)


def test_another_origin_is_refused_and_a_missing_one_where_it_matters(page: Served) -> None:
    for origin in ("http://evil.example", "null", f"http://localhost:{page.port}", f"https://127.0.0.1:{page.port}"):
        assert status(page.get("/", "", f"Origin: {origin}")) == 403
        assert status(page.get("/socket", "", f"Origin: {origin}", f"Cookie: {page.cookie}")) == 403
        assert status(enter(page, page.token, f"Origin: {origin}")) == 403
    assert status(page.get("/socket", "", f"Cookie: {page.cookie}")) == 403
    assert status(page.get("/session", "", method="POST", body=json.dumps({"token": page.token}))) == 403
    assert status(page.get("/main.js", "", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors")) == 403


@pytest.mark.parametrize(
    "path",
    [
        "/../server.py",
        "/static/../../server.py",
        "/%2e%2e/server.py",
        "/..%2fserver.py",
        "//etc/passwd",
        "/main.js/",
        "/%00",
    ],
)
def test_no_path_leads_out_of_the_folder(page: Served, path: str) -> None:
    answer = page.get(path)
    assert status(answer) in (400, 404) and "import" not in answer


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_no_request_changes_anything(page: Served, method: str) -> None:
    for path in ("/", "/main.js", "/socket"):
        assert status(page.get(path, "", f"Origin: {page.origin}", f"Cookie: {page.cookie}", method=method)) == 405


def test_what_is_huge_is_refused(page: Served) -> None:
    assert status(page.get("/" + "a" * 10_000)) in (400, 414)
    assert status(page.get("/", "", "X-Long: " + "a" * 100_000)) in (400, 431)
    assert status(page.get("/", "", *[f"X-{number}: a" for number in range(1000)])) in (400, 431)
    big = json.dumps({"token": "a" * 100_000})
    assert status(page.get("/session", "", f"Origin: {page.origin}", method="POST", body=big)) in (400, 403, 413)


@pytest.mark.parametrize(
    "junk", [b"\x16\x03\x01\x02\x00\x01", b"\r\n\r\n\r\n", b"GET", b"\x00" * 5000, b"PRI * HTTP/2.0\r\n\r\n"]
)
def test_what_is_no_request_ends_nothing(page: Served, junk: bytes) -> None:
    assert "200" not in page.raw(junk, hang_up=True)[:20]


def test_connections_that_ask_for_nothing_are_dropped(page: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "FIRST_REQUEST_S", 0.3)
    idle = [socket.create_connection(("127.0.0.1", page.port), timeout=5) for _ in range(MOST_CONNECTIONS + 20)]
    idle[0].sendall(b"GET / HTTP/1.1\r\nHost: ")
    try:
        assert all(each.recv(10) == b"" for each in idle)
    except ConnectionResetError:
        pass  # dropped is dropped
    finally:
        for each in idle:
            each.close()


def test_a_port_that_is_taken_is_named_with_a_way_out(page: Served) -> None:
    for host, port in (("127.0.0.1", page.port), ("203.0.113.1", 0), ("no such name", 0)):
        with pytest.raises(InputError, match="port=0"):
            listening(host, port)
