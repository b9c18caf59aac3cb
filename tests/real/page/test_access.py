"""Who may look at the page: hosts, origins and tokens."""

from __future__ import annotations

import pytest

from real.page.serving.access import WRONG_EVERY_S, WRONG_TOKENS, Access, Attempts, new_token, require_token
from robot.errors import InputError

pytestmark = pytest.mark.together


@pytest.fixture
def access() -> Access:
    return Access(new_token(), "127.0.0.1", 8765)


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765"])
def test_the_printed_address_is_the_pages(access: Access, host: str) -> None:
    assert access.host_allowed(host, "127.0.0.1")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.2:8765",
        "evil.example:8765",
        "127.0.0.1.evil.example:8765",
        "localhost.:8765",
        "127.0.0.1:8765:8765",
        "127.0.0.1:8765\r\nX: y",
        "0x7f000001:8765",
        "[::1]:8765",
    ],
)
def test_a_name_that_points_here_is_not_the_page(access: Access, host: str) -> None:
    assert not access.host_allowed(host, "127.0.0.1")


def test_a_literal_address_is_the_one_of_the_connection() -> None:
    wide = Access(new_token(), "0.0.0.0", 8765)
    assert wide.host_allowed("192.168.1.7:8765", "192.168.1.7")
    assert not wide.host_allowed("192.168.1.7:8765", "10.0.0.1")
    assert not wide.host_allowed("localhost:8765", "192.168.1.7")
    assert Access(new_token(), "::1", 8765).host_allowed("[::1]:8765", "::1")


def test_an_origin_is_the_pages_own(access: Access) -> None:
    host = "127.0.0.1:8765"
    assert access.origin_allowed(f"http://{host}", host, needed=True)
    assert access.origin_allowed(None, host, needed=False)
    for origin in ("null", "", f"https://{host}", "http://localhost:8765", f"http://{host}.evil.example", None):
        assert not access.origin_allowed(origin, host, needed=True)


def test_a_session_is_no_token_and_a_token_no_session(access: Access) -> None:
    assert access.session_allowed(access.session) and not access.token_allowed(access.session)
    assert not access.session_allowed("") and not access.token_allowed("ü\ud800")


def test_wrong_tokens_are_slowed_down_and_forgiven() -> None:
    attempts, now_s = Attempts(), 1000.0
    for _ in range(WRONG_TOKENS):
        assert attempts.wait_s(now_s) == 0
        attempts.failed()
    assert attempts.wait_s(now_s) == pytest.approx(WRONG_EVERY_S)
    assert attempts.wait_s(now_s + WRONG_EVERY_S) == 0


def test_a_token_that_can_be_guessed_is_refused_without_being_shown() -> None:
    assert require_token(new_token())
    for token in ("", "hunter2", "a" * 21, "a" * 30 + "#", "a" * 500):
        with pytest.raises(InputError) as refused:
            require_token(token)
        assert not token or token not in str(refused.value)
