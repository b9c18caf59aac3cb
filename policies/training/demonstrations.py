"""The data of a training: one dataset or several, split, weighted and measured."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from data.learning.episode_weights import make_order, weights_of
from data.learning.finite import require_finite
from data.learning.later import Outcomes, success_outcomes
from data.learning.memory import memory_limit_bytes
from data.learning.sources.mixture import Mixture, require_weights
from data.learning.sources.padded import Padded
from data.learning.sources.source import WindowSource
from data.learning.sources.weighted import Weighted
from data.learning.split import require_different, split_episodes, starts_of
from data.learning.windows import Windows, WindowShape, WindowSpec
from data.store.dataset import Dataset
from data.store.names import FACTS, GROUP, has_fact, require_schema
from policies.model.provenance import Provenance, versions
from policies.recipe.recipe import TrainingConfig
from robot.description import ActionSpec, EmbodimentSpec, ObservationSpec, require_match
from robot.description.embodiment import union_of
from robot.errors import InputError

Data = Dataset | Path | str


@dataclass(frozen=True)
class Demonstrations:
    """Datasets of the same keys and actions, with the episodes to train on and those held out.

    Args:
        datasets: of which they are.
        training, held_out: episodes of each dataset.
        config: weights and order.
        members: the embodiment of each dataset; none where all have the same keys and actions.
    """

    datasets: tuple[Dataset, ...]
    training: tuple[np.ndarray, ...]
    held_out: tuple[np.ndarray, ...]
    config: TrainingConfig
    members: tuple[EmbodimentSpec, ...] = ()

    @classmethod
    def open(
        cls,
        data: Data | Sequence[Data],
        config: TrainingConfig,
        keys: Sequence[str] = (),
        members: Callable[[Sequence[Dataset]], tuple[EmbodimentSpec, ...]] | None = None,
        *,
        by_start: bool = False,
    ) -> Demonstrations:
        """Open datasets and split them.

        Args:
            data: a dataset, or several.
            config: split, weights and order.
            keys: that are seen; empty for all of the first dataset.
            members: gives the embodiment of each dataset, where they may lack keys and action fields of one another.
            by_start: hold out all episodes of a start or none, also where several datasets or groups have it: from one
                start other chunks were tried, which are what a critic is judged on.

        Raises:
            InputError: a dataset without a schema, two whose keys, units, periods or actions differ (both are shown),
                or weights that do not fit.
        """
        given = [data] if isinstance(data, (Dataset, Path, str)) else list(data)
        datasets = tuple(each if isinstance(each, Dataset) else Dataset.open(each) for each in given)
        if not datasets:
            raise InputError("data", expected="at least one dataset", got="none")
        for each in datasets:
            require_schema(each.path, each.schema)
        for other in datasets[1:] if members is None else ():
            _require_same(datasets[0], other, keys)
        if config.validation.fraction:
            require_different(
                datasets,
                "what is held out of one must not be trained on in another",
                "Leave one out, weigh episodes by training.order, or add training.validation.fraction=0",
            )
        if config.weights:
            require_weights("training.weights", np.asarray(config.weights), len(datasets), positive=True)
        make_order(config.order)
        parts = [_episodes(each, config) for each in datasets]
        if by_start:
            parts = _whole_starts(datasets, parts)
        training, held_out = (tuple(part[side] for part in parts) for side in (0, 1))
        opened = cls(datasets, training, held_out, config, () if members is None else members(datasets))
        _ = opened.union  # refuses members that do not go together
        return opened

    @cached_property
    def union(self) -> tuple[ObservationSpec, ActionSpec]:
        """Keys and actions of the datasets, or of the union of their embodiments."""
        schemas = [require_schema(each.path, each.schema) for each in self.datasets]
        if not self.members:
            return schemas[0].observation, schemas[0].action
        return union_of(self.members, [(each.observation, each.action) for each in schemas])

    @property
    def observation(self) -> ObservationSpec:
        return self.union[0]

    @property
    def action(self) -> ActionSpec:
        return self.union[1]

    @property
    def embodiments(self) -> tuple[EmbodimentSpec, ...]:
        """Those of the datasets, each once."""
        return tuple({each.name: each for each in self.members}.values())

    @cached_property
    def embodiment_of(self) -> np.ndarray:
        """The number of each episode's embodiment, (episodes,) int64."""
        if not self.members:
            return np.zeros(sum(map(len, self.datasets)), np.int64)
        names = [each.name for each in self.embodiments]
        numbers = [names.index(member.name) for member in self.members]
        return np.repeat(np.asarray(numbers, np.int64), list(map(len, self.datasets)))

    def windows(self, spec: WindowSpec, columns: Sequence[str] = (), *, outcomes: bool = False) -> list[Windows]:
        """The windows of each dataset's training episodes.

        Args:
            spec: what a window holds.
            columns: further ones of rows.
            outcomes: whether they know their successes, to look ahead.

        Raises:
            InputError: a key or column that a dataset lacks, or a column that two hold in other shapes or types.
        """
        for name in columns:
            kinds = {
                each.path: (each.array(name).shape[1:], each.array(name).dtype)
                for each in self.datasets
                if name in each.keys
            }
            if len(set(kinds.values())) > 1:
                raise InputError(
                    f"column '{name}'",
                    expected="the same shape and type in all datasets",
                    got="; ".join(f"{shape} {dtype} in '{path}'" for path, (shape, dtype) in kinds.items()),
                )
        return [
            Windows(
                each,
                self._own(number, spec),
                episodes,
                columns,
                outcomes=_outcomes(each, outcomes),
                memory_bytes=self._memory(),
            )
            for number, (each, episodes) in enumerate(zip(self.datasets, self.training))
        ]

    def weights(self) -> list[np.ndarray | None]:
        """The weights of each dataset's episodes; None where they count alike.

        Raises:
            InputError: an option outside its range, or a dataset lacks what the order needs.
        """
        order = make_order(self.config.order)
        return [weights_of(each, order, episodes) for each, episodes in zip(self.datasets, self.training)]

    def source(self, windows: Sequence[Windows], spec: WindowSpec) -> WindowSource:
        """Windows of each dataset behind one order, weighted as the configuration says.

        Raises:
            InputError: weights of episodes that nothing can be drawn by.
        """
        members: list[WindowSource | None] = []
        for own, weights in zip(windows, self.weights()):
            members.append(own if weights is None else Weighted(own, weights))
        return self._joined(members, spec, self.config.weights)

    def validation(
        self, spec: WindowSpec, columns: Sequence[str] = (), *, outcomes: bool = False
    ) -> WindowSource | None:
        """Windows of the episodes held out, each once; None where there are none. Arguments as of `windows`."""
        windows = [
            Windows(each, self._own(number, spec), episodes, columns, outcomes=_outcomes(each, outcomes))
            if len(episodes)
            else None
            for number, (each, episodes) in enumerate(zip(self.datasets, self.held_out))
        ]
        return self._joined(windows, spec) if any(windows) else None

    def measured(self, spec: WindowSpec) -> WindowSource:
        """Windows of the training episodes without images, for statistics.

        Raises:
            InputError: a number in these episodes, or in those held out, is NaN or infinite; says where.
        """
        self.require_finite(spec)
        bare = _bare(spec)
        windows = [
            Windows(each, self._own(number, bare), episodes)
            for number, (each, episodes) in enumerate(zip(self.datasets, self.training))
        ]
        return self._joined(windows, bare)

    def require_finite(self, spec: WindowSpec) -> None:
        """Refuse windows with a number, images aside, that nothing can be learnt from or validated on.

        Raises:
            InputError: NaN or infinity; names dataset, key and episode.
        """
        bare = _bare(spec)
        for number, (each, *sides) in enumerate(zip(self.datasets, self.training, self.held_out)):
            for episodes in sides:
                if len(episodes):
                    require_finite(each, Windows(each, self._own(number, bare), episodes))

    def facts(self, names: Sequence[str]) -> dict[str, Tensor]:
        """Facts of every episode, name -> (episodes,) float32.

        Raises:
            InputError: a dataset lacks one, or it is no number.
        """
        return {name: torch.cat([_fact(each, name) for each in self.datasets]) for name in names}

    def provenance(self, semantic_hash: str | None = None, operational_hash: str | None = None) -> Provenance:
        """Where what is trained comes from."""
        prints = [each.fingerprint for each in self.datasets]
        one = prints[0] if len(prints) == 1 else hashlib.sha256(" ".join(prints).encode()).hexdigest()[:16]
        paths = ", ".join(str(each.path) for each in self.datasets)
        return Provenance(0, one, paths, semantic_hash, operational_hash, versions())

    def _own(self, number: int, spec: WindowSpec) -> WindowSpec:
        """What a dataset has of the windows of the union, under its own names."""
        if not self.members:
            return spec
        own = {name: key for name, key in self.members[number].keys.items() if key in spec.observation}
        return WindowShape(replace(self.members[number], keys=own).observation(spec.observation), spec.horizon)

    def _joined(
        self, members: Sequence[WindowSource | None], spec: WindowSpec, weights: Sequence[float] = ()
    ) -> WindowSource:
        """The members of the datasets that have one, behind one order, filled up to the union."""
        padded = [
            member if member is None or not self.members else self._padded(number, member, spec.observation)
            for number, member in enumerate(members)
        ]
        if len(self.datasets) == 1 and padded[0] is not None:
            return padded[0]
        first = np.cumsum([0, *map(len, self.datasets)])[:-1].tolist()
        there = [(member, episode) for member, episode in zip(padded, first) if member is not None]
        return Mixture([member for member, _ in there], weights or None, [episode for _, episode in there])

    def _padded(self, number: int, source: WindowSource, observation: ObservationSpec) -> Padded:
        own, action = self.members[number], self.action
        keys = {name: key for name, key in own.keys.items() if key in observation}
        return Padded(source, keys, observation, own.components(action), action.dim)

    def _memory(self) -> int | None:
        """Bytes of images of each dataset; None leaves it to the one there is."""
        if len(self.datasets) == 1:
            return None
        return memory_limit_bytes() // (4 * len(self.datasets))


def _bare(spec: WindowSpec) -> WindowShape:
    """What decides a window, without images."""
    return WindowShape(ObservationSpec(tuple(key for key in spec.observation if not key.is_image)), spec.horizon)


def _require_same(first: Dataset, other: Dataset, keys: Sequence[str]) -> None:
    """Refuse a dataset whose keys or actions are not those of the first."""
    assert first.schema is not None and other.schema is not None
    seen = tuple(keys) or first.schema.observation.names
    require_match(
        first.schema.observation.select(seen),
        other.schema.observation,
        first.schema.action,
        other.schema.action,
        left=f"dataset {first.path}",
        right=f"dataset {other.path}",
        way_out="Mix datasets of the same keys, units, period and actions: choose keys that all have, or convert one",
    )


def _episodes(data: Dataset, config: TrainingConfig) -> tuple[np.ndarray, np.ndarray]:
    """Episodes to train on and episodes held out; a group is held out whole, as its members share rows."""
    groups = np.asarray(data.meta(GROUP.name)) if has_fact(data.schema, GROUP) else None
    training, held_out = split_episodes(len(data), config.validation.fraction, config.seed, groups)
    if config.demonstrations is not None:
        if not 1 <= config.demonstrations <= len(training):
            raise InputError(
                "training.demonstrations",
                expected=f"1 to {len(training)}, the episodes not held out",
                got=str(config.demonstrations),
            )
        chosen = np.random.default_rng([config.seed, 1]).permutation(training)[: config.demonstrations]
        training = np.sort(chosen)
    return training, held_out


def _whole_starts(
    datasets: Sequence[Dataset], parts: Sequence[tuple[np.ndarray, np.ndarray]]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The parts with all episodes of a start that is held out held out."""
    starts = [starts_of(each) for each in datasets]
    held = {own[number] for own, (_, out) in zip(starts, parts) for number in out.tolist()}
    whole = []
    for data, own, (training, out) in zip(datasets, starts, parts):
        shared = np.array([own[number] in held for number in training.tolist()], bool)
        if shared.all():
            raise InputError(
                f"'{data.path}': starts to train on", expected="some that are not held out", got="only such as are"
            )
        whole.append((training[~shared], np.sort(np.concatenate([out, training[shared]]))))
    return whole


def _outcomes(data: Dataset, needed: bool) -> Outcomes | None:
    return success_outcomes(data) if needed else None


def _fact(data: Dataset, name: str) -> Tensor:
    if name not in data.meta_keys:
        raise InputError(
            f"'{data.path}': fact '{name}'",
            expected="one of every episode",
            got=f"only {', '.join(data.meta_keys) or 'none'}",
            way_out="Collect episodes with it, or train for something else",
        )
    standard = next((each for each in FACTS if each.name == name), None)
    if standard is not None and not has_fact(data.schema, standard):
        raise InputError(
            f"'{data.path}': fact '{name}'", expected=f"the standard one, {standard.dtype}", got="another type"
        )
    values = np.asarray(data.meta(name))
    if values.dtype.kind not in "biuf" or not np.isfinite(values.astype(np.float64)).all():
        raise InputError(f"'{data.path}': fact '{name}'", expected="finite numbers", got="words, NaN or infinity")
    return torch.from_numpy(values.astype(np.float32))
