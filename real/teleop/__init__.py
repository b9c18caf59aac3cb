"""A person at the robot: keyboard and gamepad, and what their velocities make of a target."""
