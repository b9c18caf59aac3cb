"""A policy is trained."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Mapping

from robot.errors import InputError
from tiller.configuration.compose import Configuration
from tiller.training.opening import Trained, open_run, opened
from tiller.training.options import TrainOptions

if TYPE_CHECKING:
    from policies.training.trainer import Evaluate


def train_policy(configuration: Configuration[TrainOptions]) -> Trained:
    """Check that everything fits, open the output and train. Processes of torchrun but the first have no output."""
    from policies.encoders.advantage import ADVANTAGE
    from policies.model.checkpoint import read_record
    from policies.model.checkpoint_folder import find
    from policies.training.advantage import with_advantage
    from policies.training.train import train
    from tiller.sheets.fit import fit_generalist, fit_recipe

    options = configuration.options
    datasets, task = opened(options)
    own = "n_action_steps" in configuration.values.get("policy", {})
    if options.initial is not None:
        record = read_record(find(options.initial))
        recipe, contract = record.recipe, {"semantic_hash": record.provenance.semantic_hash}
        if options.policy.prompt.get("name") == ADVANTAGE:
            recipe = with_advantage(recipe)
        if recipe.generalist is None:
            fit_recipe(recipe, datasets[0], task, own_action_steps=True)  # refuses data that do not fit
    elif options.policy.generalist is None:
        recipe = fit_recipe(options.policy, datasets[0], task, own_action_steps=own)
        contract = datasets[0].attributes.get("contract", {})
    else:
        recipe, contract = fit_generalist(options.policy, datasets, own_action_steps=own), {}
    output, folder = open_run(configuration, replace(options, policy=recipe), datasets, recipe.observation)
    with output.kept_if_used() if output is not None else nullcontext():
        result = train(
            datasets,
            recipe,
            options.training,
            folder,
            evaluate=evaluation_in_the_loop(options),
            resume=options.resume and (folder / "checkpoints" / "last").is_dir(),
            device=options.device,
            semantic_hash=contract.get("semantic_hash"),
            operational_hash=contract.get("operational_hash"),
            initial=options.initial,
        )
    return output, result, {}


def evaluation_in_the_loop(options: TrainOptions) -> Evaluate | None:
    """What the trainer calls to measure the policy on the task, or None where nobody asked for it.

    Raises:
        InputError: it was asked for without a task.
    """
    if not options.training.evaluate_every:
        return None
    if not options.task:
        raise InputError("training.evaluate_every", expected="a task to evaluate on", got="none", way_out="Add task=")
    task, loop = options.task, options.evaluation

    def evaluate(policy: Any, updates: int) -> Mapping[str, float]:
        from sim.evaluation.rollout import evaluate_policy

        acting = policy.for_embodiment(task) if policy.spec.embodiments else policy
        summary = evaluate_policy(
            acting, task, episodes=loop.episodes, seed=loop.seed, workers=loop.workers, options=options.options
        ).summary
        assert summary is not None
        return {"success": summary.success.estimate, "score": summary.score.estimate}

    return evaluate
