"""What a policy is made of and how it is trained: plain frozen values, built strictly from configuration files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Mapping, Protocol

from robot.description import History, SamplerSpec
from robot.description.ranges import Count, Duration, NonNegative, Range, Seed, Workers
from robot.description.record import require_ranges
from robot.errors import InputError, nearest

PRECISIONS = ("auto", "float32", "bf16")
SCHEDULES = ("constant", "constant_with_warmup", "cosine", "cosine_with_restarts", "linear", "polynomial")
NORMALISATIONS = ("limits", "gaussian", "none")

Rows = Annotated[int, Range(1, 10_000)]
Beta = Annotated[float, Range(0, 1, below=True)]


@dataclass(frozen=True)
class NormalisationConfig:
    """How low-dimensional fields are scaled; images never are.

    Args:
        mode: `limits` to [-1, 1], `gaussian` to zero mean and unit deviation, or `none`.
        fields: other modes for named observation fields, or for `action`.
    """

    mode: str = "limits"
    fields: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for mode in (self.mode, *self.fields.values()):
            if mode not in NORMALISATIONS:
                raise InputError(
                    "normalisation mode",
                    expected=f"one of {', '.join(NORMALISATIONS)}",
                    got=f"'{mode}'",
                    way_out=nearest(mode, NORMALISATIONS),
                )

    def mode_of(self, name: str) -> str:
        return self.fields.get(name, self.mode)


@dataclass(frozen=True)
class GeneralistConfig:
    """How datasets of several embodiments become one: a dataset's embodiment is the task that it was recorded of.

    Args:
        names: of the embodiment of each dataset; empty takes the datasets' tasks, or the names of their folders.
        without: keys that are not seen.
        rename: embodiment -> its key -> the name of that in the union, for keys that others have in another shape.
        n_action_steps: embodiment -> rows executed before the next plan; the policy's for those that are not named.
    """

    names: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    rename: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    n_action_steps: Mapping[str, Rows] = field(default_factory=dict)


class ObservingRecipe(Protocol):
    """The part of a recipe that says what is seen, and how it becomes a condition."""

    @property
    def encoder(self) -> Mapping[str, Any]: ...

    @property
    def prompt(self) -> Mapping[str, Any]: ...

    @property
    def augmentation(self) -> Mapping[str, Any] | None: ...

    @property
    def observation(self) -> tuple[str, ...]: ...

    @property
    def n_obs_steps(self) -> int: ...

    @property
    def history(self) -> Mapping[str, History]: ...

    @property
    def transforms(self) -> tuple[Mapping[str, Any], ...]: ...

    @property
    def normalisation(self) -> NormalisationConfig: ...


@dataclass(frozen=True)
class PolicyRecipe:
    """A policy before it has seen data: transforms x encoder x network x objective.

    The parts given as mappings hold a `name` and the options of the part of that name.

    Args:
        network: for example {name: mlp, width: 256}.
        objective: for example {name: flow}.
        encoder: for example {name: state}.
        prompt: what an instruction decides: {name: ignored}, {name: refused} or {name: instruction}; or, with
            {name: advantage}, how an action is told from a better one.
        augmentation: of images while training, or None.
        observation: keys that the policy sees, in order; empty for all keys offered.
        n_obs_steps: newest rows of every key that the policy sees.
        history: other histories for named keys.
        horizon: rows in a chunk; row 0 belongs to the newest observation.
        n_action_steps: rows executed before the next plan.
        transforms: in the order in which they are applied to raw data; undone in reverse.
        normalisation: scaling of what leaves the transforms.
        sampler: default sampler and steps; None takes the objective's own.
        pad_loss: let actions repeated past the end of an episode count in the loss.
        generalist: how datasets that lack keys or action fields of one another are learnt together; None refuses them.
    """

    network: Mapping[str, Any] = field(default_factory=lambda: {"name": "mlp"})
    objective: Mapping[str, Any] = field(default_factory=lambda: {"name": "flow"})
    encoder: Mapping[str, Any] = field(default_factory=lambda: {"name": "state"})
    prompt: Mapping[str, Any] = field(default_factory=lambda: {"name": "ignored"})
    augmentation: Mapping[str, Any] | None = None
    observation: tuple[str, ...] = ()
    n_obs_steps: Rows = 1
    history: Mapping[str, History] = field(default_factory=dict)
    horizon: Rows = 16
    n_action_steps: Rows = 8
    transforms: tuple[Mapping[str, Any], ...] = ()
    normalisation: NormalisationConfig = NormalisationConfig()
    sampler: SamplerSpec | None = None
    pad_loss: bool = False
    generalist: GeneralistConfig | None = None

    def __post_init__(self) -> None:
        require_ranges(self, "policy")
        if self.n_action_steps > self.horizon:
            raise InputError(
                "n_action_steps", expected=f"1 to the horizon {self.horizon}", got=str(self.n_action_steps)
            )


@dataclass(frozen=True)
class EmaConfig:
    """Exponential moving average of the weights: decay(update) = min(decay, 1 - (1 + update)^-power).

    Args:
        decay: the largest decay, reached when the warm-up is over; 0 keeps the raw weights.
        power: of the warm-up; 1 averages all updates alike until `decay` is reached.
    """

    decay: Annotated[float, Range(0, 1, below=True)] = 0.9995
    power: Annotated[float, Range(0, 10)] = 0.75

    def __post_init__(self) -> None:
        require_ranges(self, "ema")


@dataclass(frozen=True)
class ValidationConfig:
    """Loss on held-out episodes, with the averaged weights in evaluation mode and the same noise every time.

    Args:
        fraction: of the episodes held out; 0 trains on all of them.
        every: updates between two measurements.
        batches: at most so many batches a measurement.
    """

    fraction: Annotated[float, Range(0, 1, below=True)] = 0.02
    every: Count = 1000
    batches: Count = 16

    def __post_init__(self) -> None:
        require_ranges(self, "validation")


@dataclass(frozen=True)
class TrainingConfig:
    """How a policy is trained.

    Args:
        steps: optimiser updates; the learning rate is scheduled over them.
        batch_size: windows in one update, over all processes and micro-batches.
        learning_rate: the peak.
        schedule: one of `SCHEDULES`, which are those of `diffusers.optimization`, stepped at every update.
        warmup: updates of linear warm-up.
        betas, weight_decay: of AdamW.
        grad_clip: largest norm of the gradient; 0 does not clip.
        accumulation: micro-batches that one update is split into.
        precision: `float32`, `bf16` autocast, or `auto`: bf16 where the device multiplies it natively.
        minutes: stop early after training for so long, or None.
        stop_after: stop early after so many updates, as Ctrl-C does, or None; resuming goes on.
        seed: of weights, order, noise and split.
        demonstrations: train on so many of the training episodes, drawn by seed; None for all.
        order: how often windows come, {name: uniform}, or by what came of their episodes: {name: return_weighted},
            {name: advantage_weighted}, {name: top} or {name: fact}, or by a file of scores, {name: score}; with their
            options.
        weights: shares of several datasets in every batch, one of each; empty weighs every window alike.
        overfit_one_batch: train on the first batch for ever: the loss must go to nearly nothing.
        log_every, checkpoint_every: in updates.
        evaluate_every: in updates; 0 never evaluates.
        keep_every: checkpoints at multiples of this stay; 0 keeps the last one only.
        wandb: project to log to with wandb, empty for none.
        threads: of torch on a CPU; more than one only helps large networks on an idle machine.
    """

    steps: Count = 30_000
    batch_size: Annotated[int, Range(1, 1_000_000)] = 128
    learning_rate: Annotated[float, Range(0, 10, above=True)] = 1e-3
    schedule: str = "cosine"
    warmup: NonNegative = 500
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    weight_decay: Annotated[float, Range(0, 10)] = 1e-6
    grad_clip: Annotated[float, Range(0, 1e6)] = 1.0
    accumulation: Annotated[int, Range(1, 1_000_000)] = 1
    precision: str = "auto"
    minutes: Duration | None = None
    stop_after: Count | None = None
    seed: Seed = 0
    demonstrations: Count | None = None
    order: Mapping[str, Any] = field(default_factory=lambda: {"name": "uniform"})
    weights: tuple[Annotated[float, Range(0, 1e9, above=True)], ...] = ()
    overfit_one_batch: bool = False
    ema: EmaConfig = EmaConfig()
    validation: ValidationConfig = ValidationConfig()
    log_every: Count = 100
    checkpoint_every: Count = 5000
    evaluate_every: NonNegative = 0
    keep_every: NonNegative = 0
    wandb: str = ""
    threads: Workers = 1

    def __post_init__(self) -> None:
        for name, choices in (("precision", PRECISIONS), ("schedule", SCHEDULES)):
            chosen = getattr(self, name)
            if chosen not in choices:
                raise InputError(
                    f"training.{name}",
                    expected=f"one of {', '.join(choices)}",
                    got=f"'{chosen}'",
                    way_out=nearest(chosen, choices),
                )
        require_ranges(self, "training")
        if self.batch_size % self.accumulation:
            raise InputError(
                "training.accumulation",
                expected=f"a divisor of the batch size {self.batch_size}",
                got=str(self.accumulation),
            )
