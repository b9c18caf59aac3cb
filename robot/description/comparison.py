"""Two specs side by side, for a person: where a policy, a dataset and a task do not fit."""

from __future__ import annotations

from robot.description.action import ActionSpec
from robot.description.observation import ObservationSpec
from robot.errors import InputError

Row = tuple[str, str, str]


def differences(
    expected: ObservationSpec, offered: ObservationSpec, expected_action: ActionSpec, offered_action: ActionSpec
) -> list[Row]:
    """Rows (what, expected, offered) in which the two sides disagree; keys only offered are no difference.

    Observations differ by shape, type or unit, action fields by order, name, size, kind or unit, control periods by
    more than 1e-6 of themselves. Histories are not compared: they are the policy's own choice.

    Returns:
        One row per difference, `-` for what a side lacks; empty where the two fit.
    """
    rows: list[Row] = []
    for field in expected:
        want = f"{field.shape} {field.dtype} [{field.unit}]"
        if field.name not in offered:
            rows.append((f"observation {field.name}", want, "-"))
            continue
        other = offered[field.name]
        have = f"{other.shape} {other.dtype} [{other.unit}]"
        if want != have:
            rows.append((f"observation {field.name}", want, have))
    ours, theirs = list(expected_action.fields), list(offered_action.fields)
    for index in range(max(len(ours), len(theirs))):
        want, have = (
            f"{side[index].name} ({side[index].size}) {side[index].kind} [{side[index].unit}]"
            if index < len(side)
            else "-"
            for side in (ours, theirs)
        )
        if want != have:
            rows.append((f"action field {index}", want, have))
    if abs(expected_action.period_s - offered_action.period_s) > 1e-6 * expected_action.period_s:
        rows.append(("control period", f"{expected_action.period_s:g} s", f"{offered_action.period_s:g} s"))
    return rows


def table(rows: list[Row], left: str, right: str) -> str:
    """Rows as a plain text table with a heading for each side."""
    lines = [("", left, right), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    )


def require_match(
    expected: ObservationSpec,
    offered: ObservationSpec,
    expected_action: ActionSpec,
    offered_action: ActionSpec,
    *,
    left: str,
    right: str,
    way_out: str,
) -> None:
    """Refuse two sides that do not fit, showing both.

    Args:
        expected, expected_action: specs of the side named `left` (a policy).
        offered, offered_action: specs of the side named `right` (a task, a dataset).
        left, right: names of the sides, for the message.
        way_out: the last line of the message.

    Raises:
        InputError: with a table of every row that differs.
    """
    rows = differences(expected, offered, expected_action, offered_action)
    if rows:
        raise InputError(f"{left} and {right} do not fit:\n{table(rows, left, right)}\n{way_out}")
