"""What steers, by name, as configurations and checkpoints write it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Mapping

from policies.recipe.choice import choose
from policies.steering.choosing import RandomChoice
from policies.steering.codebook import Codebook
from policies.steering.execution import Executed, Resampled
from policies.steering.guidance import ValueGuided
from policies.steering.medoid import Medoid
from policies.steering.noise_actor import NoiseActor
from policies.steering.noise_scale import NoiseScaled
from policies.steering.prompted import Prompted
from policies.steering.residual import Residual
from policies.steering.steered import Steered
from policies.steering.ticket import Ticket
from policies.steering.value import ValueSteered
from robot.description import Policy
from robot.errors import InputError, nearest

STEERINGS: Mapping[str, type[Steered]] = {
    "noise_scale": NoiseScaled,
    "ticket": Ticket,
    "codebook": Codebook,
    "noise_actor": NoiseActor,
    "guidance": ValueGuided,
    "value": ValueSteered,
    "medoid": Medoid,
    "random_choice": RandomChoice,
    "residual": Residual,
    "sampler": Resampled,
    "execution": Executed,
    "prompt": Prompted,
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
    choose("steering", STEERINGS, name, {})
    kind = STEERINGS[name]
    known = [each.name for each in fields(kind) if each.name not in ("policy", "pinned")]
    for option in options:
        if option not in known:
            raise InputError(
                f"steering {name}: option '{option}'",
                expected=f"one of {', '.join(known)}",
                way_out=nearest(option, known),
            )
    choose("steering", STEERINGS, name, options)
    return kind(policy, pinned=pinned, **options)
