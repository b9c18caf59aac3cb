"""What a training is about to do, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

if TYPE_CHECKING:
    from policies.training.demonstrations import Demonstrations


def announcement(
    name: str,
    paths: Sequence[str],
    data: Demonstrations,
    task: str | None,
    observation: Sequence[str],
    scored: int | None,
) -> str:
    """A line, and another one where keys are left out.

    Args:
        name: of the recipe.
        paths, data: that it is trained on.
        task: that it is for.
        observation: keys that are seen.
        scored: rows that a critic scores; None of a policy.
    """
    datasets, training = data.datasets, data.config
    episodes, rows = sum(map(len, datasets)), sum(each.rows for each in datasets)
    parts = [
        f"Training {name} on {episodes} episodes ({rows} rows) of {', '.join(paths)}"
        + (f" for {task}" if task else ""),
        f"seeing {', '.join(observation)}",
    ]
    if scored is not None:
        parts.append(f"scoring {scored} rows")
    if training.weights:
        parts.append(f"in shares of {':'.join(f'{weight:g}' for weight in training.weights)}")
    order = dict(training.order)
    if order.pop("name", "uniform") != "uniform":
        parts.append(
            " ".join([f"episodes {training.order['name']}", *(f"{key}={value}" for key, value in order.items())])
        )
    if data.members:
        parts.append(f"as {len(data.embodiments)} embodiments: {', '.join(each.name for each in data.embodiments)}")
    known = [key.name for key in data.observation if not key.is_image]
    left_out = [key for key in known if key not in observation]
    return ", ".join(parts) + (f"\nLeaving out {', '.join(left_out)} of the dataset" if left_out else "")
