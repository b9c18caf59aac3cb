"""From `configs/` and the words of a command line to typed options."""
