"""Python processes of our own, and what they say of a failure."""
