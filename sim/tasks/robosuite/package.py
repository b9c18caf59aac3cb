"""robosuite itself, imported when one of its tasks is used."""

from __future__ import annotations

import logging
import os
from typing import Any


def import_robosuite() -> Any:
    """robosuite, without its warnings at import and without its choice of an OpenGL platform for the whole process."""
    logging.getLogger("robosuite_logs").addFilter(_only_errors)
    chosen = os.environ.get("MUJOCO_GL")
    import robosuite

    if chosen is None:
        os.environ.pop("MUJOCO_GL", None)
    else:
        os.environ["MUJOCO_GL"] = chosen
    return robosuite


def _only_errors(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR
