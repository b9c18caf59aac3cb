"""What steers, by name, as configurations and checkpoints write it."""

from __future__ import annotations

from typing import Any, Mapping

from policies.recipe.choice import choose
from policies.steering.execution import Executed, Resampled
from policies.steering.medoid import Medoid
from policies.steering.noise_scale import NoiseScaled
from policies.steering.steered import Steered
from robot.description import Policy
from robot.errors import InputError

STEERINGS: Mapping[str, type[Steered]] = {
    "noise_scale": NoiseScaled,
    "medoid": Medoid,
    "sampler": Resampled,
    "execution": Executed,
}
"""Name -> class."""


def steer(policy: Policy, settings: Mapping[str, Any], *, pinned: bool = False) -> Steered:
    """Put what steers around a policy.

    Args:
        policy: to be steered.
        settings: the name of what steers and its options, for example {name: noise_scale, noise_scale: 0.25}.
        pinned: whether another sampler is refused from now on.

    Raises:
        InputError: there is no such name or option, or it cannot steer this policy.
    """
    options = dict(settings)
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise InputError(
            "steering",
            expected="the name of what steers",
            got=f"only {', '.join(options)}" if options else "nothing",
            way_out=f"Add steering= with one of {', '.join(STEERINGS)}",
        )
    for reserved in ("policy", "pinned"):
        if reserved in options:
            raise InputError(f"steering: option '{reserved}'", expected="an option of what steers")
    return choose("steering", STEERINGS, name, options)(policy, pinned=pinned, **options)  # type: ignore[no-any-return]
