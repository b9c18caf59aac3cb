"""Critics: how good the executed part of a chunk is, at an observation."""
