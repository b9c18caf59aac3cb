"""The page of a running graph for the person who drives: read-only, served on loopback."""
