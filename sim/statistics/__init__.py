"""Records of episodes, and what they say: intervals, aggregates, comparisons, robustness."""
