"""Train a module of one's own with the one trainer: a critic, a verifier, a reward classifier.

class Verifier(LossModule):
    def loss(self, batch, generator):
        logit = self.network(torch.cat([batch.observation["tcp.position"].flatten(1), batch.action.flatten(1)], 1))
        return F.binary_cross_entropy_with_logits(logit[:, 0], batch.facts["success"], reduction="sum")

fit_module(Verifier(), "runs/demonstrations", "runs/verifier", keys=["tcp.position"], horizon=8, facts=["success"])
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Sequence, TypeVar

import torch

from policies.model.checkpoint_folder import WEIGHTS, find, read_head
from policies.model.device import choose_device
from policies.model.files import fill, read_tensors, write_json, write_tensors
from policies.model.provenance import Provenance
from policies.model.trainable import LossModule
from policies.recipe.recipe import TrainingConfig
from policies.training.demonstrations import Data, Demonstrations
from policies.training.fit import fit
from policies.training.run import training_run
from policies.training.trainer import Evaluate, TrainingResult
from robot.description import History, ObservationSpec, from_json, to_json
from robot.errors import InputError

FORMAT, VERSION, RECORD = "tiller-module", 1, "module.json"

Module = TypeVar("Module", bound=LossModule)


@dataclass(frozen=True)
class ModuleRecord:
    """The content of module.json.

    Args:
        name: of the module's class.
        settings: plain values, as they were given.
    """

    format: str
    version: int
    name: str
    settings: Mapping[str, Any]
    provenance: Provenance


@dataclass(frozen=True)
class TrainableModule:
    """A module of one's own as the trainer trains it."""

    model: LossModule
    settings: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "module"

    @property
    def trained(self) -> LossModule:
        return self.model

    @property
    def recipe(self) -> Mapping[str, Any]:
        return {"name": type(self.model).__name__, "settings": to_json(self.settings)}

    def with_model(self, model: LossModule) -> TrainableModule:
        return TrainableModule(model, self.settings)

    def write(self, folder: Path, provenance: Provenance) -> None:
        write_tensors(folder / WEIGHTS, self.model.state_dict())
        record = ModuleRecord(FORMAT, VERSION, type(self.model).__name__, self.settings, provenance)
        write_json(folder / RECORD, to_json(record))

    def read_origin(self, folder: Path) -> tuple[Mapping[str, Any], Provenance]:
        record = _read_record(folder)
        return {"name": record.name, "settings": record.settings}, record.provenance


@dataclass(frozen=True)
class _Window:
    observation: ObservationSpec
    horizon: int


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
        module: with fresh weights; it is trained in place.
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
    with training_run(config, output, resume=resume, device=device) as run:
        demonstrations = Demonstrations.open(data, config, keys)
        offered = demonstrations.observation
        seen = offered.select(list(keys) or [key.name for key in offered if not key.is_image])
        spec = _Window(seen.with_history({name: History(n_obs_steps) for name in seen.names}), horizon)
        return fit(
            run,
            TrainableModule(module, dict(settings or {})),
            demonstrations.source(demonstrations.windows(spec, columns)),
            demonstrations.provenance(),
            facts=demonstrations.facts(facts),
            held_out=demonstrations.validation(spec, columns) if run.ranks.is_main else None,
            ahead=any(key.is_image for key in seen),
            evaluate=evaluate,
        )


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
    folder = find(path, RECORD)
    record = _read_record(folder)
    if record.name != type(module).__name__:
        raise InputError(f"checkpoint '{folder}'", expected=f"a {type(module).__name__}", got=f"a {record.name}")
    fill(module, read_tensors(folder / WEIGHTS), folder / WEIGHTS)
    loaded: Module = module.to(torch.device(choose_device(device))).eval()
    return loaded


def _read_record(folder: Path) -> ModuleRecord:
    return from_json(ModuleRecord, read_head(folder, RECORD, (FORMAT, VERSION)), where=str(folder / RECORD))
