"""Print the page of perturbations: `python -m sim.perturbations > docs/perturbations.md`."""

from sim.perturbations.page import page

print(page(), end="")
