"""Scripted experts: they solve a task in several ways and report the strategy they drew."""

from sim.experts.registry import Expert, expert_ids, make_expert

__all__ = ["Expert", "expert_ids", "make_expert"]
