"""Torques of an inner loop: what a period of them may inject."""
