"""Whether a policy is failing while it acts: scores of its decisions, and the band that those of successes stay in."""
