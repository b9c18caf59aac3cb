"""A local page of stores: every episode with its cameras, numbers and robot on one time line, and marks of them."""
