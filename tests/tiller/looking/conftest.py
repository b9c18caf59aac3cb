"""Stores that are looked at, and a server of them with raw requests to it."""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator
from urllib.parse import urlencode

import imagecodecs
import numpy as np
import pytest

from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.images.encoding import Encoding
from data.store.names import ACTOR, INSTRUCTION, INTERVENTION, REWARD, SUCCESS, TIME
from data.store.schema import Schema, StreamField
from real.page.serving.access import new_token
from real.page.serving.server import PageServer
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from tiller.looking.serving import served

PERIOD_S = 0.05
SIDES = (48, 64)


def schema() -> Schema:
    """A camera of each encoding, joints and other numbers, flags, a stream."""
    observation = ObservationSpec(
        (
            ObservationField("arm.joints", (7,), "float32", "rad", "joint"),
            ObservationField("tcp.wrench", (6,), "float32", "N N N N*m N*m N*m", "wrench"),
            ObservationField("cup.position", (3,), "float32", "m", "pose"),
            ObservationField("front", (*SIDES, 3), "uint8", "1", "image"),
            ObservationField("wrist", (*SIDES, 3), "uint8", "1", "image"),
            ObservationField("depth", SIDES, "uint16", "mm", "depth"),
        )
    )
    commands = (ActionField("arm.joints", 7, "rad", "joint"), ActionField("gripper.width", 1, "m", "width"))
    action = ActionSpec(commands, PERIOD_S)
    return Schema(
        observation,
        action,
        PERIOD_S,
        (INSTRUCTION, SUCCESS),
        (StreamField("force", (3,), "float64", "N"),),
        (TIME, ACTOR, INTERVENTION, REWARD),
        encodings={"front": Encoding("as_it_came"), "depth": Encoding("png")},
    )


def picture(number: int) -> np.ndarray:
    """A picture that says which it is by its colour."""
    y, x = np.mgrid[: SIDES[0], : SIDES[1]]
    return np.stack([x * 4 % 256, y * 5 % 256, np.full_like(x, number * 11 % 256)], axis=2).astype(np.uint8)


def make_episode(number: int, rows: int) -> Episode:
    """An episode that is decided by its number."""
    draw = np.random.default_rng(number)
    at = np.arange(rows)
    joints = np.array([0, 0.2, 0, -2.2, 0, 2.4, 0.8]) + 0.2 * np.sin(at[:, None] / 9 + number)
    data: dict[str, Any] = {
        "arm.joints": joints.astype(np.float32),
        "tcp.wrench": draw.normal(size=(rows, 6)).astype(np.float32),
        "cup.position": np.tile(np.float32([0.5, 0.1, 0.02]), (rows, 1)),
        "front": [bytes(imagecodecs.jpeg8_encode(picture(number + row), level=90)) for row in range(rows)],
        "wrist": np.stack([picture(number + row)[::-1] for row in range(rows)]),
        "depth": (400 + 10 * at[:, None, None] + np.arange(SIDES[1])).repeat(SIDES[0], axis=1).astype(np.uint16),
        "action": np.column_stack([joints, np.full(rows, 0.04)]).astype(np.float32),
        "time_ns": 1_700_000_000_000_000_000 + at.astype(np.int64) * 50_000_000,
        "actor": (at % 2).astype(np.uint8),
        "intervention": at > rows // 2,
        "reward": at.astype(np.float32),
    }
    samples = np.arange(rows * 10)
    stamps = 1_700_000_000_000_000_000 + samples.astype(np.int64) * 5_000_000
    return Episode(
        data,
        {"instruction": f"put cup {number} away", "success": number % 2 == 0},
        {"force": (np.stack([samples * 1.0, np.sin(samples), -samples / 7], axis=1), stamps)},
    )


def make_store(path: Path, episodes: int = 4, rows: int = 30) -> Path:
    """A store of so many episodes, each a row longer than the one before."""
    with Dataset.create(path, schema(), {"robot": "panda", "subtasks": ["reach"]}) as dataset:
        dataset.extend([make_episode(number, rows + number) for number in range(episodes)])
    return path


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that nobody changes."""
    return make_store(tmp_path_factory.mktemp("looked") / "cups")


class Page:
    """A server of stores.

    Attributes:
        server: of them.
        address: of the page.
        token: of it.
    """

    def __init__(self, server: PageServer, address: str, token: str) -> None:
        self.server, self.address, self.token = server, address, token
        self.port = int(address.rstrip("/").rpartition(":")[2])

    @property
    def origin(self) -> str:
        return self.address.rstrip("/")

    @property
    def cookie(self) -> str:
        access = self.server._access
        return f"{access.cookie}={access.session}"

    def ask(self, path: str, *headers: str, host: str = "", method: str = "GET", body: str = "") -> tuple[int, bytes]:
        """Status and body of the answer to a request as it stands."""
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {host or f'127.0.0.1:{self.port}'}",
            "Connection: close",
            *headers,
        ]
        if body:
            lines += [f"Content-Length: {len(body.encode())}", "Content-Type: application/json"]
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
            answer = b""
            try:
                while part := connection.recv(1 << 16):
                    answer += part
            except ConnectionResetError:
                pass
        head, _, rest = answer.partition(b"\r\n\r\n")
        return (int(head.split(b" ", 2)[1]) if head else 0), rest

    def get(self, path: str, **query: Any) -> tuple[int, bytes]:
        """The answer to who has a session."""
        return self.ask(f"{path}?{urlencode(query)}", f"Cookie: {self.cookie}")

    def json(self, path: str, **query: Any) -> Any:
        """What is answered, which has to be good."""
        status, body = self.get(path, **query)
        assert status == 200, body
        return json.loads(body)

    def mark(self, episode: Any, changes: Any, **query: Any) -> tuple[int, bytes]:
        """The answer to a mark; `changes` as they are where they are words."""
        words = urlencode({"store": 0, "generation": 0, "episode": episode, **query})
        body = changes if isinstance(changes, str) else json.dumps(changes)
        own = (f"Cookie: {self.cookie}", f"Origin: {self.origin}")
        return self.ask(f"/mark?{words}", *own, method="POST", body=body)

    @property
    def alive(self) -> bool:
        """Whether it still answers, and nothing of it failed."""
        return not self.server.error and not self.server.faults.count and self.ask("/")[0] == 200


@contextmanager
def looked_at(*paths: Path | str) -> Iterator[Page]:
    token = new_token()
    with served([str(path) for path in paths], "127.0.0.1", 0, token) as (server, address):
        page = Page(server, address, token)
        yield page
        assert page.alive, server.faults.last
