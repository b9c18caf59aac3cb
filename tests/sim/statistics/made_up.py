"""Evaluations with results that a test chooses, written and read back as real ones are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Sequence

from sim.statistics.records import FILE_NAME, EpisodeRecord, Evaluation, Latency, read_evaluation, write_evaluation


def evaluation(
    folder: Path,
    successes: Sequence[bool],
    *,
    policy: str = "runs/a",
    task: str = "pusht/state",
    seed: int = 0,
    scores: Sequence[float] | None = None,
    options: Mapping[str, Any] | None = None,
    **policy_facts: Any,
) -> tuple[str, Evaluation]:
    """Write an evaluation into a folder and read it.

    Args:
        folder: of the evaluation; its name is what a summary calls it.
        successes: of the episodes, from `seed` on.
        policy: its checkpoint.
        scores: 1 for a success and 0 for a failure when None.
        options: of the task.
        policy_facts: more about the policy.
    """
    latency = Latency(1, 0.01, 0.01, 0.01)
    records = tuple(
        EpisodeRecord(
            seed + number,
            float(success),
            float(success),
            float(success) if scores is None else scores[number],
            success,
            10,
            success,
            not success,
            latency,
        )
        for number, success in enumerate(successes)
    )
    made = Evaluation(
        task,
        dict(options or {}),
        {"checkpoint": policy, "sampler": "euler", "steps": 3, **policy_facts},
        seed,
        len(records),
        8,
        4,
        1,
        records,
        latency,
        1.0,
        0.5,
    )
    folder.mkdir(parents=True)
    write_evaluation(made, folder / FILE_NAME)
    return folder.name, read_evaluation(folder)
