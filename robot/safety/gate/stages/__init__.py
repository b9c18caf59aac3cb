"""The stages of a tick, in the order of `robot.safety.gate.core`: functions of frozen values that return new ones."""
