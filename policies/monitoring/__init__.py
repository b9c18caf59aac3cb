"""Monitors of policies: what is learnt from rollouts, the scores that need it, and how a monitor is kept."""
