"""Print a generated page of the documentation: `python -m sim.pages tasks > docs/tasks.md`, or `perturbations`."""

import sys

from sim.pages import perturbations, tasks

PAGES = {"tasks": tasks.page, "perturbations": perturbations.page}

if len(sys.argv) != 2 or sys.argv[1] not in PAGES:
    sys.exit(f"usage: python -m sim.pages {'|'.join(PAGES)}")
print(PAGES[sys.argv[1]](), end="")
