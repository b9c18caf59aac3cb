"""What steers, by name, as configurations and checkpoints write it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Mapping

from policies.recipe.choice import choose
from policies.steering.by_actor.codebook import Codebook
from policies.steering.by_actor.noise_actor import NoiseActor
from policies.steering.by_actor.residual import Residual
from policies.steering.by_critic.guidance import ValueGuided
from policies.steering.by_critic.value import ValueSteered
from policies.steering.by_noise.medoid import Medoid
from policies.steering.by_noise.noise_scale import NoiseScaled
from policies.steering.by_noise.random_noise import RandomNoise
from policies.steering.by_noise.ticket import Ticket
from policies.steering.choosing import RandomChoice
from policies.steering.execution import Executed, Resampled
from policies.steering.prompted import Prompted
from policies.steering.steered import Steered
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
    "random_noise": RandomNoise,
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
