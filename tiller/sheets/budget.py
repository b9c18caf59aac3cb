"""A budget that was picked: the lines that people read of it, and the file that is written."""

from __future__ import annotations

import math
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

import numpy as np
import yaml

from robot.description import to_json
from robot.errors import TillerError
from robot.files import write_file
from robot.safety.energy.budget import Budget

if TYPE_CHECKING:
    from robot.safety.energy.picking import Pick

PROCEDURE = "tiller budget picking 1"


def lines(found: Pick) -> list[str]:
    """The budget that was picked, and remarks on it."""
    seen, replayed = found.statistics, found.replay
    bounds = ", ".join(f"{each:.3g}" for each in found.budget.acceleration)
    rows = [
        f"{len(seen.drawn_j)} episodes, {seen.seconds:.0f} s at {1 / seen.period_s:.0f} Hz",
        f"  drawn at most, e*          P95 {np.percentile(seen.drawn_j, 95):.3g} J, largest {max(seen.drawn_j):.3g} J",
        f"  work of one step           P99.9 {seen.step_j * 1e3:.3g} mJ",
        f"  power                      P99.5 {seen.power_w:.3g} W, {seen.reckoned_w:.3g} W as the filter reckons",
        f"  acceleration of the joints {bounds} rad/s^2, with room",
    ]
    if seen.spring_j is not None:
        force = "" if seen.force_n is None else f", {seen.force_n:.3g} N"
        rows.append(f"  the law's spring           at most {seen.spring_j:.3g} J{force}")
    if found.gravity_share is not None:
        rows.append(f"  weight of the arm in it    {found.gravity_share:.1%}")
    rows.append(f"budget: {found.budget.limits()}")
    changed = ", ".join(f"{share:.2%} by {reason}" for reason, share in replayed.changed.items())
    rows.append(
        f"replayed: the filter would change {changed} of the steps; the tank was never below {replayed.lowest_j:.3g} J"
    )
    if found.budget.supply_w:
        rows.append(
            "The supply comes in all the time: what a policy can draw is no longer bounded by the tank alone, "
            f"but grows by {found.budget.supply_w:.3g} J a second"
        )
    if math.isinf(found.budget.spring_j):
        rows.append(
            "No limit on the spring: its set-point is not known. Give force_n= and wall_n_per_m=, or log "
            "spring_j and force_n"
        )
    elif seen.spring_j is not None and seen.spring_j > found.budget.spring_j:
        rows.append(
            f"These episodes stretched the spring to {seen.spring_j:.3g} J, beyond what force_n and "
            "wall_n_per_m allow: the leash will slow them down"
        )
    if not seen.measured_velocity:
        rows.append("Accelerations are differences of joint angles, whose noise makes them larger: log velocity too")
    return rows


def write_budget(target: Path, found: Pick, source: Mapping[str, Any]) -> None:
    """Write the budget with, under `picked`, its hash, what it was picked from and the accelerations that its filter
    reckons with: whole or not at all.

    Args:
        target: the file; one that is there is replaced.
        found: what was picked.
        source: where the episodes come from, as plain values.

    Raises:
        TillerError: the file cannot be written.
    """
    seen, replayed = found.statistics, found.replay
    picked = {
        "hash": found.budget.hash,
        "date": date.today().isoformat(),
        "procedure": PROCEDURE,
        **source,
        "episodes": len(seen.drawn_j),
        "seconds": round(seen.seconds, 3),
        "steps": seen.steps,
        "period_s": seen.period_s,
        "acceleration": list(found.budget.acceleration),
        "acceleration_from": "velocity" if seen.measured_velocity else "differences",
        "e_star_p95_j": float(np.percentile(seen.drawn_j, 95)),
        "e_star_max_j": max(seen.drawn_j),
        "step_p999_j": seen.step_j,
        "brake_p999_j": seen.brake_j,
        "power_p995_w": seen.power_w,
        "reckoned_p995_w": seen.reckoned_w,
        "net_power_p95_w": float(np.percentile(seen.net_w, 95)),
        "net_power_from": "contact" if seen.contact else "the way to e*",
        "spring_max_j": seen.spring_j,
        "force_max_n": seen.force_n,
        "gravity_share": found.gravity_share,
        "replay": to_json(replayed),
    }
    values = {each.name: getattr(found.budget, each.name) for each in fields(Budget) if each.name not in picked}
    values["picked"] = to_json(picked)
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, f"# {found.budget.provenance.split('.')[0]}\n{text}")
    except OSError as error:
        raise TillerError(f"output {target}: cannot be written, {error.strerror or error}") from None
