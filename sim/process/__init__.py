"""Python processes of our own, and their reports of failures."""
