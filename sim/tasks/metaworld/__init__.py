"""The 50 tasks of Meta-World v3."""
