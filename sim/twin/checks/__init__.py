"""Whether a description, its model and its rest posture fit together."""
