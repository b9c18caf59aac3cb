"""Train a module of one's own with the one trainer: a critic, a verifier, a reward classifier.

class Verifier(LossModule):
    def loss(self, batch, generator):
        logit = self.network(torch.cat([batch.observation["tcp.position"].flatten(1), batch.action.flatten(1)], 1))
        return F.binary_cross_entropy_with_logits(logit[:, 0], batch.facts["success"], reduction="sum")

fit_module(Verifier(), "runs/demonstrations", "runs/verifier", keys=["tcp.position"], horizon=8, facts=["success"])
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Sequence, TypeVar

import numpy as np
import torch

from data.learning.windows import WindowShape
from policies.model.batch import TensorBatch
from policies.model.checkpoint_folder import MODULE_RECORD, WEIGHTS, find, read_head
from policies.model.device import choose_device
from policies.model.files import fill, read_tensors, write_json, write_tensors
from policies.model.provenance import Provenance
from policies.model.trainable import LossModule
from policies.recipe.recipe import TrainingConfig, ValidationConfig
from policies.training.batches import to_torch
from policies.training.demonstrations import Data, Demonstrations
from policies.training.fit import fit
from policies.training.running.run import training_run
from policies.training.trainer import Evaluate, TrainingResult
from robot.description import History, ObservationSpec, from_json, to_json
from robot.errors import InputError

FORMAT, VERSION = "tiller-module", 1

Module = TypeVar("Module", bound=LossModule)


@dataclass(frozen=True)
class ModuleRecord:
    """The content of module.json.

    Args:
        name: of the module's class.
        settings: plain values, as they were given.
        window: what its batches hold: keys, steps, horizon, facts and columns.
    """

    format: str
    version: int
    name: str
    settings: Mapping[str, Any]
    window: Mapping[str, Any]
    provenance: Provenance


@dataclass(frozen=True)
class TrainableModule:
    """A module of one's own as the trainer trains it.

    Args:
        model: the module.
        settings, window: as of `ModuleRecord`.
    """

    model: LossModule
    settings: Mapping[str, Any] = field(default_factory=dict)
    window: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "module"

    @property
    def trained(self) -> LossModule:
        return self.model

    @property
    def recipe(self) -> Mapping[str, Any]:
        return {"name": type(self.model).__name__, "settings": to_json(self.settings), "window": to_json(self.window)}

    def with_model(self, model: LossModule) -> TrainableModule:
        return TrainableModule(model, self.settings, self.window)

    def write(self, folder: Path, provenance: Provenance) -> None:
        write_tensors(folder / WEIGHTS, self.model.state_dict())
        record = ModuleRecord(FORMAT, VERSION, type(self.model).__name__, self.settings, self.window, provenance)
        write_json(folder / MODULE_RECORD, to_json(record))

    def read_origin(self, folder: Path) -> tuple[Mapping[str, Any], Provenance]:
        record = _read_record(folder)
        return {"name": record.name, "settings": record.settings, "window": record.window}, record.provenance


def fit_module(
    module: LossModule,
    data: Data | Sequence[Data],
    output: Path | str,
    config: TrainingConfig = TrainingConfig(),
    *,
    keys: Sequence[str] = (),
    n_obs_steps: int = 1,
    horizon: int = 1,
    facts: Sequence[str] = (),
    columns: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    evaluate: Evaluate | None = None,
    resume: bool = False,
    device: str = "auto",
) -> TrainingResult:
    """Train a module on windows of recorded episodes: averaged weights, exact resume, loggers, precision, processes.

    Args:
        module: with fresh weights; it is trained in place. Its loss is the sum over a batch, not the mean.
        data: a dataset or several, or where they are.
        output: folder for checkpoints, metrics.csv and TensorBoard.
        config: how to train it.
        keys: that a batch shows; empty for all that are no images.
        n_obs_steps: newest rows of every key.
        horizon: rows of actions of a window, from the newest observation on.
        facts: of each window's episode that a batch brings along, as float32: `batch.facts["success"]`.
        columns: of each window's newest row that a batch brings along.
        settings: plain values that are kept with the module; a run resumes with the same ones only.
        evaluate: called with the module of averaged weights and the updates done, every `config.evaluate_every`
            updates and at the end; returns numbers to log.
        resume: go on from the last checkpoint in `output`, exactly.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        InputError: data, output or device do not fit, or an episode lacks a fact.
        TillerError: training diverged.
    """
    settings = dict(settings or {})
    _require_plain(settings)
    for name, value, kind in (("module", module, LossModule), ("config", config, TrainingConfig)):
        if not isinstance(value, kind):
            raise InputError(f"{name} to train", expected=f"a {kind.__name__}", got=f"a {type(value).__name__}")
    for name, words in (("keys", keys), ("facts", facts), ("columns", columns)):
        if isinstance(words, str):
            raise InputError(name, expected=f"a list of names, such as ['{words}']", got=f"'{words}'")
    if next(module.parameters(), None) is None:
        raise InputError("module to train", expected="one with parameters", got="none")
    for name, size in (("horizon", horizon), ("n_obs_steps", n_obs_steps)):
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= 10_000:
            raise InputError(name, expected="a whole number from 1 to 10,000", got=repr(size))
    with training_run(config, output, resume=resume, device=device) as run:
        demonstrations = Demonstrations.open(data, config, keys)
        spec = _window(demonstrations.observation, keys, n_obs_steps, horizon)
        window = {
            "keys": list(spec.observation.names), "n_obs_steps": n_obs_steps, "horizon": horizon, "facts": list(facts),
            "columns": list(columns),
        }  # fmt: skip
        return fit(
            run,
            TrainableModule(module, settings, window),
            demonstrations.source(demonstrations.windows(spec, columns), spec),
            demonstrations.provenance(),
            facts=demonstrations.facts(facts),
            held_out=demonstrations.validation(spec, columns) if run.ranks.is_main else None,
            ahead=any(key.is_image for key in spec.observation),
            evaluate=evaluate,
        )


def window_batch(
    data: Data,
    *,
    keys: Sequence[str] = (),
    n_obs_steps: int = 1,
    horizon: int = 1,
    facts: Sequence[str] = (),
    columns: Sequence[str] = (),
    every: int = 1,
) -> TensorBatch:
    """Every so many windows of all episodes as one batch on the CPU, to try a module on.

    Args:
        data: a dataset, or where it is.
        keys, n_obs_steps, horizon, facts, columns: as of `fit_module`.
        every: windows from one to the next.

    Raises:
        InputError: the dataset lacks a key, a fact or a column.
    """
    plain = TrainingConfig(validation=ValidationConfig(0.0))
    demonstrations = Demonstrations.open(data, plain, keys)
    spec = _window(demonstrations.observation, keys, n_obs_steps, horizon)
    source = demonstrations.source(demonstrations.windows(spec, columns), spec)
    return to_torch(source, np.arange(0, len(source), every), demonstrations.facts(facts))


def load_module(module: Module, path: Path | str, device: str = "cpu") -> Module:
    """Fill a module with the weights that were trained.

    Args:
        module: made as it was for the training.
        path: a checkpoint folder, or the output folder of the training run.
        device: as in `choose_device`.

    Returns:
        It, in evaluation mode.

    Raises:
        InputError: no module there but something else, one of another class or with other tensors, or a file that is
            missing or cut short.
    """
    folder = find(path, MODULE_RECORD)
    record = _read_record(folder)
    if record.name != type(module).__name__:
        raise InputError(f"checkpoint '{folder}'", expected=f"a {type(module).__name__}", got=f"a {record.name}")
    fill(module, read_tensors(folder / WEIGHTS), folder / WEIGHTS)
    loaded: Module = module.to(torch.device(choose_device(device))).eval()
    return loaded


def _window(offered: ObservationSpec, keys: Sequence[str], n_obs_steps: int, horizon: int) -> WindowShape:
    seen = offered.select(list(keys) or [key.name for key in offered if not key.is_image])
    return WindowShape(seen.with_history({name: History(n_obs_steps) for name in seen.names}), horizon)


def _require_plain(settings: Mapping[str, Any]) -> None:
    try:
        json.dumps(to_json(settings), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError("settings", expected="plain values: words, finite numbers, lists", got=str(error)) from error


def _read_record(folder: Path) -> ModuleRecord:
    return from_json(
        ModuleRecord, read_head(folder, MODULE_RECORD, (FORMAT, VERSION)), where=str(folder / MODULE_RECORD)
    )
