"""`tiller train`: a policy, a critic or a monitor from recorded episodes, with checkpoints, curves and, when asked,
evaluation in the loop.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Sequence

from robot.errors import InputError
from tiller.command_line.command import run_configured
from tiller.configuration.compose import Configuration
from tiller.training.critic import train_judged_critic
from tiller.training.opening import listed
from tiller.training.options import TrainOptions
from tiller.training.policy import train_policy

if TYPE_CHECKING:
    from policies.training.trainer import TrainingResult

KINDS = ("policy", "critic", "monitor")
"""What is trained, by the groups of options that say how."""


def command(words: Sequence[str]) -> int:
    """Run the verb."""
    given = {
        kind: word for kind in KINDS for word in reversed(words) if word.startswith((f"{kind}=", f"{kind}."))
    }  # the first word of each
    if len(given) > 1:
        raise InputError(
            f"'{next(iter(given.values()))}'",
            expected="options of a policy, of a critic or of a monitor",
            got=f"those of a {' and a '.join(given)}",
            way_out="Train one after the other; a critic has its own observation, critic.observation",
        )
    if "policy" in given and any(word.startswith("initial=") for word in words):
        raise InputError(
            f"'{given['policy']}'",
            expected="nothing beside initial=, whose recipe the policy has",
            got="another recipe",
            way_out="Leave it out, or train a new policy without initial=",
        )
    return run_configured("train", TrainOptions, run, words)


def run(configuration: Configuration[TrainOptions]) -> int:
    """Train, and write checkpoints, metrics.csv and TensorBoard files.

    Raises:
        KeyboardInterrupt: it was stopped, and saved what it had.
    """
    options = configuration.options
    if options.resume and not options.output:
        raise InputError(
            "'output'",
            expected="the folder of the run to go on with",
            got="nothing",
            way_out="Add output= beside resume=true",
        )
    for name in ("judge", "base", "base_sampler", "base_steps"):
        if getattr(options, name) is not None and options.critic is None:
            way_out = "Add critic=, or use tiller evaluate" if name == "judge" else "Add critic="
            raise InputError(f"'{name}'", expected="a critic to train", got="a policy", way_out=way_out)
    if options.initial is not None and options.critic is not None:
        raise InputError("'initial'", expected="a policy to train", got="a critic", way_out="Leave initial= out")
    if options.options and not options.task:
        raise InputError(
            "'options'",
            expected="a task that they are of",
            got=f"{', '.join(options.options)} without a task",
            way_out="Add task=, or leave them out",
        )
    from tiller.runs.threads import limit_threads

    limit_threads(options.training.threads)
    if options.monitor is not None:
        from tiller.runs.monitor import make

        make(options.checkpoint, listed(options.data), options.monitor, options.training, options)
        return 0
    if options.checkpoint is not None:
        raise InputError(
            "'checkpoint'", expected="a monitor that is for it", got="a policy or a critic to train",
            way_out="Add monitor=features",
        )  # fmt: skip
    train_it = train_policy if options.critic is None else train_judged_critic
    output, result, more = train_it(configuration)
    if result.stopped == "interrupted":
        raise KeyboardInterrupt(
            f"Stopped before the end; add output={output.path if output else options.output} and resume=true to go on"
        )
    if output is not None and result.stopped != "stop_after":
        output.finish({**figures(result), **more})
    return 0


def figures(result: TrainingResult) -> dict[str, Any]:
    """Headline figures of a run."""
    losses = {"loss": result.loss, "validation_loss": result.validation_loss}
    values: dict[str, Any] = {
        "updates": result.updates,
        "minutes": result.elapsed_s / 60,
        "processor_minutes": result.processor_s / 60,
        **{name: loss for name, loss in losses.items() if math.isfinite(loss)},
    }
    for measured in list(result.evaluations.values())[-1:]:
        values.update(measured)
    return values
