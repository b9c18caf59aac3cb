"""What the actions of a robot's simulator mean, and their period, by what a file says of the environment."""

from __future__ import annotations

from typing import Any, Iterator, Mapping

import numpy as np

_ALWAYS_DELTA = ("IK_POSE", "JOINT_POSITION")
"""Controllers of robosuite before 1.5 that have no absolute input: the action moves the robot from where it is."""
_RATES = ("VELOCITY", "TORQUE")


def controller_of(environment: Mapping[str, Any]) -> tuple[str, str]:
    """The controller that takes the actions, and how.

    Args:
        environment: `env_args` of robomimic, or `env_info` of robosuite.

    Returns:
        Its type in robosuite's words, such as `OSC_POSE`, and `delta`, `absolute`, or empty where that is not known. Of
        several controllers the types are joined, and one that takes deltas makes all of them deltas.
    """
    parts = list(_parts(environment))
    kinds = {kind: None for kind, _ in parts}
    modes = {mode for _, mode in parts if mode}
    mode = "delta" if "delta" in modes else "absolute" if modes else ""
    return "+".join(kinds), mode


def period_of(environment: Mapping[str, Any]) -> float | None:
    """The control period, s, by the environment's rate, or by Isaac Lab's time step and decimation; None if neither."""
    kwargs = _mapping(environment.get("env_kwargs"))
    for rate in (_positive(environment.get("control_freq")), _positive(kwargs.get("control_freq"))):
        if rate is not None:
            return 1 / rate
    simulation = _mapping(environment.get("sim_args"))
    step, decimation = _positive(simulation.get("dt")), _positive(simulation.get("decimation", 1))
    return None if step is None or decimation is None else step * decimation


def period_of_states(states: np.ndarray) -> float | None:
    """The control period, s, by the simulation's time, which robosuite keeps in front of each state; None where that
    does not rise evenly.

    Args:
        states: (rows, numbers).
    """
    if states.ndim != 2 or states.dtype.kind != "f" or len(states) < 3 or not states.shape[1]:
        return None
    steps = np.diff(states[:, 0].astype(np.float64))
    step = float(np.median(steps))
    if not 1e-4 < step < 10 or np.abs(steps - step).max() > 0.01 * step:
        return None
    return round(step, 6)


def _parts(environment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(type, mode) of every controller of every arm."""
    configs = environment.get("controller_configs", _mapping(environment.get("env_kwargs")).get("controller_configs"))
    for config in configs if isinstance(configs, list) else [configs]:
        config = _mapping(config)
        bodies = _mapping(config.get("body_parts"))  # since robosuite 1.5
        for each in bodies.values() if bodies else [config]:
            each = _mapping(each)
            kind = each.get("type")
            if isinstance(kind, str) and kind:
                yield kind[:60], _mode(kind, each)


def _mode(kind: str, config: Mapping[str, Any]) -> str:
    given = config.get("input_type")
    if given in ("delta", "absolute"):
        return str(given)
    if isinstance(config.get("control_delta"), bool):
        return "delta" if config["control_delta"] else "absolute"
    if any(rate in kind for rate in _RATES):
        return ""
    return "delta" if kind in _ALWAYS_DELTA else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _positive(value: Any) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e6:
        return float(value)
    return None
