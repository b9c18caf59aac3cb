"""Print the page of tasks: `python -m sim.tasks > docs/tasks.md`."""

from sim.tasks.table import page

print(page(), end="")
