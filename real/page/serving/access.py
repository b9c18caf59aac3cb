"""Who may look at the page: a token that only its reader has, and requests that come from the page itself.

A page on loopback is in reach of every site that the same browser shows. Three things keep them off. The token is
exchanged for a cookie that other sites do not send. The `Host` of each request is this server's: a name that was made
to point here (DNS rebinding) is not. The `Origin`, where a browser sends one, is the page's own.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets

from robot.errors import InputError

TOKEN_BYTES = 32
LEAST_TOKEN = 22  # characters of base64: 128 bits
WRONG_TOKENS, WRONG_EVERY_S = 5, 2.0  # at once, and one more after so long
LOOPBACK = ("localhost",)

_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{LEAST_TOKEN},200}}", re.ASCII)
_HOST = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(?::([0-9]{1,5}))?", re.ASCII)


def new_token() -> str:
    """A token of 256 random bits."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def require_token(token: str) -> str:
    """Refuse a token that could be guessed, without showing it.

    Raises:
        InputError: it is short, or has other characters than an address's fragment carries as they are.
    """
    if not _TOKEN.fullmatch(token):
        raise InputError(
            "token of the page",
            expected=f"{LEAST_TOKEN} to 200 letters, digits, - and _",
            got=f"{len(token)} characters",
            way_out="Leave it out: one is made",
        )
    return token


class Access:
    """What the server of one page lets in.

    Args:
        token: of the page.
        host: on which it listens; a name other than an address is accepted as one.
        port: on which it listens.
    """

    def __init__(self, token: str, host: str, port: int) -> None:
        self._token, self._port = token.encode(), port
        self._names = {*LOOPBACK, host.lower()}
        self._session = secrets.token_urlsafe(TOKEN_BYTES)
        self.attempts = Attempts()

    @property
    def cookie(self) -> str:
        """The cookie's name; cookies of one host are shared by its ports."""
        return f"tiller_page_{self._port}"

    @property
    def session(self) -> str:
        """The cookie's value, another one than the token and of this process alone."""
        return self._session

    def host_allowed(self, host: str, local: str) -> bool:
        """Whether a request's `Host` is this server.

        An address as a literal cannot have been rebound. It has to be the one on which the request came.

        Args:
            host: of the request.
            local: this end's address of its connection.
        """
        found = _HOST.fullmatch(host)
        if found is None or int(found.group(2) or 80) != self._port:
            return False
        name = found.group(1).strip("[]").lower()
        try:
            return ipaddress.ip_address(name) == ipaddress.ip_address(local.partition("%")[0])
        except ValueError:
            return name in self._names and (name not in LOOPBACK or _is_loopback(local))

    def origin_allowed(self, origin: str | None, host: str, needed: bool) -> bool:
        """Whether a request comes from the page itself.

        Args:
            origin: of the request; None where the browser sent none.
            host: of the request, which is this server.
            needed: whether it may not be missing.
        """
        return not needed if origin is None else origin == f"http://{host}"

    def token_allowed(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._token)

    def session_allowed(self, session: str) -> bool:
        return hmac.compare_digest(session.encode("utf-8", "replace"), self._session.encode())


class Attempts:
    """How many wrong tokens are looked at: `WRONG_TOKENS` at once, then one in `WRONG_EVERY_S`."""

    def __init__(self) -> None:
        self._left, self._at_s = float(WRONG_TOKENS), 0.0

    def wait_s(self, now_s: float) -> float:
        """Seconds until the next token is looked at; 0 for at once."""
        self._left = min(self._left + max(now_s - self._at_s, 0.0) / WRONG_EVERY_S, WRONG_TOKENS)
        self._at_s = now_s
        return max(1.0 - self._left, 0.0) * WRONG_EVERY_S

    def failed(self) -> None:
        """Count a wrong one."""
        self._left -= 1.0


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
