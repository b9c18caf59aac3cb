"""Several stores as one: which of their arrays are the same, and how the others are mapped."""
