"""Records of episodes and their statistics: intervals, aggregates, comparisons, robustness."""
