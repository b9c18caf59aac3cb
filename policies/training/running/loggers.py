"""Loggers for the numbers of a training run: a CSV file, TensorBoard, and wandb when it is configured."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Mapping, Protocol

from robot.errors import InputError, MissingExtraError
from robot.files import write_table

STEP = "step"


class Logger(Protocol):
    """Takes named numbers that belong to an update."""

    def log(self, step: int, values: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class CsvLog:
    """One row per logged update, one column per name; names may appear at any time.

    Args:
        path: of the file; rows after `step` are dropped, as a resumed run writes them again.
        step: the update that the run resumes from.
    """

    def __init__(self, path: Path, step: int = 0):
        self.path = path
        self.columns = [STEP]
        kept: list[dict[str, str]] = []
        if path.exists():
            try:
                with path.open(newline="", encoding="utf-8") as file:
                    reader = csv.DictReader(file)
                    kept = [row for row in reader if int(row[STEP]) <= step]
                    self.columns = list(reader.fieldnames or self.columns)
            except (ValueError, KeyError, TypeError, csv.Error) as error:
                raise InputError(
                    f"{path}", expected=f"a table with a column '{STEP}' of whole numbers", got=f"{error}",
                    way_out="Put the file back, or remove it: it is begun anew then",
                ) from error  # fmt: skip
        self._rewrite(kept)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        new = [name for name in values if name not in self.columns]
        if new:
            with self.path.open(newline="") as file:
                rows = list(csv.DictReader(file))
            self.columns += new
            self._rewrite(rows)
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.columns, lineterminator="\n").writerow({STEP: step, **values})

    def close(self) -> None:
        pass

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        write_table(self.path, self.columns, rows)


class TensorBoardLog:
    """Scalars for TensorBoard; a resumed run hides what came after the update it resumes from."""

    def __init__(self, folder: Path, step: int = 0):
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class WandbLog:
    """Scalars for Weights & Biases."""

    def __init__(self, project: str, folder: Path, config: Mapping[str, Any]):
        try:
            import wandb
        except ImportError as error:
            raise MissingExtraError("wandb", "wandb") from error
        self._run = wandb.init(project=project, dir=str(folder), config=dict(config), name=folder.name, resume="allow")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()
