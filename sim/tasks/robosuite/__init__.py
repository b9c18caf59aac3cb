"""Tasks of robosuite."""
