"""The learnt rungs by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from robot.errors import InputError, nearest
from tiller.steering.by_learning.methods.candidates import BestOfK, Codebook
from tiller.steering.by_learning.methods.noises import make_noise_way
from tiller.steering.by_learning.methods.residual import make_residual_way
from tiller.steering.by_learning.methods.way import Way
from tiller.steering.by_learning.options import LearningOptions

if TYPE_CHECKING:
    from tiller.steering.by_learning.setting import Setting


def _best_of_k(setting: Setting, options: LearningOptions) -> Way:
    return BestOfK(options.candidates, setting.scale, setting.otherwise, options.margin)


def _codebook(setting: Setting, options: LearningOptions) -> Way:
    return Codebook(options.candidates, setting.scale, options.critic.seed, tuple(setting.policy.noise_shape or ()))


METHODS: dict[str, Callable[[Setting, LearningOptions], Way]] = {
    "best_of_k": _best_of_k,
    "codebook": _codebook,
    "dsrl_na": lambda setting, options: make_noise_way("dsrl_na", setting),
    "dsrl_sac": lambda setting, options: make_noise_way("dsrl_sac", setting),
    "residual": make_residual_way,
}
"""Name -> what makes its way."""


def make_way(method: str, setting: Setting, options: LearningOptions) -> Way:
    """The way of a method.

    Raises:
        InputError: no such method, or one that cannot steer this policy.
    """
    if method not in METHODS:
        raise InputError(
            "method", expected=f"one of {', '.join(METHODS)}", got=f"'{method}'", way_out=nearest(method, METHODS)
        )
    return METHODS[method](setting, options)
