"""Scripted experts: they solve a task in several ways and say which way they took."""

from sim.experts.registry import expert_ids, make_expert

__all__ = ["expert_ids", "make_expert"]
