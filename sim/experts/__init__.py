"""Scripted experts: they solve a task in several ways and say which way they took."""

from sim.experts.registry import Expert, expert_ids, make_expert

__all__ = ["Expert", "expert_ids", "make_expert"]
