"""Vectors that say what the energy filters do, for a controller in another language to be held to.

    python -m benchmarks.passivity_vectors            # remake docs/passivity/vectors and the table of docs/passivity.md
    python -m benchmarks.passivity_vectors --check    # say whether they are still what the code gives; 1 when not

What is expected is the numpy path's. Seeds are fixed; inputs whose outcome hangs on the last digit are left out, so
that any compiler's arithmetic agrees to 1e-12 (`cpp/check_vectors.cpp` compares).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator

from benchmarks.energy_cases import ledger, setpoint, torque
from benchmarks.energy_cases.encoding import FORMAT, NON_FINITE, differences, plain, write
from robot.safety.energy import budget_names, load_budget

DOCS = Path(__file__).parents[1] / "docs"
VECTORS = DOCS / "passivity" / "vectors"
PAGE = DOCS / "passivity.md"
BEGIN, END = "<!-- budgets: python -m benchmarks.passivity_vectors -->", "<!-- /budgets -->"
_HAND, _FIXTURE = 75e3, 1e5  # N/m: a hand, a fixture of metal

Case = dict[str, Any]


@dataclass(frozen=True)
class Vectors:
    """One file.

    Args:
        kind: what the check program does with its cases.
        about: in a sentence or two.
        cases: makes them, without what is expected.
        run: a case and a path, `compiled` or `numpy`, to the case with what is expected.
    """

    kind: str
    about: str
    cases: Callable[[], list[Case]]
    run: Callable[[Case, str], Case]


FILES = {
    "inputs": Vectors("inputs", ledger.INPUTS_ABOUT, ledger.input_cases, ledger.run_inputs),
    "ledger": Vectors("ledger", ledger.ABOUT, ledger.cases, ledger.run),
    "torque_filter": Vectors("torque", torque.ABOUT, torque.cases, torque.run),
    "torque_runs": Vectors("torque", torque.ABOUT, torque.run_cases, torque.run),
    "setpoint_acceptance": Vectors("offset", setpoint.OFFSET_ABOUT, setpoint.offset_cases, setpoint.run_offset),
    "setpoint_runs": Vectors("setpoint", setpoint.ABOUT, setpoint.cases, setpoint.run),
}


def made(vectors: Vectors, path: str = "numpy") -> list[Case]:
    """All cases with what is expected, as they stand in a file."""
    return [plain(vectors.run(case, path)) for case in vectors.cases()]


def read(name: str, folder: Path = VECTORS) -> list[Case]:
    """The cases of a file as it stands.

    Raises:
        ValueError: it is not one of these files.
    """
    told = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    head = {key: value for key, value in told.items() if key != "cases"}
    expected = {"format": FORMAT, "kind": FILES[name].kind, "about": FILES[name].about, "non_finite": NON_FINITE}
    if head != expected:
        raise ValueError(f"{name}.json begins with {head}, expected {expected}")
    cases: list[Case] = told["cases"]
    return cases


def stale(folder: Path = VECTORS) -> Iterator[str]:
    """What in the files differs from what the code gives now, a line each."""
    for name, vectors in FILES.items():
        try:
            found, expected = read(name, folder), made(vectors)
        except (OSError, ValueError, KeyError) as error:
            yield f"{name}.json: {error}"
            continue
        if [case.get("name") for case in found] != [case["name"] for case in expected]:
            yield f"{name}.json: other cases"
            continue
        for left, right in zip(found, expected):
            yield from (f"{name}.json: {right['name']}{line}" for line in differences(left, right))


def budgets_table() -> str:
    """The budgets of configs/budget with what each allows, as the page shows them."""
    rows = [
        "| budget | limits, and the speed that the leash allows | one impact, at most | on a hand (75 N/mm) "
        "| on a fixture (100 N/mm) |",
        "|---|---|---|---|---|",
    ]
    for name in budget_names():
        budget = load_budget(name)
        if math.isinf(budget.initial_j) and math.isinf(budget.spring_j):
            rows.append(f"| `{name}` | none: it counts and never acts | unbounded | unbounded | unbounded |")
            continue
        rows.append(
            f"| `{name}` | {budget.describe()} | {budget.impact_j():.3f} J "
            f"| {budget.peak_force_n(_HAND):.0f} N | {budget.peak_force_n(_FIXTURE):.0f} N |"
        )
    return "\n".join(rows)


def with_table(page: str) -> str:
    """A page with its table made anew.

    Raises:
        ValueError: it has no place for one.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no lines '{BEGIN}' and '{END}'")
    return f"{before}{BEGIN}\n{budgets_table()}\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    if parser.parse_args().check:
        found = list(stale())
        if PAGE.read_text(encoding="utf-8") != with_table(PAGE.read_text(encoding="utf-8")):
            found.append(f"{PAGE.name}: another table of budgets")
        print("\n".join(found[:20]) or f"{len(FILES)} files and the table of budgets are what the code gives")
        sys.exit(1 if found else 0)
    VECTORS.mkdir(parents=True, exist_ok=True)
    for name, vectors in FILES.items():
        cases = made(vectors)
        write(VECTORS / f"{name}.json", vectors.kind, vectors.about, cases)
        print(f"{VECTORS / name}.json: {len(cases)} cases")
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
