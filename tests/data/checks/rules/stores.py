"""Stores that are clean but for what a test changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np

from data.checks.report import Finding, Report
from data.store.images.encoding import Encoding
from data.store.names import SUCCESS, TIME
from data.store.schema import MetaField, Schema, StreamField
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec

EPISODES, ROWS, PERIOD_S, RATE = 6, 60, 0.05, 5
BAD = 3  # the episode that a test spoils
SCHEMA = Schema(
    ObservationSpec(
        (
            ObservationField("tcp.position", (3,), "float32", "m", "pose"),
            ObservationField("gripper.width", (1,), "float32", "m", "width"),
            ObservationField("front.image", (32, 32, 3), "uint8", "1", "image"),
            ObservationField("side.image", (8, 8, 3), "uint8", "1", "image"),
        )
    ),
    ActionSpec((ActionField("tcp.position", 3, "m", "pose"), ActionField("gripper.width", 1, "m", "width")), PERIOD_S),
    PERIOD_S,
    (SUCCESS, MetaField("recording", "string")),
    (StreamField("wrench", (6,), "float64", "N N N N*m N*m N*m"),),
    (TIME,),
    encodings={"front.image": Encoding("as_it_came")},
)
Change = Callable[[int, dict[str, Any], dict[str, Any]], None]
Build = Callable[..., Path]


def jpegs(draw: np.random.Generator, rows: int, size: int = 32, quality: int = 90) -> list[bytes]:
    """Images that all differ, as a camera sends them."""
    import imagecodecs

    smooth = draw.integers(0, 256, (rows, 4, 4, 3), dtype=np.uint8).repeat(size // 4, 1).repeat(size // 4, 2)
    return [bytes(imagecodecs.jpeg8_encode(image, level=quality)) for image in smooth]


def rows_of(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Rows and streams of a clean episode: a smooth motion that is another one each time, and a gripper that closes."""
    draw = np.random.default_rng(number)
    time_s = np.arange(ROWS) * PERIOD_S
    phase, speed = draw.uniform(0, 6, 3), draw.uniform(1.5, 2.5, 3)
    position = (0.1 * np.sin(phase + np.outer(time_s, speed))).astype(np.float32)
    width = np.where(time_s[:, None] < draw.uniform(1, 2), 0.08, 0.0).astype(np.float32)
    start_ns = number * 10**10
    data = {
        "tcp.position": position,
        "gripper.width": width,
        "front.image": jpegs(draw, ROWS),
        "side.image": draw.integers(0, 256, (ROWS, 8, 8, 3), dtype=np.uint8),
        "action": np.concatenate([position + np.float32(0.01), width], 1),
        "time_ns": start_ns + (np.arange(ROWS) * PERIOD_S * 1e9).astype(np.int64),
    }
    stamps = start_ns + (np.arange(ROWS * RATE) * PERIOD_S / RATE * 1e9).astype(np.int64)
    return data, {"wrench": (draw.normal(size=(ROWS * RATE, 6)), stamps)}


def only(report: Report) -> Finding:
    """The one finding of a report, which is about one episode and says what can be done."""
    assert len(report.findings) == 1, report.lines()
    (finding,) = report.findings
    assert finding.rule and finding.episode is not None and finding.way_out
    assert f"{finding.rule}: {finding.way_out}" in "\n".join(report.lines())
    return finding
