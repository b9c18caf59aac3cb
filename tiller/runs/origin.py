"""Where a checkpoint was trained."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Mapping

from robot.errors import InputError
from tiller.runs.output import CONFIG, written_by


def trained_task(checkpoint_path: str) -> tuple[str | None, Mapping[str, Any]]:
    """The task and its options that the training run of a checkpoint was given; None where it had none."""
    import yaml

    from policies.loading.folder import chain

    start = Path(checkpoint_path)
    with suppress(InputError):  # a steered one was trained where its base was
        start = chain(checkpoint_path)[-1]
    start = start.resolve()
    for folder in (start, *list(start.parents)[:3]):
        if written_by(folder) != "train":
            continue
        try:
            values = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            return None, {}
        if isinstance(values, dict) and values.get("task"):
            return str(values["task"]), values.get("options") or {}
        return None, {}
    return None, {}
