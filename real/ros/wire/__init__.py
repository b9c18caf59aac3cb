"""Messages as bytes: whether they are any, what they say, and many of them at once."""
