"""Monitors on disk: folders of plain JSON and safetensors, whole or not there at all.

monitor.json        format, recipe, the policy that it was made for, quantile of the band, provenance
model.safetensors   centre and modulation of the band, the head's weights, the spread of the actions
critic/             the checkpoint of the critic, where one scores
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from policies.critics.checkpoint import TrainableCritic, load_critic, read_critic_record
from policies.critics.critic import LearntCritic
from policies.model.checkpoint_folder import MONITOR_RECORD, WEIGHTS, find, read_head
from policies.model.files import fill, new_checkpoint, read_tensors, write_json, write_tensors
from policies.model.provenance import Provenance
from policies.monitoring.scores import FailureHead, FeatureScore, ValueScore
from policies.recipe.monitor import DISAGREEMENT, FEATURES_SCORE, VALUE, MonitorRecipe
from robot.description import from_json, to_json
from robot.description.ranges import Finite, Range
from robot.errors import InputError
from robot.monitoring.band import Band
from robot.monitoring.monitor import Monitor
from robot.monitoring.scores import Disagreement, Score

FORMAT, VERSION = "tiller-monitor", 1
CRITIC = "critic"
CENTRE, MODULATION, SPREAD, HEAD = "band.centre", "band.modulation", "spread", "head."


@dataclass(frozen=True)
class MonitoredPolicy:
    """The policy that a monitor was made for.

    Args:
        hash: of it as it acts, with sampler and steering.
        checkpoint: where it was.
        sampler, steps: that it acted with.
        n_action_steps: rows executed per decision.
    """

    hash: str
    checkpoint: str
    sampler: str
    steps: Annotated[int, Range(1, 100_000)]
    n_action_steps: Annotated[int, Range(1, 10_000)]


@dataclass(frozen=True)
class MonitorRecord:
    """The content of monitor.json.

    Args:
        recipe: with the path of the critic as it was given.
        policy: that it was made for.
        quantile: of the band.
        episodes: successful ones that it comes from.
        provenance: of the rollouts.
    """

    format: str
    version: int
    recipe: MonitorRecipe
    policy: MonitoredPolicy
    quantile: Finite
    episodes: Annotated[int, Range(1, 1_000_000_000)]
    provenance: Provenance = field(default_factory=Provenance)


def save_monitor(
    monitor: Monitor, path: Path | str, recipe: MonitorRecipe, policy: MonitoredPolicy, provenance: Provenance
) -> Path:
    """Write a monitor as a new folder; an existing one is replaced only once the new one is complete.

    Args:
        monitor: with the scores of the recipe.
        path: of the folder.
        recipe: that it was made by.
        policy: that it was made for.
        provenance: of the rollouts.
    """
    path, band = Path(path), monitor.band
    tensors: dict[str, Tensor] = {
        CENTRE: torch.from_numpy(np.array(band.centre)),
        MODULATION: torch.from_numpy(np.array(band.modulation)),
    }
    record = MonitorRecord(FORMAT, VERSION, recipe, policy, band.quantile, band.episodes, provenance)
    with new_checkpoint(path) as folder:
        for score in monitor.scores:
            if isinstance(score, FeatureScore):
                tensors |= {HEAD + name: value for name, value in score.head.state_dict().items()}
            elif isinstance(score, Disagreement):
                tensors[SPREAD] = torch.from_numpy(np.array(score.spread))
            elif isinstance(score, ValueScore):
                assert isinstance(score.critic, LearntCritic) and recipe.critic is not None
                (folder / CRITIC).mkdir()
                origin = read_critic_record(find(recipe.critic, "critic.json")).provenance
                TrainableCritic(score.critic).write(folder / CRITIC, origin)
        write_tensors(folder / WEIGHTS, tensors)
        write_json(folder / MONITOR_RECORD, to_json(record))
    return path


def load_monitor(path: Path | str, device: str = "cpu") -> Monitor:
    """Load a monitor.

    Args:
        path: its folder, or the output folder of the run that made it.
        device: of a critic, as in `choose_device`; the rest stays on the CPU.

    Raises:
        InputError: no monitor there but something else, another format version, a file that is missing, cut short or
            incomplete, or a number that decides an alarm and is NaN or infinite.
    """
    folder = find(path, MONITOR_RECORD)
    record = read_monitor_record(folder)
    tensors = read_tensors(folder / WEIGHTS)
    band = _band(tensors, record, folder)
    acted = record.policy
    return Monitor(
        tuple(_score(name, record, tensors, folder, device) for name in record.recipe.scores),
        band,
        record.recipe.memory,
        acted.n_action_steps,
        acted.hash,
        record.recipe.features,
        {
            "path": str(folder),
            "scores": list(record.recipe.scores),
            "alpha": band.alpha,
            "calibrated_on": band.episodes,
            "checkpoint": acted.checkpoint,
            "sampler": acted.sampler,
            "steps": acted.steps,
        },
    )


def read_monitor_record(folder: Path) -> MonitorRecord:
    """The content of monitor.json.

    Raises:
        InputError: it is no JSON, of another format version, or not what this version writes.
    """
    return from_json(
        MonitorRecord, read_head(folder, MONITOR_RECORD, (FORMAT, VERSION)), where=str(folder / MONITOR_RECORD)
    )


def _band(tensors: dict[str, Tensor], record: MonitorRecord, folder: Path) -> Band:
    centre, modulation = (_required(tensors, name, folder).numpy() for name in (CENTRE, MODULATION))
    expected = (len(centre), len(record.recipe.scores))
    sound = np.isfinite(centre).all() and np.isfinite(modulation).all() and (modulation > 0).all()
    if not len(centre) or centre.shape != expected or modulation.shape != expected or not sound:
        raise InputError(
            f"checkpoint '{folder / WEIGHTS}'",
            expected=f"centre and modulation of {expected[1]} scores, finite, the latter above 0",
            got=f"{centre.shape} and {modulation.shape}" if sound else "other numbers",
        )
    return Band(centre, modulation, record.quantile, record.recipe.alpha, record.episodes)


def _score(name: str, record: MonitorRecord, tensors: dict[str, Tensor], folder: Path, device: str) -> Score:
    if name == DISAGREEMENT:
        return Disagreement(_finite(SPREAD, _required(tensors, SPREAD, folder), folder).numpy())
    if name == VALUE:
        return ValueScore(load_critic(folder / CRITIC, device))
    assert name == FEATURES_SCORE
    own = {
        key.removeprefix(HEAD): _finite(key, value, folder) for key, value in tensors.items() if key.startswith(HEAD)
    }
    head = FailureHead.blank(len(_required(own, "mean", folder)), record.recipe.width)
    fill(head, own, folder / WEIGHTS)
    return FeatureScore(head)


def _required(tensors: dict[str, Tensor], name: str, folder: Path) -> Tensor:
    if name not in tensors:
        raise InputError(
            f"checkpoint '{folder / WEIGHTS}'", expected="the tensors that its recipe needs", got=f"no '{name}'"
        )
    return tensors[name]


def _finite(name: str, tensor: Tensor, folder: Path) -> Tensor:
    """A tensor, of which NaN would be read as nothing to count, or infinity as a score that nothing is above."""
    if not tensor.isfinite().all():
        raise InputError(f"checkpoint '{folder / WEIGHTS}': '{name}'", expected="finite numbers", got="NaN or infinity")
    return tensor
