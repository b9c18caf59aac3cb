"""Make a monitor of a policy from recorded rollouts, in an output folder, with progress and a summary."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Sequence

from policies.recipe.monitor import FEATURES_SCORE, MonitorRecipe
from policies.recipe.recipe import TrainingConfig
from robot.description import to_json
from robot.errors import InputError
from tiller.runs.output import open_output

if TYPE_CHECKING:
    from policies.monitoring.judgement import MonitorJudgement
    from policies.monitoring.train import MadeMonitor


def make(
    checkpoint: str | None,
    data: Sequence[str],
    recipe: MonitorRecipe,
    training: TrainingConfig,
    options: Any,
) -> None:
    """Make a monitor, print how it does on the failures that it did not learn from, and mark the run as done.

    Args:
        checkpoint: of the policy.
        data: its rollouts.
        recipe, training: of the monitor.
        options: of the verb: output, resume, overwrite, device; all of it is written beside the result.

    Raises:
        InputError: no checkpoint, more than one process, or what `make_monitor` refuses.
        KeyboardInterrupt: the training was stopped, and saved what it had.
    """
    from data.store.dataset import Dataset
    from policies.loading.folder import chain
    from policies.monitoring.rollouts import acting_policy
    from policies.monitoring.split import require_outcomes, split_starts
    from policies.monitoring.train import make_monitor
    from tiller.runs.progress import Counter

    if not checkpoint:
        raise InputError(
            "'checkpoint'",
            expected="the policy that the monitor is for",
            got="none",
            way_out="Add checkpoint=outputs/train/...",
        )
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise InputError("torchrun", expected="one process, as a monitor takes seconds", got=os.environ["WORLD_SIZE"])
    datasets = [Dataset.open(path) for path in data]
    if not datasets:
        raise InputError("'data'", expected="a dataset of rollouts, or several", got="an empty list")
    # What does not fit is refused before an earlier run is replaced.
    acting_policy(checkpoint, datasets, options.device)
    require_outcomes(datasets, split_starts(datasets, recipe)[1], recipe)
    output = open_output(
        "train", to_json(options), options.output, resume=options.resume, overwrite=options.overwrite,
        reads=[*data, *chain(checkpoint), *([recipe.critic] if recipe.critic else [])],
    )  # fmt: skip
    episodes = sum(map(len, datasets))
    with output.kept_if_used(), Counter("deciding again", episodes) as counter:
        made = make_monitor(
            checkpoint,
            datasets,
            recipe,
            training,
            output.path,
            resume=options.resume and (output.path / "checkpoints" / "last").is_dir(),
            device=options.device,
            progress=counter.show,
        )
    if made.training is not None and made.training.stopped == "interrupted":
        raise KeyboardInterrupt(f"Stopped before the end; add output={output.path} and resume=true to go on")
    if made.judgement is not None:
        print(summary(made, recipe))
        updates = {} if made.training is None else {"updates": made.training.updates, "loss": made.training.loss}
        output.finish({**updates, **made.judgement.figures})


def summary(made: MadeMonitor, recipe: MonitorRecipe) -> str:
    """A few lines for a person."""
    judgement = made.judgement
    assert judgement is not None
    learnt = f"learnt from {made.episodes[0]} episodes, " if FEATURES_SCORE in recipe.scores else ""
    lines = [
        f"Monitor of {' and '.join(recipe.scores)}: {learnt}calibrated on {judgement.successes} successes so that at "
        f"most {recipe.alpha:.0%} of successes have an alarm",
        *_lines(judgement),
        f"Monitor: {made.path}",
    ]
    return "\n".join(lines)


def _lines(judgement: MonitorJudgement) -> list[str]:
    if not judgement.failures:
        return ["  None of the episodes that calibrate failed: how soon a failure is noticed is not known"]
    return [
        f"  noticed                     {judgement.noticed:.0%} of {judgement.failures} failures, "
        f"{judgement.noticed_early:.0%} before 60 % of their time",
        f"  AUC at decision {judgement.decision:<11} {judgement.auc_at:.3f} among the episodes that reach it",
        f"  AUC up to it                {judgement.auc_until:.3f}",
        f"  AUC of whole episodes       {judgement.auc:.3f}, by which a clock does well too",
    ]
