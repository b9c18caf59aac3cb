"""Encoders of observations: name -> (B, steps, ...) to one condition (B, C)."""

from policies.encoders.state import StateEncoder

__all__ = ["StateEncoder"]
