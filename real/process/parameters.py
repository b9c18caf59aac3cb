"""Parameters of a node: each declared with what it is, its range or its choices; a misspelt one is an error."""

from __future__ import annotations

from typing import Any, Sequence

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from robot.errors import InputError, nearest

# Declared by every node of rclpy, and by nobody here.
OWN = ("use_sim_time", "start_type_description_service")


def declare(
    node: Node,
    name: str,
    default: Any,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
    read_only: bool = True,
) -> Any:
    """Declare a parameter and read it.

    Args:
        node: whose it is.
        name: of the parameter.
        default: its value where none is given; its type is the parameter's.
        text: what it is, with its unit.
        low, high: range of a number; give both or none.
        choices: of a word.
        read_only: whether it cannot change while the node runs.

    Raises:
        InputError: a value of another type, outside of the range, or none of the choices.
    """
    from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException

    descriptor = ParameterDescriptor(description=text, read_only=read_only)
    if low is not None and high is not None:
        if isinstance(default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
        else:
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    if choices:
        descriptor.additional_constraints = f"one of {', '.join(choices)}"
    try:
        value = node.declare_parameter(name, default, descriptor).value
    except InvalidParameterTypeException:
        raise InputError(
            f"parameter '{name}'",
            expected=f"{type(default).__name__}, {text}",
            got=_given(node, name),
            way_out="A number with a fraction needs its point: 1.0",
        ) from None
    except InvalidParameterValueException:
        raise InputError(f"parameter '{name}'", expected=f"{low} to {high}, {text}", got=_given(node, name)) from None
    if low is not None and high is not None and not low <= value <= high:  # NaN, which rclpy lets through
        raise InputError(f"parameter '{name}'", expected=f"{low} to {high}, {text}", got=str(value))
    if choices and value not in choices:
        raise InputError(
            f"parameter '{name}'",
            expected=f"one of {', '.join(choices)}",
            got=f"'{value}'",
            way_out=nearest(str(value), choices),
        )
    return value


def _given(node: Node, name: str) -> str:
    """A parameter's value as it was given."""
    given = getattr(node, "_parameter_overrides", {}).get(name)
    return repr(given.value) if given is not None else "another one"


def refuse_unknown(node: Node) -> None:
    """Refuse parameters that were given on the command line or in a file and that the node does not have.

    Raises:
        InputError: there is one; with the nearest name.
    """
    # rclpy keeps all given values and does not report those that it did not need: they are compared by name here.
    given = getattr(node, "_parameter_overrides", {})
    known = {name for name in given if node.has_parameter(name)} | set(OWN)
    unknown = sorted(set(given) - known)
    if unknown:
        declared = sorted({*node.get_parameters_by_prefix(""), *OWN})
        raise InputError(
            f"parameter '{unknown[0]}'",
            expected=f"a parameter of {node.get_name()}",
            way_out=nearest(unknown[0], declared),
        )
