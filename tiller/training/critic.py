"""A critic is trained, chosen and judged."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Mapping

from policies.recipe.critic import BESIDE, DIFFERENCE
from robot.errors import InputError
from tiller.configuration.compose import Configuration
from tiller.training.opening import Trained, listed, open_run, opened
from tiller.training.options import TrainOptions

NEED_BASE = (DIFFERENCE, BESIDE)


def train_judged_critic(configuration: Configuration[TrainOptions]) -> Trained:
    """Train a critic, choose its checkpoint where that was asked for, and judge it on episodes that it never saw."""
    from policies.critics.base import BaseChunks
    from policies.critics.checkpoint import load_critic
    from policies.critics.judgement import judge
    from policies.critics.train import BASE, train_critic
    from policies.training.demonstrations import Demonstrations
    from tiller.runs.critic import judges, load_base, planning, write_judgement
    from tiller.sheets.critic import summary, write_calibration
    from tiller.sheets.fit import fit_critic

    options = configuration.options
    datasets, task = opened(options)
    assert options.critic is not None
    if options.base is None and options.critic.plan in NEED_BASE:
        raise InputError(
            f"critic.plan={options.critic.plan}",
            expected="a base, whose plan it is about",
            got="none",
            way_out="Add base=CHECKPOINT, or leave critic.plan out",
        )
    base = load_base(options.base, options.device, options.base_sampler, options.base_steps, options.task)
    given = configuration.values.get("critic") or {}
    recipe = fit_critic(
        options.critic,
        datasets[0],
        task,
        own_steps="steps" in given,
        base=None if base is None else base.policy.spec,
    )
    data = Demonstrations.open(datasets, options.training, recipe.observation, by_start=True)
    held_out = judges(data, listed(options.judge), recipe, options.training)
    output, folder = open_run(configuration, replace(options, critic=recipe), datasets, recipe.observation, base)
    progress = planning() if output is not None else None
    chunks = None if base is None else BaseChunks(base, recipe.steps, folder / BASE, progress)

    def evaluate(critic: Any, updates: int) -> Mapping[str, float]:
        return judge(critic, held_out.datasets, held_out.selection, chunks=chunks).figures

    with output.kept_if_used() if output is not None else nullcontext():
        result = train_critic(
            datasets,
            recipe,
            options.training,
            folder,
            evaluate=evaluate if held_out.chooses else None,
            resume=options.resume and (folder / "checkpoints" / "last").is_dir(),
            device=options.device,
            base=base,
            progress=progress,
        )
    if output is not None and held_out.chooses and not held_out.reports:
        print("Not judged: all episodes that were held out chose the checkpoint. Hold out more starts, or add judge=")
    if output is None or not held_out.reports or result.stopped in ("interrupted", "stop_after"):
        return output, result, {}
    judgement = judge(load_critic(result.checkpoint), held_out.datasets, held_out.report, chunks=chunks)
    write_judgement(judgement, result.checkpoint)
    print(summary(judgement, None if options.judge else options.training.validation.fraction))
    if len(judgement.bins):
        print(f"Calibration: {write_calibration(judgement, folder)}")
    return output, result, judgement.figures
