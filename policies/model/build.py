"""Build a policy that can be trained or loaded from a recipe and the specs of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from data.learning.sources.source import WindowSource
from data.learning.statistics import FieldStatistics, RunningStatistics
from policies.encoders import PromptEncoder, make_encoder, make_prompt_encoder
from policies.encoders.tokens import TokenEncoder
from policies.model.embodiments import Embodiments
from policies.model.model import PolicyModel
from policies.model.policy import DiffusionPolicy
from policies.networks import make_network
from policies.networks.tokens import TokenLayout
from policies.objectives import Objective, make_objective
from policies.recipe.choice import choose
from policies.recipe.recipe import ObservingRecipe, PolicyRecipe
from policies.transforms import TransformChain, make_chain
from policies.transforms.augmentation import ImageAugmentation
from policies.transforms.normaliser import ACTION, NONE, Normaliser
from robot.description import ActionSpec, EmbodimentSpec, History, ObservationSpec, PolicySpec, SamplerSpec, to_json
from robot.errors import InputError, nearest

ROWS_MEASURED_AT_ONCE = 8192


def policy_spec(
    recipe: PolicyRecipe,
    observation: ObservationSpec,
    action: ActionSpec,
    embodiments: Sequence[EmbodimentSpec] = (),
) -> PolicySpec:
    """What a policy of this recipe sees and returns, given what a dataset or a task offers, or several embodiments of
    which that is the union.

    Raises:
        InputError: the recipe names a key that is not offered, or a sampler that its objective lacks.
    """
    return PolicySpec(
        observation=chosen_keys(recipe, observation),
        action=action,
        horizon=recipe.horizon,
        n_action_steps=recipe.n_action_steps,
        sampler=_sampler(recipe, _objective(recipe)),
        transforms={"transforms": to_json(recipe.transforms)},
        prompt=make_prompt_encoder(**named("prompt", recipe.prompt)).spec,
        embodiments=tuple(embodiments),
    )


def chosen_keys(recipe: ObservingRecipe, observation: ObservationSpec) -> ObservationSpec:
    """The keys that a recipe sees of those that are offered, with their histories.

    Raises:
        InputError: it names a key that is not offered.
    """
    chosen = observation.select(recipe.observation) if recipe.observation else observation
    for name in recipe.history:
        chosen[name]
    return chosen.with_history({name: recipe.history.get(name, History(recipe.n_obs_steps)) for name in chosen.names})


def build_policy(
    recipe: PolicyRecipe, spec: PolicySpec, statistics: Mapping[str, FieldStatistics] | None = None
) -> DiffusionPolicy:
    """Build a policy with fresh weights, in evaluation mode.

    Args:
        recipe: its parts.
        spec: from `policy_spec`, or from a checkpoint.
        statistics: from `measure`; None leaves the normaliser to be filled from a checkpoint.

    Raises:
        InputError: a part, or an option of one, is unknown or does not fit.
    """
    seen = build_condition(recipe, spec.observation, spec.action, statistics)
    action = seen.chain.outgoing[1]
    if statistics is not None and recipe.normalisation.mode_of(ACTION) == NONE:
        _check_size(recipe, action, statistics[ACTION])
    embodiments = Embodiments(spec.embodiments, seen.chain) if spec.embodiments else None
    if embodiments is not None and seen.prompt_encoder.adds:
        raise InputError("policy.prompt.name=advantage", expected="a policy of one embodiment", got="one of several")
    network = make_network(
        horizon=spec.horizon,
        action_dim=action.dim,
        condition_dim=seen.dim + (0 if embodiments is None else embodiments.flags.shape[1]),
        layout=_layout(seen, embodiments is not None),
        **named("network", recipe.network),
    )
    model = PolicyModel(
        seen.chain,
        seen.normaliser,
        seen.augmentation,
        seen.encoder,
        network,
        _objective(recipe),
        recipe.pad_loss,
        recipe.normalisation.mode_of(ACTION),
        seen.prompt_encoder,
        embodiments,
    )
    return DiffusionPolicy(model.eval(), spec, recipe)


def _layout(seen: ConditionParts, flagged: bool) -> TokenLayout | None:
    """Where the parts of a condition are, of an encoder of tokens."""
    if not isinstance(seen.encoder, TokenEncoder):
        return None
    fields = tuple(field.size for field in seen.chain.outgoing[1].fields)
    return TokenLayout(len(seen.encoder.keys), seen.encoder.width, fields, flagged, seen.prompt_encoder.condition_dim)


@dataclass(frozen=True)
class ConditionParts:
    """What turns an observation and a prompt into a condition.

    Args:
        chain: transforms between raw data and what is learnt.
        normaliser: scaling of what leaves the chain, actions included.
        augmentation: of images, and their scaling.
        encoder, prompt_encoder: to the parts of the condition.
    """

    chain: TransformChain
    normaliser: Normaliser
    augmentation: ImageAugmentation
    encoder: nn.Module
    prompt_encoder: PromptEncoder

    @property
    def dim(self) -> int:
        """Numbers of the condition."""
        return int(self.encoder.condition_dim) + self.prompt_encoder.condition_dim


def build_condition(
    recipe: ObservingRecipe,
    seen: ObservationSpec,
    action: ActionSpec,
    statistics: Mapping[str, FieldStatistics] | None = None,
) -> ConditionParts:
    """Build what a policy and a critic see through, with fresh weights.

    Args:
        recipe: its parts.
        seen: keys with their histories.
        action: raw actions.
        statistics: from `measure`; None leaves the normaliser to be filled from a checkpoint.

    Raises:
        InputError: a part, or an option of one, is unknown or does not fit.
    """
    for key in seen:
        if key.kind == "depth":
            raise InputError(
                f"observation '{key.name}'",
                expected="colour images or low-dimensional keys",
                got="depth",
                way_out="Leave it out of policy.observation",
            )
    chain = make_chain(recipe.transforms, seen, action)
    observation, learnt = chain.outgoing
    normaliser = Normaliser({**_row_shapes(observation), ACTION: (learnt.dim,)})
    _check_normalised(recipe, normaliser)
    if statistics is not None:
        for name in normaliser.keys:
            normaliser[name].fit(recipe.normalisation.mode_of(name), statistics[name])
    augmentation = ImageAugmentation(**_augmentation(recipe))
    images = [key.name for key in observation if key.kind == "image"]
    shapes = augmentation.shapes({key.name: (key.history.steps, *key.shape) for key in observation}, images)
    encoder = make_encoder(
        shapes=shapes, pretrained=statistics is not None, images=images, **named("encoder", recipe.encoder)
    )
    prompt_encoder = make_prompt_encoder(**named("prompt", recipe.prompt))
    prompt_encoder.take_size(int(encoder.condition_dim))
    return ConditionParts(chain, normaliser, augmentation, encoder, prompt_encoder)


def measure(
    windows: WindowSource,
    chain: TransformChain,
    embodiments: Sequence[EmbodimentSpec] = (),
    embodiment_of: np.ndarray | None = None,
) -> dict[str, FieldStatistics]:
    """Statistics of what leaves the transforms: every low-dimensional key and `action`.

    Windows are measured, not rows: a relative action is another number for each row that sees it.

    Args:
        windows: without images, which need no statistics.
        chain: transforms of a policy that may see images too.
        embodiments: of a union; what one lacks is not measured.
        embodiment_of: (episodes,) the number of each episode's embodiment.
    """
    observation, action = chain.outgoing
    running = {name: RunningStatistics(shape, _measured(name)) for name, shape in _row_shapes(observation).items()}
    if embodiments:
        assert embodiment_of is not None
        return _measured_union(windows, chain, Embodiments(embodiments, chain), embodiment_of, running)
    running[ACTION] = RunningStatistics((action.dim,), _measured(ACTION))
    for start in range(0, len(windows), ROWS_MEASURED_AT_ONCE):
        batch = windows.gather(np.arange(start, min(start + ROWS_MEASURED_AT_ONCE, len(windows))))
        stages = chain.forward_observation({name: torch.from_numpy(value) for name, value in batch.observation.items()})
        for name, value in stages[-1].items():
            running[name].update(value.flatten(0, 1).numpy())
        target = chain.forward_action(torch.from_numpy(batch.action), stages).numpy()
        running[ACTION].update(target[~batch.is_pad])
    return {name: one.result() for name, one in running.items()}


def _measured_union(
    windows: WindowSource,
    chain: TransformChain,
    embodiments: Embodiments,
    embodiment_of: np.ndarray,
    running: dict[str, RunningStatistics],
) -> dict[str, FieldStatistics]:
    """Statistics of what leaves the transforms, each of the rows of those embodiments that have it."""
    action = chain.outgoing[1]
    fields = {field.name: RunningStatistics((field.size,), _measured(field.name)) for field in action.fields}
    for start in range(0, len(windows), ROWS_MEASURED_AT_ONCE):
        batch = windows.gather(np.arange(start, min(start + ROWS_MEASURED_AT_ONCE, len(windows))))
        of = embodiment_of[batch.episode]
        stages = chain.forward_observation({name: torch.from_numpy(value) for name, value in batch.observation.items()})
        target = chain.forward_action(torch.from_numpy(batch.action), stages).numpy()
        there = embodiments.keys.numpy()[of]
        for number, name in enumerate(embodiments.names):
            if name in running:
                running[name].update(stages[-1][name].numpy()[there[:, number]].reshape(-1, *running[name].shape))
        for name, one in fields.items():
            has = np.array([name in spec.fields for spec in embodiments.specs])[of]
            one.update(target[~batch.is_pad & has[:, None]][:, action.slices[name]])
    results = {name: one.result() for name, one in fields.items()}
    joined = {
        part: np.concatenate([getattr(result, part) for result in results.values()])
        for part in ("min", "max", "mean", "std")
    }
    whole = FieldStatistics(min(result.count for result in results.values()), **joined)
    return {**{name: one.result() for name, one in running.items()}, ACTION: whole}


def _measured(name: str) -> str:
    return f"'{name}' as the transforms give it (policy.transforms)"


def _row_shapes(observation: ObservationSpec) -> dict[str, tuple[int, ...]]:
    return {key.name: key.shape for key in observation if not key.is_image}


def _check_normalised(recipe: ObservingRecipe, normaliser: Normaliser) -> None:
    for name in recipe.normalisation.fields:
        if name not in normaliser.keys:
            raise InputError(
                f"normalisation.fields.{name}",
                expected="a low-dimensional key or 'action'",
                got=f"'{name}'",
                way_out=nearest(name, normaliser.keys),
            )


def _check_size(recipe: PolicyRecipe, action: ActionSpec, statistics: FieldStatistics) -> None:
    """Refuse unnormalised actions that are too large, against its noise, for the objective to sample."""
    size, largest = np.hypot(statistics.std, statistics.mean), _objective(recipe).largest_action
    worst = int(size.argmax())
    if size[worst] > largest:
        raise InputError(
            f"actions without normalisation for objective '{recipe.objective['name']}'",
            expected=f"a root mean square of at most {largest:g}, as its noise is of size 1",
            got=f"{size[worst]:.4g} in {action.component_names[worst]}",
            way_out="Add policy.normalisation.fields.action=limits (or gaussian), or choose policy=flow_mlp",
        )


def _objective(recipe: PolicyRecipe) -> Objective:
    return make_objective(**named("objective", recipe.objective))


def _sampler(recipe: PolicyRecipe, objective: Objective) -> SamplerSpec:
    chosen = recipe.sampler
    return SamplerSpec(*objective.choose(chosen.name if chosen else None, chosen.steps if chosen else None))


def named(part: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Name and options of a part.

    Raises:
        InputError: it has no name.
    """
    if not isinstance(settings.get("name"), str):
        raise InputError(part, expected="a name and its options", got=str(dict(settings)))
    return dict(settings)


def _augmentation(recipe: ObservingRecipe) -> dict[str, Any]:
    options = dict(recipe.augmentation or {})
    choose("augmentation", {"image": ImageAugmentation}, "image", options)
    return options
