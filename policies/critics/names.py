"""What is known of each window beside what was recorded: names of the columns that batches bring along."""

PLAN = "base.plan"
"""(k, dim) raw: the first k rows of the base's zero-noise chunk."""
CANDIDATES = "base.candidates"
"""(M, k, dim) raw: the first k rows of chunks that the base drew."""
REWARD = "later.reward"
"""Discounted sum of the rewards of the rows up to the window that follows."""
DISCOUNT = "later.discount"
"""Of the value of the window that follows: gamma per row in between, 0 where the task ended."""
KNOWN = "later.known"
"""1 where it is known what followed, else 0."""
RETURN = "later.return"
"""Discounted sum of the rewards up to the end of the episode."""

ENOUGH_STATES = 10
"""States that a concordance must be of: the interval of fewer says nothing, and of one has no width."""
JUDGEMENT = "judgement.json"
"""In a critic's checkpoint, or in the output of its run: its headline figures, and whether it passed the gate."""
