"""The safety layer between a source of targets and the drives: energy filters and the gate."""
