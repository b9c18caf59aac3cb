"""Rungs that learn from the decisions of the base."""
